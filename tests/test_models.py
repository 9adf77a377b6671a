"""One battery over every model, closed forms for the dense ones, and a Flax NNX network behind the same contract."""

from functools import cache
from math import prod

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aejax import components
from aejax.errors import UserError
from aejax.losses.weights import weight_decay
from aejax.models import dense
from aejax.models.activations import ACTIVATIONS, OUTPUTS, named
from aejax.types import Context, Model, Range

ROWS = 6

# name in a config, shape of a row, arguments, names of the hidden activations
CASES = {
    "vanilla": ("dense.vanilla", (4, 3, 1), {"code": 5}, ("code",)),
    "vanilla tied": ("dense.vanilla", (12,), {"code": 5, "tied": True, "output": "tanh"}, ("code",)),
    "multilayer": (
        "dense.multilayer",
        (12,),
        {"widths": (7, 6), "code": 3, "activation": "sigmoid"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "multilayer tied": (
        "dense.multilayer",
        (2, 6),
        {"widths": (7,), "code": 3, "tied": True, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "multilayer uneven": (
        "dense.multilayer",
        (12,),
        {"widths": (), "code": 3, "code_activation": "hard_sigmoid", "decoder_widths": (9,), "activation": "elu"},
        ("code", "decoder0"),
    ),
    "binary": (  # with noise its training pass is another than encode and decode: tests/test_hashing.py
        "binary.noisy",
        (12,),
        {"widths": (7,), "code": 3, "noise": 0.0, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "clustered": (
        "clustered.dense",
        (2, 6),
        {"widths": (7,), "code": 3, "clusters": 4, "sets": 2, "activation": "tanh", "output": "linear"},
        ("encoder0", "code", "decoder0"),
    ),
    "convolutional": (
        "conv.convolutional",
        (6, 5, 2),
        {"channels": (3, 4), "code": 3, "activation": "tanh", "code_activation": "sigmoid"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "unet": (
        "unet.unet",
        (6, 5, 2),
        {"channels": (3, 4), "activation": "tanh", "output": "linear"},
        ("encoder0", "encoder1", "code", "decoder0"),
    ),
    "unet without skips": (
        "unet.unet",
        (9, 7, 1),
        {
            "channels": (3, 4, 2),
            "patch": 1,
            "activation": "elu",
            "skips": False,
            "residual": False,
            "output": "sigmoid",
        },
        ("encoder0", "encoder1", "encoder2", "code", "decoder0", "decoder1"),
    ),
    "masked": (
        "masked.residual",
        (4, 3),
        {"width": 9, "blocks": 2, "code": 3, "frequencies": 2, "activation": "tanh"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "masked with equations": (
        "masked.residual",
        (12,),
        {"width": 9, "blocks": 1, "code": 3, "frequencies": 2, "rounds": 3},
        ("encoder0", "code", "decoder0"),
    ),
    "masked of skewed columns": (
        "masked.residual",
        (12,),
        {"width": 9, "blocks": 1, "code": 3, "frequencies": 2, "gain": 5.0, "output": "softplus"},
        ("encoder0", "code", "decoder0"),
    ),
    "variational dense": (
        "variational.dense",
        (12,),
        {"widths": (7, 6), "code": 3, "activation": "sigmoid", "kernel_scale": 0.4},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
    "variational convolutional": (
        "variational.convolutional",
        (6, 5, 2),
        {"channels": (3, 4), "code": 3, "activation": "tanh", "output": "linear"},
        ("encoder0", "encoder1", "code", "decoder0", "decoder1"),
    ),
}

each = pytest.mark.parametrize("case", CASES)


@cache
def built(case):
    """The model of a case, its parameters with biases that are not zero, and rows in [0, 1]."""
    name, feature_shape, arguments, _ = CASES[case]
    model = components.resolve(name, "aejax.models", what="model.name")(feature_shape, **arguments)
    params = jax.jit(model.init)(jax.random.key(1))
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(2)
    params = jax.tree.unflatten(tree, [leaf + 0.1 * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves])
    x = rng.uniform(size=(ROWS, int(np.prod(feature_shape)))).astype(np.float32)
    return model, params, jnp.asarray(x)


def training_pass(model):
    return lambda params, x, x_in: model.apply(params, x, x_in, jax.random.key(0))


@cache
def compiled(case):
    """The training pass and the initialiser, compiled once for all tests."""
    model = built(case)[0]
    return jax.jit(training_pass(model)), jax.jit(model.init)


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
    code = jax.jit(model.encode)(params, x * 0.5)
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
    default["x_hat"] = arguments.get("output", "sigmoid")
    between = "linear" if CASES[case][0] == "unet.unet" else arguments.get("activation")  # its maps are sums
    kinds = {name: default.get(name, between) for name in values}
    if CASES[case][0] == "masked.residual":  # sums of what the blocks put out
        kinds = dict.fromkeys(values, "linear") | {"x_hat": arguments.get("output", "linear")}
    assert set(ctx.log_odds) == {name for name, kind in kinds.items() if kind == "sigmoid"}
    assert dict(ctx.ranges) == {name: ACTIVATIONS[kind].range for name, kind in kinds.items()}


@each
def test_jit_equals_eager_and_compiles_once(case):
    model, params, x = built(case)
    jitted = jax.jit(training_pass(model))
    eager = model.apply(params, x, x, jax.random.key(0))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), jitted(params, x, x), eager)
    jitted(jax.tree.map(lambda leaf: leaf * 2, params), x + 1, x)
    assert jitted._cache_size() == 1


@each
def test_vmap_over_parameters_equals_a_loop(case):
    model, params, x = built(case)
    both = [params, jax.tree.map(lambda leaf: -0.5 * leaf, params)]
    reconstruct = jax.jit(lambda p: model.decode(p, model.encode(p, x)))
    together = jax.vmap(reconstruct)(jax.tree.map(lambda *leaves: jnp.stack(leaves), *both))
    for one, found in zip(both, together, strict=True):
        np.testing.assert_allclose(found, reconstruct(one), rtol=1e-5, atol=1e-6)


@each
def test_rows_do_not_see_one_another(case):
    model, params, x = built(case)
    through = jax.jit(lambda x: (model.encode(params, x), model.decode(params, model.encode(params, x))))
    for alone, together in zip(through(x[2:3]), through(x), strict=True):
        np.testing.assert_allclose(alone[0], together[2], rtol=1e-5, atol=1e-6)


@each
def test_every_parameter_is_reached_by_the_gradient(case):
    model, params, x = built(case)
    x_in = x.at[:, 1::3].set(jnp.nan) if model.takes_missing else x

    def loss(p):
        ctx = training_pass(model)(p, x, x_in)
        return sum(jnp.square(values).sum() for values in (x - ctx.x_hat, *jax.tree.leaves(ctx.extra)))

    for path, slope in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert np.isfinite(slope).all(), path
        assert np.abs(slope).max() > 0, path


@each
def test_initial_parameters_are_a_function_of_the_key(case):
    init = compiled(case)[1]
    first, again, other = (init(jax.random.key(seed)) for seed in (3, 3, 4))
    for (path, a), b, c in zip(
        jax.tree_util.tree_leaves_with_path(first), jax.tree.leaves(again), jax.tree.leaves(other), strict=True
    ):
        kind = path[-1].key
        zero = kind in ("bias", "coefficients", "offset")
        assert zero or kind in ("kernel", "frequency", "centres")
        assert a.dtype == jnp.float32
        assert a.any() != zero
        np.testing.assert_array_equal(a, b)
        assert np.array_equal(a, c) == zero


@pytest.mark.parametrize("case", ["vanilla", "multilayer tied"])
def test_initial_parameters_are_the_same_bits_with_and_without_jit(case):
    eager, jitted = built(case)[0].init(jax.random.key(3)), compiled(case)[1](jax.random.key(3))
    jax.tree.map(np.testing.assert_array_equal, eager, jitted)


# Dense nets beside closed forms.


def float64(params):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_vanilla_is_its_two_equations():
    model, params, x = built("vanilla")
    p = float64(params)
    encoder, decoder = p["encoder"]["layer0"], p["decoder"]["layer0"]
    h = sigmoid(np.float64(x) @ encoder["kernel"] + encoder["bias"])
    x_hat = sigmoid(h @ decoder["kernel"] + decoder["bias"])
    np.testing.assert_allclose(model.encode(params, x), h, rtol=1e-5)
    np.testing.assert_allclose(model.decode(params, model.encode(params, x)), x_hat, rtol=1e-5)


def test_multilayer_is_a_chain_of_layers():
    _, params, x = built("multilayer")
    p, a, expected = float64(params), np.float64(x), {}
    chain = [("encoder0", "encoder", 0), ("encoder1", "encoder", 1), ("code", "encoder", 2)]
    chain += [("decoder0", "decoder", 0), ("decoder1", "decoder", 1), ("x_hat", "decoder", 2)]
    for name, half, index in chain:
        layer = p[half][f"layer{index}"]
        a = a @ layer["kernel"] + layer["bias"]
        a = a if name == "code" else sigmoid(a)
        expected[name] = a
    ctx = compiled("multilayer")[0](params, x, x)
    for name, values in {**ctx.hidden, "x_hat": ctx.x_hat}.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("name", "arguments"), [("vanilla", {"code": 4}), ("multilayer", {"widths": (5,), "code": 4, "activation": "tanh"})]
)
def test_tied_weights_are_shared_and_collect_both_gradients(name, arguments):
    function, x = getattr(dense, name), built("vanilla")[2]
    tied, free = function((12,), tied=True, **arguments), function((12,), **arguments)
    params = jax.jit(tied.init)(jax.random.key(5))
    depth = len(params["encoder"])
    assert all(set(layer) == {"bias"} for layer in params["decoder"].values())
    mirrored = lambda i: params["encoder"][f"layer{depth - 1 - i}"]["kernel"].T
    both = {
        "encoder": params["encoder"],
        "decoder": {f"layer{i}": {**params["decoder"][f"layer{i}"], "kernel": mirrored(i)} for i in range(depth)},
    }
    loss = lambda model: lambda p: jnp.square(x - training_pass(model)(p, x, x).x_hat).sum()
    (value, slope), (expected, parts) = (
        jax.jit(jax.value_and_grad(loss(m)))(p) for m, p in ((tied, params), (free, both))
    )
    assert float(value) == pytest.approx(float(expected), rel=1e-6)
    for i in range(depth):
        summed = parts["encoder"][f"layer{i}"]["kernel"] + parts["decoder"][f"layer{depth - 1 - i}"]["kernel"].T
        np.testing.assert_allclose(slope["encoder"][f"layer{i}"]["kernel"], summed, rtol=1e-4, atol=1e-5)


def test_the_convolutional_net_is_its_layers_in_convolutions_of_xla():
    _, params, x = built("convolutional")
    shapes = {"decoder0": (2, 2, 4), "decoder1": (3, 3, 3), "x_hat": (6, 5, 2)}
    layout = {"dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": "highest"}

    @jax.jit
    def chain(p, x):
        a, found = x.reshape(-1, 6, 5, 2), {}
        for index in range(2):
            layer = p["encoder"][f"layer{index}"]
            a = jax.lax.conv_general_dilated(a, layer["kernel"], (2, 2), "SAME", **layout)
            a = found[f"encoder{index}"] = jnp.tanh(a + layer["bias"][None, None, None])
        dense_layer = lambda half, a: a @ p[half]["code"]["kernel"] + p[half]["code"]["bias"][None]
        found["code"] = jax.nn.sigmoid(dense_layer("encoder", a.reshape(len(x), -1)))
        a = found["decoder0"] = jnp.tanh(dense_layer("decoder", found["code"])).reshape(-1, *shapes["decoder0"])
        for index, name in enumerate(("decoder1", "x_hat")):
            layer, (height, width, _) = p["decoder"][f"layer{index}"], shapes[name]
            a = jax.lax.conv_transpose(a, layer["kernel"], (2, 2), "SAME", **layout)[:, :height, :width]
            a = a + layer["bias"][None, None, None]
            a = found[name] = jnp.tanh(a) if name == "decoder1" else jax.nn.sigmoid(a)
        return found | {"x_hat": a.reshape(len(x), -1)}

    ctx, expected = compiled("convolutional")[0](params, x, x), chain(params, x)
    for name, values in {**ctx.hidden, "x_hat": ctx.x_hat}.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-6, err_msg=name)


@settings(max_examples=8)
@given(
    feature_shape=st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    widths=st.lists(st.integers(1, 5), max_size=3).map(tuple),
    code=st.integers(1, 6),
    rows=st.integers(1, 4),
)
def test_any_shape_goes_through(feature_shape, widths, code, rows):
    given = {"activation": "tanh"} if widths else {}
    model = dense.multilayer(feature_shape, widths=widths, code=code, **given)
    n = int(np.prod(feature_shape))
    rows_in = jax.ShapeDtypeStruct((rows, n), jnp.float32)
    params = jax.eval_shape(model.init, jax.random.key(0))
    encoded = jax.eval_shape(model.encode, params, rows_in)
    assert encoded.shape == (rows, code)
    assert jax.eval_shape(model.decode, params, encoded).shape == (rows, n)
    ctx = jax.eval_shape(training_pass(model), params, rows_in, rows_in)
    sizes = {**{f"encoder{i}": w for i, w in enumerate(widths)}, "code": code}
    sizes |= {f"decoder{i}": w for i, w in enumerate(reversed(widths))}
    assert {name: values.shape for name, values in ctx.hidden.items()} == {k: (rows, w) for k, w in sizes.items()}


# Activations.


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_values_lie_in_the_range_of_their_activation(name):
    function, known, _ = ACTIVATIONS[name]
    grid = np.linspace(-40, 40, 200_001, dtype=np.float32)
    values = np.asarray(jax.jit(function)(np.concatenate([grid, np.float32([-1e30, -1e4, 1e4, 1e30])])), np.float64)
    assert known.low <= values.min()
    assert values.max() <= known.high
    # and it is no wider than that
    assert values.min() - known.low < 2e-2 or known.low == -np.inf
    assert known.high - values.max() < 2e-2 or known.high == np.inf


@given(z=st.floats(width=32, allow_nan=False, min_value=-(2.0**60), max_value=2.0**60), name=st.sampled_from(OUTPUTS))
def test_outputs_lie_in_their_range(z, name):
    kind = named(name, what="model.output")
    assert kind.range.within(kind.range.low, kind.range.high)
    assert kind.range.low <= float(kind.function(jnp.float32(z))) <= kind.range.high


def test_only_the_sigmoid_has_log_odds():
    assert [name for name, kind in ACTIVATIONS.items() if kind.is_sigmoid] == ["sigmoid"]


def test_a_range_within_another():
    assert Range(0, 1).within(0, 1)
    assert not Range(0, 1).within(0.1, 1)
    assert not Range(0, 1.1).within(0, 1)
    assert not Range().within(0, 1)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_initial_kernels_have_the_deviation_that_suits_their_activation(name):
    inputs, units = 400, 100
    found = np.asarray(ACTIVATIONS[name].kernel_init(jax.random.key(6), (inputs, units))).std()
    bounded = ("linear", "sigmoid", "hard_sigmoid", "tanh", "hard_tanh", "soft_sign")
    expected = np.sqrt(2 / (inputs + units)) if name in bounded else np.sqrt((1 if name == "selu" else 2) / inputs)
    assert found == pytest.approx(expected, rel=0.02)


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


# Any (init, apply) pair can stand behind a model.


def nnx_vanilla(features, code):
    """A network written with Flax NNX as a `Model`: `split` makes its state plain, `merge` brings it back."""
    from flax import nnx

    class Network(nnx.Module):
        def __init__(self, rngs):
            self.encoder = nnx.Linear(features, code, rngs=rngs)
            self.decoder = nnx.Linear(code, features, rngs=rngs)

    graph, _ = nnx.split(Network(nnx.Rngs(0)))

    def init(key):
        return nnx.to_pure_dict(nnx.split(Network(nnx.Rngs(key)))[1])

    def network(params):
        state = nnx.state(nnx.merge(graph, nnx.eval_shape(lambda: nnx.split(Network(nnx.Rngs(0)))[1])))
        nnx.replace_by_pure_dict(state, params)
        return nnx.merge(graph, state)

    def encode(params, x):
        return nnx.sigmoid(network(params).encoder(x))

    def decode(params, code):
        return nnx.sigmoid(network(params).decoder(code))

    def apply(params, x, x_in, key):
        net = network(params)
        z = net.encoder(x_in)
        code = nnx.sigmoid(z)
        z_out = net.decoder(code)
        return Context(
            x=x,
            x_in=x_in,
            code=code,
            x_hat=nnx.sigmoid(z_out),
            hidden={"code": code},
            log_odds={"code": z, "x_hat": z_out},
            params=params,
            ranges={"code": Range(0, 1), "x_hat": Range(0, 1)},
        )

    return Model(init, encode, decode, apply, (features,), code)


def test_the_same_network_in_flax_nnx_gives_the_same_numbers():
    ours, params, x = built("vanilla")
    theirs = nnx_vanilla(12, 5)
    same = {half: params[half]["layer0"] for half in ("encoder", "decoder")}
    shapes = lambda tree: jax.tree.map(jnp.shape, tree)
    assert shapes(theirs.init(jax.random.key(0))) == shapes(same)

    def objective(model):
        def value(p):
            ctx = model.apply(p, x, x * 0.5, jax.random.key(0))
            return jnp.square(x - ctx.x_hat).sum() + weight_decay(ctx), ctx

        return jax.jit(jax.value_and_grad(value, has_aux=True))

    (value, ctx), slope = objective(ours)(params)
    (other_value, other), other_slope = objective(theirs)(same)
    assert float(other_value) == pytest.approx(float(value), rel=1e-6)
    np.testing.assert_allclose(other.x_hat, ctx.x_hat, rtol=1e-6)
    np.testing.assert_allclose(theirs.encode(same, x), ours.encode(params, x), rtol=1e-6)
    np.testing.assert_allclose(theirs.decode(same, ctx.code), ours.decode(params, ctx.code), rtol=1e-6)
    for half in ("encoder", "decoder"):
        for kind in ("kernel", "bias"):
            np.testing.assert_allclose(other_slope[half][kind], slope[half]["layer0"][kind], rtol=1e-4, atol=1e-6)
