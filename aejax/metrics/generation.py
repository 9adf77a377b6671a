"""How like real rows generated ones are, given features of both; arrays in, numbers out."""

from collections.abc import Sequence

import numpy as np

from aejax.metrics import squared_distances, to_others
from aejax.types import Column

BLOCK = 1000  # rows whose distances to all others are held at once
FOLDS, TREES = 5, 100  # of the forest that tells made rows from real ones
QUARTERS = (0.25, 0.5, 0.75)


def frechet_distance(real: np.ndarray, made: np.ndarray) -> float:
    """‖μ_r − μ_g‖² + tr(C_r + C_g − 2 (C_r C_g)^½), with means and covariances of features: that of two Gaussians.

    tr (C_r C_g)^½ is the sum of the roots of the eigenvalues of the symmetric C_r^½ C_g C_r^½. Of more features than
    rows, as of photographs, it is the sum of the singular values of A_r A_gᵀ, with C = AᵀA.

    Args:
        real: (m, k) features of real rows, m ≥ 2.
        made: (l, k) features of generated rows, l ≥ 2.

    Returns:
        At least 0, in squared units of the features; 0 where mean and covariance are the same.

    References:
        Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6.
    """
    real, made = real.astype(np.float64), made.astype(np.float64)
    apart = np.square(real.mean(0) - made.mean(0)).sum()
    if real.shape[1] > len(real) + len(made):
        halves = [(rows - rows.mean(0)) / np.sqrt(len(rows) - 1) for rows in (real, made)]
        shared = np.linalg.svd(halves[0] @ halves[1].T, compute_uv=False).sum()
        return float(max(apart + sum(np.square(half).sum() for half in halves) - 2 * shared, 0.0))
    covariances = [np.cov(rows.T).reshape(rows.shape[1], rows.shape[1]) for rows in (real, made)]
    values, vectors = np.linalg.eigh(covariances[0])
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    shared = np.linalg.eigvalsh(root @ covariances[1] @ root)
    total = apart + sum(map(np.trace, covariances)) - 2 * np.sqrt(np.maximum(shared, 0)).sum()
    return float(max(total, 0.0))


def coverage(real: np.ndarray, made: np.ndarray, *, neighbours: int) -> dict[str, float]:
    """Whether generated rows lie among real ones, and the other way round.

    With B(y) the ball around a row y that reaches to its k-th nearest neighbour among its own kind:

    - ``precision``: share of generated rows in any B(real); ``recall``: share of real rows in any B(generated).
    - ``density``: mean over generated rows of (1/k) · the number of B(real) that hold it: near 1 for real rows, and not
      raised by the wide ball of one outlier. ``coverage``: share of B(real) that hold a generated row.

    Args:
        real: (m, f) features of real rows, m > k.
        made: (l, f) features of generated rows, l > k.
        neighbours: k.

    Returns:
        The four numbers by name.

    References:
        Kynkäänniemi et al. 2019, Improved precision and recall metric, equations 1 and 2. Naeem et al. 2020, Reliable
        fidelity and diversity metrics for generative models, equations 4 and 5.
    """
    real_radius, made_radius = (_radii(rows, neighbours) for rows in (real, made))
    held, inside, covered, recalled = 0, 0, np.zeros(len(real), bool), np.zeros(len(real), bool)
    for start in range(0, len(made), BLOCK):
        rows = slice(start, start + BLOCK)
        apart = np.maximum(squared_distances(made[rows], real), 0.0)
        within = apart < real_radius[None]
        held += int(within.sum())
        inside += int(within.any(1).sum())
        covered |= within.any(0)
        recalled |= (apart < made_radius[rows, None]).any(0)
    return {
        "precision": inside / len(made),
        "recall": float(recalled.mean()),
        "density": held / (neighbours * len(made)),
        "coverage": float(covered.mean()),
    }


def _radii(rows: np.ndarray, neighbours: int) -> np.ndarray:
    """The squared distance of each row to its k-th nearest among the others."""
    blocks = (to_others(rows, slice(start, start + BLOCK)) for start in range(0, len(rows), BLOCK))
    return np.maximum(np.concatenate([np.partition(apart, neighbours - 1)[:, neighbours - 1] for apart in blocks]), 0.0)


def nearest_rows(points: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which row is nearest to each point, and how far it is.

    The row is found in float32, which may choose one of two that are equally near to six digits; its distance is exact.

    Args:
        points: (m, n).
        rows: (l, n).

    Returns:
        Indices (m,) and Euclidean distances (m,).
    """
    middle = rows.mean(0, dtype=np.float64).astype(np.float32)
    points, rows = points.astype(np.float32) - middle, rows.astype(np.float32) - middle
    half = 0.5 * np.square(rows).sum(1)
    blocks = [points[start : start + 256] for start in range(0, len(points), 256)]
    nearest = np.concatenate([(half[None] - block @ rows.T).argmin(1) for block in blocks])
    return nearest, np.sqrt(np.square(points.astype(np.float64) - rows[nearest]).sum(1))


# Rows of a table, (m, n), NaN where a value is missing; a category has the features that its `Column` says.


def c2st_auc(real: np.ndarray, made: np.ndarray) -> float:
    """How well a random forest tells made rows from real ones: the classifier two-sample test, by the area under ROC.

    Of each row it is asked by trees that did not see it, in a stratified cross-validation of 5 folds.

    Args:
        real: (m, n) rows, m ≥ 2, that the made ones were not fitted to.
        made: (l, n) rows, l ≥ 2; as many as real ones are best.

    Returns:
        1 where every row is told, near .5 where none is; below .5 by chance, or where rows of both kinds are the same.

    References:
        Lopez-Paz & Oquab 2017, Revisiting classifier two-sample tests, section 3, with the AUC for the accuracy.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    rows, is_made = np.concatenate([real, made]), np.repeat([0, 1], [len(real), len(made)])
    folds = StratifiedKFold(min(FOLDS, len(real), len(made)), shuffle=True, random_state=0)
    forest = RandomForestClassifier(TREES, random_state=0)
    chances = cross_val_predict(forest, rows, is_made, cv=folds, method="predict_proba")
    return float(roc_auc_score(is_made, chances[:, 1]))


def column_error(real: np.ndarray, made: np.ndarray, columns: Sequence[Column]) -> float:
    """How far each column alone is from the real one: the mean over columns of a distance of distributions in [0, 1].

    Of numbers it is sup_t |F(t) − G(t)| (Kolmogorov–Smirnov), of categories ½ Σ_c |p_c − q_c| (total variation).

    Args:
        real: (m, n).
        made: (l, n).
        columns: of the n features.
    """
    from scipy.stats import ks_2samp

    errors = []
    for column in columns:
        both = [rows[~np.isnan(rows[:, column.start])] for rows in (real, made)]
        if not all(map(len, both)):
            continue
        if column.categories:
            shares = [_indicators(rows, column, real).mean(0) for rows in both]
            errors.append(np.abs(shares[0] - shares[1]).sum() / 2)
        else:
            errors.append(ks_2samp(*(rows[:, column.start] for rows in both), method="asymp").statistic)
    return float(np.mean(errors))


def pair_error(real: np.ndarray, made: np.ndarray, columns: Sequence[Column]) -> float:
    """How far pairs of columns are from the real ones: the mean over pairs of a number in [0, 1]; 0 of one column.

    Of two columns of numbers it is ½ |ρ − ρ'|, with Pearson's correlation; of others ½ Σ |P_ab − P'_ab|, the total
    variation of contingency tables, numbers cut at the real quartiles. Tables of few rows differ by chance: look at
    that of other real rows.

    Args:
        real: (m, n).
        made: (l, n).
        columns: of the n features.
    """
    if len(columns) < 2:
        return 0.0
    tables, correlations = [], []
    for rows in (real, made):
        cells = [_indicators(rows, column, real) for column in columns]
        every = np.concatenate(cells, 1)
        tables.append(every.T @ every / len(rows))
        correlations.append(_correlations(rows[:, [column.start for column in columns]]))
    starts = np.cumsum([0, *(part.shape[1] for part in cells[:-1])])
    apart = np.add.reduceat(np.add.reduceat(np.abs(tables[0] - tables[1]), starts, 0), starts, 1)
    is_number = np.array([not column.categories for column in columns])
    apart = np.where(np.outer(is_number, is_number), np.abs(correlations[0] - correlations[1]), apart) / 2
    return float(apart[np.triu_indices(len(columns), 1)].mean())


def _indicators(rows: np.ndarray, column: Column, real: np.ndarray) -> np.ndarray:
    """In which category, or quarter of the real values, each row lies, (m, k) of 0 and 1; all 0 where it is missing."""
    values = rows[:, column.start : column.start + column.size].astype(np.float64)
    if column.categories:
        return np.nan_to_num(np.concatenate([1 - values, values], 1) if column.size == 1 else values)
    edges = np.nanquantile(real[:, column.start].astype(np.float64), QUARTERS)
    quarter = np.searchsorted(edges, values[:, 0], side="right")
    return (np.arange(len(edges) + 1) == quarter[:, None]) * ~np.isnan(values)


def _correlations(x: np.ndarray) -> np.ndarray:
    """Pearson's, of columns (m, k); a missing value counts as the mean, and a column that does not vary has 0."""
    centred = np.nan_to_num(x.astype(np.float64) - np.nanmean(x, 0))
    length = np.linalg.norm(centred, axis=0)
    unit = centred / np.where(length > 0, length, 1)
    return unit.T @ unit


def nearer_to_training(made: np.ndarray, train: np.ndarray, held_out: np.ndarray) -> float:
    """The share of made rows that are nearer to a training row than to a held-out one; rows as near count half.

    Args:
        made: (m, n) scaled rows.
        train: (l, n) rows that they were fitted to.
        held_out: (l, n) as many others of the same data.

    Returns:
        .5 where made rows do not depend on which rows were seen; above, they come near to copies of these.
    """
    of_train, of_others = (nearest_rows(made, rows)[1] for rows in (train, held_out))
    return float((of_train < of_others).mean() + (of_train == of_others).mean() / 2)
