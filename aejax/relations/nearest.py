"""Which rows are nearest to each other by the angle between them, for rows with and without their zeros."""

from typing import Any

import numpy as np

from aejax.config.bounds import Count
from aejax.data.sparse import is_sparse, to_csr

BLOCK = 1 << 22  # pairs compared together, so that memory does not grow with the square of the rows


def cosine(x: Any, *, neighbours: Count = 10) -> dict[str, Any]:
    """The rows with the largest cosine, x_i·x_j / (‖x_i‖ ‖x_j‖), to each row.

    Args:
        x: (rows, n) scaled rows, dense or sparse; a row of zeros is as far from every other.
        neighbours: k, of each row; all others where there are fewer, itself where there are none.

    Returns:
        ``index``: (rows, k) int32, the places of a row's neighbours, nearest first.
    """
    directions = unit(x)
    k = min(neighbours, len(x) - 1)
    if k < 1:
        return {"index": np.zeros((len(x), 1), np.int32)}
    step, index = max(1, BLOCK // len(x)), []
    for start in range(0, len(x), step):
        apart = -similarities(directions[start : start + step], directions)
        np.fill_diagonal(apart[:, start:], np.inf)
        nearest = np.argpartition(apart, k - 1, axis=1)[:, :k]
        order = np.argsort(np.take_along_axis(apart, nearest, axis=1), axis=1, kind="stable")
        index.append(np.take_along_axis(nearest, order, axis=1).astype(np.int32))
    return {"index": np.concatenate(index)}


def unit(x: Any) -> Any:
    """Rows, also scipy's sparse ones, divided by their length; rows of zeros stay zeros."""
    from sklearn.preprocessing import normalize

    return normalize(to_csr(x) if is_sparse(x) else x)


def similarities(some: Any, others: Any) -> np.ndarray:
    """The inner products of some rows with others: (k, rows)."""
    products = some @ others.T
    return products if isinstance(products, np.ndarray) else products.toarray()
