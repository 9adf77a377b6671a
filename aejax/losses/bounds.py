"""Bounds of the log-likelihood that are estimated from draws of the code of a variational net."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.losses.needs import gaussian
from aejax.losses.reconstruction import per_row
from aejax.types import Context


def importance_weighted(ctx: Context, *, draws: Count = 8) -> jax.Array:
    """−(1/m) Σ_j log (1/k) Σ_l p(x_j|z_l) p(z_l) / q(z_l|x_j), with k draws z_l of q(z|x_j), of rows in [0, 1].

    It stands alone: with one draw it is an estimate of the cross-entropy plus the KL term, and with more it is a
    tighter bound of minus the log-likelihood.

    Args:
        ctx: `again` of a variational net whose output is a sigmoid; where `mask` is False an entry costs nothing.
        draws: k.

    Returns:
        A scalar, nats per row.

    Raises:
        UserError: the data are not in [0, 1], the output is not a sigmoid, or the model is not variational.

    References:
        Burda, Grosse & Salakhutdinov 2016, Importance weighted autoencoders, equation 8.
    """
    if not ctx.ranges["x"].within(0.0, 1.0) or "x_hat" not in ctx.log_odds:
        raise UserError(
            "importance_weighted: there are no probabilities of rows in [0, 1]; "
            "allowed: data.scaling=unit with model.output=sigmoid"
        )
    gaussian(ctx, "importance_weighted")

    def log_weight(key: jax.Array) -> jax.Array:
        again = ctx.again(key)
        log_odds = again.log_odds["x_hat"]
        # log p(x|z) = Σ x log σ(t) + (1 − x) log σ(−t) = Σ x t − log(1 + e^t)
        log_p = again.x * log_odds - jax.nn.softplus(log_odds)
        return per_row(log_p, ctx.mask) - _log_ratio(again, "importance_weighted")

    weights = jax.vmap(log_weight)(jax.random.split(ctx.key, draws))
    return jnp.log(jnp.float32(draws)) - jax.nn.logsumexp(weights, axis=0).mean()


def kl_prior(ctx: Context) -> jax.Array:
    """(1/m) Σ_j [log q(z_j|x_j) − log p(z_j)], z the draw of the training pass: the KL term, for any prior.

    With the cross-entropy of binary rows and weight 1, the sum is an estimate of the negative lower bound of their
    log-likelihood. Where p is N(0, 1), `aejax.losses.latent.kl_standard_normal` is the same without the noise.

    Args:
        ctx: `code`, `extra["mean"]` and `extra["log_variance"]` of shape (m, d), and `extra["log_prior"]`, log p(z),
            (m,), nats; without it p is N(0, 1).

    Returns:
        A scalar, nats per row.

    Raises:
        UserError: the model is not variational.

    References:
        Tomczak & Welling 2018, VAE with a VampPrior, equations 2 and 3.
    """
    return _log_ratio(ctx, "kl_prior").mean()


def _log_ratio(ctx: Context, term: str) -> jax.Array:
    """log q(z|x) − log p(z), (m,) nats."""
    mean, log_variance = gaussian(ctx, term)
    noise = (ctx.code - mean) * jnp.exp(-0.5 * log_variance)
    constant = jnp.log(jnp.float32(2 * jnp.pi))
    log_q = -0.5 * (jnp.square(noise) + log_variance + constant).sum(-1)
    if "log_prior" in ctx.extra:
        return log_q - ctx.extra["log_prior"]
    return log_q + 0.5 * (jnp.square(ctx.code) + constant).sum(-1)
