"""The `optimizer` section of a config: any optimiser of optax, or a function of one's own, and the fields it takes."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, get_type_hints

from aejax.config import components
from aejax.config.bounds import Count, Finite, Fraction, Natural, NonNegative, Positive
from aejax.config.components import REQUIRED, Parameter
from aejax.errors import UserError, one_of

# What the numbers of optax's optimisers may be, by their names there.
BOUNDS = {
    "b1": Fraction,
    "b2": Fraction,
    "decay": Fraction,
    "eps": NonNegative,
    "eps_root": NonNegative,
    "initial_accumulator_value": NonNegative,
    "initial_scale": NonNegative,
    "memory_size": Count,
    "momentum": Fraction | None,
    "rho": Fraction,
    "threshold": NonNegative,
    "trust_coefficient": Positive,
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
    if not isinstance(name, str):
        raise one_of(name, available(), what="optimizer.name")
    module, _, last = name.rpartition(".")
    for functions in _in_optax(module):
        if last in functions:
            return functions[last]
    if is_of_optax(name):
        raise one_of(name, available(), what="optimizer.name")
    return components.imported(module, last, what="optimizer.name")


def is_of_optax(name: str) -> bool:
    """Whether a name is looked up in optax."""
    return name.rpartition(".")[0] in ("", "optax", "contrib", "optax.contrib")


def _in_optax(module: str) -> list[dict[str, Callable[..., Any]]]:
    """The functions that names of that module may mean: of optax, or of `optax.contrib`, or of one before the other."""
    import optax

    homes = {"": (optax, optax.contrib), "optax": (optax,)} | dict.fromkeys(
        ("contrib", "optax.contrib"), (optax.contrib,)
    )
    is_function = lambda member: inspect.isfunction(member) or isinstance(member, partial)
    return [
        {name: member for name, member in vars(home).items() if is_function(member) and not name.startswith("_")}
        for home in homes.get(module, ())
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
    hints = {} if is_of_optax(name) else _hints(function)
    own = {
        key: Parameter(annotation, argument.default)
        for key, argument in signature.items()
        if key not in ("learning_rate", "weight_decay", *MASKS)
        and argument.kind in (argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY)
        and (annotation := _annotation(key, argument, hints.get(key))) is not None
    }
    if needs_line_search(name):
        return own
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
    return shared | own


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # annotations of somebody else may name what is not there
        return {}


def _annotation(key: str, argument: inspect.Parameter, hint: Any) -> Any:
    """What an argument may be; None where it is nothing that a config can hold."""
    default = argument.default
    if components.is_literal(hint):
        return hint
    if key in BOUNDS and _fits(default, BOUNDS[key]):
        return BOUNDS[key]
    if type(default) is int and default < 1:
        return Natural if default == 0 else int
    if type(default) is tuple and default and all(type(item) is float for item in default):
        return tuple[Finite, ...]
    if default is REQUIRED and "float" in str(argument.annotation):
        return Finite
    return KINDS.get(type(default))


def _fits(default: Any, annotation: Any) -> bool:
    try:
        components.check(default, annotation, what="")
    except UserError:
        return False
    return True


def needs_line_search(name: str) -> bool:
    """Whether the optimiser evaluates the objective itself, on all rows."""
    return name in ("lbfgs", "optax.lbfgs")


def check_effective(given: Mapping[str, Any]) -> None:
    """Refuse what would be accepted and change nothing.

    Raises:
        UserError: Nesterov's look-ahead without momentum, or LARS, which divides by the gradient's norm, with clipping.
    """
    if given.get("nesterov") and "momentum" in given and not given["momentum"]:
        raise UserError("optimizer.nesterov: has no effect without optimizer.momentum; allowed: false, or a momentum")
    if given["name"] == "lars" and given["clip_norm"] is not None and given["trust_ratio_mask"] and not given["eps"]:
        raise UserError("optimizer.clip_norm: has no effect on lars, which divides by the norm; allowed: none")


def check_full_batch(name: str, batch_size: int | None) -> None:
    """Refuse mini-batches for an optimiser that searches along a line.

    Raises:
        UserError: L-BFGS with a batch size.
    """
    if needs_line_search(name) and batch_size is not None:
        raise UserError("train.batch_size: lbfgs needs all rows in each step; allowed: None")
