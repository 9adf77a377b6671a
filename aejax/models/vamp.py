"""Variational autoencoders whose prior is learned: a mixture of what the encoder says of learned inputs."""

from math import prod

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Positive
from aejax.models import variational
from aejax.models.activations import OUTPUTS, named
from aejax.models.assemble import component
from aejax.types import Context, Model, Params


@component
def dense(
    feature_shape: tuple[int, ...],
    *,
    components: Count = 50,
    widths: tuple[Count, ...] = (400,),
    code: Count = 20,
    activation: str = "relu",
    output: str = "sigmoid",
    kernel_scale: Positive = 1.0,
) -> Model:
    """Fully connected, with the prior p(z) = (1/K) Σ_k q(z|u_k) of K learned inputs u_k.

    It is `aejax.models.variational.dense` in all else; ``extra`` has ``log_prior``, log p(z) of the draw, (m,) nats,
    too, which the terms of `aejax.losses.bounds` read. `Model.prior` draws codes from p, as the sampler ``prior`` does.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        components: K.
        widths: units of the encoder's hidden layers, from the input on; the decoder's are the mirror image.
        code: d, units of the code.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``; the learned inputs go through it too, to lie where rows do.
        kernel_scale: factor of all initial kernels.

    Returns:
        The model; `encode` gives μ.

    Raises:
        UserError: an activation that does not exist.

    References:
        Tomczak & Welling 2018, VAE with a VampPrior, equation 9.
    """
    plain = variational.dense(
        feature_shape, widths=widths, code=code, activation=activation, output=output, kernel_scale=kernel_scale
    )
    squash = named(output, what="model.output", allowed=OUTPUTS).function

    def init(key: jax.Array) -> Params:
        net_key, prior_key = jax.random.split(key)
        return plain.init(net_key) | {
            "prior": {"centres": jax.random.normal(prior_key, (components, prod(feature_shape)))}
        }

    def mixture(params: Params, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The mean and the log-variance of each component, (K, d); the draws of this pass are not used."""
        inputs = squash(params["prior"]["centres"])
        extra = plain.apply(params, inputs, inputs, key).extra
        return extra["mean"], extra["log_variance"]

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        row_key, prior_key = jax.random.split(key)
        ctx, (mean, log_variance) = plain.apply(params, x, x_in, row_key), mixture(params, prior_key)
        noise = (ctx.code[:, None] - mean[None]) * jnp.exp(-0.5 * log_variance[None])
        each = -0.5 * (jnp.square(noise) + log_variance[None] + jnp.log(jnp.float32(2 * jnp.pi))).sum(-1)
        log_prior = jax.nn.logsumexp(each, axis=1) - jnp.log(jnp.float32(components))
        return ctx._replace(extra={**ctx.extra, "log_prior": log_prior})

    def prior(params: Params, key: jax.Array, count: int) -> jax.Array:
        which_key, noise_key, prior_key = jax.random.split(key, 3)
        mean, log_variance = mixture(params, prior_key)
        which = jax.random.randint(which_key, (count,), 0, components)
        return mean[which] + jnp.exp(0.5 * log_variance[which]) * jax.random.normal(noise_key, (count, code))

    return plain._replace(init=init, apply=apply, prior=prior)
