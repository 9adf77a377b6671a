"""Training a config's own net again, many members as one program: ensembles, folds, and plain nets to compare with."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import config as configs
from aejax import console
from aejax.training import chunks
from aejax.training.build import Parts, build
from aejax.training.chunks import CAPACITY, CHUNK_SECONDS
from aejax.training.compilation import quick_compile
from aejax.training.context import Rows
from aejax.training.evaluate import on_device
from aejax.training.padding import few_shapes, stacked
from aejax.types import Dataset, Hparams, Range, Retrain, Run, State, Trained

BIG_LAYER = 20_000
"""Parameters above which a batch fills a processor core by itself: members take turns, and full optimisation pays."""


def likely_form(parameters: int) -> str:
    """The faster form of a program over members, from the size of a model: ``"vmap"`` or ``"map"``."""
    return "map" if jax.default_backend() == "cpu" and parameters > BIG_LAYER else "vmap"


def likely_level(parameters: int) -> int | None:
    """How much such a program is optimised: the `level` of `aejax.training.compilation.quick_compile`."""
    return None if parameters > BIG_LAYER else 1


def retrainer(config: Mapping[str, Any], dataset: Dataset) -> Retrain:
    """The function with which a task trains nets of a config again.

    Args:
        config: resolved, of the run that is evaluated.
        dataset: of the run.

    Returns:
        ``(keys, changes={}, datasets=None) -> Trained``: one member for each of the typed `keys`, all trained to the
        last step as one compiled program, without early stopping. `changes` are a variant's, dotted path -> value.
        `datasets` are one for each member, of equal feature shape, a batch being as many rows as the smallest has where
        these are fewer than `train.batch_size`; all members share the run's where it is left out, of a streamed one the
        training rows that are held in memory. Rows are padded to a few sizes, so that data of almost equal size are one
        program (`aejax.training.padding`). It raises `UserError` where the changed config does not fit the data or the
        loss of a member is not finite.
    """

    def retrain(
        keys: jax.Array, changes: Mapping[str, Any] | None = None, datasets: Sequence[Dataset] | None = None
    ) -> Trained:
        changed = configs.varied(config, changes or {})
        own = [dataset._replace(stream=None)] if datasets is None else _of_one_range(datasets)
        batch_size = changed["train"]["batch_size"]
        if datasets is not None and batch_size is not None:  # a fold may have fewer rows than a batch of the run
            changed["train"]["batch_size"] = min(batch_size, *(len(each.train.x) for each in own))
        parts = build(changed, own[0])
        batch_size, rows = changed["train"]["batch_size"], [on_device(d.train, d, parts.relations) for d in own]
        together = few_shapes(rows[0], batch_size) if datasets is None else stacked(rows, batch_size)
        return Trained(parts.model, _train(parts, keys, together, changed["train"]["steps"], shared=datasets is None))

    return retrain


def _of_one_range(datasets: Sequence[Dataset]) -> list[Dataset]:
    together = Range(min(each.range.low for each in datasets), max(each.range.high for each in datasets))
    return [each._replace(range=together) for each in datasets]


def _train(parts: Parts, keys: jax.Array, rows: Rows, steps: int, *, shared: bool) -> Any:
    """The parameters of all members, leaves (members, ...), trained in chunks between which progress is shown."""
    begin = jax.jit(jax.vmap(parts.run.init, in_axes=(0, None)))
    state = quick_compile(begin.lower(keys, parts.hparams), 0)(keys, parts.hparams)
    size = sum(leaf.size for leaf in jax.tree.leaves(state.params)) // keys.shape[0]
    over = jax.jit(_over_members(parts.run, likely_form(size), shared=shared), donate_argnums=0)
    given = (keys, parts.hparams, rows)
    advance = quick_compile(over.lower(state, *given, jnp.int32(1)), likely_level(size))
    done, chunk = 0, 20
    with console.progress(steps, 0) as show:
        while done < steps:
            n, started = min(chunk, steps - done), time.perf_counter()
            state, history = advance(state, *given, jnp.int32(n))
            history = {name: np.asarray(values)[:, :n] for name, values in history.items()}
            # a sum over members is finite only where all of them are
            chunks.check_finite({name: values.sum(0) for name, values in history.items()}, done, state.params)
            done += n
            chunk = int(
                np.clip(n * CHUNK_SECONDS / (time.perf_counter() - started), chunk / 2, chunk * 4).clip(1, CAPACITY)
            )
            show(done, float(np.median(history["loss"][:, -1])))
    return state.params


def _over_members(run: Run, form: str, *, shared: bool) -> Callable[..., Any]:
    """``(state, keys, hparams, rows, n) -> (state, history)`` over members."""
    one = partial(run.advance, capacity=CAPACITY)
    if form == "vmap":
        return jax.vmap(one, in_axes=(0, 0, None, None if shared else 0, None))

    def in_turn(state: State, keys: jax.Array, hparams: Hparams, rows: Rows, n: jax.Array) -> Any:
        if shared:
            return jax.lax.map(lambda member: one(*member, hparams, rows, n), (state, keys))
        return jax.lax.map(lambda member: one(*member[:2], hparams, member[2], n), (state, keys, rows))

    return in_turn


def member(trained: Trained, number: int) -> Any:
    """The parameters of one member."""
    return jax.tree.map(lambda leaf: leaf[number], trained.params)
