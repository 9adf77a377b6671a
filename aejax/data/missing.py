"""Ways in which values go missing, as pure functions ``(key, x, *, hyperparameters) -> hidden``.

They hide values of complete data for an experiment whose answers are known. A column of categories is one column here,
the number of its category; NaN stands where a value is missing already.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Count, Rate, Share, Within
from aejax.config.components import resolve
from aejax.data.encoding import per_column, per_feature
from aejax.data.splits import Raw, pooled, with_mask
from aejax.errors import UserError
from aejax.types import Split

Half = Annotated[float, Within(0, 0.5, open_low=True)]


def none(key: jax.Array, x: np.ndarray) -> np.ndarray:
    """Nothing is hidden.

    Args:
        key: not looked at.
        x: (rows, *feature_shape).

    Returns:
        bool of the shape of x, False everywhere.
    """
    return np.zeros(x.shape, bool)


def completely_at_random(key: jax.Array, x: np.ndarray, *, rate: Rate = 0.2) -> np.ndarray:
    """Each value is hidden with the same probability, whatever it and the others are.

    Args:
        key: typed key.
        x: (rows, *feature_shape).
        rate: the probability.

    Returns:
        bool of the shape of x, True where a value is hidden.

    References:
        Rubin 1976, Inference and missing data, Biometrika 63.
    """
    return np.asarray(jax.random.bernoulli(key, rate, x.shape))


def at_random(key: jax.Array, x: np.ndarray, *, rate: Half = 0.2, always: Share = 0.3) -> np.ndarray:
    """Whether a value is hidden depends on columns that are always seen: with probability 2 · rate · u.

    u in [0, 1] is the rank of a weighted sum of the columns that are always seen, standardised, with standard normal
    weights that differ for every column.

    Args:
        key: typed key.
        x: (rows, columns).
        rate: share of the values of the other columns that is hidden.
        always: share of the columns that are always seen, drawn at random; at least one, and not all.

    Returns:
        bool of the shape of x, True where a value is hidden.

    Raises:
        UserError: there is a single column.

    References:
        Rubin 1976, Inference and missing data, Biometrika 63. The share of columns is that of Muzellec et al. 2020,
        Missing data imputation using optimal transport, section 4.
    """
    flat = x.reshape(len(x), -1).astype(np.float64)
    columns = flat.shape[1]
    if columns < 2:
        raise UserError("data.missing: at_random needs two columns; allowed: completely_at_random, not_at_random")
    choice, weights, draw = jax.random.split(key, 3)
    seen = np.asarray(jax.random.permutation(choice, columns))[: int(np.clip(round(always * columns), 1, columns - 1))]
    score = _standardised(flat[:, seen]) @ np.asarray(jax.random.normal(weights, (len(seen), columns)))
    probability = 2 * rate * _ranks(score)
    probability[:, seen] = 0
    return (np.asarray(jax.random.uniform(draw, flat.shape)) < probability).reshape(x.shape)


def not_at_random(key: jax.Array, x: np.ndarray, *, rate: Half = 0.2) -> np.ndarray:
    """Whether a value is hidden depends on the value itself, large ones more often: with probability 2 · rate · u.

    u in [0, 1] is the rank of the value in its column; equal values have the mean of their ranks.

    Args:
        key: typed key.
        x: (rows, *feature_shape).
        rate: share of the values that is hidden.

    Returns:
        bool of the shape of x, True where a value is hidden.

    References:
        Rubin 1976, Inference and missing data, Biometrika 63.
    """
    probability = 2 * rate * _ranks(x.reshape(len(x), -1).astype(np.float64))
    return (np.asarray(jax.random.uniform(key, probability.shape)) < probability).reshape(x.shape)


def square(key: jax.Array, x: np.ndarray, *, size: Count = 3) -> np.ndarray:
    """A square of pixels is hidden in each image, at any place where it fits.

    Args:
        key: typed key.
        x: (rows, height, width, channels).
        size: height and width of the square, in pixels.

    Returns:
        bool of the shape of x, True where a value is hidden.

    Raises:
        UserError: rows are no images, or the square does not fit.
    """
    if x.ndim != 4:
        raise UserError("data.missing: square hides pixels, and rows are no images; allowed: completely_at_random, …")
    rows, height, width, _ = x.shape
    most = min(height, width)
    if size >= most:
        allowed = f"allowed: 1 to {most - 1}"
        raise UserError(f"data.missing.size: {size} leaves nothing of {height}x{width} pixels; {allowed}")
    limits = jnp.array([[height - size + 1, width - size + 1]])
    corners = np.asarray(jax.random.randint(key, (rows, 2), 0, limits))
    down, across = (np.arange(length) - corners[:, [axis]] for axis, length in enumerate((height, width)))
    inside = lambda pixels: (pixels >= 0) & (pixels < size)
    hidden = inside(down)[:, :, None] & inside(across)[:, None, :]
    return np.broadcast_to(hidden[..., None], x.shape)


def hide(raw: Raw, missing: Mapping[str, Any], seed: int) -> Raw:
    """The data set with values hidden as a config's ``data.missing`` says; `Split.truth` remembers them.

    A row that would keep no value keeps all of them.

    Args:
        raw: the data set; missing values are NaN.
        missing: name and hyperparameters of a function of `aejax.data.missing`.
        seed: of what is hidden.

    Returns:
        The data set; itself where nothing is to be hidden.

    Raises:
        UserError: there is no such way of hiding, or it cannot be applied to these rows.
    """
    options = {key: value for key, value in missing.items() if key != "name"}
    mechanism = resolve(missing["name"], "aejax.data.missing", what="data.missing.name")
    if mechanism is none:
        return raw
    rows = with_mask(pooled(raw))
    values = np.where(rows.mask, rows.x, np.nan).astype(np.float32)
    chosen = mechanism(jax.random.key(seed), per_column(values, raw.columns), **options)
    hidden = rows.mask & per_feature(chosen, raw.columns)
    if not hidden.any():
        return raw
    hidden[~(rows.mask & ~hidden).reshape(len(hidden), -1).any(1)] = False
    holes = rows._replace(x=np.where(hidden, np.nan, values), mask=rows.mask & ~hidden, truth=values)
    count = len(raw.train.x)
    cut = lambda part: Split(*(None if array is None else array[part] for array in holes))
    return raw._replace(train=cut(slice(count)), test=None if raw.test is None else cut(slice(count, None)))


def _standardised(x: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1; 0 where a value is missing or a column constant."""
    centred = x - np.nanmean(x, 0)
    deviation = np.nanstd(x, 0)
    return np.nan_to_num(centred / np.where(deviation > 0, deviation, 1))


def _ranks(x: np.ndarray) -> np.ndarray:
    """The rank of each value among the others of its column, in (0, 1), ½ in the mean; ½ where it is missing."""
    from scipy.stats import rankdata

    ranks = rankdata(x, axis=0, nan_policy="omit")
    return np.nan_to_num((ranks - 0.5) / np.maximum((~np.isnan(x)).sum(0), 1), nan=0.5)
