"""Fully connected autoencoders: vanilla and multilayer, with or without tied weights."""

from collections.abc import Mapping, Sequence
from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import OUTPUTS, Activation, name_of, named, of_layers
from aejax.models.assemble import Outputs, Sample, assemble, component, halves
from aejax.types import Model, Params


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
    """Layers one after the other."""

    names: tuple[str, ...]
    widths: tuple[int, ...]
    activations: tuple[Activation, ...]

    @nn.compact
    def __call__(self, x: jax.Array, kernels: Sequence[jax.Array] = ()) -> Outputs:
        """(m, inputs) -> what each layer puts out; with `kernels`, their transposes are the layers' kernels."""
        outputs = {}
        for index, (name, units, kind) in enumerate(zip(self.names, self.widths, self.activations, strict=True)):
            z = Layer(units, kind.kernel_init, name=f"layer{index}")(x, kernels[index] if kernels else None)
            x = kind.function(z)
            outputs[name] = (z, x)
        return outputs


@component
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
    kinds = {
        "code": named(activation, what="model.activation"),
        "x_hat": named(output, what="model.output", allowed=OUTPUTS),
    }
    return stacked(feature_shape, (), code, (), kinds, tied=tied)


@component
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
    return stacked(feature_shape, widths, code, up, of_layers(activation, code_activation, output), tied=tied)


@component
def shortcut(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (128, 64),
    code: Count = 2,
    activation: str = "silu",
) -> Model:
    """An autoencoder with a linear way beside the layers of each half: h = x A + f(x), x̂ = h B + g(h).

    f and g are as `multilayer` has them, linear at their ends, n-widths-code and back, and begin at 0: training begins
    as that of a linear autoencoder, whose least error is that of principal components, and bends it.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the hidden layers of f, from the input on; g mirrors them.
        code: d, units of the code.
        activation: of the hidden layers.

    Returns:
        The model.

    Raises:
        UserError: an activation that does not exist.

    References:
        He et al. 2016, Deep residual learning for image recognition, equation 2, for the linear way.
    """
    features, end = prod(feature_shape), f"layer{len(widths)}"
    kinds = of_layers(activation, "linear", "linear")
    below = {f"encoder{index}": units for index, units in enumerate(widths)} | {"code": code}
    above = {f"decoder{index}": units for index, units in enumerate(reversed(widths))} | {"x_hat": features}
    nets = {"encoder": _stack(below, kinds), "decoder": _stack(above, kinds)}

    def init(key: jax.Array) -> Params:
        params, keys = {}, dict(zip((*nets, "down", "up"), jax.random.split(key, 4), strict=True))
        for half, inputs in (("encoder", features), ("decoder", code)):
            layers = nets[half].init(keys[half], jnp.zeros((1, inputs)))["params"]
            params[half] = {**layers, end: jax.tree.map(jnp.zeros_like, layers[end])}
        lecun = jax.nn.initializers.lecun_normal()
        shapes = {"down": (features, code), "up": (code, features)}
        return params | {"linear": {way: {"kernel": lecun(keys[way], shape)} for way, shape in shapes.items()}}

    def passed(half: str, way: str, last: str, params: Params, x: jax.Array) -> Outputs:
        outputs = nets[half].apply({"params": params[half]}, x)
        z = outputs[last][0] + x @ params["linear"][way]["kernel"]
        return outputs | {last: (z, z)}

    encode = lambda params, x, key=None: (passed("encoder", "down", "code", params, x), {})
    decode = lambda params, code: passed("decoder", "up", "x_hat", params, code)
    return assemble(feature_shape, code, init=init, encode=encode, decode=decode, activations=kinds)


def principal(params: Params, components: jax.Array, mean: jax.Array) -> Params:
    """The parameters of a `shortcut` that is principal components: h = (x - mean) Vᵀ, x̂ = h V + mean.

    Args:
        params: of a `shortcut`; of its layers only the last ones count then, which put out what the mean asks for.
        components: V, (d, n), with orthonormal rows.
        mean: (n,).
    """
    biases = {"encoder": -(mean @ components.T), "decoder": mean}
    changed = {"linear": {"down": {"kernel": components.T}, "up": {"kernel": components}}}
    for half, bias in biases.items():
        end = f"layer{len(params[half]) - 1}"
        changed[half] = {**params[half], end: {"kernel": jnp.zeros_like(params[half][end]["kernel"]), "bias": bias}}
    return {**params, **changed}


def stacked(
    feature_shape: tuple[int, ...],
    widths: Sequence[int],
    code: int,
    decoder_widths: Sequence[int] | None,
    activations: Mapping[str, Activation],
    *,
    tied: bool = False,
    sample: Sample | None = None,
    code_inputs: int | None = None,
) -> Model:
    """Two stacks as a model, with the layers ``encoder0``, …, ``code``, ``decoder0``, ….

    Args:
        feature_shape: shape of one row; n is its product.
        widths: units of the encoder's hidden layers.
        code: d, units of the code.
        decoder_widths: units of the decoder's hidden layers; None mirrors `widths`.
        activations: of the ``"hidden"`` layers, the ``"code"`` and ``"x_hat"``.
        tied: whether the decoder's kernels are the transposes of the encoder's.
        sample: as in `aejax.models.assemble.halves`.
        code_inputs: units of the encoder's last layer, of which `sample` makes the code; None for d.

    Returns:
        The model.

    Raises:
        UserError: an activation of hidden layers, where there are none.
    """
    down = {f"encoder{index}": units for index, units in enumerate(widths)} | {"code": code_inputs or code}
    mirrored = tuple(reversed(widths)) if decoder_widths is None else decoder_widths
    if "hidden" in activations and not widths and not mirrored and name_of(activations["hidden"]) != "relu":
        raise UserError("model.activation: there are no hidden layers that could use it; allowed: leave it out")
    up = {f"decoder{index}": units for index, units in enumerate(mirrored)} | {"x_hat": prod(feature_shape)}
    encoder, decoder = _stack(down, activations), _stack(up, activations)
    kernels = lambda params: [params["encoder"][f"layer{index}"]["kernel"] for index in reversed(range(len(down)))]
    model = halves(feature_shape, code, encoder, decoder, activations, sample=sample, tied=kernels if tied else None)

    def decoder_layers(params: Params) -> list[tuple[jax.Array, jax.Array, str]]:
        layers = [params["decoder"][f"layer{index}"] for index in range(len(up))]
        weights = [kernel.T for kernel in kernels(params)] if tied else [layer["kernel"] for layer in layers]
        names = map(name_of, decoder.activations)
        return [(w, layer["bias"], name) for w, layer, name in zip(weights, layers, names, strict=True)]

    return model._replace(decoder_layers=decoder_layers)


def _stack(layers: Mapping[str, int], activations: Mapping[str, Activation]) -> Stack:
    """Layers of so many units each, by their names."""
    kinds = tuple(activations.get(name) or activations["hidden"] for name in layers)
    return Stack(tuple(layers), tuple(layers.values()), kinds)
