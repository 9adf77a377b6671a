"""How groups of rows agree with classes, and with other groups."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def purity(groups: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows that are of the most frequent class of their group: (1/m) Σ_g max_c |g ∩ c|.

    Args:
        groups: (m,) numbers of groups.
        labels: (m,) classes.

    Returns:
        In (0, 1]; 1 where no group mixes classes, which many small groups reach more easily than few.
    """
    _, places = np.unique(groups, return_inverse=True)
    table = np.zeros((places.max() + 1, labels.max() + 1), int)
    np.add.at(table, (places, labels), 1)
    return float(table.max(1).sum() / len(labels))


def shared(groups: np.ndarray, labels: np.ndarray | None = None) -> float:
    """How likely two different rows, of the same class where labels are given, are in the same group.

    Args:
        groups: (m,) numbers of groups.
        labels: (m,) classes; None for any two rows.

    Returns:
        In [0, 1]; nan where there are no two such rows.
    """
    pairs = lambda counts: float((counts * (counts - 1.0)).sum())
    labels = np.zeros(len(groups), int) if labels is None else labels
    of_class = np.unique(labels, return_counts=True)[1]
    of_both = np.unique(np.column_stack([groups, labels]), axis=0, return_counts=True)[1]
    return pairs(of_both) / pairs(of_class) if pairs(of_class) else float("nan")


def stability(groupings: Sequence[np.ndarray]) -> float:
    """The mean adjusted Rand index between any two groupings of the same rows: 1 where all agree, 0 by chance."""
    from sklearn.metrics import adjusted_rand_score

    return float(np.mean([adjusted_rand_score(a, b) for a, b in combinations(groupings, 2)]))
