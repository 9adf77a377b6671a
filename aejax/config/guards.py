"""One line for what goes wrong in terms and corruptions that somebody else wrote, and for runs that are too large."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError, raised, shown


def one_line(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A function whose exceptions become one line that says where they came from; those of aejax stay as they are.

    Args:
        function: that a config names.
        what: the field that named it.

    Returns:
        The function itself where it is defined in aejax.
    """
    if is_built_in(function):
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
            file = getattr(getattr(function, "__code__", None), "co_filename", "")
            raise UserError(f"{what}: {raised(error, file)}") from error

    return guarded


def is_built_in(function: Callable[..., Any]) -> bool:
    """Whether a function is defined in aejax itself, its experiments not counted."""
    module = getattr(function, "__module__", None) or ""
    return module.split(".")[0] == "aejax" and not module.startswith("aejax.experiments")


def same_shape(corrupt: Callable[..., Any], name: str) -> Callable[..., jax.Array]:
    """A corruption that is refused, when it is traced, where it changes the shape of the rows or the kind of number."""

    def checked(key: jax.Array, x: jax.Array, **hyperparameters: Any) -> jax.Array:
        x_in = corrupt(key, x, **hyperparameters)
        if form(x_in) != form(x):
            raise UserError(
                f"corruption.name: {name} makes {form(x_in)} of {form(x)}; allowed: the same shape and type"
            )
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
    needed, available = (size(state) + size(state.params)) // devices, _memory()
    if available and needed > available:
        raise UserError(
            f"model: its parameters, their gradient and the optimiser's state need {needed / 1e9:,.0f} GB and the "
            f"machine has {available / 1e9:,.0f} GB; allowed: fewer units"
        )


def _memory() -> int:
    """Bytes of the device, or of the machine where the device does not say; 0 where nobody does."""
    of_device = (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit", 0)
    try:
        return of_device or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 0
