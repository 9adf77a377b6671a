"""What a page says: catalogues by language, with the same keys in each, and numbers as a language writes them."""

import math
import re
import statistics
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from aejax.errors import one_of
from aejax.figures import words as figures

LANGUAGES = ("en", "es")
TEXT = Path(__file__).parent / "text"
DIGITS = 4  # significant ones of a number without a deviation
NOTHING = 1e-12  # what rounding leaves of 0

COUNTED = re.compile(r"(.+?),?[ _](\d+)(?: rows)?")

Words = Mapping[str, Any]


def check_language(language: str) -> str:
    """The language, if there is a catalogue of it.

    Raises:
        UserError: there is none.
    """
    if language not in LANGUAGES:
        raise one_of(language, LANGUAGES, what="--lang")
    return language


@cache
def catalogue(language: str) -> Words:
    """All that a page says in a language, by section; its part ``figures`` is an `aejax.figures.words.Words`.

    Raises:
        UserError: there is no catalogue of that language.
    """
    folder = TEXT / check_language(language)
    texts = {key: value for path in sorted(folder.glob("*.toml")) for key, value in _read(path).items()}
    return texts | {"figures": figures.load(language)}


@cache
def shared(name: str) -> Words:
    """What is the same in every language: ``"lecture"`` or ``"formulas"``."""
    return _read(TEXT / f"{name}.toml")


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def measure(name: str, words: Words) -> str:
    """A metric in words: ``"test/mse"`` is "mean squared error", and rows other than test rows are named."""
    part, _, metric = name.rpartition("/")
    shown = words["measures"].get(metric, metric)
    rows = words["rows"].get(part, part) if part not in ("test", "") else ""
    return f"{shown} ({rows})" if rows else shown


def method(name: str, words: Words) -> str:
    """A baseline in words; ``"pca_15"``, ``"pca 15"`` and ``"spectral, 600 rows"`` by what stands before the number."""
    known, counted = words["methods"], COUNTED.fullmatch(name)
    if name not in known and counted and counted[1] in known:
        return f"{known[counted[1]]} ({number(int(counted[2]), words)})"
    return known.get(name, name.replace("_", " "))


def number(value: float | str | None, words: Words) -> str:
    """A number with four significant digits; "" for None."""
    if value is None:
        return ""
    value = float(value)
    if math.isnan(value):
        return words["numbers"]["nan"]
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < NOTHING:
        return "0"
    if value.is_integer() and abs(value) < 1e15:
        return fixed(value, 0, words)
    place = math.floor(math.log10(abs(value)))
    if not -5 < place < 15:
        return f"{fixed(value / 10.0**place, 2, words)} × 10{_raised(place)}"
    return fixed(value, max(0, DIGITS - 1 - place), words)


def _raised(power: int) -> str:
    return str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def fixed(value: float, decimals: int, words: Words) -> str:
    """A number with so many decimals, a true minus, and the marks of the language."""
    marks = words["numbers"]
    comma = "," if abs(value) >= marks["grouped_from"] else ""
    whole, _, part = f"{value:{comma}.{decimals}f}".replace("-", "−").partition(".")
    return whole.replace(",", marks["thousands"]) + (marks["decimal"] + part if part else "")


def spread(values: Sequence[float | str], words: Words) -> str:
    """Mean ± standard deviation (n − 1) over seeds, the deviation with two digits; one value is just that."""
    values = [float(value) for value in values]
    mean = statistics.fmean(values) if values else None
    if len(values) < 2 or not all(map(math.isfinite, values)):
        return number(mean, words)
    return deviating(mean, statistics.stdev(values), words)


def deviating(mean: float, deviation: float, words: Words) -> str:
    """Mean ± deviation, to the second digit of the deviation."""
    if deviation < max(NOTHING, 1e-9 * abs(mean)):
        return f"{number(mean, words)} ± 0"
    if deviation < 1e-4 * abs(mean):
        return f"{number(mean, words)} ± {number(deviation, words)}"
    decimals = max(0, 1 - math.floor(math.log10(deviation)))
    return f"{fixed(mean, decimals, words)} ± {fixed(deviation, decimals, words)}"


def seconds(value: float, words: Words) -> str:
    """A time: seconds below two minutes, else minutes."""
    if value < 120:
        return f"{fixed(value, 1 if value < 10 else 0, words)} s"
    return f"{fixed(value / 60, 1, words)} min"
