"""Optimisers: a config's `optimizer` component -> an optax transformation whose numbers may be traced.

The chain is: clip the gradient's global norm, the optimiser's own direction, decoupled weight decay on the
kernels, times −learning_rate · schedule(progress).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from aejax.bounds import Count, Finite, Fraction, NonNegative, Positive
from aejax.components import REQUIRED, Parameter
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

Optimizer = Callable[[Mapping[str, Any], jax.Array], optax.GradientTransformationExtraArgs]


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


def build(name: str, static: Mapping[str, Any], schedule: Callable[..., jax.Array]) -> Optimizer:
    """An optimiser as a function of its hyperparameters.

    Args:
        name: one of `NAMES`.
        static: its arguments that are no floats.
        schedule: factor of the learning rate, ``(progress, **hyperparameters) -> scalar``.

    Returns:
        ``(hparams, progress) -> transformation``; the transformation's structure does not depend on the numbers, so
        it may be rebuilt inside a step from traced ones.
    """
    arguments = {key: value for key, value in static.items() if value is not None}
    if name == "lbfgs":
        return lambda hparams, progress: optax.lbfgs(**arguments, **hparams)
    extra = {"weight_decay": 0.0} if "weight_decay" in inspect.signature(getattr(optax, name)).parameters else {}

    def optimizer(hparams: Mapping[str, Any], progress: jax.Array) -> optax.GradientTransformationExtraArgs:
        own = {k: v for k, v in hparams.items() if k not in ("learning_rate", "clip_norm", "weight_decay", "schedule")}
        chain = [optax.clip_by_global_norm(hparams["clip_norm"])] if "clip_norm" in hparams else []
        # optax's aliases multiply by −learning_rate; with 1 what comes out is the bare direction, −d
        chain.append(getattr(optax, name)(learning_rate=1.0, **extra, **arguments, **own))
        if "weight_decay" in hparams:
            chain.append(optax.add_decayed_weights(-hparams["weight_decay"], mask=kernels))
        chain.append(optax.scale(hparams["learning_rate"] * schedule(progress, **hparams.get("schedule", {}))))
        return optax.chain(*chain)

    return optimizer


def kernels(params: Any) -> Any:
    """A tree of bools: True at the leaves named ``kernel``, which weight decay shrinks."""
    return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], "key", None) == "kernel", params)


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
