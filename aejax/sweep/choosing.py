"""What a sweep is decided by: a column of validation rows, whose name is known before anything is trained."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from aejax.components import resolve
from aejax.errors import UserError, one_of

METRIC = "validation/mse"


def check_metric(metric: str, configs: Iterable[Mapping[str, Any]]) -> None:
    """Refuse to choose by anything but a column of validation rows that some run may have.

    Args:
        metric: the name of the column.
        configs: resolved, one or more for each static setting.

    Raises:
        UserError: it is of other rows, or no run has it.
    """
    names = {name: None for config in configs for name in ("loss", *config["terms"], "mse")}
    declared = {config["task"]["name"]: _validated(config["task"]["name"]) for config in configs}
    names |= {name: None for own in declared.values() for name in own or ()}
    known = [f"validation/{name}" for name in names]
    others = [f"validation/… that {task} finds" for task, own in declared.items() if own is None]
    if not metric.startswith("validation/"):
        raise UserError(
            f"--metric {metric}: settings are chosen on validation rows alone; allowed: {', '.join([*known, *others])}"
        )
    if metric not in known and not others:
        raise one_of(metric, known, what="--metric")


def _validated(task: str) -> tuple[str, ...] | None:
    """What a task says that it may find on validation rows; None of a task that does not say."""
    function = resolve(task, "aejax.tasks", what="task.name")
    return getattr(import_module(function.__module__), "VALIDATED", None)


def check_column(metric: str, found: Iterable[str]) -> None:
    """Refuse a column that the finished runs turn out not to have: their task did not say what it finds, or less.

    Args:
        metric: the name of the column.
        found: all names of columns; where none is of validation rows, nothing is chosen and nothing refused.

    Raises:
        UserError: naming those that there are.
    """
    known = [name for name in found if name.startswith("validation/")]
    if known and metric not in known:
        raise one_of(metric, known, what="--metric")
