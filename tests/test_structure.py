"""Terms on the structure of the code: beside Jacobians taken in full and sums over pairs in float64."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax.errors import UserError
from aejax.losses import structure
from aejax.models import dense
from aejax.types import Context

SIZES = [(6, 2, (5,)), (2, 4, (4,)), (3, 1, ())]


def encoding(features, code, widths, rows=7, seed=0):
    """A context with an encoder, and the encoder of a single row."""
    model = dense.multilayer((features,), widths=widths, code=code, activation="tanh" if widths else "relu")
    keys = jax.random.split(jax.random.key(seed), 4)
    params = model.init(keys[0])
    x = jax.random.normal(keys[1], (rows, features))
    ctx = model.apply(params, x, x, keys[2])
    encode = lambda values: model.encode(params, values)
    return ctx._replace(encode=encode, key=keys[3]), lambda row: encode(row[None])[0]


@pytest.mark.parametrize(("features", "code", "widths"), SIZES)
def test_contractive_is_the_squared_norm_of_the_jacobian(features, code, widths):
    ctx, of_row = encoding(features, code, widths)
    jacobians = np.stack([np.asarray(jax.jacfwd(of_row)(row), np.float64) for row in ctx.x])
    assert jacobians.shape == (7, code, features)
    expected = np.square(jacobians).sum((1, 2)).mean()
    assert float(structure.contractive(ctx)) == pytest.approx(expected, rel=1e-5)
    assert float(jax.jit(lambda x: structure.contractive(ctx._replace(x=x)))(ctx.x)) == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize(("features", "code", "widths"), SIZES)
def test_the_estimate_is_unbiased(features, code, widths):
    ctx, _ = encoding(features, code, widths)
    exact = float(structure.contractive(ctx))
    few, more = jax.random.split(ctx.key)
    draws = jax.vmap(lambda key: structure.contractive_estimate(ctx._replace(key=key)))(jax.random.split(few, 4000))
    draws = np.asarray(draws, np.float64)
    error = draws.std(ddof=1) / np.sqrt(len(draws))
    assert abs(draws.mean() - exact) < 4 * error + 1e-5 * exact
    if code == 1:  # a sign squared is 1: nothing is left to chance
        np.testing.assert_allclose(draws, exact, rtol=1e-5)
    else:
        assert error > 1e-4 * exact
        many = jax.vmap(lambda key: structure.contractive_estimate(ctx._replace(key=key), samples=16))
        spread = np.asarray(many(jax.random.split(more, 400))).std(ddof=1)
        assert spread == pytest.approx(draws.std(ddof=1) / 4, rel=0.2)


def test_the_gradient_of_the_contractive_term_is_that_of_the_jacobian():
    model = dense.multilayer((4,), widths=(3,), code=2, activation="tanh")
    params, x = model.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (5, 4))

    def term(params):
        ctx = model.apply(params, x, x, jax.random.key(2))
        return structure.contractive(ctx._replace(encode=lambda values: model.encode(params, values)))

    def oracle(params):
        jacobian = jax.vmap(jax.jacfwd(lambda row: model.encode(params, row[None])[0]))(x)
        return jnp.square(jacobian).sum((1, 2)).mean()

    slopes, expected = jax.grad(term)(params), jax.grad(oracle)(params)
    assert any(np.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(expected))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), slopes, expected)


def batch(code, distance, index):
    code = jnp.asarray(code, jnp.float32)
    relation = {"distance": jnp.asarray(distance, jnp.float32)[index]}
    return Context(code, code, code, code, {"code": code}, {}, {}, {}, index=index, relations={"geodesics": relation})


def scalar_strain(code, distance):
    """Inner products about the centre, from distances by the law of cosines, in loops."""
    m = len(code)
    square = lambda i, j: float(distance[i][j]) ** 2
    off = above = 0.0
    middle = [sum(row[k] for row in code) / m for k in range(len(code[0]))]
    every = sum(square(i, j) for i, j in itertools.product(range(m), repeat=2)) / m**2
    for i, j in itertools.product(range(m), repeat=2):
        inner = sum((a - c) * (b - c) for a, b, c in zip(code[i], code[j], middle, strict=True))
        wanted = -0.5 * (
            square(i, j) - sum(square(i, k) for k in range(m)) / m - sum(square(k, j) for k in range(m)) / m + every
        )
        off += (inner - wanted) ** 2
        above += wanted**2
    return off / above


def test_strain_is_that_of_a_scalar_loop_on_the_rows_of_the_batch():
    rng = np.random.default_rng(0)
    distance = rng.uniform(1, 2, (9, 9))
    distance += distance.T
    code, index = rng.normal(size=(4, 2)), np.array([7, 0, 3, 5])
    found = structure.strain(batch(code, distance, index))
    assert float(found) == pytest.approx(scalar_strain(code, distance[np.ix_(index, index)]), rel=1e-5)


def test_strain_is_zero_where_the_code_keeps_all_distances_and_one_where_it_is_constant():
    points = np.random.default_rng(1).normal(size=(12, 2))
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    index = np.arange(12)
    assert float(structure.strain(batch(points @ turn + 5, distance, index))) == pytest.approx(0, abs=1e-9)
    assert float(structure.strain(batch(2 * points, distance, index))) == pytest.approx(9, rel=1e-4)
    assert float(structure.strain(batch(np.ones((12, 2)), distance, index))) == pytest.approx(1, rel=1e-6)


def test_strain_of_rows_that_are_all_the_same_is_finite():
    points = np.random.default_rng(1).normal(size=(4, 2))
    value, slope = jax.value_and_grad(lambda z: structure.strain(batch(z, np.zeros((4, 4)), np.arange(4))))(points)
    assert np.isfinite(value)
    assert np.isfinite(slope).all()


def test_strain_names_the_relation_it_lacks():
    ctx = batch(np.ones((3, 2)), np.ones((3, 3)), np.arange(3))
    with pytest.raises(UserError, match=r"^strain: relation: unknown 'paths'.*; allowed: geodesics$"):
        structure.strain(ctx, relation="paths")
    with pytest.raises(UserError, match=r"^strain: relation 'geodesics' holds no distances; allowed: .*graph\.geodesi"):
        structure.strain(ctx._replace(relations={"geodesics": {}}))
