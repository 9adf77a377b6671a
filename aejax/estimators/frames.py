"""Frames of pandas and polars whose missing cells are filled: with the types, categories and dates that they have."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.data.columns import written_like
from aejax.data.dates import DAY
from aejax.data.encoding import spelled
from aejax.data.inspection import columns_of
from aejax.data.tables import Cells
from aejax.types import Column, Dataset


def cells_of_categories(frame: Any, columns: Sequence[Column]) -> dict[str, list[Any]]:
    """The cells that stand for the categories of each column, in their order: texts, numbers or truth values."""
    by_name = {}
    names = [str(name) for name in frame.columns]
    for column in columns:
        if not column.categories:
            continue
        series = frame[frame.columns[names.index(column.name)]]
        cells = {}
        for cell in dict.fromkeys(series.to_list()):
            plain = cell.item() if isinstance(cell, np.generic) else cell
            cells.setdefault(spelled(str(plain).strip()), plain if isinstance(plain, bool | int | float) else str(cell))
        by_name[column.name] = [cells.get(category, category) for category in column.categories]
    return by_name


def with_cells(
    frame: Any, rows: np.ndarray, known: np.ndarray, data: Dataset, categories: Mapping[str, Sequence[Any]]
) -> Any:
    """A frame whose missing cells hold what rows say, and whose other cells, types and index are as they were.

    Args:
        frame: of pandas or polars.
        rows: (m, features), in the units of the data; NaN leaves a cell missing.
        known: (m, features) the frame's own values, NaN where one is missing.
        data: how its columns became features.
        categories: from `cells_of_categories`.
    """
    by_name = {column.name: column for column in columns_of(data)}
    dates = {each.partition("=")[0] for each in data.reading.dates}
    columns = {}
    for name in frame.columns:
        column = by_name[str(name)]
        holes = np.flatnonzero(np.isnan(known[:, column.start]) & ~np.isnan(rows[:, column.start]))
        if not len(holes):
            continue
        values = frame[name].to_list()
        part = rows[holes, column.start : column.start + column.size]
        if column.categories:
            number = part[:, 0] > 0.5 if column.size == 1 else part.argmax(1)
            cells = [categories[column.name][at] for at in number.astype(int)]
        elif column.name in dates:
            cells = _dates(part[:, 0], frame[name])
        else:
            cells = _numbers(part[:, 0], values, np.isnan(known[:, column.start]), data.reading.decimal)
        for row, cell in zip(holes.tolist(), cells, strict=True):
            values[row] = cell
        columns[name] = values
    if hasattr(frame, "with_columns"):
        return frame.with_columns(
            type(frame[name])(name, values, dtype=frame[name].dtype) for name, values in columns.items()
        )
    out = frame.copy()
    for name, values in columns.items():
        out[name] = type(frame[name])(values, dtype=frame[name].dtype).array
    return out


def _numbers(numbers: np.ndarray, cells: Sequence[Any], missing: np.ndarray, decimal: str | None) -> list[Any]:
    """Numbers in the kind of the cells of their column: truth values, whole numbers, text with its sign, or numbers."""
    seen = next((cell for cell, gone in zip(cells, missing, strict=True) if not gone), 0.0)
    if isinstance(seen, bool | np.bool_):
        return [bool(round(value)) for value in numbers.tolist()]
    if isinstance(seen, int | np.integer):
        return [round(value) for value in numbers.tolist()]
    if not isinstance(seen, str):
        return numbers.tolist()
    texts = np.array(["" if gone else str(cell).strip() for cell, gone in zip(cells, missing, strict=True)], object)
    return written_like(Cells(texts, missing), [f"{value:.9g}".replace(".", decimal or ".") for value in numbers])


def _dates(days: np.ndarray, series: Any) -> list[Any]:
    """Days since 1970 as the dates of a column, to the second."""
    import pandas

    zone = getattr(series.dtype, "tz", None)
    at = pandas.to_datetime(np.round(days * DAY), unit="s", utc=True)
    at = at.tz_localize(None) if zone is None else at.tz_convert(zone)
    return at.date.tolist() if str(series.dtype) == "Date" else at.to_pydatetime().tolist()
