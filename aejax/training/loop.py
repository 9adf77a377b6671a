"""The training loop: compiled chunks of steps, of one run or of M runs at once, and what happens between the chunks.

The loop writes nothing. Between chunks it calls what the caller handed to it: to record, to save, to stop.

    >>> import jax, jax.numpy as jnp
    >>> from aejax.training.loop import compile_advance, loop, refusing
    >>> from aejax.types import Run, State
    >>> def descend(state, key, hparams, rows, n, capacity):  # n steps down the slope of w²
    ...     history = {"loss": jnp.zeros(capacity)}
    ...     def step(i, carry):
    ...         (w, _, done), history = carry
    ...         return State(w - 0.1 * 2 * w, (), done + 1), {"loss": history["loss"].at[i].set(w**2)}
    ...     return jax.lax.fori_loop(0, n, step, (state, history))
    >>> run = Run(lambda key, hparams: State(jnp.float32(1), (), jnp.int32(0)), descend)
    >>> key, start = jax.random.key(0), run.init(None, {})
    >>> program = compile_advance(run, start, key, {}, None)
    >>> tell = lambda step, metrics, params: print(step, f"{metrics['train_loss']:.4f}")
    >>> _ = loop(refusing(program, key, {}, None), start, steps=20, evaluate_every=10, on_evaluation=tell)
    10 0.2746
    20 0.0032
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError
from aejax.training.compilation import program as program_of
from aejax.training.devices import agreed
from aejax.training.step import weights
from aejax.types import Hparams, Params, Rows, Run

CAPACITY = 1000
"""The most steps of a chunk."""
CHUNK_SECONDS = 0.5
GOING_ON = -1
FINISHED, EARLY, BROKEN, PRUNED = "finished", "stopped early", "not finite", "pruned"
_CAUSES = "a division by 0, a logarithm or root of what is not above 0, or a number too large for float32"

History = Mapping[str, np.ndarray]
"""By name, the loss and each term: (n,) of one run, (M, n) of M runs."""

Advance = Callable[[Any, int, int], tuple[Any, History, np.ndarray]]
"""``(state, step, n) -> (state, history, stopped)``: n steps from a step on, which use up the buffers of the state.

`stopped`, () or (M,) int32, is the step before which each run was frozen, `GOING_ON` of the others. The state has the
attributes `params` and `opt_state`, as `aejax.types.State` has."""


class Progress(NamedTuple):
    """What is known of a run beside its state; of M runs, each array has the shape (M,) and not ().

    Attributes:
        step: how many steps are done.
        stopped: int32, the step at which a run was frozen; `GOING_ON` while it is not.
        early: whether that was early stopping.
        pruned: whether the caller gave it up.
        sums: by name, float64 sums of the loss and its terms since the last evaluation.
        counts: steps that those are of.
        means: by name, means between the last two evaluations; nan before.
        lowest: validation loss so far.
        waited: evaluations since then.
        best: the parameters of the lowest validation loss; () without early stopping.
        seconds: spent in training.
    """

    step: int
    stopped: np.ndarray
    early: np.ndarray
    pruned: np.ndarray
    sums: Mapping[str, np.ndarray]
    counts: np.ndarray
    means: Mapping[str, np.ndarray]
    lowest: np.ndarray
    waited: np.ndarray
    best: Params = ()
    seconds: float = 0.0


class Outcome(NamedTuple):
    """What became of one run.

    Attributes:
        params: the parameters to keep.
        status: `FINISHED`, `EARLY`, `BROKEN` or `PRUNED`.
        step: steps that it trained; a run that broke was frozen as it was before the step of this number, from 0.
        means: the loss and each term, means over the steps before the last evaluation.
    """

    params: Params
    status: str
    step: int
    means: dict[str, float]


def begin(names: Sequence[str] = (), shape: tuple[int, ...] = (), best: Params = ()) -> Progress:
    """The progress of runs before their first step, in the structure that a checkpoint of it is read in.

    Args:
        names: of the loss and its terms.
        shape: () of one run, (M,) of M.
        best: the first parameters, in buffers of their own, where training is to stop early.
    """
    zeros, every = partial(np.zeros, shape), lambda value: {name: np.full(shape, value) for name in names}
    stopped, lowest = np.full(shape, GOING_ON, np.int32), np.full(shape, np.inf)
    frozen = {"stopped": stopped, "early": zeros(bool), "pruned": zeros(bool)}
    means = {"sums": every(0.0), "counts": zeros(np.int32), "means": every(np.nan)}
    return Progress(step=0, **frozen, **means, lowest=lowest, waited=zeros(np.int32), best=best)


def loop(
    advance: Advance,
    state: Any,
    *,
    steps: int,
    evaluate_every: int,
    progress: Progress | None = None,
    patience: int | None = None,
    measure: Callable[[Params, float], Mapping[str, Any]] = lambda params, share: {},
    prune: Callable[[int, Params, np.ndarray], np.ndarray] | None = None,
    freeze: Callable[[Any, np.ndarray], Any] = lambda state, stopped: state,
    on_chunk: Callable[[int, History, float], Any] | None = None,
    on_evaluation: Callable[[int, dict[str, Any], Params], Any] | None = None,
    save: Callable[[Any, Progress], Any] | None = None,
    save_every: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    stops: Sequence[int] = (),
) -> tuple[Any, Progress, bool]:
    """Train one run, or M at once, to the end, until each is frozen, or until `stop` says so.

    All chunks are one program, so results do not depend on their lengths, which adapt to about half a second from a
    single step on; where a run has several processes, the first one's clock counts.

    Args:
        advance: from `refusing`, `freezing`, or one's own; its state is used up.
        state: where to begin.
        steps: the step to end at.
        evaluate_every: steps between evaluations; there is one after the last step too.
        progress: of runs that are continued; from `begin` of M runs; None of one before its first step.
        patience: evaluations without a lower ``validation_loss`` after which a run stops; None for never.
        measure: ``(params, share of the steps) -> {"validation_loss": (), ...}``, asked at each evaluation.
        prune: ``(step, params, going on) -> bool``, which runs to give up, asked at each evaluation but the last.
        freeze: ``(state, stopped) -> state``, where a program has to be told which of its runs are frozen.
        on_chunk: ``(step, history, seconds)``, called after each chunk.
        on_evaluation: ``(step, metrics, params)``, the metrics being ``train_loss``, ``train_TERM`` (means since the
            last evaluation) and those of `measure`. `params` are those that `aejax.training.step.weights` tells, valid
            during the call.
        save: ``(state, progress)``, called after every `save_every` steps, after the last one, and when stopped.
        save_every: steps; None for the end alone.
        stop: asked after each chunk.
        stops: a chunk also ends at each multiple of these.

    Returns:
        The state, the progress, and whether training ended by itself.

    Raises:
        UserError: from `advance`, where something is not finite.
    """
    ends, chunk = [evaluate_every, *stops, *([save_every] if save_every else [])], 1
    progress = begin() if progress is None else progress
    while (step := progress.step) < steps and (progress.stopped == GOING_ON).any():
        n = agreed(min(chunk, steps - step, *(end - step % end for end in ends)))
        started = time.perf_counter()
        state, history, stopped = advance(state, step, n)
        seconds = time.perf_counter() - started
        progress = recorded(progress, history, stopped, seconds)
        step, chunk = progress.step, next_length(chunk, n, seconds)
        if on_chunk is not None:
            on_chunk(step, history, seconds)
        if step % evaluate_every == 0 or step == steps:
            progress = with_means(progress)
            metrics = {f"train_{name}": mean[()] for name, mean in progress.means.items()}
            params = weights(state)
            metrics |= measure(params, step / steps)
            if on_evaluation is not None:
                on_evaluation(step, metrics, params)
            if patience is not None:
                progress = judged(progress, metrics["validation_loss"], params, patience)
            if prune is not None and step < steps:
                progress = _given_up(progress, prune(step, params, progress.stopped == GOING_ON))
            state = freeze(state, progress.stopped)
        asked = stop()
        if save is not None and (asked or step == steps or (save_every is not None and step % save_every == 0)):
            save(state, progress)
        if asked and step < steps:
            return state, progress, False
    return state, with_means(progress), True


def next_length(chunk: int, n: int, seconds: float) -> int:
    """Steps of the next chunk, so that it takes half a second: n steps took `seconds`, and `chunk` were allowed."""
    return int(np.clip(n * CHUNK_SECONDS / seconds, chunk / 2, chunk * 4).clip(1, CAPACITY))


def recorded(progress: Progress, history: History, stopped: np.ndarray, seconds: float) -> Progress:
    """The progress after a chunk: of each run the steps before it was frozen count."""
    n = next(iter(history.values())).shape[-1]
    stopped = np.where(progress.stopped == GOING_ON, stopped, progress.stopped)
    counts = np.where(stopped == GOING_ON, n, np.clip(stopped - progress.step, 0, n))
    counted = np.arange(n) < counts[..., None]

    def total(name: str, values: np.ndarray) -> np.ndarray:
        # one after the other, so that the sum does not depend on where the chunks were cut
        before = np.broadcast_to(progress.sums.get(name, 0.0), counts.shape)
        values = np.where(counted, values, 0).astype(np.float64)
        return np.cumsum(np.concatenate([before[..., None], values], -1), -1)[..., -1]

    return progress._replace(
        step=progress.step + n,
        stopped=stopped,
        sums={name: total(name, values) for name, values in history.items()},
        counts=progress.counts + counts,
        seconds=progress.seconds + seconds,
    )


def with_means(progress: Progress) -> Progress:
    """The progress at an evaluation; the means of a run without a step since the last one stay."""
    counts, sums = progress.counts, progress.sums
    mean = lambda name, total: np.where(counts > 0, total / np.maximum(counts, 1), progress.means.get(name, np.nan))
    return progress._replace(
        means={name: mean(name, total) for name, total in sums.items()},
        sums={name: np.zeros_like(total) for name, total in sums.items()},
        counts=np.zeros_like(counts),
    )


def judged(progress: Progress, losses: Any, params: Params, patience: int) -> Progress:
    """Early stopping: keep the parameters of the lowest finite validation loss, freeze what has waited for long."""
    going_on = progress.stopped == GOING_ON
    better = going_on & np.isfinite(losses) & (losses < progress.lowest)
    waited = np.where(better, 0, progress.waited + going_on).astype(np.int32)
    enough = going_on & (waited >= patience)
    return progress._replace(
        lowest=np.where(better, losses, progress.lowest),
        waited=waited,
        best=_chosen(better, params, progress.best),
        early=progress.early | enough,
        stopped=np.where(enough, progress.step, progress.stopped).astype(np.int32),
    )


def _chosen(better: np.ndarray, params: Params, best: Params) -> Params:
    """The parameters that are better than those before: copied, since the next chunk uses up the state's buffers."""
    if better.ndim == 0 or not jax.tree.leaves(best):
        return jax.tree.map(jnp.copy, params) if better.any() else best
    wide = lambda leaf: better.reshape(better.shape + (1,) * (leaf.ndim - better.ndim))
    return jax.tree.map(lambda new, old: np.where(wide(new), np.asarray(new), old), params, best)


def _given_up(progress: Progress, hopeless: np.ndarray) -> Progress:
    stopped = np.where(hopeless, progress.step, progress.stopped).astype(np.int32)
    return progress._replace(pruned=progress.pruned | hopeless, stopped=stopped)


def outcome(progress: Progress, params: Params, steps: int, at: tuple[Any, ...] = ()) -> Outcome:
    """What became of one run, or of the one at the index `at`.

    The parameters are those of the lowest validation loss where there is one, else the last ones.
    """
    frozen = int(progress.stopped[at])
    broken = EARLY if progress.early[at] else PRUNED if progress.pruned[at] else BROKEN
    chosen = progress.best if np.isfinite(progress.lowest[at]) else params
    return Outcome(
        params=jax.tree.map(lambda leaf: np.asarray(leaf)[at], chosen),
        status=FINISHED if frozen == GOING_ON else broken,
        step=steps if frozen == GOING_ON else frozen,
        means={name: float(values[at]) for name, values in progress.means.items()},
    )


def lowered(
    advance: Callable[..., Any], state: Any, key: jax.Array, hparams: Hparams, rows: Any, shardings: Any = None
) -> Any:
    """`Run.advance` lowered for chunks of any length up to `CAPACITY`; it uses up the buffers of its state."""
    chunk = jax.jit(in_chunks(advance), donate_argnums=0, out_shardings=shardings)
    return chunk.lower(state, key, hparams, rows, jnp.int32(1))


def in_chunks(advance: Callable[..., Any]) -> Callable[..., Any]:
    """`Run.advance` of chunks of any length up to `CAPACITY`."""
    return partial(advance, capacity=CAPACITY)


def compile_advance(
    run: Run, state: Any, key: jax.Array, hparams: Hparams, rows: Rows, shardings: Any = None
) -> Callable[..., Any]:
    """`lowered` and compiled; where a run has several devices, `shardings` are those of the state and the history."""
    if shardings is not None:
        return lowered(run.advance, state, key, hparams, rows, shardings).compile()
    return program_of(run.advance, (state, key, hparams, rows, jnp.int32(1)), (in_chunks,), donate=(0,))


def refusing(
    program: Callable[..., Any], key: jax.Array, hparams: Hparams, rows: Rows | Callable[[int], Rows]
) -> Advance:
    """Chunks of a compiled program that are refused where something is not finite.

    Args:
        program: from `compile_advance`, or such a program over M runs.
        key: of the run, or (M,) keys.
        hparams: the hyperparameters.
        rows: the training rows; or, where they are streamed, ``step -> rows`` with the batches up to the next stop.

    Returns:
        The chunks; they raise `UserError` naming the first step at which something is not finite, and the term.
    """

    def advance(state: Any, step: int, n: int) -> tuple[Any, History, np.ndarray]:
        batches = rows(step) if callable(rows) else rows
        state, history = program(state, key, hparams, batches, jnp.int32(n))
        history = on_host(history, n)
        check_finite(history, step, state.params)
        return state, history, np.full(history["loss"].shape[:-1], GOING_ON, np.int32)

    return advance


def freezing(program: Callable[..., Any], key: jax.Array, hparams: Hparams, rows: Rows) -> Advance:
    """Chunks of a run's compiled program, the run being frozen before the first step that is not finite."""

    def advance(state: Any, step: int, n: int) -> tuple[Any, History, np.ndarray]:
        again = lambda done: program(jax.tree.map(jnp.copy, before), key, hparams, rows, jnp.int32(done))[0]
        before = jax.tree.map(jnp.copy, state)
        state, history = program(state, key, hparams, rows, jnp.int32(n))
        history = on_host(history, n)
        bad = np.flatnonzero(~np.all([np.isfinite(values) for values in history.values()], axis=0))
        if not len(bad) and _all_finite(state.params):
            return state, history, np.int32(GOING_ON)
        broken = int(bad[0]) if len(bad) else n - 1
        state = again(broken)
        if broken and not _all_finite(state.params):  # the step before it had broken them
            broken -= 1
            state = again(broken)
        return state, history, np.int32(step + broken)

    return advance


def on_host(history: Mapping[str, jax.Array], n: int) -> History:
    """The n steps that a chunk had, of histories (..., `CAPACITY`)."""
    return {name: np.asarray(values)[..., :n] for name, values in history.items()}


def check_finite(history: History, first_step: int, params: Params) -> None:
    """Refuse a chunk in which something became infinite or not a number.

    Args:
        history: by name, the values of consecutive steps, (n,) or (M, n).
        first_step: the number of steps before the chunk.
        params: the parameters after it.

    Raises:
        UserError: naming the first such step and its terms.
    """
    bad = {name: ~np.isfinite(values).reshape(-1, values.shape[-1]).all(0) for name, values in history.items()}
    first = min((int(steps.argmax()) for steps in bad.values() if steps.any()), default=None)
    if first is not None:
        terms = [name for name, steps in bad.items() if name != "loss" and steps[first]]
        which = ", ".join(f"term {name!r}" for name in terms) or "their weighted sum"
        raise _stopped(first_step + first, f"{which} is not finite")
    if not _all_finite(params):
        last = first_step + history["loss"].shape[-1] - 1
        raise _stopped(last, "the parameters are not finite after the gradient of the loss")


def _stopped(step: int, what: str) -> UserError:
    """Where training stopped and what may mend it: no optimiser has a part in what is wrong before its first update."""
    smaller = "try a smaller optimizer.learning_rate or a clip_norm"
    if step == 0:
        advice = f"on the first batch, before any update: look for {_CAUSES}"
        return UserError(f"training stopped at step {step}: {what} {advice}")
    if step == 1:  # the gradient of the first batch is seen in what follows it
        smaller += f", or look for {_CAUSES}, in the gradient"
    return UserError(f"training stopped at step {step}: {what}; {smaller}")


@jax.jit
def _all_finite(tree: Any) -> jax.Array:
    """Whether every number of a tree is finite, as one program: leaf by leaf each shape would compile its own."""
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
