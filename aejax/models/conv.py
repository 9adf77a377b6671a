"""Convolutional autoencoders: strided convolutions down to a code, transposed ones up again."""

import math
from collections.abc import Mapping, Sequence

import flax.linen as nn
import jax

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import Activation, of_layers
from aejax.models.assemble import Outputs, Sample, component, halves
from aejax.models.convolution import convolve, convolve_transposed
from aejax.types import Model

Shape = tuple[int, int, int]


class Convolution(nn.Module):
    """z = W ∗ x + b, strided down; or strided up, its transpose, cut to a given height and width."""

    channels: int
    kernel_size: int
    stride: int
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
    up_to: tuple[int, int] | None = None

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(m, height, width, channels) -> (m, height', width', self.channels)."""
        shape = (self.kernel_size, self.kernel_size, x.shape[-1], self.channels)
        kernel = self.param("kernel", self.kernel_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.channels,))
        if self.up_to is None:
            return convolve(x, kernel, stride=self.stride) + bias[None, None, None]
        height, width = self.up_to
        return convolve_transposed(x, kernel, stride=self.stride)[:, :height, :width] + bias[None, None, None]


class Encoder(nn.Module):
    """Strided convolutions, then one dense layer to the code.

    Attributes:
        shapes: (height, width, channels) of the image and of the maps that it becomes.
        kernel_size: side of the kernels.
        stride: by which each layer shrinks its maps.
        units: of the dense layer.
        activations: of the ``"hidden"`` layers and the ``"code"``.
    """

    shapes: tuple[Shape, ...]
    kernel_size: int
    stride: int
    units: int
    activations: Mapping[str, Activation]

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """(m, n) -> the outputs of its layers, the last one ``"code"``."""
        x, outputs, kind = x.reshape(-1, *self.shapes[0]), {}, self.activations["hidden"]
        for index, (_, _, channels) in enumerate(self.shapes[1:]):
            z = Convolution(channels, self.kernel_size, self.stride, kind.kernel_init, name=f"layer{index}")(x)
            x = kind.function(z)
            outputs[f"encoder{index}"] = (z, x)
        kind = self.activations["code"]
        z = nn.Dense(self.units, kernel_init=kind.kernel_init, name="code")(x.reshape(x.shape[0], -1))
        return outputs | {"code": (z, kind.function(z))}


class Decoder(nn.Module):
    """One dense layer from the code, then transposed convolutions: the mirror image of the encoder.

    Attributes:
        shapes: (height, width, channels) of the maps, from the dense layer's to the output's.
        kernel_size: side of the kernels.
        stride: by which each layer grows its maps.
        activations: of the ``"hidden"`` layers and ``"x_hat"``.
    """

    shapes: tuple[Shape, ...]
    kernel_size: int
    stride: int
    activations: Mapping[str, Activation]

    @nn.compact
    def __call__(self, code: jax.Array) -> Outputs:
        """(m, d) -> the outputs of its layers, the last one ``"x_hat"``, (m, n)."""
        kind, size, last = self.activations["hidden"], (self.kernel_size, self.stride), len(self.shapes) - 1
        dense = nn.Dense(math.prod(self.shapes[0]), kernel_init=kind.kernel_init, name="code")
        z = dense(code).reshape(-1, *self.shapes[0])
        x = kind.function(z)
        outputs = {"decoder0": (z, x)}
        for index, (*sides, channels) in enumerate(self.shapes[1:], start=1):
            kind = self.activations["x_hat"] if index == last else kind
            z = Convolution(channels, *size, kind.kernel_init, tuple(sides), name=f"layer{index - 1}")(x)
            x = kind.function(z)
            outputs[f"decoder{index}"] = (z, x)
        return outputs | {"x_hat": tuple(a.reshape(a.shape[0], -1) for a in outputs.pop(f"decoder{last}"))}


@component
def convolutional(
    feature_shape: tuple[int, ...],
    *,
    channels: tuple[Count, ...] = (16, 32),
    kernel_size: Count = 3,
    stride: Count = 2,
    code: Count = 32,
    activation: str = "relu",
    code_activation: str = "linear",
    output: str = "sigmoid",
) -> Model:
    """Strided convolutions to a dense code, and the mirror image up again; any height and width, any channels.

    A layer turns a side of s into ⌈s / stride⌉; on the way up the map is cut to the side that the encoder had there.
    Its named activations are ``encoder0``, …, ``code``, ``decoder0`` (the dense layer's), ….

    Args:
        feature_shape: (height, width, channels) of one image.
        channels: of the encoder's layers, from the input on; the decoder's are the mirror image.
        kernel_size: side of the kernels.
        stride: of every layer.
        code: d, units of the code.
        activation: of the hidden layers.
        code_activation: of the code.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.

    Returns:
        The model.

    Raises:
        UserError: rows that are no images, no layers, or an activation that does not exist.

    References:
        Lecture S06, slide "Autoencoder convolucional".
    """
    kinds = of_layers(activation, code_activation, output)
    return convolved(feature_shape, channels, kernel_size, stride, code, kinds)


def convolved(
    feature_shape: tuple[int, ...],
    channels: Sequence[int],
    kernel_size: int,
    stride: int,
    code: int,
    activations: Mapping[str, Activation],
    *,
    sample: Sample | None = None,
    code_inputs: int | None = None,
) -> Model:
    """Convolutions down to a code and up again as a model; arguments as in `convolutional` and `dense.stacked`.

    Raises:
        UserError: rows that are no images, or no layers.
    """
    shapes = shapes_down(feature_shape, channels, [stride] * len(channels), "convolutional net")
    encoder = Encoder(shapes, kernel_size, stride, code_inputs or code, activations)
    decoder = Decoder(shapes[::-1], kernel_size, stride, activations)
    return halves(feature_shape, code, encoder, decoder, activations, sample=sample)


def shapes_down(
    feature_shape: tuple[int, ...], channels: Sequence[int], strides: Sequence[int], net: str
) -> tuple[Shape, ...]:
    """(height, width, channels) of an image, and of the maps that strided layers make of it.

    Raises:
        UserError: rows that are no images, or no layers.
    """
    if len(feature_shape) != 3:
        shape = "x".join(map(str, feature_shape))
        raise UserError(f"model: a {net} needs images, and these rows are {shape}; allowed: a dense net")
    if not channels:
        raise UserError("model.channels: expected at least one layer, got ()")
    shapes = [tuple(feature_shape)]
    for count, stride in zip(channels, strides, strict=True):
        height, width, _ = shapes[-1]
        shapes.append((-(-height // stride), -(-width // stride), count))
    return tuple(shapes)
