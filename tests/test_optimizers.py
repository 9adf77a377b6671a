"""Every optimiser beside optax's own alias, with numbers that are traced."""

from functools import cache, partial
from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aejax import optimizers
from aejax.config import optimizers as optimizer_fields
from aejax.config.components import REQUIRED, check
from aejax.errors import UserError
from aejax.losses import reconstruction, weighted_sum
from aejax.optimizers import schedules
from aejax.training.context import Rows
from aejax.training.step import make_run, train
from aejax.types import Context, Model, Range

STEPWISE = [name for name in optimizer_fields.NAMES if name != "lbfgs"]
DECAYED_LAST = ("adamw", "adamaxw", "lion", "nadamw")  # in optax too the decay is added to the finished direction
SHARED = {"learning_rate", "clip_norm", "weight_decay"}
TARGET = {"kernel": jnp.array([[1.0, -2.0], [0.5, 3.0]]), "bias": jnp.array([0.3, -0.7])}
START = {"kernel": jnp.array([[0.1, 0.2], [-0.3, 0.4]]), "bias": jnp.array([0.5, 0.6])}
CURVATURE = {"kernel": jnp.array([[1.0, 4.0], [0.3, 2.0]]), "bias": jnp.array([1.5, 0.7])}


def slope(params):
    """The gradient of the quadratic Σ ½ c (p − target)²."""
    return jax.tree.map(lambda p, c, t: c * (p - t), params, CURVATURE, TARGET)


def descend(rule, steps=5):
    """Parameters after some steps; `rule` is a transformation, or a function of the step that gives one."""
    at = rule if callable(rule) else lambda step: rule
    params, state = START, at(0).init(START)
    for step in range(steps):
        updates, state = at(step).update(slope(params), state, params)
        params = optax.apply_updates(params, updates)
    return params


def own_numbers(name):
    """The floats that a config resolves an optimiser's own arguments to, as it hands them on: in float32."""
    defaults = {key: p.default for key, p in optimizer_fields.parameters(name).items() if key not in SHARED}
    return {key: jnp.float32(value) for key, value in defaults.items() if type(value) is float}


@cache
def ours(name, schedule="constant"):
    """(hyperparameters) -> parameters after 5 steps, every number traced."""
    build = optimizers.build(name, {}, getattr(schedules, schedule))
    return jax.jit(lambda hparams: descend(lambda step: build(hparams, jnp.float32(step) / 5)))


def alias(name, **arguments):
    """optax's own, with the weight decay that some aliases have by default left out."""
    function = getattr(optax, name)
    decay = {"weight_decay": 0.0} if "weight_decay" in signature(function).parameters else {}
    return function(**{**decay, **arguments})


def assert_close(found, expected, rtol=1e-5):
    jax.tree.map(partial(np.testing.assert_allclose, rtol=rtol, atol=1e-6), found, expected)


@pytest.mark.parametrize("name", STEPWISE)
def test_the_same_steps_as_the_alias_of_optax_and_vmap_as_a_loop(name):
    rates = jnp.array([0.05, 0.2])
    reference = jax.jit(lambda numbers: descend(alias(name, **numbers)))
    one = lambda rate: {"learning_rate": rate, **own_numbers(name)}
    expected = [reference(one(rate)) for rate in rates]
    assert_close(ours(name)(one(rates[0])), expected[0])
    assert_close(ours(name)(one(rates[1])), expected[1])
    assert ours(name)._cache_size() == 1
    together = jax.vmap(lambda rate: ours(name)(one(rate)))(rates)
    for index in range(2):
        assert_close(jax.tree.map(lambda leaf, i=index: leaf[i], together), expected[index])
    moved = jax.tree.map(lambda a, b: float(jnp.abs(a - b).max()), expected[0], expected[1])
    assert min(jax.tree.leaves(moved)) > 1e-6, "the rate must matter for the comparison to mean anything"


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd"])
def test_own_numbers_are_used(name):
    numbers = {"adam": {"b1": 0.5, "b2": 0.7, "eps": 0.1}, "rmsprop": {"decay": 0.4, "eps": 0.1}}
    number = numbers.get(name, {"momentum": 0.8})
    hparams = {"learning_rate": 0.1, **own_numbers(name), **number}
    # with the other numbers as optax has them; 1 − b2 in float32 is off by 5e-5 where b2 is 0.999
    assert_close(ours(name)(hparams), descend(alias(name, learning_rate=0.1, **number)), rtol=1e-4)


def test_static_numbers_are_used():
    build = optimizers.build("adam", {"nesterov": True, "clip_norm": None}, schedules.constant)
    found = descend(lambda step: build({"learning_rate": 0.1}, jnp.float32(0)))
    assert_close(found, descend(optax.adam(0.1, nesterov=True)))


def test_gradients_are_clipped_by_their_norm_first():
    hparams = {"learning_rate": 0.1, "clip_norm": 0.5, **own_numbers("sgd")}
    params, norms = START, []
    for _ in range(5):
        gradient = {name: np.float64(values) for name, values in slope(params).items()}
        norms.append(np.sqrt(sum((leaf**2).sum() for leaf in gradient.values())))
        params = {name: params[name] - 0.1 * min(1, 0.5 / norms[-1]) * gradient[name] for name in params}
    assert norms[0] > 0.5
    assert_close(ours("sgd")(hparams), params)
    # a norm that is never reached changes nothing
    assert_close(ours("sgd")({**hparams, "clip_norm": 1e3}), ours("sgd")({"learning_rate": 0.1}))


def test_weight_decay_is_decoupled_and_spares_biases():
    params = START
    for _ in range(5):
        gradient = slope(params)
        kernel = params["kernel"] - 0.1 * (gradient["kernel"] + 0.3 * params["kernel"])
        params = {"kernel": kernel, "bias": params["bias"] - 0.1 * gradient["bias"]}
    assert_close(ours("sgd")({"learning_rate": 0.1, "weight_decay": 0.3}), params)


@pytest.mark.parametrize("name", DECAYED_LAST)
def test_weight_decay_is_that_of_optax_where_optax_decouples_it(name):
    hparams = {"learning_rate": 0.1, "weight_decay": 0.3, **own_numbers(name)}
    mask = {"kernel": True, "bias": False}
    assert_close(ours(name)(hparams), jax.jit(lambda numbers: descend(alias(name, mask=mask, **numbers)))(hparams))


def test_kernels_are_found_by_their_name_at_any_depth():
    params = {"encoder": {"layer0": {"kernel": 1, "bias": 2}}, "kernel": [3], "scale": 4}
    expected = {"encoder": {"layer0": {"kernel": True, "bias": False}}, "kernel": [False], "scale": False}
    assert optimizers.kernels(params) == expected


def test_the_schedule_is_a_factor_of_the_rate():
    hparams = {"learning_rate": 0.2, "schedule": {"final": 0.1}}
    params = START
    for step in range(5):
        rate = 0.2 * (0.1 + 0.9 * (1 + np.cos(np.pi * step / 5)) / 2)
        params = jax.tree.map(lambda p, g, rate=rate: p - rate * g, params, slope(params))
    assert_close(ours("sgd", "cosine")(hparams), params)


# What a config may write.


@pytest.mark.parametrize("name", optimizer_fields.NAMES)
def test_parameters_are_those_of_optax(name):
    found = optimizer_fields.parameters(name)
    theirs = signature(getattr(optax, name)).parameters
    assert set(found) & SHARED == (set() if name == "lbfgs" else SHARED)
    for key in set(found) - SHARED:
        assert found[key].default == theirs[key].default
        check(found[key].default, found[key].annotation, what=key)
        for wrong in ("much", float("nan")):
            with pytest.raises(UserError, match=f"^{key}: expected "):
                check(wrong, found[key].annotation, what=key)
    if name != "lbfgs":
        assert found["learning_rate"].default is REQUIRED
        assert found["clip_norm"].default is None
        decay = theirs["weight_decay"].default if "weight_decay" in theirs else 0.0
        assert found["weight_decay"].default == (decay or None)


def test_an_unknown_optimiser_is_told():
    with pytest.raises(UserError, match=r"^optimizer\.name: unknown 'adm' \(did you mean 'adam'\?\); allowed: adabel"):
        optimizer_fields.parameters("adm")


def test_a_line_search_needs_all_rows():
    optimizer_fields.check_full_batch("lbfgs", None)
    optimizer_fields.check_full_batch("adam", 64)
    with pytest.raises(UserError, match=r"^train\.batch_size: lbfgs needs all rows in each step; allowed: None$"):
        optimizer_fields.check_full_batch("lbfgs", 64)


# L-BFGS, through a run.


def linear_map(n):
    """x̂ = x_in W + b, whose best W and b are those of least squares."""
    init = lambda key: {"kernel": jnp.zeros((n, n)), "bias": jnp.zeros((n,))}

    def apply(params, x, x_in, key):
        x_hat = x_in @ params["kernel"] + params["bias"][None]
        return Context(x, x_in, x_hat, x_hat, {"code": x_hat}, {}, params, {"x_hat": Range(), "code": Range()})

    return Model(init, lambda params, x: x, lambda params, code: code, apply, (n,), n)


def test_lbfgs_solves_least_squares():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))).astype(np.float32)
    seen = np.array([1, 1, 0, 1, 0], np.float32)  # the encoder does not see two of the columns
    run = make_run(
        linear_map(5),
        weighted_sum({"reconstruction": reconstruction.squared_error}),
        lambda key, x: x * seen[None],
        optimizers.build("lbfgs", {}, schedules.constant),
        steps=60,
        batch_size=None,
        data_range=Range(),
    )
    hparams = {"terms": {"reconstruction": {"weight": 1.0}}, "corruption": {}, "optimizer": {}}
    rows = Rows(jnp.asarray(x), None, jnp.float32(0), jnp.float32(1))
    _, history = jax.jit(partial(train, run, steps=60))(jax.random.key(0), hparams, rows)
    design = np.concatenate([np.float64(x * seen), np.ones((60, 1))], 1)
    solution = np.linalg.lstsq(design, np.float64(x))[0]
    best = 0.5 * ((x - design @ solution) ** 2).sum(-1).mean()
    assert best > 0.1
    assert float(history["loss"][0]) > 2 * best
    assert float(history["loss"][-1]) == pytest.approx(best, rel=1e-5)
