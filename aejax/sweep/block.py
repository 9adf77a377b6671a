"""The work on one block: an idempotent task with a folder of its own and a marker that says that it is done.

Any engine may do a task twice, and tasks in any order: what a marker vouches for is not trained again, and the marker
is written last.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.files import write_json
from aejax.storage import checkpoint, records
from aejax.storage.records import Either, Whole, Word
from aejax.storage.trees import digest
from aejax.sweep import baselines, evaluation
from aejax.sweep.markers import read_marker, write_marker
from aejax.sweep.plan import Block, Member
from aejax.sweep.prepared import Prepared, hparams_of, size_of
from aejax.sweep.program import FORMS, Choice, Form, Program, Swept, choose, compile_block, forms, stack_hparams
from aejax.training.evaluate import on_device
from aejax.training.interruption import InterruptedRunError
from aejax.training.loop import Outcome, begin, compile_advance, freezing, loop, on_host, outcome
from aejax.training.step import weights
from aejax.types import Params

FORM = {"strategy": Word("|".join(FORMS)), "level": Either((Whole(0, 3), None))}
"""The form of a `Form` in a file."""

Stop = Callable[[], bool]
Show = Callable[[int, float], None]
"""``(step, loss)``, called after each chunk."""

Losses = Callable[[Params, float], np.ndarray]
"""``(params, progress) -> validation losses``: of all members, (members, ...) leaves -> (members,)."""

Prune = Callable[[int, Params, np.ndarray], np.ndarray]
"""``(step, params, going_on) -> which members to freeze``; leaves and arrays are (members, ...)."""


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


def member_id(member: Member) -> str:
    """Which run this is, whatever sweep it is in."""
    return hashlib.sha256(json.dumps([member.config, member.fold], sort_keys=True).encode()).hexdigest()[:16]


def chosen_program(block: Block, prepared: Prepared, options: Options, folder: Path) -> tuple[Program, dict[str, Any]]:
    """The program of a block in the fastest of the forms that it may have, and its part of the timing.

    A block that is continued keeps the form that it began with, which ``strategy.json`` tells.
    """
    path = folder / "strategy.json"
    if checkpoint.steps(folder / "checkpoints") and options.strategy == "auto" and path.exists():
        form = records.read(path, {"form": FORM})["form"]
        possible = [Form(form["strategy"], form["level"])]
    else:
        possible = forms(options.strategy, size_of(prepared.parts))
    swept = stack_hparams([hparams_of(member, prepared) for member in block.members], block.places)
    choice = compile_fastest(block, prepared, swept, possible, options)
    tried = [form._asdict() | {"step_seconds": seconds} for form, seconds in choice.step_seconds]
    write_json(path, {"form": choice.form._asdict(), "tried": tried})
    return choice.program, {"strategy": choice.form.strategy, "compile_seconds": choice.compile_seconds}


def compile_fastest(
    block: Block, prepared: Prepared, swept: Swept, possible: Sequence[Form], options: Options
) -> Choice:
    """The program of a block in the fastest of some forms, the likeliest first."""
    keys = jax.vmap(jax.random.key)(np.array([seed for seed, _ in block.streams], np.uint32))
    data = prepared.data([fold or 0 for _, fold in block.streams])
    static = {"devices": jax.devices()[: options.devices], "shape": block.places.shape}
    compile_form = lambda form: compile_block(prepared.parts.run, keys, swept, data, **form._asdict(), **static)
    return choose(compile_form, possible, block.members[0].config["train"]["steps"])


def run_block(
    block: Block,
    prepared: Prepared,
    options: Options,
    folder: Path,
    stop: Stop = lambda: False,
    show: Show = lambda step, loss: None,
    program: Callable[[Block, Prepared, Options, Path], tuple[Program, dict[str, Any]]] = chosen_program,
    prune: Prune | None = None,
) -> list[dict[str, Any]]:
    """Train and evaluate a block, unless its marker says that this is done.

    Args:
        block: what to train.
        prepared: of its group.
        options: how.
        folder: of the block.
        stop: whether to stop now.
        show: takes the step and the median loss after each chunk.
        program: compiles the block, unless it is trained exactly.
        prune: asked at every evaluation but the last which members are not worth going on with; None for none.

    Returns:
        For each member its ``id``, ``status``, ``step``, ``parameters_digest`` and ``metrics``.

    Raises:
        InterruptedRunError: `stop` said so; what was done is saved.
    """
    done = read_marker(folder)
    if done is not None:
        return done["results"]
    if options.exact:
        outcomes, timing = train_exactly(block, prepared, stop, show)
    else:
        compiled, timing = program(block, prepared, options, folder)
        settings, names = block.members[0].config["train"], ("loss", *prepared.parts.hparams["terms"])

        def losses(params: Params, share: float) -> np.ndarray:
            shares = np.full(len(block.members), share)
            return evaluation.losses_together(block.members, prepared, params, shares)["validation/loss"]

        hooks = {"folder": folder / "checkpoints", "stop": stop, "show": show, "prune": prune}
        outcomes, seconds = train_block(compiled, block.places, settings, names, losses, **hooks)
        timing |= {"devices": len(jax.devices()[: options.devices]), "train_seconds": seconds}
    started = time.perf_counter()
    params = jax.tree.map(lambda *leaves: np.stack(leaves), *(each.params for each in outcomes))
    checkpoint.save(folder / "params", 0, params, keep=1, info={"members": [member_id(m) for m in block.members]})
    if options.exact:
        pairs = zip(block.members, outcomes, strict=True)
        metrics = [evaluation.metrics_alone(member, each, prepared) for member, each in pairs]
    else:
        metrics = evaluation.metrics_together(block.members, outcomes, prepared, params)
    others = baselines.of_members(block.members, metrics, prepared)
    metrics = [columns | more for columns, more in zip(metrics, others, strict=True)]
    results = [_result(*each) for each in zip(block.members, outcomes, metrics, strict=True)]
    timing["evaluate_seconds"] = time.perf_counter() - started
    write_marker(folder, {"results": results, "timing": timing})
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    return results


def train_block(
    program: Program,
    places: np.ndarray,
    settings: Mapping[str, Any],
    names: Sequence[str],
    losses: Losses,
    *,
    folder: Path | None = None,
    stop: Stop = lambda: False,
    show: Show = lambda step, loss: None,
    prune: Prune | None = None,
) -> tuple[list[Outcome], float]:
    """Train a block to the end, from where its folder's checkpoint is.

    Args:
        program: from `aejax.sweep.program.compile_block`.
        places: (streams, settings), the number of the member that is trained there; a member may fill several.
        settings: the config's `train` section.
        names: of the loss and its terms.
        losses: asked at every evaluation if the config stops early.
        folder: where checkpoints lie; None for none.
        stop: whether to stop now.
        show: takes the step and the median loss after each chunk.
        prune: see `run_block`.

    Returns:
        One outcome for each member, and the seconds spent training.

    Raises:
        InterruptedRunError: `stop` said so; where there is a folder the state is saved.
    """
    steps, patience = settings["steps"], settings["patience"]
    index = np.unravel_index(np.unique(places, return_index=True)[1], places.shape)
    of_members = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf)[index], tree)
    carry = program.init()
    progress = begin(names, places.shape, () if patience is None else jax.tree.map(np.array, weights(carry)))
    restored = folder and checkpoint.restore(folder, {"state": carry, "progress": progress}, say=console.say)
    if restored:
        carry = restored.tree["state"]
        records.check(restored.info, {"seconds": float}, folder, "info")
        progress = restored.tree["progress"]._replace(step=restored.step, seconds=float(restored.info["seconds"]))

    def advance(carry: Any, step: int, n: int) -> Any:
        carry, history = program.advance(carry, step, n)
        return carry, on_host(history, n), np.array(carry.stopped)

    def measure(params: Params, share: float) -> dict[str, np.ndarray]:
        return {} if patience is None else {"validation_loss": losses(of_members(params), share)[places]}

    def save(carry: Any, progress: Any) -> None:
        tree = {"state": jax.device_get(carry), "progress": progress._replace(seconds=0.0)}
        if folder is not None:
            checkpoint.save(folder, progress.step, tree, keep=1, info={"seconds": progress.seconds})

    carry, progress, ended = loop(
        advance,
        carry,
        steps=steps,
        evaluate_every=settings["evaluate_every"],
        progress=progress,
        patience=patience,
        measure=measure,
        prune=prune and (lambda step, params, going_on: prune(step, of_members(params), going_on[index])[places]),
        freeze=lambda carry, stopped: carry._replace(stopped=program.place(stopped)),
        on_chunk=lambda step, history, _: show(step, float(np.median(history["loss"][..., -1]))),
        save=save,
        save_every=settings["checkpoint_every"],
        stop=stop,
    )
    if not ended:
        raise InterruptedRunError
    last = jax.device_get(weights(carry))
    return [outcome(progress, last, steps, at) for at in zip(*index, strict=True)], progress.seconds


def train_exactly(block: Block, prepared: Prepared, stop: Stop, show: Show) -> tuple[list[Outcome], dict[str, Any]]:
    """The members one after the other through the program that `aejax run` compiles: the same parameters, bit for bit.

    Returns:
        One outcome for each member, and the timing.

    Raises:
        InterruptedRunError: `stop` said so.
    """
    parts, settings = prepared.parts, block.members[0].config["train"]
    rows = [on_device(dataset.train, dataset, parts.relations) for dataset in prepared.datasets]
    started, init = time.perf_counter(), jax.jit(parts.run.init)
    state = init(parts.key, parts.hparams)
    program = compile_advance(parts.run, state, parts.key, parts.hparams, rows[0])
    compiled, outcomes = time.perf_counter() - started, []
    for member in block.members:
        key = jax.random.key(member.config["seed"])
        hparams = jax.tree.map(jax.numpy.float32, hparams_of(member, prepared))

        def measure(params: Params, share: float, member: Member = member) -> dict[str, float]:
            values = {} if settings["patience"] is None else evaluation.measured(member, prepared, params, share)
            return {name.replace("validation/", "validation_"): value for name, value in values.items()}

        state, progress, ended = loop(
            freezing(program, key, hparams, rows[member.fold or 0]),
            init(key, hparams),
            steps=settings["steps"],
            evaluate_every=settings["evaluate_every"],
            patience=settings["patience"],
            measure=measure,
            stop=stop,
        )
        if not ended:
            raise InterruptedRunError
        outcomes.append(outcome(progress, weights(state), settings["steps"]))
        show(settings["steps"], outcomes[-1].means["loss"])
    timing = {"strategy": "exact", "devices": 1, "compile_seconds": compiled}
    return outcomes, timing | {"train_seconds": time.perf_counter() - started - compiled}


def _result(member: Member, result: Outcome, metrics: Mapping[str, float]) -> dict[str, Any]:
    return {
        "id": member_id(member),
        "status": result.status,
        "step": result.step,
        "parameters_digest": digest(result.params),
        "metrics": metrics,
    }
