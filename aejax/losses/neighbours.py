"""Terms that make the code keep who is near whom, where a relation says it: neighbours get like codes."""

from typing import Annotated

import jax
import jax.numpy as jnp

from aejax.config.bounds import Positive, Within
from aejax.losses import needs
from aejax.losses.needs import shares
from aejax.types import Context

Flip = Annotated[float, Within(0, 0.5, open_low=True, open_high=True)]


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
    bits, other = _signs(ctx, relation, "contrastive")
    logits = bits @ other.T / (bits.shape[1] * temperature)
    forth, back = (jnp.diagonal(jax.nn.log_softmax(logits, axis=axis)).mean() for axis in (1, 0))
    return -0.5 * (forth + back)


def same_code(ctx: Context, *, flip: Flip = 0.05, relation: str = "neighbours") -> jax.Array:
    """(1/m) Σ_i −log [ P(c_i = c(g_i)) / Σ_j P(c_i = c(g_j)) ]: a neighbour has the same code, and few others have it.

    Codes are drawn bit by bit with the chances h, and each bit is read wrongly with the chance ε, so that
    log P(c = c′) = Σ_k log ½(1 + (1 − 2ε)² b_k b′_k) for b = 2h − 1: a code is the same, or it is not. The least value
    has sure bits, and groups of equal size that neighbours do not leave. g_i belongs to one row that is drawn, each
    step anew, from the neighbours of row i.

    Args:
        ctx: `code` (m, d) in [0, 1], `encode`, `rows`, `key`, and ``relations[relation]["index"]`` (m, k), the places
            of each row's neighbours.
        flip: ε, which keeps a slope where bits are sure and wrong.
        relation: the name of the relation that holds the neighbours.

    Returns:
        A scalar, nats per row; log m where all codes are the same.

    Raises:
        UserError: the config has no such relation, it holds no places of rows, or the code is not in [0, 1].

    References:
        van den Oord, Li & Vinyals 2018, Representation learning with contrastive predictive coding, equation 4, with
        the probability of a common code as its score.
    """
    bits, other = _signs(ctx, relation, "same_code")
    agree = 0.5 * (1.0 + (1.0 - 2.0 * flip) ** 2 * bits[:, None] * other[None])
    logits = jnp.log(agree).sum(-1)
    return -jnp.diagonal(jax.nn.log_softmax(logits, axis=1)).mean()


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


def _signs(ctx: Context, relation: str, term: str) -> tuple[jax.Array, jax.Array]:
    """The rows' codes and those of a neighbour of each, moved to [−1, 1]."""
    bits = 2.0 * shares(ctx, "code", term) - 1.0
    return bits, 2.0 * ctx.encode(ctx.rows(drawn(ctx, relation))) - 1.0


def drawn(ctx: Context, relation: str) -> jax.Array:
    """The place of one neighbour of each row: (m,).

    Raises:
        UserError: the config has no such relation, or it holds no places of rows.
    """
    lack = "rows; allowed: nearest.cosine, graph.nearest, graph.walks"
    index = needs.relation(ctx, relation, "index", "neighbours", lack)
    rows, neighbours = index.shape
    return index[jnp.arange(rows), jax.random.randint(ctx.key, (rows,), 0, neighbours)]
