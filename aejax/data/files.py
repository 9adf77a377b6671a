"""A person's own file: a table or arrays, read with its missing values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.array_files import (
    Arrays,
    as_rows_or_images,
    described_pixels,
    label_array,
    load_arrays,
    pixel_bounds,
    read_arrays,
)
from aejax.data.columns import other_units, understand
from aejax.data.dates import calendar_parts
from aejax.data.encoding import as_raw, beyond_float64, features, observed, storage
from aejax.data.images import FILE, path_of, read_images
from aejax.data.labels import Labels, as_labels
from aejax.data.scaling import stored
from aejax.data.splits import Raw, check_columns
from aejax.data.table_files import PACKED, TEXT, Table, ending, from_array, read_table
from aejax.data.tables import AGAIN, AS_SEEN, OF_PHOTOGRAPHS, Cells, Reading, are_numbered, texts
from aejax.errors import UserError, one_of
from aejax.types import Column, Split

TABLES = (".csv", ".tsv", ".txt", ".parquet", ".feather", ".arrow", ".xlsx")
ENDINGS = (".csv", ".npy", ".npz", *TABLES[1:], *(text + packing for text in TEXT for packing in PACKED))
FORMS = ".csv (.gz, .bz2, .zip), .tsv, .txt, .parquet, .feather, .arrow, .xlsx"


def is_table(path: Path) -> bool:
    """Whether the name of a file is that of a table of rows, and not of photographs."""
    if str(path).startswith(("images:", "texts:")):
        return False
    return ending(path) in TABLES or ending(path)[:4] in TEXT


def load_file(
    name: str,
    label_column: str | None,
    categories: Sequence[str] = (),
    reading: Reading = AS_SEEN,
    labels: str | Path | None = None,
    log: Sequence[str] = (),
) -> Raw:
    """The data set in a file.

    Args:
        name: path of a table (.csv, .parquet, ...), or of a .npy or .npz file.
        label_column: name of the column (for .npz: of the array) of labels, or None.
        categories: names of the columns of categories.
        reading: what a person says of a table.
        log: names of columns of numbers of which the logarithm is taken.
        labels: path of a file of the labels, one for each row in their order; `label_column` is then one of that file.

    Returns:
        The rows; uint8 images keep their type. Bounds of images are those of their depth, see `pixel_bounds`.

    Raises:
        UserError: the file cannot be read as numbers; the line says where and what to do.
    """
    if labels is not None:
        raw = load_file(name, None, categories, reading, log=log)
        rows = len(raw.train.x) + (0 if raw.test is None else len(raw.test.x))
        beside, line = labels_beside(Path(labels).expanduser(), label_column, rows)
        return _with_labels(raw._replace(understood=(*raw.understood, line)), beside)
    if Path(name).expanduser().is_dir():
        allowed = f"a file that ends in {', '.join(ENDINGS)}, or data.name=images:{name} where it holds photographs"
        raise UserError(f"{name}: is a folder; allowed: {allowed}")
    path = checked(name, categories, reading)
    source = f"the file {name}"
    if is_table(path):
        if reading.channels:
            raise UserError(f"data.channels: {path} is a table; allowed: images in .npy or .npz")
        table = table_of(path, (), label_column, reading)
        known = {"source": source, "understood": table.understood, "reading": reading, "log": log}
        return as_raw(table.columns, label_column, categories, path, **known)
    arrays = read_arrays(path, label_column, channels=reading.channels)
    column = label_column if arrays.labels is None else None
    if arrays.x.ndim == 2 and arrays.mask is None and arrays.train_rows is None:
        raw = as_raw(from_array(arrays.x).columns, column, (), path, source=source, reading=AGAIN, log=log)
        raw = raw._replace(reading=None, understood=(_size(arrays.x), *raw.understood, *beyond_float64(arrays.x)))
    elif column is not None:
        raise UserError(f"data.label_column: {path} has no columns with names; use .npz with an array of labels")
    else:
        raw = _of_arrays(arrays, path, source, log)
        raw = raw._replace(reading=AGAIN._replace(channels=reading.channels)) if reading.channels else raw
    if arrays.not_read:
        line = f"arrays that are not read: {', '.join(arrays.not_read)}"
        raw = raw._replace(understood=(*raw.understood, line))
    return raw if arrays.labels is None else _with_labels(raw, arrays.labels)


def _with_labels(raw: Raw, labels: Labels) -> Raw:
    """The data set with labels of all of its rows, the training rows before official test rows."""
    values, cut = labels.values, len(raw.train.x)
    raw = raw._replace(train=raw.train._replace(labels=values[:cut]), label_names=labels.names)
    return raw if raw.test is None else raw._replace(test=raw.test._replace(labels=values[cut:]))


def labels_beside(path: Path, column: str | None, rows: int) -> tuple[Labels, str]:
    """The labels in a file of their own, and a line on them; its first line is a name or a label, as the rows say.

    Args:
        path: of a table, or of arrays.
        column: or array, of the labels; None where there is one only.
        rows: how many there are.

    Raises:
        UserError: it is not clear which ones are the labels, or there are more or fewer.
    """
    line = f"labels are those in {path}, one for each row"
    if not is_table(checked(path, ())):
        content = load_arrays(path)
        values = label_array(content, column, path) if isinstance(content, dict) else content
        values, missing = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values, None
    else:
        columns = table_of(path, (), column, AS_SEEN).columns
        if column is not None and column not in columns:
            raise one_of(column, columns, what=f"data.label_column, a column of {path}")
        if column is None and len(columns) > 1:
            raise UserError(f"{path}: has the columns {', '.join(columns)}; allowed: one, or data.label_column")
        name = column or next(iter(columns))
        values, missing = columns[name]
        if len(columns) == 1 and name == "0" and len(values) == rows + 1:
            line += f", under the name {values[0]!r}"
            values, missing = values[1:], missing[1:]
        elif len(columns) == 1 and name != "0" and len(values) == rows - 1:
            values, missing = np.append(np.array([name], object), values), np.append(False, missing)
    labels = as_labels(values, str(path), missing)
    if len(labels.values) != rows:
        raise UserError(f"{path}: {len(labels.values)} labels for {rows} rows; allowed: one for each row")
    return labels, line


def _of_arrays(arrays: Arrays, path: Path, source: str, log: Sequence[str]) -> Raw:
    """Rows or images without their labels, the official test rows apart."""
    x = arrays.x if arrays.mask is None else np.where(arrays.mask, arrays.x, np.nan)
    names = tuple(map(str, range(x.shape[1]))) if x.ndim == 2 else ()
    form = storage(x, names, log, names, path)
    rows, mask = observed(stored(x, form.origin, form.log), (), path)
    check_columns(mask, (), path)
    bounds = pixel_bounds(arrays.x) if x.ndim == 4 else None
    lines = [_size(arrays.x), *(form.lines if names else [described_pixels(arrays.x, bounds)])]
    raw = Raw(
        Split(rows, mask),
        kind="table" if names else "image",
        source=source,
        bounds=bounds,
        feature_names=names,
        origin=form.origin,
        log=form.log,
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
    file = read_values(name, label_column, columns, trained, reading)
    x, mask = observed(file.x, file.names, name)
    return x.astype(np.float32, copy=False), mask, file.names


class FileRows(NamedTuple):
    """The rows of a file.

    Attributes:
        x: (m, …) as they stand there, NaN where a value is missing.
        names: of the features; empty where there are none.
        keys: by the name of a column that names the rows, (m,) text.
        labels: (m,) text of the column that was left out as that of labels; None where there is none.
        lines: on how photographs were read, or columns that have no longer the sign that they had in training.
    """

    x: np.ndarray
    names: tuple[str, ...] = ()
    keys: Mapping[str, np.ndarray] = {}
    labels: np.ndarray | None = None
    lines: tuple[str, ...] = ()


def read_values(
    name: str | Path,
    label_column: str | None = None,
    columns: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
    reading: Reading | None = None,
    faults: dict[int, str] | None = None,
) -> FileRows:
    """As `read_rows`, with the values as they stand in the file.

    `faults` comes to hold, by the number of a row, why a cell of it cannot be read, which is NaN then; None refuses it.
    """
    reading = reading or AGAIN
    if photographs := path_of(name) if reading.size else None:
        images = read_images(photographs, reading=reading)
        return FileRows(images.x, keys={FILE: np.array(images.names, object)}, lines=images.lines)
    of_cells = {field: Reading._field_defaults[field] for field in ("separator", "decimal", "missing_words", "units")}
    path, keys, labels, lines = checked(name, columns, reading._replace(**of_cells)), {}, None, ()
    if not is_table(path):
        arrays = read_arrays(path, None, label_column, reading.channels)
        x = arrays.x if arrays.mask is None else np.where(arrays.mask, arrays.x, np.nan)
        if x.ndim != 2:
            return FileRows(x)
        table = Table(_without_labels(from_array(x).columns, label_column, trained))
    else:
        table = table_of(path, trained, label_column, reading)
        text = [column.name for column in columns if column.categories]
        cells = _without_labels(table.columns, label_column, trained)
        if not {*text} <= cells.keys():  # said before anybody wonders at cells of columns without names
            others = {*calendar_parts(each.partition("=")[0] for each in reading.dates), *reading.left_out()}
            expected = [name for name in trained if name not in others]
            _matched({n: c for n, c in cells.items() if n not in others}, expected, path, by_place=False)
        keys = {name: texts(cells[name]) for name in reading.key_names() if name in cells}
        labels = texts(table.columns[label_column]) if table.columns.keys() - cells.keys() else None
        meaning = understand(cells, text, reading, path, again=True, faults=faults)
        lines = tuple(other_units(reading, meaning, path))
        dated = {part for each in reading.dates for part in _parts_of(each.partition("=")[0], meaning.columns)}
        gone = dated - set(trained)
        table = Table({n: c for n, c in meaning.columns.items() if n not in gone})
    matched = _matched(table.columns, trained, path, by_place=not columns)
    return FileRows(*features(matched, columns, path, faults), keys, labels, lines)


def _parts_of(name: str, columns: Mapping[str, Cells]) -> list[str]:
    """The columns of the calendar that dates have, besides the days themselves."""
    return [each for each in columns if each in (f"{name}.month", f"{name}.weekday", f"{name}.hour")]


def checked(name: str | Path, categories: Sequence[object], reading: Reading = AGAIN) -> Path:
    """The path of a file that is there and of a kind that can be read."""
    path = Path(name).expanduser()
    if str(name).startswith("images:"):
        raise UserError(f"{name}: are photographs, and the net was not trained on some; allowed: a file of rows")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; allowed: a file that ends in {', '.join(ENDINGS)}")
    if ending(path) not in ENDINGS:
        raise one_of(ending(path), ENDINGS, what=f"the ending of {path}")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    asked = [option for option, value in reading._asdict().items() if value != Reading._field_defaults[option]]
    of_tables = [option for option in asked if option not in ("key", "channels", *OF_PHOTOGRAPHS)]
    for option, is_set in (("categories", categories), *((option, True) for option in of_tables)):
        if is_set and not is_table(path):
            raise UserError(f"data.{option}: {path} has no named columns; allowed: a table, {FORMS}")
    return path


def table_of(path: Path, trained: Sequence[str], label: str | None, reading: Reading) -> Table:
    """The table in a file, whose reading is refused in one line where the system refuses it; see `read_table`."""
    try:
        return read_table(path, trained, label, reading)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def map_array(path: Path, channels: str | None = None) -> np.ndarray:
    """The array of a .npy file where it lies on the disk: rows of features, or images with their channels last.

    `channels` says where they stand in the file.

    Raises:
        UserError: it is not there, or holds something else.
    """
    return as_rows_or_images(load_arrays(checked(path, ()), mapped=True), path, channels)


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
