"""The texts of figures in a language, by key, and numbers as the language writes them."""

import string
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

TEXT = Path(__file__).parent / "text"


class Words(NamedTuple):
    """The texts of one language; a call gives one of them: ``words("loss.title")``.

    Attributes:
        language: such as ``"en"``.
        texts: by dotted key, as in ``text/en.toml``.
    """

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, /, **blanks: Any) -> str:
        """A text, its blanks filled; a key that the catalogue lacks is itself the text.

        Args:
            key: such as ``"reconstructions.error"``.
            blanks: texts, or numbers, which are formatted as the text says (``{error:.4f}``).
        """
        return _Filling(self).vformat(self.texts[key], (), blanks) if key in self.texts else key

    def named(self, group: str, name: str) -> str:
        """What a name of a group is called, such as a loss term's; the name itself where the catalogue lacks it."""
        return self.texts.get(f"{group}.{name}", name)

    def measure(self, name: str) -> str:
        """A metric in words: ``"test/mse"`` is "mean squared error"; rows other than test rows are named."""
        part = name.rpartition("/")[0]
        return self.stem(name) + (f" ({self.named('rows', part)})" if part not in ("test", "") else "")

    def stem(self, name: str) -> str:
        """A metric in words, without the rows that it is of."""
        return self.named("measures", name.rpartition("/")[2])

    def field(self, path: str) -> str:
        """A field of a config in words, such as of ``"model.code"``; its path where the catalogue lacks it."""
        section, _, name = path.partition(".")
        if section == "terms" and name.endswith(".weight"):
            return self("fields.weight", term=self.named("terms", name.removesuffix(".weight")))
        return self.named("fields", path)

    def number(self, value: Any, form: str = "g") -> str:
        """A number, formatted as for `format`, with the marks of the language."""
        return self.marked(format(value, form))

    def marked(self, text: str) -> str:
        """A number that was written in English, with the marks of the language."""
        if "$" in text:  # a formula: an exponent of 10
            return text
        marks = {",": "thousands", ".": "decimal", "%": "percent"}
        marked = "".join(self.texts[f"numbers.{marks[letter]}"] if letter in marks else letter for letter in text)
        return marked.replace("-", "−").replace("inf", "∞").replace("nan", self.texts["numbers.nan"])


class _Filling(string.Formatter):
    def __init__(self, words: Words) -> None:
        self.words = words

    def format_field(self, value: Any, form: str) -> str:
        return value if isinstance(value, str) else self.words.number(value, form)


@cache
def load(language: str) -> Words:
    """The texts of a language that has a file under ``text/``."""
    return Words(language, dict(_flat(tomllib.loads((TEXT / f"{language}.toml").read_text(encoding="utf-8")))))


def _flat(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        yield from _flat(value, f"{path}{key}.") if isinstance(value, Mapping) else [(path + key, value)]
