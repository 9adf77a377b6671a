"""Models from their parts: an encoder and a decoder that name what each of their layers puts out."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from math import prod
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.components import complete, parameters
from aejax.errors import UserError, shown
from aejax.models.activations import Activation
from aejax.types import Context, Model, Params

Outputs = dict[str, tuple[jax.Array, jax.Array]]
"""By name, what a layer puts out before and after its activation function, (m, ...) each."""

Extra = dict[str, jax.Array]
Sample = Callable[[Params, jax.Array | None, jax.Array], tuple[jax.Array, jax.Array, Extra]]


def as_they_are(values: Mapping[str, jax.Array]) -> Outputs:
    """Layers without an activation function."""
    return {name: (a, a) for name, a in values.items()}


def apart(params: Params) -> tuple[Params, Params | None]:
    """What an optimiser trains, and what lies beside it in ``params["kept"]``; None where nothing does."""
    if not isinstance(params, dict) or "kept" not in params:
        return params, None
    return {name: tree for name, tree in params.items() if name != "kept"}, params["kept"]


def joined(trained: Params, beside: Params | None) -> Params:
    """The inverse of `apart`."""
    return trained if beside is None else {**trained, "kept": beside}


def _shape_of_row(shape: Any) -> tuple[int, ...]:
    """A shape as a tuple.

    Raises:
        UserError: it is none of whole numbers above zero.
    """
    sizes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    if not sizes or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise UserError(f"feature_shape: expected the shape of a row, got {shown(shape)}; allowed: such as (64,)")
    return tuple(map(int, sizes))


def component(constructor: Callable[..., Model]) -> Callable[..., Model]:
    """A constructor whose models carry its name and arguments (`Model.made`)."""
    allowed = parameters(constructor)

    @wraps(constructor)
    def made(feature_shape: tuple[int, ...], **arguments: Any) -> Model:
        feature_shape = _shape_of_row(feature_shape)
        arguments = {key: value.item() if isinstance(value, np.generic) else value for key, value in arguments.items()}
        complete(arguments, allowed, what="model", name="model")
        model = constructor(feature_shape, **arguments)._replace(made=None)
        name = f"{constructor.__module__.rpartition('.')[2]}.{constructor.__name__}"
        pairs = ((key, tuple(value) if isinstance(value, list) else value) for key, value in arguments.items())
        return model._replace(made=(model, name, tuple(pairs)))

    return made


def assemble(
    feature_shape: tuple[int, ...],
    code_size: int,
    *,
    init: Callable[[jax.Array], Params],
    encode: Callable[..., tuple[Outputs, Extra]],
    decode: Callable[[Params, jax.Array], Outputs],
    activations: Mapping[str, Activation],
    train: Callable[[Params, jax.Array, jax.Array], tuple[Outputs, Extra]] | None = None,
) -> Model:
    """A model of an encoder and a decoder.

    Args:
        feature_shape: shape of one row.
        code_size: d, units of the code.
        init: ``key -> params``.
        encode: ``(params, x, key=None) -> (outputs, extra)``, outputs of the layers down to ``"code"``, and what the
            loss terms find in `Context.extra`; deterministic without a key, where extra is not looked at.
        decode: ``(params, code) -> outputs`` of the layers up to ``"x_hat"``, deterministic.
        activations: by the name of a layer; those without one have the one of ``"hidden"``.
        train: ``(params, x_in, key) -> (outputs of all layers, extra)``, the training pass; None where it is `encode`
            with the key and then `decode`.

    Returns:
        The model.
    """

    def in_turn(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Outputs, Extra]:
        below, extra = encode(params, x_in, key)
        return below | decode(params, below["code"][1]), extra

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        outputs, extra = (train or in_turn)(params, x_in, key)
        kinds = {name: activations.get(name) or activations["hidden"] for name in outputs}
        return Context(
            x=x,
            x_in=x_in,
            code=outputs["code"][1],
            x_hat=outputs["x_hat"][1],
            hidden={name: a for name, (_, a) in outputs.items() if name != "x_hat"},
            log_odds={name: z for name, (z, _) in outputs.items() if kinds[name].is_sigmoid},
            params=params,
            ranges={name: kind.range for name, kind in kinds.items()},
            extra=extra,
        )

    return Model(
        init=init,
        encode=lambda params, x: encode(params, x)[0]["code"][1],
        decode=lambda params, code: decode(params, code)["x_hat"][1],
        apply=apply,
        feature_shape=tuple(feature_shape),
        code_size=code_size,
    )


def halves(
    feature_shape: tuple[int, ...],
    code_size: int,
    encoder: nn.Module,
    decoder: nn.Module,
    activations: Mapping[str, Activation],
    *,
    sample: Sample | None = None,
    tied: Callable[[Params], Any] | None = None,
) -> Model:
    """A model of two Linen modules, with the parameters ``{"encoder": ..., "decoder": ...}``.

    Args:
        feature_shape: shape of one row.
        code_size: d, units of the code.
        encoder: rows (m, n) -> outputs of its layers, the last one ``"code"``.
        decoder: codes (m, d) -> outputs of its layers, the last one ``"x_hat"``.
        activations: as in `assemble`.
        sample: ``(params, key, z) -> (z, code, extra)``: the code of a training pass from what the layer ``"code"``
            puts out before its activation function, z; without a key the code outside training.
        tied: ``params -> another argument of the decoder``.

    Returns:
        The model.
    """
    more = lambda params: () if tied is None else (tied(params),)

    def init(key: jax.Array) -> Params:
        keys = jax.random.split(key)
        params = {"encoder": encoder.init(keys[0], jnp.zeros((1, prod(feature_shape))))["params"]}
        return params | {"decoder": decoder.init(keys[1], jnp.zeros((1, code_size)), *more(params))["params"]}

    def encode(params: Params, x: jax.Array, key: jax.Array | None = None) -> tuple[Outputs, Extra]:
        outputs = encoder.apply({"params": params["encoder"]}, x)
        if sample is None:
            return outputs, {}
        z, code, extra = sample(params, key, outputs["code"][0])
        return outputs | {"code": (z, code)}, extra

    decode = lambda params, code: decoder.apply({"params": params["decoder"]}, code, *more(params))
    return assemble(feature_shape, code_size, init=init, encode=encode, decode=decode, activations=activations)
