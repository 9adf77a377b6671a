"""Terms that make the code keep who is near whom, where a relation says it: neighbours get like codes."""

import jax
import jax.numpy as jnp

from aejax.bounds import Positive
from aejax.errors import UserError, one_of
from aejax.types import Context


def contrastive(ctx: Context, *, temperature: Positive = 0.15, relation: str = "neighbours") -> jax.Array:
    """(1/m) Σ_i −log [ e^{s(b_i, g_i)/τ} / Σ_j e^{s(b_i, g_j)/τ} ]: among m codes, to find that of a neighbour.

    s(b, g) = b·g/d for b = 2h − 1, which is 1 − 2/d times the Hamming distance where h are bits, and g_i belongs to one
    row that is drawn, each step anew, from the neighbours of row i. The mean over both directions is taken: to find g_i
    among all g, and b_i among all b.

    Args:
        ctx: `code` (m, d) in [0, 1], `encode`, `rows`, `key`, and ``relations[relation]["index"]`` (m, k), the places
            of each row's neighbours.
        temperature: τ; the smaller, the more the nearest of the others count.
        relation: the name of the relation that holds the neighbours.

    Returns:
        A scalar, nats per row; log m where all codes are the same.

    Raises:
        UserError: the config has no such relation, it holds no places of rows, or the code is not in [0, 1].

    References:
        van den Oord, Li & Vinyals 2018, Representation learning with contrastive predictive coding, equation 4.
    """
    if not ctx.ranges["code"].within(0.0, 1.0):
        raise UserError(
            f"contrastive: the code lies in {ctx.ranges['code']}; "
            "allowed: a code in [0, 1], such as that of binary.noisy"
        )
    bits = 2.0 * ctx.code - 1.0
    other = 2.0 * ctx.encode(ctx.rows(drawn(ctx, relation))) - 1.0
    logits = bits @ other.T / (bits.shape[1] * temperature)
    forth, back = (jnp.diagonal(jax.nn.log_softmax(logits, axis=axis)).mean() for axis in (1, 0))
    return -0.5 * (forth + back)


def squared_error(ctx: Context, *, relation: str = "neighbours") -> jax.Array:
    """(1/m) Σ_i ½‖x̂_i − y_i‖², y_i one of the neighbours of row i, drawn each step anew: to rebuild their mean.

    Σ_k ½‖x̂ − y_k‖²/K is ½‖x̂ − ȳ‖² and what no x̂ can change, so in the mean over draws the gradient is that of the
    error towards the neighbours' mean ȳ.

    Args:
        ctx: `x_hat` (m, n), `rows`, `key`, and ``relations[relation]["index"]`` (m, k).
        relation: the name of the relation that holds the neighbours.

    Returns:
        A scalar, half the squared units of the scaled data, per row.

    Raises:
        UserError: the config has no such relation, or it holds no places of rows.
    """
    return 0.5 * jnp.square(ctx.x_hat - ctx.rows(drawn(ctx, relation))).sum(-1).mean()


def drawn(ctx: Context, relation: str) -> jax.Array:
    """The place of one neighbour of each row: (m,).

    Raises:
        UserError: the config has no such relation, or it holds no places of rows.
    """
    if relation not in ctx.relations:
        raise one_of(relation, ctx.relations, what="neighbours: relation")
    if "index" not in ctx.relations[relation]:
        raise UserError(f"neighbours: relation {relation!r} holds no neighbours; allowed: one such as nearest.cosine")
    index = ctx.relations[relation]["index"]
    rows, neighbours = index.shape
    return index[jnp.arange(rows), jax.random.randint(ctx.key, (rows,), 0, neighbours)]
