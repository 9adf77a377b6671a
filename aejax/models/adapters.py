"""Your own net as a model: from plain functions, Flax Linen modules, or a Flax NNX module.

Each returns an `aejax.types.Model` like any other. Dropout and other randomness act in the training pass, and not in
`encode` and `decode`. What a net carries along without training it, such as the running means of a batch normalisation,
lies in ``params["kept"]``: it is updated after every step, and saved, swept and applied with the parameters.
"""

import inspect
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from aejax.models.activations import ACTIVATIONS
from aejax.models.assemble import assemble
from aejax.types import Model, Params

Activations = Mapping[str, jax.Array]
LINEAR = {"hidden": ACTIVATIONS["linear"]}  # where nothing is known of where the values of a layer lie


def from_functions(
    init: Callable[[jax.Array], Params],
    encode: Callable[[Params, jax.Array], jax.Array],
    decode: Callable[[Params, jax.Array], jax.Array],
    *,
    feature_shape: tuple[int, ...],
    code_size: int,
    apply: Callable[[Params, jax.Array, jax.Array], tuple[Activations, Mapping[str, Any]]] | None = None,
    settle: Callable[[Params, Mapping[str, Any], jax.Array], Params] | None = None,
    prior: Callable[[Params, jax.Array, int], jax.Array] | None = None,
) -> Model:
    """A model of three pure functions.

    >>> import jax, jax.numpy as jnp
    >>> from aejax import models
    >>> model = models.from_functions(
    ...     lambda key: {"kernel": jax.random.normal(key, (12, 3))},
    ...     lambda params, x: x @ params["kernel"],
    ...     lambda params, code: code @ params["kernel"].T,
    ...     feature_shape=(12,),
    ...     code_size=3,
    ... )
    >>> model.encode(model.init(jax.random.key(0)), jnp.ones((5, 12))).shape
    (5, 3)

    Args:
        init: ``key -> params``.
        encode: ``(params, x) -> code``, (m, n) -> (m, d), deterministic.
        decode: ``(params, code) -> x_hat``, (m, d) -> (m, n), deterministic.
        feature_shape: shape of one row; n is its product.
        code_size: d, units of the code.
        apply: ``(params, x_in, key) -> (activations, extra)``, the training pass, where it is not `encode` and then
            `decode`: a dict with ``"code"``, ``"x_hat"`` and any other activations that loss terms are to find by name,
            and one of what else they are to find in `Context.extra`.
        settle: ``(params, extra, key) -> params`` after every update, see `aejax.types.Model`.
        prior: ``(params, key, count) -> codes``, where the model says itself where new codes come from.

    Returns:
        The model.
    """

    def train(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Any, Any]:
        activations, extra = apply(params, x_in, key)
        return {name: (values, values) for name, values in activations.items()}, dict(extra)

    twice = lambda name, values: {name: (values, values)}
    model = assemble(
        feature_shape,
        code_size,
        init=init,
        encode=lambda params, x: twice("code", encode(params, x)),
        decode=lambda params, code: twice("x_hat", decode(params, code)),
        activations=LINEAR,
        train=None if apply is None else train,
    )
    return model._replace(settle=settle, prior=prior)


class Pair(nn.Module):
    """Two modules as one with the methods `encode` and `decode`."""

    encoder: nn.Module
    decoder: nn.Module

    def encode(self, x: jax.Array, train: bool = False) -> jax.Array:
        """What the encoder makes of rows."""
        return self.encoder(x, **_mode(self.encoder.__call__, train))

    def decode(self, code: jax.Array, train: bool = False) -> jax.Array:
        """What the decoder makes of codes."""
        return self.decoder(code, **_mode(self.decoder.__call__, train))


def from_linen(encoder: nn.Module, decoder: nn.Module | None = None, *, feature_shape: tuple[int, ...]) -> Model:
    r"""A model of two Flax Linen modules, or of one with the methods ``encode`` and ``decode``.

    >>> import flax.linen as nn, jax
    >>> from aejax import models
    >>> encoder = nn.Sequential([nn.Dense(32), nn.relu, nn.Dense(4)])
    >>> decoder = nn.Sequential([nn.Dense(32), nn.relu, nn.Dense(20)])
    >>> model = models.from_linen(encoder, decoder, feature_shape=(20,))
    >>> model.code_size
    4

    The encoder gets rows of the shape of the data, (m, \*feature_shape); a code may have any shape and is laid flat.
    Where a module takes ``train`` or ``deterministic``, it is told whether this is the training pass, in which it may
    draw (``make_rng("dropout")``) and change its variables (``batch_stats``). What it sows as ``"intermediates"`` loss
    terms find by name as activations.

    Args:
        encoder: rows -> codes, or ``(codes, extra)`` with a dict of arrays for `Context.extra`; without a decoder the
            module of both methods.
        decoder: codes -> rows.
        feature_shape: shape of one row.

    Returns:
        The model.
    """
    module = encoder if decoder is None else Pair(encoder, decoder)

    def encoded(module: nn.Module, x: jax.Array, train: bool = False) -> jax.Array:
        return module.encode(x, **_mode(module.encode, train))

    def decoded(module: nn.Module, code: jax.Array, train: bool = False) -> jax.Array:
        return module.decode(code, **_mode(module.decode, train))

    def both(module: nn.Module, x: jax.Array, train: bool = False) -> tuple[Any, jax.Array]:
        code, extra = _code_and_extra(encoded(module, x, train))
        return (code, extra), decoded(module, code, train)

    def init(key: jax.Array) -> Params:
        variables = {**module.init(key, jnp.zeros((1, *feature_shape)), method=both)}
        variables.pop("intermediates", None)
        return _with_kept(variables.pop("params", {}), variables)

    def run(params: Params, values: jax.Array, method: Callable[..., Any], **more: Any) -> Any:
        trained, kept = _without_kept(params)
        return module.apply({"params": trained, **kept}, values, method=method, **more)

    def train(params: Params, x: jax.Array, key: jax.Array) -> tuple[Any, jax.Array, Activations, Any]:
        kept = _without_kept(params)[1]
        rngs = dict(zip(("dropout", "params"), jax.random.split(key), strict=True))  # others are drawn from "params"
        (code, x_hat), changed = run(params, x, both, train=True, rngs=rngs, mutable=[*kept, "intermediates"])
        return code, x_hat, _sown(changed.get("intermediates", {})), {name: changed[name] for name in kept}

    return _adapted(
        feature_shape, init, lambda params, x: run(params, x, encoded), lambda params, z: run(params, z, decoded), train
    )


def from_nnx(make: Callable[[Any], Any], *, feature_shape: tuple[int, ...]) -> Model:
    r"""A model of a Flax NNX module with the methods ``encode`` and ``decode``.

    >>> from flax import nnx
    >>> from aejax import models
    >>> class Net(nnx.Module):
    ...     def __init__(self, rngs):
    ...         self.down = nnx.Linear(20, 4, rngs=rngs)
    ...         self.up = nnx.Linear(4, 20, rngs=rngs)
    ...         self.dropout = nnx.Dropout(0.1, rngs=rngs)
    ...     def encode(self, x):
    ...         return self.dropout(self.down(x))
    ...     def decode(self, code):
    ...         return self.up(code)
    >>> model = models.from_nnx(Net, feature_shape=(20,))
    >>> model.code_size
    4

    It is in training mode (``module.train()``) in the training pass only. Its `nnx.Param` are trained; all other
    variables but those of its randomness are kept beside them (``nnx.BatchStat``).

    Args:
        make: ``rngs -> module``, a class or a function. `encode` gets rows (m, \*feature_shape) and returns codes, of
            any shape, which are laid flat, or ``(codes, extra)`` with a dict of arrays for `Context.extra`.
        feature_shape: shape of one row.

    Returns:
        The model.
    """
    from flax import nnx

    parts = (nnx.Param, nnx.RngState, ...)
    graph, *shapes = nnx.split(nnx.eval_shape(lambda: make(nnx.Rngs(0))), *parts)

    def init(key: jax.Array) -> Params:
        _, trained, _, kept = nnx.split(make(nnx.Rngs(key)), *parts)
        return _with_kept(nnx.to_pure_dict(trained), nnx.to_pure_dict(kept))

    def merged(params: Params, key: jax.Array) -> Any:
        trained, random, kept = (jax.tree.map(lambda leaf: leaf, state) for state in shapes)  # copies
        for state, values in zip((trained, kept), _without_kept(params), strict=True):
            nnx.replace_by_pure_dict(state, values)
        return nnx.merge(graph, trained, _streams(random, key), kept)

    def half(name: str) -> Callable[[Params, jax.Array], jax.Array]:
        def run(params: Params, values: jax.Array) -> jax.Array:
            module = merged(params, jax.random.key(0))
            module.eval()
            return getattr(module, name)(values)

        return run

    def train(params: Params, x: jax.Array, key: jax.Array) -> tuple[Any, jax.Array, Activations, Any]:
        module = merged(params, key)
        module.train()
        code, extra = _code_and_extra(module.encode(x))
        x_hat = module.decode(code)
        return (code, extra), x_hat, {}, nnx.to_pure_dict(nnx.split(module, *parts)[3])

    return _adapted(feature_shape, init, half("encode"), half("decode"), train)


def _adapted(
    feature_shape: tuple[int, ...],
    init: Callable[[jax.Array], Params],
    encode: Callable[[Params, jax.Array], jax.Array],
    decode: Callable[[Params, jax.Array], jax.Array],
    train: Callable[[Params, jax.Array, jax.Array], tuple[Any, jax.Array, Activations, Any]],
) -> Model:
    """A model of functions of rows and codes in the shapes of the module.

    `train` returns the code (and extra), x_hat, further activations, and the new values of ``params["kept"]``.
    """
    flat = lambda values: values.reshape(len(values), -1)
    only_code = lambda params, x: _code_and_extra(encode(params, x))[0]
    key = jax.eval_shape(lambda: jax.random.key(0))
    shapes = jax.eval_shape(init, key)
    code_shape = jax.eval_shape(only_code, shapes, jax.ShapeDtypeStruct((1, *feature_shape), jnp.float32)).shape[1:]
    keeps = isinstance(shapes, dict) and "kept" in shapes

    def apply(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Activations, Mapping[str, Any]]:
        result, x_hat, hidden, kept = train(params, x_in.reshape(-1, *feature_shape), key)
        code, extra = _code_and_extra(result)
        return {**hidden, "code": flat(code), "x_hat": flat(x_hat)}, {**extra, "kept": kept} if keeps else extra

    return from_functions(
        init,
        lambda params, x: flat(only_code(params, x.reshape(-1, *feature_shape))),
        lambda params, code: flat(decode(params, code.reshape(-1, *code_shape))),
        feature_shape=feature_shape,
        code_size=prod(code_shape),
        apply=apply,
        settle=(lambda params, extra, key: {**params, "kept": extra["kept"]}) if keeps else None,
    )


def _code_and_extra(result: Any) -> tuple[jax.Array, Mapping[str, jax.Array]]:
    return result if isinstance(result, tuple) else (result, {})


def _with_kept(trained: Mapping[str, Any], kept: Mapping[str, Any]) -> Params:
    return {**trained, "kept": dict(kept)} if kept else dict(trained)


def _without_kept(params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    return {name: tree for name, tree in params.items() if name != "kept"}, params.get("kept", {})


def _mode(method: Callable[..., Any], train: bool) -> dict[str, bool]:
    """How a method is told whether this is the training pass, by those arguments that it has."""
    values = {"train": train, "training": train, "deterministic": not train}
    return {name: value for name, value in values.items() if name in inspect.signature(method).parameters}


def _sown(tree: Any) -> dict[str, jax.Array]:
    """What was sown, by the last part of its name: Flax wraps each in a tuple, the latest value last."""
    if not isinstance(tree, Mapping):
        return {}
    sown = {name: values[-1] for name, values in tree.items() if isinstance(values, tuple)}
    for inner in tree.values():
        sown |= _sown(inner)
    return sown


def _streams(state: Any, key: jax.Array) -> Any:
    """The state of an NNX module's randomness as if it had just been made with a key."""
    leaves, structure = jax.tree.flatten(state)
    is_key = lambda leaf: jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    fresh = [
        jax.random.fold_in(key, number) if is_key(leaf) else jnp.zeros(leaf.shape, leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, fresh)
