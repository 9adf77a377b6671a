"""What tasks need of data and models, refused in one line before anything is trained.

`task` is the name of the task, with which a message begins where no single field of a config is to blame.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from aejax.data.splits import every_row
from aejax.errors import UserError
from aejax.types import Dataset, Split

Config = Mapping[str, Any]


def has_labels(task: str, dataset: Dataset, purpose: str, *, splits: Iterable[Split] = (), instead: str = "") -> None:
    """Refuse data without labels.

    Args:
        task: its name.
        dataset: the data.
        purpose: what the labels are for, such as "to classify codes by".
        splits: whose rows need labels; those of all rows where none is named.
        instead: what else is allowed, such as "task.features=rows".
    """
    if any(split.labels is None for split in splits or (dataset.train, dataset.test)):
        more = f", or {instead}" if instead else ""
        raise UserError(
            f"{task}: {dataset.name} has no labels {purpose}; "
            f"allowed: data with labels (a file's data.label_column){more}"
        )


def has_classes(task: str, dataset: Dataset, labels: np.ndarray, *, rows: str = "all rows", instead: str = "") -> None:
    """Refuse labels of which all are the same; `rows` says whose they are, as in "all test rows"."""
    if len(np.unique(labels)) < 2:
        more = f", or {instead}" if instead else ""
        raise UserError(f"{task}: {rows} of {dataset.name} are of one class; allowed: two classes or more{more}")


def has_rows(task: str, dataset: Dataset, split: str = "test", *, least: int = 1, purpose: str = "") -> None:
    """Refuse data with fewer rows in a split, whose name is that of a field of `Dataset`, than a task needs."""
    count = len(getattr(dataset, split).x)
    if count < least and split == "train":
        raise UserError(f"{task}: {dataset.name} has {count} training rows; allowed: {least} or more")
    if count < least:
        number = "no" if least == 1 else f"fewer than {least}"
        raise UserError(f"{task}: {dataset.name} has {number} {split} rows{purpose}; allowed: a larger data.{split}")


def is_whole(task: str, dataset: Dataset, values: str = "values") -> None:
    """Refuse training or test rows of which some values are missing."""
    if any(split.mask is not None for split in (dataset.train, dataset.test)):
        raise UserError(f"{task}: {dataset.name} has missing {values}; allowed: data without missing {values}")


def can_be_classified(task: str, dataset: Dataset, purpose: str, folds: int) -> Split:
    """Refuse data whose rows, of all splits, cannot be classified in a stratified cross-validation; return these rows.

    Args:
        task: its name.
        dataset: the data.
        purpose: what the labels are for.
        folds: how many, ``task.folds``.
    """
    rows = every_row(dataset)
    has_labels(task, dataset, purpose, splits=[rows], instead="task.name=reconstruction")
    has_classes(task, dataset, rows.labels)
    if (rows.x == rows.x[:1]).all():
        raise UserError(f"{task}: all rows of {dataset.name} are the same; allowed: features that vary")
    smallest = np.unique(rows.labels, return_counts=True)[1].min()
    if folds > smallest:
        raise UserError(
            f"task.folds: {folds} folds, but the smallest class has {smallest} rows; "
            f"allowed: 2 to {smallest}, with at least 2 rows in each class"
        )
    return rows


def at_most(option: str, value: int, most: int, rows: str, *, least: int = 1, hint: str = "") -> None:
    """Refuse an option of which there cannot be as many.

    Args:
        option: its name, such as "neighbours".
        value: as it was given.
        most: how large it may be.
        rows: what it is too many for, such as "48 training rows".
        least: how small it may be.
        hint: what else to heed, such as "with 2 test rows or more".
    """
    if value > most:
        more = f", {hint}" if hint else ""
        raise UserError(f"task.{option}: {value} are too many for {rows}; allowed: {least} to {most}{more}")
