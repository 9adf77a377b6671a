"""Vector quantisation: the code is a few entries of a codebook that is a moving average, not trained by gradients."""

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, NonNegative, Rate
from aejax.models.activations import of_layers
from aejax.models.assemble import Extra, component
from aejax.models.dense import stacked
from aejax.types import Model, Params


@component
def quantized(
    feature_shape: tuple[int, ...],
    *,
    widths: tuple[Count, ...] = (128,),
    pieces: Count = 4,
    size: Count = 4,
    entries: Count = 64,
    decay: Rate = 0.99,
    least: NonNegative = 0.1,
    activation: str = "relu",
    output: str = "linear",
) -> Model:
    """Fully connected: the encoder's output z in pieces, each replaced by the nearest entry e of a codebook.

    The gradient passes as if e were z. After each step, of n_k pieces z that chose entry k: N_k ← γ N_k + (1 − γ) n_k,
    M_k ← γ M_k + (1 − γ) Σ z, e_k = M_k / N_k; an entry with N_k below a least one begins anew at a piece of the batch.

    Its named activations are ``encoder0``, …, ``code``, ``decoder0``, …; in a training pass ``extra`` holds ``before``,
    z, (m, d), ``uses``, n, (entries,), and ``total``, Σ z, (entries, size). The terms `commitment` and `perplexity` of
    `aejax.losses.quantization` read them.

    Args:
        feature_shape: shape of one row; images are flattened to n = prod(feature_shape) values.
        widths: units of the encoder's hidden layers; the decoder's are the mirror image.
        pieces: of a row's code, so that it has pieces · log₂(entries) bits.
        size: of an entry; the code has d = pieces · size units.
        entries: of the codebook, which all pieces share.
        decay: γ.
        least: pieces per step, in the moving average, below which an entry begins anew; 0 for never.
        activation: of the hidden layers.
        output: ``"linear"``, ``"sigmoid"`` or ``"tanh"``.

    Returns:
        The model.

    Raises:
        UserError: an activation that does not exist.

    References:
        van den Oord et al. 2017, Neural discrete representation learning, equations 1 and 2, and appendix A.1 (the
        moving averages, equations 6 to 8). Dhariwal et al. 2020, Jukebox, section 3 (random restarts).
    """
    d = pieces * size

    def quantize(params: Params, key: jax.Array | None, z: jax.Array) -> tuple[jax.Array, jax.Array, Extra]:
        points, centres = jax.lax.stop_gradient(z).reshape(-1, size), jax.lax.stop_gradient(params["kept"]["centres"])
        nearest = (jnp.square(centres).sum(-1)[None] - 2 * points @ centres.T).argmin(-1)
        code = z + (centres[nearest].reshape(z.shape) - jax.lax.stop_gradient(z))
        if key is None:
            return z, code, {}
        chosen = jax.nn.one_hot(nearest, entries)
        return z, code, {"before": z, "uses": chosen.sum(0), "total": chosen.T @ points}

    net = stacked(feature_shape, widths, d, None, of_layers(activation, "linear", output), sample=quantize)

    def init(key: jax.Array) -> Params:
        net_key, book_key = jax.random.split(key)
        centres = jax.random.normal(book_key, (entries, size))
        return net.init(net_key) | {"kept": {"centres": centres, "uses": jnp.ones(entries), "total": centres}}

    def settle(params: Params, extra: Extra, key: jax.Array) -> Params:
        uses, total = (decay * params["kept"][name] + (1 - decay) * extra[name] for name in ("uses", "total"))
        points = extra["before"].reshape(-1, size)
        fresh = points[jax.random.randint(key, (entries,), 0, len(points))]
        unused = uses < least
        uses, total = jnp.where(unused, 1.0, uses), jnp.where(unused[:, None], fresh, total)
        return params | {"kept": {"centres": total / uses[:, None], "uses": uses, "total": total}}

    return net._replace(init=init, settle=settle)
