"""Sparse dictionaries: many units, of which a row uses few, and a decoder that adds up their directions."""

from math import prod

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.models.activations import ACTIVATIONS
from aejax.models.assemble import Extra, Outputs, as_they_are, assemble, component
from aejax.types import Model, Params


@component
def topk(feature_shape: tuple[int, ...], *, code: Count = 256, active: Count = 8) -> Model:
    """z = TopK(W (x − b)), x̂ = z D + b: the k largest units of a row that are positive, directions D of length 1.

    Its named activation is ``code``. ``params["kept"]["silent"]``, (d,), counts the steps since a unit was last on. In
    a training pass ``extra`` holds ``before``, W (x − b), (m, d), ``silent``, and ``fired``, (d,), 1 for units that are
    on in the batch; `aejax.losses.dictionary.revival` reads them. `settle` scales the rows of D to length 1 and counts.

    Args:
        feature_shape: shape of one row; n is its product.
        code: d, units.
        active: k, units that a row may use.

    Returns:
        The model; its output is linear.

    Raises:
        UserError: more active units than there are.

    References:
        Gao et al. 2024, Scaling and evaluating sparse autoencoders, equations 1 and 2 (with a ReLU), and appendix A.1:
        W begins as the transpose of D.
    """
    if active > code:
        raise UserError(f"model.active: there are {code} units; allowed: 1 to {code}")
    n = prod(feature_shape)

    def init(key: jax.Array) -> Params:
        directions = _unit(jax.random.normal(key, (code, n)))
        return {
            "encoder": {"kernel": directions.T},
            "decoder": {"kernel": directions, "bias": jnp.zeros(n)},
            "kept": {"silent": jnp.zeros(code)},
        }

    def encode(params: Params, x: jax.Array, key: jax.Array | None = None) -> tuple[Outputs, Extra]:
        before = (x - params["decoder"]["bias"][None]) @ params["encoder"]["kernel"]
        z = _largest(jax.nn.relu(before), active)
        outputs = {"code": (before, z)}
        if key is None:
            return outputs, {}
        return outputs, {"before": before, "fired": (z > 0).any(0).astype(z.dtype), "silent": params["kept"]["silent"]}

    def decode(params: Params, z: jax.Array) -> Outputs:
        return as_they_are({"x_hat": z @ params["decoder"]["kernel"] + params["decoder"]["bias"][None]})

    def settle(params: Params, extra: Extra, key: jax.Array) -> Params:
        decoder = params["decoder"] | {"kernel": _unit(params["decoder"]["kernel"])}
        silent = jnp.where(extra["fired"] > 0, 0.0, params["kept"]["silent"] + 1)
        return params | {"decoder": decoder, "kept": {"silent": silent}}

    kinds = {"code": ACTIVATIONS["relu"], "x_hat": ACTIVATIONS["linear"]}
    model = assemble(feature_shape, code, init=init, encode=encode, decode=decode, activations=kinds)
    layer = lambda params: [(params["decoder"]["kernel"], params["decoder"]["bias"], "linear")]
    return model._replace(settle=settle, decoder_layers=layer)


def _largest(values: jax.Array, count: int) -> jax.Array:
    """The `count` largest values of each row, (m, d), and 0 for the others; equal ones stay together."""
    least = jax.lax.top_k(values, count)[0][:, -1:]
    return jnp.where(values >= least, values, 0.0)


def _unit(kernel: jax.Array) -> jax.Array:
    return kernel / jnp.linalg.norm(kernel, axis=1, keepdims=True)
