"""Autoencoders that also learn where the centres of clusters lie in their code."""

from typing import Annotated

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Within
from aejax.models import dense as nets
from aejax.models.assemble import component
from aejax.types import Context, Model, Params

Clusters = Annotated[int, Within(2, 2**31 - 1)]
START = 0.1
"""Standard deviation of the first centres: near the middle of the code, from where the loss terms move them."""


@component
def dense(
    feature_shape: tuple[int, ...],
    *,
    clusters: Clusters = 10,
    sets: Count = 8,
    widths: tuple[Count, ...] = (128, 64),
    code: Count = 10,
    activation: str = "relu",
    output: str = "sigmoid",
) -> Model:
    """A fully connected autoencoder with a linear code, n-widths-code-widths-n, and sets of k points among its codes.

    The centres are parameters, ``params["centres"]`` (sets, k, d), which terms such as those in
    `aejax.losses.clustering` find under ``ctx.extra["centres"]``. Like the restarts of k-means, the sets begin in
    different places and may settle on different clusters; the task `clustering` takes the set of the least cost.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        clusters: k, how many centres a set has.
        sets: how many sets of centres.
        widths: units of the encoder's hidden layers, from the input on; the decoder mirrors them.
        code: d, units of the code.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.

    Returns:
        The model.

    Raises:
        UserError: an activation that does not exist.

    References:
        Xie, Girshick & Farhadi 2016, Unsupervised deep embedding for clustering analysis, section 3.
    """
    net = nets.multilayer(feature_shape, widths=widths, code=code, activation=activation, output=output)

    def init(key: jax.Array) -> Params:
        centres_key, net_key = jax.random.split(key)
        return net.init(net_key) | {
            "centres": START * jax.random.normal(centres_key, (sets, clusters, code), jnp.float32)
        }

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        return net.apply(params, x, x_in, key)._replace(extra={"centres": params["centres"]})

    return net._replace(init=init, apply=apply)
