"""Multiple imputation: several plausible values for each missing one, and an interval, from held-out residuals."""

from collections.abc import Callable, Sequence

import numpy as np

from aejax.data.encoding import per_feature
from aejax.metrics import imputation as metrics
from aejax.tasks.common import Pair, Random
from aejax.tasks.ranges import observed
from aejax.training.evaluate import rebuilt
from aejax.types import Column, Dataset, Model, Params

PARTS = 10  # of the values that are held out in turn
Predict = Callable[[np.ndarray], np.ndarray]


def predictions(model: Model, params: Params, dataset: Dataset, units: Pair, x: np.ndarray) -> np.ndarray:
    """What the net says of all values of rows with holes; in and out in [0, 1]: (m, n) float64."""
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1).astype(np.float64)
    (low, span), shift, scale = units, flat(dataset.shift), flat(dataset.scale)
    scaled = (x * span + low - shift) * scale
    if not model.takes_missing:
        scaled = np.where(np.isnan(x), (np.nanmean(observed(dataset.train), 0) - shift) * scale, scaled)
    return (rebuilt(model, params, scaled) / scale + shift - low) / span


def hold_out(predict: Predict, x: np.ndarray, columns: tuple[Column, ...], random: Random) -> np.ndarray:
    """A prediction of every observed value, made while a tenth of the values, it among them, were hidden too.

    Args:
        predict: rows with holes -> predictions of all their values, (m, n) -> (m, n), or (k, m, n) by k methods.
        x: (m, n), NaN where a value is missing.
        columns: of a table with categories; their features are hidden together.
        random: says which values are hidden together.

    Returns:
        (m, n) or (k, m, n), NaN where a value is missing.
    """
    width = len(columns) or x.shape[1]
    part = per_feature(random.integers(0, PARTS, (len(x), width)), columns)
    out = np.full(x.shape, np.nan)
    for number in range(PARTS):
        chosen = part == number
        out = np.where(chosen, predict(np.where(chosen, np.nan, x)), out)
    return np.where(np.isnan(x), np.nan, out)


def impute(
    rows: Pair,
    validated: Pair,
    columns: tuple[Column, ...],
    random: Random,
    *,
    draws: int,
    residuals: int,
    levels: Sequence[float],
    bounds: Pair | None = None,
) -> tuple:
    """Fills drawn for each hole, and intervals.

    A number is its prediction and one of the residuals of the held-out values whose predictions are next to it, drawn
    with equal probability (a local residual draw), within the range of the column. A category is drawn with the
    probabilities that are predicted.

    Args:
        rows: (m, n) with holes, and predictions of all their values.
        validated: (c, n) other rows, that residuals are taken from, and predictions of them from `hold_out`.
        columns: of a table with categories.
        random: of the draws.
        draws: of each hole.
        residuals: of how many held-out values beside a prediction.
        levels: of the intervals.
        bounds: (n,) and (n,), the ends of the range of each column; None for those of the held-out values.

    Returns:
        (draws, m, n) rows without holes, whose categories are 0 and 1; and by level, (2, m, n), the lower and upper
        ends of intervals of numbers, NaN where nothing was missing.

    References:
        Schenker & Taylor 1996, Partially parametric techniques for multiple imputation.
    """
    (x, predicted), (truth, held_out) = rows, validated
    several = np.broadcast_to(x, (draws, *x.shape)).copy()
    ends = {level: np.full((2, *x.shape), np.nan) for level in levels}
    for column in columns or [Column(str(feature), feature) for feature in range(x.shape[1])]:
        first = column.start
        holes = np.flatnonzero(np.isnan(x[:, first]))
        if column.categories:
            part = slice(first, first + column.size)
            several[:, holes, part] = _categories(predicted[holes, part], draws, random)
            continue
        known, new = ~np.isnan(held_out[:, first]), predicted[holes, first]
        there, guessed = truth[known, first], held_out[known, first]
        near = metrics.nearest_residuals(guessed, there - guessed, new, neighbours=residuals)
        chosen = random.integers(0, near.shape[1], (draws, len(holes)))
        drawn = new + np.take_along_axis(near, chosen.T, axis=1).T
        low, high = (there.min(), there.max()) if bounds is None else (end[first] for end in bounds)
        several[:, holes, first] = drawn.clip(low, high)
        for level, both in ends.items():
            both[:, holes, first] = metrics.interval(new, near, level=level)
    return several, ends


def _categories(probabilities: np.ndarray, draws: int, random: Random) -> np.ndarray:
    """0 and 1 for each feature of a column of categories: (m, size) -> (draws, m, size)."""
    u = random.random((draws, len(probabilities), 1))
    if probabilities.shape[1] == 1:
        return (u < probabilities).astype(np.float64)
    number = (u > np.cumsum(probabilities, axis=1)[None, :, :-1]).sum(-1)
    return (np.arange(probabilities.shape[1]) == number[..., None]).astype(np.float64)
