"""Pure metrics: arrays in, one number out, in NumPy float64. Those of one use only stand in a module of their own.

Arrays that do not go together are an `AssertionError`: NumPy would spread one over the other, and the number be wrong.
"""

import chex
import numpy as np

BLOCK = 1 << 18  # values that are summed at once
ACTIVE = 0.1  # share of a row's largest activation above which a unit is active


def mse(x: np.ndarray, x_hat: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean squared error per feature: Σ_observed (x − x̂)² / number observed.

    Args:
        x: (m, n) scaled targets.
        x_hat: (m, n) reconstructions.
        mask: (m, n) bool, True where observed; None where everything is.

    Returns:
        The mean, in squared units of the scaled data; nan where nothing was observed.
    """
    chex.assert_equal_shape([x, x_hat] if mask is None else [x, x_hat, mask])
    x, x_hat = (each.reshape(-1) if mask is None else each[mask] for each in (x, x_hat))
    return float(_squared_error(x, x_hat) / x.size) if x.size else float("nan")


def _squared_error(x: np.ndarray, x_hat: np.ndarray) -> np.float64:
    """Σ (x − x̂)² of flat arrays, bit for bit as NumPy sums it, which also halves until little is left.

    Only a block of them is held as float64: 60,000 images in that precision are 376 MB, and their errors as many.
    """
    if x.size <= BLOCK:
        return np.square(x.astype(np.float64) - x_hat.astype(np.float64)).sum()
    half = x.size // 2 // 8 * 8
    return _squared_error(x[:half], x_hat[:half]) + _squared_error(x[half:], x_hat[half:])


def active_fraction(code: np.ndarray) -> float:
    """Share of the units of a code that matter to a row: those above a tenth of its largest activation.

    Args:
        code: (m, d).

    Returns:
        Near 1 for a dense code, near 0 for a sparse one; 0 for a code that is zero everywhere.
    """
    size = np.abs(code)
    return float((size > ACTIVE * size.max(-1, keepdims=True)).mean()) if code.size else 0.0


def trustworthiness(x: np.ndarray, code: np.ndarray, *, neighbours: int = 5) -> float:
    """Whether rows that are near in the code were near before: T(k) = 1 − 2/(m k (2m − 3k − 1)) Σ_i Σ_j (r_ij − k)₊.

    The inner sum is over the k nearest neighbours j of row i in the code, and r_ij is the rank of j among the
    neighbours of i in x, from 1. With the two arrays exchanged it is the continuity of the code.

    Args:
        x: (m, n) rows.
        code: (m, d) their codes.
        neighbours: k, less than m / 2.

    Returns:
        In [0, 1]; 1 where no code has a neighbour that its row has not.

    References:
        Venna & Kaski 2001, Neighborhood preservation in nonlinear projection methods, equation 1.
    """
    m, k, intruded = len(x), neighbours, 0
    x, code = (points.astype(np.float64) - points.mean(0, dtype=np.float64) for points in (x, code))
    for start in range(0, m, 512):  # so that the distances of 512 rows at a time are held, not all of them
        rows = slice(start, min(start + 512, m))
        order = np.argsort(to_others(x, rows), axis=1, kind="stable")
        ranks = np.empty_like(order)
        np.put_along_axis(ranks, order, np.broadcast_to(np.arange(1, m + 1), order.shape), axis=1)
        nearest = np.argpartition(to_others(code, rows), k - 1, axis=1)[:, :k]
        intruded += int(np.maximum(np.take_along_axis(ranks, nearest, axis=1) - k, 0).sum())
    return 1.0 - 2.0 * intruded / (m * k * (2 * m - 3 * k - 1))


def to_others(points: np.ndarray, rows: slice) -> np.ndarray:
    """Squared distances of some points to all, (rows, m) float64; infinite from a point to itself."""
    squares = squared_distances(points[rows], points)
    squares[np.arange(len(squares)), np.arange(len(points))[rows]] = np.inf
    return squares


def squared_distances(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """‖p − r‖² of every pair, (points, rows), from ‖p‖² + ‖r‖² − 2 p·r in float64: a little below 0 where p is r."""
    points, rows = points.astype(np.float64), rows.astype(np.float64)
    return np.square(points).sum(1)[:, None] + np.square(rows).sum(1)[None] - 2.0 * points @ rows.T


def linear_r2(code: np.ndarray, y: np.ndarray, new_code: np.ndarray, new_y: np.ndarray) -> np.ndarray:
    """How much of some quantities a linear map of the code explains on rows it was not fitted to.

    R²_k = 1 − Σ_j (y_jk − ŷ_jk)² / Σ_j (y_jk − ȳ_k)² over the new rows, ŷ the least-squares map, with a constant, from
    `code` to `y`.

    Args:
        code: (m, d) codes that the map is fitted to.
        y: (m, k) their quantities.
        new_code: (l, d) codes of other rows.
        new_y: (l, k) theirs.

    Returns:
        (k,) at most 1; negative where the mean of the new rows would say more.
    """
    with_one = lambda values: np.column_stack([values.astype(np.float64), np.ones(len(values))])
    weights, *_ = np.linalg.lstsq(with_one(code), y.astype(np.float64), rcond=None)
    errors = np.square(new_y - with_one(new_code) @ weights).sum(0)
    return 1.0 - errors / np.square(new_y - new_y.mean(0, dtype=np.float64)).sum(0)
