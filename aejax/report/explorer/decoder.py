"""A decoder that a page can run by itself: dense layers, read from the parameters and held against the model's own."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.models.activations import ACTIVATIONS
from aejax.runs.artifact import Trained

TOLERANCE = 1e-5
CHECKED = 20  # codes


class Layer(NamedTuple):
    """a = f(z W + b).

    Attributes:
        kernel: W, (inputs, units) float32.
        bias: b, (units,) float32.
        activation: the name of f.
    """

    kernel: np.ndarray
    bias: np.ndarray
    activation: str


def layers_of(trained: Trained, codes: np.ndarray) -> list[Layer] | None:
    """The layers of a decoder that is dense from end to end; None for any other.

    What is taken for its layers is run on some codes: a decoder that does more with its parameters than they say, or
    does it in another way, is found out by its output.

    Args:
        trained: a whole net.
        codes: (m, d) of some rows.
    """
    if trained.model.decoder_layers is None:
        return None
    layers = [
        Layer(np.asarray(kernel, np.float32), np.asarray(bias, np.float32), activation)
        for kernel, bias, activation in trained.model.decoder_layers(trained.params)
    ]
    codes = jnp.asarray(codes[:CHECKED])
    found, wanted = run(layers, codes), jax.jit(trained.model.decode)(trained.params, codes)
    return layers if found.shape == wanted.shape and bool(jnp.allclose(found, wanted, TOLERANCE, TOLERANCE)) else None


def run(layers: list[Layer], codes: jax.Array) -> jax.Array:
    """Codes (m, d) through the layers."""
    values = codes
    for layer in layers:
        values = ACTIVATIONS[layer.activation].function(values @ layer.kernel + layer.bias[None])
    return values
