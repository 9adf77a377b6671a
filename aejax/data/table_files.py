"""Tables in files: text of any separator, Parquet, Feather and Excel, and what was understood of them, in lines."""

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.tables import AS_SEEN, BLANKS, SEPARATORS, Cells, Reading, from_series, from_text, number, value_of
from aejax.data.unpacking import PACKED, check_size, size_of_excel, size_of_feather, size_of_parquet, unpacked
from aejax.errors import UserError, first_line

TEXT = (".csv", ".tsv", ".txt")
_NO_NAMES = "no line of names"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_LATIN = "ÄÖÜäöüßÀÁÂÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕØŒÙÚÛàáâãåæçèéêëìíîïñòóôõøœùúûŠšŽž°²³µ€£¥§±½¼¾·–—‘’“”«»…ºª¿¡\xa0©®×"
_LINES = 50  # are looked at to find the separator
_ROWS = 1000  # are compared with a first line of numbers
_LEAST_ROWS = 10  # make a first line of numbers a header
_LEAST_COUNTED = 5  # columns that are counted from 0 or 1
_NO_TABLES = {
    "HTML or XML": re.compile(r"\s*<[!?a-zA-Z]"),
    "JSON": re.compile(r"\s*(\{|\[\s*[\[{])"),
    "ARFF": re.compile(r"(?i)(\s*%.*\n)*\s*@relation\b"),
}


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
    frame, of_sheets = _read_frame(path)
    words = reading.missing_words
    columns = {str(name): from_series(frame.iloc[:, at], words) for at, name in enumerate(frame.columns)}
    if twice := [name for name, count in Counter(map(str, frame.columns)).items() if count > 1]:
        raise UserError(f"{path}: two columns have the name {twice[0]!r}")
    if not len(frame) or not columns:
        raise UserError(f"{path}: there is no row")
    return Table(columns, (*_described(columns, "names in the first line"), *of_sheets))


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
    _complete_names(lines)
    width, between = len(lines[0][1]), f"(between {SEPARATORS.get(separator, separator)})"
    for line, cells in lines:
        if len(cells) != width:
            raise UserError(f"{where}: line {line} has {len(cells)} cells, the first line has {width} {between}")
    cells = np.array([cells for _, cells in lines], object)
    return np.frompyfunc(str.strip, 1, 1)(cells) if any(blank in text for blank in " \t\xa0") else cells


def _complete_names(lines: Sequence[tuple[int, list[str]]]) -> None:
    """Give a first line of names that is one cell shorter than all others an empty name.

    It is the last one, where the others end in a separator, or that of the row's names or numbers, as R writes them.
    """
    names, rows = lines[0][1], [cells for _, cells in lines[1:]]
    if not rows or any(len(cells) != len(names) + 1 for cells in rows):
        return
    if any(value_of(name.strip()) is not None for name in names):
        return
    firsts = [cells[0].strip() for cells in rows]
    numbered = [value_of(first) for first in firsts]
    counted = None not in numbered and numbered[0] in (0, 1) and set(_steps(np.array(numbered))) <= {1.0}
    if not any(cells[-1].strip() for cells in rows):
        names.append("")
    elif counted or (len(set(firsts)) == len(firsts) and numbered.count(None) == len(firsts)):
        names.insert(0, "")


def _read_text(path: Path, trained: Sequence[str], label: str | None, reading: Reading) -> Table:
    (text, encoding), separator = _decoded(path), reading.separator
    if text[:4].lower() == "sep=":  # Excel says so in a line of its own
        first, _, text = text.partition("\n")
        separator = separator or first.strip("\r")[4:]
        if separator not in SEPARATORS:
            raise UserError(f"{path}: names {separator!r} as its separator; allowed: {', '.join(SEPARATORS.values())}")
    if kind := next((kind for kind, form in _NO_TABLES.items() if form.match(text)), None):
        raise UserError(f"{path}: holds {kind}, no table; save it as CSV")
    text, comments = _without_comments(text, separator)
    separator = separator or _separator(text)
    words = tuple(word.lower() for word in reading.missing_words)
    cells = read_cells(text, separator, path)
    if cells.shape[1] == 1 and reading.separator is None and (mark := _other_separator(text)):
        advice = f"data.separator={mark!r} reads cells between {mark!r}, data.separator=comma one cell"
        raise UserError(f"{path}: every line is one cell with as many {mark!r}; {advice}")
    names, header = _names(cells, path, trained, label, words)
    rows = cells if header == _NO_NAMES else cells[1:]
    if not len(rows):
        raise UserError(f"{path}: there is a line of names but no row")
    columns = {name: from_text(values, words) for name, values in zip(names, rows.T, strict=True)}
    lines = [*_described(columns, header, separator), *comments]
    blank = [name for name, head, values in zip(names, cells[0], rows.T, strict=True) if not head and not any(values)]
    if blank and header != _NO_NAMES and len(blank) < len(names):
        columns = {name: column for name, column in columns.items() if name not in blank}
        lines.append(f"left out: {len(blank)} columns without a name and without a value")
    return Table(columns, (*lines, f"its text is in {encoding}, not in UTF-8") if encoding else tuple(lines))


def _without_comments(text: str, separator: str | None) -> tuple[str, list[str]]:
    """A text without the lines at its head that begin with #, and a line on them; the last may hold the names.

    It does where it has as many cells as the next line, and that one holds numbers, or no line after it does.
    """
    last, end = 0, 0
    while text.startswith("#", end) and (after := text.find("\n", end)) >= 0:
        last, end = end, after + 1
    rest = text[end:]
    if not end or not rest.strip():
        return text, []
    names, separator = text[last:end].strip("# \t\r\n"), separator or _separator(rest)
    lines = [names, *islice((line for line in io.StringIO(rest) if line.strip()), 2)]
    head, first, *second = (_cells_of_line(line, separator) for line in lines)
    has_number = lambda cells: any(value_of(cell.strip()) is not None for cell in cells)
    if len(head) == len(first) and (has_number(first) or not any(map(has_number, second))):
        return f"{names}\n{rest}", ["the last line at its head that begins with # holds the names"]
    return rest, ["lines at its head that begin with # are left out"]


def _cells_of_line(line: str, separator: str) -> list[str]:
    try:
        return line.split() if separator == BLANKS else next(csv.reader([line.strip()], delimiter=separator), [""])
    except csv.Error:  # read_cells says so
        return [line]


def _other_separator(text: str) -> str:
    """A mark that each of the first lines has equally often, where nothing else stands between cells; or ""."""
    lines = [line for line in islice(io.StringIO(text), _LINES) if line.strip()]
    marks = (mark for mark in ":~^!" if len(lines) > 1 and len({line.count(mark) for line in lines}) == 1)
    return next((mark for mark in marks if mark in lines[0]), "")


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
    other row are, and half of them are unlike their column: outside its range, or whole where it has fractions; or it
    counts five columns or more from 0 or 1; or its numbers rise or fall, all of them farther from their column than
    that is wide.
    """
    first, rows = cells[0], cells[1 : 1 + _ROWS]
    if len(first) < 3 or trained:
        return len(first) >= 3 and set(trained) <= set(first) <= {*trained, label, ""}
    if not first[0]:
        counted = np.array([number(cell) for cell in rows[:, 0]], np.float64)
        return len(rows) > 1 and bool((_steps(counted) == 1).all())  # above the numbers of the rows
    values = np.array([number(cell) for cell in first])
    steps = _steps(values)
    if len(rows) < _LEAST_ROWS or not ((steps > 0).all() or (steps < 0).all()):
        return False
    body = np.array([[number(cell) for cell in row] for row in rows], np.float64)  # text is NaN
    if any(map(_is_spaced, body)):
        return False
    if len(values) >= _LEAST_COUNTED and values[0] in (0, 1) and (steps == 1).all():
        return True
    observed = np.isfinite(body)
    low, high = (np.where(observed, body, fill) for fill in (np.inf, -np.inf))
    low, high = low.min(0), high.max(0)
    if not _is_spaced(values):
        return bool(((values < low - (high - low)) | (values > high + (high - low))).all())
    outside = (values < low) | (values > high)
    fractions = (values == np.round(values)) & (observed & (body != np.round(body))).any(0)
    return bool(np.mean(outside | fractions) >= 0.5)


def _steps(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # of infinite ones
        return np.diff(values)


def _is_spaced(values: np.ndarray) -> bool:
    steps = _steps(values)
    return bool(steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0))


def _read_frame(path: Path) -> tuple[Any, list[str]]:
    """The frame of a Parquet, Feather or Excel file, and a line on unread sheets; an index is columns too."""
    import pandas

    kind = {".xlsx": "Excel", ".parquet": "Parquet"}.get(ending(path), "Feather")
    try:
        check_size(path, {"Excel": size_of_excel, "Parquet": size_of_parquet, "Feather": size_of_feather}[kind](path))
        if kind == "Excel":
            with pandas.ExcelFile(path, engine="openpyxl") as book:
                frame = pandas.read_excel(book, dtype=object, keep_default_na=False, na_values=[""])
                first, *others = map(repr, book.sheet_names)
            line = f"of {len(others) + 1} sheets the first is read, {first}; not read: {', '.join(others[:5])}"
            return frame, [line] if others else []
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
    return frame.reset_index() if named and not isinstance(frame.index, pandas.RangeIndex) else frame, []
