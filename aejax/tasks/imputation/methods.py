"""What stands beside a net in filling holes: a Gaussian, extremely randomised trees, and nearest neighbours.

Each looks at what those before it made of the holes. All are arrays, so that they go into the folder of a run.
"""

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from aejax.data.splits import permutation
from aejax.metrics import outliers
from aejax.tasks import trees
from aejax.tasks.common import Pair
from aejax.tasks.trees import Trees
from aejax.types import Column

MOST_FEATURES = 100  # with more the net stands alone: each pattern of holes takes the time of a linear system
GAUSSIAN_ROWS, ROUNDS = 1000, 10
RIDGE = 1e-3  # of the variance of a column, which columns that follow from others need
TREES, DEPTH = 25, 20
MOST_ROWS, LEAVES = 2000, 400  # that trees are grown from, and about how many leaves a tree has at most
NEIGHBOURS, NEAREST = 8, 1e-6  # rows, of which a row that was fitted to is one itself, and the least distance
STEPS = 10  # of the grid of shares
OF_ALL, OF_NONE = 30, 10  # held-out values that the mean over columns, and equal shares, count as


class Methods(NamedTuple):
    """A Gaussian, trees and neighbours of rows with n values; without rows where the net stands alone.

    Attributes:
        mean: (n,) of the Gaussian.
        covariance: (n, n).
        roots: (n · trees,) int32, of `aejax.tasks.trees.Trees` as the five that follow; the first column's come first.
        feature: (nodes,) int32.
        threshold: (nodes,) float32.
        left: (nodes,) int32.
        right: (nodes,) int32.
        value: (nodes,) float32, the mean of the column in a leaf.
        donors: (l, n) float32, rows whose holes are filled.
        observed: (l, n) bool, what was observed of them.
        unit: (n,) the standard deviation of each column of them, 1 of a constant one.
    """

    mean: np.ndarray
    covariance: np.ndarray
    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    donors: np.ndarray
    observed: np.ndarray
    unit: np.ndarray

    @property
    def trees(self) -> Trees:
        """The trees, of all columns."""
        return Trees(*self[2:8])


def without(features: int, mean: Any = None, covariance: Any = None) -> Methods:
    """No trees and no neighbours, nor a Gaussian where there is no covariance."""
    line = (np.zeros(features), np.zeros((0, 0))) if covariance is None else (mean, covariance)
    rows = np.zeros((0, features))
    return Methods(*line, *trees.NONE, rows, rows > 0, np.ones(features))


def is_whole(methods: Methods, features: int) -> bool:
    """Whether arrays are those of `Methods` for so many features, and no node leads out of the trees."""
    columns = features if methods.covariance.size else 0
    rows = methods.donors.shape[0] if methods.donors.ndim else -1
    like = [(features,), (columns, columns), *2 * [(rows, features)], (features,)]
    if [array.shape for array in (*methods[:2], *methods[8:])] != like or not trees.is_whole(methods.trees, features):
        return False
    return (len(methods.roots) == columns * TREES and rows > 0) or not len(methods.roots)


def fitted(x: np.ndarray, of_net: np.ndarray, columns: tuple[Column, ...], seed: int) -> Methods:
    """The methods, of rows x, (m, n), NaN where a value is missing, of which the net says `of_net`.

    References:
        Geurts, Ernst & Wehenkel 2006, Extremely randomized trees; Stekhoven & Bühlmann 2012, MissForest, of which the
        trees are one round; Troyanskaya et al. 2001, Missing value estimation methods for DNA microarrays, KNNimpute.
    """
    if x.shape[1] > MOST_FEATURES:
        return without(x.shape[1])
    mean, covariance = _gaussian(x, seed)
    if x.shape[1] == 1:  # which trees and neighbours would have nothing to look at
        return without(1, mean, covariance)
    chosen = permutation(seed, len(x))[:MOST_ROWS]
    x, of_net = x[chosen], of_net[chosen]
    line = conditional(x, mean, covariance)[0]
    start = np.where(np.isnan(x), _start(of_net, line, columns), x)
    grown = _grown(start, ~np.isnan(x), seed)
    donors = np.where(np.isnan(x), _by_trees(start, grown), x).astype(np.float32)
    unit = donors.std(0, dtype=np.float64)
    return Methods(mean, covariance, *grown, donors, ~np.isnan(x), np.where(unit > 0, unit, 1))


def predictions(x: np.ndarray, of_net: np.ndarray, columns: tuple[Column, ...], methods: Methods) -> np.ndarray:
    """What the net, the Gaussian, the trees and the neighbours say of all values of rows, (4, m, n).

    Without the last two it is (2, m, n), of the net alone (1, m, n). The arguments are those of `fitted`, of any rows.
    """
    if not methods.covariance.size:
        return of_net[None]
    line = conditional(x, methods.mean, methods.covariance)[0]
    if not len(methods.roots):
        return np.stack([of_net, line])
    start = np.where(np.isnan(x), _start(of_net, line, columns), x)
    of_trees = _by_trees(start, methods.trees)
    near = _by_neighbours(np.where(np.isnan(x), of_trees, x), of_trees, methods)
    return np.stack([of_net, line, of_trees, near])


def _start(of_net: np.ndarray, of_line: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """The mean of net and Gaussian, of categories what the net says: what stands in the holes that trees look at."""
    return np.where(of_categories(columns, of_net.shape[1]), of_net, (of_net + of_line) / 2)


def of_categories(columns: tuple[Column, ...], features: int) -> np.ndarray:
    """Which features are of a column of categories: (features,) bool."""
    mask = np.zeros(features, bool)
    for column in columns:
        mask[column.start : column.start + column.size] = bool(column.categories)
    return mask


# How much of each.


def shares(truth: np.ndarray, said: np.ndarray, columns: tuple[Column, ...] = ()) -> np.ndarray:
    """Of each column the shares of methods whose sum comes nearest to the truth, (k, n), on a grid of tenths.

    Nearest is the least Σ e² / e₀² + 30 m + 10 Σ (w − 1/k)², e the errors of the column's held-out values, e₀² the
    least mean of e² on the grid, and m the mean of e² / e₀² over the values of all columns: a column with few values
    has the shares that suit all of them. The Gaussian, the second, has no share in categories, whose features have the
    same shares.

    Args:
        truth: (c, n), NaN where a value is missing.
        said: (k, c, n) predictions by each method.
        columns: of a table with categories; empty where all are numbers.
    """
    count = len(said)
    grid = np.array([w for w in product(range(STEPS + 1), repeat=count) if sum(w) == STEPS]) / STEPS
    error = np.where(np.isnan(truth), 0, said - truth)
    products = np.einsum("kcn,lcn->nkl", error, error)
    squares, counts = np.einsum("gk,nkl,gl->gn", grid, products, grid), (~np.isnan(truth)).sum(0)
    for column in columns:
        if column.categories:
            part = slice(column.start, column.start + column.size)
            squares[:, part] = np.where(grid[:, 1:2] > 0, np.inf, squares[:, part].sum(1, keepdims=True))
    least = squares.min(0) / np.maximum(counts, 1)
    relative = squares / np.where(least > 0, least, 1)
    usual = np.where(np.isfinite(relative), relative, 0).sum(1, keepdims=True) / max(counts.sum(), 1)
    equal = np.square(grid - 1 / count).sum(1, keepdims=True)
    return grid[(relative + OF_ALL * usual + OF_NONE * equal).argmin(0)].T


# The Gaussian.


def _gaussian(x: np.ndarray, seed: int) -> Pair:
    """The mean (n,) and the covariance (n, n) of rows (m, n), NaN where a value is missing.

    References:
        Dempster, Laird & Rubin 1977, Maximum likelihood from incomplete data via the EM algorithm, section 4.1.3.
    """
    x = x[permutation(seed, len(x))[:GAUSSIAN_ROWS]]
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


# Trees.


def _grown(x: np.ndarray, seen: np.ndarray, seed: int) -> Trees:
    """Trees for each column of rows without holes, (m, n), grown from the rows where it was seen."""
    from sklearn.ensemble import ExtraTreesRegressor

    x, fewest, grown = x.astype(np.float32), max(2, len(x) // LEAVES), []
    for column in range(x.shape[1]):
        others, rows = np.delete(np.arange(x.shape[1]), column), seen[:, column]
        rows = rows if rows.any() else np.ones_like(rows)
        model = ExtraTreesRegressor(TREES, min_samples_leaf=fewest, max_depth=DEPTH, random_state=seed)
        model.fit(x[rows][:, others], x[rows, column])
        grown += [(tree.tree_, others) for tree in model.estimators_]
    return trees.as_arrays(grown, lambda tree: tree.value[:, 0, 0])


def _by_trees(x: np.ndarray, grown: Trees) -> np.ndarray:
    """What the trees say of each column of rows without holes, (m, n) float64: the mean over its trees."""
    columns = (grown._replace(roots=roots) for roots in grown.roots.reshape(-1, TREES))
    means = [trees.leaves(x, each, DEPTH).mean(1, dtype=np.float64) for each in columns]
    return np.stack(means, 1)


# Neighbours.


def _by_neighbours(x: np.ndarray, otherwise: np.ndarray, methods: Methods) -> np.ndarray:
    """The mean of what was observed of the nearest donors, each with the weight 1 / distance², (m, n).

    Args:
        x: (m, n), without holes.
        otherwise: (m, n) what is said where none of them was observed.
        methods: that the donors are of.
    """
    known, rows = methods.donors / methods.unit, x / methods.unit
    apart, index = outliers.nearest(known, rows, neighbours=min(NEIGHBOURS, len(known)))
    out = np.empty(x.shape)
    for part in np.array_split(np.arange(len(x)), -(-len(x) // 1000) or 1):
        weight = methods.observed[index[part]] / np.square(np.maximum(apart[part], NEAREST))[..., None]
        total, summed = weight.sum(1), (weight * methods.donors[index[part]]).sum(1)
        out[part] = np.where(total > 0, summed / np.where(total > 0, total, 1), otherwise[part])
    return out
