"""What terms on the pairs of a batch share: distances between its rows, and who is whose neighbour."""

import jax
import jax.numpy as jnp


def squared_distances(values: jax.Array) -> jax.Array:
    """‖v_i − v_j‖² of all pairs: (m, n) -> (m, m)."""
    values = values - values.mean(0, keepdims=True)  # distances stay, and lose less to rounding
    squares = jnp.square(values).sum(-1)
    return jnp.maximum(squares[:, None] + squares[None, :] - 2.0 * values @ values.T, 0.0)


def mean_square(distances: jax.Array) -> jax.Array:
    """The mean of squared distances over pairs of different rows; 1 where all of them are 0."""
    pairs = len(distances) * (len(distances) - 1)
    total = jnp.where(jnp.eye(len(distances), dtype=bool), 0.0, distances).sum()
    return jnp.where(total > 0, total / max(pairs, 1), 1.0)


def among_others(scores: jax.Array) -> jax.Array:
    """log p_ij, p_ij ∝ e^{s_ij} over j ≠ i: (m, m) -> (m, m); on the diagonal, very small instead of −∞."""
    never = jnp.finfo(scores.dtype).min / 2
    return jax.nn.log_softmax(jnp.where(jnp.eye(len(scores), dtype=bool), never, scores), axis=1)
