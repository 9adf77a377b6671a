"""U-shaped convolutional nets: skip connections carry every resolution to the output; for images of any size."""

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import ACTIVATIONS, Activation, of_layers
from aejax.models.assemble import Extra, Outputs, as_they_are, assemble, component
from aejax.models.conv import Convolution, Shape, shapes_down
from aejax.models.convolution import convolve
from aejax.types import Model, Params

NEAR_ZERO = nn.initializers.variance_scaling(1e-4, "fan_in", "normal")
WINDOW = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


class Block(nn.Module):
    """x + W₂ ∗ f(W₁ ∗ x + b₁) + b₂, 3×3 kernels; W₂ begins near zero, so that the block begins near the identity."""

    activation: Activation

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """(m, height, width, channels) -> the same shape."""
        channels = x.shape[-1]
        inner = self.activation.function(Convolution(channels, 3, 1, self.activation.kernel_init, name="layer0")(x))
        return x + Convolution(channels, 3, 1, NEAR_ZERO, name="layer1")(inner)


def _refined(x: jax.Array, level: int, blocks: int, activation: Activation) -> jax.Array:
    for index in range(blocks):
        x = Block(activation, name=f"block{level}_{index}")(x)
    return x


class Encoder(nn.Module):
    """The maps of every level: the first `patch` times smaller than the image, each next one half as large."""

    channels: tuple[int, ...]
    patch: int
    blocks: int
    activation: Activation

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """(m, height, width, channels) -> [(m, height', width', channels'), …], the finest first."""
        maps = []
        for level, channels in enumerate(self.channels):
            size, stride = (self.patch + 2, self.patch) if level == 0 else (2, 2)
            x = Convolution(channels, size, stride, name=f"layer{level}")(x)
            maps.append(x := _refined(x, level, self.blocks, self.activation))
        return maps


class Decoder(nn.Module):
    """From the coarsest map up, adding the encoder's map of each level where it is given, to one image."""

    shapes: tuple[Shape, ...]
    patch: int
    blocks: int
    activation: Activation
    kernel_init: nn.initializers.Initializer

    @nn.compact
    def __call__(self, maps: Sequence[jax.Array]) -> tuple[list[jax.Array], jax.Array]:
        """Maps, the coarsest last -> what each level made of them, and the image (m, height, width, channels)."""
        x, levels = maps[-1], []
        for level in reversed(range(len(self.shapes) - 2)):
            *sides, channels = self.shapes[level + 1]
            x = Convolution(channels, 2, 2, up_to=tuple(sides), name=f"layer{level + 1}")(x)
            x = x + maps[level] if len(maps) > 1 else x
            levels.append(x := _refined(x, level, self.blocks, self.activation))
        *sides, channels = self.shapes[0]
        out = Convolution(channels, self.patch + 2, self.patch, self.kernel_init, tuple(sides), name="layer0")
        return levels, out(x)


@component
def unet(
    feature_shape: tuple[int, ...],
    *,
    channels: tuple[Count, ...] = (32, 64),
    patch: Count = 2,
    blocks: Count = 1,
    skips: bool = True,
    residual: bool = True,
    holes: bool = False,
    activation: str = "relu",
    output: str = "linear",
) -> Model:
    """Convolutions down to ever smaller maps and up again, where each level gets the map of its size from the way down.

    All parameters are kernels, so the same ones serve images of any height and width: build the model again with the
    other shape. The code is all that the decoder sees, laid flat: with `skips` the maps of every level, without them
    the last one only; where `residual`, the input as well. So it is small only without both.
    Its named activations are ``encoder0``, …, one for each level, ``code``, and ``decoder0``, …, on the way up.

    Args:
        feature_shape: (height, width, channels) of one image.
        channels: of the maps of each level; a level has half the height and width of the one before.
        patch: how many times smaller than the image the first maps are.
        blocks: of two convolutions each, on each level on the way down and on the way up.
        skips: whether the way up gets the maps of the way down.
        residual: whether the net predicts what to add to its input, x̂ = x + net(x), and not x̂ itself.
        holes: whether inputs have missing values, which are NaN. The net then sees which ones, begins from the mean of
            the observed values around them, and changes nothing else: x̂ = x where x was observed.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``; linear where `residual`.

    Returns:
        The model.

    Raises:
        UserError: rows that are no images, no levels, an activation that does not exist, or one on a sum.

    References:
        Ronneberger, Fischer & Brox 2015, U-Net. Zhang et al. 2018, FFDNet, section III (working on maps smaller than
        the image); Zhang et al. 2021, DRUNet, section 3 (levels of residual blocks, skips that are added).
    """
    if residual and output != "linear":
        raise UserError(f"model.output: {output} of a sum with the input; allowed: linear, or model.residual=false")
    kinds = of_layers(activation, "linear", output)
    shapes = shapes_down(feature_shape, channels, [patch, *[2] * (len(channels) - 1)], "U-net")
    encoder = Encoder(tuple(channels), patch, blocks, kinds["hidden"])
    init = NEAR_ZERO if residual else kinds["x_hat"].kernel_init
    decoder = Decoder(shapes, patch, blocks, kinds["hidden"], init)
    return _of_halves(shapes, encoder, decoder, kinds["x_hat"], skips=skips, residual=residual, holes=holes)


class Encoded(NamedTuple):
    """What the decoder sees of m images, and a code holds in this order.

    Attributes:
        maps: of the levels, the finest first; only the last one without skips.
        image: without holes, (m, height, width, channels), where the output is made of it; else None.
        observed: the same shape, where the image had no holes; None where it cannot have any.
    """

    maps: list[jax.Array]
    image: jax.Array | None
    observed: jax.Array | None


def _of_halves(
    shapes: tuple[Shape, ...],
    encoder: Encoder,
    decoder: Decoder,
    output: Activation,
    *,
    skips: bool,
    residual: bool,
    holes: bool,
) -> Model:
    """The two modules as a model of flat rows; `shapes` are those of the image and of all maps."""
    in_code = [*(shapes[1:] if skips else shapes[-1:]), *[shapes[0]] * ((residual or holes) + holes)]
    flat = lambda values: values.reshape(values.shape[0], -1)

    def init(key: jax.Array) -> Params:
        keys, (height, width, channels) = jax.random.split(key), shapes[0]
        inputs, maps = jnp.zeros((1, height, width, channels * (1 + holes))), [jnp.zeros((1, *s)) for s in shapes[1:]]
        params = {"encoder": encoder.init(keys[0], inputs)["params"]}
        return params | {"decoder": decoder.init(keys[1], maps)["params"]}

    def down(params: Params, x: jax.Array) -> tuple[Outputs, Encoded]:
        inputs = image = x.reshape(-1, *shapes[0])
        observed = ~jnp.isnan(image) if holes else None
        if holes:
            image = filled(image, observed)
            inputs = jnp.concatenate([image, observed.astype(image.dtype)], axis=3)
        maps = encoder.apply({"params": params["encoder"]}, inputs)
        encoded = Encoded(maps if skips else maps[-1:], image if residual or holes else None, observed)
        parts = [part.astype(jnp.float32) for part in jax.tree.leaves(encoded)]
        code = jnp.concatenate([flat(part) for part in parts], axis=1)
        return as_they_are({**{f"encoder{level}": a for level, a in enumerate(maps)}, "code": code}), encoded

    def up(params: Params, encoded: Encoded) -> Outputs:
        levels, z = decoder.apply({"params": params["decoder"]}, encoded.maps)
        x_hat = encoded.image + z if residual else output.function(z)
        x_hat = jnp.where(encoded.observed, encoded.image, x_hat) if holes else x_hat
        return as_they_are({f"decoder{index}": a for index, a in enumerate(levels)}) | {"x_hat": (flat(z), flat(x_hat))}

    def decode(params: Params, code: jax.Array) -> Outputs:
        parts = jnp.split(code, list(accumulate(map(prod, in_code)))[:-1], axis=1)
        parts = [part.reshape(-1, *shape) for part, shape in zip(parts, in_code, strict=True)]
        observed = parts.pop() > 0.5 if holes else None
        image = parts.pop() if residual or holes else None
        return up(params, Encoded(parts, image, observed))

    def train(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Outputs, Extra]:
        outputs, encoded = down(params, x_in)
        return outputs | up(params, encoded), {}

    linear = ACTIVATIONS["linear"]
    return assemble(
        shapes[0],
        sum(map(prod, in_code)),
        init=init,
        encode=lambda params, x, key=None: (down(params, x)[0], {}),
        decode=decode,
        activations={"hidden": linear, "x_hat": linear if holes else output},
        train=train,
    )._replace(takes_missing=holes)


def filled(image: jax.Array, observed: jax.Array) -> jax.Array:
    """Missing values as the mean of the observed ones around them, in a window of 5×5 that counts near ones more.

    Where the window is empty, as the mean of all observed values of the image; zero where there are none.

    Args:
        image: (m, height, width, channels); NaN where missing.
        observed: the same shape, bool.
    """
    known, weights = jnp.where(observed, image, 0.0), observed.astype(image.dtype)
    kernel = jnp.outer(jnp.array(WINDOW), jnp.array(WINDOW))[:, :, None, None]

    def around(values: jax.Array) -> jax.Array:
        """The weighted sum in the window around each pixel, of each channel by itself."""
        single = jnp.moveaxis(values, 3, 1).reshape(-1, *values.shape[1:3], 1)
        sums = convolve(single, kernel).reshape(values.shape[0], -1, *values.shape[1:3])
        return jnp.moveaxis(sums, 1, 3)

    everywhere = lambda values: values.sum((1, 2), keepdims=True)
    mean = lambda of: of(known) / jnp.maximum(of(weights), 1e-6)
    return jnp.where(observed, known, jnp.where(around(weights) > 0, mean(around), mean(everywhere)))
