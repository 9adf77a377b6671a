"""Rows in and out of files, for `aejax apply`, and whether a net can take them."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from aejax.data.columns import written_like
from aejax.data.documents import Documents, read_documents
from aejax.data.encoding import LARGEST, as_columns, observed
from aejax.data.files import FileRows, read_values
from aejax.data.table_files import read_table
from aejax.data.tables import AGAIN, Cells, Reading, are_numbered, number
from aejax.errors import UserError, one_of
from aejax.files import write_atomic
from aejax.types import Column

OUTPUT_ENDINGS = (".csv", ".npy", ".npz", ".parquet")
OF_FILE = " (file)"  # behind the name of a column of a file that has the name of an answer


def read(
    path: Path,
    label_column: str | None = None,
    columns: tuple[Column, ...] = (),
    trained: Sequence[str] = (),
    reading: Reading = AGAIN,
    documents: Documents | None = None,
    faults: dict[int, str] | None = None,
) -> FileRows:
    """The rows of a file, or of documents in a table or a folder.

    Args:
        path: of the file.
        label_column: of the training data; left out where the file has it.
        columns: of the training data, where some hold categories.
        trained: names of the features of the training data; empty where they had none.
        reading: how the table of the training data was read.
        documents: how documents became rows in training; None of other data.
        faults: comes to hold, by the number of a row, why it cannot be read; None refuses the file then.

    Raises:
        UserError: a file that cannot be read as numbers, has columns missing or too many, or is empty.
    """
    if documents:
        return read_documents(path, documents, trained, label_column, reading, faults)
    trained = tuple(column.name for column in columns) or trained
    file = read_values(path, label_column, columns, trained, reading, faults)
    if faults is None:
        observed(file.x, file.names, path)
    return file


def answerable(x: np.ndarray, *, takes_missing: bool) -> np.ndarray:
    """Which rows (m, …) a net can take, (m,) bool: no value is infinite, and not all are missing, or none is."""
    flat = x.reshape(len(x), -1)
    missing = np.isnan(flat)
    return ~(np.abs(flat) > LARGEST).any(1) & ~(missing.all(1) if takes_missing else missing.any(1))


def laid_flat(rows: np.ndarray, shape: tuple[int, ...], where: object) -> np.ndarray:
    """Rows of a shape, or laid flat already, as (m, n).

    Raises:
        UserError: they are of another shape.
    """
    size = int(np.prod(shape))
    if rows.shape[1:] not in (shape, (size,)):
        got = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"{where}: expected rows of {'x'.join(map(str, shape))} values, got {got}")
    return rows.reshape(len(rows), size)


def check_order(names: Sequence[str], trained: Sequence[str], where: object) -> None:
    """Refuse columns of which some have the training data's names in another order.

    Raises:
        UserError: naming the first of them.
    """
    if are_numbered(names):
        return
    for index, name in enumerate(names):
        if name in trained and trained[index] != name:
            raise UserError(
                f"{where}: column {index + 1} is {name!r}, in training it was {trained[index]!r}; "
                "allowed: the columns of the training data"
            )


def refuse_missing(missing: np.ndarray, names: Sequence[str], columns: Sequence[Column], where: object) -> None:
    """Refuse rows of which a value is missing.

    Args:
        missing: (m, n) bool.
        names: of the n features.
        columns: of the training data, where some hold categories.
        where: what the rows are from, for messages.

    Raises:
        UserError: naming the first such value.
    """
    if missing.any():
        row, feature = np.argwhere(missing)[0]
        name = f"value {feature + 1}" if are_numbered(names) else f"column {names[feature]!r}"
        of = [f"column {each.name!r}" for each in columns if each.start <= feature < each.start + each.size]
        raise UserError(
            f"{where}: row {row + 1}, {[*of, name][0]} is missing; fill it in, leave the row "
            "out, or train a net that takes missing values (model.name=masked.residual)"
        )


def check_output(path: Path, source: Path | None = None) -> None:
    """Refuse an output file before anything is computed.

    Raises:
        UserError: an ending that cannot be written, a folder that does not exist, or the input file itself.
    """
    if source is not None and path.exists() and source.exists() and path.samefile(source):
        raise UserError(f"--output {path}: is the input file; allowed: another file")
    if path.suffix.lower() not in OUTPUT_ENDINGS:
        raise one_of(path.suffix, OUTPUT_ENDINGS, what=f"--output {path}: ending")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {path}: there is no folder {path.parent}")


def write(
    path: Path, values: np.ndarray, columns: Mapping[str, np.ndarray], leading: Mapping[str, np.ndarray] = {}
) -> None:
    """Write what is said of rows to a file of one of `OUTPUT_ENDINGS`; a whole file or none.

    Args:
        path: of the file.
        values: (m, …) numbers, what a .npy file holds, in float32 or float64, and an .npz file as ``x``.
        columns: by name, (m,) numbers or text, what a table holds.
        leading: columns that stand before them in a table, and arrays of an .npz file; one that has the name of what is
            said is called ``"class (file)"`` instead.

    Raises:
        UserError: the package that writes such a file is missing.
    """
    ending, buffer = path.suffix.lower(), io.BytesIO()
    values = values if values.dtype == np.float64 else values.astype(np.float32)
    table = {**renamed(leading, columns), **columns}
    if ending == ".npy":
        np.save(buffer, values, allow_pickle=False)
    elif ending == ".npz":
        text = {name: each.astype(str) if each.dtype == object else each for name, each in leading.items()}
        _write_npz(buffer, {"x": values, **renamed(text, ("x",))})
    elif ending == ".parquet":
        _write_parquet(buffer, table, path)
    else:
        readable = all(number(name) is None for name in columns)  # a name that is a number would be read as a row's
        buffer.write(_as_csv(table, named=readable or bool(leading)).encode())
    write_atomic(path, buffer.getvalue())


def renamed(columns: Mapping[str, np.ndarray], taken: Iterable[str]) -> dict[str, np.ndarray]:
    """Columns of a file, with another name where theirs is taken."""
    taken = set(taken)
    return {f"{name}{OF_FILE}" if name in taken else name: values for name, values in columns.items()}


def _write_npz(buffer: io.BytesIO, arrays: Mapping[str, np.ndarray]) -> None:
    """As `numpy.savez`, which takes no array of the name of its first argument."""
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _write_parquet(buffer: io.BytesIO, columns: Mapping[str, np.ndarray], path: Path) -> None:
    import pandas

    try:
        pandas.DataFrame(dict(columns)).to_parquet(buffer, engine="pyarrow", index=False)
    except ImportError as error:
        raise UserError(f"{path}: writing .parquet needs pyarrow: pip install 'aejax[parquet]'") from error


def _as_csv(columns: Mapping[str, np.ndarray], *, named: bool) -> str:
    """A table as text, with a line of names or without."""
    empty = "" if len(columns) > 1 else "nan"  # a line must not be blank
    cells = [
        values.tolist() if values.dtype == object else [_digits(value) or empty for value in values.tolist()]
        for values in columns.values()
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(columns)] if named else [])
    writer.writerows(zip(*cells, strict=True))
    return text.getvalue()


def filled_table(
    path: Path, filled: np.ndarray, columns: Sequence[Column], reading: Reading = AGAIN
) -> tuple[tuple[str, ...], list[list[str]]]:
    """The cells of a table as text, those that are missing filled in, and the names of its columns.

    Args:
        path: of the file.
        filled: (m, features) its rows, without holes.
        columns: that the features belong to; other columns of the file stay as they are.
        reading: how the table of the training data was read.

    Returns:
        The names, none where the file has none, and a list of texts for each row.
    """
    features = {column.name: column for column in columns}
    table, out = read_table(path, tuple(features), reading=reading).columns, []
    by_name = as_columns(filled, columns, reading.dates)
    for name, (values, missing) in table.items():
        cells = by_name.get(name, values)
        mark = reading.decimal or "." if values.dtype == object else "."  # as the column itself is written
        in_holes = cells if cells.dtype == object else [_digits(cell).replace(".", mark) for cell in cells.tolist()]
        if values.dtype == object and cells.dtype != object:
            in_holes = written_like(Cells(values, missing), in_holes)
        text = (
            "" if gone and values.dtype != object else str(cell) for cell, gone in zip(values, missing, strict=True)
        )
        if name in by_name:
            text = (new if gone else old for new, old, gone in zip(in_holes, text, missing, strict=True))
        out.append(list(text))
    return () if are_numbered(tuple(table)) else tuple(table), [list(row) for row in zip(*out, strict=True)]


def _digits(value: float) -> str:
    """A number with as many digits as it has: 9 of one of float32, else 15; nothing of one that is missing."""
    return "" if value != value else f"{value:.9g}" if float(np.float32(value)) == value else f"{value:.15g}"
