"""Things to touch on a page."""

from pathlib import Path
from typing import NamedTuple

STYLE = ""


class Fragment(NamedTuple):
    """A piece of a page: its title, what to see, its HTML, and the script that moves it."""

    title: str
    caption: str
    html: str
    script: str


def fragments(run_folder: Path, language: str) -> list[Fragment]:
    """Those of a run."""
    del run_folder, language
    return []


def sweep_fragments(sweep_folder: Path, language: str) -> list[Fragment]:
    """Those of a sweep."""
    del sweep_folder, language
    return []
