"""The work on one block: an idempotent task with a folder of its own and a marker that says that it is done.

Any engine may do a task twice, and tasks in any order: what a marker vouches for is not trained again, and the marker,
which holds the results under a seal, is written last.
"""

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console
from aejax.errors import UserError
from aejax.files import write_atomic
from aejax.runs.training import restored_progress, save_progress
from aejax.storage import checkpoint, checksums
from aejax.storage.lock import alone
from aejax.storage.records import Either, Many, Named, Whole, Word
from aejax.storage.trees import digest
from aejax.sweep import evaluation
from aejax.sweep.plan import Block
from aejax.sweep.prepared import Prepared, hparams_of, size_of
from aejax.sweep.program import FORMS, Form, Program, choose, compile_block, forms, stack_hparams
from aejax.training.evaluate import on_device
from aejax.training.interruption import InterruptedRunError
from aejax.training.loop import GOING_ON, Outcome, Progress, begin, compile_advance, freezing, loop, on_host, outcome
from aejax.training.members import Carry
from aejax.training.step import weights
from aejax.types import Hparams, Params, State

PARTS = "parts"
CHECKPOINTS = "checkpoints"
EXACT = "exact"

FORM = {"strategy": Word("|".join(FORMS)), "level": Either((Whole(0, 3), None))}
RESULT = {"id": str, "status": str, "step": Whole(), "parameters_digest": str, "metrics": Named(float)}
MARKER = {"results": Many(RESULT), "timing": dict}
"""The forms of a `Form`, of what is known of a run, and of a marker, in a file."""

Stop = Callable[[], bool]
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


def run_block(
    block: Block,
    prepared: Prepared,
    options: Options,
    folder: Path,
    stop: Stop = lambda: False,
    *,
    program: Program | None = None,
    prune: Prune | None = None,
) -> list[dict[str, Any]]:
    """Train and evaluate a block in its part of a folder, unless a marker there says that this is done.

    Args:
        block: what to train.
        prepared: of its group.
        options: how.
        folder: of the sweep.
        stop: whether to stop now.
        program: where it is compiled already; None for that of the fastest form.
        prune: asked at every evaluation but the last which members are not worth going on with; None for none.

    Returns:
        For each member its ``id``, ``status``, ``step``, ``parameters_digest`` and ``metrics``.

    Raises:
        InterruptedRunError: `stop` said so; what was done is saved.
    """
    part = folder / PARTS / block.id
    with alone(part):  # a block that two processes were given is trained once
        marker = read_marker(part)
        if marker is None:
            if options.exact:
                program = _one_by_one(block, prepared)
            program = program or _fastest_form(block, prepared, options, part)
            marker = _trained(program, block, prepared, part, options, stop, prune)
            write_marker(part, marker)
            shutil.rmtree(part / CHECKPOINTS, ignore_errors=True)
    if stop():
        raise InterruptedRunError
    return marker["results"]


def _trained(
    program: Program, block: Block, prepared: Prepared, part: Path, options: Options, stop: Stop, prune: Prune | None
) -> dict[str, Any]:
    """What the marker of a block says of it, once it is trained and evaluated."""
    with console.progress(block.members[0].config["train"]["steps"], 0) as show:
        hooks = {"stop": stop, "show": show, "prune": prune}
        outcomes, seconds = train_block(program, block, prepared, part / CHECKPOINTS, **hooks)
    started, params = time.perf_counter(), stacked_params(outcomes)
    checkpoint.save(part / "params", 0, params, keep=1, info={"members": [member.id for member in block.members]})
    metrics = evaluation.metrics_of(block.members, outcomes, prepared, params, exact=options.exact)
    rows = zip(block.members, outcomes, metrics, strict=True)
    timing = {
        "strategy": program.form.strategy,
        "devices": 1 if options.exact else len(jax.devices()[: options.devices]),
        "compile_seconds": program.seconds,
        "train_seconds": seconds,
        "evaluate_seconds": time.perf_counter() - started,
    }
    return {"results": [{"id": member.id, **result_of(*each)} for member, *each in rows], "timing": timing}


def stacked_params(outcomes: Sequence[Outcome]) -> Params:
    """The parameters of all members, leaves (members, ...)."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *(each.params for each in outcomes))


def result_of(result: Outcome, metrics: Mapping[str, float]) -> dict[str, Any]:
    """What the table says of a run beside its setting."""
    return {
        "status": result.status,
        "step": result.step,
        "parameters_digest": digest(result.params),
        "metrics": metrics,
    }


def _fastest_form(block: Block, prepared: Prepared, options: Options, folder: Path) -> Program:
    """The program of a block in the fastest of the forms that it may have.

    A block that is continued keeps the form that it began with, which ``strategy.json`` tells.
    """
    path, likely = folder / "strategy.json", ()
    if checkpoint.steps(folder / CHECKPOINTS) and options.strategy == "auto" and path.exists():
        likely = [Form(**checksums.opened(path.read_bytes(), {"form": FORM}, path)["form"])]
    program = compile_fastest(block, prepared, options, likely=likely)
    tried = [form._asdict() | {"step_seconds": seconds} for form, seconds in program.tried.items()]
    write_atomic(path, checksums.sealed({"form": program.form._asdict(), "tried": tried}))
    return program


def _one_by_one(block: Block, prepared: Prepared) -> Program:
    """The program that `aejax run` compiles, for the members one after the other: the same parameters, bit for bit."""
    parts, cells = prepared.parts, list(np.ndindex(block.grid.shape))
    rows = [on_device(dataset.train, dataset, parts.relations) for dataset in prepared.datasets]
    started, start = time.perf_counter(), jax.jit(parts.run.init)
    program = compile_advance(parts.run, start(parts.key, parts.hparams), parts.key, parts.hparams, rows[0])
    spent = time.perf_counter() - started
    members = [block.members[block.grid[cell]] for cell in cells]
    hparams = [jax.tree.map(jnp.float32, hparams_of(member, prepared)) for member in members]
    runs = [
        (jax.random.key(member.config["seed"]), numbers, rows[member.fold or 0])
        for member, numbers in zip(members, hparams, strict=True)
    ]
    on_grid = lambda *leaves: np.stack(leaves).reshape(*block.grid.shape, *np.shape(leaves[0]))

    def init() -> Carry:
        states = [start(key, numbers) for key, numbers, _ in runs]
        return jax.tree.map(on_grid, *(Carry(each.params, each.opt_state, np.int32(GOING_ON)) for each in states))

    def advance(carry: Carry, step: int, n: int) -> tuple[Carry, dict[str, np.ndarray]]:
        carries, histories = [], []
        for cell, run in zip(cells, runs, strict=True):
            params, opt_state, stopped = jax.tree.map(lambda leaf, at=cell: leaf[at], carry)
            history = dict.fromkeys(("loss", *parts.hparams["terms"]), np.zeros(n, np.float32))
            if stopped == GOING_ON:
                state = jax.tree.map(jnp.asarray, State(params, opt_state, np.int32(step)))
                (params, opt_state, _), history, stopped = freezing(program, *run)(state, step, n)
            carries.append(Carry(params, opt_state, stopped))
            histories.append(history)
        return jax.tree.map(on_grid, *carries), jax.tree.map(on_grid, *histories)

    return Program(Form(EXACT, None), init, advance, np.asarray, seconds=spent)


def compile_fastest(
    block: Block, prepared: Prepared, options: Options, *, likely: Sequence[Form] = (), varied: Collection[int] = ()
) -> Program:
    """The program of a block in the fastest of some forms.

    Args:
        block: whose program it is.
        prepared: of its group.
        options: how.
        likely: the forms, the likeliest first; () for all that the options allow.
        varied: see `aejax.sweep.program.stack_hparams`.
    """
    seeds, folds = zip(*block.streams, strict=True)
    data, hparams = prepared.data([fold or 0 for fold in folds]), stacked_hparams(block, prepared, varied)
    fixed, devices = (prepared.parts.run, seeds, hparams, data), jax.devices()[: options.devices]
    compile_form = lambda form: compile_block(*fixed, form, block.grid.shape, devices)
    likely = likely or forms(options.strategy, size_of(prepared.parts))
    return choose(compile_form, likely, block.members[0].config["train"]["steps"])


def stacked_hparams(block: Block, prepared: Prepared, varied: Collection[int] = ()) -> Hparams:
    """The hyperparameters of a block, from `aejax.sweep.program.stack_hparams`."""
    return stack_hparams([hparams_of(member, prepared) for member in block.members], block.grid, varied)


def train_block(
    program: Program,
    block: Block,
    prepared: Prepared,
    folder: Path | None = None,
    *,
    stop: Stop = lambda: False,
    show: Callable[[int, float], None] = lambda step, loss: None,
    prune: Prune | None = None,
) -> tuple[list[Outcome], float]:
    """Train a block to the end, from where its folder's checkpoint is.

    Args:
        program: from `aejax.sweep.program.compile_block`.
        block: its members; one may fill several cells of the grid.
        prepared: of its group.
        folder: where checkpoints lie; None for none.
        stop: see `run_block`.
        show: takes the step and the median loss after each chunk.
        prune: likewise.

    Returns:
        One outcome for each member, and the seconds spent training.

    Raises:
        InterruptedRunError: `stop` said so; where there is a folder the state is saved.
    """
    members, grid, names = block.members, block.grid, ("loss", *prepared.parts.hparams["terms"])
    settings, exact = members[0].config["train"], program.form.strategy == EXACT
    steps, patience = settings["steps"], settings["patience"]
    index = np.unravel_index(np.unique(grid, return_index=True)[1], grid.shape)
    of_members = lambda tree: jax.tree.map(lambda leaf: np.asarray(leaf)[index], tree)

    def advance(carry: Any, step: int, n: int) -> Any:
        carry, history = program.advance(carry, step, n)
        return carry, on_host(history, n), np.array(carry.stopped)

    def measure(params: Params, share: float) -> dict[str, np.ndarray]:
        if patience is None:
            return {}
        shares = np.full(len(members), share)
        losses = evaluation.losses_of(members, prepared, of_members(params), shares, exact=exact)
        return {"validation_loss": losses["validation/loss"][grid]}

    carry = program.init()
    progress = begin(names, grid.shape, () if patience is None else jax.tree.map(np.array, weights(carry)))
    carry, progress = (folder and restored_progress(folder, carry, progress, block.id)) or (carry, progress)

    def save(carry: Any, progress: Progress) -> None:
        save_progress(folder, jax.device_get(carry), progress, keep=1, about={"block": block.id})

    carry, progress, ended = loop(
        advance,
        carry,
        steps=steps,
        evaluate_every=settings["evaluate_every"],
        progress=progress,
        patience=patience,
        measure=measure,
        prune=prune and (lambda step, params, going_on: prune(step, of_members(params), going_on[index])[grid]),
        freeze=lambda carry, stopped: carry._replace(stopped=program.put(stopped)),
        on_chunk=lambda step, history, _: show(step, float(np.median(history["loss"][..., -1]))),
        save=folder and save,
        save_every=settings["checkpoint_every"],
        stop=stop,
    )
    if not ended:
        raise InterruptedRunError
    last = jax.device_get(weights(carry))
    return [outcome(progress, last, steps, at) for at in zip(*index, strict=True)], progress.seconds


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What a block's marker holds; None where there is none that is whole."""
    try:
        path = folder / "done.json"
        marker = checksums.unsealed(path.read_bytes(), MARKER, path)
    except FileNotFoundError:
        return None
    except (OSError, UserError):
        console.say(f"{folder}: its marker is damaged; its runs are trained again")
        return None
    for result in marker["results"]:
        result["metrics"] = {name: float(value) for name, value in result["metrics"].items()}
    return marker


def write_marker(folder: Path, marker: Mapping[str, Any]) -> None:
    """Say that a block is done."""
    write_atomic(folder / "done.json", checksums.sealed(marker))


def finished(folder: Path) -> dict[str, dict[str, Any]]:
    """The results of all blocks that are done, by the id of the member."""
    markers = [read_marker(path.parent) for path in sorted((folder / PARTS).glob("*/done.json"))]
    return {result["id"]: result for marker in markers if marker for result in marker["results"]}
