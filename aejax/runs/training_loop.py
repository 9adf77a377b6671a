"""The loop around the chunks of a run: evaluations, early stopping and checkpoints, from where the run was left."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
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
from aejax.storage.records import Either, Named, Whole
from aejax.training import chunks, devices
from aejax.training.build import Parts
from aejax.training.context import Rows
from aejax.training.evaluate import make_losses, on_device, target_range
from aejax.training.interruption import InterruptedRunError, asked_to_stop
from aejax.training.step import EVALUATION_STREAM
from aejax.training.windows import Windows
from aejax.types import Dataset, Params, State


@dataclass
class Progress:
    """What a run keeps beside the state, so that a resumed one writes the same files.

    Attributes:
        sums: by name, the sum of the loss and of each term since the last evaluation.
        count: how many steps those are.
        best_value: the lowest validation loss so far.
        waited: evaluations since then.
        train_seconds: spent training, over all processes that worked on the run.
    """

    sums: dict[str, float] = field(default_factory=dict)
    count: int = 0
    best_value: float | None = None
    waited: int = 0
    train_seconds: float = 0.0


PROGRESS = {
    "sums": Named(float),
    "count": Whole(),
    "best_value": Either((float, None)),
    "waited": Whole(),
    "train_seconds": float,
}
"""The form of `Progress` in a checkpoint."""


def fit(
    config: Mapping[str, Any], parts: Parts, dataset: Dataset, rows: Rows | Windows, folder: Path
) -> tuple[Params, dict[str, float]]:
    """Train to the end, with evaluations, early stopping and checkpoints: the parameters to keep, and the timing."""
    settings = config["train"]
    state, best, kept = _start(config, parts, folder)
    begun = int(state.step)
    started = time.perf_counter()
    stops = (settings["evaluate_every"], settings["checkpoint_every"])
    if isinstance(rows, Windows):
        feed, given, stops = rows.at, rows.example, (*stops, rows.steps)
    else:
        feed = given = _everywhere(parts, rows)
    advance = chunks.compile_advance(parts.run, state, parts.key, parts.hparams, given, _shardings(parts))
    compile_seconds = time.perf_counter() - started
    host = devices.fetch if parts.layout is not None else lambda tree: tree
    seconds_before, step = kept.train_seconds, begun

    def save() -> None:
        tree = host({"state": state, "best": best})
        if devices.is_first():
            checkpoint.save(folder / workdir.CHECKPOINTS, step, tree, keep=settings["keep"], info=vars(kept))

    done = chunks.fit(advance, state, parts.key, parts.hparams, feed, steps=settings["steps"], stops=stops)
    recording = _recording(config, parts, dataset, folder, begun)
    with recording as record, console.progress(settings["steps"], begun) as show, asked_to_stop() as asked:
        while step < settings["steps"] and not _enough(kept, settings["patience"]):
            try:
                chunk = next(done)
            except UserError as error:
                raise UserError(f"{error} ({_kept(folder)})") from None
            state, step = chunk.state, int(chunk.state.step)
            kept.train_seconds += chunk.seconds
            stop = bool(devices.of_all(asked()).any())
            _add(kept, chunk.history)
            show(step, float(chunk.history["loss"][-1]))
            if step % settings["evaluate_every"] == 0 or step == settings["steps"]:
                row = record(state, kept)
                if settings["patience"] is not None:
                    best = _judge(kept, devices.agreed(row["validation_loss"]), state.params, best)
            if step % settings["checkpoint_every"] == 0 or step == settings["steps"] or stop:
                save()
            if stop and step < settings["steps"]:
                raise InterruptedRunError(f"stopped at step {step}; go on with the same command and --workdir {folder}")
    seconds = kept.train_seconds - seconds_before
    timing = {
        "compile_seconds": compile_seconds,
        "train_seconds": kept.train_seconds,
        "steps_per_second": (step - begun) / seconds if seconds else 0.0,
        "steps": step,
    }
    return jax.tree.map(jnp.asarray, host(state.params if settings["patience"] is None else best)), timing


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


def _start(config: Mapping[str, Any], parts: Parts, folder: Path) -> tuple[State, Params, Progress]:
    """The newest checkpoint that verifies, or a fresh state."""
    init = jax.jit(parts.run.init, out_shardings=parts.layout)
    like = jax.eval_shape(init, parts.key, parts.hparams)
    early = config["train"]["patience"] is not None
    shapes = {"state": like, "best": like.params if early else {}}
    found = checkpoint.restore(folder / workdir.CHECKPOINTS, shapes, say=console.say)
    devices.check_same(config=configs.dumps(config), checkpoint=str(found and found.step))
    if found is None:
        state = init(parts.key, parts.hparams)
        return state, jax.tree.map(jnp.copy, state.params) if early else {}, Progress()
    kept = _progress(found.info, ("loss", *parts.hparams["terms"]), folder / workdir.CHECKPOINTS)
    console.say(f"{folder}: going on from step {found.step}")
    return found.tree["state"], found.tree["best"], kept


def _progress(info: Mapping[str, Any], names: Sequence[str], where: Path) -> Progress:
    """What a checkpoint has of the progress; `names` are those of the loss and its terms."""
    records.check(info, PROGRESS, where, "info")
    if not info["sums"].keys() <= set(names):
        raise UserError(f"{where}: is damaged: its sums are those of other terms")
    sums = {name: float(total) for name, total in info["sums"].items()}
    best = None if info["best_value"] is None else float(info["best_value"])
    return Progress(sums, info["count"], best, info["waited"], float(info["train_seconds"]))


@contextmanager
def _recording(
    config: Mapping[str, Any], parts: Parts, dataset: Dataset, folder: Path, begun: int
) -> Iterator[Callable[[State, Progress], dict[str, float]]]:
    """``(state, kept) -> row``: an evaluation, written below those before it, and for TensorBoard where asked."""
    measure, rows = _measurer(parts, dataset), workdir.read_metrics(folder, until=begun)
    writer = tensorboard.open_writer(folder) if config["report"]["tensorboard"] and devices.is_first() else None

    def record(state: State, kept: Progress) -> dict[str, float]:
        step = int(state.step)
        row = {"step": step} | _means(kept) | measure(state.params, step / config["train"]["steps"])
        rows.append(row)
        if devices.is_first():
            workdir.write_metrics(folder, rows)
        tensorboard.write(writer, row)
        return row

    try:
        yield record
    finally:
        if writer is not None:
            writer.close()


def _measurer(parts: Parts, dataset: Dataset) -> Callable[[Params, float], dict[str, float]]:
    """``(params, progress) -> {"validation_loss", …}``; nothing where there are no validation rows."""
    if not len(dataset.validation.x):
        return lambda params, progress: {}
    losses = make_losses(parts.model, parts.objective, parts.corrupt, target_range(dataset))
    rows = on_device(dataset.validation, dataset, parts.relations)
    key = jax.random.fold_in(parts.key, EVALUATION_STREAM)

    def measure(params: Params, progress: float) -> dict[str, float]:
        params = params if parts.layout is None else devices.fetch(params)
        found = losses(params, key, parts.hparams, rows, progress)
        return {f"validation_{name}": value for name, value in found.items()}

    return measure


def _add(kept: Progress, history: Mapping[str, np.ndarray]) -> None:
    for name, values in history.items():
        # one after the other, so that the sum does not depend on where the chunks were cut
        kept.sums[name] = float(np.cumsum(np.append(kept.sums.get(name, 0.0), values.astype(np.float64)))[-1])
    kept.count += len(history["loss"])


def _means(kept: Progress) -> dict[str, float]:
    means = {f"train_{name}": total / kept.count for name, total in kept.sums.items()}
    kept.sums, kept.count = {}, 0
    return means


def _judge(kept: Progress, value: float, params: Params, best: Params) -> Params:
    """Early stopping: the parameters with the lowest finite validation loss so far."""
    if math.isfinite(value) and (kept.best_value is None or value < kept.best_value):
        kept.best_value, kept.waited = value, 0
        return jax.tree.map(jnp.copy, params)  # the state's own buffers are used up by the next chunk
    kept.waited += 1
    return best


def _enough(kept: Progress, patience: int | None) -> bool:
    return patience is not None and kept.waited >= patience


def _kept(folder: Path) -> str:
    steps = checkpoint.steps(folder / workdir.CHECKPOINTS)
    return f"the checkpoint of step {steps[-1]} is kept" if steps else "no checkpoint had been saved"
