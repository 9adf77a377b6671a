"""Terms that keep most units of a layer quiet; each on the code or on any named hidden layer."""

import jax
import jax.numpy as jnp

from aejax.bounds import Rate
from aejax.errors import UserError, one_of
from aejax.types import Context


def activations(ctx: Context, layer: str) -> jax.Array:
    """The named activation as (m, units); every place and channel of a convolutional layer is a unit.

    Raises:
        UserError: the model has no layer of that name; the line lists those it has.
    """
    if layer not in ctx.hidden:
        raise one_of(layer, ctx.hidden, what="layer of a loss term")
    values = ctx.hidden[layer]
    return values.reshape(values.shape[0], -1)


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


def _log_rates(ctx: Context, layer: str) -> tuple[jax.Array, jax.Array]:
    """log ρ̂_j and log(1 − ρ̂_j) of each unit, with gradients that do not vanish at the ends."""
    values = activations(ctx, layer)
    if layer in ctx.log_odds:
        # log mean σ(z) as a log-sum-exp: a saturated σ has slope 0 in float32, log σ has not.
        z = ctx.log_odds[layer].reshape(values.shape)
        rows = jnp.log(jnp.float32(z.shape[0]))
        log_mean = lambda v: jax.nn.logsumexp(jax.nn.log_sigmoid(v), axis=0) - rows
        return log_mean(z), log_mean(-z)
    mean = values.mean(0)
    # Straight-through clip: the value is clipped, the gradient is not.
    rate = mean + jax.lax.stop_gradient(jnp.clip(mean, 1e-6, 1.0 - 1e-6) - mean)
    return jnp.log(rate), jnp.log1p(-rate)


def kl_bernoulli(ctx: Context, *, target_rate: Rate, layer: str = "code") -> jax.Array:
    """Σ_j KL(ρ‖ρ̂_j) = Σ_j [ρ log(ρ/ρ̂_j) + (1−ρ) log((1−ρ)/(1−ρ̂_j))], ρ̂_j the mean activation over the batch.

    A unit that is dead or saturated over the whole batch still gets a gradient. In a sigmoid layer both logarithms are
    computed from its log-odds, and the gradient reaches the weights. In any other ρ̂ is kept 1e-6 inside (0, 1) in
    value only, and the gradient reaches the activation; a hard_sigmoid passes none of it on outside (−3, 3).

    Args:
        ctx: `hidden[layer]` of shape (m, units), values in [0, 1].
        target_rate: ρ, the wanted mean activation, in (0, 1).
        layer: name of the activation.

    Returns:
        A scalar, nats, summed over units.

    Raises:
        UserError: the activation's range is not within [0, 1].

    References:
        Lecture S06, slide "Autoencoder regularizado", KL-divergence; Ng, CS294A lecture notes, section 3.
    """
    activations(ctx, layer)
    if not ctx.ranges[layer].within(0.0, 1.0):
        raise UserError(
            f"kl_bernoulli: layer {layer!r} has activations in {ctx.ranges[layer]}, and a rate must lie in "
            "[0, 1]; allowed: an activation such as sigmoid or hard_sigmoid"
        )
    log_rate, log_quiet = _log_rates(ctx, layer)
    kept = target_rate * (jnp.log(target_rate) - log_rate)
    quiet = (1.0 - target_rate) * (jnp.log1p(-target_rate) - log_quiet)
    return (kept + quiet).sum()
