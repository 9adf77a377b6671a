"""What the table says of the members of a block: losses, the metrics of the task, and baselines on the same rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from aejax.config.components import configured_task
from aejax.data.sparse import is_sparse
from aejax.sweep.plan import Member
from aejax.sweep.prepared import Prepared, hparams_of
from aejax.sweep.table import baseline
from aejax.tasks.common import active_units, pca_errors
from aejax.training.evaluate import host_rows
from aejax.training.loop import Outcome
from aejax.training.retrain import retrainer
from aejax.training.step import EVALUATION_STREAM
from aejax.types import Dataset, Params, Split


def metrics_of(
    members: Sequence[Member], outcomes: Sequence[Outcome], prepared: Prepared, params: Params, *, exact: bool
) -> list[dict[str, float]]:
    """The metrics of each member: means in training, validation losses, what the task measures, and baselines.

    Args:
        members: of one group.
        outcomes: of their training.
        prepared: of the group.
        params: those that were kept, leaves (members, ...).
        exact: measure one member after the other, to the bit as `aejax run` does.
    """
    task, options = configured_task(members[0].config["task"])
    progress = np.array([outcome.step for outcome in outcomes]) / members[0].config["train"]["steps"]
    columns = losses_of(members, prepared, params, progress, exact=exact)
    if task.members is None or exact:
        measured = [_of_task(*each, prepared) for each in zip(members, outcomes, strict=True)]
    else:
        of_fold = lambda fold, chosen, part: _by_name(
            task.members(prepared.parts.model, part, prepared.datasets[fold], options, prepared.together)
        )
        columns, measured = columns | _by_fold(members, params, of_fold), [{}] * len(members)
    rows = []
    for index, outcome in enumerate(outcomes):
        trained = {f"train/{name}": value for name, value in outcome.means.items()}
        rows.append(trained | {name: float(values[index]) for name, values in columns.items()} | measured[index])
    return [row | others for row, others in zip(rows, baselines_of(members, rows, prepared), strict=True)]


def losses_of(
    members: Sequence[Member], prepared: Prepared, params: Params, progress: np.ndarray, *, exact: bool = False
) -> dict[str, np.ndarray]:
    """The losses of the members' validation rows, (members,) each; none where there are no rows."""
    if prepared.validation[0] is None:
        return {}
    if exact:
        alone = [_losses_alone(member, prepared, params, progress, index) for index, member in enumerate(members)]
        return {name: np.array([losses[name] for losses in alone]) for name in alone[0]}

    def of_fold(fold: int, chosen: np.ndarray, part: Params) -> dict[str, np.ndarray]:
        keys = jax.vmap(_key)(np.array([members[index].config["seed"] for index in chosen], np.uint32))
        hparams = [hparams_of(members[index], prepared) for index in chosen]
        stacked = jax.tree.map(lambda *values: np.stack(values), *hparams)
        shares = progress[chosen].astype(np.float32)
        losses = prepared.member_losses(part, keys, stacked, prepared.validation[fold], shares, prepared.together)
        return _by_name({"validation": losses})

    return _by_fold(members, params, of_fold)


def _losses_alone(
    member: Member, prepared: Prepared, params: Params, progress: np.ndarray, index: int
) -> dict[str, float]:
    """Those of one member, as `aejax run` finds them."""
    weights, rows = jax.tree.map(lambda leaf: leaf[index], params), prepared.validation[member.fold or 0]
    key, hparams = _key(member.config["seed"]), hparams_of(member, prepared)
    return _by_name({"validation": prepared.losses(weights, key, hparams, rows, float(progress[index]))})


def _of_task(member: Member, outcome: Outcome, prepared: Prepared) -> dict[str, float]:
    """What the task measures of one member."""
    (task, options), dataset = configured_task(member.config["task"]), prepared.datasets[member.fold or 0]
    key, retrain = _key(member.config["seed"]), retrainer(member.config, dataset)
    metrics = _by_name(task.evaluate(key, prepared.parts.model, outcome.params, dataset, retrain, options).metrics)
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}


def _key(seed: Any) -> jax.Array:
    return jax.random.fold_in(jax.random.key(seed), EVALUATION_STREAM)


def _by_name(by_split: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{split}/{name}": values for split, named in by_split.items() for name, values in named.items()}


def _folds(members: Sequence[Member]) -> list[tuple[int, np.ndarray]]:
    """The folds of members, each with the indices of its members."""
    folds = np.array([member.fold or 0 for member in members])
    return [(int(fold), np.flatnonzero(folds == fold)) for fold in np.unique(folds)]


def _by_fold(
    members: Sequence[Member], params: Params, of_fold: Callable[[int, np.ndarray, Params], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Columns (members,) of what ``of_fold(fold, indices of its members, params of those)`` says of each fold."""
    columns: dict[str, np.ndarray] = {}
    for fold, chosen in _folds(members):
        part = jax.tree.map(lambda leaf, at=chosen: leaf[at], params)
        for name, values in of_fold(fold, chosen, part).items():
            columns.setdefault(name, np.full(len(members), np.nan))[chosen] = values
    return columns


def baselines_of(
    members: Sequence[Member], metrics: Sequence[Mapping[str, float]], prepared: Prepared
) -> list[dict[str, float]]:
    """What baselines have on validation rows, columns for each member: PCA's error, the mean row's, and the task's own.

    PCA has as many components as the code has units, or, of a sparse code whose use the task measures, as many as a row
    uses in the mean; see `aejax.tasks.common.active_units`.

    Args:
        members: of one group.
        metrics: of each.
        prepared: of the group.

    Returns:
        Nothing for members without validation rows.
    """
    (task, options), units = configured_task(members[0].config["task"]), prepared.parts.model.code_size
    counts = [active_units(row.get("validation/active_fraction", 1.0), units) for row in metrics]
    columns: list[dict[str, float]] = [{} for _ in members]
    for dataset, chosen in ((prepared.datasets[fold], chosen) for fold, chosen in _folds(members)):
        if not len(dataset.validation.x):
            continue
        train, rows, mask = _dense(dataset.train, dataset), _dense(dataset.validation, dataset), dataset.validation.mask
        mask = None if mask is None else mask.reshape(rows.shape)
        errors = pca_errors(train, rows, mask, {0, *(counts[index] for index in chosen)})
        by_metric = task.baselines(dataset, options) if task.baselines else {}
        others = {baseline(name, f"validation/{m}"): v for m, values in by_metric.items() for name, v in values.items()}
        pca, mean = baseline("pca", "validation/mse"), baseline("mean", "validation/mse")
        for index in chosen:
            columns[index] = others | {pca: errors[counts[index]], mean: errors[0]}
    return columns


def _dense(split: Split, dataset: Dataset) -> np.ndarray:
    """The scaled rows of a split, (m, n) float32."""
    rows = host_rows(split, dataset)
    return rows.toarray() if is_sparse(split.x) else rows
