"""Schedules: factors of a learning rate or of a term's weight, as functions of the share of the run that is done.

Each is `(progress, *, hyperparameters) -> factor`, progress in [0, 1). The numbers are shares, not steps, so
that a longer run keeps the shape; they may be traced and swept.
"""

import jax
import jax.numpy as jnp

from aejax.config.bounds import NonNegative, Rate, Share


def constant(progress: jax.Array) -> jax.Array:
    """1, always."""
    return jnp.ones_like(progress)


def cosine(progress: jax.Array, *, final: NonNegative = 0.0) -> jax.Array:
    """final + (1 − final) · ½(1 + cos π p).

    Args:
        progress: p, in [0, 1).
        final: the factor at the end.

    References:
        Loshchilov & Hutter 2017, SGDR, equation 5, one period.
    """
    return final + (1.0 - final) * 0.5 * (1.0 + jnp.cos(jnp.pi * progress))


def warmup_cosine(progress: jax.Array, *, warmup: Rate = 0.05, final: NonNegative = 0.0) -> jax.Array:
    """p / warmup while p < warmup; after that `cosine` over what is left.

    Args:
        progress: p, in [0, 1).
        warmup: share of the run over which the factor rises from 0 to 1.
        final: the factor at the end.
    """
    rest = jnp.maximum(progress - warmup, 0.0) / (1.0 - warmup)
    return jnp.where(progress < warmup, progress / warmup, cosine(rest, final=final))


def exponential(progress: jax.Array, *, final: Rate = 0.01) -> jax.Array:
    """final^p: the same factor at each step, down to `final` at the end.

    Args:
        progress: p, in [0, 1).
        final: the factor at the end, in (0, 1).
    """
    return jnp.power(final, progress)


def linear(progress: jax.Array, *, initial: NonNegative = 0.0, until: Share = 0.5) -> jax.Array:
    """From `initial` to 1 in a straight line while p < until, then 1.

    Args:
        progress: p, in [0, 1).
        initial: the factor at the start.
        until: share of the run at which the factor has become 1.
    """
    done = jnp.where(progress < until, progress / until, 1.0)
    return initial + (1.0 - initial) * done


def before(progress: jax.Array, *, end: Share = 0.5) -> jax.Array:
    """1 while p < end, then 0.

    Args:
        progress: p, in [0, 1).
        end: share of the run from which on the factor is 0.
    """
    return jnp.where(progress < end, 1.0, 0.0)


def after(progress: jax.Array, *, start: Rate = 0.5) -> jax.Array:
    """0 while p < start, then 1.

    Args:
        progress: p, in [0, 1).
        start: share of the run from which on the factor is 1.
    """
    return jnp.where(progress < start, 0.0, 1.0)
