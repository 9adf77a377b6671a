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

from aejax.data.unpacking import PACKED, check_size, size_of_excel, size_of_parquet, unpacked
from aejax.errors import UserError, first_line, one_of

MISSING_WORDS = ("?", "n/a", "na", "nan", "none", "null", "-", "#n/a", "<na>")
"""Words for a missing value where nobody says otherwise, compared in lower case; an empty cell is one in any case."""
MISSING_MEAN = f"empty cells, {', '.join(MISSING_WORDS)} (in either case) mean missing"
BLANKS = r"\s+"
SEPARATORS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars", BLANKS: "blanks"}
SEPARATOR_NAMES = {"semicolon": ";", "comma": ",", "tab": "\t", "bar": "|", "blank": BLANKS, " ": BLANKS}
TEXT = (".csv", ".tsv", ".txt")
_KINDS_OF_NUMBERS = ("boolean", "decimal", "integer", "floating", "mixed-integer-float", "empty")  # of pandas
_NO_NAMES = "no line of names"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LATIN = "ÄÖÜäöüßÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕØŒÙÚÛàáâãåæçèéêëìíîïñòóôõøœùúûŠšŽž°²³µ€£¥§±½¼¾·–—‘’“”«»…ºª¿¡\xa0©®×"
_LINES = 50  # are looked at to find the separator
_ROWS = 1000  # are compared with a first line of numbers
_LEAST_ROWS = 10  # make a first line of numbers a header


class Reading(NamedTuple):
    """What a person says on how a table is read, or what was understood of the table that a net was trained on.

    Attributes:
        separator: between the cells of a line, one of `SEPARATORS` or its name, such as ``"tab"``; None: seen.
        decimal: the decimal mark, ``"."`` or ``","``, the other one then standing between thousands; None: seen.
        missing_words: words for a missing value, in either case, besides an empty cell.
        dates: names of the columns of dates or times, or ``name=%d/%m/%Y`` with their layout.
        ignore: names of columns that are left out.
        key: names of columns that name or count the rows, which are left out; None: seen, ``()``: there is none.
    """

    separator: str | None = None
    decimal: str | None = None
    missing_words: tuple[str, ...] = MISSING_WORDS
    dates: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    key: tuple[str, ...] | None = None

    def key_names(self) -> tuple[str, ...]:
        """The columns that are said to be keys."""
        return self.key or ()


AS_SEEN, AGAIN = Reading(), Reading(key=())
"""Of a table of which nothing is said, and of new rows for a net that was trained on one without keys."""


def reading_of(settings: Mapping[str, Any]) -> Reading:
    """The reading that fields of a config, or arguments of a function, ask for; None stands for a default.

    Raises:
        UserError: a separator or a decimal mark that there is not.
    """
    values = {field: settings.get(field) for field in Reading._fields}
    for field in ("missing_words", "dates", "ignore", "key"):
        value = values[field]
        values[field] = value if value is None else (str(value),) if isinstance(value, str | int) else tuple(value)
        values[field] = values[field] and tuple(map(str, values[field]))
    separator = SEPARATOR_NAMES.get(values["separator"], values["separator"])
    if separator is not None and separator not in SEPARATORS and not re.fullmatch(r"[^\w\s.\"]", separator):
        raise one_of(separator, [*SEPARATOR_NAMES][:5], what="data.separator, a character or its name")
    if values["decimal"] not in (None, ".", ","):
        raise one_of(values["decimal"], (".", ","), what="data.decimal")
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


class Table(NamedTuple):
    """Columns by name, in the order of the file, and lines that say how a file of text or of columns was read."""

    columns: Mapping[str, Cells]
    understood: tuple[str, ...] = ()


def read_table(path: Path, trained: Sequence[str] = (), label: str | None = None, reading: Reading = AS_SEEN) -> Table:
    """The table in a file of text, of Parquet, Feather or Excel.

    Args:
        path: the file. Text is UTF-8, UTF-16 with a byte order mark, or Latin-1.
        trained: names of the columns that a model was trained on; a first line that holds just these is a header.
        label: the name of the column of labels, which may be there as well.
        reading: what is known of the file.

    Returns:
        The table; columns without names are called "0", "1", and so on.

    Raises:
        UserError: it cannot be read, is empty or ragged, or its first line mixes names and numbers.
    """
    if ending(path)[:4] in TEXT:
        return _read_text(path, trained, label, reading)
    frame = _read_frame(path)
    words = reading.missing_words
    columns = {str(name): from_series(frame.iloc[:, at], words) for at, name in enumerate(frame.columns)}
    if twice := [name for name, count in Counter(map(str, frame.columns)).items() if count > 1]:
        raise UserError(f"{path}: two columns have the name {twice[0]!r}")
    if not len(frame) or not columns:
        raise UserError(f"{path}: there is no row")
    return Table(columns, _described(columns, "names in the first line"))


def ending(path: Path) -> str:
    """What the name of a file ends in, such as ``.csv`` or ``.csv.gz``, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    return "".join(suffixes if suffixes[-1:] and suffixes[-1] in PACKED else suffixes[-1:])


def _described(columns: Mapping[str, Cells], header: str, separator: str | None = None) -> tuple[str, ...]:
    """How a table was read: its size, and which words are read as missing values in which columns."""
    rows = len(next(iter(columns.values())).values) if columns else 0
    between = f" between {SEPARATORS.get(separator, separator)}" if separator else ""
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
    width, between = len(lines[0][1]), f"(between {SEPARATORS.get(separator, separator)})"
    for line, cells in lines:
        if len(cells) != width:
            raise UserError(f"{where}: line {line} has {len(cells)} cells, the first line has {width} {between}")
    cells = np.array([cells for _, cells in lines], object)
    return np.frompyfunc(str.strip, 1, 1)(cells) if any(blank in text for blank in " \t\xa0") else cells


def _read_text(path: Path, trained: Sequence[str], label: str | None, reading: Reading) -> Table:
    (text, encoding), separator = _decoded(path), reading.separator
    if text[:4].lower() == "sep=":  # Excel says so in a line of its own
        first, _, text = text.partition("\n")
        separator = separator or first.strip("\r")[4:]
        if separator not in SEPARATORS:
            raise UserError(f"{path}: names {separator!r} as its separator; allowed: {', '.join(SEPARATORS.values())}")
    separator = separator or _separator(text)
    words = tuple(word.lower() for word in reading.missing_words)
    cells = read_cells(text, separator, path)
    names, header = _names(cells, path, trained, label, words)
    rows = cells if header == _NO_NAMES else cells[1:]
    if not len(rows):
        raise UserError(f"{path}: there is a line of names but no row")
    columns = {name: from_text(values, words) for name, values in zip(names, rows.T, strict=True)}
    lines = _described(columns, header, separator)
    return Table(columns, (*lines, f"its text is in {encoding}, not in UTF-8") if encoding else lines)


def decoded(path: Path) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or in Latin-1; unpacked.

    Raises:
        UserError: it is something else.
    """
    return _decoded(path)[0]


def _decoded(path: Path) -> tuple[str, str]:
    """The text of a file, and the name of its encoding where it is an old one of eight bits."""
    content, encoding = unpacked(path), ""
    try:
        text = content.decode("utf-16" if content[:2] in _UTF16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        text, encoding = content.decode("cp1252", "replace"), "Latin-1 (Windows-1252)"
        if content[:2] in _UTF16 or {letter for letter in text if ord(letter) > 126} - set(_LATIN):
            raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    if "\0" in text:
        raise UserError(f"{path}: not a text file: it holds a zero byte; save it as CSV in UTF-8")
    return text, encoding


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


def _names(
    cells: np.ndarray, path: Path, trained: Sequence[str], label: str | None, missing: Sequence[str]
) -> tuple[list[str], str]:
    """The names of the columns, and what the first line was taken for.

    Raises:
        UserError: it holds names and numbers, or one name twice.
    """
    first = cells[0].tolist()
    words = [cell for cell in first if number(cell, missing) is None]
    values = [cell for cell in first if value_of(cell) is not None]
    if words and values:
        raise UserError(
            f"{path}: the first line holds names ({words[0]!r}) and numbers ({values[0]!r}), so it is unclear"
            " whether it is a header; write a first line with a name, not a number, for every column"
        )
    if not words and not _is_header(cells, trained, label):
        return list(map(str, range(len(first)))), _NO_NAMES
    names = [cell or (str(at) if str(at) not in first else f"Unnamed: {at}") for at, cell in enumerate(first)]
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
        return len(first) >= 3 and set(trained) <= set(first) <= {*trained, label, ""}
    if not first[0]:
        counted = np.array([number(cell) for cell in rows[:, 0]], np.float64)
        return len(rows) > 1 and bool((np.diff(counted) == 1).all())  # above the numbers of the rows
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


def _read_frame(path: Path) -> Any:
    """The frame of a Parquet, Feather or Excel file; an index with names is columns too."""
    import pandas

    kind = {".xlsx": "Excel", ".parquet": "Parquet"}.get(ending(path), "Feather")
    try:
        if kind != "Feather":
            check_size(path, size_of_excel(path) if kind == "Excel" else size_of_parquet(path))
        if kind == "Excel":
            return pandas.read_excel(path, dtype=object, engine="openpyxl", keep_default_na=False, na_values=[""])
        read = pandas.read_parquet if kind == "Parquet" else pandas.read_feather
        frame = read(path, **({"engine": "pyarrow"} if kind == "Parquet" else {}))
    except UserError:
        raise
    except ImportError as error:
        package, extra = ("openpyxl", "excel") if kind == "Excel" else ("pyarrow", "parquet")
        raise UserError(f"{path}: reading {ending(path)} needs {package}: pip install 'aejax[{extra}]'") from error
    except Exception as error:  # damaged files raise whatever their parsers do
        raise UserError(f"{path}: not a readable {kind} file: {first_line(error)}") from error
    named = any(name is not None for name in frame.index.names)
    return frame.reset_index() if named and not isinstance(frame.index, pandas.RangeIndex) else frame


def from_text(values: np.ndarray, words: Sequence[str] = MISSING_WORDS) -> Cells:
    """A column of text, (rows,) of str, and which of it are words that stand for a missing value, in lower case."""
    longest, words = max(map(len, words), default=0), {"", *words}
    missing = (len(cell) <= longest and cell.lower() in words for cell in values)
    return Cells(values, np.fromiter(missing, bool, len(values)))


def from_series(series: Any, words: Sequence[str] = MISSING_WORDS) -> Cells:
    """A column of a pandas frame of any type: numbers and truth values as float64, everything else as text."""
    from pandas.api import types

    missing = series.isna().to_numpy(bool)
    if types.is_numeric_dtype(series):
        return Cells(series.to_numpy(np.float64, na_value=np.nan), missing)
    if types.infer_dtype(series, skipna=True) in _KINDS_OF_NUMBERS:
        return Cells(np.where(missing, np.nan, series.to_numpy(object)).astype(np.float64), missing)
    text = ["" if gone else str(cell).strip() for cell, gone in zip(series, missing, strict=True)]
    return from_text(np.array(text, object), tuple(word.lower() for word in words))
