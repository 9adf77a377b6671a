"""A Gaussian of rows with holes, by expectation and maximisation, and how much of it goes into a net's predictions."""

import numpy as np

from aejax.data.splits import permutation
from aejax.tasks.common import Pair

MOST_FEATURES = 64  # each pattern of holes takes the time of a linear system
MOST_ROWS, ROUNDS = 1000, 10
RIDGE = 1e-3  # of the variance of a column, which columns that follow from others need
DOUBT = 0.25  # variance of a weight before anything is seen


def fitted(x: np.ndarray, seed: int) -> Pair:
    """The mean (n,) and the covariance (n, n) of rows (m, n), NaN where a value is missing.

    References:
        Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm, section 4.1.3.
    """
    x = x[permutation(seed, len(x))[:MOST_ROWS]]
    seen = ~np.isnan(x)
    count = np.maximum(seen.sum(0), 1)
    mean = np.where(seen, x, 0).sum(0) / count
    spread = np.where(seen, np.square(x - mean), 0).sum(0) / count
    unit = np.sqrt(np.where(spread > 0, spread, 1))
    z, centre, covariance = (x - mean) / unit, np.zeros(x.shape[1]), np.diag((spread > 0).astype(float) + RIDGE)
    for _ in range(ROUNDS):
        filled, unknown = conditional(z, centre, covariance)
        centre = filled.mean(0)
        apart = filled - centre
        covariance = (apart.T @ apart + unknown) / len(z) + RIDGE * np.eye(len(centre))
    return mean + unit * centre, covariance * np.outer(unit, unit)


def conditional(x: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> Pair:
    """Rows whose holes hold their mean given the rest, (m, n), and the sum of their conditional covariances, (n, n)."""
    missing, out, unknown = np.isnan(x), x.copy(), np.zeros_like(covariance)
    patterns, of_row = np.unique(missing, axis=0, return_inverse=True)
    order = np.argsort(of_row.reshape(-1), kind="stable")
    for gone, rows in zip(patterns, np.split(order, np.cumsum(np.bincount(of_row.reshape(-1)))[:-1]), strict=True):
        if not gone.any():
            continue
        across = covariance[~gone][:, gone]
        slopes = np.linalg.solve(covariance[~gone][:, ~gone], across)
        out[np.ix_(rows, gone)] = mean[gone] + (x[np.ix_(rows, ~gone)] - mean[~gone]) @ slopes
        unknown[np.ix_(gone, gone)] += len(rows) * (covariance[gone][:, gone] - across.T @ slopes)
    return out, unknown


def weights(truth: np.ndarray, net: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Of each column the share w of the net in ``w net + (1 - w) line`` that comes nearest to the truth, in [0, 1].

    It is the mean of w given held-out values, and, before them, a normal distribution around a half, so that a few
    values move it a little only.

    Args:
        truth: (c, n), NaN where a value is missing.
        net: (c, n) predictions.
        line: (c, n) other ones.
    """
    seen = ~np.isnan(truth)
    apart, rest = np.where(seen, net - line, 0), np.where(seen, truth - line, 0)
    noise = np.square(rest - apart / 2).sum(0) / np.maximum(seen.sum(0), 1)
    noise = np.maximum(noise, 1e-12 * np.square(apart).sum(0)) + np.finfo(float).tiny
    precision = np.square(apart).sum(0) / noise
    return (((apart * rest).sum(0) / noise + 0.5 / DOUBT) / (precision + 1 / DOUBT)).clip(0, 1)
