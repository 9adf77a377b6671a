"""Sparse rows: the dense rows they stand for, on the host and on the device, chosen, cut and joined."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.data import sparse
from aejax.models import dense
from aejax.training.context import scaled
from aejax.training.evaluate import batches, encoded, on_device
from aejax.types import Dataset, Range, Split


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((23, 9)) < 0.3, rng.uniform(1, 2, (23, 9)), 0).astype(np.float32)
    values[4] = 0
    values[7] = rng.uniform(1, 2, 9)
    return values


@pytest.fixture
def rows(matrix):
    return sparse.from_csr(sparse.to_csr(matrix))


@pytest.mark.parametrize("places", [slice(None), slice(3, 9), slice(9, 3), np.array([7, 4, 4, 22]), np.array([], int)])
def test_rows_are_handed_out_dense(matrix, rows, places):
    on_host = rows[places]
    assert isinstance(on_host, np.ndarray)
    np.testing.assert_array_equal(on_host, matrix[places])
    on_device = jax.tree.map(jnp.asarray, rows)[places]
    assert isinstance(on_device, jax.Array)
    np.testing.assert_array_equal(on_device, matrix[places])


def test_they_look_like_an_array(matrix, rows):
    assert (rows.shape, len(rows), rows.dtype, rows.ndim) == (matrix.shape, 23, matrix.dtype, 2)
    np.testing.assert_array_equal(np.asarray(rows, np.float64), matrix)
    assert rows.values.size == np.count_nonzero(matrix)
    assert rows.width == 9


def test_places_may_be_traced_and_rows_be_members_of_a_vmap(matrix, rows):
    on_device = jax.tree.map(jnp.asarray, rows)
    places = np.array([[0, 7, 3], [4, 22, 7]])
    np.testing.assert_array_equal(jax.jit(lambda r, i: r[i])(on_device, places[0]), matrix[places[0]])
    np.testing.assert_array_equal(jax.vmap(lambda i: on_device[i])(places), matrix[places])


def test_taken_joined_and_multiplied_they_stay_sparse(matrix, rows):
    places = np.array([7, 1, 7, 20])
    taken = rows.take(places)
    assert sparse.is_sparse(taken)
    np.testing.assert_array_equal(taken[:], matrix[places])
    joined = sparse.concatenate([taken, rows])
    assert sparse.is_sparse(joined)
    np.testing.assert_array_equal(joined[:], np.concatenate([matrix[places], matrix]))
    np.testing.assert_array_equal(rows.times(np.float32(0.5))[:], matrix / 2)
    np.testing.assert_array_equal(sparse.concatenate([matrix, matrix]), np.concatenate([matrix, matrix]))
    none = rows.take(np.array([], int))
    assert (len(none), none[:].shape) == (0, (0, 9))


def test_a_net_sees_of_them_what_it_sees_of_an_array(matrix, rows):
    def dataset(x):
        split = Split(x, labels=np.zeros(23, np.int32))
        return Dataset("r", split, split, split, (9,), "text", Range(), np.float32(0), np.float32(2), (), (), "", "")

    given = [on_device(dataset(x).train, dataset(x), {"own": lambda x: np.asarray(x)}) for x in (matrix, rows)]
    assert sparse.is_sparse(given[1].x)
    np.testing.assert_array_equal(given[0].relations["own"], given[1].relations["own"])
    np.testing.assert_array_equal(scaled(given[0], jnp.arange(5))[0], scaled(given[1], jnp.arange(5))[0])
    for a, b in zip(batches(given[0], 10), batches(given[1], 10), strict=True):
        np.testing.assert_array_equal(a.x, b.x)
        np.testing.assert_array_equal(a.labels, b.labels)
    model = dense.multilayer((9,), widths=(4,), code=2)
    params = model.init(jax.random.key(0))
    np.testing.assert_array_equal(encoded(model, params, given[0]), encoded(model, params, given[1]))
