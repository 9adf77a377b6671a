"""Training: a run as two pure functions, and `fit`, the same in compiled chunks.

Everything static is closed over by `make_run`; everything numeric comes in through `hparams` and may be traced and
swept. Randomness is a function of (seed, step), so any way of cutting a run into chunks sees the same batches.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from aejax.batches import batch_rows
from aejax.devices import agreed
from aejax.errors import UserError
from aejax.optimizers import Optimizer
from aejax.types import Context, Hparams, Model, Range, Run, State

STREAMS = {"init": 0, "data": 1, "corruption": 2, "model": 3, "terms": 5}  # 4 is the evaluation's


class Rows(NamedTuple):
    """Rows on the device, as stored, and the numbers that scale them inside the step.

    Attributes:
        x: (rows, n) uint8 or float32; an array, or what hands out rows of one, as `aejax.sparse.SparseRows` does.
        mask: (rows, n) bool or None.
        shift: (n,) or ().
        scale: (n,) or ().
        labels: (rows,) int32 or None.
        relations: by name, what is known of each row beforehand; leaves (rows, ...).
        used: how many rows there are, where others that are never drawn stand after them (`aejax.padding`); None where
            there are none of those.
        first: where the rows are streamed, the step of the first of the batches that `x`, (batches, batch_size, n),
            and `labels` hold; else None.
    """

    x: jax.Array
    mask: jax.Array | None
    shift: jax.Array
    scale: jax.Array
    labels: jax.Array | None = None
    relations: Mapping[str, Any] = {}
    used: jax.Array | None = None
    first: jax.Array | None = None


def scaled(rows: Rows, index: jax.Array | slice) -> tuple[jax.Array, jax.Array | None]:
    """The chosen rows as float32, (x − shift) · scale, and their mask."""
    shift, scale = jnp.atleast_2d(rows.shift), jnp.atleast_2d(rows.scale)
    x = (rows.x[index].astype(jnp.float32) - shift) * scale
    return x, None if rows.mask is None else rows.mask[index]


def one_batch(rows: Rows, step: jax.Array) -> Rows:
    """The batch of a step among those that are held of streamed rows."""
    place = step - rows.first
    return rows._replace(x=rows.x[place], labels=None if rows.labels is None else rows.labels[place])


def clean(rows: Rows, index: jax.Array) -> jax.Array:
    """The chosen rows, scaled: (k,) places -> (k, n)."""
    return scaled(rows, index)[0]


def shown(model: Model, x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """What a model gets to see of rows: NaN where a value is missing, if it takes that, else the column's mean."""
    return jnp.where(mask, x, jnp.nan) if model.takes_missing and mask is not None else x


def context(
    model: Model,
    corrupt: Callable[..., jax.Array],
    params: Any,
    rows: Rows,
    index: jax.Array | None,
    noise: jax.Array,
    inner: jax.Array,
    own: jax.Array,
    hparams: Hparams,
    data_range: Range,
) -> Context:
    """What the loss terms see of some rows.

    Args:
        model: the autoencoder.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``, of rows (m, *feature_shape).
        params: the model's parameters.
        rows: where the rows are taken from.
        index: (m,) which; None for all, in order.
        noise: key of the corruption.
        inner: key of the model's own randomness.
        own: key of the loss terms' randomness.
        hparams: the run's hyperparameters.
        data_range: `Dataset.range`.
    """
    chosen = slice(None) if index is None else index
    x, mask = scaled(rows, chosen)
    folded = shown(model, x, mask).reshape(-1, *model.feature_shape)  # some corruptions are of places in an image
    x_in = shown(model, corrupt(noise, folded, **hparams["corruption"]).reshape(x.shape), mask)
    ctx = model.apply(params, x, x_in, inner)
    return ctx._replace(
        ranges={**ctx.ranges, "x": data_range},
        mask=mask,
        index=jnp.arange(x.shape[0]) if index is None else index,
        labels=None if rows.labels is None else rows.labels[chosen],
        relations=jax.tree.map(lambda leaf: leaf[chosen], dict(rows.relations)),
        encode=partial(model.encode, params),
        rows=partial(clean, rows),
        key=own,
    )


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

    def rows_of(step: jax.Array, keys: dict[str, jax.Array], rows: Rows) -> jax.Array | None:
        count = rows.x.shape[0]
        used = count if rows.used is None else rows.used
        index = None if batch_size is None else batch_rows(keys["data"], step, batch_size, used, count)
        return index if cut is None else cut(jnp.arange(count) if index is None else index)

    def loss_of(params: Any, step: jax.Array, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows) -> tuple:
        noise, inner, own = (jax.random.fold_in(keys[name], step) for name in ("corruption", "model", "terms"))
        randomness = (noise, inner, own, hparams, data_range)
        if rows.first is None:
            ctx = context(model, corrupt, params, rows, rows_of(step, keys, rows), *randomness)
        else:
            ctx = context(model, corrupt, params, one_batch(rows, step), None, *randomness)
            ctx = ctx._replace(index=None, rows=None)
        return objective(ctx, hparams["terms"], step / steps)

    def init(key: jax.Array, hparams: Hparams) -> State:
        params = model.init(streams(key)["init"])
        return State(params, optimizer(hparams["optimizer"], jnp.float32(0)).init(params), jnp.int32(0))

    @partial(jax.jit, inline=True)  # looked at three times (check, record, loop), so that it is traced once
    def step(
        state: State, keys: dict[str, jax.Array], hparams: Hparams, rows: Rows
    ) -> tuple[State, dict[str, jax.Array]]:
        value_of = partial(loss_of, step=state.step, keys=keys, hparams=hparams, rows=rows)
        (loss, values), grads = jax.value_and_grad(value_of, has_aux=True)(state.params)
        rule = optax.with_extra_args_support(optimizer(hparams["optimizer"], state.step / steps))
        updates, opt_state = rule.update(
            grads, state.opt_state, state.params, value=loss, grad=grads, value_fn=lambda p: value_of(p)[0]
        )
        params = optax.apply_updates(state.params, updates)
        return State(params, opt_state, state.step + 1), {"loss": loss, **values}

    def advance(
        state: State,
        key: jax.Array,
        hparams: Hparams,
        rows: Rows,
        n: int | jax.Array,
        capacity: int | None = None,
    ) -> tuple[State, dict[str, jax.Array]]:
        keys = streams(key)
        _, record = jax.eval_shape(step, state, keys, hparams, rows)
        empty = {name: jnp.zeros((n if capacity is None else capacity,), v.dtype) for name, v in record.items()}

        def body(i: jax.Array, carry: tuple[State, dict[str, jax.Array]]) -> tuple[State, dict[str, jax.Array]]:
            state, history = carry
            state, values = step(state, keys, hparams, rows)
            return state, {name: history[name].at[i].set(value) for name, value in values.items()}

        return jax.lax.fori_loop(0, n, body, (state, empty))

    return Run(init, advance)


def train(run: Run, key: jax.Array, hparams: Hparams, rows: Rows, steps: int) -> tuple[State, dict[str, jax.Array]]:
    """A whole run as one program, to be jitted (`steps` static) and vmapped by the caller."""
    return run.advance(run.init(key, hparams), key, hparams, rows, steps)


CAPACITY = 1000
CHUNK_SECONDS = 0.5


class Chunk(NamedTuple):
    """A few steps of a run.

    Attributes:
        state: after them; valid until the next chunk is asked for.
        history: by name, one value for each step.
        seconds: that they took.
    """

    state: State
    history: dict[str, np.ndarray]
    seconds: float


def compile_advance(
    run: Run, state: State, key: jax.Array, hparams: Hparams, rows: Rows, shardings: Any = None
) -> Callable[..., Any]:
    """`run.advance` compiled for chunks of any length up to `CAPACITY`; it uses up the buffers of its state.

    Where a run has several devices, `shardings` are those of the state and of the history.
    """
    advance = jax.jit(partial(run.advance, capacity=CAPACITY), donate_argnums=0, out_shardings=shardings)
    return advance.lower(state, key, hparams, rows, jnp.int32(1)).compile()


def fit(
    advance: Callable[..., Any],
    state: State,
    key: jax.Array,
    hparams: Hparams,
    rows: Rows | Callable[[int], Rows],
    *,
    steps: int,
    stops: tuple[int, ...] = (),
) -> Iterator[Chunk]:
    """Train in compiled chunks; between them the caller may evaluate, save, draw or stop.

    All chunks are one program, so results do not depend on their lengths, which adapt to about half a second; where a
    run has several processes, the first one's clock counts.

    Args:
        advance: from `compile_advance`.
        state: where to begin; its buffers are used up.
        key: the run's key.
        hparams: the run's hyperparameters.
        rows: the training rows; or, where they are streamed, ``step -> rows`` with the batches up to the next stop.
        steps: the step to end at.
        stops: a chunk ends at every multiple of each of these.

    Yields:
        One chunk after the other.

    Raises:
        UserError: the loss or a parameter is not finite; the line names the step and the term.
    """
    done, chunk = int(state.step), 20
    while done < steps:
        n = agreed(min([chunk, steps - done, *(stop - done % stop for stop in stops)]))
        started = time.perf_counter()
        given = rows(done) if callable(rows) else rows
        state, history = advance(state, key, hparams, given, jnp.int32(n))
        history = {name: np.asarray(values)[:n] for name, values in history.items()}
        seconds = time.perf_counter() - started
        check_finite(history, done, state.params)
        done += n
        chunk = int(np.clip(n * CHUNK_SECONDS / seconds, chunk / 2, chunk * 2).clip(1, CAPACITY))
        yield Chunk(state, history, seconds)


def check_finite(history: Mapping[str, np.ndarray], first_step: int, params: Any) -> None:
    """Refuse a chunk in which something became infinite or not a number.

    Args:
        history: by name, the values of consecutive steps.
        first_step: the number of steps before the chunk.
        params: the parameters after it.

    Raises:
        UserError: naming the first such step and its terms.
    """
    bad = {name: np.flatnonzero(~np.isfinite(values)) for name, values in history.items()}
    first = min((int(places[0]) for places in bad.values() if places.size), default=None)
    if first is not None:
        terms = [n for n, places in bad.items() if n != "loss" and places.size and places[0] == first]
        which = ", ".join(f"term {name!r}" for name in terms) or "their weighted sum"
        raise UserError(
            f"training stopped at step {first_step + first}: {which} is not finite; "
            "try a smaller optimizer.learning_rate or a clip_norm"
        )
    if not _all_finite(params):
        last = first_step + len(history["loss"]) - 1
        raise UserError(
            f"training stopped at step {last}: the parameters are not finite after the gradient of the loss; "
            "try a smaller optimizer.learning_rate or a clip_norm"
        )


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    """Whether every number of a tree is finite, as one program: leaf by leaf each shape would compile its own."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
