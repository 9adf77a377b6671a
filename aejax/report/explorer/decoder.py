"""A decoder that a page can run by itself: dense layers, read from the parameters and held against the model's own."""

from itertools import pairwise
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
    layers = _read(trained)
    if layers is None:
        return None
    codes = jnp.asarray(codes[:CHECKED])
    found, wanted = run(layers, codes), jax.jit(trained.model.decode)(trained.params, codes)
    return layers if found.shape == wanted.shape and bool(jnp.allclose(found, wanted, TOLERANCE, TOLERANCE)) else None


def run(layers: list[Layer], codes: jax.Array) -> jax.Array:
    """Codes (m, d) through the layers."""
    values = codes
    for layer in layers:
        values = ACTIVATIONS[layer.activation].function(values @ layer.kernel + layer.bias[None])
    return values


def _read(trained: Trained) -> list[Layer] | None:
    """The layers, if parameters and settings are those of a dense decoder; tied kernels are the encoder's, turned."""
    params, settings = trained.params, trained.settings
    if not isinstance(params, dict) or not {"encoder", "decoder"} <= set(params) or "output" not in settings:
        return None
    below, above = params["encoder"], params["decoder"]
    names = [f"layer{index}" for index in range(len(above))]
    if not names or set(names) != set(above) or (len(names) > 1 and "activation" not in settings):
        return None
    kinds = (
        [settings["activation"]] * (len(names) - 1) + [settings["output"]] if len(names) > 1 else [settings["output"]]
    )
    layers = []
    for place, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        twin = below.get(f"layer{len(names) - 1 - place}", {})
        kernel = above[name]["kernel"] if "kernel" in above[name] else np.transpose(twin.get("kernel", 0.0))
        if set(above[name]) - {"kernel", "bias"} or "bias" not in above[name] or np.ndim(kernel) != 2:
            return None
        layers.append(Layer(np.asarray(kernel, np.float32), np.asarray(above[name]["bias"], np.float32), kind))
    sizes = [trained.model.code_size, *(len(layer.bias) for layer in layers)]
    fit = all(layer.kernel.shape == pair for layer, pair in zip(layers, pairwise(sizes), strict=True))
    return layers if fit and all(kind in ACTIVATIONS for kind in kinds) else None
