"""Terms that keep most units of a layer quiet; each on the code or on any named hidden layer."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Rate
from aejax.errors import UserError
from aejax.losses.needs import activations, shares
from aejax.types import Context


def l1(ctx: Context, *, layer: str = "code") -> jax.Array:
    """(1/m) Σ_j Σ_i |a_i(x⁽ʲ⁾)|.

    Args:
        ctx: `hidden[layer]` of shape (m, units).
        layer: name of the activation.

    Returns:
        A scalar, in units of the activation, summed over units and averaged over rows.

    References:
        Lecture S06, slide "Autoencoder regularizado", L1 regularization.
    """
    return jnp.abs(activations(ctx, layer)).sum(-1).mean()


def l2(ctx: Context, *, layer: str = "code") -> jax.Array:
    """(1/m) Σ_j ½ Σ_i a_i(x⁽ʲ⁾)², the Gaussian companion of `l1`.

    Args:
        ctx: `hidden[layer]` of shape (m, units).
        layer: name of the activation.

    Returns:
        A scalar, in squared units of the activation, averaged over rows.
    """
    return 0.5 * jnp.square(activations(ctx, layer)).sum(-1).mean()


def kl_bernoulli(ctx: Context, *, target_rate: Rate, layer: str = "code") -> jax.Array:
    """Σ_j KL(ρ‖ρ̂_j) = Σ_j [ρ log(ρ/ρ̂_j) + (1−ρ) log((1−ρ)/(1−ρ̂_j))], ρ̂_j the mean activation over the batch.

    Both logarithms are computed from the log-odds z of a sigmoid layer: log ρ̂_j = log Σ_i e^{log σ(z_ij)} − log m, and
    log(1 − ρ̂_j) likewise from −z. So a unit that is dead or saturated over the whole batch is still pushed back, where
    the slope of σ itself is 0 in float32.

    Args:
        ctx: `hidden[layer]` of shape (m, units), which is sigmoid(`log_odds[layer]`).
        target_rate: ρ, the wanted mean activation, in (0, 1).
        layer: name of the activation.

    Returns:
        A scalar, nats, summed over units.

    Raises:
        UserError: the activation is not in [0, 1], or no sigmoid: a hard one is flat outside (−3, 3), where nothing
            could move a dead unit.

    References:
        Lecture S06, slide "Autoencoder regularizado", KL-divergence; Ng, CS294A lecture notes, section 3.
    """
    values = shares(ctx, layer, "kl_bernoulli", "one whose activation is sigmoid")
    if layer not in ctx.log_odds:
        raise UserError(
            f"kl_bernoulli: layer {layer!r} is no sigmoid, and would not move units that are dead; "
            "allowed: a layer whose activation is sigmoid"
        )
    z = ctx.log_odds[layer].reshape(values.shape)
    log_mean = lambda v: jax.nn.logsumexp(jax.nn.log_sigmoid(v), axis=0) - jnp.log(jnp.float32(z.shape[0]))
    active = target_rate * (jnp.log(target_rate) - log_mean(z))
    quiet = (1.0 - target_rate) * (jnp.log1p(-target_rate) - log_mean(-z))
    return (active + quiet).sum()
