"""Principal components of rows: the linear code that every other one is compared with."""

from typing import Any, NamedTuple

import numpy as np


class Components(NamedTuple):
    """A linear code of rows: h = (x − mean) Cᵀ, and back x̂ = h C + mean.

    Attributes:
        mean: (n,) of the rows.
        components: C, (k, n), orthonormal, by falling variance; the largest weight of each is positive.
        variances: (k,) of the rows along each, divided by their number less one.
    """

    mean: np.ndarray
    components: np.ndarray
    variances: np.ndarray

    def transform(self, rows: Any) -> np.ndarray:
        """The codes of rows, (m, n) to (m, k)."""
        return rows @ self.components.T - self.mean[None] @ self.components.T

    def inverse_transform(self, codes: np.ndarray) -> np.ndarray:
        """The rows that codes stand for, (m, k) to (m, n)."""
        return codes @ self.components + self.mean


def principal_components(rows: Any, count: int) -> Components:
    """The directions along which rows vary most: the leading eigenvectors of their covariance.

    Rows of many numbers, of which a few components are wanted, are left to scikit-learn's Lanczos iteration: all of
    them would take minutes.

    Args:
        rows: (m, n) float32 or float64, the type of the answer; an array, or sparse rows of scipy.
        count: components wanted; as many as there are where it is more.

    References:
        Jolliffe 2002, Principal component analysis, chapter 1; bit for bit what scikit-learn's PCA gives with
        ``svd_solver="covariance_eigh"``, without the seconds that importing it takes.

    >>> line = principal_components(np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]]), 1)
    >>> line.transform(np.array([[3.0, 6.0]])).round(4)
    array([[4.4721]])
    """
    size, width = rows.shape
    count, least = min(count, size, width), min(size, width)
    if width > 2000 and least > 2000 and count < least // 10:
        from sklearn.decomposition import PCA

        lanczos = PCA(count, svd_solver="arpack", random_state=0).fit(rows)
        return Components(lanczos.mean_, lanczos.components_, lanczos.explained_variance_)
    mean, dense = rows.mean(0), lambda matrix: matrix.toarray() if hasattr(matrix, "toarray") else matrix
    if width > 2000:
        _, spread, components = np.linalg.svd(dense(rows) - mean, full_matrices=False)
        variances = spread**2 / (size - 1)
    else:
        covariance = dense(rows.T @ rows)
        covariance -= size * mean[:, None] * mean[None]
        covariance /= size - 1
        variances, components = (np.flip(each, -1) for each in np.linalg.eigh(covariance))
        variances, components = np.maximum(variances, 0.0), components.T
    largest = np.abs(components).argmax(1)
    components = components * np.sign(components[np.arange(len(components)), largest])[:, None]
    return Components(mean, np.array(components[:count]), variances[:count])
