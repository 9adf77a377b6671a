"""Rows padded to a few sizes, so that tables of almost equal size train as one compiled program.

A padded row is never drawn: the sampler of batches knows how many rows there are as a number that the program takes.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.training.context import Rows

FEWEST = 64
MOST = 20_000
"""Rows above which a table is not padded: copying it costs more than compiling for it."""


def padded_size(count: int) -> int:
    """The next of 64, 96, 128, 192, …: powers of two and what lies in the middle between two of them."""
    power = 1 << (max(count, FEWEST) - 1).bit_length()
    return power * 3 // 4 if max(count, FEWEST) <= power * 3 // 4 else power


def pad(rows: Rows, size: int) -> Rows:
    """Rows with zeros after them, `size` in all, that know how many they are."""
    count = rows.x.shape[0]
    # by NumPy, for which nothing is compiled
    longer = lambda leaf: jnp.asarray(np.pad(np.asarray(leaf), [(0, size - count), *[(0, 0)] * (leaf.ndim - 1)]))
    own = jax.tree.map(longer, {name: getattr(rows, name) for name in ("x", "mask", "labels", "relations", "target")})
    return rows._replace(**own, used=jnp.int32(count))


def few_shapes(rows: Rows, batch_size: int | None) -> Rows:
    """Rows padded to the next of the few sizes; as they are where a step takes all, or they are many, or sparse."""
    count = rows.x.shape[0]
    return rows if batch_size is None or count > MOST or is_sparse(rows.x) else pad(rows, padded_size(count))


def stacked(parts: Sequence[Rows], batch_size: int | None) -> Rows:
    """Rows of several data sets as one, leaves (data sets, rows, ...), padded so that all have the same number.

    Args:
        parts: the rows of each.
        batch_size: rows in a step; None for all of them.

    Raises:
        UserError: a step takes all rows, and the data sets have different numbers of them.
    """
    counts = [part.x.shape[0] for part in parts]
    most = max(counts)
    if batch_size is None and min(counts) < most:
        raise UserError(
            f"train.batch_size: none, so a step takes all rows, and the data sets have {min(counts)} to {most}; "
            "allowed: a batch size, or equally many rows"
        )
    if batch_size is not None and not is_sparse(parts[0].x):
        size = padded_size(most) if most <= MOST else most
        parts = [pad(part, size) for part in parts]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
