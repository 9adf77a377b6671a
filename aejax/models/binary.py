"""Autoencoders whose code is forced to be binary while they train: by noise, or by rounding."""

from typing import Annotated

import jax

from aejax.config.bounds import Count, NonNegative, Within
from aejax.models.activations import of_layers
from aejax.models.assemble import Extra, component
from aejax.models.dense import stacked
from aejax.types import Model, Params

Bits = Annotated[int, Within(1, 256)]


@component
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

    Only a large |z| survives the noise, so training drives σ(z) towards 0 and 1. Outside training there is no noise:
    the code is σ(z).

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

    def sample(params: Params, key: jax.Array | None, z: jax.Array) -> tuple[jax.Array, jax.Array, Extra]:
        if key is not None:
            z = z + noise * jax.random.normal(key, z.shape, z.dtype)
        return z, jax.nn.sigmoid(z), {}

    return stacked(feature_shape, widths, code, decoder_widths, of_layers(activation, "sigmoid", output), sample=sample)


@component
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

    def sample(params: Params, key: jax.Array | None, z: jax.Array) -> tuple[jax.Array, jax.Array, Extra]:
        probability = jax.nn.sigmoid(z)
        if key is None:
            return z, probability, {}
        bits = (probability > jax.random.uniform(key, z.shape, z.dtype)).astype(z.dtype)
        return z, probability + jax.lax.stop_gradient(bits - probability), {}

    return stacked(feature_shape, widths, code, decoder_widths, of_layers(activation, "sigmoid", output), sample=sample)
