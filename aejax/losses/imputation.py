"""The cost of what a net says of values that it did not see, each column with its own likelihood."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import NonNegative
from aejax.types import Context


def likelihood(ctx: Context, *, visible: NonNegative = 0.0) -> jax.Array:
    """(1/m) Σ_j Σ_c w_jc ℓ_c over the columns c of each row j: minus a log-likelihood, less what does not depend on x̂.

    ℓ = ½(x − x̂)² of a number (a Gaussian of variance 1), −log σ(±z) of two categories (Bernoulli), and −log softmax(z)
    at the category that there is, of more. w is 1 where the value was hidden from the net, `visible` where it was seen,
    and 0 where it is missing. For a net that is not told what is missing, all that is observed counts as hidden.

    Args:
        ctx: `x`, `x_hat`, `mask`; ``extra["seen"]`` (m, n) bool, what the net saw; ``extra["natural"]`` z (m, n) and
            `columns`, where the table has categories.
        visible: weight of the values that were seen.

    Returns:
        A scalar, nats per row.
    """
    observed = jnp.ones(ctx.x.shape, bool) if ctx.mask is None else ctx.mask
    seen = ctx.extra.get("seen", jnp.zeros(ctx.x.shape, bool))
    weight = observed * jnp.where(seen, visible, 1.0)
    return (weight * _costs(ctx)).sum(-1).mean()


def _costs(ctx: Context) -> jax.Array:
    """ℓ of each feature, (m, n); that of a category of three or more lies in the first of its features."""
    if not ctx.columns:
        return 0.5 * jnp.square(ctx.x - ctx.x_hat)
    parts = []
    for column in ctx.columns:
        part = slice(column.start, column.start + column.size)
        x, z = ctx.x[:, part], ctx.extra["natural"][:, part]
        if not column.categories:
            parts.append(0.5 * jnp.square(x - z))
        elif column.size == 1:
            parts.append(jax.nn.softplus(z) - x * z)
        else:
            cost = jax.nn.logsumexp(z, axis=1, keepdims=True) - (x * z).sum(1, keepdims=True)
            parts.append(jnp.pad(cost, ((0, 0), (0, column.size - 1))))
    return jnp.concatenate(parts, axis=1)
