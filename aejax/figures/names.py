"""Names that a figure can show: a file's without its folders, a column's in letters that some font has."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import NamedTuple

from aejax import console
from aejax.types import Dataset

KEPT: ContextVar[frozenset[str]] = ContextVar("kept", default=frozenset())
"""What the columns and classes of the data are called: in a figure these texts are names, in any language."""


class Drawable(NamedTuple):
    """Data whose names can be drawn, and the fonts to draw them with where matplotlib's own is not enough."""

    dataset: Dataset
    families: tuple[str, ...]


def drawable(dataset: Dataset) -> Drawable:
    """The data with names as figures show them; where no font has a name's letters it is numbered, which is said."""
    named = (*dataset.feature_names, *dataset.label_names, title := of_data(dataset.name))
    lacking = without(set("".join(named)), ("DejaVu Sans",))
    families = covering(lacking) if lacking else ()
    lost = without(lacking, families)
    if not lost:
        return Drawable(dataset._replace(name=title), families)
    numbered = lambda names, kind: tuple(
        f"{kind} {n + 1}" if lost & set(names[n]) else names[n] for n in range(len(names))
    )
    features, labels = numbered(dataset.feature_names, "column"), numbered(dataset.label_names, "class")
    letters = "".join(sorted(lost)[:5])
    console.say(
        f"figures: no font of this machine has {letters}; names with such letters are drawn as column N, class N"
    )
    title = "the data" if lost & set(title) else title
    return Drawable(dataset._replace(name=title, feature_names=features, label_names=labels), families)


def of_data(name: str) -> str:
    """The name of a data set, of one in a file or folder without the path to it."""
    for kind in ("file:", "stream:"):
        before, found, path = name.partition(kind)
        if found and before in ("", "binary:"):
            return before + Path(path).name
    return name


@contextmanager
def fonts(families: Sequence[str]) -> Iterator[None]:
    """Letters that matplotlib's own font lacks are taken from these, inside the context."""
    from matplotlib import rc_context

    with rc_context({"font.family": ["DejaVu Sans", *families]} if families else {}):
        yield


@contextmanager
def kept(dataset: Dataset) -> Iterator[None]:
    """The names of these data are `KEPT`, inside the context."""
    before = KEPT.set(frozenset((*dataset.feature_names, *dataset.label_names)))
    try:
        yield
    finally:
        KEPT.reset(before)


def without(letters: set[str], families: Sequence[str]) -> set[str]:
    """The letters that no font of these families has."""
    return letters.difference(*(_letters(family) for family in families))


def covering(letters: set[str]) -> tuple[str, ...]:
    """Installed families that together have as many of the letters as any have; the most useful one first."""
    rest, chosen = set(letters), []
    while rest:
        best = max(sorted(_files()), key=lambda family: len(rest & _letters(family)))
        if not rest & _letters(best):
            break
        chosen.append(best)
        rest -= _letters(best)
    return tuple(chosen)


@cache
def _files() -> dict[str, str]:
    """The file of every installed family that has an upright regular face."""
    from matplotlib.font_manager import fontManager

    regular = [
        font for font in fontManager.ttflist if (font.style, font.weight) in (("normal", 400), ("normal", "normal"))
    ]
    return {font.name: font.fname for font in sorted(regular, key=lambda font: font.fname)}


@cache
def _letters(family: str) -> frozenset[str]:
    """What a family can draw; nothing where it holds small pictures, or a box for every letter there is."""
    from matplotlib.font_manager import get_font

    font = get_font(_files()[family])
    return frozenset(map(chr, font.get_charmap())) if font.scalable and "Last Resort" not in family else frozenset()
