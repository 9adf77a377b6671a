"""Tables in files and frames as columns of cells, and what was understood of a file, in lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.errors import UserError, first_line

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})  # compared in lower case
MISSING_MEAN = f"empty cells, {', '.join(sorted(MISSING - {''}))} (in either case) mean missing"
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
BLANKS = r"\s+"
SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
_KINDS_OF_NUMBERS = ("boolean", "decimal", "integer", "floating", "mixed-integer-float", "empty")  # of pandas
_NO_NAMES = "no line of names"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LINES = 50  # are looked at to find the separator
_ROWS = 1000  # are compared with a first line of numbers
_LEAST_ROWS = 10  # make a first line of numbers a header


class Cells(NamedTuple):
    """A column.

    Attributes:
        values: (rows,) numbers, or an object array of text without blanks around it.
        missing: (rows,) bool.
    """

    values: np.ndarray
    missing: np.ndarray


class Table(NamedTuple):
    """Columns by name, in the order of the file, and lines that say how a file of text or of columns was read."""

    columns: Mapping[str, Cells]
    understood: tuple[str, ...] = ()


def read_table(path: Path, trained: Sequence[str] = (), label: str | None = None) -> Table:
    """The table in a .csv or .parquet file.

    Args:
        path: the file. Text is UTF-8, or UTF-16 with a byte order mark.
        trained: names of the columns that a model was trained on; a first line that holds just these is a header.
        label: the name of the column of labels, which may be there as well.

    Returns:
        The table; columns without names are called "0", "1", and so on.

    Raises:
        UserError: it cannot be read, is empty or ragged, or its first line mixes names and numbers.
    """
    if path.suffix.lower() == ".csv":
        return _read_text(path, trained, label)
    frame = _read_parquet(path)
    columns = {str(name): from_series(frame.iloc[:, at]) for at, name in enumerate(frame.columns)}
    return Table(columns, _described(columns, "names in the first line"))


def _described(columns: Mapping[str, Cells], header: str, separator: str | None = None) -> tuple[str, ...]:
    """How a table was read: its size, and which words are read as missing values in which columns."""
    rows = len(next(iter(columns.values())).values) if columns else 0
    between = f" between {SEPARATORS[separator]}" if separator else ""
    lines, missing = [f"{rows} rows of {len(columns)} columns{between}, {header}"], {}
    for name, cells in columns.items():
        for word, count in Counter(cells.values[cells.missing]).items() if cells.values.dtype == object else ():
            missing.setdefault(word, []).append(f"{name!r} ({count})")
    for word, counts in missing.items():
        more = f" and {len(counts) - 5} more columns" if len(counts) > 5 else ""
        said = repr(word) if word else "an empty cell"
        lines.append(f"{said} is read as a missing value in {', '.join(counts[:5])}{more}")
    return tuple(lines)


def from_array(x: np.ndarray) -> Table:
    """The table of an array of numbers, (rows, columns), whose columns have numbers for names."""
    return Table({str(at): Cells(column, np.isnan(column)) for at, column in enumerate(x.T)})


def number(cell: str) -> float | None:
    """The number that a cell holds, NaN for a missing one, None for text: as Python reads it, without underscores."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


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


def are_numbered(names: Sequence[str]) -> bool:
    """Whether names are "0", "1", and so on, as where a file has none."""
    return tuple(names) == tuple(map(str, range(len(names))))


def read_cells(text: str, separator: str, where: object) -> np.ndarray:
    """The cells of a text without blanks around them, (rows, columns) of str; empty lines are left out.

    Raises:
        UserError: a line has more or fewer cells than the first, or a quoted cell has no end.
    """
    if separator == BLANKS:
        text = "\n".join(" ".join(line.split()) for line in text.splitlines())
    options = {"delimiter": " " if separator == BLANKS else separator, "skipinitialspace": True}
    strict = text.count('"') % 2 == 1  # a quoted cell may have no end
    reader = csv.reader(io.StringIO(text, newline=""), strict=strict, **options)
    try:
        lines = [(reader.line_num, cells) for cells in reader if len(cells) > 1 or "".join(cells).strip()]
    except csv.Error as error:
        raise UserError(f"{where}: not a readable CSV file: {error} (line {reader.line_num})") from error
    if not lines:
        raise UserError(f"{where}: the file is empty")
    width, between = len(lines[0][1]), f"(between {SEPARATORS[separator]})"
    for line, cells in lines:
        if len(cells) != width:
            raise UserError(f"{where}: line {line} has {len(cells)} cells, the first line has {width} {between}")
    cells = np.array([cells for _, cells in lines], object)
    return np.frompyfunc(str.strip, 1, 1)(cells) if any(blank in text for blank in " \t\xa0") else cells


def _read_text(path: Path, trained: Sequence[str], label: str | None) -> Table:
    text, separator = decoded(path), None
    if text[:4].lower() == "sep=":  # Excel says so in a line of its own
        first, _, text = text.partition("\n")
        separator = first.strip()[4:]
    separator = separator or _separator(text)
    cells = read_cells(text, separator, path)
    names, header = _names(cells, path, trained, label)
    rows = cells if header == _NO_NAMES else cells[1:]
    if not len(rows):
        raise UserError(f"{path}: there is a line of names but no row")
    columns = {name: from_text(values) for name, values in zip(names, rows.T, strict=True)}
    return Table(columns, _described(columns, header, separator))


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises:
        UserError: it is something else.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-16" if content[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    if "\0" in text:
        raise UserError(f"{path}: not a text file: it holds a zero byte; save it as CSV in UTF-8")
    return text


def _separator(text: str) -> str:
    """The separator that all of the first lines have equally often, or else that the first line has."""
    lines = [line for line in islice(io.StringIO(text), _LINES) if line.strip()]
    if not lines:
        return ","
    for separator in SEPARATORS:
        widths = {len(line.split() if separator == BLANKS else line.split(separator)) for line in lines}
        if len(widths) == 1 and widths != {1} and (separator != BLANKS or not set(";,\t|") & set(lines[0])):
            return separator
    return next((separator for separator in ",;\t|" if separator in lines[0]), ",")


def _names(cells: np.ndarray, path: Path, trained: Sequence[str], label: str | None) -> tuple[list[str], str]:
    """The names of the columns, and what the first line was taken for.

    Raises:
        UserError: it holds names and numbers, or one name twice.
    """
    first = cells[0].tolist()
    words = [cell for cell in first if number(cell) is None]
    values = [cell for cell in first if cell not in words and cell.lower() not in MISSING]
    if words and values:
        raise UserError(
            f"{path}: the first line holds names ({words[0]!r}) and numbers ({values[0]!r}), so it is unclear"
            " whether it is a header; write a first line with a name, not a number, for every column"
        )
    if not words and not _is_header(cells, trained, label):
        return list(map(str, range(len(first)))), _NO_NAMES
    names = [cell or str(at) for at, cell in enumerate(first)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{path}: two columns have the name {twice[0]!r}")
    return names, "names in the first line" if words else "the numbers in the first line are names"


def _is_header(cells: np.ndarray, trained: Sequence[str], label: str | None) -> bool:
    """Whether a first line of numbers is a line of names, such as the 0, 1, 2, … of pandas, years or wavelengths.

    It is, where it holds the names that a model was trained on; or where its numbers are equally spaced, those of no
    other row are, and half of them are unlike their column: outside its range, or whole where it has fractions.
    """
    first, rows = cells[0], cells[1 : 1 + _ROWS]
    if len(first) < 3 or trained:
        return len(first) >= 3 and set(trained) <= set(first) <= {*trained, label}
    values = np.array([number(cell) for cell in first])
    if len(rows) < _LEAST_ROWS or not _is_spaced(values):
        return False
    body = np.array([[number(cell) for cell in row] for row in rows], np.float64)  # text is NaN
    if any(map(_is_spaced, body)):
        return False
    observed = np.isfinite(body)
    low, high = (np.where(observed, body, fill) for fill in (np.inf, -np.inf))
    outside = (values < low.min(0)) | (values > high.max(0))
    fractions = (values == np.round(values)) & (observed & (body != np.round(body))).any(0)
    return bool(np.mean(outside | fractions) >= 0.5)


def _is_spaced(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool(steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0))


def _read_parquet(path: Path) -> Any:
    """The frame of a Parquet file; an index with names is columns too."""
    import pandas

    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise UserError(f"{path}: reading .parquet needs pyarrow: pip install 'aejax[parquet]'") from error
    except (ValueError, OSError, KeyError, NotImplementedError) as error:  # what pyarrow raises is one of these
        raise UserError(f"{path}: not a readable Parquet file: {first_line(error)}") from error
    named = any(name is not None for name in frame.index.names)
    return frame.reset_index() if named and not isinstance(frame.index, pandas.RangeIndex) else frame


def from_text(values: np.ndarray) -> Cells:
    """A column of text, (rows,) of str, and which of it are words that stand for a missing value."""
    missing = (len(cell) < 5 and cell.lower() in MISSING for cell in values)  # no word is longer
    return Cells(values, np.fromiter(missing, bool, len(values)))


def from_series(series: Any) -> Cells:
    """A column of a pandas frame of any type: numbers and truth values as float64, everything else as text."""
    from pandas.api import types

    missing = series.isna().to_numpy(bool)
    if types.is_numeric_dtype(series):
        return Cells(series.to_numpy(np.float64, na_value=np.nan), missing)
    if types.infer_dtype(series, skipna=True) in _KINDS_OF_NUMBERS:
        return Cells(np.where(missing, np.nan, series.to_numpy(object)).astype(np.float64), missing)
    text = ["" if gone else str(cell).strip() for cell, gone in zip(series, missing, strict=True)]
    return from_text(np.array(text, object))
