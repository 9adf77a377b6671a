"""Tables in files as columns of cells, with a record of what was understood; the one place that reads with pandas."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.errors import UserError

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})  # compared in lower case
MISSING_MEAN = f"empty cells, {', '.join(sorted(MISSING - {''}))} (in either case) mean missing"
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
BLANKS = r"\s+"
SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
_KINDS_OF_NUMBERS = ("boolean", "decimal", "integer", "floating", "mixed-integer-float", "empty")  # of pandas
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LINES = 50  # are looked at to find the separator
_ROWS = 1000  # are compared with a first line of numbers
_LEAST_ROWS = 10  # make a first line of numbers a header


class Options(NamedTuple):
    """What is known of a file before it is read; None is found out by looking at it.

    Attributes:
        separator: a key of `SEPARATORS`.
        decimal: the decimal sign, ``"."`` or ``","``.
        header: whether the first line holds the names of the columns.
        missing: the words, in lower case, that stand for a missing value.
        names: of the columns that a model was trained on; a first line that holds just these is a header.
        label: the name of the column of labels, which may be there as well.
    """

    separator: str | None = None
    decimal: str = "."
    header: bool | None = None
    missing: frozenset[str] = MISSING
    names: tuple[str, ...] = ()
    label: str | None = None


NOTHING_KNOWN = Options()


class Cells(NamedTuple):
    """A column.

    Attributes:
        values: (rows,) numbers, or an object array of text without blanks around it.
        missing: (rows,) bool.
    """

    values: np.ndarray
    missing: np.ndarray


class Understood(NamedTuple):
    """How a file was read.

    Attributes:
        rows: how many.
        columns: how many.
        separator: a key of `SEPARATORS`; None for a file that is no text.
        decimal: sign.
        header: what the first line was taken for: ``"names"``, ``"numbers"`` that are names, or ``"row"``.
        missing: by word, by name of the column: how many cells were taken for missing.
        dropped: by name of the column: why it was left out.
    """

    rows: int
    columns: int
    separator: str | None
    decimal: str
    header: str
    missing: Mapping[str, Mapping[str, int]]
    dropped: Mapping[str, str]

    def lines(self) -> tuple[str, ...]:
        """The record in English, a line for each thing."""
        between = f" between {SEPARATORS[self.separator]}" if self.separator else ""
        heads = {"names": "names in the first line", "numbers": "the numbers in the first line are names"}
        head = heads.get(self.header, "no line of names")
        decimal = ", decimal comma" if self.decimal == "," else ""
        said = [f"{self.rows} rows of {self.columns} columns{between}, {head}{decimal}"]
        for word, columns in self.missing.items():
            listed = ", ".join(f"{name!r} ({count})" for name, count in islice(columns.items(), 5))
            more = f" and {len(columns) - 5} more columns" if len(columns) > 5 else ""
            said.append(f"{repr(word) if word else 'an empty cell'} is read as a missing value in {listed}{more}")
        return (*said, *(f"column {name!r} is left out: {why}" for name, why in self.dropped.items()))


class Table(NamedTuple):
    """Columns by name, in the order of the file, and how it was read; None for what is no file of columns."""

    columns: Mapping[str, Cells]
    understood: Understood | None = None


def read_table(path: Path, options: Options = NOTHING_KNOWN) -> Table:
    """The table in a .csv or .parquet file.

    Args:
        path: the file. Text is UTF-8, or UTF-16 with a byte order mark.
        options: what is known of it.

    Returns:
        The table; columns without names are called "0", "1", and so on.

    Raises:
        UserError: it cannot be read, is empty or ragged, or its first line mixes names and numbers.
    """
    if path.suffix.lower() == ".csv":
        return _read_text(path, options)
    frame, dropped = _read_parquet(path)
    columns = {str(name): from_series(frame.iloc[:, at], options.missing) for at, name in enumerate(frame.columns)}
    return _table(columns, Understood(*frame.shape, None, ".", "names", {}, dropped))


def from_array(x: np.ndarray) -> Table:
    """The table of an array of numbers, (rows, columns), whose columns have numbers for names."""
    return Table({str(at): from_numbers(column) for at, column in enumerate(x.T)})


def from_numbers(values: np.ndarray) -> Cells:
    """A column of numbers, of which NaN are missing."""
    return Cells(values, np.isnan(values))


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
    import pandas

    text = text if text.endswith("\n") else text + "\n"
    options = {"header": None, "dtype": object, "na_filter": False, "skipinitialspace": separator != BLANKS}
    try:
        frame = pandas.read_csv(io.StringIO(text), sep=separator, **options)
    except pandas.errors.EmptyDataError:
        raise UserError(f"{where}: the file is empty") from None
    except pandas.errors.ParserError as error:
        _check_widths(text, separator, where)
        reason = str(error).strip().rpartition("error: ")[2]
        raise UserError(f"{where}: not a readable CSV file: {reason}") from error
    cells = frame.to_numpy(object)
    if (cells[:, -1] == "").any():  # pandas fills up a line that is too short
        _check_widths(text, separator, where)
    return np.frompyfunc(str.strip, 1, 1)(cells) if any(blank in text for blank in " \t\xa0") else cells


def _check_widths(text: str, separator: str, where: object) -> None:
    width = None
    for line, cells in _lines_of_cells(text, separator):
        width = width or cells
        if cells != width:
            raise UserError(
                f"{where}: line {line} has {cells} cells, the first line has {width} (between {SEPARATORS[separator]})"
            )


def _lines_of_cells(text: str, separator: str) -> Iterator[tuple[int, int]]:
    """The number of each line that is not empty, and how many cells it has."""
    if separator == BLANKS:
        yield from ((at, len(line.split())) for at, line in enumerate(text.splitlines(), 1) if line.strip())
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    yield from ((reader.line_num, len(cells)) for cells in reader if cells and (len(cells) > 1 or cells[0].strip()))


def _read_text(path: Path, options: Options) -> Table:
    text = decoded(path)
    separator = options.separator
    if text[:4].lower() == "sep=":  # Excel says so in a line of its own
        said, _, text = text.partition("\n")
        separator = separator or said.strip()[4:] or None
    separator = separator or _separator(text)
    cells = read_cells(text, separator, path)
    if options.decimal == ",":
        cells = np.frompyfunc(lambda c: c.replace(",", ".") if DECIMAL_COMMA.fullmatch(c) else c, 1, 1)(cells)
    names, header = _names(cells, path, options)
    rows = cells[header != "row" :]
    if not len(rows):
        raise UserError(f"{path}: there is a line of names but no row")
    columns = {name: from_text(values, options.missing) for name, values in zip(names, rows.T, strict=True)}
    return _table(columns, Understood(*rows.shape, separator, options.decimal, header, {}, {}))


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


def _names(cells: np.ndarray, path: Path, options: Options) -> tuple[list[str], str]:
    """The names of the columns, and what the first line is: ``"names"``, ``"numbers"`` that are names, or a ``"row"``.

    Raises:
        UserError: it holds names and numbers, or one name twice.
    """
    first = cells[0].tolist()
    words = [cell for cell in first if number(cell) is None]
    values = [cell for cell in first if cell.lower() not in MISSING and number(cell) is not None]
    if words and values and options.header is None:
        raise UserError(
            f"{path}: the first line holds names ({words[0]!r}) and numbers ({values[0]!r}), so it is unclear"
            " whether it is a header; write a first line with a name, not a number, for every column"
        )
    header = "names" if words else "numbers"
    if options.header is False or (options.header is None and not words and not _is_header(cells, options)):
        return list(map(str, range(len(first)))), "row"
    names = [cell or str(at) for at, cell in enumerate(first)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise UserError(f"{path}: two columns have the name {twice[0]!r}")
    return names, header


def _is_header(cells: np.ndarray, options: Options) -> bool:
    """Whether a first line of numbers is a line of names, such as the 0, 1, 2, … of pandas, years or wavelengths.

    It is, where it holds the names that a model was trained on; or where its numbers are equally spaced, those of no
    other row are, and half of them are unlike their column: outside its range, or whole where it has fractions.
    """
    first, rows = cells[0], cells[1 : 1 + _ROWS]
    if len(first) < 3 or options.names:
        return len(first) >= 3 and set(options.names) <= set(first) <= {*options.names, options.label}
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


def _read_parquet(path: Path) -> tuple[Any, dict[str, str]]:
    """The frame of a Parquet file, and why columns of it were left out."""
    import pandas

    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise UserError(f"{path}: reading .parquet needs pyarrow: pip install 'aejax[parquet]'") from error
    except (ValueError, OSError, KeyError, NotImplementedError) as error:  # what pyarrow raises is one of these
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: not a readable Parquet file: {reason}") from error
    index = [name for name in frame.index.names if name is not None]
    plain = isinstance(frame.index, pandas.RangeIndex) or not index
    return (frame if plain else frame.reset_index()), {}


def _table(columns: dict[str, Cells], understood: Understood) -> Table:
    words: dict[str, dict[str, int]] = {}
    for name, (values, missing) in columns.items():
        if values.dtype == object:
            for word, count in Counter(values[missing]).items():
                words.setdefault(word, {})[name] = count
    return Table(columns, understood._replace(missing=words))


def from_text(values: np.ndarray, words: frozenset[str] = MISSING) -> Cells:
    """A column of text, (rows,) of str, and which of it are words, in lower case, that stand for a missing value."""
    longest = max(map(len, words), default=0)
    missing = (len(cell) <= longest and cell.lower() in words for cell in values)
    return Cells(values, np.fromiter(missing, bool, len(values)))


def from_series(series: Any, words: frozenset[str] = MISSING) -> Cells:
    """A column of a pandas frame of any type: numbers and truth values as float64, everything else as text."""
    from pandas.api import types

    if types.is_numeric_dtype(series):
        return from_numbers(series.to_numpy(np.float64, na_value=np.nan))
    missing = series.isna().to_numpy(bool)
    if types.infer_dtype(series, skipna=True) in _KINDS_OF_NUMBERS:
        return from_numbers(np.where(missing, np.nan, series.to_numpy(object)).astype(np.float64))
    text = ["" if gone else str(cell).strip() for cell, gone in zip(series, missing, strict=True)]
    return from_text(np.array(text, object), words)
