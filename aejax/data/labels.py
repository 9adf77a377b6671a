"""Labels: a column, an array or a file of their own, as class numbers and names."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from aejax.data.tables import LARGEST_WHOLE, Cells, from_text, value_of
from aejax.errors import UserError, one_of

WHOLE = re.compile(r"[+-]?(0|[1-9]\d*)(\.0*)?|[+-]?\d\.\d*[eE][+-]?\d+")  # 01234 and 1E5 are codes


class Labels(NamedTuple):
    """(rows,) int32 and the name of each class."""

    values: np.ndarray
    names: tuple[str, ...]


def separate(
    columns: Mapping[str, Cells], label_column: str | None, where: object
) -> tuple[Mapping[str, Cells], Labels | None]:
    """The columns without that of the labels, and the labels; None where no column is named.

    Raises:
        UserError: there is no such column, a label is missing or has a fraction, or nothing else is left.
    """
    if label_column is None:
        return columns, None
    name = str(label_column)
    if name not in columns:
        raise one_of(name, columns, what=f"data.label_column, a column of {where}")
    words = "data.missing_words=() keeps such a class"
    labels = as_labels(columns[name].values, f"{where}: column {name!r}", columns[name].missing, words)
    if len(columns) == 1:
        raise UserError(f"{where}: there is no column besides the labels {name!r}")
    return {other: cells for other, cells in columns.items() if other != name}, labels


def as_labels(values: np.ndarray, where: str, missing: np.ndarray | None = None, advice: str = "") -> Labels:
    """Class numbers and names; names are sorted, as numbers where all of them are.

    Args:
        values: (rows,) whole numbers or text.
        where: what is read, for messages.
        missing: (rows,) bool; None for those that hold NaN or a word for it.
        advice: what keeps a word for a missing value as a class.

    Raises:
        UserError: a label is missing, or is a number with a fraction.
    """
    if values.ndim != 1 or values.dtype.kind not in "biufUSO":
        raise UserError(f"{where}: labels must be one whole number or one name for each row")
    if values.dtype.kind in "USO":
        values = np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values
        text = from_text(np.array([str(cell).strip() for cell in values], object))
        values, missing = text.values, text.missing if missing is None else missing
    missing = np.isnan(values.astype(np.float64)) if missing is None else missing
    if missing.any():
        row = np.flatnonzero(missing)[0]
        word = f" ({values[row]!r} is read so; {advice})" if advice and values.dtype == object and values[row] else ""
        raise UserError(f"{where}: the label of row {row + 1} is missing; drop the row{word}")
    if values.dtype == object:
        values = _whole_or_names(values)
    if values.dtype.kind == "f":
        odd = values[~np.isfinite(values) | (values != np.round(values))]
        if len(odd):
            raise UserError(f"{where}: labels must be whole numbers or names; got {odd[0]}")
    classes, indices = np.unique(values, return_inverse=True)
    names = classes if classes.dtype.kind == "U" else map(int, classes)
    return Labels(indices.astype(np.int32), tuple(map(str, names)))


def _whole_or_names(text: np.ndarray) -> np.ndarray:
    """Labels as numbers, where all of them are numbers and none is a code such as 01234 or 1E5; else as names."""
    values = [value_of(cell) for cell in text]
    if None in values or np.isnan(values).any():
        return text.astype(str)
    whole = np.isfinite(values) & (np.round(values) == values)
    values = np.array(values, np.float64)
    is_code = any(not WHOLE.fullmatch(cell) for cell in text[whole]) or (np.abs(values[whole]) >= LARGEST_WHOLE).any()
    return text.astype(str) if is_code else values
