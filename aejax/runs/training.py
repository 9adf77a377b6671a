"""The training of a run in its folder: metrics and checkpoints while it trains, from where it was left."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import config as configs
from aejax import console
from aejax.errors import UserError
from aejax.runs import tensorboard, workdir
from aejax.storage import checkpoint, records
from aejax.training import devices
from aejax.training.build import Parts
from aejax.training.evaluate import make_losses, on_device, target_range
from aejax.training.interruption import InterruptedRunError, asked_to_stop
from aejax.training.loop import Progress, begin, compile_advance, loop, refusing
from aejax.training.step import EVALUATION_STREAM, weights
from aejax.training.windows import Windows
from aejax.types import Dataset, Params, Rows, State

PROGRESS = {"seconds": float}
"""The form of what a checkpoint says beside its arrays."""


def fit(
    config: Mapping[str, Any], parts: Parts, dataset: Dataset, rows: Rows | Windows, folder: Path
) -> tuple[Params, dict[str, float]]:
    """Train to the end, with evaluations, early stopping and checkpoints: the parameters to keep, and the timing."""
    settings = config["train"]
    state, before = _start(config, parts, folder)
    started = time.perf_counter()
    if isinstance(rows, Windows):
        feed, example, stops = rows.at, rows.example, (rows.steps,)
    else:
        feed = example = _everywhere(parts, rows)
        stops = ()
    program = compile_advance(parts.run, state, parts.key, parts.hparams, example, _shardings(parts))
    compile_seconds = time.perf_counter() - started
    host = devices.fetch if parts.layout is not None else lambda tree: tree

    def save(state: State, progress: Progress) -> None:
        state, progress = host(state), progress._replace(best=host(progress.best))
        if devices.is_first():
            save_progress(folder / workdir.CHECKPOINTS, state, progress, keep=settings["keep"])

    recording = _recording(config, folder, before.step)
    with recording as record, console.progress(settings["steps"], before.step) as show, asked_to_stop() as asked:
        try:
            state, progress, ended = loop(
                refusing(program, parts.key, parts.hparams, feed),
                state,
                steps=settings["steps"],
                evaluate_every=settings["evaluate_every"],
                progress=before,
                patience=settings["patience"],
                measure=_measurer(parts, dataset),
                on_chunk=lambda step, history, _: show(step, float(history["loss"][-1])),
                on_evaluation=record,
                save=save,
                save_every=settings["checkpoint_every"],
                stop=lambda: bool(devices.of_all(asked()).any()),
                stops=stops,
            )
        except UserError as error:
            raise UserError(f"{error} ({_last_checkpoint(folder)})") from None
    step, seconds = progress.step, progress.seconds - before.seconds
    if not ended:
        raise InterruptedRunError(f"stopped at step {step}; go on with the same command and --workdir {folder}")
    timing = {
        "compile_seconds": compile_seconds,
        "train_seconds": progress.seconds,
        "steps_per_second": (step - before.step) / seconds if seconds else 0.0,
        "steps": step,
    }
    best = progress.best if np.isfinite(progress.lowest) else weights(state)
    return jax.tree.map(jnp.asarray, host(best)), timing


def _everywhere(parts: Parts, rows: Rows) -> Rows:
    """The training rows on every device of the run; as they are on one."""
    return rows if parts.layout is None else devices.put(rows, devices.whole(parts.layout.step.mesh))


def _shardings(parts: Parts) -> Any:
    """Where the state and the history lie; None on one device."""
    if parts.layout is None:
        return None
    mesh = parts.layout.step.mesh
    console.say(
        f"training on {mesh.size} devices: {mesh.shape[devices.DATA]} share each batch, "
        f"{mesh.shape[devices.CODE]} the units of the code"
    )
    return parts.layout, devices.whole(mesh)


def _start(config: Mapping[str, Any], parts: Parts, folder: Path) -> tuple[State, Progress]:
    """The newest checkpoint that verifies, or a fresh state."""
    init = jax.jit(parts.run.init, out_shardings=parts.layout)
    like, names = jax.eval_shape(init, parts.key, parts.hparams), ("loss", *parts.hparams["terms"])
    early = config["train"]["patience"] is not None
    progress = begin(names, best=like.params if early else ())
    restored = restored_progress(folder / workdir.CHECKPOINTS, like, progress)
    devices.check_same(config=configs.dumps(config), checkpoint=str(restored and restored[1].step))
    if restored is None:
        state = init(parts.key, parts.hparams)
        return state, begin(names, best=jax.tree.map(jnp.copy, weights(state)) if early else ())
    console.say(f"{folder}: going on from step {restored[1].step}")
    return restored


def save_progress(folder: Path, state: Any, progress: Progress, *, keep: int) -> None:
    """Save the state and the progress of a run, or of many, so that equal checkpoints have equal bytes."""
    tree = {"state": state, "progress": progress._replace(seconds=0.0)}
    checkpoint.save(folder, progress.step, tree, keep=keep, info={"seconds": progress.seconds})


def restored_progress(folder: Path, state: Any, progress: Progress) -> tuple[Any, Progress] | None:
    """The newest checkpoint that verifies, in these structures; None where there is none."""
    restored = checkpoint.restore(folder, {"state": state, "progress": progress}, say=console.say)
    if restored is None:
        return None
    records.check(restored.info, PROGRESS, folder, "info")
    seconds = float(restored.info["seconds"])
    return restored.tree["state"], restored.tree["progress"]._replace(step=restored.step, seconds=seconds)


@contextmanager
def _recording(
    config: Mapping[str, Any], folder: Path, begun: int
) -> Iterator[Callable[[int, Mapping[str, float], Params], None]]:
    """``(step, metrics, params)``: writes an evaluation below those before it, and for TensorBoard where asked."""
    rows = workdir.read_metrics(folder, until=begun)
    writer = tensorboard.open_writer(folder) if config["report"]["tensorboard"] and devices.is_first() else None

    def record(step: int, metrics: Mapping[str, float], params: Params) -> None:
        rows.append({"step": step} | {name: float(value) for name, value in metrics.items()})
        if devices.is_first():
            workdir.write_metrics(folder, rows)
        tensorboard.write(writer, rows[-1])

    try:
        yield record
    finally:
        if writer is not None:
            writer.close()


def _measurer(parts: Parts, dataset: Dataset) -> Callable[[Params, float], dict[str, float]]:
    """``(params, progress) -> {"validation_loss", …}``, the same in all processes; nothing without validation rows."""
    if not len(dataset.validation.x):
        return lambda params, progress: {}
    losses = make_losses(parts.model, parts.objective, parts.corrupt, target_range(dataset))
    rows = on_device(dataset.validation, dataset, parts.relations)
    key = jax.random.fold_in(parts.key, EVALUATION_STREAM)

    def measure(params: Params, progress: float) -> dict[str, float]:
        params = params if parts.layout is None else devices.fetch(params)
        values = losses(params, key, parts.hparams, rows, progress)
        return {f"validation_{name}": devices.agreed(value) for name, value in values.items()}

    return measure


def _last_checkpoint(folder: Path) -> str:
    steps = checkpoint.steps(folder / workdir.CHECKPOINTS)
    return f"the checkpoint of step {steps[-1]} is kept" if steps else "no checkpoint had been saved"
