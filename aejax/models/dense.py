"""Fully connected autoencoders: vanilla and multilayer, with or without tied weights."""

from collections.abc import Mapping, Sequence
from math import prod

import flax.linen as nn
import jax

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import OUTPUTS, Activation, name_of, named, of_layers
from aejax.models.assemble import Outputs, Sample, component, halves
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
    stack = lambda layers: Stack(
        tuple(layers), tuple(layers.values()), tuple(activations.get(n) or activations["hidden"] for n in layers)
    )
    encoder, decoder = stack(down), stack(up)
    kernels = lambda params: [params["encoder"][f"layer{index}"]["kernel"] for index in reversed(range(len(down)))]
    model = halves(feature_shape, code, encoder, decoder, activations, sample=sample, tied=kernels if tied else None)

    def decoder_layers(params: Params) -> list[tuple[jax.Array, jax.Array, str]]:
        layers = [params["decoder"][f"layer{index}"] for index in range(len(up))]
        weights = [kernel.T for kernel in kernels(params)] if tied else [layer["kernel"] for layer in layers]
        names = map(name_of, decoder.activations)
        return [(w, layer["bias"], name) for w, layer, name in zip(weights, layers, names, strict=True)]

    return model._replace(decoder_layers=decoder_layers)
