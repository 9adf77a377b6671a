"""What the fragments say, in the languages of the page."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from aejax.errors import one_of

LANGUAGES = ("en", "es")


def read(language: str) -> Mapping[str, Mapping[str, str]]:
    """The texts of a language: by fragment, then name.

    Raises:
        UserError: there are none in that language.
    """
    if language not in LANGUAGES:
        raise one_of(language, LANGUAGES, what="language")
    return tomllib.loads(Path(__file__).with_name(f"text_{language}.toml").read_text(encoding="utf-8"))
