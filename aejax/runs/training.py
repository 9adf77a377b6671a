"""The training of a run, of a config or from Python: evaluations, early stopping, and checkpoints in its folder."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console
from aejax.errors import UserError
from aejax.runs import workdir
from aejax.runs.profile import stage
from aejax.storage import checkpoint, checksums, records
from aejax.storage.records import Fields, Named
from aejax.training import devices
from aejax.training.build import Parts
from aejax.training.compilation import compiled_once
from aejax.training.evaluate import on_device
from aejax.training.interruption import InterruptedRunError, asked_to_stop
from aejax.training.loop import Progress, begin, compile_advance, loop, refusing
from aejax.training.step import EVALUATION_STREAM, begun_with, weights
from aejax.training.windows import Windows
from aejax.types import Dataset, Params, Rows, State

INFO = Fields({"seconds": float}, {"files": Named(str), "metrics": workdir.MARK, "block": str})
"""The form of what a checkpoint says beside its arrays."""


class Result(NamedTuple):
    """What training led to.

    Attributes:
        params: to keep: those of the lowest validation loss where training may stop early, else the last ones.
        evaluations: a dict of numbers for each, with its ``step``.
        timing: ``compile_seconds``, ``train_seconds``, ``steps_per_second`` and ``steps``.
    """

    params: Params
    evaluations: list[dict[str, float]]
    timing: dict[str, float]


def train(
    parts: Parts,
    dataset: Dataset,
    rows: Rows | Windows,
    settings: Mapping[str, Any],
    folder: Path | None = None,
    *,
    bar: bool = False,
    params: Params | None = None,
    on_chunk: Callable[[int, Mapping[str, np.ndarray], float], Any] | None = None,
    on_evaluation: Callable[[int, dict[str, float], Params], Any] | None = None,
) -> Result:
    """Train to the end; with a folder from its newest checkpoint on, to the same parameters bit for bit.

    Args:
        parts: of the run.
        dataset: whose validation rows are evaluated.
        rows: that are trained on.
        settings: the `train` section of a config, of which it reads ``steps``, ``evaluate_every``, ``patience`` and,
            with a folder, ``checkpoint_every`` and ``keep``.
        folder: for ``checkpoints`` and ``metrics.csv``; None writes nothing.
        bar: whether a person sees how far it is.
        params: that a run without a folder begins with; None: those that its seed draws.
        on_chunk: as of `aejax.training.loop.loop`, where no bar is shown.
        on_evaluation: likewise.

    Raises:
        UserError: the loss became non-finite.
        InterruptedRunError: SIGINT or SIGTERM came, and what was done is in the folder.
    """
    state, before = _start(parts, settings["patience"] is not None, folder, params)
    feed, example, stops = (
        (stage("input")(rows.at), rows.example, (rows.steps,)) if isinstance(rows, Windows) else (rows, rows, ())
    )
    shardings = None if parts.layout is None else (parts.layout, devices.whole(parts.layout.step.mesh))
    started = time.perf_counter()
    with console.during("compiling") if bar else nullcontext():
        program = compile_advance(parts.run, state, parts.key, parts.hparams, example, shardings)
    compile_seconds = time.perf_counter() - started
    evaluations, record = _recorder(folder if devices.is_first() else None, before.step, on_evaluation)
    shown = console.progress(settings["steps"], before.step) if bar else nullcontext()
    signals = nullcontext(lambda: False) if folder is None else asked_to_stop()
    with shown as show, signals as asked:
        try:
            state, progress, ended = loop(
                stage("step")(refusing(program, parts.key, parts.hparams, feed)),
                state,
                steps=settings["steps"],
                evaluate_every=settings["evaluate_every"],
                progress=before,
                patience=settings["patience"],
                measure=stage("evaluation")(_measure(parts, dataset)),
                on_chunk=(lambda step, history, _: show(step, float(history["loss"][-1]))) if bar else on_chunk,
                on_evaluation=record,
                save=None if folder is None else stage("files")(_saver(parts, folder, settings["keep"])),
                save_every=None if folder is None else settings["checkpoint_every"],
                stop=lambda: bool(devices.of_all(asked()).any()),
                stops=stops,
            )
        except UserError as error:
            raise error if folder is None else UserError(f"{error} ({_last_checkpoint(folder)})") from None
    if not ended:
        again = f"the same command and --workdir {folder}" if bar else f"the same call and folder={folder}"
        raise InterruptedRunError(f"stopped at step {progress.step}; go on with {again}")
    seconds = progress.seconds - before.seconds
    timing = {
        "compile_seconds": compile_seconds,
        "train_seconds": progress.seconds,
        "steps_per_second": (progress.step - before.step) / seconds if seconds else 0.0,
        "steps": progress.step,
    }
    best = progress.best if np.isfinite(progress.lowest) else weights(state)
    return Result(jax.tree.map(jnp.asarray, _on_host(parts, best)), evaluations, timing)


def _recorder(
    folder: Path | None, step: int, on_evaluation: Callable[[int, dict[str, float], Params], Any] | None
) -> tuple[list[dict[str, float]], Callable[[int, Mapping[str, Any], Params], None]]:
    """The evaluations up to a step, and what adds one to them and to ``metrics.csv``."""
    evaluations = [] if folder is None else workdir.metrics_before(folder, step)
    if folder is not None:
        workdir.write_metrics(folder, evaluations)

    def record(step: int, metrics: Mapping[str, Any], params: Params) -> None:
        evaluations.append({"step": step} | {name: float(value) for name, value in metrics.items()})
        if folder is not None:
            workdir.append_metrics(folder, evaluations[-1])
        if on_evaluation is not None:
            on_evaluation(step, evaluations[-1], params)

    return evaluations, record


def _on_host(parts: Parts, tree: Any) -> Any:
    """A tree as it is; of a run on several devices, its leaves put together."""
    return tree if parts.layout is None else devices.fetch(tree)


def _start(parts: Parts, early: bool, folder: Path | None, params: Params | None) -> tuple[State, Progress]:
    """The newest checkpoint that verifies, or a fresh state, with parameters of another run where these are given."""
    one_device = parts.layout is None
    init = compiled_once(parts.run.init) if one_device else jax.jit(parts.run.init, out_shardings=parts.layout)
    names = ("loss", *parts.hparams["terms"])
    if folder is not None:
        like, saved = jax.eval_shape(parts.run.init, parts.key, parts.hparams), folder / workdir.CHECKPOINTS
        restored = restored_progress(saved, like, begin(names, best=like.params if early else ()))
        devices.check_same(checkpoint=str(restored and restored[1].step))
        if restored is not None:
            console.say(f"{folder}: going on from step {restored[1].step}")
            return restored
    state = init(parts.key, parts.hparams)
    if params is not None:
        state = begun_with(state, jax.tree.map(jnp.array, params))  # copies, since a step takes its state's memory
    return state, begin(names, best=jax.tree.map(jnp.copy, weights(state)) if early else ())


def _saver(parts: Parts, folder: Path, keep: int) -> Callable[[State, Progress], None]:
    """``(state, progress)``: saves a checkpoint, which says what the files of the run are that it belongs to."""
    begun = checksums.of(folder, workdir.BEGUN)

    def save(state: State, progress: Progress) -> None:
        state, progress = _on_host(parts, state), progress._replace(best=_on_host(parts, progress.best))
        if devices.is_first():
            about = {"files": begun, "metrics": workdir.mark_of_metrics(folder)}
            save_progress(folder / workdir.CHECKPOINTS, state, progress, keep=keep, about=about)

    return save


def save_progress(folder: Path, state: Any, progress: Progress, *, keep: int, about: Mapping[str, Any] = {}) -> None:
    """Save a checkpoint of a run, or of many, without the seconds, so that equal ones have equal bytes."""
    tree = {"state": state, "progress": progress._replace(seconds=0.0)}
    checkpoint.save(folder, progress.step, tree, keep=keep, info={"seconds": progress.seconds, **about})


def restored_progress(
    folder: Path, state: Any, progress: Progress, block: str | None = None
) -> tuple[Any, Progress] | None:
    """The newest checkpoint that verifies, in these structures; None where there is none, or that of another block."""
    restored = checkpoint.restore(folder, {"state": state, "progress": progress}, say=console.say)
    if restored is None:
        return None
    info = records.check(restored.info, INFO, folder, "info")
    if info.get("block", block) != block:
        console.say(f"{folder}: is of another part of a sweep, and is passed over; this part begins again")
        return None
    seconds = float(info["seconds"])
    return restored.tree["state"], restored.tree["progress"]._replace(step=restored.step, seconds=seconds)


def _measure(parts: Parts, dataset: Dataset) -> Callable[[Params, float], dict[str, float]]:
    """``(params, progress) -> {"validation_loss", …}``, the same in all processes; nothing without validation rows."""
    if not len(dataset.validation.x):
        return lambda params, progress: {}
    rows = on_device(dataset.validation, dataset, parts.relations)
    key = jax.random.fold_in(parts.key, EVALUATION_STREAM)

    def measure(params: Params, progress: float) -> dict[str, float]:
        values = parts.losses(_on_host(parts, params), key, parts.hparams, rows, progress)
        return {f"validation_{name}": devices.agreed(value) for name, value in values.items()}

    return measure


def _last_checkpoint(folder: Path) -> str:
    steps = checkpoint.steps(folder / workdir.CHECKPOINTS)
    return f"the checkpoint of step {steps[-1]} is kept" if steps else "no checkpoint had been saved"
