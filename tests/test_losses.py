"""One battery over every loss term: beside scalar loops in float64, and the identities that all terms share."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from oracles import DRAWING, HELD, ORACLES, TERMS, arguments, arrays, context, sigmoid

from aejax import losses
from aejax.config import components
from aejax.errors import UserError
from aejax.losses import imputation, reconstruction, sparsity, weighted_sum, weights
from aejax.optimizers import schedules
from aejax.types import Column, Range

each = pytest.mark.parametrize("name", ORACLES)


@jax.jit
def all_terms(parts):
    return {name: TERMS[name](context(parts), **arguments(name)) for name in ORACLES}


@jax.jit
def slopes_of_all(parts):
    """Of the sum of all terms: where one is not finite, it is not either."""
    return jax.grad(lambda parts: sum(all_terms(parts).values()))(parts)


def test_every_term_has_an_oracle():
    assert set(ORACLES) == set(TERMS)
    for name, term in TERMS.items():
        numbers = {key for key, p in components.parameters(term).items() if type(p.default) not in (str, int, bool)}
        assert numbers == set(arguments(name)), name


@each
@pytest.mark.parametrize("masked", [False, True])
def test_value_is_that_of_a_scalar_loop(name, masked):
    parts = arrays()
    mask = np.random.default_rng(1).uniform(size=parts["x"].shape) < 0.6 if masked else np.ones(parts["x"].shape, bool)
    found = TERMS[name](context(parts, mask if masked else None), **arguments(name))
    assert found.shape == ()
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(ORACLES[name](parts, mask, **arguments(name)), rel=1e-5)


@settings(max_examples=4)
@given(m=st.sampled_from([1, 2, 7]), n=st.sampled_from([1, 5]), d=st.sampled_from([1, 4]), seed=st.integers(0, 999))
def test_values_for_any_shape(m, n, d, seed):
    parts = arrays(m, n, d, seed)
    mask = np.ones((m, n), bool)
    expected = {name: oracle(parts, mask, **arguments(name)) for name, oracle in ORACLES.items()}
    found = all_terms(parts)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in ORACLES if name not in HELD])
def test_gradients_are_those_of_finite_differences(name):
    with jax.enable_x64(True):
        parts = arrays()
        mask = np.random.default_rng(1).uniform(size=parts["x"].shape) < 0.6
        value = lambda given: TERMS[name](context(given, mask, jnp.float64), **arguments(name))
        check_grads(jax.jit(value), (parts,), order=1, modes=("fwd", "rev"), atol=1e-4, rtol=1e-4)


@each
def test_jit_equals_eager_and_is_compiled_once(name):
    value = lambda parts, given: TERMS[name](context(parts), **given)
    jitted = jax.jit(value)
    for seed in range(2):
        parts = arrays(seed=seed)
        given = {key: jnp.float32(number * (1 + seed)) for key, number in arguments(name).items()}
        assert float(jitted(parts, given)) == pytest.approx(float(value(parts, given)), rel=1e-5)
    assert jitted._cache_size() == 1


@each
def test_vmap_over_hyperparameters_equals_a_loop(name):
    parts, total = arrays(), weighted_sum({"term": TERMS[name]})
    factors = jnp.array([0.5, 1.0, 3.0])
    hparams = {"term": {"weight": factors, **{key: value * factors for key, value in arguments(name).items()}}}
    together, values = jax.jit(jax.vmap(lambda given: total(context(parts), given)))(hparams)
    for index in range(3):
        loss, value = total(context(parts), jax.tree.map(lambda leaf, i=index: leaf[i], hparams))
        assert float(together[index]) == pytest.approx(float(loss), rel=1e-5)
        assert float(values["term"][index]) == pytest.approx(float(value["term"]), rel=1e-5)


def test_two_terms_never_draw_the_same():
    estimate = TERMS["structure.contractive_estimate"]
    hparams = {name: {"weight": 1.0} for name in ("first", "second")}
    _, values = weighted_sum({"first": estimate, "second": estimate})(context(arrays()), hparams)
    assert float(values["first"]) != float(values["second"])


def test_a_sum_of_terms_is_weighted_and_scheduled():
    ctx, parts = context(arrays()), arrays()
    mask = np.ones(parts["x"].shape, bool)
    sure = [name for name in ORACLES if name not in DRAWING]
    total = weighted_sum({name: TERMS[name] for name in sure}, {"sparsity.l1": schedules.linear})
    hparams = {name: {"weight": 0.5 + index, **arguments(name)} for index, name in enumerate(sure)}
    hparams["sparsity.l1"]["schedule"] = {"initial": 0.2, "until": 0.5}
    expected = {name: ORACLES[name](parts, mask, **arguments(name)) for name in sure}
    loss, values = jax.jit(partial(total, ctx))(hparams, 0.25)
    assert list(values) == sure
    assert {name: float(value) for name, value in values.items()} == pytest.approx(expected, rel=1e-5)
    factor = {"sparsity.l1": 0.6}
    weighted = sum(hparams[name]["weight"] * factor.get(name, 1) * value for name, value in expected.items())
    assert float(loss) == pytest.approx(weighted, rel=1e-5)


def test_each_column_costs_minus_the_logarithm_of_its_own_likelihood():
    columns = (Column("a", 0, 1, ("x", "y")), Column("b", 1), Column("c", 2, 3, ("p", "q", "r")))
    rng = np.random.default_rng(4)
    z, kind, binary = rng.normal(size=(6, 5)), rng.integers(0, 3, 6), rng.integers(0, 2, 6)
    x = np.column_stack([binary, rng.normal(size=6), np.eye(3)[kind]])
    hidden = rng.uniform(size=(6, 3))[:, [0, 1, 2, 2, 2]] < 0.5
    mask = rng.uniform(size=(6, 3))[:, [0, 1, 2, 2, 2]] < 0.7
    softmax = np.exp(z[:, 2:]) / np.exp(z[:, 2:]).sum(1, keepdims=True)
    expected = 0.0
    for j in range(6):
        costs = [
            -math.log(sigmoid(z[j, 0]) if binary[j] else 1 - sigmoid(z[j, 0])),
            0.5 * (x[j, 1] - z[j, 1]) ** 2,
            -math.log(softmax[j, kind[j]]),
        ]
        expected += sum(cost * mask[j, i] * (1 if hidden[j, i] else 0.2) for i, cost in enumerate(costs)) / 6
    ctx = context(arrays(6, 5))._replace(
        x=jnp.asarray(x, jnp.float32),
        mask=jnp.asarray(mask),
        columns=columns,
        extra={"seen": jnp.asarray(~hidden), "natural": jnp.asarray(z, jnp.float32)},
    )
    assert float(imputation.likelihood(ctx, visible=0.2)) == pytest.approx(expected, rel=1e-5)


# Masks.


@pytest.mark.parametrize("term", [reconstruction.cross_entropy, reconstruction.squared_error])
def test_a_missing_entry_costs_nothing_and_pulls_at_nothing(term):
    parts = arrays()
    mask = np.ones(parts["x"].shape, bool)
    mask[1, 2] = mask[3, 0] = False
    value = lambda z, x: term(context({**parts, "z_out": z, "x": x}, mask))
    other = np.where(mask, parts["x"], 1e6)
    assert float(value(parts["z_out"], parts["x"])) == float(value(parts["z_out"], other))
    slope = np.asarray(jax.grad(value)(jnp.asarray(parts["z_out"], jnp.float32), other))
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(slope == 0, ~mask)


def test_rows_without_an_observed_entry_still_count_as_rows():
    parts, mask = arrays(m=2), np.array([[True] * 4, [False] * 4])
    one = {name: values[:1] for name, values in parts.items() if name not in ("kernel", "bias")}
    alone = reconstruction.squared_error(context({**parts, **one}))
    assert float(reconstruction.squared_error(context(parts, mask))) == pytest.approx(float(alone) / 2, rel=1e-6)


# Extremes.


@pytest.mark.parametrize("size", [30.0, 100.0, 1e4])
def test_everything_stays_finite_at_extreme_log_odds(size):
    signs = np.random.default_rng(2).choice([-1.0, 1.0], size=(5, 4))
    parts = arrays() | {"z_out": size * signs, "z_code": size * signs[:, :3]}
    given = {key: jnp.asarray(values, jnp.float32) for key, values in parts.items()}
    found = all_terms(given)
    assert np.isfinite(list(found.values())).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes_of_all(given)))
    # −x log σ(z) − (1 − x) log σ(−z) is |z| times the share that is wrong, up to e^−|z|
    wrong = np.where(signs > 0, 1 - parts["x"], parts["x"])
    assert float(found["reconstruction.cross_entropy"]) == pytest.approx(size * wrong.sum(-1).mean(), rel=1e-5)


@pytest.mark.parametrize("size", [20.0, 1e4])
@pytest.mark.parametrize("sign", [-1, 1])
def test_kl_moves_a_unit_whose_sigmoid_is_dead_or_saturated(sign, size):
    parts = arrays() | {"z_code": np.full((5, 3), sign * size)}
    value = lambda z: sparsity.kl_bernoulli(context({**parts, "z_code": z}), target_rate=0.1)
    slope = jax.grad(value)(jnp.asarray(parts["z_code"], jnp.float32))
    # for ρ̂ → 0 the slope of −ρ log ρ̂ is −ρ / m for each row, and for ρ̂ → 1 that of −(1 − ρ) log(1 − ρ̂) is (1 − ρ) / m
    np.testing.assert_allclose(slope, (0.9 if sign > 0 else -0.1) / 5, rtol=1e-5)


def test_kl_is_refused_where_it_could_not_move_a_dead_unit():
    with pytest.raises(UserError, match="no sigmoid"):
        sparsity.kl_bernoulli(context(arrays()), target_rate=0.2, layer="hard")


@settings(max_examples=10)
@given(rate=st.floats(0.01, 0.99))
def test_kl_is_zero_at_its_target_and_positive_elsewhere(rate):
    at_target = np.full((4, 3), math.log(rate / (1 - rate)))
    value = lambda z: float(sparsity.kl_bernoulli(context(arrays(m=4) | {"z_code": z}), target_rate=rate))
    assert value(at_target) == pytest.approx(0, abs=2e-6)
    assert value(at_target + 1) > 1e-3
    assert value(at_target - 1) > 1e-3


def test_places_and_channels_of_a_map_are_units():
    z = np.random.default_rng(3).normal(size=(6, 2, 3, 2))
    parts = arrays(m=6)
    flat, maps = jnp.asarray(z.reshape(6, -1), jnp.float32), jnp.asarray(z, jnp.float32)
    for name in ("sparsity.l1", "sparsity.l2", "sparsity.kl_bernoulli"):
        of = lambda z, name=name: TERMS[name](
            context(parts)._replace(hidden={"code": jax.nn.sigmoid(z)}, log_odds={"code": z}), **arguments(name)
        )
        assert float(jax.jit(of)(maps)) == pytest.approx(float(jax.jit(of)(flat)), rel=1e-6)


def test_biases_are_not_decayed():
    parts = arrays()
    slope = jax.grad(lambda params: weights.weight_decay(context(parts)._replace(params=params)))(context(parts).params)
    np.testing.assert_allclose(slope["encoder"]["layer0"]["kernel"], parts["kernel"], rtol=1e-6)
    np.testing.assert_allclose(slope["decoder"]["layer0"]["kernel"], 2 * parts["kernel"].T, rtol=1e-6)
    assert not slope["encoder"]["layer0"]["bias"].any()
    assert float(weights.weight_decay(context(parts)._replace(params={}))) == 0


# Mistakes.


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 1.01), (-math.inf, math.inf), (0, math.inf)])
def test_mistakes_of_range_are_refused(low_high):
    ctx = context(arrays())
    ctx = ctx._replace(ranges={name: Range(*low_high) for name in ctx.ranges})
    with pytest.raises(UserError, match=r"^kl_bernoulli: layer 'code' has activations in \[.*; allowed: .*sigmoid"):
        sparsity.kl_bernoulli(ctx, target_rate=0.1)
    with pytest.raises(
        UserError, match=r"^cross_entropy: the data must lie in \[0, 1\], not \[.*; allowed: data\.scal"
    ):
        reconstruction.cross_entropy(ctx)


def test_cross_entropy_needs_a_sigmoid():
    ctx = context(arrays())._replace(log_odds={})
    with pytest.raises(UserError, match=r"^cross_entropy: the output is not a sigmoid; allowed: model\.output="):
        reconstruction.cross_entropy(ctx)


@pytest.mark.parametrize("term", [sparsity.l1, sparsity.l2, partial(sparsity.kl_bernoulli, target_rate=0.1)])
def test_an_unknown_layer_names_those_there_are(term):
    with pytest.raises(UserError, match=r"unknown 'coda' \(did you mean 'code'\?\); allowed: code, hard$"):
        term(context(arrays()), layer="coda")


def test_another_layer_is_another_value():
    ctx = context(arrays())
    np.testing.assert_allclose(sparsity.l1(ctx, layer="hard"), np.abs(ctx.hidden["hard"]).sum(-1).mean(), rtol=1e-6)
    assert float(sparsity.l1(ctx, layer="hard")) != float(sparsity.l1(ctx))


def test_terms_are_values_that_add_up_to_a_loss():
    parts = arrays()
    made = losses.compose(
        error=losses.squared_error(), rate=0.25 * losses.kl_bernoulli(target_rate=0.1), l1=losses.l1() * 2
    )
    assert made.hparams == {
        "error": {"weight": 1.0},
        "rate": {"weight": 0.25, "target_rate": 0.1},
        "l1": {"weight": 2.0},
    }
    total, values = made.objective(context(parts), made.hparams)
    by_hand = {
        "error": reconstruction.squared_error(context(parts)),
        "rate": sparsity.kl_bernoulli(context(parts), target_rate=0.1),
        "l1": sparsity.l1(context(parts)),
    }
    assert values == by_hand
    assert float(total) == pytest.approx(float(by_hand["error"] + 0.25 * by_hand["rate"] + 2 * by_hand["l1"]))


def test_a_schedule_turns_a_term_on():
    late = losses.Term(sparsity.l1, {}, 1.0, schedules.after)
    made = losses.compose(late=late)
    at = [float(made.objective(context(arrays()), made.hparams, jnp.float32(p))[0]) for p in (0.2, 0.7)]
    assert at[0] == 0
    assert at[1] == pytest.approx(float(sparsity.l1(context(arrays()))))


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: losses.l1(layr="code"), r"^l1: unknown 'layr' \(did you mean 'layer'\?\)"),
        (lambda: losses.huber(), r"^huber\.delta: is missing; allowed: float > 0"),
        (lambda: losses.compose(), r"there is no term"),
        (lambda: losses.compose(a=3), r"a=3; allowed: a term"),
        (lambda: losses.compose(loss=losses.l1()), r"cannot be named 'loss'"),
    ],
)
def test_what_is_no_loss_is_refused_in_one_line(make, line):
    with pytest.raises(UserError, match=line):
        make()


def test_every_public_term_is_one_of_the_components():
    public = {losses.TERMS[name] for name in losses.TERMS}
    assert public == set(TERMS)
    assert set(losses.TERMS) <= set(dir(losses))
    with pytest.raises(AttributeError, match="did you mean 'l1'"):
        _ = losses.l11
