"""What the columns of a data set can hold: the range of each, whole numbers, categories; and values next to others."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import prod
from typing import Any, NamedTuple

import numpy as np

from aejax.data.inspection import columns_of
from aejax.data.scaling import original, stored
from aejax.storage.records import Fields, Many, Whole
from aejax.types import Column, Dataset, Split

COLUMN = Fields({"name": str, "start": Whole(), "size": Whole(1), "categories": Many(str)}, {})
INFO = {"columns": Many(COLUMN, 1)}
"""The form of what is kept of the columns beside arrays."""
MOST_DECIMALS = 15


class Ranges(NamedTuple):
    """What each of n features can hold; values are as stored.

    Attributes:
        low: (n,) the least value among training and validation rows.
        high: (n,) the greatest one.
        whole: (n,) bool, whether all values are whole numbers.
        origin: (n,) `Dataset.origin`.
        log: (n,) `Dataset.log`.
        columns: of the features.
    """

    low: np.ndarray
    high: np.ndarray
    whole: np.ndarray
    origin: np.ndarray
    log: np.ndarray
    columns: tuple[Column, ...]


ARRAYS = Ranges._fields[:5]


def observed(split: Split) -> np.ndarray:
    """Flat rows with NaN where a value is missing."""
    rows = np.where(True if split.mask is None else split.mask, split.x, np.nan)
    return rows.reshape(len(rows), prod(rows.shape[1:]))


def of(dataset: Dataset) -> Ranges:
    """What the columns hold in training and validation rows; all pixels of images have one range."""
    every = np.concatenate([observed(part).astype(np.float64) for part in (dataset.train, dataset.validation)])
    low, high = np.nanmin(every, 0), np.nanmax(every, 0)
    if dataset.kind == "image":
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1)
    origin, log = flat(dataset.origin), flat(dataset.log)
    values = every + origin
    whole = (np.isnan(values) | (values == np.round(values))).all(0) & ~log
    columns = columns_of(dataset) or tuple(Column(str(at), at) for at in range(every.shape[1]))
    return Ranges(low, high, whole, origin, log, tuple(columns))


def decimals(dataset: Dataset) -> np.ndarray:
    """With how many decimals each number of a table is written, (n,) int; -1 where `MOST_DECIMALS` are too few.

    They are the fewest that give all training and validation values again, to the last bit of float32.
    """
    values = np.concatenate([observed(part) for part in (dataset.train, dataset.validation)]).astype(np.float32)
    form = dataset.origin.reshape(-1), dataset.log.reshape(-1)
    exact, count = original(values.astype(np.float64), *form), np.full(values.shape[1], -1)
    for number in range(MOST_DECIMALS + 1 if dataset.kind == "table" else 0):
        with np.errstate(divide="ignore"):  # of a logarithm whose value is rounded to 0
            again = stored(np.round(exact, number), *form).astype(np.float32)
        count[(count < 0) & ((again == values) | np.isnan(values)).all(0)] = number
        if (count >= 0).all():
            break
    return count


def written(x: np.ndarray, decimals: np.ndarray) -> np.ndarray:
    """Numbers (m, n), as in a file, with so many decimals in each column; where there are -1, as they are."""
    out = x.copy()
    for number in np.unique(decimals[decimals >= 0]):
        out[:, decimals == number] = np.round(x[:, decimals == number], number)
    return out


def to_keep(ranges: Ranges) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of ranges by their names, and the rest as `INFO` has it."""
    listed = [asdict(column) | {"categories": list(column.categories)} for column in ranges.columns]
    return {name: getattr(ranges, name) for name in ARRAYS}, {"columns": listed}


def read(tree: Mapping[str, np.ndarray], listed: Sequence[Mapping[str, Any]], features: int) -> Ranges | None:
    """What `to_keep` left, of so many features; None where it is damaged."""
    columns = tuple(Column(**each | {"categories": tuple(each["categories"])}) for each in listed)
    arrays = [np.asarray(tree.get(name, ())) for name in ARRAYS]
    last = max((column.start + column.size for column in columns), default=0)
    return Ranges(*arrays, columns) if {each.shape for each in arrays} == {(features,)} and last <= features else None


def possible(x: np.ndarray, ranges: Ranges) -> np.ndarray:
    """The values next to x, (..., n) as stored, that each column could hold."""
    with np.errstate(divide="ignore"):  # of a column of logarithms, which is never whole
        whole = stored(np.round(original(x, ranges.origin, ranges.log)), ranges.origin, ranges.log)
    x = np.where(ranges.whole, whole, x).clip(ranges.low, ranges.high)
    return settled(x.reshape(-1, x.shape[-1]), ranges.columns).reshape(x.shape)


def settled(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """Rows in which each category is the most likely one, 0 or 1 in each of its features; numbers stay."""
    out = x.copy()
    for column in columns:
        part = slice(column.start, column.start + column.size)
        if column.categories and column.size == 1:
            out[:, part] = x[:, part] > 0.5
        elif column.categories:
            out[:, part] = np.arange(column.size) == x[:, part].argmax(1)[:, None]
    return out
