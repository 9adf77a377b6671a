"""A run from its config to its folder: train, evaluate, draw; interrupted runs go on where they were."""

import math
import time
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import checkpoint, console, devices, train, windows, workdir
from aejax import config as configs
from aejax.build import Parts, build, build_model, check, load_data, training_rows
from aejax.components import positional, resolve
from aejax.data import copies, holes
from aejax.errors import UserError
from aejax.evaluate import make_losses, on_device
from aejax.files import write_json
from aejax.interruption import InterruptedRunError, asked_to_stop
from aejax.report import tensorboard
from aejax.retrain import retrainer
from aejax.train import Rows
from aejax.types import Dataset, Model, Params, State
from aejax.windows import Windows

EVALUATION_STREAM = 4


def run(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train what a config describes, in a folder, and leave there all that is worth keeping.

    The folder of a run that was not finished continues it, to the same parameters bit for bit; that of a finished run
    is read. Where a run has several processes (`aejax.distributed`), each one calls this with the same config and
    folder, and the first one alone evaluates and writes.

    Args:
        config: resolved, from `aejax.config.load`.
        folder: of the run; made if it is not there.

    Returns:
        What ``summary.json`` holds: ``seed``, ``metrics``, ``baselines``, ``timing``, ``parameters_digest``; nothing in
        processes other than the first. The sum of what ends in ``_seconds`` in ``timing`` is the time of the run.

    Raises:
        UserError: the config does not fit the data, the folder holds another run, or the loss became non-finite.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
        OSError: the folder cannot be written.
    """
    with devices.all_or_none():
        workdir.check(folder, config)
        finished = (folder / "summary.json").exists()
    if finished:
        console.say(f"{folder}: this run is finished")
        return workdir.read_json(folder / "summary.json")
    started = time.perf_counter()
    with devices.all_or_none():
        dataset, parts, rows = prepare(config)
    with devices.all_or_none():
        if devices.is_first():
            workdir.begin(folder, config)
            workdir.same_data(folder, dataset)
    _tell_missing(dataset)
    prepare_seconds = time.perf_counter() - started
    params, timing = fit(config, parts, dataset, rows, folder)
    if not devices.is_first():
        return {}
    checkpoint.save(folder / workdir.MODEL, 0, model_tree(params, dataset), keep=1, info=model_info(dataset))
    console.say("evaluating")
    started = time.perf_counter()
    summary = evaluate(config, parts, params, dataset, folder)
    summary["timing"] = timing | {
        "prepare_seconds": prepare_seconds,
        "evaluate_seconds": time.perf_counter() - started,
    }
    write_json(folder / "summary.json", summary)
    return summary


def _tell_missing(dataset: Dataset) -> None:
    """Say how many values of the data are missing as they were read, one for each column of categories."""
    missing = total = 0
    for split in (dataset.train, dataset.validation, dataset.test):
        if split.mask is not None and devices.is_first():
            there = split.mask if split.truth is None else ~np.isnan(split.truth)
            gone = np.isnan(holes.condensed(np.where(there, 0.0, np.nan), dataset.columns))
            missing, total = missing + int(gone.sum()), total + gone.size
    if missing:
        console.say(f"{dataset.name}: {missing} of {total} values are missing")


def prepare(config: Mapping[str, Any]) -> tuple[Dataset, Parts, Rows | Windows]:
    """The data of a run, its parts, and its training rows or the windows of a stream; all checked, nothing written.

    Raises:
        UserError: the config does not fit the data or the devices.
    """
    if config["report"]["tensorboard"]:
        tensorboard.import_writer()
    dataset = load_data(config["data"])
    if devices.is_first() and (line := copies.described(dataset)) is not None:
        console.say(line)
    check_task(config, dataset, build_model(config["model"], dataset.feature_shape, dataset.columns))
    settings = config["train"]
    mesh = devices.make_mesh(config["devices"], settings["batch_size"] or training_rows(dataset))
    parts = build(config, dataset, mesh)
    if dataset.stream is not None:
        streamed = windows.make(dataset, parts.key, settings["batch_size"], settings["steps"], parts.layout)
        check(parts, streamed.example)
        return dataset, parts, streamed
    rows = on_device(dataset.train, dataset, parts.relations)
    check(parts, rows)
    return dataset, parts, rows


def model_tree(params: Params, dataset: Dataset) -> dict[str, Any]:
    """What `aejax apply` needs beside the config: the parameters and the scaling of the data."""
    return {"params": params, "scaling": {"shift": dataset.shift, "scale": dataset.scale}}


def model_info(dataset: Dataset) -> dict[str, Any]:
    """The shape of one row, the names of its features, and its columns, where some are categories."""
    return {
        "feature_shape": list(dataset.feature_shape),
        "feature_names": list(dataset.feature_names),
        "columns": [astuple(column) for column in dataset.columns],
    }


def evaluate(config: Mapping[str, Any], parts: Parts, params: Params, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Run the config's task, draw its figures, and return its part of the summary."""
    given = dict(config["task"])
    task = resolve(given.pop("name"), "aejax.tasks", what="task.name")
    found = task(
        jax.random.fold_in(parts.key, EVALUATION_STREAM),
        parts.model,
        params,
        dataset,
        retrainer(config, dataset),
        **given,
    )
    if config["report"]["figures"]:
        from aejax.report import pictures

        pictures.draw(folder, config, dataset, parts.model, params, found)
    return {
        "seed": config["seed"],
        "metrics": found.metrics,
        "baselines": found.baselines,
        "parameters_digest": checkpoint.digest(params),
    }


def check_task(config: Mapping[str, Any], dataset: Dataset, model: Model) -> None:
    """Let a task refuse its data before training, by the ``check(dataset, **options)`` of its module, if it has one.

    A task that serves some models only has ``check(dataset, model, **options)``, and one that trains nets of its own
    ``check(dataset, model, config, **options)``.

    Raises:
        UserError: from the task.
    """
    options = dict(config["task"])
    task = resolve(options.pop("name"), "aejax.tasks", what="task.name")
    refuse = getattr(import_module(task.__module__), "check", None)
    if refuse is not None:
        refuse(*(dataset, model, config)[: len(positional(refuse))], **options)


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
    advance = train.compile_advance(parts.run, state, parts.key, parts.hparams, given, _shardings(parts))
    compile_seconds = time.perf_counter() - started
    measure = _measurer(parts, dataset)
    metrics = workdir.read_metrics(folder, until=begun)
    writing, host = devices.is_first(), devices.fetch if parts.layout is not None else lambda tree: tree
    writer = tensorboard.open_writer(folder) if config["report"]["tensorboard"] and writing else None
    seconds_before, step = kept.train_seconds, begun

    def save() -> None:
        tree = host({"state": state, "best": best})
        if writing:
            checkpoint.save(folder / workdir.CHECKPOINTS, step, tree, keep=settings["keep"], info=vars(kept))

    chunks = train.fit(advance, state, parts.key, parts.hparams, feed, steps=settings["steps"], stops=stops)
    with console.progress(settings["steps"], begun) as show, asked_to_stop() as asked:
        while step < settings["steps"] and not _enough(kept, settings["patience"]):
            try:
                chunk = next(chunks)
            except UserError as error:
                raise UserError(f"{error} ({_kept(folder)})") from None
            state, step = chunk.state, int(chunk.state.step)
            kept.train_seconds += chunk.seconds
            stop = bool(devices.of_all(asked()).any())
            _add(kept, chunk.history)
            show(step, float(chunk.history["loss"][-1]))
            if step % settings["evaluate_every"] == 0 or step == settings["steps"]:
                row = {"step": step} | _means(kept) | measure(state.params, step / settings["steps"])
                metrics.append(row)
                if writing:
                    workdir.write_metrics(folder, metrics)
                tensorboard.write(writer, row)
                if settings["patience"] is not None:
                    best = _judge(kept, devices.agreed(row["validation_loss"]), state.params, best)
            if step % settings["checkpoint_every"] == 0 or step == settings["steps"] or stop:
                save()
            if stop and step < settings["steps"]:
                raise InterruptedRunError(f"stopped at step {step}; go on with the same command and --workdir {folder}")
    if writer:
        writer.close()
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
    console.say(f"{folder}: going on from step {found.step}")
    return found.tree["state"], found.tree["best"], Progress(**found.info)


def _measurer(parts: Parts, dataset: Dataset) -> Any:
    """``(params, progress) -> {"validation_loss", …}``; nothing where there are no validation rows."""
    if not len(dataset.validation.x):
        return lambda params, progress: {}
    losses = make_losses(parts.model, parts.objective, parts.corrupt, dataset.range)
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
