"""What a sweep leaves: a table with one row for each run, a summary over seeds, and the best point."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax import console
from aejax.files import write_atomic, write_json
from aejax.sweep import baselines, intervals
from aejax.sweep.metric import check_column, incomparable, warn
from aejax.sweep.plan import Plan
from aejax.training.loop import BROKEN, FINISHED

Row = Mapping[str, Any]
SHOWN = 10
NO_CHOICE = (
    "no point is chosen: there are no validation rows, and settings are not chosen on test rows; "
    "allowed: data.validation=0.2, or --folds 5"
)
LAST = ("status", "step", "parameters_digest")


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
        row = {"run": member.number, **member.point, "seed": member.config["seed"]}
        if member.fold is not None:
            row["fold"] = member.fold
        result = done[member.number]
        rows.append(
            row | {name: result["metrics"].get(name, math.nan) for name in names} | {k: result[k] for k in LAST}
        )
    return rows


def write_table(path: Path, rows: Sequence[Row]) -> None:
    """Write the rows as CSV; floats with all their digits."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, out.getvalue())


def summarise(plan: Plan, rows: Sequence[Row], metric: str, *, maximise: bool) -> dict[str, Any]:
    """Mean, standard deviation and interval of every metric over the seeds of each point, and the best one.

    Args:
        plan: the sweep.
        rows: from `rows_of`.
        metric: a validation metric, which chooses.
        maximise: whether more of it is better.

    Returns:
        ``points``, each with its ``axes``, ``runs``, ``finite``, ``finished``, ``over`` (what the spread is over, see
        `aejax.sweep.intervals`) and by metric ``mean``, ``sd``, ``low``, ``high`` and ``n``; ``metric``; and ``best``,
        the position among `points`, of those all of whose runs are finite if there are any; None where the metric is
        finite for none; and ``incomparable``, the fields whose values the metric does not compare, by why not.
    """
    axes = [path for path in plan.paths if path != "seed"]
    apart = {*axes, "run", "seed", "fold", *LAST}
    names = [name for name in rows[0] if name not in apart]
    by_point: dict[str, list[Row]] = {}
    for row in rows:
        by_point.setdefault(repr([row[path] for path in axes]), []).append(row)
    points = []
    for own in by_point.values():
        points.append(
            {
                "axes": {path: own[0][path] for path in axes},
                "runs": len(own),
                "finite": sum(row["status"] != BROKEN for row in own),
                "finished": sum(row["status"] == FINISHED for row in own),
                "over": intervals.counted(own, plan.folds),
                "metrics": {name: intervals.of_point(own, name, plan.folds) for name in names},
            }
        )
    return {
        "metric": metric,
        "maximise": maximise,
        "best": best(points, metric, maximise=maximise),
        "incomparable": incomparable(metric, plan.axes, plan.base["terms"]),
        "points": points,
    }


def best(points: Sequence[Mapping[str, Any]], metric: str, *, maximise: bool) -> int | None:
    """The position of the best point by the mean of a metric; points with a run that broke come last."""
    ranked = [
        (point["finite"] < point["runs"], (-1 if maximise else 1) * point["metrics"][metric]["mean"], place)
        for place, point in enumerate(points)
        if metric in point["metrics"] and point["metrics"][metric]["mean"] is not None
    ]
    return min(ranked)[2] if ranked else None


def write(folder: Path, plan: Plan, done: Mapping[int, Row], metric: str, *, maximise: bool) -> dict[str, Any]:
    """Write ``table.csv`` and ``summary.json``; returns the summary."""
    rows = rows_of(plan, done)
    write_table(folder / "table.csv", rows)
    check_column(metric, rows[0])
    summary = summarise(plan, rows, metric, maximise=maximise)
    write_json(folder / "summary.json", summary)
    return summary


def say(summary: Mapping[str, Any]) -> None:
    """Print the points, best first by the metric that chooses, with their 95 % intervals, beside a baseline."""
    metric, points = summary["metric"], summary["points"]
    sign = -1 if summary["maximise"] else 1
    found = [point for point in points if point["metrics"].get(metric, {}).get("mean") is not None]
    found.sort(key=lambda point: (point["finite"] < point["runs"], sign * point["metrics"][metric]["mean"]))
    cell = lambda value: f"{value:.5g}" if isinstance(value, float) else str(value)
    if not found:
        console.say(NO_CHOICE if not _validated(points) else f"no point is best: none has a finite {metric}")
        return
    others = baselines.of_metric(metric, list(found[0]["metrics"]))[:1]
    rows = []
    for point in found[:SHOWN]:
        own = point["metrics"][metric]
        half = "" if own["low"] is None else f"± {(own['high'] - own['low']) / 2:.2g}"
        name = ", ".join(f"{path}={cell(value)}" for path, value in point["axes"].items()) or "all seeds"
        cells = [console.cell(point["metrics"][baselines.column(other, metric)], "mean") for other in others]
        rows.append((name, f"{own['mean']:.5g}", half, *cells, f"{point['finite']}/{point['runs']}"))
    console.say("")
    over_folds = any(point["over"] == intervals.FOLDS for point in found)
    spread = "95 %, folds" if over_folds else "95 %"
    console.table(("point", metric, spread, *(f"baseline {other}" for other in others), "finite runs"), rows)
    if len(points) > len(rows):
        more = len(points) - len(rows)
        console.say(f"and {more} more point{'' if more == 1 else 's'}")
    warn(metric, summary["incomparable"])
    console.say("")


def _validated(points: Sequence[Mapping[str, Any]]) -> bool:
    return any(name.startswith("validation/") for point in points for name in point["metrics"])


def read_table(path: Path) -> list[dict[str, Any]]:
    """The rows of a table, numbers as numbers."""
    with open(path, newline="", encoding="utf-8") as file:
        return [{name: _value(text) for name, text in row.items()} for row in csv.DictReader(file)]


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
