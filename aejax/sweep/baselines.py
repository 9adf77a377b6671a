"""What a baseline has on the rows that a sweep is decided by: a good setting is not only better than other settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.config.components import configured_task
from aejax.data.sparse import is_sparse
from aejax.sweep.plan import Member
from aejax.sweep.prepared import Prepared
from aejax.tasks.common import active_units, pca_errors
from aejax.training.evaluate import host_rows
from aejax.types import Dataset, Split

BASELINE = "baseline"


def column(name: str, metric: str) -> str:
    """The column of the table that holds what a baseline has in a metric."""
    return f"{BASELINE}/{name}/{metric}"


def of_metric(metric: str, columns: Sequence[str]) -> list[str]:
    """The baselines that a table has beside a metric, the one to be shown first."""
    parts = [name.split("/", 2) for name in columns]
    return [part[1] for part in parts if part[0] == BASELINE and part[2:] == [metric]]


def of_members(
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
    units = prepared.parts.model.code_size
    counts = [active_units(row.get("validation/active_fraction", 1.0), units) for row in metrics]
    columns: list[dict[str, float]] = [{} for _ in members]
    for fold in sorted({member.fold or 0 for member in members}):
        dataset = prepared.datasets[fold]
        if not len(dataset.validation.x):
            continue
        indices = [index for index, member in enumerate(members) if (member.fold or 0) == fold]
        mask = dataset.validation.mask
        rows = _rows(dataset.validation, dataset)
        errors = pca_errors(
            _rows(dataset.train, dataset),
            rows,
            None if mask is None else mask.reshape(rows.shape),
            {0, *(counts[index] for index in indices)},
        )
        row = _of_task(members[indices[0]].config["task"], dataset)
        for index in indices:
            columns[index] = row | {
                column("pca", "validation/mse"): errors[counts[index]],
                column("mean", "validation/mse"): errors[0],
            }
    return columns


def _of_task(settings: Mapping[str, Any], dataset: Dataset) -> dict[str, float]:
    """Columns of what a task says that needs no net; none of a task that says nothing."""
    task, options = configured_task(settings)
    by_name = task.baselines(dataset, options) if task.baselines else {}
    return {column(name, f"validation/{metric}"): v for metric, values in by_name.items() for name, v in values.items()}


def _rows(split: Split, dataset: Dataset) -> np.ndarray:
    """The scaled rows of a split, (m, n) float32."""
    rows = host_rows(split, dataset)
    return rows.toarray() if is_sparse(split.x) else rows
