"""Members one after the other through the program that `aejax run` compiles: the same parameters, bit for bit."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError
from aejax.sweep.journal import Journal, Outcome
from aejax.sweep.programs import GOING_ON
from aejax.sweep.training import StoppedSweepError
from aejax.training import chunks
from aejax.training.chunks import CAPACITY
from aejax.training.context import Rows
from aejax.types import Hparams, Run, State


def train_member(
    advance: Callable[..., Any],
    init: Callable[..., State],
    key: jax.Array,
    hparams: Hparams,
    rows: Rows,
    settings: Mapping[str, Any],
    names: Sequence[str],
    losses: Callable[[Any, float], float],
    *,
    asked: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Train one member to the end, as `aejax.runs.training_loop.fit` does.

    Args:
        advance: from `aejax.training.chunks.compile_advance`.
        init: the run's, jitted.
        key: of the run.
        hparams: of the run.
        rows: the training rows.
        settings: the config's `train` section.
        names: of the loss and its terms.
        losses: ``(params, progress) -> validation loss``, asked at every evaluation if the config stops early.
        asked: whether to stop now.

    Raises:
        StoppedSweepError: `asked` said so.
    """
    steps, patience, every = settings["steps"], settings["patience"], settings["evaluate_every"]
    state, step, stopped = init(key, hparams), 0, np.array([GOING_ON], np.int32)
    one = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf)[None], tree)
    journal = Journal.fresh(1, names, one(state.params) if patience is not None else ())
    while step < steps and stopped[0] == GOING_ON:
        if asked():
            raise StoppedSweepError
        n = min(CAPACITY, every - step % every, steps - step)
        before = jax.tree.map(jnp.copy, state)
        state, history = advance(state, key, hparams, rows, jnp.int32(n))
        history = one(history)
        broken = first_broken({name: values[0, :n] for name, values in history.items()}, step, state.params)
        if broken is not None:
            state, _ = advance(before, key, hparams, rows, jnp.int32(broken - step))
            stopped = np.array([broken], np.int32)
        journal.add(history, step, n, stopped)
        step += n
        if step % every == 0 or step == steps:
            journal.close()
            if patience is not None and stopped[0] == GOING_ON:
                found = np.array([losses(state.params, step / steps)])
                enough = journal.judge(found, one(state.params), np.array([True]), patience)
                stopped = np.where(enough, step, stopped)
    journal.close()
    return journal.outcomes(one(state.params), stopped, steps, early_stopping=patience is not None)[0]


def first_broken(history: Mapping[str, np.ndarray], step: int, params: Any) -> int | None:
    """The first step that was not finite; None where all were."""
    try:
        chunks.check_finite(history, step, params)
    except UserError:
        bad = np.flatnonzero(~np.all([np.isfinite(values) for values in history.values()], axis=0))
        length = len(next(iter(history.values())))
        return step + (int(bad[0]) if len(bad) else length - 1)
    return None


def compile_members(run: Run, key: jax.Array, hparams: Hparams, rows: Rows) -> tuple[Any, Any, float]:
    """The jitted `init` and the compiled `advance` of a run, and the seconds that took."""
    started = time.perf_counter()
    init = jax.jit(run.init)
    advance = chunks.compile_advance(run, init(key, hparams), key, hparams, rows)
    return init, advance, time.perf_counter() - started
