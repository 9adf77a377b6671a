"""Which rows a step sees: a shuffled pass over the data, computed from the step alone."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError


def shuffled(keys: jax.Array, position: jax.Array, rows: int | jax.Array) -> jax.Array:
    """The row at each position of an epoch's order: a keyed bijection of 0 … rows−1, without sorting.

    A Feistel network on pairs (left, right) with left < a, right < b and a·b ≥ rows, each round adding a keyed hash
    of one half to the other modulo its size; results that fall outside are sent round again (cycle walking), which
    happens for fewer than a of the a·b pairs.

    Args:
        keys: (rounds,) uint32 or (rounds, m), one for each round and position.
        position: (m,) integers in [0, rows).
        rows: number of rows; traced where one program serves several numbers.

    Returns:
        (m,) int32 row numbers.

    References:
        Black & Rogaway 2002, Ciphers with arbitrary finite domains, sections 3 and 5.
    """
    chex.assert_rank([keys, position], [{1, 2}, 1])
    b = max(1, round(rows**0.5)) if isinstance(rows, int) else nearest_root(rows)
    a = -(-rows // b)
    size, a, b = map(jnp.uint32, (rows, a, b))

    def hashed(half: jax.Array, key: jax.Array) -> jax.Array:
        mixed = (half ^ key) * jnp.uint32(0x9E3779B1)
        mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0x85EBCA77)
        return mixed ^ (mixed >> 13)

    def rounds(value: jax.Array) -> jax.Array:
        left, right = value // b, value % b
        for index in range(keys.shape[0]):
            if index % 2 == 0:
                left = (left + hashed(right, keys[index]) % a) % a
            else:
                right = (right + hashed(left, keys[index]) % b) % b
        return left * b + right

    outside = lambda value: jnp.any(value >= size)
    again = lambda value: jnp.where(value >= size, rounds(value), value)
    return jax.lax.while_loop(outside, again, rounds(position.astype(jnp.uint32))).astype(jnp.int32)


def nearest_root(rows: jax.Array) -> jax.Array:
    """The whole number nearest to the square root of another, 1 to 2^30, in whole numbers: int32, 1 or more."""
    rows = rows.astype(jnp.int32)
    # may be one off where the rounding of floats falls badly
    root = jnp.sqrt(rows.astype(jnp.float32)).astype(jnp.int32)
    below = root - (root * root > rows) + ((root + 1) * (root + 1) <= rows)
    return below + (rows > below * below + below)  # (r + ½)² = r² + r + ¼


def times(
    step: jax.Array, batch_size: int, rows: int | jax.Array, most: int | None = None
) -> tuple[jax.Array, jax.Array]:
    """Divmod of step · batch_size by rows, a product that may need 62 bits, in 32: the epoch and the position in it.

    As on paper, from the highest digit of the step on: multiply, divide, carry the remainder down to the next digit.

    Args:
        step: scalar integer, from 0.
        batch_size: at most `rows`.
        rows: below 2^30.
        most: as many as there may be, where `rows` is traced.

    Returns:
        Two uint32 scalars, the first modulo 2^32.
    """
    # of a digit: then neither of the two products below exceeds 31 bits
    bits = 31 - (rows if most is None else most).bit_length()
    epoch = position = jnp.uint32(0)
    for low in reversed(range(0, 31, bits)):
        digit = (step.astype(jnp.uint32) >> low) & jnp.uint32(2**bits - 1)
        part = (position << bits) + digit * jnp.uint32(batch_size)
        epoch, position = (epoch << bits) + part // jnp.uint32(rows), part % jnp.uint32(rows)
    return epoch, position


def batch_rows(
    key: jax.Array, step: jax.Array, batch_size: int, rows: int | jax.Array, most: int | None = None
) -> jax.Array:
    """The rows of one step: the next `batch_size` places of an endless chain of shuffled epochs.

    No row is ever left out: a batch that reaches the end of an epoch goes on in the next one.

    Args:
        key: of the data stream.
        step: number of the step, from 0.
        batch_size: at most `rows`.
        rows: number of rows, below 2^30; traced where one program serves several numbers.
        most: as many as there may be, where `rows` is traced.

    Returns:
        (batch_size,) int32 row numbers.
    """
    chex.assert_rank(step, 0)
    epoch, position = times(step, batch_size, rows, most)
    position = position + jnp.arange(batch_size, dtype=jnp.uint32)
    keys = jnp.stack([jax.random.bits(jax.random.fold_in(key, epoch + e), (4,), jnp.uint32) for e in (0, 1)])
    later = position >= jnp.uint32(rows)  # a batch touches at most two epochs
    return shuffled(jnp.where(later[None], keys[1][:, None], keys[0][:, None]), position % jnp.uint32(rows), rows)


def ends_of(weights: np.ndarray) -> np.ndarray:
    """Where each row ends on a line as long as there are rows, on which it is as long as its weight says.

    Args:
        weights: (rows,), not negative, one of them above 0.

    Returns:
        (rows,) float32, rising to the number of rows.

    Raises:
        UserError: all weights are 0.
    """
    sums = np.cumsum(weights, dtype=np.float64)
    if not sums[-1] > 0:
        raise UserError("weight: all rows that are trained on have weight 0; allowed: one above 0 among them")
    return (sums / sums[-1] * len(weights)).astype(np.float32)


def by_weight(index: jax.Array, step: jax.Array, ends: jax.Array, rows: int | jax.Array) -> jax.Array:
    """The rows on which the places of a step fall: place i is the point i + u on the line, u another at each step.

    u = step · (√5 − 1)/2 modulo 1 visits [0, 1) evenly, so that in the long run a row is drawn in proportion to its
    weight; with equal weights the rows are the places themselves.

    Args:
        index: (m,) places, each once in an epoch.
        step: number of the step, from 0.
        ends: of `ends_of`; after those of the rows that are used, infinity.
        rows: how many are used.

    Returns:
        (m,) int32 row numbers, none of a row of weight 0.

    References:
        Kish 1965, Survey sampling, section 7.1, for systematic sampling with unequal probabilities.
    """
    golden = (step.astype(jnp.uint32) * jnp.uint32(0x9E3779B9)) >> 8
    points = index.astype(jnp.float32) + golden.astype(jnp.float32) * jnp.float32(2**-24)
    last = jnp.searchsorted(ends, jnp.float32(rows))  # where rounding leads beyond the line
    return jnp.minimum(jnp.searchsorted(ends, points, side="right"), last).astype(jnp.int32)
