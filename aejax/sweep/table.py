"""What a sweep leaves: a table with a row for each run, statistics over seeds or folds, and the best point by a metric.

A mean over the runs of a setting has a 95 % interval over seeds, or over the folds of one seed. The folds of a
cross-validation share most of their training rows, so that they are no independent repetitions: with several seeds each
counts once, by the mean over its folds; with one seed the variance over its folds is corrected.
"""

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax import console
from aejax.config.components import TASKS, resolve
from aejax.errors import UserError, one_of
from aejax.files import write_atomic
from aejax.sweep.axes import Axis
from aejax.sweep.plan import Plan
from aejax.training.loop import BROKEN, FINISHED

Row = Mapping[str, Any]
METRIC = "validation/mse"
ERRORS = (METRIC, "validation/loss", "validation/reconstruction")
"""Metrics of which less says nothing of what a regulariser is for."""
SHOWN = 10
NO_CHOICE = (
    "no point is chosen: there are no validation rows, and settings are not chosen on test rows; "
    "allowed: data.validation=0.2, or --folds 5"
)
LAST = ("status", "step", "parameters_digest")
SEEDS, FOLDS = "seeds", "folds"

UNITS = ("data.name", "data.scaling", "data.weighting", "data.categories")
"""Fields that say what the values of the scaled rows are."""
ROWS = ("name", "validation", "test", "split_seed", "rows", "noise", "normal", "left_out", "contamination", "missing")
ROWS = tuple(f"data.{name}" for name in ROWS)
"""Fields that say which rows, or rows of what, a setting is judged on."""
WHY = {"units": "is in other units", "rows": "is of other rows", "objective": "is another quantity"}
"""Why a metric does not compare settings, as `incomparable` says."""


class Bound(NamedTuple):
    """What a setting has to keep to be chosen, such as ``validation/active_fraction<=0.3``.

    Attributes:
        metric: the column, of validation rows.
        above: whether it may not be less than `value`, or not more.
        value: the bound.
    """

    metric: str
    above: bool
    value: float

    def allows(self, point: Mapping[str, Any]) -> bool:
        """Whether the mean of a point is known and within the bound."""
        mean = point["metrics"].get(self.metric, {}).get("mean")
        return mean is not None and (mean >= self.value if self.above else mean <= self.value)


def bound_of(text: str) -> Bound:
    """A bound as the command line has it.

    >>> bound_of("validation/active_fraction<=0.3")
    Bound(metric='validation/active_fraction', above=False, value=0.3)

    Raises:
        UserError: it is none, or of a column that is not of validation rows.
    """
    metric, sign, value = re.fullmatch(r"(.*?)\s*(?:([<>])=\s*(.*))?", text).groups()
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if math.isnan(number) or not metric.startswith("validation/"):
        example = "validation/active_fraction<=0.3"
        raise UserError(f"--subject-to {text}: allowed: a column of validation rows, <= or >=, a number, as {example}")
    return Bound(metric, sign == ">", number)


def check_metric(metric: str, configs: Iterable[Mapping[str, Any]], option: str = "--metric") -> None:
    """Refuse to choose by anything but a column of validation rows that some run may have.

    Args:
        metric: the name of the column.
        configs: resolved, one or more for each static setting.
        option: that named it.

    Raises:
        UserError: it is of other rows, or no run has it.
    """
    names, tasks = {}, {}
    for config in configs:
        names |= dict.fromkeys(("loss", *config["terms"], "mse"))
        tasks[config["task"]["name"]] = resolve(config["task"]["name"], TASKS, what="task.name").validated
    names |= {name: None for columns in tasks.values() for name in columns or ()}
    known = [f"validation/{name}" for name in names]
    others = [f"validation/… that {task} finds" for task, columns in tasks.items() if columns is None]
    if not metric.startswith("validation/"):
        raise UserError(
            f"{option} {metric}: settings are chosen on validation rows alone; allowed: {', '.join([*known, *others])}"
        )
    if metric not in known and not others:
        raise one_of(metric, known, what=option)


def check_column(metric: str, columns: Iterable[str]) -> None:
    """Refuse a column that the finished runs turn out not to have: their task did not say what it measures, or less.

    Args:
        metric: the name of the column.
        columns: all names of columns; where none is of validation rows, nothing is chosen and nothing refused.

    Raises:
        UserError: naming those that there are.
    """
    known = [name for name in columns if name.startswith("validation/")]
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
    fields: dict[str, list[str]] = {}
    for path, values in (pair for axis in axes for pair in zip(axis.paths, axis.values, strict=True)):
        within = lambda groups, path=path: any(f"{path}.".startswith(f"{group}.") for group in groups)
        if len(set(map(repr, values))) == 1:
            continue
        if within(of_units):
            fields.setdefault("units", []).append(path)
        elif within(ROWS):
            fields.setdefault("rows", []).append(path)
        elif name in {"loss", *terms} and within(of_objective) and not within(unweighted):
            fields.setdefault("objective", []).append(path)
    return fields


def warn(metric: str, fields: Mapping[str, Sequence[str]]) -> None:
    """Print what `incomparable` says, a line for each reason."""
    for why, paths in fields.items():
        console.say(f"warning: {metric} {WHY[why]} at each {', '.join(paths)}; it does not say which of them is better")


def baseline(name: str, metric: str) -> str:
    """The column of the table that holds what a baseline has in a metric."""
    return f"baseline/{name}/{metric}"


def baselines_of(metric: str, columns: Sequence[str]) -> list[str]:
    """The baselines that a table has of a metric, the one to be shown first."""
    parts = [name.split("/", 2) for name in columns]
    return [part[1] for part in parts if part[0] == "baseline" and part[2:] == [metric]]


def rows_of(plan: Plan, done: Mapping[int, Row]) -> list[dict[str, Any]]:
    """The rows of the table, in the order of the plan: run, axes, seed, fold, every metric, status.

    Args:
        plan: the sweep.
        done: by the number of a member, its ``status``, ``step``, ``parameters_digest`` and ``metrics``.
    """
    names = list(dict.fromkeys(name for result in done.values() for name in result["metrics"]))
    order = ("validation", "train", "test")
    names.sort(key=lambda name: (*order, name.partition("/")[0]).index(name.partition("/")[0]))  # others come last
    rows = []
    for member in plan.members:
        row, result = {"run": member.number, **member.point, "seed": member.config["seed"]}, done[member.number]
        row |= {} if member.fold is None else {"fold": member.fold}
        row |= {name: result["metrics"].get(name, math.nan) for name in names}
        rows.append(row | {name: result[name] for name in LAST})
    return rows


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV; floats with all their digits."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, out.getvalue())


def summarise(
    plan: Plan, rows: Sequence[Row], metric: str, *, maximise: bool, bounds: Sequence[Bound] = ()
) -> dict[str, Any]:
    """Mean, standard deviation and interval of every metric over the seeds of each point, and the best one.

    Args:
        plan: the sweep.
        rows: from `rows_of`.
        metric: a validation metric, which chooses.
        maximise: whether more of it is better.
        bounds: what a point has to keep to be the best.

    Returns:
        ``points``, each with its ``axes``, ``runs``, ``finite``, ``finished``, ``over`` (what the spread is over,
        ``"seeds"`` or ``"folds"``) and by metric ``mean``, ``sd``, ``low``, ``high`` and ``n``; ``metric``; and
        ``best``, the position among `points`, of those all of whose runs are finite if there are any; None where the
        metric is finite for none that keeps the bounds; ``incomparable``, the fields whose values the metric does not
        compare, by why; and ``unregularised``, the weights of regularisers of which the best point has the least that
        was tried. With bounds each point says whether it is ``allowed``.
    """
    axes = [path for path in plan.paths if path != "seed"]
    names = [name for name in rows[0] if name not in {*axes, "run", "seed", "fold", *LAST}]
    by_point: dict[str, list[Row]] = {}
    for row in rows:
        by_point.setdefault(repr([row[path] for path in axes]), []).append(row)
    points = [
        {
            "axes": {path: runs[0][path] for path in axes},
            "runs": len(runs),
            "finite": sum(row["status"] != BROKEN for row in runs),
            "finished": sum(row["status"] == FINISHED for row in runs),
            "over": FOLDS if plan.folds is not None and len({row["seed"] for row in runs}) == 1 else SEEDS,
            "metrics": {name: statistics(runs, name, plan.folds) for name in names},
        }
        for runs in by_point.values()
    ]
    for point in points if bounds else ():
        point["allowed"] = all(bound.allows(point) for bound in bounds)
    chosen = best(points, metric, maximise=maximise)
    return {
        "metric": metric,
        "maximise": maximise,
        "best": chosen,
        "unregularised": [] if chosen is None or bounds else unregularised(points, points[chosen], metric),
        "incomparable": incomparable(metric, plan.axes, plan.base["terms"]),
        "points": points,
    }


def statistics(rows: Sequence[Row], name: str, folds: int | None) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval of a metric over the runs of one setting.

    Args:
        rows: of the table; what is not finite is left out, and of a cross-validation every seed with such a fold, as
            folds are not equally hard, unless there is no other.
        name: of the metric.
        folds: of the cross-validation; None without.

    Returns:
        ``n``, ``mean``, ``sd``, ``low``, ``high``: of the seeds, or of the folds where there is one seed; the last
        three None for fewer than two. Of one seed's folds only metrics of validation rows have an interval: no
        correction is known for folds that are all judged on the same rows.
    """
    values: dict[Any, list[Any]] = {}
    for row in rows:
        values.setdefault(row["seed"], []).append(row[name] if row["status"] != BROKEN else math.nan)
    if folds is None:
        return interval([value for numbers in values.values() for value in numbers])
    whole = [numbers for numbers in values.values() if all(map(_is_finite, numbers))]
    if len(values) == 1 and whole:
        summary = interval(whole[0], shared=1 / (folds - 1))
        return summary if name.startswith("validation/") else summary | {"low": None, "high": None}
    parts = [list(filter(_is_finite, numbers)) for numbers in values.values()]
    summary = interval([float(np.mean(numbers)) for numbers in whole or parts if numbers])
    return summary if whole else summary | {"sd": None, "low": None, "high": None}


def interval(values: Sequence[float], *, shared: float = 0.0) -> dict[str, Any]:
    """Mean, standard deviation (n − 1) and 95 % interval of the mean, mean ± t · sd · √(1/n + shared), by Student's t.

    Args:
        values: one for each repetition; those that are not finite are left out.
        shared: 0 for independent repetitions; of the folds of a cross-validation, the corrected resampled t-test's
            rows judged on ÷ rows trained on, 1 / (K − 1), as their training rows overlap.

    Returns:
        ``n``, ``mean``, ``sd``, ``low``, ``high``; the last three None for fewer than two values.

    References:
        Nadeau & Bengio 2003, Inference for the generalization error, section 3, on the corrected resampled t-test;
        Bouckaert & Frank 2004, Evaluating the replicability of significance tests for comparing learning algorithms,
        on the same for repeated cross-validation.
    """
    from scipy.special import stdtrit

    finite = np.array(list(filter(_is_finite, values)))
    count = len(finite)
    if count < 2:
        return {"n": count, "mean": float(finite[0]) if count else None, "sd": None, "low": None, "high": None}
    mean, sd = float(finite.mean()), float(finite.std(ddof=1))
    half = float(stdtrit(count - 1, 0.975)) * sd * math.sqrt(1 / count + shared)
    return {"n": count, "mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def ranked(points: Sequence[Mapping[str, Any]], metric: str, *, maximise: bool) -> list[int]:
    """The positions of the points whose metric has a mean, the best first.

    Those with a run that broke come last, and after them those that break a bound.
    """
    sign = -1 if maximise else 1
    key = lambda index: (
        not points[index].get("allowed", True),
        points[index]["finite"] < points[index]["runs"],
        sign * points[index]["metrics"][metric]["mean"],
    )
    known = [index for index, each in enumerate(points) if each["metrics"].get(metric, {}).get("mean") is not None]
    return sorted(known, key=key)


def best(points: Sequence[Mapping[str, Any]], metric: str, *, maximise: bool) -> int | None:
    """The position of the best point by the mean of a metric."""
    allowed = (index for index in ranked(points, metric, maximise=maximise) if points[index].get("allowed", True))
    return next(allowed, None)


def unregularised(points: Sequence[Mapping[str, Any]], point: Mapping[str, Any], metric: str) -> list[str]:
    """The weights of loss terms of which a point has the least of those tried, where an error chose it.

    An error says nothing of what a regulariser is for, and so it takes as little of one as it can.
    """
    if metric not in ERRORS:
        return []
    weights = [path for path in point["axes"] if re.fullmatch(r"(terms\.)?(?!reconstruction\.)[^.]+\.weight", path)]
    values = {path: {each["axes"][path] for each in points} for path in weights}
    return [path for path in weights if len(values[path]) > 1 and point["axes"][path] == min(values[path])]


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _name(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{path}={_number(value)}" for path, value in point["axes"].items()) or "all seeds"


def broken(points: Sequence[Mapping[str, Any]]) -> str | None:
    """The points with runs whose loss was not finite, in a line; None where there are none."""
    names = [f"{_name(point)} ({point['runs'] - point['finite']} of {point['runs']})" for point in points
             if point["finite"] < point["runs"]]  # fmt: skip
    more = f" and {len(names) - SHOWN} more points" if len(names) > SHOWN else ""
    return f"the loss of runs was not finite at {'; '.join(names[:SHOWN])}{more}" if names else None


def say(summary: Mapping[str, Any]) -> None:
    """Print the points, best first by the metric that chooses, with their 95 % intervals, beside a baseline."""
    metric, points = summary["metric"], summary["points"]
    order = [points[index] for index in ranked(points, metric, maximise=summary["maximise"])]
    if not order:
        validated = any(name.startswith("validation/") for point in points for name in point["metrics"])
        console.say(f"no point is best: none has a finite {metric}" if validated else NO_CHOICE)
        return
    others = baselines_of(metric, list(order[0]["metrics"]))[:1]
    names, rows = short(list(order[0]["axes"])), []
    for point in order[:SHOWN]:
        values = point["metrics"][metric]
        half = "" if values["low"] is None else f"± {(values['high'] - values['low']) / 2:.2g}"
        cells = [console.cell(point["metrics"][baseline(other, metric)], "mean") for other in others]
        pairs = zip(names, point["axes"].values(), strict=True)
        setting = ", ".join(f"{name}={_number(value)}" for name, value in pairs) or "all seeds"
        allowed = "" if point.get("allowed", True) else ", breaks a bound"
        finite = f"{point['finite']}/{point['runs']}{allowed}"
        rows.append((setting, _number(values["mean"]), half, *cells, finite))
    console.say("")
    spread = "95 %, folds" if any(point["over"] == FOLDS for point in order) else "95 %"
    console.table(("point", metric, spread, *(f"baseline {other}" for other in others), "finite"), rows)
    if more := len(order) - len(rows):
        console.say(f"and {more} more point{'' if more == 1 else 's'}")
    if line := broken(points):
        console.say(line)
    warn(metric, summary["incomparable"])
    if summary["best"] is None:
        console.say("no point is best: none keeps what --subject-to says")
    for path in summary["unregularised"]:
        sparse = "validation/active_fraction" in order[0]["metrics"]
        bound = "validation/active_fraction<=0.3" if sparse else "COLUMN<=VALUE"
        console.say(
            f"{metric} alone takes the least {path} that was tried: it says nothing of what that term is for; "
            f"what an error may cost is said by another --metric, or by --subject-to '{bound}'"
        )
    console.say("")


def short(paths: Sequence[str]) -> list[str]:
    """Paths by as few of their last names as tell them apart."""
    parts = [path.split(".") for path in paths]
    for count in range(1, max(map(len, parts), default=1) + 1):
        names = [".".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names
