"""The trade-off of a sweep: turn one of its numbers, and see what sparsity costs in error."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from aejax import workdir
from aejax.report.sweep import SPARSITY
from aejax.report.sweep_values import Point, is_number, mean_of, unique
from aejax.report.touch import chart
from aejax.report.touch.fragment import Fragment, make, slider

WIDTH, HEIGHT, LEFT, BOTTOM = 400, 330, 66, 284


def fragment(folder: Path, catalogue: Mapping[str, Mapping[str, str]]) -> Fragment | None:
    """The trade-off along one axis of a sweep; None where it sweeps no number, or measured no sparsity.

    Of several axes it is the one of a loss term, if there is one, and of those the one with the most values; the others
    stay where the best point has them.
    """
    summary = workdir.read_json(folder / "summary.json")
    texts = dict(catalogue["shared"] | catalogue["trade_off"])
    points, error = summary["points"], summary["metric"]
    sparsity = next((name for name in SPARSITY if any(mean_of(p, name) is not None for p in points)), None)
    axis = _axis(points)
    if axis is None or sparsity is None or summary["best"] is None:
        return None
    best = points[summary["best"]]
    others = {path: value for path, value in best["axes"].items() if path != axis}
    along = [p for p in points if all(p["axes"][path] == value for path, value in others.items())]
    along = [p for p in along if None not in (mean_of(p, sparsity), mean_of(p, error)) and is_number(p["axes"][axis])]
    along.sort(key=lambda p: p["axes"][axis])
    across = chart.widest([mean_of(p, sparsity) for p in along], LEFT, WIDTH - 10)
    up = chart.widest([mean_of(p, error) for p in along], BOTTOM, 12)
    where = [(across.place(mean_of(p, sparsity)), up.place(mean_of(p, error))) for p in along]
    name = lambda metric: _named(metric, catalogue)
    shown = [error, sparsity, *(n for n in ("test/mse", "test/active_fraction") if n in best["metrics"])]
    numbers = "".join(f'<dt>{escape(name(n))}</dt><dd data-name="{escape(n)}"></dd>' for n in shown)
    label = texts["axes"].get(axis.rpartition(".")[2], axis)
    first = along.index(best)
    body = (
        '<div class="touch-sides"><div class="touch-plot">'
        f'<svg class="touch-trade-off" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(texts["picture"])}">'
        f"{chart.frame(across, up, (name(sparsity), name(error)), texts['decimal'])}{_line(where)}"
        '<circle class="touch-ring" r="9"/></svg></div><div class="touch-panel">'
        f"{slider(label, 0, len(along) - 1, first, '1')}"
        f'<dl aria-live="polite">{numbers}</dl></div></div>'
    )
    del texts["axes"]
    data = {
        "axis": label,
        "values": [chart.written(p["axes"][axis], texts["decimal"]) for p in along],
        "first": first,
        "points": [
            {
                "x": round(x, 2),
                "y": round(y, 2),
                "metrics": {n: {key: point["metrics"][n][key] for key in ("mean", "sd")} for n in shown},
            }
            for point, (x, y) in zip(along, where, strict=True)
        ],
    }
    return make("trade-off", folder.name, texts, data, body)


def _axis(points: Sequence[Point]) -> str | None:
    """The axis to turn: of the loss terms before others, then of the most values; None where no number is swept."""
    counts = {
        path: len([v for v in unique(p["axes"][path] for p in points) if is_number(v)]) for path in points[0]["axes"]
    }
    swept = [path for path, count in counts.items() if count > 1]
    return max(swept, key=lambda path: (path.startswith("terms."), counts[path]), default=None)


def _line(where: Sequence[tuple[float, float]]) -> str:
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in where)
    return f'<polyline class="touch-rebuilt" points="{line}"/>' + "".join(
        f'<circle class="touch-dot" cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in where
    )


def _named(metric: str, catalogue: Mapping[str, Any]) -> str:
    """A metric in words, with the rows that it was measured on."""
    rows, _, stem = metric.partition("/")
    words, where = catalogue["metrics"], catalogue["rows"]
    return f"{words[stem]} ({where[rows]})" if stem in words and rows in where else metric
