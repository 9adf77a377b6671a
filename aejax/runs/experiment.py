"""A run from its config to its folder: train, evaluate, draw; interrupted runs go on where they were."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import console
from aejax.config.components import configured_task
from aejax.data import inspection
from aejax.data.encoding import per_column
from aejax.errors import UserError
from aejax.files import write_atomic, write_json
from aejax.models.architecture import summary
from aejax.runs import tensorboard, workdir
from aejax.runs.training import fit
from aejax.storage import checkpoint
from aejax.training import devices, windows
from aejax.training.build import Parts, build, build_model, check, load_data, training_rows
from aejax.training.context import Rows
from aejax.training.evaluate import on_device
from aejax.training.retrain import retrainer
from aejax.training.step import EVALUATION_STREAM
from aejax.training.windows import Windows
from aejax.types import Dataset, Model, Params


def run(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train what a config describes, in a folder, and leave there all that is worth keeping.

    The folder of a run that was not finished continues it, to the same parameters bit for bit; that of a finished run
    is read. Where a run has several processes (`aejax.training.distributed`), each one calls this with the same config
    and folder, and the first one alone evaluates and writes.

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
        return workdir.read_json(folder / "summary.json", workdir.SUMMARY)
    started = time.perf_counter()
    with devices.all_or_none():
        dataset, parts, rows = prepare(config)
    with devices.all_or_none():
        if devices.is_first():
            workdir.begin(folder, config)
            workdir.same_data(folder, dataset)
    _say_what_is_trained(config, parts.model)
    _tell_missing(dataset, parts.model)
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


def _say_what_is_trained(config: Mapping[str, Any], model: Model) -> None:
    if devices.is_first():
        console.say(summary(model, terms=config["terms"]))


def _tell_missing(dataset: Dataset, model: Model) -> None:
    """Say how many values of the data are missing as they were read, one for each column of categories."""
    missing = total = 0
    for split in (dataset.train, dataset.validation, dataset.test):
        if split.mask is not None and devices.is_first():
            there = split.mask if split.truth is None else ~np.isnan(split.truth)
            gone = np.isnan(per_column(np.where(there, 0.0, np.nan), dataset.columns))
            missing, total = missing + int(gone.sum()), total + gone.size
    if missing:
        refusal = "" if model.takes_missing else "; the trained net itself takes none (aejax apply needs whole rows)"
        console.say(f"{dataset.name}: {missing} of {total} values are missing{refusal}")


def prepare(config: Mapping[str, Any]) -> tuple[Dataset, Parts, Rows | Windows]:
    """The data of a run, its parts, and its training rows or the windows of a stream; all checked, nothing written.

    Raises:
        UserError: the config does not fit the data or the devices.
    """
    if config["report"]["tensorboard"]:
        tensorboard.import_writer()
    dataset = load_data(config["data"])
    for line in inspection.described(dataset) if devices.is_first() else ():
        console.say(line)
    check_task(config, dataset)
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
    """Run the config's task, save what it keeps, draw its figures, and return its part of the summary."""
    task, options = configured_task(config["task"])
    key, retrain = jax.random.fold_in(parts.key, EVALUATION_STREAM), retrainer(config, dataset, console.progress)
    found = task.evaluate(key, parts.model, params, dataset, retrain, options)
    if found.kept is not None:
        checkpoint.save(folder / workdir.KEPT, 0, found.kept.tree, keep=1, info=found.kept.info)
    for name, text in found.files.items():
        write_atomic(folder / name, text)
    if config["report"]["figures"]:
        from aejax.figures import run as pictures

        curve = workdir.read_metrics(folder)
        pictures.write(folder / workdir.FIGURES, curve, config, dataset, parts.model, params, found, task.figures)
    return {
        "seed": config["seed"],
        "metrics": found.metrics,
        "baselines": found.baselines,
        "parameters_digest": checkpoint.digest(params),
    }


def check_task(config: Mapping[str, Any], dataset: Dataset) -> None:
    """Let the task refuse data and models that it cannot serve, before anything is trained.

    Args:
        config: resolved.
        dataset: the data.

    Raises:
        UserError: from the task or the model.
    """
    task, options = configured_task(config["task"])
    if task.needs is None:
        return
    try:
        model = build_model(config["model"], dataset.feature_shape, dataset.columns)
    except UserError:
        with suppress(AttributeError):  # without a model the task looks at the data alone, and speaks first of them
            task.needs(dataset, None, config, options)
        raise
    task.needs(dataset, model, config, options)
