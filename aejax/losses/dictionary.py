"""Terms of sparse dictionaries (`aejax.models.dictionary`)."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count
from aejax.losses.needs import extra
from aejax.losses.reconstruction import per_row
from aejax.types import Context


def revival(ctx: Context, *, units: Count = 32, after: Count = 200) -> jax.Array:
    """(1/m) Σ_j ½‖e − ê‖², e = x − x̂ held still and ê from the largest units of those that are dead; 0 without any.

    So dead units learn what the others leave over. It is added to the squared error with a small weight, 1/32 there.

    Args:
        ctx: `extra["before"]`, (m, d), and `extra["silent"]`, (d,), the steps since a unit was last on; where `mask` is
            False an entry costs nothing.
        units: k, the dead units that a row may use.
        after: steps without being on after which a unit is dead.

    Returns:
        A scalar, half the squared units of the scaled data, per row.

    Raises:
        UserError: the model is no dictionary.

    References:
        Gao et al. 2024, Scaling and evaluating sparse autoencoders, appendix A.2.
    """
    dead = extra(ctx, "silent", "revival", "does not count its dead units", "dictionary.topk") >= after
    values = jnp.where(dead[None], jax.nn.relu(ctx.extra["before"]), 0.0)
    least = jax.lax.top_k(values, min(units, values.shape[1]))[0][:, -1:]
    values = jnp.where(values >= least, values, 0.0)
    rebuilt = ctx.decode(values) - ctx.decode(jnp.zeros_like(values))
    squares = per_row(jnp.square(jax.lax.stop_gradient(ctx.x - ctx.x_hat) - rebuilt), ctx.mask)
    return jnp.where(dead.any(), 0.5 * squares.mean(), 0.0)
