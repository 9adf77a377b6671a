"""A model that is not aejax's own, held against what `aejax.types.Model` says, before anything runs or is written."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.guards import form, one_line
from aejax.errors import UserError, shown
from aejax.types import Context, Model, Range

ROWS = 3  # that the model is traced with
FUNCTIONS = ("init", "encode", "decode", "apply")
OPTIONAL = ("settle", "prior")


def sound(model: Model, name: str, feature_shape: tuple[int, ...]) -> Model:
    """The model, its exceptions made one line each, once its four functions put out what they should when traced.

    Args:
        model: that the function of that name made.
        name: the function.
        feature_shape: of a row of the data.

    Raises:
        UserError: one of them raises, or returns other shapes or kinds of numbers.
    """
    refuse = partial(_refuse, name)
    if model.feature_shape != tuple(feature_shape):
        refuse("feature_shape is", shown(model.feature_shape), str(tuple(feature_shape)))
    if isinstance(model.code_size, bool) or not isinstance(model.code_size, int) or model.code_size < 1:
        refuse("code_size is", shown(model.code_size), "int >= 1")
    parts = [*FUNCTIONS, *(part for part in OPTIONAL if getattr(model, part) is not None)]
    for part in parts:
        if not callable(getattr(model, part)):
            refuse(f"{part} is", shown(getattr(model, part)), "a function")
    model = model._replace(**{part: one_line(getattr(model, part), f"{name}: {part}") for part in parts})
    jax.eval_shape(partial(_through, model, refuse), jax.random.key(0))
    return model


def _through(model: Model, refuse: Callable[[str, str, str], None], key: jax.Array) -> jax.Array:
    """Rows through all four functions, what each returns being looked at as it is traced."""
    n, d, t = prod(model.feature_shape), model.code_size, prod(model.target_shape or model.feature_shape)
    ahead, first, second, third = jax.random.split(key, 4)
    x, target = jax.random.normal(ahead, (ROWS, n)), jnp.zeros((ROWS, t))
    params = model.init(first)
    for leaf in jax.tree.leaves(params, is_leaf=lambda leaf: leaf is None):
        if not isinstance(leaf, jax.Array | np.ndarray) or not jnp.issubdtype(leaf.dtype, jnp.floating):
            refuse("init returned a tree with", _told(leaf), "arrays of float32")
    code = model.encode(params, x)
    _check_rows(refuse, "encode returned", code, d)
    _check_rows(refuse, "decode returned", model.decode(params, code), t)
    _check_context(refuse, model.apply(params, target, x, second), {"x": t, "x_in": n, "code": d, "x_hat": t})
    if model.prior is not None:
        _check_rows(refuse, "prior returned", model.prior(params, third, ROWS), d)
    return jnp.zeros(())


def _check_context(refuse: Callable[[str, str, str], None], ctx: Any, widths: Mapping[str, int]) -> None:
    if not isinstance(ctx, Context):
        refuse("apply returned", _told(ctx), "an aejax Context")
    for field, width in widths.items():
        _check_rows(refuse, f"apply returned a Context whose {field} is", getattr(ctx, field), width)
    for field, wanted in {"hidden": "code", "log_odds": None, "ranges": "x_hat"}.items():
        given = getattr(ctx, field)
        if not isinstance(given, Mapping) or (wanted is not None and wanted not in given):
            allowed = "a dict" if wanted is None else f"a dict that holds {wanted!r}"
            refuse(f"apply returned a Context whose {field} is", _told(given), allowed)
    for place, value in [*ctx.hidden.items(), *ctx.log_odds.items()]:
        if np.ndim(value) < 1 or np.shape(value)[0] != ROWS:
            refuse(f"apply returned a Context whose activation {place!r} is", _told(value), f"float32[{ROWS},…]")
    for place, value in ctx.ranges.items():
        if not isinstance(value, Range):
            refuse(f"apply returned a Context whose range of {place!r} is", _told(value), "an aejax Range")


def _check_rows(refuse: Callable[[str, str, str], None], what: str, given: Any, width: int) -> None:
    """Refuse what is no (rows, width) of floating-point numbers."""
    array = isinstance(given, jax.Array | np.ndarray)
    if not array or given.shape != (ROWS, width) or not jnp.issubdtype(given.dtype, jnp.floating):
        refuse(what, _told(given), f"float32[{ROWS},{width}]")


def _told(value: Any) -> str:
    """An array by its type and shape, anything else as Python writes it."""
    return form(value) if isinstance(value, jax.Array | np.ndarray) else shown(value)


def _refuse(name: str, what: str, given: str, allowed: str) -> None:
    asked = f" for {ROWS} rows" if f"[{ROWS}," in allowed else ""
    raise UserError(f"{name}: {what} {given}{asked}; allowed: {allowed}")
