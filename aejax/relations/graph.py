"""The graph of nearest neighbours: who they are, and distances along the data, which are its shortest paths."""

from itertools import combinations
from typing import Any

import numpy as np

from aejax.config.bounds import Count, Natural
from aejax.errors import UserError
from aejax.relations.components import principal_components

MOST_ROWS = 20_000  # 1.6 GB of distances


def nearest(x: np.ndarray, *, neighbours: Count = 10, components: Natural = 0) -> dict[str, Any]:
    """Each row's nearest other rows, by Euclidean distance.

    All pairs are compared, a block of them at a time, so that the memory needed is that of the answer. Where there are
    many rows of many features, their leading principal components save most of the time.

    Args:
        x: (rows, n) scaled rows.
        neighbours: k, of each row; all others where there are fewer.
        components: principal components that distances are measured in; 0: in all features.

    Returns:
        ``index``: (rows, k) int32, the places of its neighbours among the rows, nearest first.
    """
    if len(x) < 2:
        return {"index": np.zeros((len(x), 1), np.int32)}
    from sklearn.neighbors import NearestNeighbors

    if 0 < components < min(x.shape):
        x = principal_components(x, components).transform(x)
    finder = NearestNeighbors(n_neighbors=min(neighbours, len(x) - 1), algorithm="brute").fit(x)
    return {"index": finder.kneighbors(return_distance=False).astype(np.int32)}


def walks(
    x: np.ndarray,
    *,
    neighbours: Count = 5,
    steps: Count = 8,
    draws: Count = 64,
    components: Natural = 0,
    seed: Natural = 0,
) -> dict[str, Any]:
    """Where random walks along the graph of nearest neighbours end: rows that are connected, near or not.

    A walk goes from a row to one of its nearest neighbours, each as likely, and so on. After many steps it is where
    the row's cluster is; after one, at a neighbour.

    Args:
        x: (rows, n) scaled rows.
        neighbours: k, of each row.
        steps: of a walk.
        draws: walks from each row.
        components: as in `nearest`.
        seed: of the walks.

    Returns:
        ``index``: (rows, draws) int32, the places where they end.
    """
    graph = nearest(x, neighbours=neighbours, components=components)["index"]
    turns = np.random.Philox(seed)  # its raw output is the same in every version of NumPy
    at = np.repeat(np.arange(len(x), dtype=np.int32)[:, None], draws, axis=1)
    for _ in range(steps):
        at = graph[at, (turns.random_raw(at.size) % graph.shape[1]).astype(np.int32).reshape(at.shape)]
    return {"index": at}


def geodesics(x: np.ndarray, *, neighbours: Count = 10) -> dict[str, Any]:
    """The length of the shortest path between any two rows, over edges from each row to its nearest neighbours.

    An edge is as long as its ends are apart. Where the graph falls into pieces, the nearest rows of two pieces are
    joined, for the fewest edges that make it whole. Validation rows are fewer than training rows, so theirs is a
    coarser graph, and a term's validation value no measure of the training one.

    Args:
        x: (rows, n) scaled rows.
        neighbours: of each row; all of them where there are fewer.

    Returns:
        ``distance``: (rows, rows) float32, symmetric, in the units of the scaled data.

    Raises:
        UserError: the distances of so many rows would not fit in memory.

    References:
        Tenenbaum, de Silva & Langford 2000, A global geometric framework for nonlinear dimensionality reduction.
    """
    if len(x) > MOST_ROWS:
        raise UserError(
            f"graph.geodesics: {len(x)} rows have too many distances; "
            f"allowed: at most {MOST_ROWS} (data.rows, or a larger data.test)"
        )
    if len(x) < 2:
        return {"distance": np.zeros((len(x), len(x)), np.float32)}
    from scipy.sparse.csgraph import shortest_path
    from sklearn.neighbors import NearestNeighbors

    x = np.asarray(x, np.float64)
    finder = NearestNeighbors(n_neighbors=min(neighbours, len(x) - 1)).fit(x)
    lengths, ends = finder.kneighbors()
    starts = np.repeat(np.arange(len(x)), lengths.shape[1])
    edges = whole(x, starts, ends.ravel(), lengths.ravel())
    return {"distance": shortest_path(edges, method="D", directed=False).astype(np.float32)}


def whole(x: np.ndarray, starts: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> Any:
    """The sparse graph of these edges, with the shortest edges between its pieces that make it one piece."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
    from scipy.spatial.distance import cdist

    tiny = np.finfo(np.float64).tiny  # rows in the same place: an edge of length 0 would be none
    graph = lambda s, e, d: csr_array((np.maximum(d, tiny), (s, e)), shape=(len(x), len(x)))
    edges = graph(starts, ends, lengths)
    count, piece = connected_components(edges, directed=False)
    if count == 1:
        return edges
    gaps, links = np.zeros((count, count)), {}
    for a, b in combinations(range(count), 2):
        one, other = np.flatnonzero(piece == a), np.flatnonzero(piece == b)
        apart = cdist(x[one], x[other])
        row, column = np.unravel_index(apart.argmin(), apart.shape)
        gaps[a, b] = max(apart[row, column], tiny)
        links[a, b] = (one[row], other[column], apart[row, column])
    chosen = [links[pair] for pair in zip(*minimum_spanning_tree(gaps).nonzero(), strict=True)]
    more = map(np.array, zip(*chosen, strict=True))
    return graph(*(np.concatenate(both) for both in zip((starts, ends, lengths), more, strict=True)))
