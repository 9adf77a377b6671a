"""The work on one block: an idempotent task with a folder of its own and a marker that says that it is done.

Any engine may do a task twice, and tasks in any order: what a marker vouches for is not trained again, and the marker
is written last.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import checkpoint
from aejax.build import Parts, build, check, load_data
from aejax.components import resolve
from aejax.errors import UserError
from aejax.evaluate import make_losses, on_device
from aejax.experiment import EVALUATION_STREAM, check_task
from aejax.files import write_json
from aejax.leaves import digest
from aejax.retrain import likely_form, retrainer
from aejax.sweep import exact, folds, programs, strategies
from aejax.sweep.journal import Outcome
from aejax.sweep.markers import read_marker, write_marker
from aejax.sweep.plan import Block, Member
from aejax.sweep.programs import Data
from aejax.sweep.training import Members, train_block
from aejax.train import Rows
from aejax.types import Dataset, Params


class Options(NamedTuple):
    """How blocks are trained; none of it changes a number beyond rounding, and none under `exact`.

    Attributes:
        exact: members one after the other, bit for bit as `aejax run` trains them.
        strategy: ``"vmap"``, ``"map"`` or ``"auto"``.
        devices: how many; None for all.
        budget: bytes that a block may take; None for half of what is free.
    """

    exact: bool = False
    strategy: str = "auto"
    devices: int | None = None
    budget: int | None = None


class Prepared(NamedTuple):
    """What the blocks of one group have in common.

    Attributes:
        datasets: one, or one for each fold.
        parts: of a run.
        data: the training rows of streams, from the fold of each (0 without cross-validation).
        validation: the validation rows of each data set; None where it has none.
        losses: from `aejax.evaluate.make_losses`.
    """

    datasets: list[Dataset]
    parts: Parts
    data: Callable[[list[int]], Data]
    validation: list[Rows | None]
    losses: Callable[..., Mapping[str, float]]


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
    cut = None if count is None else folds.cut(whole, count, settings["split_seed"])
    datasets = [whole] if cut is None else cut.datasets
    first = datasets[0]
    parts = build(config, first)
    check_task(config["task"], first, parts.model)
    check(parts, on_device(first.train, first, parts.relations))
    data = (
        partial(folds.shared, first, parts.relations) if cut is None else partial(folds.stacked, cut, parts.relations)
    )
    validation = [on_device(d.validation, d, parts.relations) if len(d.validation.x) else None for d in datasets]
    losses = make_losses(parts.model, parts.objective, parts.corrupt, first.range)
    return Prepared(datasets, parts, data, validation, losses)


def hparams_of(member: Member, prepared: Prepared) -> Any:
    """The hyperparameters of a member, in the structure of its group's run."""
    return _floats(prepared.parts.hparams, member.config)


def _floats(like: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _floats(v, own[k]) if isinstance(v, Mapping) else np.float32(own[k]) for k, v in like.items()}


def member_id(member: Member) -> str:
    """Which run this is, whatever sweep it is in."""
    return hashlib.sha256(json.dumps([member.config, member.fold], sort_keys=True).encode()).hexdigest()[:16]


def work(
    block: Block,
    prepared: Prepared,
    options: Options,
    folder: Path,
    asked: Callable[[], bool] = lambda: False,
    show: Callable[[int, float], None] = lambda step, loss: None,
) -> list[dict[str, Any]]:
    """Train and evaluate a block, unless its marker says that this is done.

    Args:
        block: what to train.
        prepared: of its group.
        options: how.
        folder: of the block.
        asked: whether to stop now.
        show: takes the step and the median loss after each chunk.

    Returns:
        For each member its ``id``, ``status``, ``step``, ``parameters_digest`` and ``metrics``.

    Raises:
        StoppedSweepError: `asked` said so; what was done is saved.
    """
    found = read_marker(folder)
    if found is not None:
        return found["results"]
    settings = block.members[0].config["train"]
    train = _train_exactly if options.exact else _train_together
    outcomes, timing = train(block, prepared, options, settings, folder / "checkpoints", asked, show)
    started = time.perf_counter()
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *(outcome.params for outcome in outcomes))
    checkpoint.save(folder / "params", 0, params, keep=1, info={"members": [member_id(m) for m in block.members]})
    pairs = zip(block.members, outcomes, strict=True)
    results = [_result(member, outcome, prepared) for member, outcome in pairs]
    timing["evaluate_seconds"] = time.perf_counter() - started
    write_marker(folder, {"results": results, "timing": timing})
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return results


def _train_together(
    block: Block,
    prepared: Prepared,
    options: Options,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
) -> tuple[list[Outcome], dict[str, Any]]:
    parts, members = prepared.parts, Members(block.places)
    swept = programs.stack_hparams([hparams_of(member, prepared) for member in block.members], block.places)
    keys = jax.vmap(jax.random.key)(np.array([seed for seed, _ in block.streams], np.uint32))
    data = prepared.data([fold or 0 for _, fold in block.streams])
    devices = jax.devices()[: options.devices]

    def form(strategy: str) -> programs.Program:
        return programs.compile_block(
            parts.run, keys, swept, data, strategy=strategy, devices=devices, shape=block.places.shape
        )

    size = sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(parts.run.init, parts.key, parts.hparams).params))
    choice = strategies.choose(form, _asked_strategy(options, folder), likely_form(size), settings["steps"])
    write_json(folder.parent / "strategy.json", {"strategy": choice.strategy, "step_seconds": choice.step_seconds})
    names = ("loss", *parts.hparams["terms"])
    losses = _validation_losses(block, prepared)
    outcomes, seconds = train_block(
        choice.program, members, settings, names, losses, folder=folder, asked=asked, show=show
    )
    timing = {"strategy": choice.strategy, "devices": len(devices), "compile_seconds": choice.compile_seconds}
    return outcomes, timing | {"train_seconds": seconds}


def _asked_strategy(options: Options, folder: Path) -> str:
    """A block that is continued keeps the form that it began with."""
    if checkpoint.steps(folder) and options.strategy == "auto":
        path = folder.parent / "strategy.json"
        return json.loads(path.read_text())["strategy"] if path.exists() else "auto"
    return options.strategy


def _train_exactly(
    block: Block,
    prepared: Prepared,
    options: Options,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
) -> tuple[list[Outcome], dict[str, Any]]:
    parts, losses = prepared.parts, _validation_losses(block, prepared)
    rows = [on_device(dataset.train, dataset, parts.relations) for dataset in prepared.datasets]
    init, advance, compiled = exact.compile_members(parts.run, parts.key, parts.hparams, rows[0])
    names, outcomes, started = ("loss", *parts.hparams["terms"]), [], time.perf_counter()
    for place, member in enumerate(block.members):
        key = jax.random.key(member.config["seed"])
        hparams = jax.tree.map(jax.numpy.float32, hparams_of(member, prepared))
        own = rows[member.fold or 0]
        outcome = exact.train_member(
            advance, init, key, hparams, own, settings, names, losses, member=place, asked=asked
        )
        outcomes.append(outcome)
        show(settings["steps"], outcome.means["loss"])
    timing = {"strategy": "exact", "devices": 1, "compile_seconds": compiled}
    return outcomes, timing | {"train_seconds": time.perf_counter() - started}


def _validation_losses(block: Block, prepared: Prepared) -> Callable[[int, Params, float], float]:
    def losses(place: int, params: Params, progress: float) -> float:
        return measured(block.members[place], prepared, params, progress)["validation/loss"]

    return losses


def measured(member: Member, prepared: Prepared, params: Params, progress: float) -> dict[str, float]:
    """The losses of a member's validation rows; none where there are no rows."""
    rows = prepared.validation[member.fold or 0]
    if rows is None:
        return {}
    key = jax.random.fold_in(jax.random.key(member.config["seed"]), EVALUATION_STREAM)
    found = prepared.losses(params, key, hparams_of(member, prepared), rows, progress)
    return {f"validation/{name}": value for name, value in found.items()}


def _result(member: Member, outcome: Outcome, prepared: Prepared) -> dict[str, Any]:
    """What the table says of a member: its means in training, its validation losses, and what the task finds."""
    metrics = {f"train/{name}": value for name, value in outcome.means.items()}
    metrics |= measured(member, prepared, outcome.params, outcome.step / member.config["train"]["steps"])
    given = dict(member.config["task"])
    task = resolve(given.pop("name"), "aejax.tasks", what="task.name")
    key = jax.random.fold_in(jax.random.key(member.config["seed"]), EVALUATION_STREAM)
    dataset = prepared.datasets[member.fold or 0]
    again = retrainer(member.config, dataset)
    found = task(key, prepared.parts.model, outcome.params, dataset, again, **given).metrics
    metrics |= {f"{split}/{name}": value for split, own in found.items() for name, value in own.items()}
    return {
        "id": member_id(member),
        "status": outcome.status,
        "step": outcome.step,
        "parameters_digest": digest(outcome.params),
        "metrics": {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)},
    }
