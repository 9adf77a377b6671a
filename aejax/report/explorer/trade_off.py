"""The trade-off of a sweep: turn one of its numbers, and see what sparsity costs in error."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from aejax.figures.sweep import SPARSITY, Point, is_about_sparsity, is_number, mean_of, unique
from aejax.report.explorer import chart
from aejax.report.explorer.fragment import Fragment, make, slider
from aejax.runs import workdir

WIDTH, HEIGHT, LEFT, BOTTOM = 400, 330, 72, 284
ALSO = ("validation/active_fraction", "test/mse")


class Line(NamedTuple):
    """The points of a sweep along one axis.

    Attributes:
        axis: the field.
        error: a metric.
        sparsity: another: where the axis is the weight of a term of `aejax.losses.sparsity`, what that term says, since
            it is what is bought with the error; else the share of active units.
        function: the name of that term's function; "" where there is none.
        points: by the value of the axis, from the least on.
        first: the position of the best.
    """

    axis: str
    error: str
    sparsity: str
    function: str
    points: Sequence[Point]
    first: int


def fragment(folder: Path, catalogue: Mapping[str, Mapping[str, Any]]) -> Fragment | None:
    """The trade-off along one axis of a sweep; None where it sweeps no number, or has no sparsity.

    Of several axes it is the one of a loss term, if there is one, and of those the one with the most values; the others
    stay where the best point has them.
    """
    terms = workdir.read_json(folder / "sweep.json")["config"]["terms"]
    line = _line(workdir.read_json(folder / "summary.json"), terms)
    if line is None:
        return None
    texts = dict(catalogue["shared"] | catalogue["trade_off"])
    label = texts.pop("axes").get(line.axis.rpartition(".")[2], line.axis)
    also = [name for name in ALSO if all(mean_of(point, name) is not None for point in line.points)]
    shown = list(dict.fromkeys([line.error, line.sparsity, *also]))
    names = {metric: _named(metric, line, catalogue) for metric in shown}
    numbers = "".join(f'<dt>{escape(names[n])}</dt><dd data-name="{escape(n)}"></dd>' for n in shown)
    where, drawing = _drawing(line, names, texts)
    body = (
        f'<div class="touch-sides"><div class="touch-plot">{drawing}</div><div class="touch-panel">'
        f"{slider(label, 0, len(line.points) - 1, line.first, '1')}"
        f'<dl aria-live="polite">{numbers}</dl></div></div>'
    )
    points = [
        {
            "x": round(x, 2),
            "y": round(y, 2),
            "metrics": {n: {key: point["metrics"][n][key] for key in ("mean", "sd")} for n in shown},
        }
        for point, (x, y) in zip(line.points, where, strict=True)
    ]
    values = [chart.written(point["axes"][line.axis], texts["decimal"]) for point in line.points]
    data = {"axis": label, "values": values, "first": line.first, "points": points}
    return make("trade-off", folder.name, texts, data, body)


def _line(summary: Mapping[str, Any], terms: Mapping[str, Mapping[str, Any]]) -> Line | None:
    """The points to go along; None where there are none, or the best is not among them."""
    points, error, axis = summary["points"], summary["metric"], _axis(summary["points"])
    if axis is None or summary["best"] is None or not is_about_sparsity(points):
        return None
    term, field = (*axis.split("."), "", "")[1:3]
    function = terms.get(term, {}).get("name", "") if axis.startswith("terms.") and field == "weight" else ""
    function = function if function.startswith("sparsity.") else ""
    measured = ([f"validation/{term}"] if function else []) + list(SPARSITY)
    sparsity = next((name for name in measured if any(mean_of(p, name) is not None for p in points)), None)
    if sparsity is None:
        return None
    best = points[summary["best"]]
    others = {path: value for path, value in best["axes"].items() if path != axis}
    along = [p for p in points if all(p["axes"][path] == value for path, value in others.items())]
    along = [p for p in along if None not in (mean_of(p, sparsity), mean_of(p, error)) and is_number(p["axes"][axis])]
    along.sort(key=lambda p: p["axes"][axis])
    if len(along) < 2 or best not in along:
        return None
    return Line(axis, error, sparsity, function, along, along.index(best))


def _axis(points: Sequence[Point]) -> str | None:
    """The axis to turn: of the loss terms before others, then of the most values; None where no number is swept."""
    counts = {
        path: len([v for v in unique(p["axes"][path] for p in points) if is_number(v)]) for path in points[0]["axes"]
    }
    swept = [path for path, count in counts.items() if count > 1]
    return max(swept, key=lambda path: (path.startswith("terms."), counts[path]), default=None)


def _drawing(
    line: Line, names: Mapping[str, str], texts: Mapping[str, str]
) -> tuple[Sequence[tuple[float, float]], str]:
    """Where the points stand, and the drawing of them as SVG."""
    across = chart.widest([mean_of(p, line.sparsity) for p in line.points], LEFT, WIDTH - 10)
    up = chart.widest([mean_of(p, line.error) for p in line.points], BOTTOM, 12)
    where = [(across.place(mean_of(p, line.sparsity)), up.place(mean_of(p, line.error))) for p in line.points]
    track = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
    dots = "".join(f'<circle class="touch-dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in where)
    return where, (
        f'<svg class="touch-trade-off" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(texts["picture"])}">'
        f"{chart.frame(across, up, (names[line.sparsity], names[line.error]), texts['decimal'])}"
        f'<polyline class="touch-rebuilt" points="{track}"></polyline>{dots}<circle class="touch-ring" r="9"/></svg>'
    )


def _named(metric: str, line: Line, catalogue: Mapping[str, Any]) -> str:
    """A metric in words, with the rows that it was measured on."""
    rows, _, stem = metric.partition("/")
    words, where = catalogue["metrics"], catalogue["rows"]
    name = catalogue["terms"].get(line.function) if metric == line.sparsity else None
    name = name or words.get(stem)
    return f"{name} ({where[rows]})" if name and rows in where else metric
