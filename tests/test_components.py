"""Principal components: bit for bit those of scikit-learn, dense and sparse, narrow and wide."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA

from aejax.relations.components import principal_components


def rows(size: int, width: int, dtype: type) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(size, width)) @ random.normal(size=(width, width)) + 3.0).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(300, 20), (12, 30), (5, 3)])
def test_the_same_bits_as_scikit_learn(shape, dtype):
    x = rows(*shape, dtype)
    count = min(4, *shape)
    theirs, ours = PCA(count, svd_solver="covariance_eigh").fit(x), principal_components(x, 4)
    assert ours.components.dtype == dtype
    for expected, actual in [
        (theirs.mean_, ours.mean),
        (theirs.components_, ours.components),
        (theirs.explained_variance_, ours.variances),
        (theirs.transform(x), ours.transform(x)),
        (theirs.inverse_transform(theirs.transform(x)), ours.inverse_transform(ours.transform(x))),
    ]:
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("shape", "solver"), [((30, 2100), "full"), ((2100, 2001), "arpack")])
def test_wide_rows(shape, solver):
    x = np.random.default_rng(1).normal(size=shape)
    x[:, :3] *= (90.0, 70.0, 50.0)
    theirs, ours = PCA(3, svd_solver=solver, random_state=0).fit(x), principal_components(x, 3)
    np.testing.assert_allclose(ours.transform(x), theirs.transform(x), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("width", [20, 2100])
def test_sparse_rows_are_as_dense_ones(width):
    x = np.where(np.random.default_rng(2).uniform(size=(30, width)) < 0.9, 0.0, 1.0)
    sparse, dense = principal_components(csr_array(x), 3), principal_components(x, 3)
    np.testing.assert_allclose(sparse.transform(csr_array(x)), dense.transform(x), atol=1e-9)
