"""Training a config's own net again, many members as one program: ensembles, folds, and plain nets to compare with."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import config as configs
from aejax.training.build import Parts, build
from aejax.training.compilation import program
from aejax.training.evaluate import on_device
from aejax.training.loop import in_chunks, loop, refusing
from aejax.training.members import few_shapes, likely_form, likely_level, over_members, stacked
from aejax.training.step import weights
from aejax.types import Dataset, Members, Params, Range, Retrain, Rows

SILENT = lambda steps, done: nullcontext(lambda step, loss: None)


def retrainer(config: Mapping[str, Any], dataset: Dataset, progress: Callable[..., Any] = SILENT) -> Retrain:
    """The function with which a task trains nets of a config again.

    Args:
        config: resolved, of the run that is evaluated.
        dataset: of the run.
        progress: ``(steps, 0) -> context manager of (step, median loss of the members)``, called after each chunk.

    Returns:
        ``(keys, changes={}, datasets=None) -> Members``: one member for each of the typed `keys`, all trained to the
        last step as one compiled program, without early stopping. `changes` are a variant's, dotted path -> value.
        `datasets` are one for each member, of equal feature shape, a batch being as many rows as the smallest has where
        these are fewer than `train.batch_size`; all members share the run's where it is left out, of a streamed one the
        training rows that are held in memory. Rows are padded to a few sizes, so that data of almost equal size are one
        program (`aejax.training.members`). It raises `UserError` where the changed config does not fit the data or the
        loss of a member is not finite.
    """

    def retrain(
        keys: jax.Array, changes: Mapping[str, Any] | None = None, datasets: Sequence[Dataset] | None = None
    ) -> Members:
        changed = configs.varied(config, changes or {})
        all_data = [dataset._replace(stream=None)] if datasets is None else of_one_range(datasets)
        batch_size = changed["train"]["batch_size"]
        if datasets is not None and batch_size is not None:  # a fold may have fewer rows than a batch of the run
            batch_size = changed["train"]["batch_size"] = min(batch_size, *(len(each.train.x) for each in all_data))
        parts = build(changed, all_data[0])
        rows = [on_device(each.train, each, parts.relations) for each in all_data]
        padded = few_shapes(rows[0], batch_size) if datasets is None else stacked(rows, batch_size)
        shared, steps = datasets is None, changed["train"]["steps"]
        with progress(steps, 0) as show:
            tell = lambda step, history, _: show(step, float(np.median(history["loss"][:, -1])))
            return Members(parts.model, _train(parts, keys, padded, steps, shared=shared, on_chunk=tell))

    return retrain


def of_one_range(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Data sets whose range is the widest of theirs."""
    widest = Range(min(each.range.low for each in datasets), max(each.range.high for each in datasets))
    return [each._replace(range=widest) for each in datasets]


def _train(parts: Parts, keys: jax.Array, rows: Rows, steps: int, *, shared: bool, on_chunk: Any) -> Params:
    """The parameters of all members, leaves (members, ...)."""
    begin = program(parts.run.init, (keys, parts.hparams), (over_members, "vmap", (True, False)), level=0)
    state = begin(keys, parts.hparams)
    size = sum(leaf.size for leaf in jax.tree.leaves(state.params)) // keys.shape[0]
    change = (_members_in_chunks, likely_form(size), (True, True, False, not shared, False))
    arguments = (state, keys, parts.hparams, rows, jnp.int32(1))
    chunk = program(parts.run.advance, arguments, change, level=likely_level(size), donate=(0,))
    advance = refusing(chunk, keys, parts.hparams, rows)
    return weights(loop(advance, state, steps=steps, evaluate_every=steps, on_chunk=on_chunk)[0])


def _members_in_chunks(advance: Callable[..., Any], form: str, own: tuple[bool, ...]) -> Callable[..., Any]:
    return over_members(in_chunks(advance), form, own)


def member(members: Members, number: int) -> Params:
    """The parameters of one member."""
    return jax.tree.map(lambda leaf: leaf[number], members.params)
