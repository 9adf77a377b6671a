"""What the runs of a group have in common: data, folds, the parts of a run, its losses, and the memory it takes.

The folds of a cross-validation hold out every row once, and all have equally many training rows.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.data.splits import permutation, rescaled, take
from aejax.errors import UserError
from aejax.runs.experiment import check_task
from aejax.sweep.plan import Member
from aejax.sweep.program import Data
from aejax.training.build import Parts, batch_remark, batch_size_of, build, check, load_data, training_rows
from aejax.training.evaluate import BATCH, make_losses, make_member_losses, on_device, target_range
from aejax.training.held_out import outside_of, within_range
from aejax.training.loop import CAPACITY
from aejax.training.members import few_shapes
from aejax.training.retrain import of_one_range
from aejax.types import Dataset, Rows, Split

MOST_TOGETHER = 16
LOOKING = 2**28
"""Bytes that members which look at a batch of rows together may take."""


class Prepared(NamedTuple):
    """What the blocks of one group have in common.

    Attributes:
        datasets: one, or one for each fold.
        parts: of a run.
        data: the training rows of streams, from the fold of each (0 without cross-validation).
        validation: the validation rows of each data set; None where it has none.
        losses: from `aejax.training.evaluate.make_losses`.
        member_losses: from `aejax.training.evaluate.make_member_losses`.
        together: how many members look at a batch of 1000 rows at once.
    """

    datasets: Sequence[Dataset]
    parts: Parts
    data: Callable[[Sequence[int]], Data]
    validation: Sequence[Rows | None]
    losses: Callable[..., Mapping[str, float]]
    member_losses: Callable[..., Mapping[str, np.ndarray]]
    together: int


def prepare(config: Mapping[str, Any], count: int | None) -> Prepared:
    """Load the data of a group and build its run.

    Args:
        config: of any of its members.
        count: number of folds, or None.

    Raises:
        UserError: the config does not fit the data, or spreads one run over devices.
    """
    if config["devices"]["data"] not in (None, 1) or config["devices"]["code"] != 1:
        raise UserError(
            "devices: in a sweep each device has runs of its own; allowed: devices.data=null and devices.code=1"
        )
    settings = config["data"]
    if settings["name"].startswith("stream:"):
        raise UserError("data.name: a sweep holds its rows in memory; allowed: data that are not streamed")
    whole = load_data(settings if count is None else {**settings, "validation": 0.0})
    folds = None if count is None else cut(whole, count, settings["split_seed"])
    first = whole if folds is None else folds.datasets[0]
    check_task(config, first)
    smallest = min([first] if folds is None else folds.datasets, key=training_rows)
    for line in batch_remark(config["train"], smallest):
        console.say(line)
    config = {**config, "train": {**config["train"], "batch_size": batch_size_of(config["train"], smallest)}}
    parts = build(config, first)
    rows = on_device(first.train, first, parts.relations)
    check(parts, rows)
    accepts = lambda data: check(build(config, data), rows)
    within = lambda data: within_range(data, outside_of(config), accepts, console.say)
    if folds is None:
        first = within(first)
    else:
        folds = folds._replace(datasets=[within(data) for data in folds.datasets])
        first = folds.datasets[0]
    return prepared_of(parts, first, config["train"]["batch_size"], folds)


def prepared_of(parts: Parts, dataset: Dataset, batch_size: int | None, folds: "Folds | None" = None) -> Prepared:
    """What runs of these parts have in common.

    Args:
        parts: of a run.
        dataset: of all runs; of the first fold where there are folds.
        batch_size: rows in a step; None for all.
        folds: from `cut`.
    """

    def data(of_streams: Sequence[int]) -> Data:
        if folds is not None:
            return stacked(folds, parts, of_streams)
        return Data(few_shapes(on_device(dataset.train, dataset, parts.relations), batch_size))

    datasets = [dataset] if folds is None else folds.datasets
    validation = [on_device(d.validation, d, parts.relations) if len(d.validation.x) else None for d in datasets]
    of_losses = (parts.model, parts.objective, parts.corrupt, target_range(dataset))
    together = int(np.clip(LOOKING // of_pass(parts, dataset, BATCH), 1, MOST_TOGETHER))
    losses, member_losses = make_losses(*of_losses), make_member_losses(*of_losses)
    return Prepared(datasets, parts, data, validation, losses, member_losses, together)


def size_of(parts: Parts) -> int:
    """The number of parameters of a net."""
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(parts.run.init, parts.key, parts.hparams).params))


def hparams_of(member: Member, prepared: Prepared) -> Any:
    """The hyperparameters of a member, in the structure of its group's run."""
    return _floats(prepared.parts.hparams, member.config)


def _floats(like: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _floats(v, config[k]) if isinstance(v, Mapping) else np.float32(config[k]) for k, v in like.items()}


class Folds(NamedTuple):
    """The folds of a cross-validation.

    Attributes:
        datasets: one for each fold.
        whole: all rows that folds are cut from.
        chosen: (folds, rows) which of them each fold trains on.
    """

    datasets: Sequence[Dataset]
    whole: Split
    chosen: np.ndarray


def cut(dataset: Dataset, folds: int, seed: int) -> Folds:
    """The folds of a cross-validation.

    Fold f validates on the rows f, f + K, … of a permutation. Where K does not divide the number of rows, some folds
    have one validation row less than others; these leave one of their training rows out, so that all train on equally
    many rows and are one program. Scaling and the filling of gaps come from each fold's own training rows; the scaling
    of images, which is that of their pixels, is the same for all.

    Args:
        dataset: loaded without validation rows.
        folds: K, 2 or more.
        seed: the config's ``data.split_seed``.

    Raises:
        UserError: there are fewer rows than folds.
    """
    count = len(dataset.train.x)
    if folds > count:
        raise UserError(f"--folds {folds}: there are {count} rows to train on; allowed: 2 to {count}")
    order, most = permutation(seed, count), -(-count // folds)
    datasets, chosen = [], []
    for fold in range(folds):
        out = np.arange(count) % folds == fold
        chosen.append(np.sort(order[~out][: count - most]))
        train, validation = take(dataset.train, chosen[-1]), take(dataset.train, order[out])
        datasets.append(rescaled(dataset._replace(train=train, validation=validation)))
    return Folds(of_one_range(datasets), dataset.train, np.stack(chosen))


OF_ROWS = ("x", "mask", "labels", "target")
"""The attributes of `Rows` that have a value for each row."""


def stacked(folds: Folds, parts: Parts, of_streams: Sequence[int]) -> Data:
    """The training rows of the streams of a cross-validation.

    All rows are on the device once and each stream has the indices of its own; only of rows with gaps, which each fold
    fills with a mean of its own, there is a copy for each fold.

    Args:
        folds: from `cut`.
        parts: of the run, whose relations there are among the rows.
        of_streams: the fold of each stream.
    """
    rows = [on_device(dataset.train, dataset, parts.relations) for dataset in folds.datasets]
    if rows[0].mask is None:
        whole, index = on_device(folds.whole, folds.datasets[0]), folds.chosen
    else:
        by_name = [{name: getattr(each, name) for name in OF_ROWS} for each in rows]
        whole = rows[0]._replace(**jax.tree.map(lambda *leaves: np.concatenate(leaves), *by_name))
        index = np.arange(folds.chosen.size).reshape(folds.chosen.shape)
    by_fold = [{"shift": each.shift, "scale": each.scale, "relations": each.relations} for each in rows]
    by_fold = {"index": index.astype(np.int32), **jax.tree.map(lambda *leaves: np.stack(leaves), *by_fold)}
    return Data(whole, jax.tree.map(lambda leaf: leaf[np.array(of_streams)], by_fold), _of_stream)


def _of_stream(whole: Rows, stream: Mapping[str, Any]) -> Rows:
    view = lambda leaf: None if leaf is None else Chosen(leaf, stream["index"])
    views = {name: view(getattr(whole, name)) for name in OF_ROWS}
    return whole._replace(**views, shift=stream["shift"], scale=stream["scale"], relations=stream["relations"])


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Chosen:
    """Chosen rows of an array, looked up when a batch of them is asked for; what `Rows` needs of an array."""

    whole: jax.Array
    index: jax.Array

    @property
    def shape(self) -> tuple[int, ...]:
        """As the chosen rows would have as an array."""
        return (self.index.shape[0], *self.whole.shape[1:])

    def __getitem__(self, rows: Any) -> jax.Array:
        """Some of the chosen rows."""
        return self.whole[self.index[rows]]


class Memory(NamedTuple):
    """Bytes that a program takes.

    Attributes:
        member: that one run adds.
        shared: of the data.
    """

    member: int
    shared: int

    def of(self, runs: int) -> str:
        """What so many runs take, in words."""
        return readable(self.shared + runs * self.member)

    def most(self, budget: int | None) -> int:
        """How many runs fit into a budget, or into what is `available`.

        Raises:
            UserError: not even one does.
        """
        budget = budget or available()
        if budget < self.shared + self.member:
            raise UserError(
                f"--memory-budget: {readable(budget)} is too small for one run: the data take {readable(self.shared)} "
                f"and one run {readable(self.member)}; allowed: {self.of(1)} or more"
            )
        return (budget - self.shared) // self.member


def memory_of(prepared: Prepared, batch_size: int | None) -> Memory:
    """An estimate of the bytes that the data take and that one member adds to a program.

    Of a member three times its parameters and optimiser state (before, after, and the best or the gradient), twice what
    a training pass leaves for its gradient, and its history. Clean batches are shared and do not count.
    """
    parts, dataset = prepared.parts, prepared.datasets[0]
    state = jax.eval_shape(parts.run.init, parts.key, parts.hparams)
    history = 4 * CAPACITY * (1 + len(parts.hparams["terms"]))
    activations = of_pass(parts, dataset, batch_size or len(dataset.train.x))
    member = 3 * _bytes((state.params, state.opt_state)) + 2 * activations + history
    return Memory(member, _bytes(prepared.data([0]).common))


def of_pass(parts: Parts, dataset: Dataset, rows: int) -> int:
    """The bytes of all that a training pass computes of some rows before its gradient."""
    params = jax.eval_shape(parts.run.init, parts.key, parts.hparams).params
    x = jax.ShapeDtypeStruct((rows, math.prod(dataset.train.x.shape[1:])), "float32")

    def forward(params: Any, x: Any, key: Any) -> Any:
        seen = parts.model.apply(params, x, x, key)
        return seen.x_in, seen.code, seen.x_hat, dict(seen.hidden), dict(seen.log_odds), dict(seen.extra)

    return _bytes(jax.eval_shape(forward, params, x, parts.key))


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def available() -> int:
    """Half of the memory that is free now: of the accelerator, or of the machine where there is none."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return (stats["bytes_limit"] - stats.get("bytes_in_use", 0)) // 2
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):  # not on this system
        return 2**30


def readable(amount: int) -> str:
    """Bytes in words: ``"1.5 GB"``."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if amount >= size:
            return f"{amount / size:.3g} {unit}"
    return f"{amount} B"
