"""Pictures of a sweep: a metric against its axes, heat maps, parallel coordinates, the trade-off of error and sparsity.

Like those of `aejax.figures`: each function writes one PNG, and an SVG beside it, whole and with the same bytes
for the same numbers.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
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

LINES = 7
SPARSITY = ("validation/active_fraction", "validation/sparsity")
"""Metrics of which less is sparser; the first that there is goes against the error."""
MARKS = "osD^vPX"


def draw(folder: Path, summary: Mapping[str, Any]) -> list[Path]:
    """Draw what a sweep's summary shows, as far as it has axes and metrics for it.

    Args:
        folder: for the pictures.
        summary: what ``summary.json`` holds.
    """
    metric = summary["metric"]
    points = [point for point in summary["points"] if mean_of(point, metric) is not None]
    if not points:
        return []
    axes = [path for path in points[0]["axes"] if len(unique(point["axes"][path] for point in points)) > 1]
    drawn, least = [], not summary["maximise"]
    for path in axes:
        others = [other for other in axes if other != path]
        file = folder / f"{path.replace('.', '-')}.png"
        drawn.append(against_axis(file, points, path, others, metric, least=least))
    tiles = math.prod(len(unique(point["axes"][path] for point in points)) for path in axes)
    if len(axes) == 2 and 4 * len(points) >= 3 * tiles:
        drawn.append(heat_map(folder / "heat.png", points, axes, metric, best=summary["points"][summary["best"]]))
    elif len(axes) >= 2:  # more axes than two, or two that were zipped
        drawn.append(parallel_coordinates(folder / "parallel.png", points, axes, metric, least=least))
    sparsity = next((name for name in SPARSITY if name in points[0]["metrics"] and name != metric), None)
    if axes and sparsity and is_about_sparsity(points):
        drawn.append(trade_off(folder / "trade-off.png", points, metric, sparsity))
    return drawn


def against_axis(
    path: str | os.PathLike, points: Sequence[Point], axis: str, others: Sequence[str], metric: str, *, least: bool
) -> Path:
    """Draw a metric against one axis: its mean, and its 95 % interval as a band.

    There is a line for each setting of the other axes, up to seven. Of more, and where not each setting goes with each
    value, the points alone are drawn, their intervals upright, and a line through the best where a value has several.

    Args:
        path: the PNG file to write.
        points: of a summary.
        axis: the field along the horizontal.
        others: the other fields that change.
        metric: along the vertical.
        least: whether less of it is better.
    """
    figure = canvas.new_figure(4.0, f"{metric} against {axis}")
    axes = figure.subplots()
    values = unique(point["axes"][axis] for point in points)
    places = positions(values)
    lines: dict[tuple, list[Point]] = {}
    for point in points:
        lines.setdefault(tuple(repr(point["axes"][other]) for other in others), []).append(point)
    place = lambda point: places[values.index(point["axes"][axis])]
    if len(lines) <= LINES and len(points) == len(lines) * len(values):
        for number, own in enumerate(lines.values()):
            own = sorted(own, key=place)
            label = ", ".join(f"{other} {tick(own[0]['axes'][other])}" for other in others)
            draw_line = _band if all(map(is_number, values)) else _bars
            draw_line(axes, [place(p) for p in own], [p["metrics"][metric] for p in own], label, number)
        if others:
            canvas.legend_above(axes, canvas.WIDTH - 0.8)
    else:
        own = [(place(point), point["metrics"][metric]) for point in points]
        axes.scatter([at for at, _ in own], [found["mean"] for _, found in own], s=14, color=GREY, alpha=0.6)
        spread = [(at, found["low"], found["high"]) for at, found in own if found["low"] is not None]
        axes.vlines(*(np.array(spread).reshape(-1, 3).T), color=GREY, alpha=0.35, linewidth=1)
        if len(points) >= 2 * len(values):
            best = min if least else max
            chosen = [best(mean_of(p, metric) for p in points if p["axes"][axis] == value) for value in values]
            axes.plot(places, chosen, color=OKABE_ITO[0], label="lowest" if least else "highest")
            canvas.legend_above(axes, canvas.WIDTH - 0.8)
    _scale(axes, values, places)
    canvas.quiet(axes, x=axis, y=metric)
    return canvas.save_figure(figure, path)


def _band(axes: Any, places: Sequence[float], statistics: Sequence[Mapping[str, Any]], label: str, number: int) -> None:
    colour = OKABE_ITO[number % len(OKABE_ITO)]
    means = [own["mean"] for own in statistics]
    axes.plot(places, means, color=colour, marker=MARKS[number % len(MARKS)], markersize=4, label=canvas.plain(label))
    low = [own["mean"] if own["low"] is None else own["low"] for own in statistics]
    high = [own["mean"] if own["high"] is None else own["high"] for own in statistics]
    axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)


def _bars(axes: Any, places: Sequence[float], statistics: Sequence[Mapping[str, Any]], label: str, number: int) -> None:
    """Means and upright intervals, a little apart from those of other lines: between words there is nothing to join."""
    own = {"color": OKABE_ITO[number % len(OKABE_ITO)], "marker": MARKS[number % len(MARKS)], "markersize": 5}
    at = np.asarray(places) + 0.06 * number
    axes.plot(at, [found["mean"] for found in statistics], linestyle="", label=canvas.plain(label), **own)
    known = [
        (x, found["low"], found["high"]) for x, found in zip(at, statistics, strict=True) if found["low"] is not None
    ]
    axes.vlines(*np.array(known).reshape(-1, 3).T, color=own["color"], alpha=0.6, linewidth=1.5)


def trade_off(path: str | os.PathLike, points: Sequence[Point], error: str, sparsity: str) -> Path:
    """Draw error against sparsity, and the front: the points that no other beats in both, less being better.

    Args:
        path: the PNG file to write.
        points: of a summary.
        error: metric along the vertical.
        sparsity: metric along the horizontal.
    """
    pairs = [(mean_of(point, sparsity), mean_of(point, error)) for point in points]
    known = np.array([pair for pair in pairs if None not in pair], dtype=float).reshape(-1, 2)
    chosen = known[front(known)]
    figure = canvas.new_figure(4.0, "Trade-off of error and sparsity")
    axes = figure.subplots()
    axes.scatter(*known.T, s=22, color=GREY, alpha=0.7, label="settings", linewidths=0)
    axes.plot(*chosen.T, color=OKABE_ITO[0], marker="o", markersize=5, drawstyle="steps-post", label="front")
    canvas.legend_above(axes, canvas.WIDTH - 0.8)
    canvas.quiet(axes, x=sparsity, y=error)
    return canvas.save_figure(figure, path)


def front(pairs: np.ndarray) -> np.ndarray:
    """Positions of the pairs that no other pair is at most as large as in both and smaller in one, from left on."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    found, lowest = [], math.inf
    for place in order:
        if pairs[place, 1] < lowest:
            found.append(place)
            lowest = pairs[place, 1]
    return np.array(found, int)


def time_per_setting(path: str | os.PathLike, counts: Sequence[int], panels: Mapping[str, Mapping[str, Any]]) -> Path:
    """Draw seconds for each setting against the number of settings, both logarithmic, one panel beside the other.

    Args:
        path: the PNG file to write.
        counts: numbers of settings.
        panels: by title, the series by name, seconds for each.
    """
    figure = canvas.new_figure(4.2, "Seconds a setting takes, by the number that is trained together")
    for axes, (title, series) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for number, (name, values) in enumerate(series.items()):
            style = {"color": OKABE_ITO[number], "marker": MARKS[number], "markersize": 5}
            axes.plot(counts, values, label=canvas.plain(name), **style)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(list(counts), [str(count) for count in counts])
        canvas.legend_above(axes, canvas.WIDTH / len(panels) - 0.8)
        canvas.quiet(axes, x=f"settings, {title}", y="seconds for each")
    return canvas.save_figure(figure, path)


def _scale(axes: Any, values: Sequence[Any], places: Sequence[float]) -> None:
    if is_logarithmic(values):
        axes.set_xscale("log")
    elif not all(map(is_number, values)):
        axes.set_xticks(places, [tick(value) for value in values])
        axes.margins(x=0.1)
    elif all(isinstance(value, int) for value in values):
        axes.xaxis.get_major_locator().set_params(integer=True)
