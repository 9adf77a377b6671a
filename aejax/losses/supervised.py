"""Terms that know the labels of the training rows: codes of one class are to lie together."""

import jax
import jax.numpy as jnp

from aejax.bounds import Positive
from aejax.errors import UserError
from aejax.losses.sparsity import activations
from aejax.types import Context


def soft_nearest_neighbour(ctx: Context, *, temperature: Positive = 1.0, layer: str = "code") -> jax.Array:
    """−(1/m) Σ_i log [Σ_{j≠i, y_j=y_i} e^{−‖h_i−h_j‖²/T} / Σ_{k≠i} e^{−‖h_i−h_k‖²/T}], within the batch.

    Each row draws one of the others as its neighbour, sooner a near one, and takes over its class; the sum is the
    cross-entropy of that classifier, a smooth leave-one-out nearest neighbour that has no parameters of its own. Rows
    that are alone in their class cost nothing, and the mean is over the others.

    Args:
        ctx: `labels` (m,), and `hidden[layer]` of shape (m, units).
        temperature: T, in squared units of the activation: within about this squared distance rows are neighbours.
        layer: name of the activation.

    Returns:
        A scalar, nats for each row.

    Raises:
        UserError: the data have no labels.

    References:
        Frosst, Papernot & Hinton 2019, Analyzing and improving representations with the soft nearest neighbor loss,
        equation 1; Goldberger et al. 2004, Neighbourhood components analysis, equation 7 with a linear code.
    """
    if ctx.labels is None:
        raise UserError(
            "soft_nearest_neighbour: the training rows have no labels; "
            "allowed: data with labels (a file's data.label_column)"
        )
    values = activations(ctx, layer)
    values = values - values.mean(0, keepdims=True)  # distances stay, and lose less to rounding
    squares = jnp.square(values).sum(-1)
    distances = jnp.maximum(squares[:, None] + squares[None, :] - 2.0 * values @ values.T, 0.0)
    others = ~jnp.eye(len(values), dtype=bool)
    same = others & (ctx.labels[:, None] == ctx.labels[None, :])
    never = jnp.finfo(values.dtype).min
    weight = lambda who: jax.nn.logsumexp(jnp.where(who, -distances / temperature, never), axis=1)
    costs = jnp.where(same.any(1), weight(others) - weight(same), 0.0)
    return costs.sum() / jnp.maximum(same.any(1).sum(), 1)
