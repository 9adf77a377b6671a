"""Fully connected autoencoders: vanilla and multilayer, with or without tied weights."""

from collections.abc import Callable, Sequence
from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import OUTPUTS, Activation, named
from aejax.types import Context, Model, Params


class Layer(nn.Module):
    """z = x W + b; where a kernel is given (tied weights) W is its transpose and only b is learned."""

    units: int
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, x: jax.Array, kernel: jax.Array | None = None) -> jax.Array:
        """(m, inputs) -> (m, units)."""
        shape = (x.shape[-1], self.units)
        weights = self.param("kernel", self.kernel_init, shape) if kernel is None else kernel.T
        bias = self.param("bias", nn.initializers.zeros, (self.units,))
        return x @ weights + bias[None]


class Stack(nn.Module):
    """Layers one after the other; returns what each one put out, before and after its activation."""

    widths: tuple[int, ...]
    activations: tuple[Activation, ...]

    @nn.compact
    def __call__(self, x: jax.Array, kernels: Sequence[jax.Array] = ()) -> list[tuple[jax.Array, jax.Array]]:
        """(m, inputs) -> [(z, a), …], one pair for each layer."""
        outputs = []
        for index, (units, kind) in enumerate(zip(self.widths, self.activations, strict=True)):
            layer = Layer(units, kind.kernel_init, name=f"layer{index}")
            z = layer(x, kernels[index] if kernels else None)
            x = kind.function(z)
            outputs.append((z, x))
        return outputs


def vanilla(
    feature_shape: tuple[int, ...],
    *,
    code: Count = 32,
    activation: str = "sigmoid",
    output: str = "sigmoid",
    tied: bool = False,
) -> Model:
    """One hidden layer: h = f(W_h x + b_h), x̂ = g(W_x h + b_x).

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        code: d, the number of hidden units.
        activation: f, a name in `aejax.models.activations.ACTIVATIONS`.
        output: g, ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        tied: whether W_x is the transpose of W_h.

    Returns:
        The model.

    Raises:
        UserError: an activation that does not exist.

    References:
        Lecture S06, slide "Funcionamiento de un autoencoder", the equations of h and x̂.
    """
    kinds = {"code": named(activation, what="model.activation")}
    return stacked(feature_shape, {"code": code}, kinds, named(output, what="model.output", allowed=OUTPUTS), tied)


def multilayer(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (64, 32),
    code: Count = 8,
    activation: str = "relu",
    code_activation: str = "linear",
    output: str = "sigmoid",
    decoder_widths: tuple[Count, ...] | None = None,
    tied: bool = False,
) -> Model:
    """A stack of fully connected layers down to the code, and one up again: n-widths-code-decoder_widths-n.

    Its named activations are ``encoder0``, ``encoder1``, …, ``code``, ``decoder0``, ….

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the encoder's hidden layers, from the input on; () for none.
        code: d, units of the code.
        activation: of the hidden layers.
        code_activation: of the code.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        decoder_widths: units of the decoder's hidden layers, from the code on; None mirrors `widths`.
        tied: whether the decoder's kernels are the transposes of the encoder's; needs the mirror.

    Returns:
        The model.

    Raises:
        UserError: an activation that does not exist, or tied weights on widths that are no mirror image.

    References:
        Lecture S06, slide "Autoencoder multicapa".
    """
    mirror = tuple(reversed(widths))
    up = mirror if decoder_widths is None else tuple(decoder_widths)
    if tied and up != mirror:
        raise UserError(f"model.tied: the decoder's widths must mirror the encoder's: {mirror}, not {up}")
    if not widths and not up and activation != "relu":
        raise UserError("model.activation: there are no hidden layers that could use it; allowed: leave it out")
    between = named(activation, what="model.activation")
    middle = named(code_activation, what="model.code_activation")
    layers = named_layers(widths, code, up)
    kinds = {name: middle if name == "code" else between for name in layers}
    return stacked(feature_shape, layers, kinds, named(output, what="model.output", allowed=OUTPUTS), tied)


def named_layers(down: Sequence[int], code: int, up: Sequence[int]) -> dict[str, int]:
    """The units of each layer by its name: ``encoder0``, …, ``code``, ``decoder0``, …."""
    layers = {f"encoder{index}": units for index, units in enumerate(down)}
    return layers | {"code": code} | {f"decoder{index}": units for index, units in enumerate(up)}


Disturb = Callable[[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]


def stacked(
    feature_shape: tuple[int, ...],
    layers: dict[str, int],
    kinds: dict[str, Activation],
    output: Activation,
    tied: bool = False,
    disturb: Disturb | None = None,
) -> Model:
    """The pair of stacks as pure functions; `layers` runs from the input over ``code`` to before the output.

    In training, `disturb` makes the code and its input, (m, d) each, of a key and the input that the encoder gave.
    """
    names, features = list(layers), prod(feature_shape)
    cut = names.index("code") + 1
    down, up = names[:cut], names[cut:]
    encoder = Stack(tuple(layers[n] for n in down), tuple(kinds[n] for n in down))
    decoder = Stack((*(layers[n] for n in up), features), (*(kinds[n] for n in up), output))

    def tied_kernels(params: Params) -> list[jax.Array]:
        return [params["encoder"][f"layer{index}"]["kernel"] for index in reversed(range(len(down)))] if tied else []

    def up_from(params: Params, code: jax.Array) -> list[tuple[jax.Array, jax.Array]]:
        return decoder.apply({"params": params["decoder"]}, code, tied_kernels(params))

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key)
        params = {"encoder": encoder.init(keys[0], jnp.zeros((1, features)))["params"]}
        code = jnp.zeros((1, layers["code"]))
        return params | {"decoder": decoder.init(keys[1], code, tied_kernels(params))["params"]}

    def encode(params: Params, x: jax.Array) -> jax.Array:
        return encoder.apply({"params": params["encoder"]}, x)[-1][1]

    def decode(params: Params, code: jax.Array) -> jax.Array:
        return up_from(params, code)[-1][1]

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        below = encoder.apply({"params": params["encoder"]}, x_in)
        if disturb is not None:
            below[-1] = disturb(key, below[-1][0])
        above = up_from(params, below[-1][1])
        z_out, x_hat = above[-1]
        hidden = dict(zip(names, [*below, *above[:-1]], strict=True))
        log_odds = {name: z for name, (z, _) in hidden.items() if kinds[name].is_sigmoid}
        return Context(
            x=x,
            x_in=x_in,
            code=below[-1][1],
            x_hat=x_hat,
            hidden={name: a for name, (_, a) in hidden.items()},
            log_odds=log_odds | ({"x_hat": z_out} if output.is_sigmoid else {}),
            params=params,
            ranges={"x_hat": output.range} | {name: kinds[name].range for name in names},
        )

    return Model(init, encode, decode, apply, tuple(feature_shape), layers["code"])
