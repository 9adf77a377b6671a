"""A run in compiled chunks of steps, between which its caller may evaluate, save, draw or stop."""

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.errors import UserError
from aejax.training.context import Rows
from aejax.training.devices import agreed
from aejax.types import Hparams, Run, State

CAPACITY = 1000
CHUNK_SECONDS = 0.5
_CAUSES = "a division by 0, a logarithm or root of what is not above 0, or a number too large for float32"


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
        raise _stopped(first_step + first, f"{which} is not finite")
    if not _all_finite(params):
        last = first_step + len(history["loss"]) - 1
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
