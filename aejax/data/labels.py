"""Labels: a column of a table or an array of numbers or names, as numbers of classes and their names."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.columns import MISSING, Columns, number
from aejax.errors import UserError, one_of


class Labels(NamedTuple):
    """(rows,) int32 and the name of each class."""

    values: np.ndarray
    names: tuple[str, ...]


def separate(columns: Columns, label_column: str | None, path: Path) -> tuple[Columns, Labels | None]:
    """The features and, where a label column is named, the labels.

    Args:
        columns: of the table.
        label_column: name of the column of labels, or None.
        path: for messages.

    Returns:
        The columns without the labels, and the labels.

    Raises:
        UserError: there is no such column, a label is missing, or nothing else is left.
    """
    if label_column is None:
        return columns, None
    name = str(label_column)
    if name not in columns.names:
        raise one_of(name, columns.names, what=f"data.label_column, a column of {path}")
    at = columns.names.index(name)
    labels = as_labels(columns.cells[at], f"{path}: column {name!r}")
    rest = Columns(*(values[:at] + values[at + 1 :] for values in columns))
    if not rest.names:
        raise UserError(f"{path}: there is no column besides the labels {name!r}")
    return rest, labels


def as_labels(cells: Sequence[str | None] | np.ndarray, where: str) -> Labels:
    """Class numbers and names; names are sorted, as numbers where all of them are.

    Args:
        cells: (rows,) whole numbers or text.
        where: what is read, for messages.

    Returns:
        The labels.

    Raises:
        UserError: a label is missing, or is a number with a fraction.
    """
    values = np.asarray(cells)
    if values.ndim != 1 or values.dtype.kind not in "biufUSO":
        raise UserError(f"{where}: labels must be one whole number or one name for each row")
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind in "UO":
        missing = [i for i, c in enumerate(cells) if c is None or str(c).strip().lower() in MISSING]
        numbers = None if missing else [number(str(c)) for c in values]
        if numbers is not None and None not in numbers:
            values = np.asarray(numbers, np.float64)
    else:
        missing = np.flatnonzero(np.isnan(values.astype(np.float64))).tolist()
    if missing:
        raise UserError(f"{where}: the label of row {missing[0] + 1} is missing; drop the row")
    if values.dtype.kind in "UO":
        names, indices = np.unique(values.astype(str), return_inverse=True)
        return Labels(indices.astype(np.int32), tuple(map(str, names)))
    odd = values[~np.isfinite(values) | (values != np.round(values))] if values.dtype.kind == "f" else values[:0]
    if len(odd):
        raise UserError(f"{where}: labels must be whole numbers or names; got {odd[0]}")
    classes, indices = np.unique(values, return_inverse=True)
    return Labels(indices.astype(np.int32), tuple(str(int(c)) for c in classes))
