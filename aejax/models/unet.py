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
from aejax.models.activations import ACTIVATIONS, OUTPUTS, Activation, named
from aejax.models.assemble import Outputs, assemble, component
from aejax.models.conv import Convolution
from aejax.models.convolution import convolve
from aejax.types import Model, Params

Shape = tuple[int, int, int]

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
            x = Convolution(channels, size, stride, nn.initializers.lecun_normal(), name=f"layer{level}")(x)
            for index in range(self.blocks):
                x = Block(self.activation, name=f"block{level}_{index}")(x)
            maps.append(x)
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
        x, made = maps[-1], []
        skips = list(maps[:-1]) or [None] * (len(self.shapes) - 2)
        for level in reversed(range(len(self.shapes) - 2)):
            height, width, channels = self.shapes[level + 1]
            init = nn.initializers.lecun_normal()
            x = Convolution(channels, 2, 2, init, (height, width), name=f"layer{level + 1}")(x)
            x = x if skips[level] is None else x + skips[level]
            for index in range(self.blocks):
                x = Block(self.activation, name=f"block{level}_{index}")(x)
            made.append(x)
        height, width, channels = self.shapes[0]
        out = Convolution(channels, self.patch + 2, self.patch, self.kernel_init, (height, width), name="layer0")
        return made, out(x)


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
    if len(feature_shape) != 3:
        shape = "x".join(map(str, feature_shape))
        raise UserError(f"model: a U-net needs images, and these rows are {shape}; allowed: a dense net")
    if not channels:
        raise UserError("model.channels: expected at least one level, got ()")
    if residual and output != "linear":
        raise UserError(f"model.output: {output} of a sum with the input; allowed: linear, or model.residual=false")
    kind, last = named(activation, what="model.activation"), named(output, what="model.output", allowed=OUTPUTS)
    shapes = [tuple(feature_shape)]
    for level, count in enumerate(channels):
        height, width, _ = shapes[-1]
        step = patch if level == 0 else 2
        shapes.append((-(-height // step), -(-width // step), count))
    encoder = Encoder(tuple(channels), patch, blocks, kind)
    decoder = Decoder(tuple(shapes), patch, blocks, kind, NEAR_ZERO if residual else last.kernel_init)
    layout = Layout(tuple(shapes), skips, residual or holes, holes)
    return _pure(layout, encoder, decoder, residual, last)


class Layout(NamedTuple):
    """What the code holds: maps, then the input without holes, then where it was observed.

    Attributes:
        shapes: of the image, then of the maps, the finest first.
        all_maps: whether all of them, or the last one only.
        image: whether the input.
        observed: whether where it was observed.
    """

    shapes: tuple[Shape, ...]
    all_maps: bool
    image: bool
    observed: bool

    def parts(self) -> list[Shape]:
        """The shapes of what the code holds, in order."""
        maps = self.shapes[1:] if self.all_maps else self.shapes[-1:]
        return [*maps, *([self.shapes[0]] * (self.image + self.observed))]


class Encoded(NamedTuple):
    """What the encoder made of images: maps, the finest first, the images without holes, and where they had none."""

    maps: list[jax.Array]
    image: jax.Array | None
    observed: jax.Array | None


def flat(layout: Layout, encoded: Encoded) -> jax.Array:
    """What the encoder made of m images as m codes."""
    parts = [*(encoded.maps if layout.all_maps else encoded.maps[-1:])]
    parts += [encoded.image] * layout.image + ([encoded.observed.astype(jnp.float32)] if layout.observed else [])
    return jnp.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def folded(layout: Layout, code: jax.Array) -> Encoded:
    """The inverse of `flat`."""
    shapes = layout.parts()
    ends = list(accumulate(prod(shape) for shape in shapes))
    cut = [part.reshape(-1, *shape) for part, shape in zip(jnp.split(code, ends[:-1], axis=1), shapes, strict=True)]
    observed = cut.pop() > 0.5 if layout.observed else None
    image = cut.pop() if layout.image else None
    return Encoded(cut, image, observed)


def _pure(layout: Layout, encoder: Encoder, decoder: Decoder, residual: bool, output: Activation) -> Model:
    """The two modules as a model of flat rows."""
    shape = layout.shapes[0]

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key)
        channels = shape[2] * (1 + layout.observed)
        maps = [jnp.zeros((1, *each)) for each in layout.shapes[1:]]
        return {
            "encoder": encoder.init(keys[0], jnp.zeros((1, *shape[:2], channels)))["params"],
            "decoder": decoder.init(keys[1], maps)["params"],
        }

    def down(params: Params, x: jax.Array) -> Encoded:
        image, observed = x.reshape(-1, *shape), None
        inputs = image
        if layout.observed:
            observed = ~jnp.isnan(image)
            image = filled(image, observed)
            inputs = jnp.concatenate([image, observed.astype(image.dtype)], axis=3)
        return Encoded(encoder.apply({"params": params["encoder"]}, inputs), image, observed)

    def up(params: Params, encoded: Encoded) -> Outputs:
        maps = encoded.maps if layout.all_maps else encoded.maps[-1:]
        levels, z = decoder.apply({"params": params["decoder"]}, maps)
        x_hat = encoded.image + z if residual else output.function(z)
        if layout.observed:
            x_hat = jnp.where(encoded.observed, encoded.image, x_hat)
        outputs = {f"decoder{index}": (a, a) for index, a in enumerate(levels)}
        return outputs | {"x_hat": (z.reshape(len(z), -1), x_hat.reshape(len(z), -1))}

    def named_maps(encoded: Encoded) -> Outputs:
        code = flat(layout, encoded)
        return {f"encoder{level}": (a, a) for level, a in enumerate(encoded.maps)} | {"code": (code, code)}

    def train(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Outputs, dict[str, jax.Array]]:
        encoded = down(params, x_in)
        return named_maps(encoded) | up(params, encoded), {}

    linear = ACTIVATIONS["linear"]
    return assemble(
        shape,
        sum(map(prod, layout.parts())),
        init=init,
        encode=lambda params, x: named_maps(down(params, x)),
        decode=lambda params, code: up(params, folded(layout, code)),
        activations={"hidden": linear, "x_hat": linear if layout.observed else output},
        train=train,
        takes_missing=layout.observed,
    )


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
        sums = convolve(single, kernel).reshape(len(values), -1, *values.shape[1:3])
        return jnp.moveaxis(sums, 1, 3)

    everywhere = lambda values: values.sum((1, 2), keepdims=True)
    mean = lambda of: of(known) / jnp.maximum(of(weights), 1e-6)
    return jnp.where(observed, known, jnp.where(around(weights) > 0, mean(around), mean(everywhere)))
