"""Rows with holes in the units in which fills are measured, and what a net says of them."""

from typing import NamedTuple

import numpy as np

from aejax.data.holes import spread
from aejax.training.evaluate import rebuilt
from aejax.types import Dataset, Model, Params, Split


class Holes(NamedTuple):
    """Flat rows of a split in the units of the measure, [0, 1].

    Attributes:
        x: (m, n) float64, NaN where a value is missing or hidden.
        truth: (m, n), NaN where nobody knows.
        hidden: (m, n) bool, where the truth is known and x is not.
    """

    x: np.ndarray
    truth: np.ndarray
    hidden: np.ndarray


def value_range(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The least value of each feature over all rows, hidden truth included, and the way from it to the greatest.

    Pixels of images share one range.
    """
    parts = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([known(part) for part in parts])
    low, high = np.nanmin(rows, 0), np.nanmax(rows, 0)
    if dataset.kind == "image":
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    return low, np.where(high > low, high - low, 1.0)


def known(split: Split) -> np.ndarray:
    """What is known of flat rows, hidden truth included, NaN elsewhere: (m, n) float64."""
    if split.truth is not None:
        return split.truth.reshape(len(split.truth), -1).astype(np.float64)
    return np.where(True if split.mask is None else split.mask, split.x, np.nan).reshape(len(split.x), -1)


def holes(split: Split, low: np.ndarray, span: np.ndarray) -> Holes:
    """A split in [0, 1], with what was hidden of it."""
    truth = (known(split) - low) / span
    mask = np.ones(truth.shape, bool) if split.mask is None else split.mask.reshape(truth.shape)
    return Holes(np.where(mask, truth, np.nan), truth, ~mask & ~np.isnan(truth))


def hide_more(rows: Holes, dataset: Dataset, random: np.random.Generator, *, rate: float) -> Holes:
    """Some more values hidden completely at random, never all of a row."""
    width = len(dataset.columns) or rows.x.shape[1]
    chosen = spread(random.random((len(rows.x), width)) < rate, dataset.columns) & ~np.isnan(rows.x)
    chosen[(chosen | np.isnan(rows.x)).all(1)] = False
    return Holes(np.where(chosen, np.nan, rows.x), rows.truth, chosen)


def all_hidden(x: np.ndarray) -> Holes:
    """Rows of which every observed value is to be judged."""
    return Holes(np.full(x.shape, np.nan), x, ~np.isnan(x))


def predictions(
    model: Model, params: Params, dataset: Dataset, low: np.ndarray, span: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """What the net says of all values of rows with holes; in and out in [0, 1]: (m, n) float64."""
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1).astype(np.float64)
    shift, scale = flat(dataset.shift), flat(dataset.scale)
    scaled = (x * span + low - shift) * scale
    if not model.takes_missing:
        mean = (
            np.where(dataset.train.mask, dataset.train.x, np.nan) if dataset.train.mask is not None else dataset.train.x
        )
        scaled = np.where(np.isnan(x), (np.nanmean(mean.reshape(len(mean), -1), 0) - shift) * scale, scaled)
    return (rebuilt(model, params, scaled) / scale + shift - low) / span
