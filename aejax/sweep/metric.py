"""What a sweep is decided by: a column of validation rows, known before anything is trained, and what it compares."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aejax import console
from aejax.config.components import TASKS, resolve
from aejax.errors import UserError, one_of
from aejax.sweep.axes import Axis

METRIC = "validation/mse"

UNITS = ("data.name", "data.scaling", "data.weighting", "data.categories")
"""Fields that say what the values of the scaled rows are."""
ROWS = ("name", "validation", "test", "split_seed", "rows", "noise", "normal", "left_out", "contamination", "missing")
ROWS = tuple(f"data.{name}" for name in ROWS)
"""Fields that say which rows, or rows of what, a setting is judged on."""
WHY = {
    "units": "is in other units",
    "rows": "is of other rows",
    "objective": "is another quantity",
}
"""Why a metric does not compare settings, as `incomparable` finds it."""


def check_metric(metric: str, configs: Iterable[Mapping[str, Any]]) -> None:
    """Refuse to choose by anything but a column of validation rows that some run may have.

    Args:
        metric: the name of the column.
        configs: resolved, one or more for each static setting.

    Raises:
        UserError: it is of other rows, or no run has it.
    """
    names = {name: None for config in configs for name in ("loss", *config["terms"], "mse")}
    tasks = {config["task"]["name"]: None for config in configs}
    declared = {name: resolve(name, TASKS, what="task.name").validated for name in tasks}
    names |= {name: None for own in declared.values() for name in own or ()}
    known = [f"validation/{name}" for name in names]
    others = [f"validation/… that {task} finds" for task, own in declared.items() if own is None]
    if not metric.startswith("validation/"):
        raise UserError(
            f"--metric {metric}: settings are chosen on validation rows alone; allowed: {', '.join([*known, *others])}"
        )
    if metric not in known and not others:
        raise one_of(metric, known, what="--metric")


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


def incomparable(metric: str, axes: Iterable[Axis], terms: Iterable[str]) -> dict[str, list[str]]:
    """The swept fields whose values a metric does not compare, by why not.

    The losses and the mean squared error are in units of the scaled rows, which other data and another scaling have
    others of. The loss weighs the terms by their weights, and is measured with the corruption, as each term is.

    Args:
        metric: a column of validation rows.
        axes: of the sweep; what has one value only is left out.
        terms: the names of the loss terms.

    Returns:
        Of ``"units"``, ``"rows"`` and ``"objective"`` those that apply, each with its fields.
    """
    name, terms = metric.removeprefix("validation/"), set(terms)
    of_units = UNITS if name in {"loss", "mse", *terms} else ()
    of_objective = ("terms", "corruption") if name == "loss" else (f"terms.{name}", "corruption")
    unweighted = (f"terms.{name}.weight", f"terms.{name}.schedule")
    pairs = (pair for axis in axes for pair in zip(axis.paths, axis.values, strict=True))
    found: dict[str, list[str]] = {}
    for path in (path for path, values in pairs if len(set(map(repr, values))) > 1):
        if _within(path, of_units):
            found.setdefault("units", []).append(path)
        elif _within(path, ROWS):
            found.setdefault("rows", []).append(path)
        elif name in {"loss", *terms} and _within(path, of_objective) and not _within(path, unweighted):
            found.setdefault("objective", []).append(path)
    return found


def _within(path: str, groups: Sequence[str]) -> bool:
    return any(f"{path}.".startswith(f"{group}.") for group in groups)


def warn(metric: str, found: Mapping[str, Sequence[str]]) -> None:
    """Print what `incomparable` found, a line for each reason."""
    for why, paths in found.items():
        places = ", ".join(paths)
        console.say(f"warning: {metric} {WHY[why]} at each {places}; it does not say which of them is better")
