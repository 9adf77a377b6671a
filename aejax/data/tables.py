"""Cells of tables and frames: columns of numbers or text, the words for missing values, and what is said of a file."""

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from aejax.config.components import check
from aejax.config.fields import FIELDS
from aejax.errors import UserError, one_of

MISSING_WORDS = ("?", "n/a", "na", "nan", "none", "null", "-", "#n/a", "<na>")
"""Words for a missing value where nobody says otherwise, compared in lower case; an empty cell is one in any case."""
MISSING_MEAN = f"empty cells, {', '.join(MISSING_WORDS)} (in either case) mean missing"
LARGEST_WHOLE = 2**53  # float64 makes larger ones equal
BLANKS = r"\s+"
SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
SEPARATOR_NAMES = {"semicolon": ";", "comma": ",", "tab": "\t", "bar": "|", "blank": BLANKS, " ": BLANKS}
_KINDS_OF_NUMBERS = ("boolean", "decimal", "integer", "floating", "mixed-integer-float", "empty")  # of pandas


class Reading(NamedTuple):
    """What a person says on how a table is read, or what was understood of the table that a net was trained on.

    Attributes:
        separator: between the cells of a line, one of `SEPARATORS` or its name, such as ``"tab"``; None: seen.
        decimal: the decimal mark, ``"."`` or ``","``, the other one then standing between thousands; None: seen.
        missing_words: words for a missing value, in either case, besides an empty cell.
        dates: names of the columns of dates or times, or ``name=%d/%m/%Y`` with their layout.
        ignore: names of columns that are left out; a pattern such as ``"raw_*"`` stands for all that it matches.
        key: names of columns, or patterns, that name or count the rows, which are left out; None: seen, ``()``: none.
        channels: of images, ``"first"`` or ``"last"``; None: last, and what looks otherwise is refused.
        size: of photographs, as all below: the height and width of a row; None: by their own sizes.
        fit: how a photograph becomes as large, ``"crop"``, ``"pad"`` or ``"stretch"``; None: ``"crop"``.
        colour: ``"grey"`` or ``"colour"``; None: as they are.
        bits: of grey photographs of 16 bits for each value, how many of these are used; None: by the greatest value.
        units: seen, and said by nobody: ``share=%``, ``price=$``, of the columns whose numbers have a sign.
    """

    separator: str | None = None
    decimal: str | None = None
    missing_words: tuple[str, ...] = MISSING_WORDS
    dates: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    key: tuple[str, ...] | None = None
    channels: str | None = None
    size: tuple[int, int] | None = None
    fit: str | None = None
    colour: str | None = None
    bits: int | None = None
    units: tuple[str, ...] = ()

    def key_names(self) -> tuple[str, ...]:
        """The columns that are said to be keys."""
        return self.key or ()

    def left_out(self) -> tuple[str, ...]:
        """The columns that are no features."""
        return (*self.ignore, *self.key_names())


def names_of(columns: str | int | Sequence[str | int] | None) -> tuple[str, ...]:
    """The names of one column, or of some; none of None."""
    return (str(columns),) if isinstance(columns, str | int) else tuple(map(str, columns or ()))


def expanded(names: Sequence[str], columns: Iterable[str]) -> tuple[str, ...]:
    """Names of columns, with those that a pattern matches in its place; a pattern that matches none stays."""
    columns = list(columns)
    each = ([name] if name in columns else fnmatch.filter(columns, name) or [name] for name in names)
    return tuple(dict.fromkeys(chain.from_iterable(each)))


OPTIONS = Reading._fields[:-1]
"""The fields of a `Reading` that a person can say."""
OF_PHOTOGRAPHS = ("size", "fit", "colour", "bits")
"""The fields of a `Reading` that are of photographs only."""
AS_SEEN, AGAIN = Reading(), Reading(key=())
"""Of a table of which nothing is said, and of new rows for a net that was trained on one without keys."""


def reading_of(settings: Mapping[str, Any]) -> Reading:
    """The reading that fields of a config, or arguments of a function, ask for; None stands for a default.

    Raises:
        UserError: a separator or a decimal mark that there is not.
    """
    values = {field: settings.get(field) for field in OPTIONS}
    for field in ("missing_words", "dates", "ignore", "key"):
        values[field] = None if values[field] is None else names_of(values[field])
    separator = SEPARATOR_NAMES.get(values["separator"], values["separator"])
    if separator is not None and separator not in SEPARATORS and not re.fullmatch(r"[^\w\s.\"]", separator):
        raise one_of(separator, [*SEPARATOR_NAMES][:5], what="data.separator, a character or its name")
    for field in ("decimal", "channels", *OF_PHOTOGRAPHS):
        values[field] = check(values[field], FIELDS["data"][field].annotation, what=f"data.{field}")
    if (size := values["size"]) is not None:
        size = (size,) if isinstance(size, int) else size
        if len(size) not in (1, 2):
            raise UserError(f"data.size: has {len(size)} numbers; allowed: one, or two: height and width")
        values["size"] = (size[0], size[-1])
    values |= {"separator": separator, "dates": values["dates"] or (), "ignore": values["ignore"] or ()}
    if values["missing_words"] is None:
        values["missing_words"] = MISSING_WORDS
    return Reading(**values)


class Cells(NamedTuple):
    """A column.

    Attributes:
        values: (rows,) numbers, or an object array of text without blanks around it.
        missing: (rows,) bool.
    """

    values: np.ndarray
    missing: np.ndarray


def value_of(cell: str) -> float | None:
    """The number that a cell holds as Python reads it, without underscores; None for text."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def number(cell: str, words: Sequence[str] = MISSING_WORDS) -> float | None:
    """The number that a cell holds, NaN for a missing one, None for text."""
    return float("nan") if not cell or cell.lower() in words else value_of(cell)


def numbers(cells: Cells) -> np.ndarray:
    """The numbers of a column, (rows,), NaN where they are missing; text is read to the same bits as by `float`.

    Raises:
        ValueError: a cell is text.
    """
    if cells.values.dtype != object:
        return cells.values
    values = np.where(cells.missing, "nan", cells.values)
    if "_" in "".join(values):
        raise ValueError("an underscore is no digit")
    return values.astype(np.float64)


def texts(cells: Cells) -> np.ndarray:
    """A column as text, (rows,) of str: whole numbers without a point, nothing where a cell is missing."""
    plain = lambda value: value if isinstance(value, str) else repr(value).removesuffix(".0")
    values = zip(cells.values.tolist(), cells.missing, strict=True)
    return np.array(["" if gone else plain(value) for value, gone in values], object)


def filled(cells: Cells, values: Sequence[float]) -> Cells:
    """A column with these numbers where it is not missing."""
    out = np.full(len(cells.values), np.nan)
    out[~cells.missing] = values
    return Cells(out, cells.missing)


def are_numbered(names: Sequence[str]) -> bool:
    """Whether names are "0", "1", and so on, as where a file has none."""
    return tuple(names) == tuple(map(str, range(len(names))))


def from_text(values: np.ndarray, words: Sequence[str] = MISSING_WORDS) -> Cells:
    """A column of text, (rows,) of str, and which of it are words that stand for a missing value, in lower case."""
    longest, known, numbers = max(map(len, words), default=0), {"", *words}, _numbers_among(words)
    if not numbers and "_" not in "".join(words) and _are_finite(values):  # none of which is a word
        return Cells(values, np.zeros(len(values), bool))
    missing = (len(cell) <= longest and cell.lower() in known for cell in values)
    missing = np.fromiter(missing, bool, len(values))
    if numbers:  # -999.0 is -999
        missing |= np.fromiter((value_of(cell) in numbers for cell in values), bool, len(values))
    return Cells(values, missing)


def _are_finite(values: np.ndarray) -> bool:
    """Whether every text is a finite number, as NumPy reads it."""
    try:
        return bool(np.isfinite(values.astype(np.float64)).all())
    except (ValueError, OverflowError):
        return False


def _numbers_among(words: Sequence[str]) -> set[float]:
    """The words for a missing value that are numbers."""
    return {value for value in map(value_of, words) if value is not None and np.isfinite(value)}


def from_series(series: Any, words: Sequence[str] = MISSING_WORDS) -> Cells:
    """A column of a pandas frame of any type: numbers and truth values as float64, everything else as text."""
    from pandas.api import types

    missing = series.isna().to_numpy(bool)
    whole = types.is_integer_dtype(series) and not missing.all()
    if whole and max(int(series.max()), -int(series.min())) >= LARGEST_WHOLE:  # codes that float64 cannot hold
        return from_text(series.astype(object).where(~missing, "").astype(str).to_numpy(object), words)
    if types.is_numeric_dtype(series):
        values = series.to_numpy(np.float64, na_value=np.nan)
        missing = missing | np.isin(values, list(_numbers_among(words)))
        return Cells(np.where(missing, np.nan, values), missing)
    if types.infer_dtype(series, skipna=True) in _KINDS_OF_NUMBERS:
        return Cells(np.where(missing, np.nan, series.to_numpy(object)).astype(np.float64), missing)
    text = ["" if gone else str(cell).strip() for cell, gone in zip(series, missing, strict=True)]
    return from_text(np.array(text, object), tuple(word.lower() for word in words))
