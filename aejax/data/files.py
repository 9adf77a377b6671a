"""A person's own file: a table or arrays, read with its missing values."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.columns import understand
from aejax.data.encoding import Labels, as_labels, as_raw, features, observed, origin, precision, separate
from aejax.data.splits import Raw, check_array, check_columns
from aejax.data.tables import (
    AGAIN,
    AS_SEEN,
    PACKED,
    TEXT,
    Cells,
    Reading,
    Table,
    are_numbered,
    ending,
    from_array,
    read_table,
)
from aejax.errors import UserError, one_of
from aejax.types import Column, Split

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".feather", ".arrow", ".xlsx")
ENDINGS = (".csv", ".npy", ".npz", *TABLES[1:], *(text + packing for text in TEXT for packing in PACKED))
FORMS = ".csv (.gz, .bz2, .zip), .tsv, .txt, .parquet, .feather, .arrow, .xlsx"
_FEATURE_ARRAYS = ("x", "X", "images", "data")
_LABEL_ARRAYS = ("y", "labels")  # taken from an .npz file where no label column is named
_PARTS = {"train": ("train", "val", "valid", "validation"), "test": ("test",)}
_DEPTHS = (8, 10, 12, 14, 16)  # bits of a pixel


class Arrays(NamedTuple):
    """What an array file holds: the rows, and where it has them labels, a mask and official test rows."""

    x: np.ndarray
    labels: Labels | None = None
    mask: np.ndarray | None = None
    train_rows: int | None = None


def is_table(path: Path) -> bool:
    """Whether the name of a file is that of a table."""
    return ending(path) in TABLES or ending(path)[:4] in TEXT


def load_file(name: str, label_column: str | None, categories: Sequence[str] = (), reading: Reading = AS_SEEN) -> Raw:
    """The data set in a file.

    Args:
        name: path of a table (.csv, .parquet, ...), or of a .npy or .npz file.
        label_column: name of the column (for .npz: of the array) of labels, or None.
        categories: names of the columns of categories.
        reading: what a person says of a table.

    Returns:
        The rows; uint8 images keep their type. Bounds of images are those of their depth, see `pixel_bounds`.

    Raises:
        UserError: the file cannot be read as numbers; the line says where and what to do.
    """
    path = _checked(name, categories, reading)
    source = f"the file {name}"
    if is_table(path):
        table = _table(path, (), label_column, reading)
        lines = table.understood
        return as_raw(table.columns, label_column, categories, path, source=source, understood=lines, reading=reading)
    arrays = _arrays(path, label_column)
    column = label_column if arrays.labels is None else None
    if arrays.x.ndim == 2 and arrays.mask is None and arrays.train_rows is None:
        raw = as_raw(from_array(arrays.x).columns, column, (), path, source=source, reading=AGAIN)
        raw = raw._replace(reading=None, understood=(_size(arrays.x), *raw.understood))
    elif column is not None:
        raise UserError(f"data.label_column: {path} has no columns with names; use .npz with an array of labels")
    else:
        raw = _of_arrays(arrays, path, source)
    if arrays.labels is None:
        return raw
    labels, names = arrays.labels
    if raw.test is None:
        return raw._replace(train=raw.train._replace(labels=labels), label_names=names)
    cut = arrays.train_rows
    return raw._replace(
        train=raw.train._replace(labels=labels[:cut]), test=raw.test._replace(labels=labels[cut:]), label_names=names
    )


def _of_arrays(arrays: Arrays, path: Path, source: str) -> Raw:
    """Rows or images without their labels, the official test rows apart."""
    x = arrays.x if arrays.mask is None else np.where(arrays.mask, arrays.x, np.nan)
    start = origin(x)
    rows, mask = observed(x - start if start.any() else x, (), path)
    check_columns(mask, (), path)
    names = tuple(map(str, range(x.shape[1]))) if x.ndim == 2 else ()
    bounds = pixel_bounds(arrays.x) if x.ndim == 4 else None
    lines = [_size(x), *(precision(x, start, names) if names else [described_pixels(arrays.x, bounds)])]
    raw = Raw(
        Split(rows, mask),
        kind="table" if names else "image",
        source=source,
        bounds=bounds,
        feature_names=names,
        origin=start,
    )
    if (cut := arrays.train_rows) is not None:
        parts = [Split(rows[part], None if mask is None else mask[part]) for part in (slice(cut), slice(cut, None))]
        raw = raw._replace(train=parts[0], test=parts[1])
        lines.append(f"{len(x) - cut} of the rows are the test rows of the file")
    return raw._replace(understood=tuple(lines))


def _size(x: np.ndarray) -> str:
    if x.ndim == 2:
        return f"{len(x)} rows of {x.shape[1]} columns without names, of type {x.dtype}"
    height, width, channels = x.shape[1:]
    more = "1 channel" if channels == 1 else f"{channels} channels"
    return f"{len(x)} images of {height}x{width} pixels and {more}, of type {x.dtype}"


def pixel_bounds(x: np.ndarray) -> tuple[float, float] | None:
    """The least and greatest value that pixels can have, by a look at those that are there; None where unclear.

    Whole numbers are 0 and 1, where no other is there, or have the least of 8, 10, 12, 14 and 16 bits that holds them;
    bytes of at most 31 end where their greatest does. Fractions up to 255 that are far above 1 are bytes too.

    Args:
        x: (rows, height, width, channels).
    """
    low, high = (float(np.nanmin(x)), float(np.nanmax(x))) if x.size and not np.isnan(x).all() else (0.0, 0.0)
    if low < 0 or not np.isfinite(high):
        return None
    if x.dtype == bool or (x.dtype.kind in "iu" and high <= 1):
        return 0, 1
    if x.dtype == np.uint8 and high < 32:
        return 0, high
    if x.dtype.kind == "f":
        return (0, 255) if 127 < high <= 255 else None
    return next(((0, 2**depth - 1) for depth in _DEPTHS if high < 2**depth), None)


def described_pixels(x: np.ndarray, bounds: tuple[float, float] | None) -> str:
    """One line on the values of images, and what range they are taken to have."""
    least, greatest = (np.nanmin(x), np.nanmax(x)) if x.size else (0, 0)
    taken = "their own range counts" if bounds is None else f"taken as {bounds[0]:g} to {bounds[1]:g}"
    return f"pixels from {least:g} to {greatest:g}, {taken}"


def read_rows(
    name: str | Path,
    *,
    label_column: str | None = None,
    columns: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
    reading: Reading | None = None,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """The features in a file, for applying a trained model to them.

    Args:
        name: path of a table or of arrays, as in `load_file`.
        label_column: name of a column (for .npz: an array) to leave out, where the file has it.
        columns: that a model was trained on, where some hold categories.
        trained: the names of the columns that a model was trained on; empty where they had none.
        reading: how the table that it was trained on was read.

    Returns:
        x (rows, *feature_shape) float32 with NaN where a value is missing; mask, bool of the same shape, True
        where a value was observed, None where all were; names, one for each feature, empty for images.

    Raises:
        UserError: the file cannot be read as numbers, or has other columns; the line says where and what to do.
    """
    values, names = read_values(name, label_column, columns, trained, reading)
    x, mask = observed(values, names, name)
    return x.astype(np.float32, copy=False), mask, names


def read_values(
    name: str | Path,
    label_column: str | None = None,
    columns: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
    reading: Reading | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `read_rows`, the values as they stand in the file, and the names of the features."""
    reading = reading or AGAIN
    path = _checked(name, columns, reading)
    if not is_table(path):
        arrays = _arrays(path, None, label_column)
        x = arrays.x if arrays.mask is None else np.where(arrays.mask, arrays.x, np.nan)
        if x.ndim != 2:
            return x, ()
        table = Table(_without_labels(from_array(x).columns, label_column, trained))
    else:
        table = _table(path, trained, label_column, reading)
        text = [column.name for column in columns if column.categories]
        cells = _without_labels(table.columns, label_column, trained)
        meaning = understand(cells, text, reading, path, again=True)
        dated = {part for each in reading.dates for part in _parts_of(each.partition("=")[0], meaning.columns)}
        gone = dated - set(trained)
        table = Table({n: c for n, c in meaning.columns.items() if n not in gone})
    matched = _matched(table.columns, trained, path, by_place=not columns)
    return features(matched, columns, path)


def _parts_of(name: str, columns: Mapping[str, Cells]) -> list[str]:
    """The columns of the calendar that dates have, besides the days themselves."""
    return [each for each in columns if each in (f"{name}.month", f"{name}.weekday", f"{name}.hour")]


class Shown(NamedTuple):
    """A file as it is understood.

    Attributes:
        lines: on the whole of it.
        columns: a line of words for each column, under `FACTS`; empty of images.
        names: of the columns, or what is said of an image.
        rows: the first ones, in words.
    """

    lines: tuple[str, ...]
    columns: list[tuple[str, ...]]
    names: tuple[str, ...]
    rows: list[tuple[str, ...]]


FACTS = ("column", "holds", "least", "greatest", "missing", "different")


def show(
    path: Path,
    label_column: str | None = None,
    categories: Sequence[str] = (),
    reading: Reading = AS_SEEN,
    first: int = 5,
) -> Shown:
    """A file as it is understood, without a word on how it would have to be said otherwise.

    Args:
        path: of the file.
        label_column: as in `load_file`.
        categories: as in `load_file`.
        reading: as in `load_file`.
        first: how many rows are shown.

    Raises:
        UserError: it cannot be read.
    """
    if not is_table(_checked(path, categories, reading)):
        return _shown_arrays(load_file(str(path), label_column), first)
    table = _table(path, (), label_column, reading)
    columns, labels = separate(table.columns, label_column, path)
    meaning = understand(columns, categories, reading, path, lenient=True)
    facts, cells = [], {}
    for name in table.columns:
        if name not in meaning.columns:
            facts.append((name, "labels" if name == label_column else "is left out", "", "", "", ""))
    if labels:
        cells[str(label_column)] = [labels.names[at] for at in labels.values[:first]]
    for name, column in meaning.columns.items():
        facts.append(_facts(name, column, name in categories))
        cells[name] = list(map(_word, column.values[:first], column.missing[:first]))
    rows = list(zip(*cells.values(), strict=True))
    return Shown((*table.understood, *meaning.lines), facts, tuple(cells), rows)


def _facts(name: str, column: Cells, is_category: bool) -> tuple[str, ...]:
    values = column.values[~column.missing]
    share = f"{np.mean(column.missing):.1%}"
    if column.values.dtype == object:
        holds = "categories" if is_category else "text; data.categories or data.ignore is to name it"
        return name, holds, "", "", share, str(len(set(values)))
    ends = (f"{values.min():.9g}", f"{values.max():.9g}") if len(values) else ("", "")
    return name, "numbers", *ends, share, str(len(np.unique(values)))


def _word(value: object, missing: bool) -> str:
    return "(missing)" if missing else value if isinstance(value, str) else f"{value:.9g}"


def _shown_arrays(raw: Raw, first: int) -> Shown:
    x, labels = raw.train.x, raw.train.labels
    label = [()] * first if labels is None else [(raw.label_names[at],) for at in labels[:first]]
    heads = () if labels is None else ("label",)
    if x.ndim == 2:
        start = np.broadcast_to(raw.origin, x.shape[1:])
        missing = np.isnan(x)
        columns = [Cells(x[:, at].astype(np.float64) + start[at], missing[:, at]) for at in range(x.shape[1])]
        facts = [_facts(name, column, False) for name, column in zip(raw.feature_names, columns, strict=True)]
        cells = [list(map(_word, column.values[:first], column.missing[:first])) for column in columns]
        rows = [(*each, *row) for each, row in zip(label, zip(*cells, strict=True), strict=False)]
        return Shown(raw.understood, facts, (*heads, *raw.feature_names), rows)
    numbers = [(f"{np.nanmin(image):g}", f"{np.nanmean(image):.4g}", f"{np.nanmax(image):g}") for image in x[:first]]
    rows = [(str(at), *each, *row) for at, (each, row) in enumerate(zip(label, numbers, strict=False), 1)]
    return Shown(raw.understood, [], ("image", *heads, "least", "mean", "greatest"), rows)


def _checked(name: str | Path, categories: Sequence[object], reading: Reading = AGAIN) -> Path:
    """The path of a file that is there and of a kind that can be read."""
    path = Path(name).expanduser()
    if path.is_dir():
        raise UserError(f"{path}: is a folder; allowed: a file that ends in {', '.join(ENDINGS)}")
    if ending(path) not in ENDINGS:
        raise one_of(ending(path), ENDINGS, what=f"the ending of {path}")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    asked = [option for option, value in reading._asdict().items() if value != Reading._field_defaults[option]]
    for option, is_set in (("categories", categories), *((option, True) for option in asked if option != "key")):
        if is_set and not is_table(path):
            raise UserError(f"data.{option}: {path} has no named columns; allowed: a table, {FORMS}")
    return path


def _table(path: Path, trained: Sequence[str], label: str | None, reading: Reading) -> Table:
    try:
        return read_table(path, trained, label, reading)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _arrays(path: Path, label_array: str | None, left_out: str | None = None) -> Arrays:
    """Rows or images, and what an .npz file has beside them.

    Args:
        path: of the file.
        label_array: of the labels in an .npz file.
        left_out: the array of labels, where it may be there and is not read.
    """
    try:
        content = load_arrays(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error
    if isinstance(content, dict):
        content.pop(left_out, None)
        arrays = _from_npz(content, label_array, path)
    else:
        arrays = Arrays(content)
    x, mask = _rows(arrays.x, path), arrays.mask
    if mask is not None and mask.size != x.size:
        raise UserError(f"{path}: 'mask' has the shape {mask.shape}; allowed: that of the rows, {x.shape}")
    return arrays._replace(x=x, mask=None if mask is None else mask.reshape(x.shape))


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


def _from_npz(arrays: dict[str, np.ndarray], label_column: str | None, path: Path) -> Arrays:
    """The rows, ``x`` or the only array with two or more axes, or the parts of a published set, and what is beside."""
    if label_column is not None and label_column not in arrays:
        raise one_of(label_column, arrays, what=f"data.label_column, an array of {path}")
    mask = arrays.pop("mask", None) if label_column != "mask" else None
    if mask is not None and (mask.dtype.kind not in "biu" or not np.isin(mask, (0, 1)).all()):
        raise UserError(f"{path}: 'mask' holds values of type {mask.dtype}; allowed: true where a value was observed")
    if parts := _published(arrays, path):
        return parts._replace(mask=None if mask is None else mask.astype(bool))
    label = label_column or next((n for n in _LABEL_ARRAYS if n in arrays), None)
    wide = [n for n, a in arrays.items() if a.ndim >= 2 and n != label]
    name = "x" if "x" in arrays and label != "x" else wide[0] if len(wide) == 1 else None
    if name is None:
        raise UserError(f"{path}: needs an array 'x' of features; it has {', '.join(arrays) or 'no array'}")
    mask = None if mask is None else mask.astype(bool)
    if label is None:
        return Arrays(arrays[name], mask=mask)
    return Arrays(arrays[name], _labels(arrays[label], label, len(np.atleast_1d(arrays[name])), name, path), mask)


def _labels(values: np.ndarray, label: str, rows: int, name: str, path: Path) -> Labels:
    """Labels, (rows,) or (rows, 1)."""
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    labels = as_labels(values, f"{path}: array {label!r}")
    if len(labels.values) != rows:
        raise UserError(f"{path}: {len(labels.values)} labels in {label!r}, but {rows} rows in {name!r}")
    return labels


def _published(arrays: Mapping[str, np.ndarray], path: Path) -> Arrays | None:
    """The rows of a file with arrays such as x_train, y_train, x_test, y_test; None of another one."""
    named = lambda kinds, part: [n for k in kinds for n in (f"{k}_{part}", f"{part}_{k}") if n in arrays]
    parts = {part: [named(_FEATURE_ARRAYS, word) for word in words] for part, words in _PARTS.items()}
    if not parts["train"][0]:
        return None
    chosen = {part: [names[0] for names in parts[part] if names] for part in parts}
    names = [*chosen["train"], *chosen["test"]]
    for name in names[1:]:
        if arrays[name].shape[1:] != arrays[names[0]].shape[1:] or arrays[name].dtype != arrays[names[0]].dtype:
            raise UserError(f"{path}: {names[0]!r} and {name!r} hold rows of different shapes or types")
    x = np.concatenate([arrays[name] for name in names])
    words = [word for words in _PARTS.values() for word in words]
    labelled = [named(_LABEL_ARRAYS, word)[:1] for word in words if named(_FEATURE_ARRAYS, word)]
    cut = sum(len(arrays[name]) for name in chosen["train"]) if chosen["test"] else None
    if not all(labelled):
        return Arrays(x, train_rows=cut)
    flat = [arrays[label].reshape(len(arrays[label]), -1) for (label,) in labelled]
    if any(each.shape[1] != 1 for each in flat):
        raise UserError(f"{path}: {labelled[0][0]!r} has the shape {arrays[labelled[0][0]].shape}; allowed: (rows,)")
    y = np.concatenate(flat)
    return Arrays(x, _labels(y, labelled[0][0], len(x), names[0], path), train_rows=cut)


def _without_labels(
    columns: Mapping[str, Cells], label_column: str | None, trained: Sequence[str]
) -> Mapping[str, Cells]:
    """The columns of new rows without their labels, which may be there."""
    if label_column in columns and not (are_numbered(tuple(columns)) and len(columns) <= len(trained)):
        return {name: cells for name, cells in columns.items() if name != label_column}
    return columns


def _matched(
    columns: Mapping[str, Cells], trained: Sequence[str], path: Path, *, by_place: bool
) -> Mapping[str, Cells]:
    """The columns in the order of those that a model was trained on; as they are without names.

    Raises:
        UserError: naming those that are missing and those that are too many.
    """
    if sorted(columns) == sorted(trained):
        return {name: columns[name] for name in trained}
    if by_place and (are_numbered(tuple(columns)) or are_numbered(trained)):
        return columns
    missing, extra = [n for n in trained if n not in columns], [n for n in columns if n not in trained]
    wrong = ((missing, "is missing", "are missing"), (extra, "is too many", "are too many"))
    said = [f"{', '.join(map(repr, names))} {one if len(names) == 1 else more}" for names, one, more in wrong if names]
    raise UserError(f"{path}: its columns are not those of the training data: {' and '.join(said)}")
