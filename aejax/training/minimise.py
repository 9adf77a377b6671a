"""Minimising a loss of one's own by the training loop: for the small nets and searches that tasks need beside a run."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from aejax.optimizers import Optimizer
from aejax.training.compilation import quick_compile
from aejax.training.loop import Progress, loop, lowered, refusing
from aejax.training.step import looped
from aejax.types import Params, State


def minimise(
    loss: Callable[[Params, jax.Array, jax.Array, Any], jax.Array],
    params: Params,
    key: jax.Array,
    data: Any,
    optimizer: Optimizer,
    hparams: Mapping[str, Any],
    *,
    steps: int,
    project: Callable[[Params], Params] = lambda params: params,
    **options: Any,
) -> tuple[Params, Progress]:
    """Minimise ``loss(params, key, step, data)``, a scalar, and put the parameters through `project` after each step.

    Args:
        loss: what it needs of arrays comes in as `data`: closed over, they would be constants in the program.
        params: where to begin.
        key: for randomness, a function of it and the step.
        data: a tree of arrays.
        optimizer: from `aejax.optimizers.build`.
        hparams: of the optimiser.
        steps: how many, which its schedule is a share of.
        project: ``params -> params``.
        options: of `aejax.training.loop.loop`.

    Returns:
        The last parameters, and the progress.

    Raises:
        UserError: something is not finite.
    """

    def step(state: State, key: jax.Array, hparams: Any, data: Any) -> tuple[State, dict[str, jax.Array]]:
        params, opt_state, number = state
        value, grads = jax.value_and_grad(loss)(params, key, number, data)
        updates, opt_state = optimizer(hparams, number / steps).update(grads, opt_state, params)
        return State(project(jax.tree.map(jnp.add, params, updates)), opt_state, number + 1), {"loss": value}

    init = jax.jit(lambda params: optimizer(hparams, jnp.float32(0)).init(params))
    state = State(jax.tree.map(jnp.copy, params), init(params), jnp.int32(0))
    advance = lowered(looped(step, keys_of=lambda key: key), state, key, hparams, data)
    program = quick_compile(advance, None)  # once for equal shapes
    state, progress, _ = loop(refusing(program, key, hparams, data), state, steps=steps, **options)
    return state.params, progress
