"""A decoder that a page can run by itself: dense layers, held against the model's own decoder."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.models.activations import ACTIVATIONS
from aejax.runs.artifact import Trained

TOLERANCE = 1e-5
CHECKED = 20  # codes


class Layer(NamedTuple):
    """a = f(z W + b): W (inputs, units) and b (units,) float32, and the name of f."""

    kernel: Any
    bias: Any
    activation: str


def layers_of(trained: Trained, codes: np.ndarray) -> list[Layer] | None:
    """The layers of a decoder that is dense from end to end; None for any other.

    The layers are run on some codes, and compared with the decoder: one that does more is not taken for its layers.

    Args:
        trained: a whole net.
        codes: (m, d) of some rows.
    """
    if trained.model.decoder_layers is None:
        return None
    layers = [Layer(*layer) for layer in trained.model.decoder_layers(trained.params)]
    codes = jnp.asarray(codes[:CHECKED])
    answer, wanted = run(layers, codes), jax.jit(trained.model.decode)(trained.params, codes)
    same = answer.shape == wanted.shape and bool(jnp.allclose(answer, wanted, TOLERANCE, TOLERANCE))
    return layers if same else None


def run(layers: Sequence[Layer], codes: jax.Array) -> jax.Array:
    """Codes (m, d) through the layers."""
    for kernel, bias, activation in layers:
        codes = ACTIVATIONS[activation].function(codes @ kernel + bias[None])
    return codes
