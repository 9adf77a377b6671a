"""How well missing values are filled in: errors, intervals and draws, in NumPy float64."""

import chex
import numpy as np


def rmse(truth: np.ndarray, filled: np.ndarray, holes: np.ndarray) -> float:
    """√ of the mean of (x − x̂)² over the values that were hidden; nan where none were."""
    chex.assert_equal_shape([truth, filled, holes])
    errors = (np.asarray(truth, np.float64) - np.asarray(filled, np.float64))[holes]
    return float(np.sqrt(np.square(errors).mean())) if errors.size else float("nan")


def nearest_residuals(predicted: np.ndarray, residuals: np.ndarray, new: np.ndarray, *, neighbours: int) -> np.ndarray:
    """The residuals of the predictions that are next to each new one in rank, about half of them on either side.

    Args:
        predicted: (c,) held-out predictions of one column.
        residuals: (c,) truth less prediction, of each.
        new: (m,) other predictions of the column.
        neighbours: k; all of them where there are fewer.

    Returns:
        (m, min(k, c)).
    """
    order = np.argsort(predicted, kind="stable")
    count = min(neighbours, len(order))
    ranks = np.searchsorted(np.asarray(predicted)[order], new)
    first = np.clip(ranks - count // 2, 0, len(order) - count)
    return np.asarray(residuals, np.float64)[order][first[:, None] + np.arange(count)]


def interval(new: np.ndarray, near: np.ndarray, *, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Prediction plus the quantiles (1 ∓ level)/2 of the residuals near it: (m,) lower and (m,) upper ends.

    The p-quantile of k residuals is that at place p (k + 1), so that a further residual, exchangeable with them, lies
    below it with probability p.

    Args:
        new: (m,) predictions.
        near: (m, k) residuals, from `nearest_residuals`.
        level: share of the truth that is to lie between the ends, in (0, 1).

    References:
        Vovk, Gammerman & Shafer 2005, Algorithmic learning in a random world, section 2.3.
    """
    low, high = np.quantile(near, [(1 - level) / 2, (1 + level) / 2], axis=1, method="weibull")
    return new + low, new + high


def coverage(truth: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of the true values that lie between the ends; nan where there are none."""
    return float(((low <= truth) & (truth <= high)).mean()) if len(truth) else float("nan")


def energy_score(truth: np.ndarray, draws: np.ndarray, holes: np.ndarray) -> float:
    """How good draws of several missing values are as a distribution; less is better, 0 where all draws are the truth.

    Mean over the rows that have holes of Σ_i ‖z_i − y‖ / k − Σ_{i≠j} ‖z_i − z_j‖ / (2 k (k − 1)), with y the true
    values of the holes of a row and z_i those of draw i. It is proper: no other distribution has less of it, in
    expectation, than that which the values are of; dividing by k − 1 makes it so for few draws too.

    Args:
        truth: (m, n); columns should have one scale.
        draws: (k, m, n), two or more.
        holes: (m, n) bool, True where a value was hidden.

    Returns:
        In units of the values; nan where nothing was hidden.

    References:
        Gneiting & Raftery 2007, Strictly proper scoring rules, prediction, and estimation, equation 22; Ferro 2014,
        Fair scores for ensemble forecasts.

    Example:
        >>> energy_score(np.zeros((1, 2)), np.array([[[3.0, 4.0]], [[3.0, 4.0]]]), np.ones((1, 2), bool))
        5.0
    """
    chex.assert_equal_shape([truth, holes, *draws])
    truth, draws = (np.where(holes, np.asarray(each, np.float64), 0.0) for each in (truth, draws))
    truth, draws = truth[holes.any(1)], draws[:, holes.any(1)]
    if not len(truth):
        return float("nan")
    count, length = len(draws), lambda difference: np.linalg.norm(difference, axis=-1)
    apart = sum(length(draws - draw).sum(0) for draw in draws) / (2 * count * (count - 1))
    return float((length(draws - truth).mean(0) - apart).mean())
