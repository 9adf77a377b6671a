"""Figures of a sweep: a metric against its axes, heat maps, parallel coordinates, the trade-off with sparsity."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.figures import canvas, search
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.sweep_maps import heat_map, parallel_coordinates
from aejax.figures.sweep_values import (
    Point,
    is_about_sparsity,
    is_logarithmic,
    is_number,
    mean_of,
    positions,
    tick,
    unique,
)
from aejax.figures.words import Words

LINES = 7
SPARSITY = ("validation/active_fraction", "validation/sparsity")
"""Metrics of which less is sparser; the first that there is goes against the error."""
MARKS = "osD^vPX"


def draw(summary: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """What a sweep's summary shows, as far as it has axes and metrics for it, as figures by name.

    Args:
        summary: what ``summary.json`` holds.
        words: of the language.
    """
    figures = _of_points(summary, words) | (search.draw(summary, words) if "search" in summary else {})
    return {name: canvas.finish(figure, words) for name, figure in figures.items()}


def _of_points(summary: Mapping[str, Any], words: Words) -> dict[str, Any]:
    metric, least = summary["metric"], not summary["maximise"]
    points = [point for point in summary["points"] if mean_of(point, metric) is not None]
    if not points:
        return {}
    axes = [path for path in points[0]["axes"] if len(unique(point["axes"][path] for point in points)) > 1]
    figures = {}
    for path in axes:
        others = [other for other in axes if other != path]
        figures[path.replace(".", "-")] = against_axis(words, points, path, others, metric, least=least)
    tiles = math.prod(len(unique(point["axes"][path] for point in points)) for path in axes)
    if len(axes) == 2 and 4 * len(points) >= 3 * tiles:
        figures["heat"] = heat_map(words, points, axes, metric, best=summary["points"][summary["best"]])
    elif len(axes) >= 2:  # more axes than two, or two that were zipped
        figures["parallel"] = parallel_coordinates(words, points, axes, metric, least=least)
    sparsity = next((name for name in SPARSITY if name in points[0]["metrics"] and name != metric), None)
    if axes and sparsity and is_about_sparsity(points):
        figures["trade-off"] = trade_off(words, points, metric, sparsity)
    return figures


def against_axis(
    words: Words, points: Sequence[Point], axis: str, others: Sequence[str], metric: str, *, least: bool
) -> Any:
    """A metric against one axis: its mean, and its 95 % interval as a band, as a figure.

    There is a line for each setting of the other axes, up to seven. Of more, and where not each setting goes with each
    value, the points alone are drawn, their intervals upright, and a line through the best where a value has several.

    Args:
        words: of the language.
        points: of a summary.
        axis: the field along the horizontal.
        others: the other fields that change.
        metric: along the vertical.
        least: whether less of it is better.
    """
    figure = canvas.new_figure(4.0, words("sweep.against", metric=metric, axis=axis))
    axes = figure.subplots()
    values = unique(point["axes"][axis] for point in points)
    along = positions(values)
    lines: dict[tuple, list[Point]] = {}
    for point in points:
        lines.setdefault(tuple(repr(point["axes"][other]) for other in others), []).append(point)
    x_of = lambda point: along[values.index(point["axes"][axis])]
    if len(lines) <= LINES and len(points) == len(lines) * len(values):
        draw_line = _band if all(map(is_number, values)) else _bars
        for number, line in enumerate(lines.values()):
            line = sorted(line, key=x_of)
            label = ", ".join(f"{other} {tick(words, line[0]['axes'][other])}" for other in others)
            draw_line(
                axes, [x_of(point) for point in line], [point["metrics"][metric] for point in line], label, number
            )
        if others:
            canvas.legend_above(axes, canvas.WIDTH - 0.8)
    else:
        x, statistics = [x_of(point) for point in points], [point["metrics"][metric] for point in points]
        axes.scatter(x, [each["mean"] for each in statistics], s=14, color=GREY, alpha=0.6)
        axes.vlines(*_intervals(x, statistics), color=GREY, alpha=0.35, linewidth=1)
        if len(points) >= 2 * len(values):
            best = min if least else max
            chosen = [best(mean_of(p, metric) for p in points if p["axes"][axis] == value) for value in values]
            axes.plot(along, chosen, color=OKABE_ITO[0], label=words("sweep.lowest" if least else "sweep.highest"))
            canvas.legend_above(axes, canvas.WIDTH - 0.8)
    _scale(words, axes, values, along)
    canvas.quiet(axes, x=axis, y=metric)
    return figure


def _intervals(x: Sequence[float], statistics: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Places, lower and upper ends of the intervals that are known: (3, n)."""
    known = [(at, each["low"], each["high"]) for at, each in zip(x, statistics, strict=True) if each["low"] is not None]
    return np.array(known, float).reshape(-1, 3).T


def _band(axes: Any, x: Sequence[float], statistics: Sequence[Mapping[str, Any]], label: str, number: int) -> None:
    colour = OKABE_ITO[number % len(OKABE_ITO)]
    means = [each["mean"] for each in statistics]
    axes.plot(x, means, color=colour, marker=MARKS[number % len(MARKS)], markersize=4, label=canvas.plain(label))
    low, high = ([each["mean" if each[end] is None else end] for each in statistics] for end in ("low", "high"))
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def _bars(axes: Any, x: Sequence[float], statistics: Sequence[Mapping[str, Any]], label: str, number: int) -> None:
    """Means and upright intervals, a little apart from those of other lines: between words there is nothing to join."""
    style = {"color": OKABE_ITO[number % len(OKABE_ITO)], "marker": MARKS[number % len(MARKS)], "markersize": 5}
    x = np.asarray(x) + 0.06 * number
    axes.plot(x, [each["mean"] for each in statistics], linestyle="", label=canvas.plain(label), **style)
    axes.vlines(*_intervals(x, statistics), color=style["color"], alpha=0.6, linewidth=1.5)


def trade_off(words: Words, points: Sequence[Point], error: str, sparsity: str) -> Any:
    """Error against sparsity, and the front: the points that no other beats in both, less being better; as a figure.

    Args:
        words: of the language.
        points: of a summary.
        error: metric along the vertical.
        sparsity: metric along the horizontal.
    """
    pairs = [(mean_of(point, sparsity), mean_of(point, error)) for point in points]
    known = np.array([pair for pair in pairs if None not in pair], dtype=float).reshape(-1, 2)
    chosen = known[front(known)]
    figure = canvas.new_figure(4.0, words("sweep.trade_off"))
    axes = figure.subplots()
    axes.scatter(*known.T, s=22, color=GREY, alpha=0.7, label=words("sweep.settings"), linewidths=0)
    axes.plot(
        *chosen.T, color=OKABE_ITO[0], marker="o", markersize=5, drawstyle="steps-post", label=words("sweep.front")
    )
    canvas.legend_above(axes, canvas.WIDTH - 0.8)
    canvas.quiet(axes, x=sparsity, y=error)
    return figure


def front(pairs: np.ndarray) -> np.ndarray:
    """Positions of the pairs that no other pair is at most as large as in both and smaller in one, from left on."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    best, lowest = [], math.inf
    for i in order:
        if pairs[i, 1] < lowest:
            best.append(i)
            lowest = pairs[i, 1]
    return np.array(best, int)


def time_per_setting(words: Words, counts: Sequence[int], panels: Mapping[str, Mapping[str, Any]]) -> Any:
    """Seconds for each setting against the number of settings, both logarithmic, a panel each, as a figure.

    Args:
        words: of the language.
        counts: numbers of settings.
        panels: by title, the series by name, seconds for each.
    """
    figure = canvas.new_figure(4.2, words("sweep.seconds"))
    for axes, (title, series) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for number, (name, values) in enumerate(series.items()):
            style = {"color": OKABE_ITO[number], "marker": MARKS[number], "markersize": 5}
            axes.plot(counts, values, label=canvas.plain(name), **style)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(list(counts), [str(count) for count in counts])
        canvas.legend_above(axes, canvas.WIDTH / len(panels) - 0.8)
        canvas.quiet(axes, x=words("sweep.settings_of", kind=title), y=words("sweep.seconds_each"))
    return figure


def _scale(words: Words, axes: Any, values: Sequence[Any], along: Sequence[float]) -> None:
    if is_logarithmic(values):
        axes.set_xscale("log")
    elif not all(map(is_number, values)):
        axes.set_xticks(along, [tick(words, value) for value in values])
        axes.margins(x=0.1)
    elif all(isinstance(value, int) for value in values):
        axes.xaxis.get_major_locator().set_params(integer=True)
