"""Terms that find clusters in the code, around the centres of a model such as `aejax.models.clustered.dense`.

`neighbours` draws together what is connected, `centres` places one centre in each part of that, and `joint` lets codes
and centres sharpen one another. The schedules `before` and `after` let the last one begin when the others are done.
"""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Positive
from aejax.losses.needs import extra
from aejax.losses.neighbours import drawn
from aejax.losses.pairs import squared_distances
from aejax.types import Context

BLUR = 0.03
ROUNDS = 20  # of Sinkhorn's iteration
FARTHEST, TINY = 60.0, 1e-12  # so that no exponential and no division leaves the range of float32


def neighbours(ctx: Context, *, relation: str = "walks") -> jax.Array:
    """(1/m) Σ_i −log [ e^{−‖h_i − g_i‖²/2} / Σ_j e^{−‖h_i − g_j‖²/2} ]: which of m codes is that of my neighbour?

    g_i is the code of one row that is drawn, each step anew, from those to which the relation connects row i. So a
    code comes near to those of its neighbours and, to tell them from other rows' neighbours, leaves the others.

    Args:
        ctx: `code` (m, d), `encode`, `rows`, `key`, and ``relations[relation]["index"]`` (m, draws), places of rows.
        relation: the name of the relation that holds the places.

    Returns:
        A scalar, nats per row; log m where all codes are the same.

    Raises:
        UserError: the config has no such relation, or it holds no places of rows.

    References:
        van den Oord, Li & Vinyals 2018, Representation learning with contrastive predictive coding, equation 4;
        Hinton & Roweis 2002, Stochastic neighbor embedding, for the kernel.
    """
    logits = -0.5 * squared_distances(ctx.code, ctx.encode(ctx.rows(drawn(ctx, relation))))
    return -jnp.diagonal(jax.nn.log_softmax(logits, axis=1)).mean()


def centres(ctx: Context, *, blur: Positive = BLUR) -> jax.Array:
    """(1/m) Σ_i Σ_j π_ij ‖h_i − c_j‖², where π gives each centre an equal share of the batch; the code is held still.

    It is the `transport_cost` of each set of centres, averaged over the sets. Each set settles on its own, and where it
    began far from its rows it is not left without any, as one of k-means may be.

    Args:
        ctx: `code` (m, d) and ``extra["centres"]`` (sets, k, d).
        blur: how soft the shares are, as a share of the mean squared distance.

    Returns:
        A scalar, squared units of the code, averaged over rows.

    Raises:
        UserError: the model has no centres.

    References:
        Genevay, Dulac-Arnold & Vert 2019, Differentiable deep clustering with cluster size constraints.
    """
    code = jax.lax.stop_gradient(ctx.code)
    return jax.vmap(lambda one: transport_cost(code, one, blur))(_centres(ctx, "centres")).mean()


def joint(ctx: Context) -> jax.Array:
    """(1/m) KL(P‖Q) = (1/m) Σ_i Σ_j p_ij log(p_ij / q_ij): soft assignments become those that are surer.

    q_ij ∝ (1 + ‖h_i − c_j‖²)⁻¹ over the centres j, and p_ij ∝ q_ij² / f_j with f_j = Σ_i q_ij over the batch, so that
    large clusters do not swallow small ones; P is held still. Averaged over the sets of centres. A reconstruction term
    beside it keeps the code from giving up all else.

    Args:
        ctx: `code` (m, d) and ``extra["centres"]`` (sets, k, d).

    Returns:
        A scalar, nats per row.

    Raises:
        UserError: the model has no centres.

    References:
        Xie, Girshick & Farhadi 2016, Unsupervised deep embedding for clustering analysis, equations 1 to 3; Guo et al.
        2017, Improved deep embedded clustering with local structure preservation, for the reconstruction.
    """

    def divergence(one: jax.Array) -> jax.Array:
        log_q = jax.nn.log_softmax(-jnp.log1p(squared_distances(ctx.code, one)), axis=1)
        log_p = 2.0 * log_q - jax.nn.logsumexp(log_q, axis=0)[None]
        log_p = jax.lax.stop_gradient(jax.nn.log_softmax(log_p, axis=1))
        return (jnp.exp(log_p) * (log_p - log_q)).sum(1).mean()

    return jax.vmap(divergence)(_centres(ctx, "joint")).mean()


def transport_cost(code: jax.Array, points: jax.Array, blur: jax.Array | float = BLUR) -> jax.Array:
    """(1/m) Σ_i Σ_j π_ij ‖h_i − c_j‖²: what it costs to bring codes to centres that each take as many.

    π minimises Σ_ij π_ij ‖h_i − c_j‖² − ε H(π) with Σ_j π_ij = 1 and Σ_i π_ij = m/k, by Sinkhorn's iteration; ε is
    `blur` times the mean squared distance. The gradient is that of the cost at this π.

    Args:
        code: (m, d).
        points: (k, d), the centres.
        blur: as a share of the mean squared distance.

    Returns:
        A scalar, squared units of the code.

    References:
        Cuturi 2013, Sinkhorn distances: lightspeed computation of optimal transport, algorithm 1.
    """
    cost = squared_distances(code, points)
    fixed = jax.lax.stop_gradient(cost)
    share = cost.shape[0] / cost.shape[1]
    beyond = (fixed - fixed.min(1, keepdims=True)) / (blur * jnp.maximum(fixed.mean(), TINY))
    kernel = jnp.exp(-jnp.minimum(beyond, FARTHEST))

    def balanced(_: int, scale: jax.Array) -> jax.Array:
        return share / ((1.0 / (kernel @ scale)) @ kernel)

    scale = jax.lax.fori_loop(0, ROUNDS, balanced, jnp.ones(cost.shape[1], cost.dtype))
    plan = kernel * scale[None]
    return (plan / plan.sum(1, keepdims=True) * cost).sum(1).mean()


def _centres(ctx: Context, term: str) -> jax.Array:
    return extra(ctx, "centres", term, "has no centres", "clustered.dense")
