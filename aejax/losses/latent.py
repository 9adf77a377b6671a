"""Terms on the distribution of the code, for variational nets."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import NonNegative
from aejax.losses.needs import gaussian
from aejax.types import Context


def kl_standard_normal(ctx: Context, *, free_bits: NonNegative = 0.0) -> jax.Array:
    """Σ_i max(λ, (1/m) Σ_j KL_ij), KL_ij = ½ (μ_ij² + σ_ij² − 1 − log σ_ij²) that of N(μ, σ²) from N(0, 1).

    With the cross-entropy of binary rows, and weight 1, the sum is the negative lower bound of their log-likelihood;
    another weight is the β of a β-VAE, and a schedule of the term warms it up. A unit whose mean over the batch is
    below λ costs λ, and nothing pulls at it: so λ nats of it are free.

    Args:
        ctx: `extra["mean"]` and `extra["log_variance"]` of shape (m, d).
        free_bits: λ, nats of each unit.

    Returns:
        A scalar, nats per row, summed over units.

    Raises:
        UserError: the model is not variational.

    References:
        Kingma & Welling 2014, Auto-encoding variational Bayes, appendix B and equation 10. Kingma et al. 2016,
        Improving variational inference with inverse autoregressive flow, equation 15, each unit a group. Higgins et
        al. 2017, β-VAE, equation 4.
    """
    divergence = unit_divergences(*gaussian(ctx, "kl_standard_normal")).mean(0)
    return jnp.maximum(divergence, free_bits).sum()


def unit_divergences(mean: jax.Array, log_variance: jax.Array) -> jax.Array:
    """KL(N(μ, σ²)‖N(0, 1)) = ½ (μ² + σ² − 1 − log σ²) of each row and unit, (m, d) nats."""
    # σ² − 1 as expm1, which keeps its digits where σ is near 1
    return 0.5 * (jnp.square(mean) + jnp.expm1(log_variance) - log_variance)
