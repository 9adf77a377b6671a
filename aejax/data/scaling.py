"""How values are stored and scaled: scaled = (x - shift) * factor, in float32, from the training rows only."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from aejax.data.sparse import SparseRows, is_sparse
from aejax.errors import UserError
from aejax.types import Column, Range

_BLOCK = 4096  # rows looked at together, so that memory-mapped images are never copied whole,
_BLOCK_BYTES = 2**24  # and fewer where they are large
QUARTILES = 1.3489795  # that a normal distribution's are apart, in standard deviations


class Scaling(NamedTuple):
    """What is subtracted, what is multiplied with, and where the scaled training values then lie."""

    shift: np.ndarray
    scale: np.ndarray
    range: Range


def stored(x: np.ndarray, origin: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Values as a data set stores them: the logarithms of some columns, all counted from their origin.

    Args:
        x: (rows, *feature_shape), as in a file.
        origin: `Dataset.origin`, in float64.
        log: `Dataset.log`, bool; logarithms need values above 0.

    Returns:
        (rows, *feature_shape), in float64, or `x` itself where there is nothing to do.
    """
    if log.any():
        x = x.astype(np.float64)
        x = np.log(x, out=x.copy(), where=np.broadcast_to(log, x.shape))
    return x - origin if origin.any() else x


def original(x: np.ndarray, origin: np.ndarray, log: np.ndarray) -> np.ndarray:
    """Stored values as in the file: the inverse of `stored`, in float64 where there is something to do."""
    x = x + origin if origin.any() else x
    if not log.any():
        return x
    x = x.astype(np.float64)
    with np.errstate(over="ignore"):  # a net may say anything
        return np.exp(x, out=x.copy(), where=np.broadcast_to(log, x.shape))


def scale(x: Any, shift: Any, factor: Any) -> Any:
    """Scaled values, ``(x - shift) * factor``, in float32.

    Args:
        x: (rows, *feature_shape), a NumPy or a JAX array, as stored.
        shift: broadcastable to the feature shape, `Dataset.shift`.
        factor: broadcastable to the feature shape, `Dataset.scale`.

    Returns:
        (rows, *feature_shape) float32, of the same kind of array as `x`.
    """
    return (x.astype(np.float32) - _align(shift, x)) * _align(factor, x)


def unscale(x: Any, shift: Any, factor: Any) -> Any:
    """Values in their own units again, ``x / factor + shift``: the inverse of `scale`.

    Args:
        x: (rows, *feature_shape), a NumPy or a JAX array, scaled.
        shift: broadcastable to the feature shape, `Dataset.shift`.
        factor: broadcastable to the feature shape, `Dataset.scale`.

    Returns:
        (rows, *feature_shape) float32, of the same kind of array as `x`.
    """
    return x.astype(np.float32) / _align(factor, x) + _align(shift, x)


def _align(values: Any, x: Any) -> Any:
    """With leading axes of length 1 up to the rank of x, since JAX can be told to refuse to add them itself."""
    if np.ndim(values) == 0:
        return values
    return values.reshape((1,) * (x.ndim - values.ndim) + values.shape)


def fit(
    x: np.ndarray,
    mask: np.ndarray | None,
    *,
    scaling: str,
    bounds: tuple[float, float] | None,
    per_feature: bool,
    columns: tuple[Column, ...] = (),
) -> Scaling:
    """The scaling that the training rows ask for; missing values are left out of every statistic.

    With low and high the bounds, or the least and greatest training value:

    - ``"unit"``: shift = low, factor = 1 / (high - low); training values lie in [0, 1].
    - ``"signed"``: shift = (low + high) / 2, factor = 2 / (high - low); in [-1, 1].
    - ``"standard"``: shift = mean, factor = 1 / standard deviation (divided by n), for each feature.
    - ``"robust"``: shift = median, factor = 1.349 / (upper - lower quartile), for each feature: 1 / standard deviation
      of a normal one, and not moved by the few large values of a heavy tail. Where more than half of the values are the
      same and the quartiles may be one, the standard deviation is taken.
    - ``"none"``: shift = 0, factor = 1.

    A constant feature gets factor 1. Features of categories stay 0 and 1. Of sparse rows nothing is subtracted:
    ``"unit"`` divides all values by the greatest, ``"standard"`` by their root mean square.

    Args:
        x: (rows, *feature_shape) training rows, as stored.
        mask: (rows, *feature_shape) bool, True where observed; None where everything is.
        scaling: one of `aejax.data.SCALINGS`.
        bounds: the least and greatest value that can occur, where this is known of the data; else None.
        per_feature: whether low and high are taken for each feature, or once for all of them.
        columns: of a table with categories.

    Returns:
        The scaling; its shift and factor are float32.

    Raises:
        UserError: the scaling would move the zeros of sparse rows.
    """
    if is_sparse(x):
        return _unshifted(x, scaling)
    if scaling in ("standard", "robust"):
        fitted = _standard(x, mask, robust=scaling == "robust")
    else:
        fitted = _between(x, mask, scaling, bounds, per_feature)
    if not columns:
        return fitted
    number = np.repeat([not column.categories for column in columns], [column.size for column in columns])
    return Scaling(
        np.where(number, fitted.shift, np.float32(0)),
        np.where(number, fitted.scale, np.float32(1)),
        Range(min(fitted.range.low, 0.0), max(fitted.range.high, 1.0)),
    )


def _between(
    x: np.ndarray, mask: np.ndarray | None, scaling: str, bounds: tuple[float, float] | None, per_feature: bool
) -> Scaling:
    low, high = map(np.float32, bounds) if bounds else extremes(x, mask)
    if scaling == "none" or not per_feature:
        low, high = low.min(), high.max()
    if scaling == "none":
        return Scaling(np.zeros((), np.float32), np.ones((), np.float32), Range(float(low), float(high)))
    if scaling == "unit":
        return Scaling(np.asarray(low), _inverse(high - low), Range(0.0, 1.0))
    middle = np.asarray((low / 2 + high / 2).astype(np.float32))
    # The larger half, so that rounding of the middle never puts a training value outside [-1, 1].
    return Scaling(middle, _inverse(np.maximum(high - middle, middle - low)), Range(-1.0, 1.0))


def _standard(x: np.ndarray, mask: np.ndarray | None, *, robust: bool) -> Scaling:
    low, high = extremes(x, mask)
    mean, deviation = moments(x, mask)
    if robust:
        lower, mean, upper = np.nanquantile(x if mask is None else np.where(mask, x, np.nan), [0.25, 0.5, 0.75], axis=0)
        usable = upper - lower > (high.astype(np.float64) - low) * 1e-30  # its inverse is a float32
        deviation = np.where(usable, (upper - lower) / QUARTILES, deviation)
    # Equality, not a zero deviation: the mean of n equal numbers may differ from them by rounding.
    factor, shift = _inverse(np.where(low == high, 1.0, deviation).astype(np.float32)), mean.astype(np.float32)
    # Scaling is increasing in x, so the extremes of each feature stay its extremes.
    low, high = scale(low, shift, factor), scale(high, shift, factor)
    return Scaling(shift, factor, Range(float(low.min()), float(high.max())))


def _unshifted(x: SparseRows, scaling: str) -> Scaling:
    if scaling in ("signed", "robust"):
        raise UserError(f"data.scaling: {scaling} would move the zeros of sparse rows; allowed: unit, standard, none")
    sizes = {
        "unit": np.abs(x.values).max(initial=0),
        "standard": np.sqrt(np.square(x.values, dtype=np.float64).sum() / (len(x) * x.features)),
        "none": 1,
    }
    factor = _inverse(np.float32(sizes[scaling]))
    low, high = (float(value * factor) for value in (x.values.min(initial=0), x.values.max(initial=0)))
    return Scaling(np.zeros((), np.float32), factor, Range(low, high))


def _inverse(spread: np.ndarray) -> np.ndarray:
    """1 / spread; 1 where the spread is zero or too small for its inverse to be a float32."""
    usable = spread >= np.finfo(np.float32).tiny
    return np.asarray(np.where(usable, np.float32(1) / np.where(usable, spread, 1), 1).astype(np.float32))


def extremes(x: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest observed value of each feature, float32."""
    low = np.full(x.shape[1:], np.inf, np.float32)
    high = np.full(x.shape[1:], -np.inf, np.float32)
    for block, seen in _blocks(x, mask):
        low = np.minimum(low, block.min(0) if seen is None else np.where(seen, block, np.inf).min(0))
        high = np.maximum(high, block.max(0) if seen is None else np.where(seen, block, -np.inf).max(0))
    return low.astype(np.float32), high.astype(np.float32)


def moments(x: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (divided by n) of the observed values of each feature, float64."""
    count, total = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
    for block, seen in _blocks(x, mask):
        count += block.shape[0] if seen is None else seen.sum(0)
        total += np.sum(block, 0, dtype=np.float64, where=True if seen is None else seen)
    mean = total / np.maximum(count, 1)
    squares = np.zeros(x.shape[1:])
    for block, seen in _blocks(x, mask):
        squares += np.sum((block - mean) ** 2, 0, where=True if seen is None else seen)
    return mean, np.sqrt(squares / np.maximum(count, 1))


def _blocks(x: np.ndarray, mask: np.ndarray | None) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    size = max(1, min(_BLOCK, _BLOCK_BYTES // max(1, math.prod(x.shape[1:]) * x.dtype.itemsize)))
    for start in range(0, x.shape[0], size):
        rows = slice(start, start + size)
        yield x[rows], None if mask is None else mask[rows]
