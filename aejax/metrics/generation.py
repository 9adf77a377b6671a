"""How like real rows generated ones are, given features of both; arrays in, numbers out."""

import numpy as np

from aejax.metrics import squared_distances, to_others

BLOCK = 1000  # rows whose distances to all others are held at once


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
