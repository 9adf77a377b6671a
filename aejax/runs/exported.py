"""Trained nets for use without aejax: what `aejax.export` needs of a run, and the card that travels along."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import __version__, export
from aejax.config.components import TASKS, resolve
from aejax.data.tables import are_numbered
from aejax.errors import UserError
from aejax.runs import apply, artifact, workdir
from aejax.runs.artifact import Trained
from aejax.storage.trees import digest
from aejax.training.numerics import fixed
from aejax.types import Column


@fixed()
def write(trained: Trained, path: Path, name: str, about: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a trained net in one of the formats of `aejax.export`.

    Args:
        trained: from `aejax.runs.apply.load`.
        path: of what is to be written, which is not there yet.
        name: of the format.
        about: what the card says of data and metrics.

    Returns:
        The actions that were exported.

    Raises:
        UserError: half of a net, a run that is not finished, or as from `aejax.export.write`.
    """
    export.check(path, name)
    if trained.actions != apply.ACTIONS:
        raise UserError("export: is half of a net; allowed: the folder of a run")
    folder = trained.folder
    if folder is not None and not any((folder / file).exists() for file in (workdir.FINISHED, workdir.HISTORY)):
        raise UserError(f"{folder}: its run is not finished; go on with aejax run --workdir {folder}")
    try:
        return export.write(net_of(trained), path, name, _card(trained, about))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; allowed: a folder that can be written") from error


def net_of(trained: Trained) -> export.Net:
    """A trained net as `aejax.export` takes it."""
    info, task = trained.info, trained.config.get("task")
    flat = lambda values: np.broadcast_to(values, trained.model.feature_shape).reshape(-1)
    names = () if are_numbered(info["feature_names"]) else info["feature_names"]
    means = artifact.means_of(info)
    named = isinstance(task, Mapping) and "name" in task
    return export.Net(
        trained.model,
        jax.tree.map(np.asarray, trained.params),
        **{name: flat(trained.scaling[name]).astype(np.float32) for name in ("shift", "scale")},
        origin=flat(artifact.origin_of(info)),
        log=flat(artifact.log_of(info)),
        means=None if means is None or trained.model.takes_missing else flat(means),
        columns=artifact.columns_of(info) or tuple(Column(name, at) for at, name in enumerate(names)),
        apply=resolve(task["name"], TASKS, what="task.name").apply if named else {},
        kept=apply.kept_of(trained),
        info=info,
        settings=trained.settings,
    )


def _card(trained: Trained, about: Mapping[str, Any]) -> dict[str, Any]:
    leaves = jax.tree.leaves(trained.params)
    parameters = {"count": sum(prod(leaf.shape) for leaf in leaves), "sha256": digest(trained.params)}
    config = {"model": dict(trained.settings), "config": dict(trained.config) or None}
    return {"aejax": __version__, "feature_shape": list(trained.model.feature_shape), **about, **config} | {
        "parameters": parameters
    }


def about(folder: Path) -> dict[str, Any]:
    """What the folder of a run says of its data, its metrics and the versions that it was trained with."""
    parts = {"data": workdir.DATASET, "run": workdir.FINISHED, "versions": workdir.ENVIRONMENT}
    read = {name: workdir.read_json(folder / file) for name, file in parts.items() if (folder / file).exists()}
    read = {name: record if isinstance(record, dict) else {} for name, record in read.items()}
    data, run, versions = (read.get(name, {}) for name in parts)
    return {
        "data": {name: data.get(name) for name in ("name", "source", "licence", "rows")},
        "metrics": run.get("metrics", {}),
        "baselines": run.get("baselines", {}),
        "versions": {"python": versions.get("python"), **(versions.get("packages") or {})},
    }
