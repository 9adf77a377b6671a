"""Terms on the parameters themselves."""

import jax
import jax.numpy as jnp

from aejax.types import Context


def weight_decay(ctx: Context) -> jax.Array:
    """½ Σ_l ‖W_l‖²_F over the kernels; biases are free.

    Args:
        ctx: `params`, any tree; its leaves named ``kernel`` count.

    Returns:
        A scalar, squared units of the weights.

    References:
        UFLDL tutorial, "Autoencoders and sparsity", the weight decay term (λ is this term's weight).
    """
    leaves = jax.tree_util.tree_leaves_with_path(ctx.params)
    kernels = [leaf for path, leaf in leaves if getattr(path[-1], "key", None) == "kernel"]
    return 0.5 * sum((jnp.square(kernel).sum() for kernel in kernels), start=jnp.float32(0.0))
