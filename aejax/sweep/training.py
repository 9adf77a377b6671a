"""Training a block to the end: compiled chunks, and evaluations, early stopping and checkpoints between them."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import console
from aejax.storage import checkpoint
from aejax.sweep.journal import Journal, Outcome
from aejax.sweep.programs import GOING_ON, Carry, Program
from aejax.training.chunks import CAPACITY, CHUNK_SECONDS

Losses = Callable[[Any, float], np.ndarray]
"""``(params, progress) -> validation losses``: of all members, (members, ...) leaves -> (members,)."""

Prune = Callable[[int, Any, np.ndarray], np.ndarray]
"""``(step, params, going_on) -> which members to freeze``; leaves and arrays are (M, ...)."""


class StoppedSweepError(Exception):
    """The sweep was asked to stop; its folder holds all that was done."""


class Members:
    """How a block's (streams, settings) arrays and lists of its M members go into each other."""

    def __init__(self, places: np.ndarray) -> None:
        flat = places.reshape(-1)
        self.places, self.count = places, int(flat.max()) + 1
        self.first = np.array([np.flatnonzero(flat == member)[0] for member in range(self.count)])

    def of(self, tree: Any) -> Any:
        """Leaves (streams, settings, ...) as (M, ...) on the host."""
        return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[self.first], tree)

    def laid_out(self, values: np.ndarray) -> np.ndarray:
        """(M, ...) as (streams, settings, ...)."""
        return values[self.places]


def train_block(
    program: Program,
    members: Members,
    settings: Mapping[str, Any],
    names: Sequence[str],
    losses: Losses,
    *,
    folder: Path | None = None,
    asked: Callable[[], bool] = lambda: False,
    show: Callable[[int, float], None] = lambda step, loss: None,
    prune: Prune | None = None,
) -> tuple[list[Outcome], float]:
    """Train a block to the end, from where its folder's checkpoint is.

    Args:
        program: from `aejax.sweep.programs.compile_block`.
        members: the layout.
        settings: the config's `train` section.
        names: of the loss and its terms.
        losses: asked at every evaluation if the config stops early.
        folder: where checkpoints lie; None for none.
        asked: whether to stop now.
        show: takes the step and the median loss after each chunk.
        prune: asked at every evaluation but the last which members are not worth going on with; None for none.

    Returns:
        One outcome for each member, and the seconds spent training.

    Raises:
        StoppedSweepError: `asked` said so; where there is a folder the state is saved.
    """
    steps, patience, every = settings["steps"], settings["patience"], settings["evaluate_every"]
    carry, step, journal = _begin(program, members, names, patience, folder)
    stopped, chunk, spent = members.of(carry.stopped), 20, 0.0
    while step < steps and (stopped == GOING_ON).any():
        n = min(chunk, *(stop - step % stop for stop in (every, settings["checkpoint_every"])), steps - step)
        started = time.perf_counter()
        carry, history = program.advance(carry, step, n)
        history, stopped = members.of(history), members.of(carry.stopped)
        seconds = time.perf_counter() - started
        journal.add(history, step, n, stopped)
        step, spent = step + n, spent + seconds
        chunk = int(np.clip(n * CHUNK_SECONDS / seconds, chunk / 2, chunk * 4).clip(1, CAPACITY))
        show(step, float(np.median(history["loss"][:, n - 1])))
        if step % every == 0 or step == steps:
            journal.close()
            if patience is not None:
                params = members.of(carry.params)
                stopped = _stop_early(journal, params, stopped, step, step / steps, patience, losses)
                carry = carry._replace(stopped=program.place(members.laid_out(stopped)))
            if prune is not None and step < steps:
                hopeless = prune(step, members.of(carry.params), stopped == GOING_ON)
                journal.pruned = journal.pruned | hopeless
                stopped = np.where(hopeless, step, stopped).astype(np.int32)
                carry = carry._replace(stopped=program.place(members.laid_out(stopped)))
        wanted = asked() and step < steps
        if folder is not None and (wanted or step % settings["checkpoint_every"] == 0):
            checkpoint.save(folder, step, {"carry": jax.device_get(carry), "journal": vars(journal)}, keep=1)
        if wanted:
            raise StoppedSweepError
    journal.close()
    outcomes = journal.outcomes(members.of(carry.params), stopped, steps, early_stopping=patience is not None)
    return outcomes, spent


def _begin(
    program: Program, members: Members, names: Sequence[str], patience: int | None, folder: Path | None
) -> tuple[Carry, int, Journal]:
    carry = program.init()
    best = members.of(carry.params) if patience is not None else ()
    journal = Journal.fresh(members.count, names, best)
    like = {"carry": jax.device_get(carry), "journal": vars(journal)}
    found = None if folder is None else checkpoint.restore(folder, like, say=console.say)
    if found is None:
        return carry, 0, journal
    return program.place(found.tree["carry"]), found.step, Journal(**found.tree["journal"])


def _stop_early(
    journal: Journal, params: Any, stopped: np.ndarray, step: int, progress: float, patience: int, losses: Losses
) -> np.ndarray:
    """Judge the members that go on; where each is frozen now, (M,) int32."""
    going_on = stopped == GOING_ON
    found = losses(params, progress)
    return np.where(journal.judge(found, params, going_on, patience), step, stopped).astype(np.int32)
