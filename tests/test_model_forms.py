"""Models beside their formulas: dense nets in NumPy, convolutions of XLA, and the same network in Flax NNX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelling import built, compiled, training_pass

from aejax.losses.weights import weight_decay
from aejax.models import dense
from aejax.types import Context, Model, Range


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
