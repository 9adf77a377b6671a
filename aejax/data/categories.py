"""Columns of categories as features: one for two categories, else one for each; a missing cell is missing in all."""

from collections.abc import Iterable, Sequence

import numpy as np

from aejax.data.columns import MISSING, number
from aejax.errors import UserError, one_of
from aejax.types import Column

MOST = 100  # categories of a column: one with more is more likely a name or a key


def check_names(asked: Iterable[str], names: Sequence[str], where: object) -> None:
    """Refuse categories that are no columns.

    Raises:
        UserError: naming the first of them.
    """
    for name in asked:
        if name not in names:
            raise one_of(name, names, what=f"data.categories, a column of {where}")


def found_in(name: str, cells: Sequence[str | None] | np.ndarray, where: object) -> tuple[str, ...]:
    """The categories of a column, sorted, as numbers where all of them are.

    Raises:
        UserError: there is one only, or there are too many.
    """
    there = {text for text in map(written, cells) if text is not None}
    as_number = lambda text: (number(text) is None, number(text) or 0.0, text)
    categories = tuple(sorted(there, key=as_number))
    if not 2 <= len(categories) <= MOST:
        raise UserError(
            f"{where}: column {name!r} has {len(categories)} categories; allowed: 2 to {MOST}, or drop the column"
        )
    return categories


def written(cell: object) -> str | None:
    """The category in a cell, None where it is missing; a whole number without its point."""
    text = "" if cell is None else str(cell).strip()
    if text.lower() in MISSING:
        return None
    value = number(text)
    return str(int(value)) if value is not None and np.isfinite(value) and value == int(value) else text


def features(column: Column, cells: Sequence[str | None] | np.ndarray, where: object) -> np.ndarray:
    """The features of a column of categories: (rows, column.size) of 0 and 1, NaN where the cell is missing.

    Raises:
        UserError: a category that the column does not have.
    """
    places = {name: place for place, name in enumerate(column.categories)}
    out = np.full((len(cells), column.size), np.nan)
    for row, cell in enumerate(cells):
        text = written(cell)
        if text is None:
            continue
        if text not in places:
            raise UserError(
                f"{where}: row {row + 1}: {text!r} of column {column.name!r} was not seen in training; "
                f"allowed: {', '.join(column.categories)}"
            )
        out[row] = places[text] if column.size == 1 else np.arange(column.size) == places[text]
    return out


def feature_names(column: Column) -> tuple[str, ...]:
    """``"age"`` of numbers, ``"sex=male"`` of two categories, ``"region=north"``, … of more."""
    shown = column.categories[1:] if column.size == 1 else column.categories
    return tuple(f"{column.name}={category}" for category in shown) or (column.name,)


def lay_out(names: Sequence[str], categories: dict[str, tuple[str, ...]]) -> tuple[Column, ...]:
    """The columns of a table and which features they take; none where there are no categories."""
    if not categories:
        return ()
    out, start = [], 0
    for name in names:
        own = categories.get(name, ())
        out.append(Column(name, start, len(own) if len(own) > 2 else 1, own))
        start += out[-1].size
    return tuple(out)
