"""Principal components: the baseline of a reconstruction, with as many numbers for a row as the code spends on it."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from aejax import metrics
from aejax.tasks.common import cached


def active_units(active_fraction: float, units: int) -> int:
    """How many numbers a code spends on a row: all of its units, of a sparse code those that are active in the mean.

    Args:
        active_fraction: share of the units that are active in the mean.
        units: of the code.

    Returns:
        The number of active units where these are fewer than half, 0 of a dead code; else all.
    """
    active = round(active_fraction * units)
    return active if active < units // 2 else units


def pca_errors(train: np.ndarray, rows: np.ndarray, mask: np.ndarray | None, counts: Iterable[int]) -> dict[int, float]:
    """Mean squared error of rows rebuilt by PCA of the training rows, by the number of components; by the mean for 0.

    Args:
        train: (m, n).
        rows: (k, n).
        mask: (k, n) bool, True where observed; None where everything is.
        counts: numbers of components; of those that are more than PCA has, all are taken.
    """
    counts = set(counts)
    pca = fitted_pca(train, max(1, *counts))
    scores = pca.transform(rows)
    rebuilt = lambda count: (scores[:, :count] @ pca.components_[:count] + pca.mean_).astype(np.float32)
    return {count: metrics.mse(rows, rebuilt(count), mask) for count in counts}


def pca_reconstruction(train: np.ndarray, rows: np.ndarray, components: int) -> np.ndarray:
    """Rows projected on the leading principal components of the training rows, and back: (m, n)."""
    pca = fitted_pca(train, components)
    return pca.inverse_transform(pca.transform(rows)).astype(np.float32)


@cached
def fitted_pca(train: np.ndarray, components: int) -> Any:
    """scikit-learn's PCA of the training rows, with as many of the components as there are.

    Of many wide rows a few components are found by Lanczos iteration: all of them would take minutes.
    """
    from sklearn.decomposition import PCA

    components, least = min(components, *train.shape), min(train.shape)
    if train.shape[1] <= 2000:
        solver = "covariance_eigh"
    else:
        solver = "arpack" if least > 2000 and components < least // 10 else "full"
    return PCA(components, svd_solver=solver, random_state=0).fit(train)
