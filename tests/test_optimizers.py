"""Every optimiser beside optax's own alias, with numbers that are traced."""

from functools import cache, partial
from inspect import signature

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from modelling import numbers, run_of
from oracles import OPTIMIZERS

from aejax import optimizers
from aejax.config import components
from aejax.config import optimizers as optimizer_fields
from aejax.config.bounds import Count, Positive, Share
from aejax.config.components import REQUIRED, check
from aejax.errors import UserError
from aejax.losses import reconstruction, weighted_sum
from aejax.optimizers import schedules
from aejax.training.context import Rows
from aejax.training.step import make_run, train
from aejax.types import Context, Model, Range

UNUSED = ("lbfgs", "contrib.sophia", "optimistic_adam")  # a line search, what needs the objective, and a deprecated one
STEPWISE = [name for name in optimizer_fields.available() if name not in UNUSED]
ALIASES = [name for name in STEPWISE if not name.startswith("contrib.")]
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


@pytest.mark.filterwarnings("ignore:Specifying a key")
@pytest.mark.parametrize("name", ALIASES)
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


@pytest.mark.parametrize("name", OPTIMIZERS)
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
    optimizer_fields.check({"name": "lbfgs"}, None)
    optimizer_fields.check({"name": "adam"}, 64)
    with pytest.raises(UserError, match=r"^train\.batch_size: lbfgs needs all rows in each step; allowed: None$"):
        optimizer_fields.check({"name": "lbfgs"}, 64)


# Any function of optax, of one's own, and objects.


def two_steps(name, given, schedule=schedules.cosine):
    """Parameters after two steps of a config's optimiser, its floats traced."""
    allowed = optimizer_fields.parameters(name)
    static, swept = components.split(components.complete(given, allowed, what="optimizer", name=name), allowed)
    build = optimizers.build(name, static, schedule)

    @jax.jit
    def walk(hparams):
        params, state = START, build(hparams, jnp.float32(0)).init(START)
        for step in range(2):
            rule = optax.with_extra_args_support(build(hparams, jnp.float32(step / 2)))
            extra = {"value": jnp.float32(1), "grad": slope(params), "value_fn": lambda p: jnp.float32(1)}
            updates, state = rule.update(slope(params), state, params, **extra)
            params = optax.apply_updates(params, updates)
        return params

    return walk({**jax.tree.map(jnp.float32, swept), "schedule": {}})


@pytest.mark.filterwarnings("ignore:Specifying a key")
@pytest.mark.parametrize("name", [name for name in STEPWISE if name not in OPTIMIZERS])
def test_every_optimiser_of_optax_trains(name):
    rate = {} if optimizer_fields.parameters(name)["learning_rate"].default is not REQUIRED else {"learning_rate": 0.1}
    params = two_steps(name, rate)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
    assert float(jnp.abs(params["kernel"] - START["kernel"]).max()) > 0


def own(learning_rate, *, share: Share = 0.5, kind: str = "plain", every: Count = 1):
    """An optimiser of somebody else: gradient descent with a share of the rate, and accumulation."""
    assert kind in ("plain", "twice")
    rule = optax.sgd(learning_rate * share * (2 if kind == "twice" else 1))
    return rule if every == 1 else optax.MultiSteps(rule, every)


def rateless(*, scale: Positive = 0.1):
    """An optimiser that is handed no learning rate."""
    return optax.scale(-scale)


def nothing(learning_rate):
    """What makes no optimiser."""
    return learning_rate


def test_functions_of_ones_own_are_named_by_import_path():
    name = f"{__name__}.own"
    allowed = optimizer_fields.parameters(name)
    assert list(allowed) == ["learning_rate", "clip_norm", "weight_decay", "share", "kind", "every"]
    assert (allowed["learning_rate"].default, allowed["share"].annotation) == (REQUIRED, Share)
    step = lambda rate, params: jax.tree.map(lambda p, g: p - rate * g, params, slope(params))
    plain = two_steps(name, {"learning_rate": 0.2, "kind": "twice"}, schedules.constant)
    assert_close(plain, step(0.2, step(0.2, START)))
    decayed = two_steps(name, {"learning_rate": 0.4, "weight_decay": 0.3}, schedules.constant)
    assert_close(decayed["bias"], two_steps(name, {"learning_rate": 0.4}, schedules.constant)["bias"])
    assert float(jnp.abs(decayed["kernel"] - plain["kernel"]).max()) > 1e-3
    # two steps whose mean gradient, which is that of the start, makes one update
    assert_close(two_steps(name, {"learning_rate": 0.4, "every": 2}, schedules.constant), step(0.2, START))
    assert_close(two_steps(f"{__name__}.rateless", {}, schedules.constant), step(0.1, step(0.1, START)))
    assert_close(
        two_steps(f"{__name__}.rateless", {"learning_rate": 2.0}, schedules.constant), step(0.2, step(0.2, START))
    )


def test_the_same_function_by_several_names():
    assert optimizer_fields.resolve("muon") is optax.contrib.muon
    assert optimizer_fields.resolve("contrib.muon") is optimizer_fields.resolve("optax.contrib.muon")
    assert optimizer_fields.resolve("optax.adam") is optax.adam
    given = {"learning_rate": 0.1, "b1": 0.5}
    assert_close(two_steps("optax.adam", given), two_steps("adam", given), rtol=0)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "optax.contrib.mun",
            r"^optimizer\.name: unknown 'optax.contrib.mun' \(did you mean 'contrib.muon'\?\); allowed",
        ),
        ("no_such_module.adam", r"^optimizer\.name: 'no_such_module\.adam': there is no module 'no_such_module'"),
        (
            f"{__name__}.owm",
            r"^optimizer\.name: '\S+\.owm': \S+ has no function 'owm' \(did you mean 'own'\?\)",
        ),
        (
            f"{__name__}.nothing",
            r"^optimizer\.name: .*\.nothing returned .*; allowed: a function that returns an optax",
        ),
        ("sophia", r"^optimizer: .*ValueError: obj_fn must be provided"),
    ],
)
def test_what_makes_no_optimiser_is_told_in_one_line(name, line):
    with pytest.raises(UserError, match=line):
        two_steps(name, {"learning_rate": 0.1})


def test_accumulated_steps_make_one_update_of_their_mean_gradient():
    build = optimizers.accumulated(optimizers.build("sgd", {}, schedules.constant), 2)
    found = descend(lambda step: build({"learning_rate": jnp.float32(0.1)}, jnp.float32(step) / 4), steps=4)
    assert_close(found, descend(optax.sgd(0.1), steps=2))


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
    settings = {"corrupt": lambda key, x: x * seen[None], "steps": 60, "batch_size": None}
    run = run_of(linear_map(5), {"reconstruction": reconstruction.squared_error}, "lbfgs", **settings)
    hparams = numbers({"reconstruction": 1.0}, {})
    rows = Rows(jnp.asarray(x), None, jnp.float32(0), jnp.float32(1))
    _, history = jax.jit(partial(train, run, steps=60))(jax.random.key(0), hparams, rows)
    design = np.concatenate([np.float64(x * seen), np.ones((60, 1))], 1)
    solution = np.linalg.lstsq(design, np.float64(x))[0]
    best = 0.5 * ((x - design @ solution) ** 2).sum(-1).mean()
    assert best > 0.1
    assert float(history["loss"][0]) > 2 * best
    assert float(history["loss"][-1]) == pytest.approx(best, rel=1e-5)


def test_an_object_of_optax_trains():
    x = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    rows = Rows(jnp.asarray(x), None, jnp.float32(0), jnp.float32(1))
    hparams = {"terms": {"reconstruction": {"weight": 1.0}}, "corruption": {}, "optimizer": {}}
    objective = weighted_sum({"reconstruction": reconstruction.squared_error})
    settings = {"steps": 6, "batch_size": 5, "data_range": Range()}

    def losses(optimizer, numbers):
        run = make_run(linear_map(3), objective, lambda key, x: x, optimizer, **settings)
        whole = jax.jit(partial(train, run, steps=6))
        return whole(jax.random.key(0), {**hparams, "optimizer": numbers}, rows)[1]["loss"]

    named = losses(optimizers.build("sgd", {}, schedules.constant), {"learning_rate": jnp.float32(0.1)})
    np.testing.assert_allclose(losses(optax.sgd(0.1), {}), named, rtol=1e-5)
    assert np.isfinite(losses(optax.MultiSteps(optax.adam(1e-2), 2), {})).all()
    with pytest.raises(UserError, match=r"^optimizer: got 3; allowed: an optax.GradientTransformation, such as"):
        losses(3, {})
