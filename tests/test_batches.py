"""Shuffled epochs without sorting: bijections, beside a slow model in Python integers."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from aejax.data.batches import batch_rows, by_weight, ends_of, nearest_root, shuffled
from aejax.errors import UserError

LAST_STEP = 2**31 - 2
MANY_ROWS = [*range(1, 65), *range(67, 200, 7), 211, 255, 256, 257, 1009, 1024, 1437, 4096, 7919]

order = jax.jit(shuffled, static_argnums=2)
one_batch = jax.jit(batch_rows, static_argnums=(2, 3))


def keys_of(seed, rounds=4):
    return jax.random.bits(jax.random.key(seed), (rounds,), jnp.uint32)


def slow_place(keys, place, rows):
    """The Feistel network with cycle walking on one place, in Python's unbounded integers."""
    b = max(1, round(rows**0.5))
    a = -(-rows // b)

    def hashed(half, key):
        mixed = ((half ^ key) * 0x9E3779B1) % 2**32
        mixed = ((mixed ^ (mixed >> 15)) * 0x85EBCA77) % 2**32
        return mixed ^ (mixed >> 13)

    while True:
        left, right = divmod(place, b)
        for index, key in enumerate(keys):
            if index % 2 == 0:
                left = (left + hashed(right, key)) % a
            else:
                right = (right + hashed(left, key)) % b
        place = left * b + right
        if place < rows:
            return place


def slow_batch(key, step, batch_size, rows):
    """The rows of a step: the epoch and the place of each position of the endless chain."""
    found, keys = [], {}
    for position in range(step * batch_size, (step + 1) * batch_size):
        epoch, place = divmod(position, rows)
        if epoch not in keys:
            stream = jax.random.fold_in(key, np.uint32(epoch % 2**32))
            keys[epoch] = [int(bits) for bits in jax.random.bits(stream, (4,), jnp.uint32)]
        found.append(slow_place(keys[epoch], place, rows))
    return found


def test_an_epoch_holds_every_row_once():
    with jax.disable_jit():  # nothing to compile for each number of rows; repeated places keep the shape
        for rows in MANY_ROWS:
            size = -(-rows // 256) * 256
            found = np.asarray(shuffled(np.asarray(keys_of(rows)), jnp.arange(size) % rows, rows))[:rows]
            np.testing.assert_array_equal(np.sort(found), np.arange(rows), err_msg=f"{rows} rows")
            assert found.dtype == np.int32


@pytest.mark.parametrize("rows", [1, 2, 3, 97, 1437])
def test_the_order_is_that_of_the_slow_model(rows):
    for seed in range(3):
        keys = [int(key) for key in keys_of(seed)]
        expected = [slow_place(keys, place, rows) for place in range(rows)]
        np.testing.assert_array_equal(order(keys_of(seed), jnp.arange(rows), rows), expected)


def test_epochs_and_seeds_have_orders_of_their_own():
    rows = 1000
    run, other = jax.random.key(0), jax.random.key(1)
    epochs = [np.asarray(one_batch(run, jnp.int32(e), rows, rows)) for e in range(4)]
    epochs.append(np.asarray(one_batch(other, jnp.int32(0), rows, rows)))
    for index, one in enumerate(epochs):
        for two in [np.arange(rows), *epochs[:index]]:
            # two independent orders agree in one place on average; 15 has a probability below 1e-12
            assert (one == two).sum() < 15


@pytest.mark.parametrize("rows", [7, 12, 30])
def test_every_row_is_equally_likely_at_every_place(rows):
    trials = 4000
    keys = jax.random.bits(jax.random.key(5), (trials, 4), jnp.uint32)
    found = np.asarray(jax.jit(jax.vmap(lambda k: shuffled(k, jnp.arange(rows), rows)))(keys))
    counts = np.stack([np.bincount(found[:, place], minlength=rows) for place in range(rows)])
    # the table's margins are fixed, hence (rows − 1)² degrees of freedom
    statistic = ((counts - trials / rows) ** 2 / (trials / rows)).sum()
    assert chi2.sf(statistic, (rows - 1) ** 2) > 1e-4


def test_neighbours_in_an_epoch_are_rarely_neighbours_in_the_data():
    rows, trials = 101, 400
    keys = jax.random.bits(jax.random.key(6), (trials, 4), jnp.uint32)
    found = np.asarray(jax.jit(jax.vmap(lambda k: shuffled(k, jnp.arange(rows), rows)))(keys))
    for distance in (1, 2, 9, 10, 11):  # 10 and 11 are the sides of the network's grid
        counts = np.bincount(((found[:, distance:] - found[:, :-distance]) % rows).ravel(), minlength=rows)[1:]
        # four rounds let a difference through unchanged up to twice as often as chance does
        assert counts.min() / counts.mean() > 0.5
        assert counts.max() / counts.mean() < 2.2


@settings(max_examples=8)
@given(rows=st.integers(1, 60), share=st.floats(0.01, 1), seed=st.integers(0, 2**32 - 1))
def test_a_run_of_batches_is_a_chain_of_whole_epochs(rows, share, seed):
    batch_size = max(1, int(rows * share))
    key, steps = jax.random.key(seed), -(-3 * rows // batch_size)
    many = jax.jit(jax.vmap(partial(batch_rows, batch_size=batch_size, rows=rows), (None, 0)))
    chain = np.asarray(many(key, jnp.arange(steps))).ravel()
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(chain[epoch * rows : (epoch + 1) * rows]), np.arange(rows))


@pytest.mark.parametrize(("rows", "batch_size"), [(1, 1), (10, 3), (10, 10), (1437, 64)])
@pytest.mark.parametrize("step", [0, 1, 22, LAST_STEP])
def test_batches_are_those_of_the_slow_model(rows, batch_size, step):
    found = one_batch(jax.random.key(3), jnp.int32(step), batch_size, rows)
    np.testing.assert_array_equal(found, slow_batch(jax.random.key(3), step, batch_size, rows))


@pytest.mark.parametrize(
    ("rows", "batch_size", "step"),
    [
        (60_000, 128, LAST_STEP),
        (1_000_003, 5_000, 1_000_002),  # (step mod rows) · batch_size does not fit 32 bits
        (1_000_003, 5_000, LAST_STEP),
        (70_001, 70_001, 69_999),
        (70_001, 70_000, LAST_STEP),
        (50_000_000, 1_000, LAST_STEP),
        (2**29 - 3, 512, LAST_STEP),
    ],
)
def test_nothing_overflows(rows, batch_size, step):
    found = np.asarray(one_batch(jax.random.key(4), jnp.int32(step), batch_size, rows))
    first = slow_batch_ends(jax.random.key(4), step, batch_size, rows)
    np.testing.assert_array_equal(found[[0, 1, -1]], first)


def slow_batch_ends(key, step, batch_size, rows):
    """The first two rows and the last of a batch too large for the slow model as a whole."""
    start = step * batch_size
    return [slow_batch(key, position, 1, rows)[0] for position in (start, start + 1, start + batch_size - 1)]


def test_a_number_of_rows_that_is_traced_gives_the_same_batches():
    key, drawn = jax.random.key(4), jax.jit(batch_rows, static_argnums=(2, 4))
    for rows in (16, 17, 97, 1437, 4095, 4096):
        for step in (0, 5, 1000, LAST_STEP):
            found = np.asarray(drawn(key, jnp.int32(step), 16, jnp.int32(rows), 4096))
            np.testing.assert_array_equal(found, slow_batch(key, step, 16, rows), err_msg=f"{rows} rows, step {step}")


def test_the_nearest_root_is_exact():
    sides = np.arange(1, 2**15, dtype=np.int64)
    near = np.concatenate([np.arange(1, 20_000), *(sides**2 + offset for offset in (-1, 0, 1, sides, sides + 1))])
    near = near[(near >= 1) & (near <= 2**30)]
    found = np.asarray(jax.jit(nearest_root)(jnp.asarray(near, jnp.int32)))
    np.testing.assert_array_equal(found, np.round(np.sqrt(near.astype(np.float64))))


@pytest.mark.parametrize("weights", [[0, 1, 1, 2, 0, 4, 0.5, 0.5, 3, 0], [1e-3] * 9 + [1], [7] * 10])
def test_rows_are_drawn_in_proportion_to_their_weights(weights):
    weights, rows, steps, size = np.array(weights, float), 10, 2000, 5
    ends = jnp.asarray(ends_of(weights))
    places = jax.vmap(lambda step: by_weight(batch_rows(jax.random.key(0), step, size, rows), step, ends, rows))
    drawn = np.bincount(np.asarray(places(jnp.arange(steps))).ravel(), minlength=rows)
    assert not drawn[weights == 0].any()
    np.testing.assert_allclose(drawn / (steps * size), weights / weights.sum(), atol=0.005)


def test_equal_weights_change_no_row_and_rows_after_those_used_are_never_drawn():
    rows = 1000
    ends = np.append(ends_of(np.full(rows, 0.1)), [np.inf] * 24)
    for step in (0, 1, 12345, LAST_STEP):
        drawn = by_weight(jnp.arange(rows), jnp.int32(step), jnp.asarray(ends), jnp.int32(rows))
        np.testing.assert_array_equal(drawn, np.arange(rows))
    with pytest.raises(UserError, match="weight: all rows"):
        ends_of(np.zeros(3))
