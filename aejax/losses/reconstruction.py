"""Costs of reconstruction: summed over the features of a row, averaged over the rows."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Positive
from aejax.errors import UserError
from aejax.types import Context


def per_row(values: jax.Array, mask: jax.Array | None) -> jax.Array:
    """Sum over the observed features of each row: (m, n) -> (m,)."""
    if mask is not None:
        values = jnp.where(mask, values, 0.0)
    return values.sum(-1)


def cross_entropy(ctx: Context) -> jax.Array:
    """(1/m) Σ_j −Σ_i [x_i log x̂_i + (1−x_i) log(1−x̂_i)], in nats, for values in [0, 1].

    Computed from the log-odds z, so that no logarithm of 0 can occur:
    −[x log σ(z) + (1−x) log(1−σ(z))] = max(z, 0) − x z + log(1 + e^{−|z|}).

    Args:
        ctx: `x` and `log_odds["x_hat"]` of shape (m, n); where `mask` is False an entry costs nothing.

    Returns:
        A scalar, nats per row.

    Raises:
        UserError: the target is not in [0, 1], or the output activation is not the sigmoid.

    References:
        Lecture S06, slide "Función de costo de reconstrucción", first formula of ℓ.
    """
    if not ctx.ranges["x"].within(0.0, 1.0):
        raise UserError(
            f"cross_entropy: the data must lie in [0, 1], not {ctx.ranges['x']}; "
            "allowed: data.scaling=unit, or reconstruction.squared_error"
        )
    if "x_hat" not in ctx.log_odds:
        raise UserError("cross_entropy: the output is not a sigmoid; allowed: model.output=sigmoid")
    z = ctx.log_odds["x_hat"]
    # max(z, 0) − x z + log(1 + e^{−|z|})
    return per_row(jnp.maximum(z, 0.0) - ctx.x * z + jnp.log1p(jnp.exp(-jnp.abs(z))), ctx.mask).mean()


def squared_error(ctx: Context) -> jax.Array:
    """(1/m) Σ_j ½‖x − x̂‖².

    Args:
        ctx: `x` and `x_hat` of shape (m, n); where `mask` is False an entry costs nothing.

    Returns:
        A scalar, half the squared units of the scaled data, per row.

    References:
        Lecture S06, slide "Función de costo de reconstrucción", second formula of ℓ.
    """
    return 0.5 * per_row(jnp.square(ctx.x - ctx.x_hat), ctx.mask).mean()


def multinomial(ctx: Context) -> jax.Array:
    """(1/m) Σ_j −Σ_i (x_i / Σ_k x_k) log p_i, p = softmax(x̂): what it costs to tell a word of a document, in nats.

    x̂ are the log-odds of the words, up to a constant, so that its squared error says nothing.

    Args:
        ctx: `x` and `x_hat` of shape (m, n); where `mask` is False an entry costs nothing, and a row of zeros costs
            nothing either.

    Returns:
        A scalar, nats per row.

    Raises:
        UserError: the data may be negative.

    References:
        Salakhutdinov & Hinton 2009, Semantic hashing, sections 2.1 and 3.3.
    """
    if ctx.ranges["x"].low < 0:
        raise UserError(
            f"multinomial: the data must not be negative, and lie in {ctx.ranges['x']}; allowed: data.scaling=unit, "
            "or reconstruction.squared_error"
        )
    weights = ctx.x if ctx.mask is None else jnp.where(ctx.mask, ctx.x, 0.0)
    total = weights.sum(-1, keepdims=True)
    share = weights / jnp.where(total > 0, total, 1.0)
    return -(share * jax.nn.log_softmax(ctx.x_hat, axis=-1)).sum(-1).mean()


def huber(ctx: Context, *, delta: Positive) -> jax.Array:
    """(1/m) Σ_j Σ_i ½r² where |r| ≤ δ, δ(|r| − ½δ) beyond, with r = x − x̂: outliers pull with a bounded force.

    Args:
        ctx: `x` and `x_hat` of shape (m, n); where `mask` is False an entry costs nothing.
        delta: δ, in units of the scaled data; as δ grows this becomes `squared_error`.

    Returns:
        A scalar, half the squared units of the scaled data, per row.

    References:
        Huber 1964, Robust estimation of a location parameter, Annals of Mathematical Statistics 35.
    """
    size = jnp.abs(ctx.x - ctx.x_hat)
    inside = jnp.minimum(size, delta)
    # ½ min(|r|, δ)² + δ (|r| − min(|r|, δ))
    return per_row(0.5 * jnp.square(inside) + delta * (size - inside), ctx.mask).mean()


def correntropy(ctx: Context, *, width: Positive) -> jax.Array:
    """(1/m) Σ_j Σ_i σ² (1 − e^{−r²/(2σ²)}) with r = x − x̂: near 0 it is ½r², and an entry costs at most σ².

    This is minus the correntropy of x and x̂ with a Gaussian kernel, shifted and scaled to agree with `squared_error`
    for small residuals. Entries far outside do not pull at all.

    Args:
        ctx: `x` and `x_hat` of shape (m, n); where `mask` is False an entry costs nothing.
        width: σ of the kernel, in units of the scaled data; as σ grows this becomes `squared_error`.

    Returns:
        A scalar, half the squared units of the scaled data, per row.

    References:
        Liu, Pokharel & Principe 2007, Correntropy: properties and applications in non-Gaussian signal processing,
        equation 8 (the kernel) and section V (the cost).
    """
    # 1 − e^{−u} without the loss of digits where u is small
    return per_row(-jnp.square(width) * jnp.expm1(-0.5 * jnp.square((ctx.x - ctx.x_hat) / width)), ctx.mask).mean()
