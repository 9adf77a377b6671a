"""Terms of vector quantisation (`aejax.models.vector`)."""

import jax
import jax.numpy as jnp

from aejax.losses.needs import extra
from aejax.types import Context


def commitment(ctx: Context) -> jax.Array:
    """(1/m) Σ_j ‖z_j − e_j‖², the entries e of the codebook held still: it draws the encoder towards what it chose.

    Args:
        ctx: `extra["before"]`, z, and `code`, e, of shape (m, d).

    Returns:
        A scalar, squared units of the code, per row; its weight is the β of the paper, .25 there.

    Raises:
        UserError: the model has no codebook.

    References:
        van den Oord et al. 2017, Neural discrete representation learning, equation 3, third summand.
    """
    _uses(ctx, "commitment")
    return jnp.square(ctx.extra["before"] - jax.lax.stop_gradient(ctx.code)).sum(-1).mean()


def perplexity(ctx: Context) -> jax.Array:
    """exp(−Σ_k p_k log p_k), p_k the share of the batch's pieces that chose entry k: entries in use, at most all.

    It has no gradient; with the weight 0 it is only reported.

    Args:
        ctx: `extra["uses"]` of shape (entries,).

    Returns:
        A scalar, entries of the codebook.

    Raises:
        UserError: the model has no codebook.
    """
    uses = _uses(ctx, "perplexity")
    share = uses / uses.sum()
    return jnp.exp(-(share * jnp.log(jnp.where(share > 0, share, 1.0))).sum())


def _uses(ctx: Context, term: str) -> jax.Array:
    return extra(ctx, "uses", term, "has no codebook", "vector.quantized")
