"""A page from what stands on it to one file: templates, the style sheet, and the scripts of things to touch."""

import base64
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax import __version__
from aejax.files import write_atomic
from aejax.report import explorer
from aejax.report.words import Words

WIDTHS = (1200, 900, 600)  # of the pictures, in pixels
MATH_FONT = Path(__file__).parent / "templates" / "math.woff2"
"""The letters of the formulas, which are not the same on every machine; see the text beside it."""
MOST_BYTES = 15_000_000


class Page(NamedTuple):
    """A page.

    Attributes:
        title: in one line.
        lead: a paragraph below it.
        parts: what follows: each has an ``id``, a ``title``, a ``kind``, which names its macro, and what that shows.
        environment: pairs of a name and a value: the machine and the versions.
        counts: of a reproduction, by the name of each verdict its kind and how many there are.
        verdicts: of a reproduction, by the name of each experiment.
        sources: what is cited, by its key.
        refresh: seconds after which a browser asks for it again; 0 for never.
    """

    title: str
    lead: str
    parts: Sequence[Mapping[str, Any]]
    environment: Sequence[tuple[str, str]]
    counts: Mapping[str, tuple[str, int]] = {}
    verdicts: Mapping[str, Any] = {}
    sources: Mapping[str, Any] = {}
    refresh: int = 0


def write(path: Path, make: Callable[[int], Page], words: Words, pages: Mapping[str, Words] = {}) -> Path:
    """Write a page, whole or not at all, its pictures as wide as 15 MB allow.

    Args:
        path: of the file.
        make: the page with pictures of at most so many pixels.
        words: of the language.
        pages: where there are several: the language of each, by the name of its file.

    Raises:
        OSError: it cannot be written.
    """
    for width in WIDTHS:
        content = text(make(width), words, pages)
        if len(content) <= MOST_BYTES:
            break
    return write_atomic(path, content)


def text(page: Page, words: Words, pages: Mapping[str, Words] = {}) -> bytes:
    """A page as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("aejax.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("page.html")
    fixed = {"words": words.text, "language": words.language, "version": __version__}
    fixed["languages"] = {name: (each.language, each.text["language"]) for name, each in pages.items()}
    has_formulas = any(part.get("formulas") for part in page.parts)
    fixed["math_font"] = base64.b64encode(MATH_FONT.read_bytes()).decode() if has_formulas else ""
    fixed |= {"touch_style": explorer.STYLE, "touch_script": explorer.SCRIPT}
    return template.render(page=page, **fixed).encode()
