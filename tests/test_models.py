"""One battery over every model, and the mistakes that models refuse."""

from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from modelling import CASES, ROWS, built, compiled, through, training_pass

from aejax.config import components
from aejax.errors import UserError
from aejax.models import dense
from aejax.models.activations import ACTIVATIONS
from aejax.training.context import Batch, Forward, Keys, context
from aejax.types import Range

each = pytest.mark.parametrize("case", CASES)


def test_every_model_is_in_the_battery():
    drawing = {"binary.rounded"}  # always, so that tests/test_hashing.py has it
    assert {name for name, *_ in CASES.values()} == set(components.available("aejax.models")) - drawing


@each
def test_shapes_names_and_what_a_context_promises(case):
    model, params, x = built(case)
    _, feature_shape, arguments, layers = CASES[case]
    x_in = x * 0.5
    ctx = compiled(case)[0](params, x, x_in)
    assert model.feature_shape == feature_shape
    beside = prod(feature_shape) if arguments.get("rounds") else 0  # the filled row stands behind the code
    assert model.code_size == arguments.get("code", model.code_size) + beside
    assert set(ctx.hidden) == set(layers)
    assert ctx.code.shape == (ROWS, model.code_size)
    assert ctx.x_hat.shape == x.shape
    assert {values.shape[0] for values in ctx.hidden.values()} == {ROWS}
    assert {values.dtype for values in (ctx.x_hat, *ctx.hidden.values())} == {jnp.dtype("float32")}
    np.testing.assert_array_equal(ctx.hidden["code"], ctx.code)
    np.testing.assert_array_equal(ctx.x, x)
    np.testing.assert_array_equal(ctx.x_in, x_in)
    assert jax.tree.all(jax.tree.map(np.array_equal, ctx.params, params))
    assert set(ctx.ranges) == {*layers, "x_hat"}
    assert ctx.mask is None


@each
def test_encode_decode_and_the_training_pass_agree(case):
    model, params, x = built(case)
    ctx = compiled(case)[0](params, x, x * 0.5)
    code, _ = through(case)(params, x * 0.5)
    np.testing.assert_allclose(ctx.extra.get("mean", ctx.code), code, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(ctx.x_hat, jax.jit(model.decode)(params, ctx.code), rtol=1e-6, atol=1e-6)


@each
def test_log_odds_are_there_for_sigmoids_and_only_for_them(case):
    _, params, x = built(case)
    arguments = CASES[case][2]
    ctx = compiled(case)[0](params, x, x)
    values = {**ctx.hidden, "x_hat": ctx.x_hat}
    for name, z in ctx.log_odds.items():
        np.testing.assert_allclose(jax.nn.sigmoid(z), values[name], rtol=1e-6)
    sigmoid = CASES[case][0] in ("dense.vanilla", "binary.noisy")
    default = {"code": "sigmoid" if sigmoid else arguments.get("code_activation", "linear")}
    default["x_hat"] = arguments.get("output", "linear" if CASES[case][0] == "dense.shortcut" else "sigmoid")
    between = "linear" if CASES[case][0] == "unet.unet" else arguments.get("activation")  # its maps are sums
    kinds = {name: default.get(name, between) for name in values}
    if CASES[case][0] == "masked.residual":  # sums of what the blocks put out
        kinds = dict.fromkeys(values, "linear") | {"x_hat": arguments.get("output", "linear")}
    if CASES[case][0] == "dictionary.topk":
        kinds = {"code": "relu", "x_hat": "linear"}
    assert set(ctx.log_odds) == {name for name, kind in kinds.items() if kind == "sigmoid"}
    assert dict(ctx.ranges) == {name: ACTIVATIONS[kind].range for name, kind in kinds.items()}


@each
def test_jit_equals_eager_and_compiles_once(case):
    model, params, x = built(case)
    jitted = compiled(case)[0]
    eager = model.apply(params, x, x, jax.random.key(0))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), jitted(params, x, x), eager)
    jitted(jax.tree.map(lambda leaf: leaf * 2, params), x + 1, x)
    assert jitted._cache_size() == 1


@each
def test_vmap_over_parameters_equals_a_loop(case):
    _, params, x = built(case)
    several = [params, jax.tree.map(lambda leaf: -0.5 * leaf, params)]
    _, together = jax.vmap(through(case), (0, None))(jax.tree.map(lambda *leaves: jnp.stack(leaves), *several), x)
    for one, x_hat in zip(several, together, strict=True):
        np.testing.assert_allclose(x_hat, through(case)(one, x)[1], rtol=1e-5, atol=1e-6)


@each
def test_rows_do_not_see_one_another(case):
    _, params, x = built(case)
    others = (1.0 - x).at[2].set(x[2])
    for values, beside_others in zip(through(case)(params, x), through(case)(params, others), strict=True):
        np.testing.assert_allclose(values[2], beside_others[2], rtol=1e-5, atol=1e-6)
        assert not np.array_equal(values[3], beside_others[3])


@each
def test_every_parameter_is_reached_by_the_gradient(case):
    model, params, x = built(case)
    x_in = x.at[:, 1::3].set(jnp.nan) if model.takes_missing else x

    def loss(p):
        ctx = training_pass(model)(p, x, x_in)
        return sum(jnp.square(values).sum() for values in (x - ctx.x_hat, *jax.tree.leaves(ctx.extra)))

    for path, slope in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(slope).all(), path
        assert np.abs(slope).max() > 0 or path[0].key == "kept", path


@each
def test_initial_parameters_are_a_function_of_the_key(case):
    init = compiled(case)[1]
    first, again, other = (init(jax.random.key(seed)) for seed in (3, 3, 4))
    for (path, a), b, c in zip(
        jax.tree_util.tree_leaves_with_path(first), jax.tree.leaves(again), jax.tree.leaves(other), strict=True
    ):
        kind = path[-1].key
        if path[0].key == "kept":  # what settles is no parameter
            continue
        zero = kind in ("bias", "coefficients", "offset")
        zero = zero or (case == "shortcut" and path[1].key == "layer1")  # the ends, beside a linear way
        assert zero or kind in ("kernel", "frequency", "centres")
        assert a.dtype == jnp.float32
        assert a.any() != zero
        np.testing.assert_array_equal(a, b)
        assert np.array_equal(a, c) == zero


@pytest.mark.parametrize("case", ["vanilla", "multilayer tied"])
def test_initial_parameters_are_the_same_bits_with_and_without_jit(case):
    eager, jitted = built(case)[0].init(jax.random.key(3)), compiled(case)[1](jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, eager, jitted)


# Mistakes.


@pytest.mark.parametrize(
    ("name", "arguments", "line"),
    [
        ("vanilla", {"activation": "sigmoyd"}, r"^model\.activation: unknown 'sigmoyd' \(did you mean 'sigmoid'\?\)"),
        ("vanilla", {"output": "relu"}, r"^model\.output: unknown 'relu'.*; allowed: linear, sigmoid, tanh$"),
        ("multilayer", {"code_activation": "softmax"}, r"^model\.code_activation: unknown 'softmax'"),
        ("multilayer", {"activation": "x", "widths": (3,)}, r"^model\.activation: unknown 'x'"),
        (
            "multilayer",
            {"widths": (7, 6), "decoder_widths": (7, 6), "tied": True},
            r"^model\.tied: .* must mirror the encoder's: \(6, 7\), not \(7, 6\)$",
        ),
        ("multilayer", {"widths": (), "activation": "tanh"}, r"^model\.activation: there are no hidden layers"),
    ],
)
def test_mistakes_are_told_in_one_line(name, arguments, line):
    with pytest.raises(UserError, match=line) as caught:
        getattr(dense, name)((12,), **arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "wrong", "line"),
    [
        ("x_hat", lambda ctx: ctx.x_hat[:, :1], r"^model: x_hat of 6 rows has the shape \(6, 1\); allowed: \(6, 12\)$"),
        ("code", lambda ctx: ctx.code[:, 0], r"^model: code of 6 rows has the shape \(6,\); allowed: \(6, 5\)$"),
    ],
)
def test_a_model_of_somebody_else_that_puts_out_other_shapes_is_refused(name, wrong, line):
    model, params, x = built("vanilla")

    def apply(*given):
        ctx = model.apply(*given)
        return ctx._replace(**{name: wrong(ctx)})

    keys = jax.random.split(jax.random.key(0), 3)
    seen = lambda model: context(Forward(model, lambda key, x: x, Range(0, 1)), params, Batch(x), Keys(*keys), {})
    assert seen(model).x_hat.shape == x.shape
    with pytest.raises(UserError, match=line):
        seen(model._replace(apply=apply))
