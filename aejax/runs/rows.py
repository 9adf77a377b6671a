"""Rows in and out of files, for `aejax apply`, and whether a net can take them."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aejax.data.tables import are_numbered, number, read_table
from aejax.errors import UserError, one_of
from aejax.files import write_atomic
from aejax.types import Column

OUTPUT_ENDINGS = (".csv", ".npy")


def read(
    path: Path, label_column: str | None = None, columns: tuple[Column, ...] = (), trained: Sequence[str] = ()
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The rows of a table file, (m, …) float32, NaN where one is missing, and the names of its features, if any.

    Args:
        path: of the file.
        label_column: of the training data; left out where the file has it.
        columns: of the training data, where some hold categories.
        trained: names of the features of the training data; empty where they had none.

    Raises:
        UserError: a file that cannot be read as numbers, has columns missing or too many, or is empty.
    """
    from aejax.data import files

    trained = tuple(column.name for column in columns) or trained
    x, _, names = files.read_rows(path, label_column=label_column, columns=columns, trained=trained)
    if not len(x):
        raise UserError(f"{path}: has no rows")
    return x, names


def laid_flat(rows: np.ndarray, wanted: tuple[int, ...], where: object) -> np.ndarray:
    """Rows of the wanted shape, or laid flat already, as (m, n) float32.

    Raises:
        UserError: they are of another shape.
    """
    size = int(np.prod(wanted))
    if rows.shape[1:] not in (wanted, (size,)):
        given = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"{where}: expected rows of {'x'.join(map(str, wanted))} values, got {given}")
    return rows.reshape(len(rows), size).astype(np.float32)


def check_order(given: Sequence[str], trained: Sequence[str], where: object) -> None:
    """Refuse columns of which some have the training data's names at other places.

    Raises:
        UserError: naming the first of them.
    """
    if are_numbered(given):
        return
    moved = [(place, name) for place, name in enumerate(given) if name in trained and trained[place] != name]
    if moved:
        place, name = moved[0]
        raise UserError(
            f"{where}: column {place + 1} is {name!r}, in training it was {trained[place]!r}; "
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
        row, place = np.argwhere(missing)[0]
        raise UserError(
            f"{where}: row {row + 1}, {_place_of(int(place), names, columns)} is missing; fill it in, leave the row "
            "out, or train a net that takes missing values (model.name=masked.residual)"
        )


def _place_of(place: int, names: Sequence[str], own: Sequence[Column]) -> str:
    """The column of a value, or its place where the columns have no names."""
    for column in own:
        if column.start <= place < column.start + column.size:
            return f"column {column.name!r}"
    return f"value {place + 1}" if are_numbered(names) else f"column {names[place]!r}"


def check_output(path: Path, source: Path) -> None:
    """Refuse an output file before anything is computed.

    Raises:
        UserError: an ending that cannot be written, a folder that does not exist, or the input file itself.
    """
    if path.exists() and source.exists() and path.samefile(source):
        raise UserError(f"--output {path}: is the input file; allowed: another file")
    if path.suffix.lower() not in OUTPUT_ENDINGS:
        raise one_of(path.suffix, OUTPUT_ENDINGS, what=f"--output {path}: ending")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {path}: there is no folder {path.parent}")


def write(path: Path, rows: np.ndarray, names: Sequence[str] = ()) -> None:
    """Write rows as .npy, float32, or laid flat as .csv under their names, if they have any; a whole file or none."""
    if path.suffix.lower() == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, rows.astype(np.float32), allow_pickle=False)
        write_atomic(path, buffer.getvalue())
        return
    text = io.StringIO()
    if header(names):
        csv.writer(text, lineterminator="\n").writerow(names)
    np.savetxt(text, rows.reshape(len(rows), -1), delimiter=",", fmt="%.9g")
    write_atomic(path, text.getvalue())


def header(names: Sequence[str]) -> bool:
    """Whether a line of these names is read back as one: a name that is a number would be taken for a row's."""
    return len(names) > 0 and all(number(name) is None for name in names)


def code_names(units: int) -> tuple[str, ...]:
    """The names of the units of a code, ``code0`` and so on."""
    return tuple(f"code{unit}" for unit in range(units))


def numbered(names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of numbers with these names."""
    return tuple(Column(name, place) for place, name in enumerate(names))


def filled_table(path: Path, filled: np.ndarray, columns: Sequence[Column]) -> tuple[tuple[str, ...], list[list[str]]]:
    """The cells of a .csv or .parquet file as text, those that are missing filled in, and the names of its columns.

    Args:
        path: of the file.
        filled: (m, features) its rows, without holes.
        columns: that the features belong to; other columns of the file stay as they are.
    """
    features = {column.name: column for column in columns}
    table, out = read_table(path, tuple(features)).columns, []
    for name, (values, missing) in table.items():
        text = [
            "" if gone and values.dtype != object else str(cell) for cell, gone in zip(values, missing, strict=True)
        ]
        if name in features:
            part = filled[:, features[name].start : features[name].start + features[name].size]
            text = [_cell(features[name], part[row]) if gone else text[row] for row, gone in enumerate(missing)]
        out.append(text)
    return tuple(table), [list(row) for row in zip(*out, strict=True)]


def _cell(column: Column, values: np.ndarray) -> str:
    if not column.categories:
        return f"{values[0]:.9g}"
    return column.categories[int(values[0] > 0.5) if column.size == 1 else int(values.argmax())]


def write_table(path: Path, names: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Write a table of text as .csv, under its line of names, where it had one; a whole file or none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if not are_numbered(names):
        writer.writerow(names)
    writer.writerows(lines)
    write_atomic(path, text.getvalue())
