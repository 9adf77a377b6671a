"""Minimising a loss of one's own by the training loop: for the small nets and searches that tasks need beside a run."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from aejax.optimizers import Optimizer
from aejax.training.compilation import quick_compile
from aejax.training.loop import CAPACITY, Progress, loop, refusing
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

    def advance(state: State, key: jax.Array, hparams: Any, data: Any, n: jax.Array, capacity: int) -> tuple:
        def step(i: jax.Array, carry: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
            (params, opt_state, number), history = carry
            value, grads = jax.value_and_grad(loss)(params, key, number, data)
            updates, opt_state = optimizer(hparams, number / steps).update(grads, opt_state, params)
            params = project(jax.tree.map(jnp.add, params, updates))
            return State(params, opt_state, number + 1), history.at[i].set(value)

        state, values = jax.lax.fori_loop(0, n, step, (state, jnp.zeros(capacity)))
        return state, {"loss": values}

    init = jax.jit(lambda params: optimizer(hparams, jnp.float32(0)).init(params))
    state = State(jax.tree.map(jnp.copy, params), init(params), jnp.int32(0))
    chunk = jax.jit(partial(advance, capacity=CAPACITY), donate_argnums=0)
    program = quick_compile(chunk.lower(state, key, hparams, data, jnp.int32(1)), None)  # once for equal shapes
    state, progress, _ = loop(refusing(program, key, hparams, data), state, steps=steps, **options)
    return state.params, progress
