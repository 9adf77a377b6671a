"""Columns of a table as numbers: read as they are, missing values become NaN, what cannot be used is refused."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.errors import UserError

_LARGEST = np.finfo(np.float32).max / 4  # so that differences of two values are still finite
MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})  # compared in lower case
MISSING_MEAN = f"empty cells, {', '.join(sorted(MISSING - {''}))} (in either case) mean missing"


class Columns(NamedTuple):
    """A table by column: names and, for each, cells that are text or an array of numbers."""

    names: tuple[str, ...]
    cells: tuple[Sequence[str | None] | np.ndarray, ...]


def read_csv(path: Path) -> Columns:
    """The columns of a text file with commas, semicolons or tabs; the first line may hold their names.

    Args:
        path: the file, UTF-8.

    Returns:
        The columns as text; without a first line of names they are called "0", "1", and so on.

    Raises:
        UserError: the file is empty or ragged, or its first line mixes names and numbers.
    """
    rows = _csv_rows(path)
    if not rows:
        raise UserError(f"{path}: the file is empty")
    width = len(rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise UserError(f"{path}: line {line} has {len(row)} cells, the first line has {width}")
    first = rows[0][1]
    text = [c for c in first if c.lower() not in MISSING and number(c) is None]
    numbers = [c for c in first if c.lower() not in MISSING and number(c) is not None]
    if text and numbers:
        raise UserError(
            f"{path}: the first line holds names ({text[0]!r}) and numbers ({numbers[0]!r}), so it is unclear"
            " whether it is a header; write a first line with a name, not a number, for every column"
        )
    names = tuple(c or str(i) for i, c in enumerate(first)) if text else tuple(map(str, range(width)))
    if len(set(names)) < width:
        twice = next(n for n in names if names.count(n) > 1)
        raise UserError(f"{path}: two columns have the name {twice!r}")
    body = rows[1:] if text else rows
    if not body:
        raise UserError(f"{path}: there is a line of names but no row")
    return Columns(names, tuple(zip(*(row for _, row in body), strict=True)))


def _csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            comma = next((d for d in ",;\t" if d in first), ",")
            reader = csv.reader(file, delimiter=comma, skipinitialspace=True)
            return [(reader.line_num, [c.strip() for c in row]) for row in reader if row]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except csv.Error as error:
        raise UserError(f"{path}: not a readable CSV file: {error}") from error


def read_parquet(path: Path) -> Columns:
    """The columns of a Parquet file, which needs pyarrow.

    Args:
        path: the file.

    Returns:
        Numbers and truth values as float64 with NaN where null; everything else as text.

    Raises:
        UserError: pyarrow is not installed, or the file cannot be read.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(f"{path}: reading .parquet needs pyarrow: pip install 'aejax[parquet]'") from error
    try:
        table = pyarrow.parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}") from error
    types = pyarrow.types
    cells: list[Sequence[str | None] | np.ndarray] = []
    for column in table.columns:
        kind = column.type
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
            cells.append(column.cast(pyarrow.float64(), safe=False).to_numpy())
        elif types.is_boolean(kind) or types.is_null(kind):
            cells.append(np.array([np.nan if v is None else float(v) for v in column.to_pylist()]))
        else:
            cells.append([None if v is None else str(v) for v in column.to_pylist()])
    return Columns(tuple(table.column_names), tuple(cells))


def number(cell: str) -> float | None:
    """The number that a cell holds, NaN for a missing one, None for text."""
    if cell.lower() in MISSING:
        return float("nan")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def without(columns: Columns, name: str | None, most: int) -> Columns:
    """The columns but the one of that name; of columns that have numbers for names, only where there are over `most`.

    Args:
        columns: of the table.
        name: of the column of labels that a model was trained with; None for none.
        most: how many columns it was trained on.
    """
    numbered = columns.names == tuple(map(str, range(len(columns.names))))
    if name not in columns.names or (numbered and len(columns.names) <= most):
        return columns
    at = columns.names.index(name)
    return Columns(*(values[:at] + values[at + 1 :] for values in columns))


def in_order(columns: Columns, trained: Sequence[str]) -> Columns:
    """The columns in the order of those that a model was trained on, where their names are the same; else as given."""
    if sorted(columns.names) != sorted(trained):
        return columns
    cells = dict(zip(columns.names, columns.cells, strict=True))
    return Columns(tuple(trained), tuple(cells[name] for name in trained))


def check_same(given: Sequence[str], trained: Sequence[str], where: object) -> None:
    """Refuse columns of other names than those that a model was trained on.

    Raises:
        UserError: naming those that are missing and those that are too many.
    """
    missing, extra = (
        [name for name in one if name not in other] for one, other in ((trained, given), (given, trained))
    )
    told = [_listed(missing, "is missing", "are missing"), _listed(extra, "is too many", "are too many")]
    if missing or extra:
        raise UserError(f"{where}: its columns are not those of the training data: {' and '.join(filter(None, told))}")


def _listed(names: Sequence[str], one: str, more: str) -> str:
    return f"{', '.join(map(repr, names))} {one if len(names) == 1 else more}" if names else ""


def observed(x: np.ndarray, names: tuple[str, ...], where: object) -> tuple[np.ndarray, np.ndarray | None]:
    """float32 values and the mask of those that are there.

    Args:
        x: (rows, *feature_shape) numbers, NaN where missing.
        names: one for each feature of a table; empty for images.
        where: what is read, for messages.

    Returns:
        x in float32, and bool of the same shape, True where observed; None where everything is.

    Raises:
        UserError: a value is infinite, or all values of a row are missing.
    """
    missing = np.isnan(x)
    infinite = np.abs(x) > _LARGEST
    if infinite.any():
        at = np.argwhere(infinite)[0]
        column = repr(names[at[1]]) if names else tuple(map(int, at[1:]))
        raise UserError(
            f"{where}: row {at[0] + 1}, column {column} holds {x[tuple(at)]}, which is infinite or too large for"
            f" float32; {MISSING_MEAN}"
        )
    bare = np.flatnonzero(missing.reshape(len(x), -1).all(1))
    if len(bare):
        raise UserError(f"{where}: every value of row {bare[0] + 1} is missing; drop the row")
    return x.astype(np.float32, copy=False), ~missing if missing.any() else None


def check_columns(mask: np.ndarray | None, names: tuple[str, ...], where: object) -> None:
    """Refuse rows to train on of which a column was never observed; one row or two to be filled may be so.

    Raises:
        UserError: naming the first such column.
    """
    empty = [] if mask is None else np.argwhere(~mask.any(axis=0))
    if len(empty):
        column = repr(names[empty[0][0]]) if names else tuple(map(int, empty[0]))
        raise UserError(f"{where}: every value of column {column} is missing; drop the column")
