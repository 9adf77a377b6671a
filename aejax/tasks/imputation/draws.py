"""Multiple imputation: several plausible values for each missing one, and an interval, from held-out residuals."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from aejax.data.encoding import per_feature
from aejax.metrics.imputation import interval, nearest_residuals
from aejax.types import Column

PARTS = 10
Predict = Callable[[np.ndarray], np.ndarray]


class Validated(NamedTuple):
    """Rows that the net was not trained on, and what it said of their values without seeing them.

    Attributes:
        truth: (c, n), NaN where a value is missing.
        held_out: (c, n) predictions, NaN likewise.
    """

    truth: np.ndarray
    held_out: np.ndarray


class Several(NamedTuple):
    """What may stand in the holes of some rows.

    Attributes:
        draws: (draws, m, n) rows without holes; categories are 0 and 1.
        low: by level, (m, n) lower ends of intervals of numbers, NaN where nothing was missing.
        high: by level, the upper ends.
    """

    draws: np.ndarray
    low: dict[float, np.ndarray]
    high: dict[float, np.ndarray]


def hold_out(predict: Predict, x: np.ndarray, columns: tuple[Column, ...], random: np.random.Generator) -> Validated:
    """A prediction of every observed value, made while a tenth of the values, it among them, were hidden too.

    Args:
        predict: rows with holes -> predictions of all their values, (m, n) -> (m, n).
        x: (m, n), NaN where a value is missing.
        columns: of a table with categories; their features are hidden together.
        random: says which values are hidden together.
    """
    width = len(columns) or x.shape[1]
    part = per_feature(random.integers(0, PARTS, (len(x), width)), columns)
    out = np.full(x.shape, np.nan)
    for number in range(PARTS):
        chosen = part == number
        out = np.where(chosen, predict(np.where(chosen, np.nan, x)), out)
    return Validated(x, np.where(np.isnan(x), np.nan, out))


def impute(
    x: np.ndarray,
    predicted: np.ndarray,
    validated: Validated,
    columns: tuple[Column, ...],
    random: np.random.Generator,
    *,
    draws: int,
    levels: tuple[float, ...],
    neighbours: int,
) -> Several:
    """Fills drawn for each hole, and intervals.

    A number is its prediction and one of the residuals of the held-out values whose predictions are next to it, drawn
    with equal probability (a local residual draw), within the range of the column. A category is drawn with the
    probabilities that are predicted.

    Args:
        x: (m, n) rows with holes.
        predicted: (m, n) predictions of all their values.
        validated: other rows, that residuals are taken from.
        columns: of a table with categories.
        random: of the draws.
        draws: how many.
        levels: of the intervals.
        neighbours: residuals to draw from.

    References:
        Schenker & Taylor 1996, Partially parametric techniques for multiple imputation.
    """
    several = np.broadcast_to(x, (draws, *x.shape)).copy()
    low, high = ({level: np.full(x.shape, np.nan) for level in levels} for _ in range(2))
    for column in columns or [Column(str(feature), feature) for feature in range(x.shape[1])]:
        rows, first = np.flatnonzero(np.isnan(x[:, column.start])), column.start
        if column.categories:
            part = slice(first, first + column.size)
            several[:, rows, part] = _categories(predicted[rows, part], draws, random)
            continue
        known = ~np.isnan(validated.held_out[:, first])
        new, there, held_out = predicted[rows, first], validated.truth[known, first], validated.held_out[known, first]
        near = nearest_residuals(held_out, there - held_out, new, neighbours=neighbours)
        chosen = random.integers(0, near.shape[1], (draws, len(rows)))
        drawn = new + np.take_along_axis(near, chosen.T, axis=1).T
        several[:, rows, first] = drawn.clip(there.min(), there.max())
        for level in levels:
            low[level][rows, first], high[level][rows, first] = interval(new, near, level=level)
    return Several(several, low, high)


def _categories(probabilities: np.ndarray, draws: int, random: np.random.Generator) -> np.ndarray:
    """0 and 1 for each feature of a column of categories: (m, size) -> (draws, m, size)."""
    u = random.random((draws, len(probabilities), 1))
    if probabilities.shape[1] == 1:
        return (u < probabilities).astype(np.float64)
    number = (u > np.cumsum(probabilities, axis=1)[None, :, :-1]).sum(-1)
    return (np.arange(probabilities.shape[1]) == number[..., None]).astype(np.float64)
