"""What a model that somebody else wrote is held to, before anything runs or is written."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.guards import form, is_built_in, one_line
from aejax.errors import UserError, shown
from aejax.types import Context, Model, Range

ROWS = 3  # that the model is traced with
FUNCTIONS = ("init", "encode", "decode", "apply")
OPTIONAL = ("settle", "prior")

Refuse = Callable[[str, Any, str], None]


def made(function: Callable[..., Any], name: str, feature_shape: tuple[int, ...], settings: Mapping[str, Any]) -> Model:
    """The model that a function makes; checked, if the function is not one of aejax.

    Args:
        function: ``(feature_shape, *, settings) -> Model``.
        name: of the function, for errors.
        feature_shape: of a row of the data.
        settings: its keyword arguments.

    Raises:
        UserError: it raises, or returns no model, or one that `checked` refuses.
    """
    model = one_line(function, "model")(feature_shape, **settings)
    if not isinstance(model, Model):
        raise UserError(f"model.name: {name} returned {shown(model)}; allowed: a function that returns an aejax Model")
    return model if is_built_in(function) else checked(model, name, feature_shape)


def checked(model: Model, name: str, feature_shape: tuple[int, ...]) -> Model:
    """The model, if its functions return what `aejax.types.Model` says; their exceptions become one line each.

    The functions are traced with a few rows; nothing is computed.

    Args:
        model: to check.
        name: of the model, for errors.
        feature_shape: of a row of the data.

    Raises:
        UserError: one of the functions raises, or returns other shapes or kinds of numbers.
    """
    refuse = partial(_refuse, name)
    if model.feature_shape != tuple(feature_shape):
        refuse("feature_shape is", model.feature_shape, str(tuple(feature_shape)))
    if type(model.code_size) is not int or model.code_size < 1:
        refuse("code_size is", model.code_size, "int >= 1")
    functions = {part: getattr(model, part) for part in FUNCTIONS}
    functions |= {part: getattr(model, part) for part in OPTIONAL if getattr(model, part) is not None}
    for part, function in functions.items():
        if not callable(function):
            refuse(f"{part} is", function, "a function")
    model = model._replace(**{part: one_line(function, f"{name}: {part}") for part, function in functions.items()})
    jax.eval_shape(partial(_check_functions, model, refuse), jax.random.key(0))
    return model


def _check_functions(model: Model, refuse: Refuse, key: jax.Array) -> None:
    """Rows through all functions, with a look at what each returns while it is traced."""
    n, d, t = prod(model.feature_shape), model.code_size, prod(model.target_shape or model.feature_shape)
    rows_key, init_key, apply_key, prior_key = jax.random.split(key, 4)
    x, target = jax.random.normal(rows_key, (ROWS, n)), jnp.zeros((ROWS, t))
    params = model.init(init_key)
    for leaf in jax.tree.leaves(params, is_leaf=lambda leaf: leaf is None):
        if not _is_float(leaf):
            refuse("init returned a tree with", leaf, "arrays of float32")
    code = model.encode(params, x)
    _check_rows(refuse, "encode returned", code, d)
    _check_rows(refuse, "decode returned", model.decode(params, code), t)
    _check_context(refuse, model.apply(params, target, x, apply_key), {"x": t, "x_in": n, "code": d, "x_hat": t})
    if model.prior is not None:
        _check_rows(refuse, "prior returned", model.prior(params, prior_key, ROWS), d)


def _check_context(refuse: Refuse, ctx: Any, widths: Mapping[str, int]) -> None:
    if not isinstance(ctx, Context):
        refuse("apply returned", ctx, "an aejax Context")
    whose = "apply returned a Context whose"
    for field, width in widths.items():
        _check_rows(refuse, f"{whose} {field} is", getattr(ctx, field), width)
    for field, required in {"hidden": "code", "log_odds": None, "ranges": "x_hat"}.items():
        mapping = getattr(ctx, field)
        if not isinstance(mapping, Mapping) or (required is not None and required not in mapping):
            refuse(f"{whose} {field} is", mapping, "a dict" if required is None else f"a dict that holds {required!r}")
        for name, value in mapping.items():
            if field == "ranges" and not isinstance(value, Range):
                refuse(f"{whose} range of {name!r} is", value, "an aejax Range")
            if field != "ranges" and np.shape(value)[:1] != (ROWS,):
                refuse(f"{whose} activation {name!r} is", value, f"float32[{ROWS},…]")


def _check_rows(refuse: Refuse, what: str, values: Any, width: int) -> None:
    if not _is_float(values) or values.shape != (ROWS, width):
        refuse(what, values, f"float32[{ROWS},{width}]")


def _is_float(values: Any) -> bool:
    return isinstance(values, jax.Array | np.ndarray) and jnp.issubdtype(values.dtype, jnp.floating)


def _refuse(name: str, what: str, value: Any, allowed: str) -> None:
    """Raise with the value: an array by its type and shape, anything else as Python writes it."""
    text = form(value) if isinstance(value, jax.Array | np.ndarray) else shown(value)
    rows = f" for {ROWS} rows" if f"[{ROWS}," in allowed else ""
    raise UserError(f"{name}: {what} {text}{rows}; allowed: {allowed}")
