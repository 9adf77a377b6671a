"""A page from what stands on it to one file: templates, the style sheet, and the scripts of things to touch."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from aejax import __version__
from aejax.files import write_atomic
from aejax.report import explorer
from aejax.report.page.words import Words

WIDTHS = (1200, 900, 600)  # of the pictures, in pixels
MOST_BYTES = 15_000_000


class Page(NamedTuple):
    """A page.

    Attributes:
        title: in one line.
        lead: a paragraph below it.
        counts: of a reproduction, by the name of each verdict its kind and how many there are; empty elsewhere.
        parts: what follows: each has an ``id``, a ``title`` and a ``kind``, which names its template.
        sources: what is cited.
        environment: pairs of a name and a value: the machine and the versions.
        scripts: of things to touch.
    """

    title: str
    lead: str
    counts: Mapping[str, tuple[str, int]]
    parts: tuple[Any, ...]
    sources: tuple[Any, ...]
    environment: tuple[tuple[str, str], ...]
    scripts: tuple[str, ...]


def once(scripts: Iterable[str]) -> tuple[str, ...]:
    """Each script once, in order."""
    return tuple(dict.fromkeys(script for script in scripts if script.strip()))


def html(page: Page, words: Words, language: str) -> str:
    """The page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("aejax.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    return template.render(page=page, words=words, language=language, version=__version__, touch_style=explorer.STYLE)


def write(path: Path, make: Callable[[int], Page], words: Words, language: str) -> Path:
    """Write a page, whole or not at all, its pictures as wide as 15 MB allow.

    Args:
        path: of the file.
        make: the page with pictures of at most so many pixels.
        words: of the language.
        language: ``"en"`` or ``"es"``.

    Raises:
        OSError: it cannot be written.
    """
    for width in WIDTHS:
        text = html(make(width), words, language).encode()
        if len(text) <= MOST_BYTES:
            break
    return write_atomic(path, text)
