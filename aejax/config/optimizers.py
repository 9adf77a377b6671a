"""The `optimizer` section of a config: the optimisers that it may name, and their fields."""

import inspect
from collections.abc import Mapping
from typing import Any

from aejax.config.bounds import Count, Finite, Fraction, NonNegative, Positive
from aejax.config.components import REQUIRED, Parameter
from aejax.errors import UserError, one_of

# Those of optax whose only needed argument is the learning rate and which work step by step.
NAMES = (
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "amsgrad",
    "lamb",
    "lars",
    "lbfgs",
    "lion",
    "nadam",
    "nadamw",
    "novograd",
    "radam",
    "rmsprop",
    "sgd",
    "yogi",
)

# What the numbers of these optimisers may be, by their names in optax.
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


def parameters(name: Any) -> dict[str, Parameter]:
    """What a config may write beside `name` in `optimizer`.

    Args:
        name: an optax optimiser, one of `NAMES`.

    Returns:
        ``learning_rate``, ``clip_norm`` (None: no clipping), ``weight_decay`` (decoupled, on kernels; None: none), and
        the optimiser's own numbers, all with optax's defaults. L-BFGS searches along a line and takes none of the
        three.

    Raises:
        UserError: no such optimiser.
    """
    import optax

    if name not in NAMES:
        raise one_of(name, NAMES, what="optimizer.name")
    defaults = {key: given.default for key, given in inspect.signature(getattr(optax, name)).parameters.items()}
    own = {
        key: Parameter(_annotation(key, default), default)
        for key, default in defaults.items()
        if key not in ("learning_rate", "weight_decay", "weight_decay_mask") and _annotation(key, default) is not None
    }
    if name == "lbfgs":
        return own
    shared = {
        "learning_rate": Parameter(Positive, REQUIRED),
        "clip_norm": Parameter(Positive | None, None),
        "weight_decay": Parameter(NonNegative | None, defaults.get("weight_decay") or None),
    }
    return shared | own


def _annotation(key: str, default: Any) -> Any:
    """What an argument may be; None where it is nothing that a config can hold."""
    plain = {bool: bool, int: Count, float: Finite}
    return BOUNDS.get(key, plain.get(type(default)))


def needs_line_search(name: str) -> bool:
    """Whether the optimiser evaluates the objective itself, on all rows."""
    return name == "lbfgs"


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
