"""Autoencoders whose code is forced to be binary while they train: by noise, or by rounding."""

from typing import Annotated

import jax

from aejax.config.bounds import Count, NonNegative, Within
from aejax.models.activations import OUTPUTS, named
from aejax.models.dense import Disturb, named_layers, stacked
from aejax.types import Model

Bits = Annotated[int, Within(1, 256)]


def noisy(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (500, 500),
    code: Bits = 32,
    noise: NonNegative = 4.0,
    activation: str = "relu",
    output: str = "linear",
    decoder_widths: tuple[Count, ...] | None = None,
) -> Model:
    """A code that Gaussian noise makes binary: h = σ(z + s ε), ε standard normal, n-widths-code-decoder_widths-n.

    What the decoder is to know of a row has to be told above the noise, so that z is driven to where σ is flat, near 0
    and 1. Outside training there is no noise: the code is σ(z).

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the encoder's hidden layers, from the input on; () for none.
        code: units of the code: bits.
        noise: s, its standard deviation, fresh for each unit, row and step.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        decoder_widths: units of the decoder's hidden layers, from the code on; None mirrors `widths`.

    Returns:
        The model; its code lies in [0, 1].

    Raises:
        UserError: an activation that does not exist.

    References:
        Salakhutdinov & Hinton 2009, Semantic hashing, section 3.3, where noise of standard deviation 4 is drawn once
        for each row, so that line searches see one objective.
    """

    def disturb(key: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = z + noise * jax.random.normal(key, z.shape, z.dtype)
        return z, jax.nn.sigmoid(z)

    return _binary(feature_shape, widths, code, decoder_widths, activation, output, disturb)


def rounded(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (500, 500),
    code: Bits = 32,
    activation: str = "relu",
    output: str = "linear",
    decoder_widths: tuple[Count, ...] | None = None,
) -> Model:
    """A code that is rounded to bits, h = 1 where σ(z) > u and else 0, with the slope of σ, n-widths-code-…-n.

    u is uniform in [0, 1): the bits are drawn, each with the probability that the encoder gives it. The gradient passes
    straight through the rounding. Outside training the code is σ(z).

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the encoder's hidden layers, from the input on; () for none.
        code: units of the code: bits.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.
        decoder_widths: units of the decoder's hidden layers, from the code on; None mirrors `widths`.

    Returns:
        The model; its code lies in [0, 1].

    Raises:
        UserError: an activation that does not exist.

    References:
        Bengio, Léonard & Courville 2013, Estimating or propagating gradients through stochastic neurons, section 4;
        Shen et al. 2018, NASH: toward end-to-end neural architecture for generative semantic hashing, section 3.
    """

    def disturb(key: jax.Array, z: jax.Array) -> tuple[jax.Array, jax.Array]:
        chance = jax.nn.sigmoid(z)
        bits = (chance > jax.random.uniform(key, z.shape, z.dtype)).astype(z.dtype)
        return z, chance + jax.lax.stop_gradient(bits - chance)

    return _binary(feature_shape, widths, code, decoder_widths, activation, output, disturb)


def _binary(
    feature_shape: tuple[int, ...],
    widths: tuple[int, ...],
    code: int,
    decoder_widths: tuple[int, ...] | None,
    activation: str,
    output: str,
    disturb: Disturb,
) -> Model:
    layers = named_layers(widths, code, tuple(reversed(widths)) if decoder_widths is None else decoder_widths)
    hidden, bits = named(activation, what="model.activation"), named("sigmoid", what="model")
    kinds = {name: bits if name == "code" else hidden for name in layers}
    return stacked(feature_shape, layers, kinds, named(output, what="model.output", allowed=OUTPUTS), disturb=disturb)
