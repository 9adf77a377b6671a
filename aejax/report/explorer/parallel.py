"""All the fields and metrics of a sweep side by side: choose ranges of them, and see which settings are in all."""

from collections.abc import Callable, Sequence
from typing import Any

from aejax.figures.sweep import SPARSITY, is_number, mean_of, unique
from aejax.report.explorer import chart
from aejax.report.explorer.source import Fragment, texts_of
from aejax.report.explorer.trade_off import named
from aejax.report.folders import Sweep
from aejax.report.words import Words

MOST, FEWEST = 200, 3  # settings that are drawn
WIDTH, LEFT, TOP, BOTTOM = 830, 70, 78, 310
APART = (95, 150)  # least and most between two axes
TICKS = 6


def fragment(sweep: Sweep, words: Words) -> Fragment | None:
    """A line for each setting, through its fields and metrics; None where there are few settings, or nothing changes.

    Settings without the metric that chooses are left out, and counted in the caption; of many, so are the worst.
    """
    summary, texts = sweep.summary, texts_of("parallel", words)
    error, sign = summary["metric"], -1 if summary["maximise"] else 1
    known = [point for point in summary["points"] if mean_of(point, error) is not None]
    points = sorted(known, key=lambda point: sign * mean_of(point, error))[:MOST]
    if len(points) < FEWEST:
        return None
    fields = [
        (words.figures.field(path), [point["axes"][path] for point in points], words.setting)
        for path in points[0]["axes"]
    ]
    metrics = dict.fromkeys([error, *SPARSITY, error.replace("validation/", "test/")])
    measured = [
        (named(metric, "", words), [mean_of(point, metric) for point in points], words.number) for metric in metrics
    ]
    sides = [side for side in fields + measured if None not in side[1] and len(unique(side[1])) > 1]
    if len(sides) < 2:
        return None
    if len(points) < len(summary["points"]):
        texts["caption"] += " " + texts["some"].format(shown=len(points), points=len(summary["points"]))
    apart = min(max((WIDTH - LEFT - 20) // (len(sides) - 1), APART[0]), APART[1])
    columns = [
        _column(*side, LEFT + apart * number, words.text["numbers"]["decimal"]) for number, side in enumerate(sides)
    ]
    ranks = [unique(values) for _, values, _ in sides]
    data = {
        "texts": texts,
        "columns": columns,
        "points": [
            [rank.index(values[row]) for rank, (_, values, _) in zip(ranks, sides, strict=True)]
            for row in range(len(points))
        ],
    }
    size = {"width": LEFT + apart * (len(sides) - 1) + 20, "height": BOTTOM + 16, "top": TOP, "bottom": BOTTOM}
    return Fragment("parallel", data, size)


def _column(name: str, values: Sequence[Any], write: Callable[[Any], str], x: float, decimal: str) -> dict[str, Any]:
    """One axis: its name, where it stands, and its different values in order, with their places and as written.

    Numbers are placed by their size, in factors where they span more than 20; words evenly.
    """
    different = unique(values)
    written = list(map(write, different))
    if all(map(is_number, different)):
        side = chart.widest(different, BOTTOM, TOP)
        ticks = chart.ticks(side)
        ticks = [(side.position(tick), chart.written(tick, decimal)) for tick in ticks[:: -(-len(ticks) // TICKS)]]
        places = [side.position(value) for value in different]
    else:
        places = [chart.Axis(-0.5, len(different) - 0.5, BOTTOM, TOP).position(rank) for rank in range(len(different))]
        ticks = list(zip(places, written, strict=True))
    return {
        "name": name,
        "x": x,
        "places": [round(place, 1) for place in places],
        "written": written,
        "ticks": ticks,
    }
