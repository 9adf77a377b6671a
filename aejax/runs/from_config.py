"""A run from Python: of a config, into a folder, or with rows in memory, of which nothing is written."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import config as configs
from aejax.config.components import configured_task
from aejax.config.files import literals
from aejax.errors import UserError, hint
from aejax.runs import experiment, workdir
from aejax.runs.fit import fitted_of
from aejax.runs.fitted import Fitted, open_folder, path_of
from aejax.runs.training import train
from aejax.training.build import build, check
from aejax.training.evaluate import on_device
from aejax.training.held_out import outside_of, within_range
from aejax.training.members import few_shapes
from aejax.training.numerics import fixed
from aejax.training.retrain import SILENT, retrainer
from aejax.training.step import EVALUATION_STREAM
from aejax.types import Dataset, Params


def run_config(config: Any, folder: str | Path | None = None, *, data: Dataset | None = None, **changes: Any) -> Fitted:
    """Train what a config describes, as ``aejax run`` does, and open the folder.

    >>> import numpy as np
    >>> import aejax
    >>> data = aejax.data.from_arrays(np.random.default_rng(0).normal(size=(60, 4)), scaling="standard")
    >>> fitted = aejax.run("lecture/anomaly", data=data, steps=20)
    >>> sorted(fitted.apply("score", np.zeros((2, 4))).values)
    ['alarm', 'score']

    Args:
        config: a shipped experiment (``"lecture/multilayer"``), the path of a config file, a ``ConfigDict`` or
            a dict.
        folder: of the run; None for a new one under ``runs/``. That of an unfinished run goes on.
        data: rows in memory, in the place of what the config names. Nothing is written then, the task compares nothing,
            and `Fitted.apply` answers new rows.
        changes: fields of the config: by their own names where these are there once, such as ``steps=1000``, or in
            ``**{"optimizer.learning_rate": 3e-4}``.

    Raises:
        UserError: whatever is wrong with the config, the data or the folder, in one line.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
    """
    named = isinstance(config, str | Path)
    resolved = configs.load(str(config)) if named else configs.resolve(literals(config, what="config"))
    resolved = configs.varied(resolved, {_path(resolved, name): value for name, value in changes.items()})
    stem = Path(str(config).partition(":")[0]).stem if named else "run"
    if data is not None:
        if folder is not None:
            raise UserError("folder: with data in memory nothing is written; allowed: Fitted.save")
        return train_in_memory(resolved, data)
    folder = workdir.fresh(stem) if folder is None else path_of(folder)
    experiment.run(resolved, folder)
    return open_folder(folder)


@fixed()
def train_in_memory(
    config: Mapping[str, Any],
    dataset: Dataset,
    *,
    params: Params | None = None,
    progress: Callable[..., Any] = SILENT,
    say: Callable[[str], Any] = str,
) -> Fitted:
    """Train what a config describes on rows in memory, and have its task keep what new rows need; nothing is written.

    Args:
        config: resolved; its `data` section is passed over.
        dataset: the rows; a batch of more than there are is all of them.
        params: that training begins with; None: those that the seed draws. Other nets that the task trains begin anew.
        progress: ``(steps, 0) -> context manager of (step, loss)``, called after each chunk of steps.
        say: called with a line on held-out values that were cut to the range of the training rows.

    Raises:
        UserError: the config does not fit the data, `params` are of another net, or the loss is not finite.
    """
    size = config["train"]["batch_size"]
    config = configs.varied(config, {"train.batch_size": size and min(size, len(dataset.train.x))})
    experiment.check_task(config, dataset, to_keep=True)
    parts = build(config, dataset)
    rows = few_shapes(on_device(dataset.train, dataset, parts.relations), config["train"]["batch_size"])
    check(parts, rows)
    dataset = within_range(dataset, outside_of(config), lambda data: check(build(config, data), rows), say)
    steps, shapes = config["train"]["steps"], lambda tree: jax.tree.map(np.shape, tree)
    if params is not None and shapes(params) != shapes(jax.eval_shape(parts.model.init, parts.key)):
        raise UserError("the parameters to begin with are of a net of other sizes; allowed: those of the same net")
    with progress(steps, 0) as show:
        tell = lambda step, history, _: show(step, float(history["loss"][-1]))
        params, evaluations, _ = train(parts, dataset, rows, config["train"], params=params, on_chunk=tell)
    task, options = configured_task(config["task"])
    key, kept = jax.random.fold_in(parts.key, EVALUATION_STREAM), None
    if task.keep is not None:
        kept = task.keep(key, parts.model, params, dataset, retrainer(config, dataset, progress), options)
    history = {name: np.array([each[name] for each in evaluations]) for name in (evaluations or [{}])[0]}
    return replace(fitted_of(parts, dataset, params, history), config=config, kept=kept)


def _path(config: Mapping[str, Any], name: str) -> str:
    """The dotted path of a field: itself, or the one path that ends in this name."""
    if "." in name or name in config:
        return name
    paths = [path for path in _paths(config) if path.rpartition(".")[2] == name]
    if not paths:
        near = hint(name, {path.rpartition(".")[2] for path in _paths(config)})
        raise UserError(f"{name}: is no field of the config{near}")
    if len(paths) != 1:
        raise UserError(f"{name}: may be {' or '.join(paths)} of the config")
    return paths[0]


def _paths(config: Mapping[str, Any], before: str = "") -> list[str]:
    inside = ((f"{before}{name}", value) for name, value in config.items())
    return [p for path, value in inside for p in (_paths(value, f"{path}.") if isinstance(value, Mapping) else [path])]
