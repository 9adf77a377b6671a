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

from aejax.data.batches import batch_rows, by_weight
from aejax.errors import UserError
from aejax.models.assemble import apart, joined
from aejax.optimizers import Optimizer, as_optimizer
from aejax.storage.trees import path_name
from aejax.training.context import Batch, Corruption, Forward, Keys, Objective, batch_of, context, streamed_batch
from aejax.types import Averaged, Hparams, Model, Params, Range, Rows, Run, State

History = dict[str, jax.Array]
"""By name, the loss and each term: of one step, or (steps,)."""

STREAMS = {"init": 0, "data": 1, "corruption": 2, "model": 3, "terms": 5, "settle": 6}
EVALUATION_STREAM = 4
"""That of the run's evaluation, beside those of its training."""


def streams(key: jax.Array) -> dict[str, jax.Array]:
    """The keys of the named streams of randomness: those of `STREAMS`."""
    return {name: jax.random.fold_in(key, number) for name, number in STREAMS.items()}


def make_run(
    model: Model,
    objective: Objective,
    corrupt: Corruption,
    optimizer: Optimizer | optax.GradientTransformation,
    *,
    steps: int,
    batch_size: int | None,
    data_range: Range,
    cut: Callable[[jax.Array], jax.Array] | None = None,
    average: float | None = None,
) -> Run:
    """A run as pure functions of its key, its hyperparameters and its data.

    Args:
        model: the autoencoder.
        objective: from `aejax.losses.compose`.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``.
        optimizer: from `aejax.optimizers.build`, or any `optax.GradientTransformation`.
        steps: length of the whole run, which schedules are shares of.
        batch_size: rows in a step; None takes all of them, in order.
        data_range: `Dataset.range`.
        cut: ``places -> places``, of the rows of a batch, spread over devices, each of which then fetches its own rows;
            None on one device.
        average: the decay δ of a moving average of the parameters, which `weights` then hands out: after step t it is
            δ_t average + (1 − δ_t) params with δ_t = min(δ, (1 + t) / (10 + t)), so that it soon forgets how it began;
            None for no average (Polyak & Juditsky 1992).

    Returns:
        ``Run(init, advance)``. ``advance(state, key, hparams, rows, n, capacity=None)`` does n steps as one loop: a
        `lax.scan` where n is a Python int; where n is traced, one program serves every n up to `capacity`, the length
        of the returned history ``{"loss": (capacity,), term: (capacity,)}``.
    """
    optimizer = as_optimizer(optimizer)
    forward = Forward(model, corrupt, data_range)

    def loss_of(params: Params, step: jax.Array, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> tuple:
        progress, at_step = step / steps, Keys(*(jax.random.fold_in(keys[name], step) for name in Keys._fields))
        batch = _batch(rows, step, keys["data"], batch_size, cut)
        ctx = context(forward, params, batch, at_step, hparams["corruption"], progress)
        loss, values = objective(ctx, hparams["terms"], ctx.progress)
        return loss, (values, {} if model.settle is None else dict(ctx.extra))

    def init(key: jax.Array, hparams: Hparams) -> State:
        params = model.init(streams(key)["init"])
        trained, _ = apart(params)
        opt_state = optimizer(hparams["optimizer"], jnp.float32(0)).init(trained)
        # a copy: the buffers of a state are used up one by one
        opt_state = opt_state if average is None else Averaged(opt_state, jax.tree.map(jnp.copy, trained))
        return State(params, opt_state, jnp.int32(0))

    @partial(jax.jit, inline=True)  # looked at three times (check, record, loop), so that it is traced once
    def step(state: State, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> tuple[State, History]:
        trained, beside = apart(state.params)
        value_of = lambda trained: loss_of(joined(trained, beside), state.step, keys, hparams, rows)
        (loss, (values, extra)), grads = jax.value_and_grad(value_of, has_aux=True)(trained)
        rule = optax.with_extra_args_support(optimizer(hparams["optimizer"], state.step / steps))
        before = state.opt_state if average is None else state.opt_state.opt_state
        updates, opt_state = rule.update(
            grads, before, trained, value=loss, grad=grads, value_fn=lambda p: value_of(p)[0]
        )
        params = joined(optax.apply_updates(trained, updates), beside)
        if model.settle is not None:
            params = _settled(model, params, extra, jax.random.fold_in(keys["settle"], state.step))
        if average is not None:
            decay = jnp.minimum(average, (1 + state.step) / (10 + state.step))
            mix = lambda old, new: decay * old + (1 - decay) * new
            opt_state = Averaged(opt_state, jax.tree.map(mix, state.opt_state.average, apart(params)[0]))
        return State(params, opt_state, state.step + 1), {"loss": loss, **values}

    return Run(init, looped(step))


def in_training(model: Model, *, precision: str | None = None, remat: bool = False) -> Model:
    """A model as its training step runs it; without options the model itself.

    Args:
        model: the autoencoder.
        precision: of the numbers that matrix products multiply, forward and backward; sums and parameters stay float32.
            ``"bfloat16"``, ``"tensorfloat32"`` or ``"float32"``; None for what the device does by itself. A device
            without such units computes in float32, as CPUs do.
        remat: whether activations are computed again for the gradient instead of being held (`jax.checkpoint`).
    """
    if precision is not None:
        form = {"bfloat16": "BF16_BF16_F32", "tensorfloat32": "TF32_TF32_F32", "float32": "highest"}[precision]
        functions = {name: _at_precision(getattr(model, name), form) for name in ("encode", "decode", "apply")}
        model = model._replace(**functions)
    return model._replace(apply=jax.checkpoint(model.apply)) if remat else model


def _at_precision(function: Callable[..., Any], form: str) -> Callable[..., Any]:
    def traced(*args: Any) -> Any:
        with jax.default_matmul_precision(form):
            return function(*args)

    return traced


def begun_with(state: State, params: Params) -> State:
    """A fresh state with other parameters, which averaged ones begin with too."""
    opt_state = state.opt_state
    if isinstance(opt_state, Averaged):
        opt_state = opt_state._replace(average=jax.tree.map(jnp.copy, apart(params)[0]))
    return state._replace(params=params, opt_state=opt_state)


def weights(state: State) -> Params:
    """The parameters that evaluation reads and a run saves: the averaged ones where it averages them.

    Args:
        state: or whatever has `params` and `opt_state`; leaves may have leading axes of members.
    """
    if not isinstance(state.opt_state, Averaged):
        return state.params
    return joined(state.opt_state.average, apart(state.params)[1])


def _settled(model: Model, params: Params, extra: dict[str, jax.Array], key: jax.Array) -> Params:
    """`Model.settle`, refused when it is traced where it changes shapes."""
    settled = model.settle(params, extra, key)
    before, after = (
        {(path_name(path), jnp.shape(x), jnp.result_type(x)) for path, x in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (params, settled)
    )
    if before != after:
        changed = ", ".join(sorted({name for name, *_ in before ^ after}))
        raise UserError(
            f"model: settle changes the shape or type of {changed}; allowed: arrays like those it was given"
        )
    return settled


def _batch(
    rows: Rows, step: jax.Array, key: jax.Array, batch_size: int | None, cut: Callable[[jax.Array], jax.Array] | None
) -> Batch:
    """The rows of a step: those that are streamed for it, or drawn ones."""
    if rows.first is not None:
        return streamed_batch(rows, step)
    count = rows.x.shape[0]
    used = count if rows.used is None else rows.used
    index = None if batch_size is None else batch_rows(key, step, batch_size, used, count)
    if rows.ends is not None:
        index = by_weight(jnp.arange(count) if index is None else index, step, rows.ends, used)
    return batch_of(rows, index if cut is None else cut(jnp.arange(count) if index is None else index))


def looped(
    step: Callable[..., tuple[State, History]], keys_of: Callable[[jax.Array], Any] = streams
) -> Callable[..., tuple[State, History]]:
    """``Run.advance`` of ``(state, keys_of(key), hparams, rows) -> (state, history)``: one step after the other."""

    def advance(
        state: State, key: jax.Array, hparams: Hparams, rows: Any, n: int | jax.Array, capacity: int | None = None
    ) -> tuple[State, History]:
        keys = keys_of(key)
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
