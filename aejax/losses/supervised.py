"""Terms that know the labels of the training rows: codes of one class are to lie together."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Positive
from aejax.errors import UserError
from aejax.losses.needs import activations
from aejax.losses.pairs import among_others, centred_distances, mean_square
from aejax.types import Context


def soft_nearest_neighbour(ctx: Context, *, temperature: Positive = 0.1, layer: str = "code") -> jax.Array:
    """−(1/m) Σ_i log Σ_{j≠i, y_j=y_i} p_ij, p_ij = e^{−‖h_i−h_j‖²/T} / Σ_{k≠i} e^{−‖h_i−h_k‖²/T}, within the batch.

    Each row draws one of the others as its neighbour, sooner a near one, and takes over its class; the sum is the
    cross-entropy of that classifier, a smooth leave-one-out nearest neighbour that has no parameters of its own. Rows
    that are alone in their class cost nothing, and the mean is over the others.

    Args:
        ctx: `labels` (m,), and `hidden[layer]` of shape (m, units).
        temperature: T as a share of the mean squared distance of two activations of the batch, so that a code gains
            nothing by growing.
        layer: name of the activation.

    Returns:
        A scalar, nats for each row.

    Raises:
        UserError: the data have no labels.

    References:
        Frosst, Papernot & Hinton 2019, Analyzing and improving representations with the soft nearest neighbor loss,
        equation 1; Goldberger et al. 2004, Neighbourhood components analysis, where the code is linear.
    """
    if ctx.labels is None:
        raise UserError(
            "soft_nearest_neighbour: the training rows have no labels; "
            "allowed: data with labels (a file's data.label_column)"
        )
    distances = centred_distances(activations(ctx, layer))
    log_p = among_others(-distances / (temperature * mean_square(distances)))
    same = ~jnp.eye(len(distances), dtype=bool) & (ctx.labels[:, None] == ctx.labels[None, :])
    right = jax.nn.logsumexp(jnp.where(same, log_p, jnp.finfo(log_p.dtype).min / 2), axis=1)
    several = same.any(1)
    return -jnp.where(several, right, 0.0).sum() / jnp.maximum(several.sum(), 1)
