"""Training: a run as two pure functions.

Everything static is closed over by `make_run`; everything numeric comes in through `hparams` and may be traced and
swept. Randomness is a function of (seed, step), so any way of cutting a run into chunks (`aejax.training.loop`) sees
the same batches.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from aejax.data.batches import batch_rows
from aejax.optimizers import Optimizer
from aejax.training.context import Rows, context, one_batch
from aejax.types import Context, Hparams, Model, Range, Run, State

History = dict[str, jax.Array]
"""By name, the loss and each term: of one step, or (steps,)."""

STREAMS = {"init": 0, "data": 1, "corruption": 2, "model": 3, "terms": 5}
EVALUATION_STREAM = 4
"""That of the run's evaluation, beside those of its training."""


def streams(key: jax.Array) -> dict[str, jax.Array]:
    """The keys of the named streams of randomness: those of `STREAMS`."""
    return {name: jax.random.fold_in(key, number) for name, number in STREAMS.items()}


def make_run(
    model: Model,
    objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]],
    corrupt: Callable[..., jax.Array],
    optimizer: Optimizer,
    *,
    steps: int,
    batch_size: int | None,
    data_range: Range,
    cut: Callable[[jax.Array], jax.Array] | None = None,
) -> Run:
    """A run as pure functions of its key, its hyperparameters and its data.

    Args:
        model: the autoencoder.
        objective: from `aejax.losses.compose`.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``.
        optimizer: from `aejax.optimizers.build`.
        steps: length of the whole run, which schedules are shares of.
        batch_size: rows in a step; None takes all of them, in order.
        data_range: `Dataset.range`.
        cut: ``places -> places``, of the rows of a batch, spread over devices, each of which then fetches its own rows;
            None on one device.

    Returns:
        ``Run(init, advance)``. ``advance(state, key, hparams, rows, n, capacity=None)`` does n steps as one loop: a
        `lax.scan` where n is a Python int; where n is traced, one program serves every n up to `capacity`, the length
        of the returned history ``{"loss": (capacity,), term: (capacity,)}``.
    """
    seen = _seen(model, corrupt, batch_size, data_range, cut)

    def loss_of(params: Any, step: jax.Array, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> tuple:
        return objective(seen(params, step, keys, hparams, rows), hparams["terms"], step / steps)

    def init(key: jax.Array, hparams: Hparams) -> State:
        params = model.init(streams(key)["init"])
        return State(params, optimizer(hparams["optimizer"], jnp.float32(0)).init(params), jnp.int32(0))

    @partial(jax.jit, inline=True)  # looked at three times (check, record, loop), so that it is traced once
    def step(state: State, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> tuple[State, History]:
        value_of = partial(loss_of, step=state.step, keys=keys, hparams=hparams, rows=rows)
        (loss, values), grads = jax.value_and_grad(value_of, has_aux=True)(state.params)
        rule = optax.with_extra_args_support(optimizer(hparams["optimizer"], state.step / steps))
        updates, opt_state = rule.update(
            grads, state.opt_state, state.params, value=loss, grad=grads, value_fn=lambda p: value_of(p)[0]
        )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1), {"loss": loss, **values}

    return Run(init, _looped(step))


def _seen(
    model: Model,
    corrupt: Callable[..., jax.Array],
    batch_size: int | None,
    data_range: Range,
    cut: Callable[[jax.Array], jax.Array] | None,
) -> Callable[..., Context]:
    """``(params, step, keys, hparams, rows) -> Context``: what the loss terms see at a step; see `make_run`."""

    def rows_of(step: jax.Array, keys: dict[str, jax.Array], rows: Rows) -> jax.Array | None:
        count = rows.x.shape[0]
        used = count if rows.used is None else rows.used
        index = None if batch_size is None else batch_rows(keys["data"], step, batch_size, used, count)
        return index if cut is None else cut(jnp.arange(count) if index is None else index)

    def seen(params: Any, step: jax.Array, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> Context:
        noise, inner, own = (jax.random.fold_in(keys[name], step) for name in ("corruption", "model", "terms"))
        randomness = (noise, inner, own, hparams, data_range)
        if rows.first is None:
            return context(model, corrupt, params, rows, rows_of(step, keys, rows), *randomness)
        ctx = context(model, corrupt, params, one_batch(rows, step), None, *randomness)
        return ctx._replace(index=None, rows=None)

    return seen


def _looped(step: Callable[..., tuple[State, History]]) -> Callable[..., tuple[State, History]]:
    """``advance`` of `make_run`: one step after the other, and the history of what each puts out."""

    def advance(
        state: State, key: jax.Array, hparams: Hparams, rows: Rows, n: int | jax.Array, capacity: int | None = None
    ) -> tuple[State, History]:
        keys = streams(key)
        _, record = jax.eval_shape(step, state, keys, hparams, rows)
        empty = {name: jnp.zeros((n if capacity is None else capacity,), v.dtype) for name, v in record.items()}

        def body(i: jax.Array, carry: tuple[State, History]) -> tuple[State, History]:
            state, history = carry
            state, values = step(state, keys, hparams, rows)
            return state, {name: history[name].at[i].set(value) for name, value in values.items()}

        return jax.lax.fori_loop(0, n, body, (state, empty))

    return advance


def train(run: Run, key: jax.Array, hparams: Hparams, rows: Rows, steps: int) -> tuple[State, History]:
    """A whole run as one program, to be jitted (`steps` static) and vmapped by the caller."""
    return run.advance(run.init(key, hparams), key, hparams, rows, steps)
