"""How good a partition of rows is: beside classes, and beside the graph of the rows' neighbours, which needs none."""

import numpy as np


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

    table = np.zeros((int(clusters.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (clusters, labels), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    classes = np.full(len(table), -1)
    classes[rows] = columns
    return classes


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
