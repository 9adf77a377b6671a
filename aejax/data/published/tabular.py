"""The files in which tables are published: UCI's, KEEL's, a CSV with a header, and R's ``.rda``."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.columns import number
from aejax.data.published.tables import Table
from aejax.errors import UserError

_R_ENDINGS = (".rda", ".rdata")
_LABEL_NAMES = ("class", "classes", "lettr", "type", "label", "target")  # what the published headers call the label
_COMMENTS = ("@", "%", ";")  # begin the lines of KEEL, ARFF and UCI that hold no row


class Cells(NamedTuple):
    """Text of shape (rows, columns), and a name for each column where the file holds names."""

    names: tuple[str, ...] | None
    rows: np.ndarray


def read_table(path: Path, name: str, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """The features and labels of a table, from files at hand.

    Args:
        path: a file, or a folder with the files of one of the published forms. Files that belong together, such as
            ``optdigits.tra`` and ``optdigits.tes``, are pooled, also where one of them is named.
        name: of the table.
        table: what is known of it.

    Returns:
        x (rows, features) float32 and labels (rows,) int32, in the order of the files.

    Raises:
        UserError: there are no such files, or they do not hold this table.
    """
    paths = _find(path, name, table)
    parts = [to_arrays(_read_r(p) if p.suffix.lower() in _R_ENDINGS else _read_text(p), p, table) for p in paths]
    return np.concatenate([x for x, _ in parts]), np.concatenate([labels for _, labels in parts])


def to_arrays(cells: Cells, path: Path | str, table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and class numbers of cells of text.

    The label is the column with a name for it; without names the one with text, else the last.

    Args:
        cells: of a file.
        path: for messages.
        table: what is known of it.

    Returns:
        x (rows, features) float32, labels (rows,) int32.

    Raises:
        UserError: there are more or fewer columns, a cell is no number, or a label is no class of the table.
    """
    names, rows = cells
    if rows.shape[1] == len(table.features) + 1 + table.keys:
        names, rows = names and names[table.keys :], rows[:, table.keys :]
    if rows.shape[1] != len(table.features) + 1:
        raise UserError(f"{path}: has {rows.shape[1]} columns; expected {len(table.features)} features and one label")
    at = _label_column(names, rows[0])
    return _numbers(np.delete(rows, at, axis=1), path), _class_numbers(rows[:, at], path, table)


def _find(path: Path, name: str, table: Table) -> list[Path]:
    """The files of the first published form that is whole."""
    forms = (*table.files, (f"{name}.csv",), (f"{name}.dat",))
    if path.is_file():
        folder, forms = path.parent, [f for f in table.files if path.name in f] or [(path.name,)]
    elif path.is_dir():
        folder = path
    else:
        raise UserError(f"{path}: there is no such file or folder")
    found = [[n for n in form if (folder / n).is_file()] for form in forms]
    for form, there in zip(forms, found, strict=True):
        if len(there) == len(form):
            return [folder / n for n in form]
    for form, there in zip(forms, found, strict=True):
        if there:
            raise UserError(f"{folder}: the file {(set(form) - set(there)).pop()} is missing beside {there[0]}")
    raise UserError(f"{folder}: holds none of {', or '.join(' and '.join(form) for form in forms)}")


def _read_text(path: Path) -> Cells:
    """Cells between commas, or else between blanks; the lines before the first number may hold names."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    return split_lines(lines, path)


def split_lines(lines: list[str], path: Path | str) -> Cells:
    """The cells of lines of text.

    Args:
        lines: of a file.
        path: for messages.

    Returns:
        The cells.

    Raises:
        UserError: there is no row, or a row has more or fewer cells than the first.
    """
    comma = "," if any("," in line for line in lines) else None
    cells = [
        (at, [cell.strip(" \t\"'") for cell in line.split(comma)])
        for at, line in enumerate(lines, 1)
        if line.strip() and not line.startswith(_COMMENTS)
    ]
    first = next((i for i, (_, row) in enumerate(cells) if any(map(_is_number, row))), None)
    if first is None:
        raise UserError(f"{path}: there is no row of numbers")
    width = len(cells[first][1])
    for at, row in cells[first:]:
        if len(row) != width:
            raise UserError(f"{path}: line {at} has {len(row)} cells, the first row has {width}")
    names = tuple(cells[first - 1][1]) if first and len(cells[first - 1][1]) == width else None
    return Cells(names, np.asarray([row for _, row in cells[first:]]))


def _read_r(path: Path) -> Cells:
    try:
        import pyreadr
    except ImportError as error:
        raise UserError(f"{path}: reading .rda needs pyreadr: pip install 'aejax[r]'") from error
    try:
        found = list(pyreadr.read_r(str(path)).values())
    except (pyreadr.LibrdataError, pyreadr.PyreadrError) as error:
        raise UserError(f"{path}: not a readable file of R: {str(error).strip()}") from error
    if len(found) != 1 or found[0] is None:
        raise UserError(f"{path}: holds {len(found)} tables; expected one")
    return Cells(tuple(map(str, found[0].columns)), found[0].astype(str).to_numpy().astype(str))


def _label_column(names: tuple[str, ...] | None, row: np.ndarray) -> int:
    for at, name in enumerate(names or ()):
        if name.lower() in _LABEL_NAMES:
            return at
    return next((at for at, cell in enumerate(row) if number(cell) is None), len(row) - 1)


def _is_number(cell: str) -> bool:
    value = number(cell)
    return value is not None and bool(np.isfinite(value))


def _numbers(cells: np.ndarray, path: Path | str) -> np.ndarray:
    try:
        values = cells.astype(np.float64)
        if np.isfinite(values).all():
            return values.astype(np.float32)
    except ValueError:
        pass  # the cell is named below
    row, column = next(at for at in np.ndindex(cells.shape) if not _is_number(cells[at]))
    raise UserError(f"{path}: row {row + 1} holds {str(cells[row, column])!r} as feature {column + 1}; not a number")


def _class_numbers(cells: np.ndarray, path: Path | str, table: Table) -> np.ndarray:
    known = {_plain(s): i for i, c in enumerate(table.classes) for s in (c.name, *c.spellings)}
    spelled, inverse = np.unique(cells, return_inverse=True)
    for cell in spelled:
        if _plain(cell) not in known:
            raise UserError(
                f"{path}: holds the label {str(cell)!r}; expected {', '.join(c.name for c in table.classes)}"
            )
    return np.asarray([known[_plain(cell)] for cell in spelled], np.int32)[inverse]


def _plain(label: str) -> str:
    """A label without what the published files disagree in: ``Rad.Flow`` and ``1.`` are ``rad flow`` and ``1``."""
    return f"{float(label):g}" if _is_number(label) else label.strip().lower().replace(".", " ")
