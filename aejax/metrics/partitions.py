"""How votes, groups and clusters of rows agree with classes, with other groups, and with the rows' neighbours."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np


def classification(labels: np.ndarray, votes: np.ndarray) -> dict[str, float]:
    """Accuracy, macro F-score and macro AUC of a classifier.

    Args:
        labels: (m,) true classes, all of 0 to c − 1 among them.
        votes: (m, c) how much speaks for each class; each row sums to 1. The first of the largest is the answer.

    Returns:
        ``accuracy``; ``f_score``, the mean of 2PR / (P + R) over classes, 0 for a class that is neither found nor
        wrongly named; ``auc``, the mean over classes of the area under the curve of each against all others (with two
        classes, that of the second).
    """
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    answers, classes = votes.argmax(1), np.arange(votes.shape[1])
    by = votes[:, 1] if len(classes) == 2 else votes
    return {
        "accuracy": float(accuracy_score(labels, answers)),
        "f_score": float(f1_score(labels, answers, labels=classes, average="macro", zero_division=0.0)),
        "auc": float(roc_auc_score(labels, by, average="macro", multi_class="ovr", labels=classes)),
    }


def purity(groups: np.ndarray, labels: np.ndarray) -> float:
    """The share of rows that are of the most frequent class of their group: (1/m) Σ_g max_c |g ∩ c|.

    Args:
        groups: (m,) numbers of groups.
        labels: (m,) classes.

    Returns:
        In (0, 1]; 1 where no group mixes classes, which many small groups reach more easily than few.
    """
    _, numbers = np.unique(groups, return_inverse=True)
    return float(_table(numbers, labels).max(1).sum() / len(labels))


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


def accuracy(labels: np.ndarray, clusters: np.ndarray) -> float:
    """Share of rows whose cluster stands for their class, max over one-to-one pairings of clusters with classes.

    Args:
        labels: (m,) classes, whole numbers from 0.
        clusters: (m,) clusters, likewise; those left over, where they are more, stand for no class.

    Returns:
        In [0, 1].

    References:
        Kuhn 1955, The Hungarian method for the assignment problem.
    """
    return float((matching(labels, clusters)[clusters] == labels).mean())


def matching(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """The class that each cluster stands for, in the pairing that puts most rows right: (clusters,), −1 for none."""
    from scipy.optimize import linear_sum_assignment

    table = _table(clusters, labels)
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes = np.full(len(table), -1)
    classes[rows] = columns
    return classes


def _table(groups: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many rows of each group are of each class, both whole numbers from 0: (groups, classes)."""
    table = np.zeros((int(groups.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (groups, labels), 1)
    return table


def modularity(neighbours: np.ndarray, clusters: np.ndarray) -> float:
    """Whether neighbours share a cluster, more than by chance: Q = Σ_c [e_c/E − (d_c/2E)²].

    The graph has an edge between two rows where either is among the other's nearest neighbours; e_c edges of E lie
    within cluster c, and its rows have d_c ends of edges. No class is needed.

    Args:
        neighbours: (m, k) places of each row's nearest neighbours, from `aejax.relations.graph.nearest`.
        clusters: (m,) clusters, whole numbers from 0.

    Returns:
        At most 1; 0 for a single cluster, and near 0 for clusters by lot.

    References:
        Newman & Girvan 2004, Finding and evaluating community structure in networks, equation 5.
    """
    starts = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    ends = neighbours.ravel().astype(np.int64)
    edges = np.unique(np.minimum(starts, ends) * len(neighbours) + np.maximum(starts, ends))  # each pair once
    a, b = clusters[edges // len(neighbours)], clusters[edges % len(neighbours)]
    count = int(clusters.max()) + 1
    inside = np.bincount(a[a == b], minlength=count) / len(edges)
    ends_of = (np.bincount(a, minlength=count) + np.bincount(b, minlength=count)) / (2 * len(edges))
    return float((inside - np.square(ends_of)).sum())
