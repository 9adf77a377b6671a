"""What terms on the pairs of a batch share: distances between its rows, and who is whose neighbour."""

import jax
import jax.numpy as jnp


def squared_distances(a: jax.Array, b: jax.Array) -> jax.Array:
    """‖a_i − b_j‖² of all pairs: (m, n), (k, n) -> (m, k)."""
    # ‖a‖² + ‖b‖² − 2 a·b, which needs no array of m × k × n
    return jnp.maximum(jnp.square(a).sum(-1)[:, None] + jnp.square(b).sum(-1)[None] - 2.0 * a @ b.T, 0.0)


def centred_distances(values: jax.Array) -> jax.Array:
    """‖v_i − v_j‖² of all pairs of rows, (m, m), from their mean on, so that less is lost to rounding."""
    values = values - values.mean(0, keepdims=True)
    return squared_distances(values, values)


def mean_square(distances: jax.Array) -> jax.Array:
    """The mean of squared distances over pairs of different rows; 1 where all of them are 0."""
    pairs = len(distances) * (len(distances) - 1)
    total = jnp.where(jnp.eye(len(distances), dtype=bool), 0.0, distances).sum()
    return jnp.where(total > 0, total / max(pairs, 1), 1.0)


def among_others(scores: jax.Array) -> jax.Array:
    """log p_ij, p_ij ∝ e^{s_ij} over j ≠ i: (m, m) -> (m, m); on the diagonal, very small instead of −∞."""
    never = jnp.finfo(scores.dtype).min / 2
    return jax.nn.log_softmax(jnp.where(jnp.eye(len(scores), dtype=bool), never, scores), axis=1)
