"""The `optimizer` section of a config: any optimiser of optax, or a function of one's own, and the fields it takes."""

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from aejax.config import components
from aejax.config.bounds import Count, Finite, Fraction, Natural, NonNegative, Positive
from aejax.config.components import REQUIRED, Parameter
from aejax.errors import UserError, one_of

# What the numbers of optax's optimisers may be, by their names there.
BOUNDS = {
    **dict.fromkeys(("b1", "b2", "decay", "rho"), Fraction),
    **dict.fromkeys(("eps", "eps_root", "initial_accumulator_value", "initial_scale", "threshold"), NonNegative),
    **{"memory_size": Count, "momentum": Fraction | None, "trust_coefficient": Positive},
}
KINDS = {bool: bool, int: Count, float: Finite, str: str}
MASKS = ("weight_decay_mask", "mask")
"""Arguments that say which leaves an optimiser's own weight decay shrinks."""


def resolve(name: Any) -> Callable[..., Any]:
    """The function of that name, which returns an `optax.GradientTransformation`.

    Args:
        name: of a function of optax or `optax.contrib` (``"adam"``, ``"muon"``, ``"optax.contrib.muon"``), or any
            ``"package.module.function"``.

    Raises:
        UserError: there is no such function.
    """
    if isinstance(name, str):
        module, _, last = name.rpartition(".")
        for functions in _in_optax(module):
            if last in functions:
                return functions[last]
        if not is_of_optax(name):
            return components.imported(name, what="optimizer.name")
    raise one_of(name, available(), what="optimizer.name")


def is_of_optax(name: str) -> bool:
    """Whether a name is looked up in optax."""
    return name.rpartition(".")[0] in ("", "optax", "contrib", "optax.contrib")


def _in_optax(module: str) -> list[dict[str, Callable[..., Any]]]:
    """The functions that names of that module may mean: of optax, or of `optax.contrib`, or of one before the other."""
    import optax

    both = {"optax": optax, "contrib": optax.contrib}
    homes = [both[home] for home in (module.removeprefix("optax.").split() or both) if home in both]
    is_function = lambda member: inspect.isfunction(member) or isinstance(member, partial)
    return [
        {name: member for name, member in vars(home).items() if is_function(member) and not name.startswith("_")}
        for home in homes
    ]


def available() -> list[str]:
    """Optimisers of optax and `optax.contrib` that need no more than a learning rate."""
    names = []
    for prefix, functions in zip(("", "contrib."), _in_optax(""), strict=True):
        for name, function in functions.items():
            arguments = dict(inspect.signature(function).parameters)
            rate = None if name.startswith("scale_by") else arguments.pop("learning_rate", None)
            if rate is not None and all(argument.default is not REQUIRED for argument in arguments.values()):
                names.append(prefix + name)
    return sorted(names)


def parameters(name: Any) -> dict[str, Parameter]:
    """What a config may write beside `name` in `optimizer`.

    Args:
        name: see `resolve`.

    Returns:
        ``learning_rate`` (of a function without one, a factor of its updates; None: 1), ``clip_norm`` (None: no
        clipping), ``weight_decay`` (decoupled, on kernels; None: none), and the function's own arguments with its
        defaults: bools, whole numbers and words are static, floats may be swept. L-BFGS searches along a line and takes
        none of the three.

    Raises:
        UserError: no such function.
    """
    function = resolve(name)
    try:
        signature = inspect.signature(function).parameters
    except (ValueError, TypeError):
        raise UserError(f"optimizer.name: {name} has no signature; allowed: a function written in Python") from None
    hints = {} if is_of_optax(name) else components.hints_of(function)
    named = {
        key: Parameter(annotation, argument.default)
        for key, argument in signature.items()
        if key not in ("learning_rate", "weight_decay", *MASKS)
        and argument.kind in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY)
        and (annotation := _annotation(key, argument, hints.get(key))) is not None
    }
    if needs_line_search(name):
        return named
    rate, decay = (signature[key].default if key in signature else None for key in ("learning_rate", "weight_decay"))
    if "learning_rate" not in signature:
        learning_rate = Parameter(Positive | None, None)
    else:
        learning_rate = Parameter(Positive, rate if type(rate) is float else REQUIRED)
    shared = {
        "learning_rate": learning_rate,
        "clip_norm": Parameter(Positive | None, None),
        "weight_decay": Parameter(NonNegative | None, decay if type(decay) is float and decay else None),
    }
    return shared | named


def _annotation(key: str, argument: inspect.Parameter, hint: Any) -> Any:
    """What an argument may be; None where it is nothing that a config can hold."""
    default = argument.default
    if components.is_literal(hint):
        return hint
    if key in BOUNDS:
        with suppress(UserError):
            components.check(default, BOUNDS[key], what=key)
            return BOUNDS[key]
    if type(default) is int and default < 1:
        return Natural if default == 0 else int
    if type(default) is tuple and default and all(type(item) is float for item in default):
        return tuple[Finite, ...]
    if default is REQUIRED and "float" in str(argument.annotation):
        return Finite
    return KINDS.get(type(default))


def needs_line_search(name: str) -> bool:
    """Whether the optimiser evaluates the objective itself, on all rows."""
    return name in ("lbfgs", "optax.lbfgs")


def check(settings: Mapping[str, Any], batch_size: int | None) -> None:
    """Refuse a resolved optimiser of which something would have no effect, or that cannot do with mini-batches.

    Raises:
        UserError: Nesterov's look-ahead without momentum, LARS, which divides by the gradient's norm, with clipping, or
            L-BFGS with a batch size.
    """
    if settings.get("nesterov") and "momentum" in settings and not settings["momentum"]:
        raise UserError("optimizer.nesterov: has no effect without optimizer.momentum; allowed: false, or a momentum")
    clipped = settings.get("clip_norm") is not None
    if settings["name"] == "lars" and clipped and settings["trust_ratio_mask"] and not settings["eps"]:
        raise UserError("optimizer.clip_norm: has no effect on lars, which divides by the norm; allowed: none")
    if needs_line_search(settings["name"]) and batch_size is not None:
        raise UserError("train.batch_size: lbfgs needs all rows in each step; allowed: None")
