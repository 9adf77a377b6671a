"""Codes as packed bits: distances by exclusive-or and population count, and look-up of a Hamming ball by address."""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

WORD = 64
BLOCK = 1 << 16  # codes of one word that a processor's cache holds
MOST_ADDRESS_BITS = 24  # a table of 2^24 places takes 67 MB


def pack(bits: np.ndarray) -> np.ndarray:
    """Bits, (m, d) bool, as (m, ⌈d/64⌉) uint64; what is left of the last word is 0."""
    words = -(-bits.shape[1] // WORD)
    padded = np.zeros((len(bits), words * WORD), bool)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view(np.uint64)


def distances(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """In how many bits packed codes differ: (k, words), (m, words) -> (k, m) uint8, or uint16 from four words on."""
    counts = np.bitwise_count(some[:, :1] ^ others[None, :, 0])
    if some.shape[1] * WORD > np.iinfo(counts.dtype).max:
        counts = counts.astype(np.uint16)
    for word in range(1, some.shape[1]):
        counts += np.bitwise_count(some[:, word, None] ^ others[None, :, word])
    return counts


def nearest(query: np.ndarray, codes: np.ndarray, retrieved: int) -> np.ndarray:
    """The rows whose packed codes are nearest to one, (words,), (m, words) -> (retrieved,), nearest first.

    Distances are small whole numbers, so that counting the rows within a few of them takes the place of a sort. Where
    the first block alone holds as many rows as are wanted within some distance, no row beyond it needs a look.
    """
    blocks = (codes[start : start + BLOCK] for start in range(0, len(codes), BLOCK))
    apart = np.concatenate([distances(query[None], block)[0] for block in blocks])
    first = apart[: max(BLOCK, retrieved)]
    radius = bisect_left(range(WORD * codes.shape[1]), retrieved, key=lambda r: np.count_nonzero(first <= r))
    near = np.flatnonzero(apart <= radius)
    return near[np.argsort(apart[near], kind="stable")][:retrieved]


def neighbours(queries: np.ndarray, codes: np.ndarray, retrieved: int) -> tuple[np.ndarray, np.ndarray]:
    """Packed codes (k, words) and their nearest of others, (m, words): distances and rows, (k, retrieved) int64."""
    index = np.stack([nearest(query, codes, retrieved) for query in queries])
    apart = [distances(query[None], codes[rows])[0] for query, rows in zip(queries, index, strict=True)]
    return np.stack(apart).astype(np.int64), index


class Table(NamedTuple):
    """Rows sorted by their code, and where each code's rows begin: memory that is addressed by a code.

    Attributes:
        order: (m,) the rows, by address.
        starts: (2^d + 1,) the place in `order` of the first row at each address.
        bits: d.
    """

    order: np.ndarray
    starts: np.ndarray
    bits: int


def addresses(bits: np.ndarray) -> np.ndarray:
    """Bits, (m, d) bool with d up to 24, as whole numbers: Σ_i 2^i b_i, (m,) int64."""
    return bits @ (1 << np.arange(bits.shape[1], dtype=np.int64))


def table(bits: np.ndarray) -> Table:
    """The table of the codes of m rows, (m, d) bool with d up to `MOST_ADDRESS_BITS`."""
    codes, count = addresses(bits), 1 << bits.shape[1]
    starts = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=count))])
    return Table(np.argsort(codes, kind="stable"), starts, bits.shape[1])


def masks(bits: int, radius: int) -> np.ndarray:
    """What the addresses in a ball differ from its centre by, nearest first: Σ_{r ≤ radius} C(bits, r) numbers."""
    flips = (sum(1 << bit for bit in chosen) for r in range(radius + 1) for chosen in combinations(range(bits), r))
    return np.fromiter(flips, np.int64)


def balls(memory: Table, centres: np.ndarray, radius: int) -> Iterator[np.ndarray]:
    """The rows within a Hamming ball around each address, nearest first; no code is compared with another.

    Args:
        memory: of the rows, from `table`.
        centres: (k,) addresses.
        radius: of the ball, in bits.
    """
    around = masks(memory.bits, radius)
    for centre in centres:
        near = centre ^ around
        near = near[memory.starts[near + 1] > memory.starts[near]]
        starts, counts = memory.starts[near], memory.starts[near + 1] - memory.starts[near]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        yield memory.order[np.repeat(starts, counts) + within]
