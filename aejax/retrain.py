"""Training a config's own net again, many members as one program: ensembles, folds, and plain nets to compare with."""

import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import config as configs
from aejax import console, train
from aejax.build import Parts, build
from aejax.compilation import quick_compile
from aejax.evaluate import on_device
from aejax.train import CAPACITY, CHUNK_SECONDS, Rows
from aejax.types import Dataset, Range, Retrain, State, Trained

BIG_LAYER = 20_000
"""Parameters above which a batch fills a processor core by itself, so members take turns on a CPU."""


def likely_form(parameters: int) -> str:
    """The faster form of a program over members, from the size of a model: ``"vmap"`` or ``"map"``."""
    return "map" if jax.default_backend() == "cpu" and parameters > BIG_LAYER else "vmap"


def retrainer(config: Mapping[str, Any], dataset: Dataset) -> Retrain:
    """The function with which a task trains nets of a config again.

    Args:
        config: resolved, of the run that is evaluated.
        dataset: of the run.

    Returns:
        ``(keys, changes={}, datasets=None) -> Trained``: one member for each of the typed `keys`, all trained to the
        last step as one compiled program, without early stopping. `changes` are a variant's, dotted path -> value.
        `datasets` are one for each member, of equally many training rows and equal feature shape, a batch being all of
        them where they are fewer than `train.batch_size`; all members share the run's where it is left out, of a
        streamed one the training rows that are held in memory. It raises
        `UserError` where the changed config does not fit the data or the loss of a member is not finite.
    """

    def retrain(
        keys: jax.Array, changes: Mapping[str, Any] | None = None, datasets: Sequence[Dataset] | None = None
    ) -> Trained:
        changed = deepcopy(dict(config))
        for path, value in (changes or {}).items():
            configs.put(changed, path, value)
        own = [dataset._replace(stream=None)] if datasets is None else _of_one_range(datasets)
        batch_size = changed["train"]["batch_size"]
        if datasets is not None and batch_size is not None:  # a fold may have fewer rows than a batch of the run
            changed["train"]["batch_size"] = min(batch_size, len(own[0].train.x))
        parts = build(configs.resolve(changed), own[0])
        rows = [on_device(each.train, each, parts.relations) for each in own]
        together = rows[0] if datasets is None else jax.tree.map(lambda *leaves: jnp.stack(leaves), *rows)
        return Trained(parts.model, _train(parts, keys, together, changed["train"]["steps"], shared=datasets is None))

    return retrain


def _of_one_range(datasets: Sequence[Dataset]) -> list[Dataset]:
    together = Range(min(each.range.low for each in datasets), max(each.range.high for each in datasets))
    return [each._replace(range=together) for each in datasets]


def _train(parts: Parts, keys: jax.Array, rows: Rows, steps: int, *, shared: bool) -> Any:
    """The parameters of all members, leaves (members, ...), trained in chunks between which progress is shown."""
    state = jax.jit(jax.vmap(lambda key: parts.run.init(key, parts.hparams)))(keys)
    size = sum(leaf.size for leaf in jax.tree.leaves(state.params)) // keys.shape[0]
    over = _over_members(parts, likely_form(size), shared=shared)
    advance = quick_compile(jax.jit(over, donate_argnums=0).lower(state, keys, rows, jnp.int32(1)), 1)
    done, chunk = 0, 20
    with console.progress(steps, 0) as show:
        while done < steps:
            n, started = min(chunk, steps - done), time.perf_counter()
            state, history = advance(state, keys, rows, jnp.int32(n))
            history = {name: np.asarray(values)[:, :n] for name, values in history.items()}
            # a sum over members is finite only where all of them are
            train.check_finite({name: values.sum(0) for name, values in history.items()}, done, state.params)
            done += n
            chunk = int(
                np.clip(n * CHUNK_SECONDS / (time.perf_counter() - started), chunk / 2, chunk * 4).clip(1, CAPACITY)
            )
            show(done, float(np.median(history["loss"][:, -1])))
    return state.params


def _over_members(parts: Parts, form: str, *, shared: bool) -> Callable[..., Any]:
    """``(state, keys, rows, n) -> (state, history)`` over members."""

    def one(state: State, key: jax.Array, rows: Rows, n: jax.Array) -> Any:
        return parts.run.advance(state, key, parts.hparams, rows, n, capacity=CAPACITY)

    if form == "vmap":
        return jax.vmap(one, in_axes=(0, 0, None if shared else 0, None))

    def in_turn(state: State, keys: jax.Array, rows: Rows, n: jax.Array) -> Any:
        if shared:
            return jax.lax.map(lambda member: one(*member, rows, n), (state, keys))
        return jax.lax.map(lambda member: one(*member, n), (state, keys, rows))

    return in_turn


def member(trained: Trained, number: int) -> Any:
    """The parameters of one member."""
    return jax.tree.map(lambda leaf: leaf[number], trained.params)
