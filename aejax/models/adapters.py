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
from flax.traverse_util import flatten_dict

from aejax.errors import UserError
from aejax.models.activations import ACTIVATIONS
from aejax.models.assemble import apart, as_they_are, assemble, joined
from aejax.types import Model, Params

Activations = Mapping[str, jax.Array]


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
        return as_they_are(activations), dict(extra)

    model = assemble(
        feature_shape,
        code_size,
        init=init,
        encode=lambda params, x, key=None: (as_they_are({"code": encode(params, x)}), {}),
        decode=lambda params, code: as_they_are({"x_hat": decode(params, code)}),
        activations={"hidden": ACTIVATIONS["linear"]},  # nothing is known of where the values of a layer lie
        train=apply and train,
    )
    return model._replace(settle=settle, prior=prior)


class Pair(nn.Module):
    """Two modules as one with the methods `encode` and `decode`."""

    encoder: nn.Module
    decoder: nn.Module

    def encode(self, x: jax.Array, train: bool = False) -> jax.Array:
        """What the encoder makes of rows."""
        return _called(self.encoder, x, train)

    def decode(self, code: jax.Array, train: bool = False) -> jax.Array:
        """What the decoder makes of codes."""
        return _called(self.decoder, code, train)


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

    def both(module: nn.Module, x: jax.Array, train: bool = False) -> tuple[Any, jax.Array]:
        encoded = _called(module.encode, x, train)
        return encoded, _called(module.decode, _code_and_extra(encoded)[0], train)

    def init(key: jax.Array) -> Params:
        variables = dict(module.init(key, jnp.zeros((1, *feature_shape)), method=both))
        trained, _ = variables.pop("params", {}), variables.pop("intermediates", None)
        return joined(trained, variables or None)

    def run(params: Params, values: jax.Array, half: str) -> Any:
        trained, beside = apart(params)
        method = lambda module, values: _called(getattr(module, half), values, train=False)
        return module.apply({"params": trained, **(beside or {})}, values, method=method)

    def train(params: Params, x: jax.Array, key: jax.Array) -> tuple[Any, jax.Array, Activations, Any]:
        trained, beside = apart(params)
        rngs = dict(zip(("dropout", "params"), jax.random.split(key), strict=True))  # others are drawn from "params"
        options = {"rngs": rngs, "mutable": [*(beside or ()), "intermediates"], "method": both}
        (encoded, x_hat), changed = module.apply({"params": trained, **(beside or {})}, x, True, **options)
        return encoded, x_hat, _sown(changed.get("intermediates", {})), {name: changed[name] for name in beside or ()}

    return _adapted(feature_shape, init, run, train)


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

    if isinstance(make, nnx.Module) or not callable(make):
        name = type(make).__name__
        raise UserError(
            f"from_nnx: got a {name}; allowed: a class or function of rngs, as lambda rngs: {name}(…, rngs)"
        )
    parts = (nnx.Param, nnx.RngState, ...)
    module = nnx.eval_shape(lambda: make(nnx.Rngs(0)))
    if absent := [half for half in ("encode", "decode") if not callable(getattr(module, half, None))]:
        raise UserError(f"from_nnx: {type(module).__name__} has no method {absent[0]}; allowed: encode and decode")
    graph, *shapes = nnx.split(module, *parts)

    def init(key: jax.Array) -> Params:
        _, trained, _, others = nnx.split(make(nnx.Rngs(key)), *parts)
        return joined(nnx.to_pure_dict(trained), nnx.to_pure_dict(others) or None)

    def merged(params: Params, key: jax.Array) -> Any:
        trained, random, others = (jax.tree.map(lambda leaf: leaf, state) for state in shapes)  # copies
        for state, values in zip((trained, others), apart(params), strict=True):
            nnx.replace_by_pure_dict(state, values or {})
        return nnx.merge(graph, trained, _streams(random, key), others)

    def run(params: Params, values: jax.Array, half: str) -> Any:
        module = merged(params, jax.random.key(0))
        module.eval()
        return getattr(module, half)(values)

    def train(params: Params, x: jax.Array, key: jax.Array) -> tuple[Any, jax.Array, Activations, Any]:
        module = merged(params, key)
        module.train()
        encoded = module.encode(x)
        x_hat = module.decode(_code_and_extra(encoded)[0])
        return encoded, x_hat, {}, nnx.to_pure_dict(nnx.split(module, *parts)[3])

    return _adapted(feature_shape, init, run, train)


def _adapted(
    feature_shape: tuple[int, ...],
    init: Callable[[jax.Array], Params],
    run: Callable[[Params, jax.Array, str], Any],
    train: Callable[[Params, jax.Array, jax.Array], tuple[Any, jax.Array, Activations, Any]],
) -> Model:
    """A model of functions of rows and codes in the shapes of the module.

    `run` is that of a half, ``"encode"`` or ``"decode"``, outside training; `train` returns the code (and extra),
    x_hat, further activations, and the new values of ``params["kept"]``.
    """
    flat = lambda values: values.reshape(values.shape[0], -1)
    only_code = lambda params, x: _code_and_extra(run(params, x, "encode"))[0]
    shapes = jax.eval_shape(init, jax.random.key(0))
    code_shape = jax.eval_shape(only_code, shapes, jax.ShapeDtypeStruct((1, *feature_shape), jnp.float32)).shape[1:]
    keeps = "kept" in shapes

    def apply(params: Params, x_in: jax.Array, key: jax.Array) -> tuple[Activations, Mapping[str, Any]]:
        encoded, x_hat, hidden, changed = train(params, x_in.reshape(-1, *feature_shape), key)
        code, extra = _code_and_extra(encoded)
        return {**hidden, "code": flat(code), "x_hat": flat(x_hat)}, {**extra, "kept": changed} if keeps else extra

    return from_functions(
        init,
        lambda params, x: flat(only_code(params, x.reshape(-1, *feature_shape))),
        lambda params, code: flat(run(params, code.reshape(-1, *code_shape), "decode")),
        feature_shape=feature_shape,
        code_size=prod(code_shape),
        apply=apply,
        settle=(lambda params, extra, key: {**params, "kept": extra["kept"]}) if keeps else None,
    )


def _code_and_extra(result: Any) -> tuple[jax.Array, Mapping[str, jax.Array]]:
    return result if isinstance(result, tuple) else (result, {})


def _called(method: Callable[..., Any], values: jax.Array, train: bool) -> Any:
    """A method that is told whether this is the training pass, by those arguments that it has."""
    modes = {"train": train, "training": train, "deterministic": not train}
    takes = inspect.signature(method.__call__ if isinstance(method, nn.Module) else method).parameters
    return method(values, **{name: mode for name, mode in modes.items() if name in takes})


def _sown(tree: Mapping[str, Any]) -> dict[str, jax.Array]:
    """What was sown, by the last part of its name: Flax wraps each in a tuple, the latest value last."""
    return {path[-1]: values[-1] for path, values in flatten_dict(tree).items()}


def _streams(state: Any, key: jax.Array) -> Any:
    """The state of an NNX module's randomness as if it had just been made with a key."""
    leaves, structure = jax.tree.flatten(state)
    is_key = lambda leaf: jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    fresh = [
        jax.random.fold_in(key, number) if is_key(leaf) else jnp.zeros(leaf.shape, leaf.dtype)
        for number, leaf in enumerate(leaves)
    ]
    return jax.tree.unflatten(structure, fresh)
