"""Vector quantisation: the code is a few entries of a codebook that is a moving average, not trained by gradients."""

from math import prod

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, NonNegative, Rate
from aejax.models.activations import OUTPUTS, named
from aejax.models.assemble import Outputs, assemble, component
from aejax.models.dense import Stack, multilayer
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
    plain = multilayer(feature_shape, widths=widths, code=d, activation=activation, output=output)
    hidden = [f"{{}}{index}" for index in range(len(widths))]
    kinds = {
        "hidden": named(activation, what="model.activation"),
        "code": named("linear", what="code"),
        "x_hat": named(output, what="model.output", allowed=OUTPUTS),
    }
    between = (kinds["hidden"],) * len(widths)
    down = Stack((*(name.format("encoder") for name in hidden), "code"), (*widths, d), (*between, kinds["code"]))
    up = Stack(
        (*(name.format("decoder") for name in hidden), "x_hat"),
        (*reversed(widths), prod(feature_shape)),
        (*between, kinds["x_hat"]),
    )

    def init(key: jax.Array) -> Params:
        net_key, book_key = jax.random.split(key)
        centres = jax.random.normal(book_key, (entries, size))
        return plain.init(net_key) | {"kept": {"centres": centres, "uses": jnp.ones(entries), "total": centres}}

    def quantize(params: Params, x: jax.Array) -> tuple[Outputs, jax.Array, jax.Array]:
        outputs = down.apply({"params": params["encoder"]}, x)
        z = outputs["code"][0]
        points, centres = jax.lax.stop_gradient(z).reshape(-1, size), jax.lax.stop_gradient(params["kept"]["centres"])
        nearest = (jnp.square(centres).sum(-1)[None] - 2 * points @ centres.T).argmin(-1)
        code = z + (centres[nearest].reshape(z.shape) - jax.lax.stop_gradient(z))
        return outputs | {"code": (z, code)}, points, nearest

    decode = lambda params, code: up.apply({"params": params["decoder"]}, code)

    def train(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Outputs, dict[str, jax.Array]]:
        outputs, points, nearest = quantize(params, x_in)
        chosen = jax.nn.one_hot(nearest, entries)
        extra = {"before": outputs["code"][0], "uses": chosen.sum(0), "total": chosen.T @ points}
        return outputs | decode(params, outputs["code"][1]), extra

    def settle(params: Params, extra: dict[str, jax.Array], key: jax.Array) -> Params:
        uses, total = (decay * params["kept"][name] + (1 - decay) * extra[name] for name in ("uses", "total"))
        points = extra["before"].reshape(-1, size)
        fresh = points[jax.random.randint(key, (entries,), 0, len(points))]
        unused = uses < least
        uses, total = jnp.where(unused, 1.0, uses), jnp.where(unused[:, None], fresh, total)
        return params | {"kept": {"centres": total / uses[:, None], "uses": uses, "total": total}}

    encode = lambda params, x: quantize(params, x)[0]
    model = assemble(feature_shape, d, init=init, encode=encode, decode=decode, activations=kinds, train=train)
    return model._replace(settle=settle, decoder_layers=plain.decoder_layers)
