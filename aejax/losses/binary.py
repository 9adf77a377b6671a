"""Terms that make good bits of a code in [0, 1]: near 0 or 1, each as often on as off, each telling something new."""

import jax
import jax.numpy as jnp

from aejax.losses.needs import shares
from aejax.types import Context


def quantized(ctx: Context, *, layer: str = "code") -> jax.Array:
    """(1/m) Σ_j (1/d) Σ_i 4 h_i (1 − h_i): 0 where every unit is 0 or 1, 1 where every unit is ½.

    Args:
        ctx: `hidden[layer]` of shape (m, d), in [0, 1].
        layer: name of the activation.

    Returns:
        A scalar without a unit.

    Raises:
        UserError: the activation does not lie in [0, 1].
    """
    values = shares(ctx, layer, "quantized")
    return (4.0 * values * (1.0 - values)).mean()


def balanced(ctx: Context, *, layer: str = "code") -> jax.Array:
    """(1/d) Σ_i (2 h̄_i − 1)², h̄ the mean over the batch: 0 where every unit is on as often as off.

    Args:
        ctx: `hidden[layer]` of shape (m, d), in [0, 1].
        layer: name of the activation.

    Returns:
        A scalar without a unit.

    Raises:
        UserError: the activation does not lie in [0, 1].

    References:
        Weiss, Torralba & Fergus 2008, Spectral hashing, equation 2: each bit 0 in the mean.
    """
    return jnp.square(2.0 * shares(ctx, layer, "balanced").mean(0) - 1.0).mean()


def uncorrelated(ctx: Context, *, layer: str = "code") -> jax.Array:
    """(1/d) Σ_{i≠k} C_ik², C = BᵀB/m the second moments of b = 2h − 1: no two bits say the same, or the opposite.

    Args:
        ctx: `hidden[layer]` of shape (m, d), in [0, 1].
        layer: name of the activation.

    Returns:
        A scalar without a unit; d − 1 where all bits are equal.

    Raises:
        UserError: the activation does not lie in [0, 1].

    References:
        Weiss, Torralba & Fergus 2008, Spectral hashing, equation 2: bits uncorrelated.
    """
    bits = 2.0 * shares(ctx, layer, "uncorrelated") - 1.0
    moments = bits.T @ bits / bits.shape[0]
    return jnp.square(moments - jnp.diag(jnp.diagonal(moments))).sum() / bits.shape[1]
