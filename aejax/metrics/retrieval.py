"""How much of what is retrieved is of the query's class; among rows at the same distance, chance decides."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCK = 64  # queries whose distances to all rows are held together
LEAST_PAIRS = 100  # whose mean says something

Random = np.random.Generator
Distances = Callable[[np.ndarray], np.ndarray]  # ``indices of queries, (k,) -> (k, m)``: their distances to all rows


class Curve(NamedTuple):
    """Precision and recall.

    Attributes:
        counts: numbers of retrieved rows, (c,).
        precisions: (c,) the share of them that are of the query's class.
        recalls: (c,) the share of the class's rows that are among them.
    """

    counts: np.ndarray
    precisions: np.ndarray
    recalls: np.ndarray


def shuffled_ties(distances: np.ndarray, random: Random) -> np.ndarray:
    """Distances that no two rows share, in an order that keeps those that differ; ties come in random order."""
    return distances + 1e-9 * random.random(distances.shape)  # in float64, below what float32 tells apart near 1


def precision(distances: Distances, wanted: np.ndarray, labels: np.ndarray, retrieved: int, random: Random) -> float:
    """The share of the nearest rows that are of the query's class, over all queries.

    Args:
        distances: of the queries to the rows.
        wanted: (k,) classes of the queries.
        labels: (m,) classes of the rows.
        retrieved: how many of the nearest rows count.
        random: of the order of ties.
    """
    hits = 0
    for index in _blocks(np.arange(len(wanted))):
        apart = shuffled_ties(distances(index), random)
        nearest = np.argpartition(apart, retrieved - 1, axis=1)[:, :retrieved]
        hits += int((labels[nearest] == wanted[index, None]).sum())
    return hits / (len(wanted) * retrieved)


def curve(distances: Distances, queries: np.ndarray, wanted: np.ndarray, labels: np.ndarray, random: Random) -> Curve:
    """Precision and recall of the nearest 1, 2, 4, … rows, as in Salakhutdinov & Hinton 2009.

    Args:
        distances: of the queries to the rows.
        queries: the indices of those that are looked at.
        wanted: (k,) classes of all queries.
        labels: (m,) classes of the rows.
        random: of the order of ties.
    """
    counts = np.unique(np.append(2 ** np.arange(int(np.log2(len(labels))) + 1), len(labels)))
    of_class = np.bincount(labels, minlength=int(wanted.max()) + 1)
    precisions, recalls = np.zeros(len(counts)), np.zeros(len(counts))
    for index in _blocks(queries):
        order = np.argsort(shuffled_ties(distances(index), random), axis=1)
        right = (labels[order] == wanted[index, None]).cumsum(1)[:, counts - 1]
        precisions += (right / counts).sum(0)
        recalls += (right / np.maximum(of_class[wanted[index]], 1)[:, None]).sum(0)
    return Curve(counts, precisions / len(queries), recalls / len(queries))


def by_distance(steps: Distances, values: Distances, queries: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a value over all pairs at each whole distance.

    Args:
        steps: whole distances of the queries to the rows, at most `most`.
        values: what is averaged, of the same pairs.
        queries: the indices of those that are looked at.
        most: the largest distance there can be.

    Returns:
        Means, nan where there is no pair, and numbers of pairs: (most + 1,) each.
    """
    sums, pairs = np.zeros(most + 1), np.zeros(most + 1)
    for index in _blocks(queries):
        apart = steps(index).ravel()
        sums += np.bincount(apart, values(index).ravel(), most + 1)
        pairs += np.bincount(apart, minlength=most + 1)
    return np.where(pairs > 0, sums / np.maximum(pairs, 1), np.nan), pairs.astype(np.int64)


def _blocks(index: np.ndarray) -> list[np.ndarray]:
    return [index[start : start + BLOCK] for start in range(0, len(index), BLOCK)]


def rising(means: np.ndarray, pairs: np.ndarray) -> float:
    """Spearman's rank correlation of the distances 0, 1, … and the means there, where there are 100 pairs or more.

    Returns:
        1 where the mean rises from each distance to the next; nan with fewer than two distances.
    """
    from scipy.stats import spearmanr

    seen = np.flatnonzero(pairs >= LEAST_PAIRS)
    return float(spearmanr(seen, means[seen]).statistic) if len(seen) > 1 else float("nan")
