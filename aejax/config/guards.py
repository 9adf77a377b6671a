"""One line for what goes wrong in components that somebody else wrote, and for runs that are too large."""

import os
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import wraps
from inspect import isfunction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError, raised, shown
from aejax.types import Columns, Evaluation, Kept, Task


def guarded(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A function of somebody else, whose exceptions become one line; those that aejax itself means stay as they are.

    Args:
        function: of somebody else.
        what: it is, for errors.
    """

    @wraps(function, updated=())
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except (BrokenPipeError, MemoryError):
            raise
        except Exception as error:
            if type(error).__module__.split(".")[0] == "aejax":
                raise
            file = getattr(getattr(function, "__code__", None), "co_filename", "")
            raise UserError(f"{what}: {raised(error, file)}") from error

    return called


def one_line(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A component as `guarded` makes it, its own refusals with the field that named it.

    Args:
        function: that a config names.
        what: the field that named it.

    Returns:
        The function itself where it is defined in aejax.
    """
    if is_built_in(function):
        return function
    inner = guarded(function, what)

    @wraps(function, updated=())
    def named(*args: Any, **kwargs: Any) -> Any:
        try:
            return inner(*args, **kwargs)
        except UserError as error:
            if str(error).startswith(what):
                raise
            raise UserError(f"{what}: {error}") from error

    return named


def is_built_in(function: Callable[..., Any]) -> bool:
    """Whether a function is defined in aejax itself, its experiments not counted."""
    module = getattr(function, "__module__", None) or ""
    return module.split(".")[0] == "aejax" and not module.startswith("aejax.experiments")


def same_shape(corrupt: Callable[..., Any], what: str) -> Callable[..., Any]:
    """A corruption that is refused, when it is traced, where it changes the shape of the rows or the kind of number.

    One that returns a pair changes what is to be reconstructed, too; see `aejax.data.corrupt`.

    Args:
        corrupt: the corruption.
        what: it is, for errors.
    """

    def checked(key: jax.Array, x: jax.Array, **hyperparameters: Any) -> jax.Array | tuple[jax.Array, jax.Array]:
        made = corrupt(key, x, **hyperparameters)
        for each in made if isinstance(made, tuple) and len(made) == 2 else (made,):
            if form(each) != form(x):
                raise UserError(f"{what} makes {form(each)} of {form(x)}; allowed: the same shape and type")
        return made

    return checked


def scalar(function: Callable[..., Any], what: str) -> Callable[..., jax.Array]:
    """A loss term or schedule that is refused, when it is traced, where it is no single number."""

    def checked(*args: Any, **hyperparameters: Any) -> jax.Array:
        value = function(*args, **hyperparameters)
        number = isinstance(value, float | jax.Array | np.ndarray | np.generic)
        if not number or jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise UserError(f"{what}: returned {form(value)}; allowed: one number, float32[]")
        return value

    return checked


def task(of_others: Task, name: str) -> Task:
    """A task of somebody else, whose functions tell in one line what they raise, or return that they may not.

    Args:
        of_others: the task.
        name: of it, for errors.

    Raises:
        UserError: its options are no dataclass, or what it does is no function.
    """
    if not is_dataclass(of_others.options) and not isfunction(of_others.options):
        raise UserError(f"{name}: options is {shown(of_others.options)}; allowed: a frozen dataclass")
    for title in ("evaluate", "needs", "baselines", "members", "keep", "keep_needs", "sample"):
        function = getattr(of_others, title)
        if not callable(function) and (function is not None or title == "evaluate"):
            raise UserError(f"{name}: {title} is {shown(function)}; allowed: a function")

    def part(title: str, check: Callable[[Any, str], Any] = lambda value, what: value) -> Callable[..., Any] | None:
        owner, _, field = title.rpartition(".")
        function = getattr(getattr(of_others, owner) if owner else of_others, field)
        guard = function and guarded(function, f"{name}: {title}")
        return function and (lambda *parts, **named: check(guard(*parts, **named), f"{name}: {title}"))

    parts = {"evaluate": part("evaluate", _evaluation), "needs": part("needs"), "members": part("members")}
    parts["baselines"] = part("baselines", _numbers)
    parts |= {"keep": part("keep", _as_kept), "keep_needs": part("keep_needs"), "sample": part("sample")}
    parts["apply"] = {
        action: _action(guarded(function, f"{name}: apply {action}"), f"{name}: apply {action}")
        for action, function in of_others.apply.items()
    }
    if of_others.figures is not None:
        drawing = {"keep": part("figures.keep", _as_kept), "draw": part("figures.draw", _drawn)}
        parts["figures"] = of_others.figures._replace(**drawing)
    return of_others._replace(**parts)


def _evaluation(value: Any, what: str) -> Evaluation:
    if not isinstance(value, Evaluation):
        raise UserError(f"{what} returned {shown(value)}; allowed: an aejax Evaluation")
    metrics, baselines = (_numbers(getattr(value, field), what, f"{field}=") for field in ("metrics", "baselines"))
    if value.kept is not None:
        _as_kept(value.kept, what)
    return value._replace(metrics=metrics, baselines=baselines)


def _numbers(value: Any, what: str, field: str = "") -> dict[str, dict[str, Any]]:
    """Numbers by two names, as Python's own."""
    if not isinstance(value, Mapping) or not all(isinstance(numbers, Mapping) for numbers in value.values()):
        line = f"{what} returned {field}{shown(value)}"
        raise UserError(f"{line}; allowed: numbers by two names, as in {{'test': {{'mse': 0.1}}}}")
    for outer, numbers in value.items():
        for inner, number in numbers.items():
            if not isinstance(number, int | float | np.generic | np.ndarray | jax.Array) or np.ndim(number):
                raise UserError(f"{what} returned {field}… {outer}/{inner}: {form(number)}; allowed: one number")
    plain = lambda number: number.item() if hasattr(number, "item") else number
    return {outer: {inner: plain(each) for inner, each in numbers.items()} for outer, numbers in value.items()}


def _as_kept(value: Any, what: str) -> Kept:
    if not isinstance(value, Kept):
        raise UserError(f"{what} returned {shown(value)}; allowed: an aejax Kept, Kept(arrays, texts)")
    return value


def _drawn(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(hasattr(figure, "savefig") for figure in value.values()):
        raise UserError(f"{what} returned {shown(value)}; allowed: figures of matplotlib by name")
    return value


def _action(function: Callable[..., Any], what: str) -> Callable[..., Any]:
    """An action on new rows that returns as many values as there are rows."""

    def act(model: Any, params: Any, rows: Any, kept: Any) -> Any:
        out = function(model, params, rows, kept)
        columns = out.values if isinstance(out, Columns) else {"": out}
        for column in columns.values():
            if np.shape(column)[:1] != (len(rows.x),) or (isinstance(out, Columns) and np.ndim(column) != 1):
                line = f"{what} returned {form(column)} for {len(rows.x)} rows"
                raise UserError(f"{line}; allowed: one row for each, or Columns of one number for each")
        arrays = {name: np.asarray(column) for name, column in columns.items()}
        return out._replace(values=arrays) if isinstance(out, Columns) else arrays[""]

    return act


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
