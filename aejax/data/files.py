"""A person's own file: .csv, .npy, .npz or .parquet, read with its missing values."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from aejax.data.encoding import Labels, as_labels, as_raw, encode, observed
from aejax.data.splits import Raw, check_array, check_columns
from aejax.data.tables import Cells, Table, are_numbered, from_array, read_table
from aejax.errors import UserError, one_of
from aejax.types import Column, Split

TABLES = (".csv", ".parquet")
ENDINGS = (".csv", ".npy", ".npz", ".parquet")
_LABEL_ARRAYS = ("y", "labels")  # taken from an .npz file where no label column is named


def load_file(name: str, label_column: str | None, categories: Sequence[str] = ()) -> Raw:
    """The data set in a file.

    Args:
        name: path of a .csv, .npy, .npz or .parquet file.
        label_column: name of the column (for .npz: of the array) of labels, or None.
        categories: names of the columns of categories.

    Returns:
        The rows; uint8 images keep their type and have bounds 0 and 255.

    Raises:
        UserError: the file cannot be read as numbers; the line says where and what to do.
    """
    path = _checked(name, categories)
    content, labels = _read(path, label_column)
    source = f"the file {name}"
    if isinstance(content, Table):
        column = None if labels else label_column
        raw = as_raw(content.columns, column, categories, path, source=source, understood=content.understood)
    else:
        bounds = (0, 255) if content.dtype == np.uint8 else None
        raw = Raw(Split(*observed(content, (), path)), kind="image", source=source, bounds=bounds)
        check_columns(raw.train.mask, (), path)
    if labels is None:
        return raw
    return raw._replace(train=raw.train._replace(labels=labels.values), label_names=labels.names)


def read_rows(
    name: str | Path,
    *,
    label_column: str | None = None,
    columns: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """The features in a file, for applying a trained model to them.

    Args:
        name: path of a .csv, .npy, .npz or .parquet file.
        label_column: name of a column (for .npz: an array) to leave out, where the file has it.
        columns: that a model was trained on, where some hold categories.
        trained: the names of the columns that a model was trained on; empty where they had none.

    Returns:
        x (rows, *feature_shape) float32 with NaN where a value is missing; mask, bool of the same shape, True
        where a value was observed, None where all were; names, one for each feature, empty for images.

    Raises:
        UserError: the file cannot be read as numbers, or has other columns; the line says where and what to do.
    """
    path = _checked(name, columns)
    content, _ = _read(path, None, trained, label_column)
    if not isinstance(content, Table):
        x, mask = observed(content, (), path)
        return x.astype(np.float32, copy=False), mask, ()
    return encode(_matched(content.columns, label_column, trained, path, by_place=not columns), columns, path)


def show(path: Path) -> Table:
    """The cells of a table file as they were understood.

    Raises:
        UserError: it cannot be read, or is no table.
    """
    content, _ = _read(_checked(path, ()), None)
    if not isinstance(content, Table) or not content.understood:
        raise UserError(f"{path}: is an array, not a table of text; allowed: {', '.join(TABLES)}")
    return content


def _checked(name: str | Path, categories: Sequence[object]) -> Path:
    """The path of a file that is there and of a kind that can be read."""
    path = Path(name).expanduser()
    ending = path.suffix.lower()
    if path.is_dir():
        raise UserError(f"{path}: is a folder; allowed: a file that ends in {', '.join(ENDINGS)}")
    if ending not in ENDINGS:
        raise one_of(ending, ENDINGS, what=f"the ending of {path}")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    if categories and ending not in TABLES:
        raise UserError(f"data.categories: {path} has no named columns; allowed: a .csv or .parquet file")
    return path


def _read(
    path: Path, label_array: str | None, trained: Sequence[str] = (), left_out: str | None = None
) -> tuple[Table | np.ndarray, Labels | None]:
    """A table or an array of images, and the labels of an .npz file.

    Args:
        path: of the file.
        label_array: of the labels in an .npz file.
        trained: names of the columns that a model was trained on.
        left_out: the column or array of labels, where it may be there and is not read.
    """
    try:
        if path.suffix.lower() in TABLES:
            return read_table(path, trained, left_out), None
        x, labels = load_arrays(path), None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if isinstance(x, dict):
        x.pop(left_out, None)
        x, labels = _from_npz(x, label_array, path)
    x = _rows(x, path)
    if x.ndim == 2:
        return from_array(x), labels
    if labels is None and label_array is not None:
        raise UserError(f"data.label_column: images in {path} have no columns; use .npz with an array of labels")
    return x, labels


def map_array(path: Path) -> np.ndarray:
    """The array of a .npy file where it lies on the disk: rows of features, or images with their channels last.

    Raises:
        UserError: it is not there, or holds something else.
    """
    return _rows(load_arrays(_checked(path, ()), mmap_mode="r"), path)


def load_arrays(path: Path, mmap_mode: str | None = None) -> np.ndarray | dict[str, np.ndarray]:
    """The array in a .npy file, or those in an .npz file by name.

    Raises:
        UserError: it is damaged, or holds Python objects.
        OSError: it cannot be read.
    """
    try:
        with nullcontext(path) if mmap_mode else path.open("rb") as source:
            content = np.load(source, mmap_mode=mmap_mode, allow_pickle=False)
            return content if isinstance(content, np.ndarray) else {name: content[name] for name in content.files}
    except OSError:
        raise
    except Exception as error:  # damaged headers and archives raise whatever their parsers do
        reason = "it holds Python objects" if "allow_pickle" in str(error) else "it is damaged or something else"
        raise UserError(f"{path}: not a NumPy file of numbers: {reason}") from error


def _rows(x: np.ndarray | dict[str, np.ndarray], path: Path) -> np.ndarray:
    """An array of numbers, (rows, features) or images with their channels last."""
    if isinstance(x, dict):
        raise UserError(f"{path}: holds several arrays; numbers are needed")
    check_array(x, str(path))
    return x[..., None] if x.ndim == 3 else x


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


def _matched(
    columns: Mapping[str, Cells], label_column: str | None, trained: Sequence[str], path: Path, *, by_place: bool
) -> Mapping[str, Cells]:
    """The columns in the order of those that a model was trained on, without its labels; as they are without names.

    Raises:
        UserError: naming those that are missing and those that are too many.
    """
    if label_column in columns and not (are_numbered(tuple(columns)) and len(columns) <= len(trained)):
        columns = {name: cells for name, cells in columns.items() if name != label_column}
    if sorted(columns) == sorted(trained):
        return {name: columns[name] for name in trained}
    if by_place and (are_numbered(tuple(columns)) or are_numbered(trained)):
        return columns
    missing, extra = [n for n in trained if n not in columns], [n for n in columns if n not in trained]
    wrong = ((missing, "is missing", "are missing"), (extra, "is too many", "are too many"))
    said = [f"{', '.join(map(repr, names))} {one if len(names) == 1 else more}" for names, one, more in wrong if names]
    raise UserError(f"{path}: its columns are not those of the training data: {' and '.join(said)}")
