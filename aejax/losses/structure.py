"""Terms on how the code follows the data: how fast it moves, whether it keeps distances, and whether neighbours."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Positive
from aejax.losses import needs
from aejax.losses.pairs import among_others, centred_distances, mean_square
from aejax.types import Context


def contractive(ctx: Context) -> jax.Array:
    """(1/m) Σ_j ‖∂h(x⁽ʲ⁾)/∂x‖²_F, exactly.

    The code of a row is taken to depend on that row alone, so one pass backwards gives a unit's slopes at all rows, and
    one forwards those of all units along a feature: min(d, n) passes. Where both are large, `contractive_estimate`
    costs less.

    Args:
        ctx: `encode`, and `x` of shape (m, n), the clean rows.

    Returns:
        A scalar, squared units of the code per squared unit of the scaled data, averaged over rows.

    References:
        Rifai et al. 2011, Contractive auto-encoders, equations 1 and 7.
    """
    (rows, features), code_size = ctx.x.shape, ctx.code.shape[-1]
    if code_size <= features:
        _, pull = jax.vjp(ctx.encode, ctx.x)
        passes = jax.vmap(lambda unit: pull(jnp.broadcast_to(unit[None], (rows, code_size)))[0])
        return jnp.square(passes(jnp.eye(code_size, dtype=ctx.x.dtype))).sum() / rows
    push = lambda feature: jax.jvp(ctx.encode, (ctx.x,), (jnp.broadcast_to(feature[None], ctx.x.shape),))[1]
    return jnp.square(jax.vmap(push)(jnp.eye(features, dtype=ctx.x.dtype))).sum() / rows


def contractive_estimate(ctx: Context, *, samples: Count = 1) -> jax.Array:
    """(1/m) Σ_j (1/s) Σ_k ‖(∂h(x⁽ʲ⁾)/∂x)ᵀ v_jk‖², v_jk of random signs: unbiased for `contractive`.

    E[v vᵀ] = 1, so E‖Jᵀ v‖² = tr(J Jᵀ) = ‖J‖²_F. It takes s passes backwards whatever the size of the code.

    Args:
        ctx: `encode`, `key`, and `x` of shape (m, n), the clean rows.
        samples: s, draws for each row and step.

    Returns:
        A scalar, squared units of the code per squared unit of the scaled data, averaged over rows.

    References:
        Hutchinson 1990, A stochastic estimator of the trace of the influence matrix.
    """
    rows, code_size = ctx.x.shape[0], ctx.code.shape[-1]
    _, pull = jax.vjp(ctx.encode, ctx.x)
    signs = jax.random.rademacher(ctx.key, (samples, rows, code_size), ctx.x.dtype)
    return jnp.square(jax.vmap(lambda v: pull(v)[0])(signs)).sum() / (samples * rows)


def strain(ctx: Context, *, relation: str = "geodesics") -> jax.Array:
    """‖Z Zᵀ − B‖²_F / ‖B‖²_F with B = −½ H D² H: inner products of the code match those that distances imply.

    Z is the batch's code less its mean, D the distances within the batch and H = 1 − 11ᵀ/m the centring matrix. The
    minimum over all Z is classical scaling (Isomap, where D are geodesics), which has no other local minima; the
    differences of distances themselves (stress) have.

    Args:
        ctx: `code` (m, d), `index` (m,), and `relations[relation]["distance"]` (m, rows), from every row of the batch
            to all rows.
        relation: the name of the relation that holds the distances.

    Returns:
        A scalar without a unit: 0 where all inner products match, 1 where the code is constant.

    Raises:
        UserError: the config has no such relation, or it holds no distances.

    References:
        Tenenbaum, de Silva & Langford 2000, A global geometric framework for nonlinear dimensionality reduction.
    """
    lack = "distances; allowed: one such as graph.geodesics"
    squares = jnp.square(needs.relation(ctx, relation, "distance", "strain", lack)[:, ctx.index])
    centred = squares - squares.mean(0, keepdims=True)
    gram = -0.5 * (centred - centred.mean(1, keepdims=True))
    code = ctx.code - ctx.code.mean(0, keepdims=True)
    size = jnp.square(gram).sum()
    return jnp.square(code @ code.T - gram).sum() / jnp.where(size > 0, size, 1.0)  # 0: all rows are in one place


def stochastic_neighbours(ctx: Context, *, bandwidth: Positive = 0.01) -> jax.Array:
    """(1/m) Σ_i KL(P_i‖Q_i), P_ij ∝ e^{−‖x_i−x_j‖²/T} and Q_ij ∝ e^{−‖h_i−h_j‖²/T} over the other rows j of the batch.

    It is 0 where the code keeps all distances, and asks most for the small ones: what lies within about √T of a row is
    to lie there in the code, and nothing else is. It needs no labels and no search for neighbours.

    Args:
        ctx: `x` (m, n), the clean rows, and `code` (m, d).
        bandwidth: T as a share of the mean squared distance of two rows of the batch.

    Returns:
        A scalar, nats for each row.

    References:
        Hinton & Roweis 2002, Stochastic neighbor embedding, equations 1 to 4, with one bandwidth for rows and codes.
    """
    apart, coded = centred_distances(ctx.x), centred_distances(ctx.code)
    temperature = bandwidth * mean_square(apart)
    near, placed = among_others(-apart / temperature), among_others(-coded / temperature)
    others = ~jnp.eye(len(apart), dtype=bool)
    return jnp.where(others, jnp.exp(near) * (near - placed), 0.0).sum() / len(apart)
