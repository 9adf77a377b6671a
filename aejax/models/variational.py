"""Variational autoencoders: the encoder gives a Gaussian over codes, and training decodes one draw from it."""

from collections.abc import Callable
from math import prod

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Positive
from aejax.models.activations import OUTPUTS, Activation, named
from aejax.models.conv import Decoder, Encoder, Outputs, mirrored
from aejax.models.dense import Stack
from aejax.types import Context, Model, Params, Range

Pass = Callable[[Params, jax.Array], Outputs]


def dense(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (400,),
    code: Count = 20,
    activation: str = "relu",
    output: str = "sigmoid",
    kernel_scale: Positive = 1.0,
) -> Model:
    """Fully connected: q(z|x) = N(μ(x), diag σ²(x)), x̂ from z = μ + σ ε, with ε ~ N(0, 1) drawn anew at each step.

    Its named activations are ``encoder0``, …, ``code`` (z), ``decoder0``, …; in a training pass ``extra`` holds
    ``mean``, μ, and ``log_variance``, log σ², (m, d) each.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the encoder's hidden layers, from the input on; the decoder's are the mirror image.
        code: d, units of the code.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        kernel_scale: factor of all initial kernels; with a small one μ starts near 0 and σ near 1, the prior.

    Returns:
        The model; `encode` gives μ.

    Raises:
        UserError: an activation that does not exist.

    References:
        Kingma & Welling 2014, Auto-encoding variational Bayes, equations 9 and 10 and appendix C.
    """
    kinds = _kinds(activation, output, kernel_scale)
    between = (kinds["hidden"],) * len(widths)
    encoder = Stack((*widths, 2 * code), (*between, kinds["code"]))
    decoder = Stack((*reversed(widths), prod(feature_shape)), (*between, kinds["x_hat"]))
    down_names = [*(f"encoder{index}" for index in range(len(widths))), "code"]
    up_names = [*(f"decoder{index}" for index in range(len(widths))), "x_hat"]
    return _variational(
        feature_shape,
        code,
        kinds,
        init=lambda keys: {
            "encoder": encoder.init(keys[0], jnp.zeros((1, prod(feature_shape))))["params"],
            "decoder": decoder.init(keys[1], jnp.zeros((1, code)))["params"],
        },
        down=lambda params, x: dict(zip(down_names, encoder.apply({"params": params["encoder"]}, x), strict=True)),
        up=lambda params, z: dict(zip(up_names, decoder.apply({"params": params["decoder"]}, z), strict=True)),
    )


def convolutional(
    feature_shape: tuple[int, ...],
    *,
    channels: tuple[Count, ...] = (16, 32),
    kernel_size: Count = 3,
    stride: Count = 2,
    code: Count = 32,
    activation: str = "relu",
    output: str = "sigmoid",
    kernel_scale: Positive = 1.0,
) -> Model:
    """Strided convolutions to a Gaussian over codes, and their mirror image up from one draw of it; see `dense`.

    Args:
        feature_shape: (height, width, channels) of one image.
        channels: of the encoder's layers, from the input on; the decoder's are the mirror image.
        kernel_size: side of the kernels.
        stride: of every layer.
        code: d, units of the code.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        kernel_scale: factor of all initial kernels; with a small one μ starts near 0 and σ near 1, the prior.

    Returns:
        The model; `encode` gives μ.

    Raises:
        UserError: rows that are no images, no layers, or an activation that does not exist.

    References:
        Kingma & Welling 2014, Auto-encoding variational Bayes, equations 9 and 10.
    """
    kinds = _kinds(activation, output, kernel_scale)
    shapes = mirrored(feature_shape, channels, stride, dense_name="variational.dense")
    encoder = Encoder(tuple(channels), kernel_size, stride, 2 * code, kinds["hidden"], kinds["code"])
    decoder = Decoder(shapes, kernel_size, stride, kinds["hidden"], kinds["x_hat"])

    def up(params: Params, z: jax.Array) -> Outputs:
        outputs = decoder.apply({"params": params["decoder"]}, z)
        return outputs | {"x_hat": tuple(values.reshape(len(z), -1) for values in outputs["x_hat"])}

    return _variational(
        feature_shape,
        code,
        kinds,
        init=lambda keys: {
            "encoder": encoder.init(keys[0], jnp.zeros((1, *feature_shape)))["params"],
            "decoder": decoder.init(keys[1], jnp.zeros((1, code)))["params"],
        },
        down=lambda params, x: encoder.apply({"params": params["encoder"]}, x.reshape(-1, *feature_shape)),
        up=up,
    )


def _kinds(activation: str, output: str, scale: float) -> dict[str, Activation]:
    kinds = {
        "hidden": named(activation, what="model.activation"),
        "code": named("linear", what="code"),
        "x_hat": named(output, what="model.output", allowed=OUTPUTS),
    }
    smaller = lambda init: lambda *arguments: scale * init(*arguments)
    return {name: kind._replace(kernel_init=smaller(kind.kernel_init)) for name, kind in kinds.items()}


def _variational(
    feature_shape: tuple[int, ...],
    code: int,
    kinds: dict[str, Activation],
    *,
    init: Callable[[jax.Array], Params],
    down: Pass,
    up: Pass,
) -> Model:
    """An encoder whose last layer, ``code``, puts out μ and log σ² side by side, and a decoder, as one model."""

    def moments(params: Params, x: jax.Array) -> tuple[jax.Array, jax.Array, Outputs]:
        outputs = down(params, x)
        _, both = outputs.pop("code")
        return both[:, :code], both[:, code:], outputs

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        mean, log_variance, below = moments(params, x_in)
        z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, mean.dtype)
        above = up(params, z)
        log_odds, x_hat = above.pop("x_hat")
        outer = below | above
        sigmoid = kinds["hidden"].is_sigmoid
        return Context(
            x=x,
            x_in=x_in,
            code=z,
            x_hat=x_hat,
            hidden={name: a for name, (_, a) in below.items()}
            | {"code": z}
            | {name: a for name, (_, a) in above.items()},
            log_odds={name: values for name, (values, _) in outer.items() if sigmoid}
            | ({"x_hat": log_odds} if kinds["x_hat"].is_sigmoid else {}),
            params=params,
            ranges=dict.fromkeys(outer, kinds["hidden"].range) | {"code": Range(), "x_hat": kinds["x_hat"].range},
            extra={"mean": mean, "log_variance": log_variance},
        )

    return Model(
        init=lambda key: init(jax.random.split(key)),
        encode=lambda params, x: moments(params, x)[0],
        decode=lambda params, z: up(params, z)["x_hat"][1],
        apply=apply,
        feature_shape=tuple(feature_shape),
        code_size=code,
    )
