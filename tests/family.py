"""A tiny family that uses every contract of a model: state beside what is trained, a prior, targets and passes again.

Named by import path (``family.linear``) in the tests of `test_contracts.py`; the folder of tests is on the path.
"""

from math import prod

import jax
import jax.numpy as jnp

from aejax.config.bounds import Count, Rate
from aejax.types import Context, Model, Params, Range


def linear(feature_shape: tuple[int, ...], *, code: Count = 3, decay: Rate = 0.9, targets: bool = False) -> Model:
    """x̂ = a D, a = x_in E + noise, the rows of D of length 1; keeps a moving mean of a, a count, and draws.

    With `targets`, x̂ has one value: a row's target.
    """
    n = prod(feature_shape)
    t = 1 if targets else n
    unit = lambda kernel: kernel / jnp.linalg.norm(kernel, axis=1, keepdims=True)

    def init(key: jax.Array) -> Params:
        one, two = jax.random.split(key)
        return {
            "encoder": {"kernel": 0.1 * jax.random.normal(one, (n, code))},
            "decoder": {"kernel": unit(jax.random.normal(two, (code, t)))},
            "kept": {"mean": jnp.zeros(code), "steps": jnp.zeros(()), "drawn": jnp.zeros(()), "kernel": jnp.ones(2)},
        }

    encode = lambda params, x: x @ params["encoder"]["kernel"] - params["kept"]["mean"][None]
    decode = lambda params, a: a @ params["decoder"]["kernel"]

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        clean = encode(params, x_in)
        a = clean + 0.1 * jax.random.normal(key, clean.shape)
        extra = {"mean": clean.mean(0)}
        return Context(
            x, x_in, a, decode(params, a), {"code": a}, {}, params, {"code": Range(), "x_hat": Range()}, extra=extra
        )

    def settle(params: Params, extra: dict[str, jax.Array], key: jax.Array) -> Params:
        old = params["kept"]
        kept = {
            "mean": decay * old["mean"] + (1 - decay) * extra["mean"],
            "steps": old["steps"] + 1,
            "drawn": old["drawn"] + jax.random.uniform(key),
            "kernel": old["kernel"],
        }
        return params | {"decoder": {"kernel": unit(params["decoder"]["kernel"])}, "kept": kept}

    def prior(params: Params, key: jax.Array, count: int) -> jax.Array:
        return params["kept"]["mean"][None] + jax.random.normal(key, (count, code))

    shape = (1,) if targets else None
    return Model(
        init, encode, decode, apply, tuple(feature_shape), code, settle=settle, prior=prior, target_shape=shape
    )


def bound(ctx: Context, *, draws: Count = 4) -> jax.Array:
    """−(1/m) Σ log (1/k) Σ_l exp(−½ ‖x − x̂_l‖²), over k passes again: it reads `again`, `decode` and `progress`."""
    again = jax.vmap(ctx.again)(jax.random.split(ctx.key, draws))
    errors = jnp.square(again.x - again.x_hat).sum(-1)
    level = jnp.square(ctx.decode(ctx.code) - ctx.x_hat).sum() * ctx.progress
    return -(jax.nn.logsumexp(-0.5 * errors, axis=0) - jnp.log(jnp.float32(draws))).mean() + level


def short(feature_shape: tuple[int, ...]) -> Model:
    """A model whose prior makes fewer codes than it is asked for."""
    model = linear(feature_shape)
    return model._replace(prior=lambda params, key, count: model.prior(params, key, count - 1))
