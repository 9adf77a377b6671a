"""Optimisers: a config's `optimizer` component -> an optax transformation whose numbers may be traced.

The chain is: clip the gradient's global norm, the optimiser's own direction, decoupled weight decay on the
kernels, times −learning_rate · schedule(progress).
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import optax

Optimizer = Callable[[Mapping[str, Any], jax.Array], optax.GradientTransformationExtraArgs]


def build(name: str, static: Mapping[str, Any], schedule: Callable[..., jax.Array]) -> Optimizer:
    """An optimiser as a function of its hyperparameters.

    Args:
        name: one of `aejax.config.optimizers.NAMES`.
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
