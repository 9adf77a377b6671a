"""Convolutional autoencoders: strided convolutions down to a code, transposed ones up again."""

import flax.linen as nn
import jax

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import OUTPUTS, Activation, named
from aejax.models.assemble import Outputs, component, halves
from aejax.models.convolution import convolve, convolve_transposed
from aejax.types import Model


class Convolution(nn.Module):
    """z = W ∗ x + b, strided down; or strided up, its transpose, cut to a given height and width."""

    channels: int
    kernel_size: int
    stride: int
    kernel_init: nn.initializers.Initializer
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
    """Strided convolutions, then one dense layer to the code."""

    feature_shape: tuple[int, int, int]
    channels: tuple[int, ...]
    kernel_size: int
    stride: int
    code: int
    activation: Activation
    code_activation: Activation

    @nn.compact
    def __call__(self, x: jax.Array) -> Outputs:
        """(m, n) -> the outputs of its layers, the last one ``"code"``."""
        x, outputs = x.reshape(-1, *self.feature_shape), {}
        for index, channels in enumerate(self.channels):
            layer = Convolution(
                channels, self.kernel_size, self.stride, self.activation.kernel_init, name=f"layer{index}"
            )
            z = layer(x)
            x = self.activation.function(z)
            outputs[f"encoder{index}"] = (z, x)
        z = nn.Dense(self.code, kernel_init=self.code_activation.kernel_init, name="code")(x.reshape(x.shape[0], -1))
        return outputs | {"code": (z, self.code_activation.function(z))}


class Decoder(nn.Module):
    """One dense layer from the code, then transposed convolutions: the mirror image of the encoder.

    Attributes:
        shapes: (height, width, channels) of the maps, from the dense layer's to the output's.
        kernel_size: side of the kernels.
        stride: by which each layer grows its maps.
        activation: of every layer but the last.
        output: of the last.
    """

    shapes: tuple[tuple[int, int, int], ...]
    kernel_size: int
    stride: int
    activation: Activation
    output: Activation

    @nn.compact
    def __call__(self, code: jax.Array) -> Outputs:
        """(m, d) -> the outputs of its layers, the last one ``"x_hat"``, (m, n)."""
        height, width, channels = self.shapes[0]
        dense = nn.Dense(height * width * channels, kernel_init=self.activation.kernel_init, name="code")
        z = dense(code).reshape(-1, height, width, channels)
        x = self.activation.function(z)
        outputs, last = {"decoder0": (z, x)}, len(self.shapes) - 1
        for index, (height, width, channels) in enumerate(self.shapes[1:], start=1):
            kind = self.output if index == last else self.activation
            up = Convolution(
                channels, self.kernel_size, self.stride, kind.kernel_init, (height, width), name=f"layer{index - 1}"
            )
            z = up(x)
            x = kind.function(z)
            outputs[f"decoder{index}"] = (z, x)
        return outputs | {"x_hat": tuple(values.reshape(len(values), -1) for values in outputs.pop(f"decoder{last}"))}


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
    kinds = {
        "hidden": named(activation, what="model.activation"),
        "code": named(code_activation, what="model.code_activation"),
        "x_hat": named(output, what="model.output", allowed=OUTPUTS),
    }
    shapes = mirrored(feature_shape, channels, stride)
    encoder = Encoder(tuple(feature_shape), tuple(channels), kernel_size, stride, code, kinds["hidden"], kinds["code"])
    decoder = Decoder(shapes, kernel_size, stride, kinds["hidden"], kinds["x_hat"])
    return halves(feature_shape, code, encoder, decoder, kinds)


def mirrored(
    feature_shape: tuple[int, ...], channels: tuple[int, ...], stride: int
) -> tuple[tuple[int, int, int], ...]:
    """The (height, width, channels) of the maps on the way up, from the dense layer's to the output's.

    Raises:
        UserError: rows that are no images, or no layers.
    """
    if len(feature_shape) != 3:
        shape = "x".join(map(str, feature_shape))
        raise UserError(f"model: a convolutional net needs images, and these rows are {shape}; allowed: a dense one")
    if not channels:
        raise UserError("model.channels: expected at least one layer, got ()")
    shapes = [feature_shape]
    for count in channels:
        height, width, _ = shapes[-1]
        shapes.append((-(-height // stride), -(-width // stride), count))
    return tuple(reversed(shapes))
