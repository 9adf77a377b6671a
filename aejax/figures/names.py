"""Names that a figure can show: a file's without its folders, in letters that some font has, and short ones of rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from aejax import console
from aejax.figures import canvas
from aejax.figures.words import Words
from aejax.types import Dataset

SHOWN_WORDS, LETTERS = 7, 76  # of a document, in a line


def feature(words: Words, names: Sequence[str], number: int, most: int) -> str:
    """The name of a feature, at most so many letters of it."""
    return canvas.cut(names[number] if len(names) else words("common.feature", number=number + 1), most)


def words_of(dataset: Dataset, row: np.ndarray, most: int = SHOWN_WORDS) -> str:
    """The heaviest words of a document: the features with the largest values above 0, largest first."""
    order = np.argsort(-row, kind="stable")[:most]
    named = [dataset.feature_names[i] if dataset.feature_names else str(i + 1) for i in order if row[i] > 0]
    return canvas.cut(", ".join(named) or "–", LETTERS)


def drawable(dataset: Dataset) -> Dataset:
    """The data with names as figures show them; where no font has a name's letters it is numbered, which is said."""
    title = of_data(dataset.name)
    letters = set("".join((*dataset.feature_names, *dataset.label_names, title)))
    lost = letters.difference(*map(_letters, ("DejaVu Sans", *fallbacks(letters))))
    if not lost:
        return dataset._replace(name=title)
    shown = "".join(sorted(lost)[:5])
    console.say(f"figures: no font of this machine has {shown}; names with such letters are drawn as column N, class N")
    unlike = lambda name, other: other if lost & set(name) else name
    features = tuple(unlike(name, f"column {n}") for n, name in enumerate(dataset.feature_names, start=1))
    labels = tuple(unlike(name, f"class {n}") for n, name in enumerate(dataset.label_names, start=1))
    return dataset._replace(name=unlike(title, "the data"), feature_names=features, label_names=labels)


def of_data(name: str) -> str:
    """The name of a data set, of one in a file or folder without the path to it."""
    for kind in ("file:", "images:", "texts:", "stream:"):
        before, separator, path = name.partition(kind)
        if separator and before in ("", "binary:"):
            return before + Path(path).name
    return name


@contextmanager
def fonts(info: Any) -> Iterator[None]:
    """Letters of these texts that matplotlib's own font lacks are taken from others, inside the context.

    Args:
        info: texts in mappings and sequences.
    """
    from matplotlib import rc_context

    families = fallbacks(_letters_in(info))
    with rc_context({"font.family": ["DejaVu Sans", *families]} if families else {}):
        yield


def _letters_in(info: Any) -> set[str]:
    if isinstance(info, str):
        return set(info)
    parts = [*info, *info.values()] if isinstance(info, Mapping) else info if isinstance(info, list | tuple) else ()
    return set().union(*map(_letters_in, parts))


def fallbacks(letters: set[str]) -> list[str]:
    """The installed families with letters that DejaVu Sans, which every machine has, lacks; those with most first."""
    from matplotlib.font_manager import get_font_names

    lacking = letters - _letters("DejaVu Sans")
    families = [family for family in sorted(get_font_names()) if lacking & _letters(family)] if lacking else []
    return sorted(families, key=lambda family: -len(lacking & _letters(family)))


@cache
def _letters(family: str) -> frozenset[str]:
    """What a family can draw; nothing where it holds small pictures, or a box for every letter there is."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=[family])))
    return frozenset(map(chr, font.get_charmap())) if font.scalable and "Last Resort" not in family else frozenset()
