"""The trade-off of a sweep: turn one of its numbers, and see what sparsity costs in error."""

from collections.abc import Mapping, Sequence
from typing import Any

from aejax.figures.sweep import SPARSITY, Point, is_about_sparsity, is_number, mean_of, unique
from aejax.report.explorer import chart
from aejax.report.explorer.source import Fragment, texts_of
from aejax.report.folders import Sweep
from aejax.report.words import Words

WIDTH, HEIGHT, LEFT, BOTTOM = 400, 330, 72, 284
ALSO = ("validation/active_fraction", "test/mse")


def fragment(sweep: Sweep, words: Words) -> Fragment | None:
    """The trade-off along one axis of a sweep; None where it sweeps no number, or has no sparsity.

    Of several axes it is the one of a loss term, if there is one, and of those the one with the most values; the others
    stay where the best point has them.
    """
    points, error, best = sweep.summary["points"], sweep.summary["metric"], sweep.summary["best"]
    axis = None if best is None else _axis(points)
    if axis is None or not is_about_sparsity(points):
        return None
    function, sparsity = _sparsity(axis, points, sweep.asked["config"]["terms"])
    along = _along(points, points[best], axis, (error, sparsity))
    if len(along) < 2 or points[best] not in along:
        return None
    texts, names = texts_of("trade_off", words), {}
    for metric in dict.fromkeys([error, sparsity, *ALSO]):
        if all(mean_of(point, metric) is not None for point in along):
            names[metric] = named(metric, function if metric == sparsity else "", words)
    across = chart.widest([mean_of(point, sparsity) for point in along], LEFT, WIDTH - 10)
    up = chart.widest([mean_of(point, error) for point in along], BOTTOM, 12)
    numbers = lambda point: {metric: {key: point["metrics"][metric][key] for key in ("mean", "sd")} for metric in names}
    data = {
        "texts": texts,
        "axis": texts.pop("axes").get(axis.rpartition(".")[2], axis),
        "values": [chart.written(point["axes"][axis], texts["decimal"]) for point in along],
        "first": along.index(points[best]),
        "points": [
            {
                "x": round(across.position(mean_of(point, sparsity)), 2),
                "y": round(up.position(mean_of(point, error)), 2),
                "metrics": numbers(point),
            }
            for point in along
        ],
    }
    frame = chart.frame(across, up, (names[sparsity], names[error]), texts["decimal"])
    return Fragment("trade_off", data, {"frame": frame, "names": names, "width": WIDTH, "height": HEIGHT})


def _axis(points: Sequence[Point]) -> str | None:
    """The axis to turn: of the loss terms before others, then of the most values; None where no number is swept."""
    numbers = lambda path: list(filter(is_number, unique(point["axes"][path] for point in points)))
    counts = {path: len(numbers(path)) for path in points[0]["axes"]}
    swept = [path for path, count in counts.items() if count > 1]
    return max(swept, key=lambda path: (path.startswith("terms."), counts[path]), default=None)


def _sparsity(axis: str, points: Sequence[Point], terms: Mapping[str, Any]) -> tuple[str, str | None]:
    """What is bought with the error, a metric, and the function of the term that measures it; "" where none does.

    Where the axis is the weight of a term of `aejax.losses.sparsity`, it is what that term says; else the share of
    active units.
    """
    group, term, field = (*axis.split("."), "", "")[:3]
    function = terms.get(term, {}).get("name", "") if (group, field) == ("terms", "weight") else ""
    function = function if function.startswith("sparsity.") else ""
    measured = ([f"validation/{term}"] if function else []) + list(SPARSITY)
    known = (name for name in measured if any(mean_of(point, name) is not None for point in points))
    return function, next(known, None)


def _along(points: Sequence[Point], best: Point, axis: str, metrics: Sequence[str | None]) -> list[Point]:
    """The points that differ from the best in the axis alone and have all the metrics, by the axis."""
    fits = lambda point: (
        all(point["axes"][path] == value for path, value in best["axes"].items() if path != axis)
        and all(mean_of(point, metric) is not None for metric in metrics)
        and is_number(point["axes"][axis])
    )
    return sorted(filter(fits, points), key=lambda point: point["axes"][axis])


def named(metric: str, function: str, words: Words) -> str:
    """A metric in words, with the rows that it was measured on."""
    part, _, stem = metric.partition("/")
    touch = words.text["touch"]
    name = touch["terms"].get(function) or words.figures.texts.get(f"measures.{stem}")
    return f"{name} ({touch['rows'].get(part, part)})" if name else metric
