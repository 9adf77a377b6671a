"""The work on one block: an idempotent task with a folder of its own and a marker that says that it is done.

Any engine may do a task twice, and tasks in any order: what a marker vouches for is not trained again, and the marker
is written last.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.files import write_json
from aejax.storage import checkpoint, records
from aejax.storage.records import Either, Whole, Word
from aejax.storage.trees import digest
from aejax.sweep import beside, evaluating, exact, strategies
from aejax.sweep.journal import Outcome
from aejax.sweep.markers import read_marker, write_marker
from aejax.sweep.plan import Block, Member
from aejax.sweep.prepared import Prepared, hparams_of, prepare, size_of
from aejax.sweep.programs import stack_hparams
from aejax.sweep.together import compile_fastest, train_program
from aejax.training.evaluate import on_device

__all__ = ["Options", "Prepared", "hparams_of", "member_id", "prepare", "work"]


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


FORM = {"strategy": Word("|".join(strategies.NAMES)), "level": Either((Whole(0, 3), None))}
"""The form of `strategies.Form` in a file."""

Trainer = Callable[..., tuple[list[Outcome], dict[str, Any]]]
"""``(block, prepared, options, settings, folder, asked, show) -> (an outcome for each member, timing)``."""


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
    train: Trainer | None = None,
) -> list[dict[str, Any]]:
    """Train and evaluate a block, unless its marker says that this is done.

    Args:
        block: what to train.
        prepared: of its group.
        options: how.
        folder: of the block.
        asked: whether to stop now.
        show: takes the step and the median loss after each chunk.
        train: in place of what the options say.

    Returns:
        For each member its ``id``, ``status``, ``step``, ``parameters_digest`` and ``metrics``.

    Raises:
        StoppedSweepError: `asked` said so; what was done is saved.
    """
    found = read_marker(folder)
    if found is not None:
        return found["results"]
    settings = block.members[0].config["train"]
    train = train or (_train_exactly if options.exact else _train_together)
    outcomes, timing = train(block, prepared, options, settings, folder / "checkpoints", asked, show)
    started = time.perf_counter()
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *(outcome.params for outcome in outcomes))
    checkpoint.save(folder / "params", 0, params, keep=1, info={"members": [member_id(m) for m in block.members]})
    if options.exact:
        pairs = zip(block.members, outcomes, strict=True)
        metrics = [evaluating.metrics_alone(member, outcome, prepared) for member, outcome in pairs]
    else:
        metrics = evaluating.metrics_together(block.members, outcomes, prepared, params)
    others = beside.baselines(block.members, metrics, prepared)
    metrics = [own | other for own, other in zip(metrics, others, strict=True)]
    results = [_result(*each) for each in zip(block.members, outcomes, metrics, strict=True)]
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
    swept = stack_hparams([hparams_of(member, prepared) for member in block.members], block.places)
    devices = jax.devices()[: options.devices]
    choice = compile_fastest(block, prepared, swept, _forms(options, folder, size_of(prepared.parts)), devices)
    tried = [form._asdict() | {"step_seconds": seconds} for form, seconds in choice.step_seconds]
    write_json(folder.parent / "strategy.json", {"form": choice.form._asdict(), "tried": tried})
    outcomes, seconds = train_program(choice.program, block, prepared, settings, folder, asked, show)
    timing = {"strategy": choice.form.strategy, "devices": len(devices), "compile_seconds": choice.compile_seconds}
    return outcomes, timing | {"train_seconds": seconds}


def _forms(options: Options, folder: Path, parameters: int) -> list[strategies.Form]:
    """The forms that a block may have; one that is continued keeps the form that it began with."""
    path = folder.parent / "strategy.json"
    if checkpoint.steps(folder) and options.strategy == "auto" and path.exists():
        form = records.read(path, {"form": FORM})["form"]
        return [strategies.Form(form["strategy"], form["level"])]
    return strategies.forms(options.strategy, parameters)


def _train_exactly(
    block: Block,
    prepared: Prepared,
    options: Options,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
) -> tuple[list[Outcome], dict[str, Any]]:
    parts = prepared.parts
    rows = [on_device(dataset.train, dataset, parts.relations) for dataset in prepared.datasets]
    init, advance, compiled = exact.compile_members(parts.run, parts.key, parts.hparams, rows[0])
    names, outcomes, started = ("loss", *parts.hparams["terms"]), [], time.perf_counter()
    for member in block.members:
        key = jax.random.key(member.config["seed"])
        hparams = jax.tree.map(jax.numpy.float32, hparams_of(member, prepared))
        own = rows[member.fold or 0]
        loss = lambda params, progress, m=member: evaluating.measured(m, prepared, params, progress)["validation/loss"]
        outcome = exact.train_member(advance, init, key, hparams, own, settings, names, loss, asked=asked)
        outcomes.append(outcome)
        show(settings["steps"], outcome.means["loss"])
    timing = {"strategy": "exact", "devices": 1, "compile_seconds": compiled}
    return outcomes, timing | {"train_seconds": time.perf_counter() - started}


def _result(member: Member, outcome: Outcome, metrics: Mapping[str, float]) -> dict[str, Any]:
    return {
        "id": member_id(member),
        "status": outcome.status,
        "step": outcome.step,
        "parameters_digest": digest(outcome.params),
        "metrics": metrics,
    }
