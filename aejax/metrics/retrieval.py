"""How much of what is retrieved is of the query's class; among rows at the same distance, chance decides."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

BLOCK = 256  # queries whose distances to all rows are held together
CURVE_QUERIES = 1000

Distances = Callable[[slice], np.ndarray]
"""``queries -> (k, m)``: the distances of some queries to all rows."""


class Retrieval(NamedTuple):
    """What a way of retrieving rows finds.

    Attributes:
        precision: share of the first retrieved rows that are of the query's class, over all queries.
        counts: numbers of retrieved rows, (c,).
        precisions: (c,) the same share at each of these numbers, over the first queries.
        recalls: (c,) share of the class's rows that are among them.
    """

    precision: float
    counts: np.ndarray
    precisions: np.ndarray
    recalls: np.ndarray


def shuffled_ties(distances: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Distances that no two rows share, in an order that keeps those that differ; ties come in random order."""
    return distances + 1e-9 * random.random(distances.shape)  # in float64, below what float32 tells apart near 1


def retrieval(
    distances: Distances, wanted: np.ndarray, labels: np.ndarray, *, retrieved: int, random: np.random.Generator
) -> Retrieval:
    """Precision of the nearest rows, and precision and recall at powers of two, as in Salakhutdinov & Hinton 2009.

    Args:
        distances: of the queries to the rows.
        wanted: (k,) classes of the queries.
        labels: (m,) classes of the rows.
        retrieved: how many of the nearest rows count.
        random: of the order of ties.
    """
    counts = np.unique(np.append(2 ** np.arange(int(np.log2(len(labels))) + 1), len(labels)))
    of_class = np.bincount(labels, minlength=int(max(wanted.max(), labels.max())) + 1)
    hits, precisions, recalls, drawn = 0, np.zeros(len(counts)), np.zeros(len(counts)), 0
    for start in range(0, len(wanted), BLOCK):
        block = slice(start, min(start + BLOCK, len(wanted)))
        apart = shuffled_ties(distances(block), random)
        nearest = np.argpartition(apart, retrieved - 1, axis=1)[:, :retrieved]
        hits += int((labels[nearest] == wanted[block, None]).sum())
        if start < CURVE_QUERIES:
            right = (labels[np.argsort(apart, axis=1)] == wanted[block, None]).cumsum(1)[:, counts - 1]
            precisions += (right / counts).sum(0)
            recalls += (right / np.maximum(of_class[wanted[block]], 1)[:, None]).sum(0)
            drawn += len(right)
    return Retrieval(hits / (len(wanted) * retrieved), counts, precisions / drawn, recalls / drawn)


def by_distance(steps: Distances, values: Distances, queries: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean of a value over all pairs at each whole distance.

    Args:
        steps: whole distances of the queries to the rows, at most `most`.
        values: what is averaged, of the same pairs.
        queries: how many there are.
        most: the largest distance there can be.

    Returns:
        Means, nan where there is no pair, and numbers of pairs: (most + 1,) each.
    """
    sums, pairs = np.zeros(most + 1), np.zeros(most + 1)
    for start in range(0, queries, BLOCK):
        block = slice(start, min(start + BLOCK, queries))
        apart = steps(block).ravel()
        sums += np.bincount(apart, values(block).ravel(), most + 1)
        pairs += np.bincount(apart, minlength=most + 1)
    return np.where(pairs > 0, sums / np.maximum(pairs, 1), np.nan), pairs.astype(np.int64)


def rising(means: np.ndarray, pairs: np.ndarray, *, least: int = 100) -> float:
    """Spearman's rank correlation of the distances 0, 1, … and the means there, where there are `least` pairs or more.

    Returns:
        1 where the mean rises from each distance to the next; nan with fewer than two distances.
    """
    from scipy.stats import spearmanr

    seen = np.flatnonzero(pairs >= least)
    return float(spearmanr(seen, means[seen]).statistic) if len(seen) > 1 else float("nan")
