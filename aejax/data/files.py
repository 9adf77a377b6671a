"""A person's own table: .csv, .npy, .npz or .parquet, read with its missing values."""

import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data import categories, columns
from aejax.data.labels import Labels, as_labels, separate
from aejax.data.splits import Raw
from aejax.errors import UserError, one_of
from aejax.types import Column, Split

ENDINGS = (".csv", ".npy", ".npz", ".parquet")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
_LABEL_ARRAYS = ("y", "labels")  # taken from an .npz file where no label column is named


class Table(NamedTuple):
    """What a file holds.

    Attributes:
        x: (rows, features) float32 or (rows, height, width, channels) float32 or uint8; NaN where missing.
        mask: bool of the same shape, True where observed; None where everything is.
        labels: the labels; None where there are none.
        names: one name for each feature; empty for images.
        columns: of a table with categories, as in `aejax.types.Dataset`.
    """

    x: np.ndarray
    mask: np.ndarray | None
    labels: Labels | None
    names: tuple[str, ...]
    columns: tuple[Column, ...] = ()


class Known(NamedTuple):
    """What a model was trained on: the name of its labels, its columns where some hold categories, their names."""

    labels: str | None = None
    columns: tuple[Column, ...] = ()
    names: Sequence[str] = ()


UNKNOWN = Known()


def load_file(path: str, label_column: str | None, asked: Sequence[str] = ()) -> Raw:
    """The data set in a file.

    Args:
        path: of a .csv, .npy, .npz or .parquet file.
        label_column: name of the column (for .npz: of the array) of labels, or None.
        asked: names of the columns of categories.

    Returns:
        The rows; uint8 images keep their type and have bounds 0 and 255.

    Raises:
        UserError: the file cannot be read as numbers; the line says where and what to do.
    """
    table = _read(Path(path).expanduser(), label_column, asked)
    columns.check_columns(table.mask, table.names, path)
    labels = None if table.labels is None else table.labels.values
    return Raw(
        train=Split(table.x, table.mask, labels),
        test=None,
        kind="table" if table.x.ndim == 2 else "image",
        licence="your own",
        source=f"the file {path}",
        bounds=(0, 255) if table.x.dtype == np.uint8 else None,
        label_names=() if table.labels is None else table.labels.names,
        feature_names=table.names,
        columns=table.columns,
    )


def read_rows(
    path: str | Path,
    *,
    label_column: str | None = None,
    known: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """The features in a file, for applying a trained model to them.

    Args:
        path: of a .csv, .npy, .npz or .parquet file.
        label_column: name of a column (for .npz: an array) to leave out, where the file has it.
        known: the columns that a model was trained on, where some hold categories.
        trained: the names of the columns that a model was trained on; empty where they had none.

    Returns:
        x (rows, *feature_shape) float32 with NaN where a value is missing; mask, bool of the same shape, True
        where a value was observed, None where all were; names, one for each feature, empty for images.

    Raises:
        UserError: the file cannot be read as numbers; the line says where and what to do.
    """
    table = _read(Path(path).expanduser(), None, known=Known(label_column, known, trained))
    return table.x.astype(np.float32, copy=False), table.mask, table.names


def _read(path: Path, label_column: str | None, asked: Sequence[str] = (), known: Known = UNKNOWN) -> Table:
    ending = path.suffix.lower()
    if path.is_dir():
        raise UserError(f"{path}: is a folder; allowed: a file that ends in {', '.join(ENDINGS)}")
    if ending not in ENDINGS:
        raise one_of(ending, ENDINGS, what=f"the ending of {path}")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    try:
        if ending in (".csv", ".parquet"):
            return _columnar(path, label_column, asked, known)
        if asked or known.columns:
            raise UserError(f"data.categories: {path} has no named columns; allowed: a .csv or .parquet file")
        return _arrays(path, label_column, ending, known)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_columns(path: Path) -> columns.Columns:
    """The cells of a .csv or .parquet file, as they are."""
    return columns.read_csv(path) if path.suffix.lower() == ".csv" else columns.read_parquet(path)


def _columnar(path: Path, label_column: str | None, asked: Sequence[str], known: Known) -> Table:
    table = columns.in_order(columns.without(read_columns(path), known.labels, len(known.names)), known.names)
    table, labels = separate(table, label_column, path)
    if not table.cells or not len(table.cells[0]):
        raise UserError(f"{path}: there is no row")
    if known.columns or _other_count(table.names, known.names):
        columns.check_same(table.names, known.names, path)
    categories.check_names(asked, table.names, path)
    cells = dict(zip(table.names, table.cells, strict=True))
    own = known.columns or categories.lay_out(
        table.names, {name: categories.found_in(name, cells[name], path) for name in table.names if name in asked}
    )
    if not own:
        x, mask = columns.observed(_side_by_side(table, path), table.names, path)
        return Table(x, mask, labels, table.names)
    parts = [
        categories.features(column, cells[column.name], path)
        if column.categories
        else _numbers(column.name, cells[column.name], path)[:, None]
        for column in own
    ]
    names = tuple(name for column in own for name in categories.feature_names(column))
    x, mask = columns.observed(np.concatenate(parts, axis=1), names, path)
    return Table(x, mask, labels, names, own)


def _other_count(given: Sequence[str], trained: Sequence[str]) -> bool:
    """Whether there are more columns than were trained on, or fewer, and both have names to tell them by."""
    named = [tuple(names) != tuple(map(str, range(len(names)))) for names in (given, trained)]
    return all(named) and len(given) != len(trained)


def _side_by_side(table: columns.Columns, path: Path) -> np.ndarray:
    return np.stack([_numbers(name, cells, path) for name, cells in zip(table.names, table.cells, strict=True)], axis=1)


def _numbers(name: str, cells: object, path: Path) -> np.ndarray:
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64)
    values = [float("nan") if c is None else columns.number(c) for c in cells]
    if None in values:
        at = values.index(None)
        found = f"{path}: column {name!r} holds text ({cells[at]!r} in row {at + 1})"
        if DECIMAL_COMMA.fullmatch(cells[at]):
            with_point = cells[at].replace(",", ".")
            raise UserError(f"{found}: {cells[at]} looks like a number with a decimal comma; write {with_point}")
        raise UserError(
            f"{found}; encode it as numbers, drop it, or name it in data.categories or as data.label_column"
        )
    return np.asarray(values, np.float64)


def _arrays(path: Path, label_column: str | None, ending: str, known: Known) -> Table:
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            arrays = {"x": found} if ending == ".npy" else {name: found[name] for name in found.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = "it holds Python objects" if "allow_pickle" in str(error) else "it is damaged or something else"
        raise UserError(f"{path}: not a NumPy file of numbers: {reason}") from error
    labels = None
    if ending == ".npz":
        arrays.pop(known.labels, None)
        x, labels = _from_npz(arrays, label_column, path)
    else:
        x = arrays["x"]
    if x.dtype.kind not in "biuf":
        raise UserError(f"{path}: holds values of type {x.dtype}; numbers are needed")
    if x.ndim not in (2, 3, 4) or 0 in x.shape:
        raise UserError(
            f"{path}: has shape {x.shape}; needed is (rows, features), (rows, height, width) or"
            " (rows, height, width, channels), with at least one row"
        )
    if x.ndim == 4 and x.shape[1] in (1, 3) and min(x.shape[2:]) > 4:
        raise UserError(
            f"{path}: has shape {x.shape}, which looks like images with their channels first; needed is (rows, height,"
            " width, channels), such as numpy.moveaxis(x, 1, 3)"
        )
    if x.ndim > 2:
        if ending == ".npy" and label_column is not None:
            raise UserError(f"data.label_column: images in {path} have no columns; use .npz with an array of labels")
        x = x[..., None] if x.ndim == 3 else x
        return Table(*((x, None) if x.dtype == np.uint8 else columns.observed(x, (), path)), labels, ())
    table = columns.Columns(tuple(map(str, range(x.shape[1]))), tuple(x.T))
    if ending == ".npy":
        table = columns.without(table, known.labels, len(known.names))
        table, labels = separate(table, label_column, path)
    x, mask = columns.observed(np.stack(table.cells, axis=1), table.names, path)
    return Table(x, mask, labels, table.names)


def _from_npz(arrays: dict[str, np.ndarray], label_column: str | None, path: Path) -> tuple[np.ndarray, Labels | None]:
    """The array of features, ``x`` or the only one with two or more axes, and the labels."""
    if label_column is not None and label_column not in arrays:
        raise one_of(label_column, arrays, what=f"data.label_column, an array of {path}")
    label = label_column or next((n for n in _LABEL_ARRAYS if n in arrays), None)
    wide = [n for n, a in arrays.items() if a.ndim >= 2 and n != label]
    name = "x" if "x" in arrays and label != "x" else wide[0] if len(wide) == 1 else None
    if name is None:
        raise UserError(f"{path}: needs an array 'x' of features; it has {', '.join(arrays) or 'no array'}")
    if label is None:
        return arrays[name], None
    labels = as_labels(arrays[label], f"{path}: array {label!r}")
    if len(labels.values) != len(np.atleast_1d(arrays[name])):
        raise UserError(f"{path}: {len(labels.values)} labels in {label!r}, but {len(arrays[name])} rows in {name!r}")
    return arrays[name], labels
