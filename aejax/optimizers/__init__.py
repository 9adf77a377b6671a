"""Optimisers: a config's `optimizer` component -> an optax transformation whose numbers may be traced.

The chain is: clip the gradient's global norm, the optimiser's own update at the rate
learning_rate · schedule(progress), decoupled weight decay on the kernels at the same rate.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

from aejax.config import guards
from aejax.config.optimizers import MASKS, needs_line_search, resolve
from aejax.errors import UserError, shown

Optimizer = Callable[[Mapping[str, Any], jax.Array], optax.GradientTransformationExtraArgs]
"""``(hparams, progress) -> transformation``; its structure does not depend on the numbers, so that it may be rebuilt
inside a step from traced ones."""

CHAINED = ("learning_rate", "clip_norm", "weight_decay", "schedule")
"""The numbers that the chain around an optimiser's function reads."""
NO_FACTOR = ("fromage", "rprop")
"""Those of optax in whose updates the learning rate is no factor."""


def build(name: str, static: Mapping[str, Any], schedule: Callable[..., jax.Array]) -> Optimizer:
    """An optimiser as a function of its hyperparameters.

    Where the learning rate is a factor of the updates, as in optax's own aliases, these are multiplied by it last; any
    other function gets ``learning_rate · schedule(progress)`` as its argument, and its own ``weight_decay``.

    Args:
        name: see `aejax.config.optimizers.resolve`.
        static: its arguments that are no floats.
        schedule: factor of the learning rate, ``(progress, **hyperparameters) -> scalar``.
    """
    function, arguments = resolve(name), {key: value for key, value in static.items() if value is not None}
    if needs_line_search(name):
        return lambda hparams, progress: optax.lbfgs(**arguments, **hparams)
    takes, make = inspect.signature(function).parameters, guards.one_line(function, "optimizer")
    short = name.removeprefix("optax.")
    if "learning_rate" in takes and getattr(optax, short, None) is function and short not in NO_FACTOR:
        # optax's aliases multiply by −learning_rate; with 1 what comes out is the bare direction, −d
        arguments |= {"learning_rate": 1.0} | ({"weight_decay": 0.0} if "weight_decay" in takes else {})
        takes = ()

    def optimizer(hparams: Mapping[str, Any], progress: jax.Array) -> optax.GradientTransformationExtraArgs:
        numbers = {name: value for name, value in hparams.items() if name not in CHAINED}
        rate, decay = schedule(progress, **hparams.get("schedule", {})), hparams.get("weight_decay")
        rate = hparams["learning_rate"] * rate if "learning_rate" in hparams else rate
        if "learning_rate" in takes:
            numbers["learning_rate"] = rate
        if "weight_decay" in takes:
            numbers["weight_decay"] = 0.0 if decay is None else decay
            numbers |= {name: kernels for name in MASKS if name in takes}
        chain = [optax.clip_by_global_norm(hparams["clip_norm"])] if "clip_norm" in hparams else []
        chain.append(transformation(make(**arguments, **numbers), name))
        if decay is not None and "weight_decay" not in takes:
            chain.append(optax.add_decayed_weights(-decay * (rate if "learning_rate" in takes else 1.0), mask=kernels))
        if "learning_rate" not in takes:
            chain.append(optax.scale(rate))
        return optax.chain(*chain)

    return optimizer


def transformation(made: Any, name: str) -> optax.GradientTransformation:
    """What a function of that name made as a transformation: one, or what has its methods, as `optax.MultiSteps`.

    Raises:
        UserError: it is something else.
    """
    if callable(getattr(made, "init", None)) and callable(getattr(made, "update", None)):
        kind = type(made) if isinstance(made, optax.GradientTransformation) else optax.GradientTransformationExtraArgs
        return kind(made.init, guards.one_line(made.update, "optimizer"))
    raise UserError(
        f"optimizer.name: {name} returned {shown(made)}; allowed: a function that returns an optax "
        "GradientTransformation"
    )


def as_optimizer(optimizer: Any) -> Optimizer:
    """An `Optimizer` of itself, or of any `optax.GradientTransformation`, whose numbers then are fixed."""
    allowed = "an optax.GradientTransformation, such as optax.adam(1e-3)"
    if callable(optimizer) and not hasattr(optimizer, "update"):
        if str(getattr(optimizer, "__module__", "")).startswith("optax."):
            raise UserError(f"optimizer: optax.{optimizer.__name__} was not called; allowed: {allowed}")
        return optimizer
    if not hasattr(optimizer, "update"):
        raise UserError(f"optimizer: got {shown(optimizer)}; allowed: {allowed}")
    fixed = transformation(optimizer, "optimizer")
    return lambda hparams, progress: fixed


def accumulated(optimizer: Optimizer, every: int) -> Optimizer:
    """An optimiser that updates after every so many steps, by the mean of their gradients (`optax.MultiSteps`)."""
    return lambda hparams, progress: transformation(optax.MultiSteps(optimizer(hparams, progress), every), "MultiSteps")


def kernels(params: Any) -> Any:
    """A tree of bools: True at the leaves named ``kernel``, which weight decay shrinks."""
    return jax.tree_util.tree_map_with_path(lambda path, _: getattr(path[-1], "key", None) == "kernel", params)
