"""A run from its config to its folder: train, evaluate, draw; interrupted runs go on where they were."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import jax
import numpy as np

from aejax import config as configs
from aejax import console
from aejax.config.components import configured_task
from aejax.data import inspection
from aejax.data.encoding import per_column
from aejax.errors import UserError
from aejax.files import to_json, write_atomic
from aejax.models.architecture import summary
from aejax.runs import apply, artifact, results, workdir
from aejax.runs.profile import stage
from aejax.runs.training import train
from aejax.storage import checkpoint, checksums
from aejax.storage.lock import alone
from aejax.tasks.common import REMARKS, posterior, remarks
from aejax.training import devices, windows
from aejax.training.build import (
    Parts,
    batch_remark,
    batch_size_of,
    build,
    build_model,
    check,
    load_data,
    training_rows,
)
from aejax.training.evaluate import on_device
from aejax.training.held_out import outside_of, within_range
from aejax.training.numerics import fixed
from aejax.training.retrain import retrainer
from aejax.training.step import EVALUATION_STREAM
from aejax.training.windows import Windows
from aejax.types import Dataset, Evaluation, Model, Params, Rows


@fixed()
def run(config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Train what a config describes, in a folder, and leave there all that is worth keeping.

    The folder of a run that was not finished continues it, to the same parameters bit for bit; that of a finished run
    is read. Where a run has several processes (`aejax.training.distributed`), each one calls this with the same config
    and folder, and the first one alone evaluates and writes.

    Args:
        config: resolved, from `aejax.config.load`.
        folder: of the run; made if it is not there.

    Returns:
        What ``summary.json`` holds: ``seed``, ``metrics``, ``baselines``, ``timing``, ``parameters_digest`` and, where
        there are any, ``remarks``, of `aejax.tasks.common.REMARKS`; nothing in
        processes other than the first. The sum of what ends in ``_seconds`` in ``timing`` is the time of the run, and
        ``peak_memory_mb`` the most memory that the process has held, in 2**20 bytes.

    Raises:
        UserError: the config does not fit the data, the folder holds another run, another process works in it, or the
            loss became non-finite.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
        OSError: the folder cannot be written.
    """
    with ExitStack() as working:
        return _run(config, folder, working)


def _run(config: Mapping[str, Any], folder: Path, working: ExitStack) -> dict[str, Any]:
    with devices.all_or_none():
        workdir.check(folder, config)
        finished = workdir.finished(folder)
    if finished is not None:
        _look_at_data(config["data"], folder)
        console.say(f"{folder}: this run is finished")
        if not _is_lost(folder, finished):
            return finished
    started = time.perf_counter()
    with devices.all_or_none():
        loaded, dataset, parts, rows = prepare(config)
    with devices.all_or_none():
        devices.check_same(config=configs.dumps(config))
        if devices.is_first():
            working.enter_context(alone(folder, workdir.WAIT_SECONDS))
            workdir.check(folder, config)  # nobody has begun another run there meanwhile
            with stage("files"):
                workdir.begin(folder, config)
                workdir.same_data(folder, loaded)
            console.say(summary(parts.model, terms=config["terms"]))
            _tell_missing(dataset, parts.model)
    prepare_seconds = time.perf_counter() - started
    with _tensorboard(config, folder) as record, _imported_meanwhile(config):
        params, _, timing = train(parts, dataset, rows, config["train"], folder, bar=True, on_evaluation=record)
    if not devices.is_first():
        return {}
    with stage("files"):
        artifact.save(folder / workdir.MODEL, params, dataset)
    if finished is not None:
        console.say(f"{folder / workdir.MODEL}: was missing or damaged, and is written again from the last checkpoint")
        return finished
    console.say("evaluating")
    started = time.perf_counter()
    with stage("evaluation"):
        evaluation, evaluated, names = evaluate(config, parts, params, dataset, folder)
        tables = _tables(config, evaluation, parts.model, params, loaded, folder)
    if tables:
        evaluated["tables"] = tables
    seconds = {"prepare_seconds": prepare_seconds, "evaluate_seconds": time.perf_counter() - started}
    evaluated["timing"] = timing | seconds | workdir.peak_memory()
    names += [name for name in tables if (folder / name).is_file()]
    with stage("files"):
        checksums.write(folder, [*workdir.WRITTEN, *names], {workdir.FINISHED: to_json(evaluated)})
    return evaluated


def _look_at_data(settings: Mapping[str, Any], folder: Path) -> None:
    """Refuse what a finished run says of a person's own data that have changed since, and say again how they are read.

    Raises:
        UserError: they have changed.
    """
    if not settings["name"].startswith((*inspection.OWN, "stream:")):
        return
    try:
        dataset = load_data(settings)
    except UserError as error:
        console.say(f"{folder}: its data cannot be read any more, so whether they have changed is not known: {error}")
        return
    workdir.same_data(folder, dataset)
    for line in inspection.described(dataset):
        console.say(line)


def _is_lost(folder: Path, summary: Mapping[str, Any]) -> bool:
    """Whether the model of a finished run is missing or damaged, and its last checkpoint holds the parameters."""
    try:
        checkpoint.read(folder / workdir.MODEL, say=str)
        return False
    except UserError as error:
        lost = error
    with suppress(UserError):
        if checkpoint.read(folder / workdir.CHECKPOINTS, say=str).step == summary["timing"].get("steps"):
            return True
    console.say(f"{lost}, nor one of the last step; allowed: the same config and another --workdir")
    return False


def _tell_missing(dataset: Dataset, model: Model) -> None:
    """Say how many values of the data are missing as they were read, one for each column of categories."""
    missing = total = 0
    for split in (dataset.train, dataset.validation, dataset.test):
        if split.mask is not None:
            observed = split.mask if split.truth is None else ~np.isnan(split.truth)
            cells = np.isnan(per_column(np.where(observed, 0.0, np.nan), dataset.columns))
            missing, total = missing + int(cells.sum()), total + cells.size
    if missing:
        is_told = model.takes_missing or dataset.train.mask is None
        mean = "" if is_told else "; each is taken for the mean of its column, by aejax apply as well"
        console.say(f"{dataset.name}: {missing} of {total} values are missing{mean}")


def prepare(config: Mapping[str, Any]) -> tuple[Dataset, Dataset, Parts, Rows | Windows]:
    """What a run needs, all checked, nothing written.

    Returns:
        The data as they were loaded; with their held-out values in a range that the loss can be computed on; the parts
        of the run; and its training rows, or the windows of a stream.

    Raises:
        UserError: the config does not fit the data or the devices.
    """
    if config["report"]["tensorboard"] and find_spec("tensorboardX") is None:
        line = "report.tensorboard: needs a package; install it with: pip install 'aejax[tensorboard]'"
        raise UserError(line)
    with stage("load"):
        loaded = dataset = load_data(config["data"])
    said = [*inspection.described(dataset), *batch_remark(config["train"], dataset)]
    for line in said if devices.is_first() else ():
        console.say(line)
    check_task(config, dataset)
    settings = config["train"]
    mesh = devices.make_mesh(config["devices"], batch_size_of(settings, dataset) or training_rows(dataset))
    parts = build(config, dataset, mesh)
    if dataset.stream is not None:
        rows = windows.make(dataset, parts.key, settings["batch_size"], settings["steps"], parts.layout)
    else:
        with stage("input"):
            rows = on_device(dataset.train, dataset, parts.relations)
    example = rows.example if isinstance(rows, Windows) else rows
    check(parts, example)
    accepts = lambda data: check(build(config, data), example)
    dataset = within_range(dataset, outside_of(config), accepts, console.say if devices.is_first() else str)
    if mesh is None:
        return loaded, dataset, parts, rows
    shares = f"{mesh.shape[devices.DATA]} share each batch, {mesh.shape[devices.CODE]} the units of the code"
    console.say(f"training on {mesh.size} devices: {shares}")
    return loaded, dataset, parts, rows if isinstance(rows, Windows) else devices.put(rows, devices.whole(mesh))


@contextmanager
def _imported_meanwhile(config: Mapping[str, Any]) -> Iterator[None]:
    """Import in a thread what the evaluation and its figures need; they begin when it has ended."""
    if not devices.is_first():
        yield
        return
    drawing = ("aejax.figures.run", "matplotlib.figure", "matplotlib.backends.backend_agg")
    names = configured_task(config["task"])[0].imports + (drawing if config["report"]["figures"] else ())

    def work() -> None:
        for name in names:
            with suppress(Exception):  # is said where it is needed
                import_module(name)

    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        with stage("import"):
            thread.join()


@contextmanager
def _tensorboard(config: Mapping[str, Any], folder: Path) -> Iterator[Callable[..., None] | None]:
    """``(step, metrics, params)``: writes an evaluation for TensorBoard, ``train_loss`` as ``train/loss``.

    None where nobody asked for it.
    """
    if not (config["report"]["tensorboard"] and devices.is_first()):
        yield None
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder / "tensorboard")) as writer:

        def record(step: int, metrics: Mapping[str, float], params: Params) -> None:
            for name, value in metrics.items():
                if name != "step":
                    writer.add_scalar(name.replace("_", "/", 1), value, step)

        yield record


def evaluate(
    config: Mapping[str, Any], parts: Parts, params: Params, dataset: Dataset, folder: Path
) -> tuple[Evaluation, dict[str, Any], list[str]]:
    """Run the config's task, save what it keeps, draw its figures; with its part of the summary and names of files."""
    task, options = configured_task(config["task"])
    key, retrain = jax.random.fold_in(parts.key, EVALUATION_STREAM), retrainer(config, dataset, console.progress)
    evaluation = task.evaluate(key, parts.model, params, dataset, retrain, options)
    test = posterior(parts.model, params, dataset) | dict(evaluation.metrics.get("test", {}))
    metrics = {**evaluation.metrics, "test": test} if test else evaluation.metrics
    said = remarks(parts.model, dataset, evaluation)
    for kind, numbers in said.items():
        console.say(REMARKS[kind].format(**numbers))
    if evaluation.kept is not None:
        checkpoint.save(folder / workdir.KEPT, 0, evaluation.kept.tree, keep=1, info=evaluation.kept.info)
    for name, text in evaluation.files.items():
        write_atomic(folder / name, text)
    if config["report"]["figures"]:
        from aejax.figures import run as pictures

        curve = workdir.read_metrics(folder)
        with stage("figures"):
            pictures.write(
                folder / workdir.FIGURES, curve, task.figures, evaluation, dataset, parts.model, params, config
            )
    summary = {
        "seed": config["seed"],
        "metrics": metrics,
        "baselines": evaluation.baselines,
        **({"remarks": said} if said else {}),
        "parameters_digest": checkpoint.digest(params),
    }
    return evaluation, summary, list(evaluation.files)


def _tables(
    config: Mapping[str, Any], evaluation: Evaluation, model: Model, params: Params, dataset: Dataset, folder: Path
) -> dict[str, str]:
    """Write what the net says of every row of a person's own file; by the names of the tables, what is in them."""
    if dataset.train.source_index is None:
        return {}
    data = config["data"]
    info = artifact.info_of(dataset) | {"label_column": None if data.get("labels") else data.get("label_column")}
    scaling = {"shift": dataset.shift, "scale": dataset.scale}
    known = {"config": config, "kept": evaluation.kept}
    trained = artifact.Trained(model, params, scaling, info, config["model"], apply.ACTIONS, **known)
    return results.of_run(trained, evaluation, dataset, config, folder)


def check_task(config: Mapping[str, Any], dataset: Dataset, *, to_keep: bool = False) -> None:
    """Let the task refuse data and models that it cannot serve, before anything is trained.

    Args:
        config: resolved.
        dataset: the data.
        to_keep: whether nothing is evaluated, and what the task keeps for new rows is all that is wanted of it.

    Raises:
        UserError: from the task or the model.
    """
    task, options = configured_task(config["task"])
    needs = (task.keep_needs if to_keep else None) or task.needs
    if needs is None:
        return
    try:
        model = build_model(config["model"], dataset.feature_shape, dataset.columns)
    except UserError as refused:
        try:  # without a model the task looks at the data alone, and speaks first of them
            needs(dataset, None, config, options)
        except AttributeError:
            raise refused from None
        except UserError as error:
            raise (refused if isinstance(error.__cause__, AttributeError) else error) from None
        raise
    needs(dataset, model, config, options)
