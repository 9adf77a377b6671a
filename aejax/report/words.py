"""What a page says: a catalogue for each language, with the same keys in each; and numbers as it writes them."""

import math
import re
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import one_of
from aejax.figures import words as figures

LANGUAGES = ("en", "es")
TEXT = Path(__file__).parent / "text"
DIGITS = 4  # significant ones of a number without a deviation
NOTHING = 1e-12  # what rounding leaves of 0
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
COUNTED = re.compile(r"(.+?),?[ _](\d+)(?: rows)?")


class Words(NamedTuple):
    """The texts of one language, and how it writes numbers.

    Attributes:
        language: such as ``"en"``.
        text: by section and name: ``words.text["labels"]["measure"]``.
        figures: the texts of figures.
    """

    language: str
    text: Mapping[str, Any]
    figures: figures.Words

    def measure(self, name: str) -> str:
        """A metric in words, as `aejax.figures.words.Words.measure` says it."""
        return self.figures.measure(name)

    def rows(self, part: str) -> str:
        """The rows of a split in words."""
        return self.figures.named("rows", part)

    def method(self, name: str) -> str:
        """A baseline in words; ``"pca_15"`` and ``"spectral, 600 rows"`` by what stands before the number."""
        known, counted = lambda stem: self.figures.texts.get(f"methods.{stem}"), COUNTED.fullmatch(name)
        if known(name) is None and counted and known(counted[1]):
            return f"{known(counted[1])} ({self.number(int(counted[2]))})"
        return known(name) or name.replace("_", " ")

    def number(self, value: float | str | None) -> str:
        """A number with four significant digits; a dash for None."""
        if value is None:
            return self.text["labels"]["nothing"]
        value = float(value)
        if math.isnan(value):
            return self.text["numbers"]["nan"]
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        if abs(value) < NOTHING:
            return "0"
        if value.is_integer() and abs(value) < 1e15:
            return self.fixed(value, 0)
        power = math.floor(math.log10(abs(value)))
        if not -5 < power < 15:
            return f"{self.fixed(value / 10.0**power, 2)} × 10{str(power).translate(RAISED)}"
        return self.fixed(value, max(0, DIGITS - 1 - power))

    def fixed(self, value: float, decimals: int) -> str:
        """A number with so many decimals, a true minus, and the marks of the language."""
        marks = self.text["numbers"]
        comma = "," if abs(value) >= marks["grouped_from"] else ""
        whole, _, part = f"{value:{comma}.{decimals}f}".replace("-", "−").partition(".")
        return whole.replace(",", marks["thousands"]) + (marks["decimal"] + part if part else "")

    def setting(self, value: Any) -> str:
        """A value of a config's field, with the decimal mark of the language."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        return f"{value:.6g}".replace(".", self.text["numbers"]["decimal"])

    def spread(self, values: Sequence[float | str]) -> str:
        """Mean ± standard deviation (n − 1) over seeds, the deviation with two digits; one value is just that."""
        values = [float(value) for value in values]
        mean = statistics.fmean(values) if values else None
        if len(values) < 2 or not all(map(math.isfinite, values)):
            return self.number(mean)
        return self.deviating(mean, statistics.stdev(values))

    def deviating(self, mean: float, deviation: float) -> str:
        """Mean ± deviation, to the second digit of the deviation."""
        if deviation < max(NOTHING, 1e-9 * abs(mean)):
            return f"{self.number(mean)} ± 0"
        if deviation < 1e-4 * abs(mean):
            return f"{self.number(mean)} ± {self.number(deviation)}"
        decimals = max(0, 1 - math.floor(math.log10(deviation)))
        return f"{self.fixed(mean, decimals)} ± {self.fixed(deviation, decimals)}"

    def seconds(self, value: float) -> str:
        """A time: seconds below two minutes, else minutes."""
        if value < 120:
            return f"{self.fixed(value, 1 if value < 10 else 0)} s"
        return f"{self.fixed(value / 60, 1)} min"


@cache
def catalogue(language: str) -> Words:
    """All that a page says in a language.

    Raises:
        UserError: there is no catalogue of that language.
    """
    if language not in LANGUAGES:
        raise one_of(language, LANGUAGES, what="--lang")
    texts = (shared(str(path.relative_to(TEXT).with_suffix(""))) for path in (TEXT / language).glob("*.toml"))
    return Words(language, {key: value for text in texts for key, value in text.items()}, figures.load(language))


@cache
def shared(name: str) -> Mapping[str, Any]:
    """A file of texts; what is the same in every language is in ``"lecture"`` and ``"formulas"``."""
    return tomllib.loads((TEXT / f"{name}.toml").read_text(encoding="utf-8"))
