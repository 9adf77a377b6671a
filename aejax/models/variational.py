"""Variational autoencoders: the encoder gives a Gaussian over codes, and training decodes one draw from it."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Positive
from aejax.models.activations import Activation, of_layers
from aejax.models.assemble import Extra, component
from aejax.models.conv import convolved
from aejax.models.dense import stacked
from aejax.types import Model, Params


@component
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
    return stacked(feature_shape, widths, code, None, kinds, sample=_sample, code_inputs=2 * code)


@component
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
    return convolved(feature_shape, channels, kernel_size, stride, code, kinds, sample=_sample, code_inputs=2 * code)


def _kinds(activation: str, output: str, scale: float) -> dict[str, Activation]:
    smaller = lambda init: lambda *arguments: scale * init(*arguments)
    kinds = of_layers(activation, "linear", output)
    return {name: kind._replace(kernel_init=smaller(kind.kernel_init)) for name, kind in kinds.items()}


def _sample(params: Params, key: jax.Array | None, moments: jax.Array) -> tuple[jax.Array, jax.Array, Extra]:
    """One draw of the code; its mean without a key. `moments` are μ and log σ² side by side, (m, 2 d)."""
    size = moments.shape[1] // 2
    mean, log_variance = moments[:, :size], moments[:, size:]
    if key is None:
        return mean, mean, {}
    z = mean + jnp.exp(0.5 * log_variance) * jax.random.normal(key, mean.shape, mean.dtype)
    return z, z, {"mean": mean, "log_variance": log_variance}
