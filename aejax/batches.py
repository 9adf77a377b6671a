"""Which rows a step sees: a shuffled pass over the data, computed from the step alone."""

import jax
import jax.numpy as jnp


def shuffled(keys: jax.Array, place: jax.Array, rows: int) -> jax.Array:
    """The row at each place of an epoch's order: a keyed bijection of 0 … rows−1, without sorting.

    A Feistel network on pairs (left, right) with left < a, right < b and a·b ≥ rows, each round adding a keyed hash
    of one half to the other modulo its size; results that fall outside are sent round again (cycle walking), which
    happens for fewer than a of the a·b pairs.

    Args:
        keys: (rounds,) uint32 or (rounds, m), one for each round and place.
        place: (m,) integers in [0, rows).
        rows: number of rows.

    Returns:
        (m,) int32 row numbers.

    References:
        Black & Rogaway 2002, Ciphers with arbitrary finite domains, sections 3 and 5.
    """
    b = max(1, round(rows**0.5))
    a = -(-rows // b)
    size = jnp.uint32(rows)

    def hashed(half: jax.Array, key: jax.Array) -> jax.Array:
        mixed = (half ^ key) * jnp.uint32(0x9E3779B1)
        mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0x85EBCA77)
        return mixed ^ (mixed >> 13)

    def rounds(value: jax.Array) -> jax.Array:
        left, right = value // jnp.uint32(b), value % jnp.uint32(b)
        for index in range(keys.shape[0]):
            if index % 2 == 0:
                left = (left + hashed(right, keys[index]) % jnp.uint32(a)) % jnp.uint32(a)
            else:
                right = (right + hashed(left, keys[index]) % jnp.uint32(b)) % jnp.uint32(b)
        return left * jnp.uint32(b) + right

    outside = lambda value: jnp.any(value >= size)
    again = lambda value: jnp.where(value >= size, rounds(value), value)
    return jax.lax.while_loop(outside, again, rounds(place.astype(jnp.uint32))).astype(jnp.int32)


def batch_rows(key: jax.Array, step: jax.Array, batch_size: int, rows: int) -> jax.Array:
    """The rows of one step: the next `batch_size` places of an endless chain of shuffled epochs.

    No row is ever left out: a batch that reaches the end of an epoch goes on in the next one.

    Args:
        key: of the data stream.
        step: number of the step, from 0.
        batch_size: at most `rows`.
        rows: number of rows.

    Returns:
        (batch_size,) int32 row numbers.
    """
    # step · batch_size may not fit 32 bits; (step mod rows) · batch_size does, and whole cycles are whole epochs
    cycles, rest = jnp.divmod(step, rows)
    position = (rest * batch_size).astype(jnp.uint32) + jnp.arange(batch_size, dtype=jnp.uint32)
    first = position[0] // jnp.uint32(rows)
    epoch = cycles.astype(jnp.uint32) * jnp.uint32(batch_size) + first
    keys = jnp.stack([jax.random.bits(jax.random.fold_in(key, epoch + e), (4,), jnp.uint32) for e in (0, 1)])
    later = position // jnp.uint32(rows) > first  # a batch touches at most two epochs
    return shuffled(jnp.where(later, keys[1][:, None], keys[0][:, None]), position % jnp.uint32(rows), rows)
