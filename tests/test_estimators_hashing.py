"""Bits of rows in memory, their neighbours beside brute force, and the same by the task's actions."""

import numpy as np
import pytest
import scipy.sparse

from aejax.errors import UserError
from aejax.estimators import SemanticHasher, load
from aejax.metrics import hamming
from aejax.models import binary
from aejax.tasks import hashing
from aejax.types import Kept, Rows

X = np.random.default_rng(0).normal(size=(41, 3)) + 20 * np.eye(3)[np.arange(41) % 3]


@pytest.fixture(scope="module")
def hasher():
    return SemanticHasher(bits=12, steps=60, validation_fraction=0.0, random_state=0).fit(X)


def bits_of(codes, bits=12):
    return np.unpackbits(codes, axis=1, bitorder="little")[:, :bits]


def test_half_of_the_rows_have_each_bit_and_new_rows_have_those_of_like_ones(hasher):
    codes = hasher.transform(X)
    assert codes.dtype == np.uint8
    assert codes.shape == (41, 2)
    assert not np.unpackbits(codes, axis=1, bitorder="little")[:, 12:].any()
    assert (np.abs(bits_of(codes).sum(0) - 20) <= 1).all()
    assert hasher.get_feature_names_out().tolist() == ["semantichasher0", "semantichasher1"]
    np.testing.assert_array_equal(np.concatenate([hasher.transform(row[None]) for row in X]), codes)


def test_neighbours_are_those_of_brute_force(hasher):
    new = X[:7] + 0.1
    bits, known = bits_of(hasher.transform(new)), bits_of(hasher.codes_)
    apart = (bits[:, None] != known[None]).sum(-1)
    distances, index = hasher.kneighbors(new, n_neighbors=6)
    np.testing.assert_array_equal(distances, np.sort(apart, axis=1)[:, :6])
    np.testing.assert_array_equal(np.take_along_axis(apart, index, 1), distances)
    np.testing.assert_array_equal(hasher.kneighbors(new, 6, return_distance=False), index)
    assert (index[:, :6] % 3 == np.arange(7)[:, None] % 3).mean() > 0.9, "rows of a kind share most bits"


def test_rows_of_fit_are_no_neighbours_of_themselves(hasher):
    distances, index = hasher.kneighbors(n_neighbors=40)
    assert [sorted([row, *others]) for row, others in enumerate(index.tolist())] == [list(range(41))] * 41
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize(("rows", "most"), [(None, 40), (X[:2], 41)])
def test_more_neighbours_than_rows_are_refused(hasher, rows, most):
    with pytest.raises(ValueError, match=rf"^n_neighbors: {most + 1}; allowed: 1 to {most}"):
        hasher.kneighbors(rows, most + 1)


def test_the_actions_say_the_same(hasher):
    fitted = hasher.fitted_
    named = fitted.apply("hash", X[:5]).values
    assert list(named) == [f"bit_{number}" for number in range(1, 13)]
    np.testing.assert_array_equal(np.stack(list(named.values()), 1), bits_of(hasher.transform(X[:5])))
    near = fitted.apply("neighbours", X[:5]).values
    distances, index = hasher.kneighbors(X[:5], 10)
    np.testing.assert_array_equal(np.stack([near[f"row_{n}"] for n in range(1, 11)], 1), index)
    np.testing.assert_array_equal(np.stack([near[f"distance_{n}"] for n in range(1, 11)], 1), distances)


def test_a_saved_one_says_the_same(hasher, tmp_path):
    opened = load(hasher.save(tmp_path / "saved"))
    for one, other in zip(opened.kneighbors(X[:4]), hasher.kneighbors(X[:4]), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("rows", [1, 2, 7, 8])
def test_a_bit_is_on_above_the_median_and_no_row_lies_on_the_edge(rows):
    codes = np.random.default_rng(0).permuted(np.tile(np.arange(rows), (5, 1)), axis=1).T.astype(np.float32)
    kept = hashing._kept(codes)
    bits = codes > np.median(codes, axis=0)
    np.testing.assert_array_equal(kept.tree["codes"].view(np.uint64), hamming.pack(bits))
    assert rows == 1 or (np.abs(codes - kept.tree["middles"]) == 0.5).any()


@pytest.mark.parametrize(
    ("kept", "message"),
    [(None, "^hash: the run is older .*train it again$"), (Kept({}, {}), "is damaged: it holds no")],
)
def test_a_run_without_medians_says_so(kept, message):
    with pytest.raises(UserError, match=message):
        hashing.bits_of(binary.noisy((3,), code=4), None, Rows(np.zeros((1, 3), np.float32), None, 0.0, 1.0), kept)


def test_rows_that_are_all_the_same_have_no_neighbours():
    with pytest.raises(ValueError, match=r"zero everywhere.*allowed: features that vary$"):
        SemanticHasher(steps=10).fit(np.ones((20, 3)))


def test_sparse_rows_are_hashed_as_dense_ones_are():
    random = np.random.default_rng(0)
    x = scipy.sparse.random(80, 30, density=0.2, random_state=0, format="csr")
    hasher = SemanticHasher(bits=8, steps=30, random_state=0).fit(x)
    np.testing.assert_array_equal(hasher.transform(x), hasher.transform(x.toarray()))
    np.testing.assert_array_equal(hasher.codes_, hasher.transform(x))
    other = x[random.permutation(80)[:5]]
    assert (hasher.kneighbors(other, n_neighbors=1)[0] == 0).all()
