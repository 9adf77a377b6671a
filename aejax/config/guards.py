"""What can go wrong with parts that are not aejax's own, and with sizes, before a run begins: one line for each."""

import os
import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError, shown
from aejax.types import Model


def one_line(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A function whose exceptions become one line with their place, unless it is one of aejax's own.

    Args:
        function: that a config names.
        what: the field that named it.

    Returns:
        The function itself where it is defined in aejax.
    """
    if is_own(function):
        return function

    @wraps(function, updated=())
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except UserError as error:
            if str(error).startswith(what):
                raise
            raise UserError(f"{what}: {error}") from error
        except Exception as error:
            raise UserError(f"{what}: {_place(function, error)}{type(error).__name__}: {_first_line(error)}") from error

    return guarded


def is_own(function: Callable[..., Any]) -> bool:
    """Whether a function is defined in aejax itself, its experiments not counted."""
    home = getattr(function, "__module__", None) or ""
    return home.split(".")[0] == "aejax" and not home.startswith("aejax.experiments")


def _place(function: Callable[..., Any], error: Exception) -> str:
    """Where in the function's own file the exception came from: ``"my_terms.py:12: "``."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if code and frame.filename == code.co_filename]
    return f"{code.co_filename}:{lines[-1]}: " if lines else ""


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def model_or_raise(made: Any, name: str) -> Model:
    """The model that a function of that name made.

    Raises:
        UserError: it is no model.
    """
    if not isinstance(made, Model):
        raise UserError(f"model.name: {name} returned {shown(made)}; allowed: a function that returns an aejax Model")
    return made


def same_shape(corrupt: Callable[..., Any], name: str) -> Callable[..., jax.Array]:
    """A corruption that is refused, when it is traced, where it changes the shape of the rows or the kind of number."""

    def checked(key: jax.Array, x: jax.Array, **hyperparameters: Any) -> jax.Array:
        x_in = corrupt(key, x, **hyperparameters)
        given, wanted = form(x_in), form(x)
        if given != wanted:
            raise UserError(f"corruption.name: {name} makes {given} of {wanted}; allowed: the same shape and type")
        return x_in

    return checked


def scalar(term: Callable[..., Any], name: str) -> Callable[..., jax.Array]:
    """A loss term that is refused, when it is traced, where it is no single number."""

    def checked(*args: Any, **hyperparameters: Any) -> jax.Array:
        value = term(*args, **hyperparameters)
        number = isinstance(value, float | jax.Array | np.ndarray | np.generic)
        if not number or jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise UserError(f"terms.{name}: returned {form(value)}; allowed: one number, float32[]")
        return value

    return checked


def form(value: Any) -> str:
    """Type and shape of an array, as in ``float32[3,8]``; what is none as Python writes it."""
    try:
        return jax.typeof(value).str_short()
    except (TypeError, AttributeError, OverflowError):
        return shown(value)


def enough_memory(state: Any, devices: int = 1) -> None:
    """Refuse a run whose parameters cannot fit, before the machine grinds to a halt.

    Args:
        state: shapes of what a run keeps, `aejax.types.State`.
        devices: that share it.

    Raises:
        UserError: the parameters, their gradient and the optimiser's state need more than the machine has.
    """
    size = lambda tree: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
    needed, there = (size(state) + size(state.params)) // devices, _memory()
    if there and needed > there:
        raise UserError(
            f"model: its parameters, their gradient and the optimiser's state need {needed / 1e9:,.0f} GB and the "
            f"machine has {there / 1e9:,.0f} GB; allowed: fewer units"
        )


def _memory() -> int:
    """Bytes of the device, or of the machine where the device does not say; 0 where nobody does."""
    of_device = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    try:
        return of_device or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0
