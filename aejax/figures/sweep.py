"""Figures of a sweep: a metric against its axes, heat maps, parallel coordinates, trade-offs; and of a search."""

import math
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, PALE, SMALL, Names, Tree
from aejax.figures.words import Words

Point = Tree

LINES = 7
FEW = 9  # values of an axis that stand evenly apart, each with its name
# Metrics of which less is sparser; the first that there is goes against the error.
SPARSITY = ("validation/active_fraction", "validation/sparsity")
MARKS = "osD^vPX"


def mean_of(point: Point, metric: str) -> float | None:
    """The mean of a metric over the runs of a point; None where no run has it, or a file has a word for it."""
    mean = point["metrics"].get(metric, {}).get("mean")
    return mean if is_number(mean) else None


def is_number(value: Any) -> bool:
    """Whether a value has a position on a line."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_about_sparsity(points: Sequence[Point]) -> bool:
    """Whether there is a sparsity to trade for: a loss term was swept, or one of the name measured."""
    of_terms = lambda point: any(path.startswith("terms.") for path in point["axes"])
    return any(of_terms(point) or "validation/sparsity" in point["metrics"] for point in points[:1])


def unique(values: Any) -> list[Any]:
    """The different values, numbers first and in order, then words as they come."""
    different = list({repr(value): value for value in values}.values())
    return sorted(filter(is_number, different)) + [value for value in different if not is_number(value)]


def draw(summary: Tree, words: Words) -> dict[str, Any]:
    """What a sweep's summary shows, as far as it has axes and metrics for it, as figures by name.

    Args:
        summary: what ``summary.json`` holds.
        words: of the language.
    """
    figures = _of_points(summary, words) | _of_search(summary, words)
    return {name: canvas.finish(figure, words) for name, figure in figures.items()}


def _of_points(summary: Tree, words: Words) -> dict[str, Any]:
    metric, least = summary["metric"], not summary["maximise"]
    points = [point for point in summary["points"] if mean_of(point, metric) is not None]
    if not points:
        return {}
    values = {path: unique(point["axes"][path] for point in points) for path in points[0]["axes"]}
    axes = [path for path in values if len(values[path]) > 1]
    figures = {}
    sparsity = next((name for name in SPARSITY if name in points[0]["metrics"] and name != metric), None)
    if axes and sparsity and is_about_sparsity(points):
        figures["trade-off"] = trade_off(words, points, metric, sparsity)
    for path in (path for path in axes if len(values[path]) > 2):  # of two values the table says as much
        others = [other for other in axes if other != path]
        figures[path.replace(".", "-")] = against_axis(words, points, path, others, metric, least=least)
    tiles = math.prod(len(values[path]) for path in axes)
    if len(axes) == 2 and 4 * len(points) >= 3 * tiles:
        figures["heat"] = heat_map(words, points, axes, metric, best=summary["points"][summary["best"]])
    elif len(axes) >= 2:  # more axes than two, or two that were zipped
        figures["parallel"] = parallel_coordinates(words, points, axes, metric, least=least)
    return figures


def _of_search(summary: Tree, words: Words) -> dict[str, Any]:
    search, figures = summary.get("search"), {}
    if search and any(trial["state"] == "complete" for trial in search["history"]):
        figures["history"] = _history(words, search["history"], summary["metric"], maximise=summary["maximise"])
    if search and len(search["importance"]) > 1:
        figures["importance"] = _importance(words, search["importance"], summary["metric"])
    return figures


def against_axis(words: Words, points: Sequence[Point], axis: str, others: Names, metric: str, *, least: bool) -> Any:
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
    field = words.field(axis)
    title = words("sweep.against", metric=words.measure(metric), axis=field)
    figure, (axes,) = canvas.new_panels(4.0, title, [(field, words.stem(metric))])
    values = unique(point["axes"][axis] for point in points)
    along = _positions(values)
    lines: dict[tuple, list[Point]] = {}
    for point in points:
        lines.setdefault(tuple(repr(point["axes"][other]) for other in others), []).append(point)
    x_of = lambda some: np.array([along[values.index(point["axes"][axis])] for point in some])
    if len(lines) <= LINES and len(points) == len(lines) * len(values):
        for number, line in enumerate(lines.values()):
            label = ", ".join(f"{words.field(other)} {_tick(words, line[0]['axes'][other])}" for other in others)
            line = sorted(line, key=lambda point: x_of([point])[0])
            colour, marker = OKABE_ITO[number % len(OKABE_ITO)], MARKS[number % len(MARKS)]
            style = {"color": colour, "marker": marker, "markersize": 5, "label": canvas.plain(label)}
            means, low, high = _intervals(line, metric)
            if all(map(is_number, values)):
                axes.plot(x_of(line), means, **style)
                axes.fill_between(x_of(line), low, high, color=colour, alpha=0.18, linewidth=0)
            else:  # between words there is nothing to join: bars, a little apart from those of other lines
                axes.plot(x_of(line) + 0.06 * number, means, linestyle="", **style)
                axes.vlines(x_of(line) + 0.06 * number, low, high, color=colour, alpha=0.6, linewidth=1.5)
    else:
        means, low, high = _intervals(points, metric)
        axes.scatter(x_of(points), means, s=14, color=GREY, alpha=0.6)
        axes.vlines(x_of(points), low, high, color=GREY, alpha=0.35, linewidth=1)
        if len(points) >= 2 * len(values):
            best = min if least else max
            chosen = [best(mean_of(p, metric) for p in points if p["axes"][axis] == value) for value in values]
            axes.plot(along, chosen, color=OKABE_ITO[0], label=words("sweep.lowest" if least else "sweep.highest"))
    _baseline(words, axes, along, [[p for p in points if p["axes"][axis] == value] for value in values], metric)
    if any(axes.get_legend_handles_labels()[1]):
        canvas.legend_above(axes)
    if not all(map(is_number, values)):
        axes.set_xticks(along, [_broken(_tick(words, value), len(values)) for value in values])
        axes.margins(x=0.1)
    elif canvas.is_logarithmic(values):
        axes.set_xscale("log")
    elif all(isinstance(value, int) for value in values):
        axes.locator_params(axis="x", integer=True)
    return figure


def _baseline(words: Words, axes: Any, along: Sequence[float], points: Sequence[Sequence[Point]], metric: str) -> None:
    """Draw what a baseline has of a metric at each value of an axis, as a broken line; nothing where it varies there.

    Args:
        words: of the language.
        axes: of the figure.
        along: where the values stand.
        points: those of each value.
        metric: along the vertical.
    """
    end = f"/{metric}"
    name = next((n for n in points[0][0]["metrics"] if n.startswith("baseline/") and n.endswith(end)), None)
    levels = [{mean_of(point, name) for point in some} for some in points] if name else []
    if levels and all(len(level) == 1 and None not in level for level in levels):
        method = name.removeprefix("baseline/").removesuffix(end)
        style = {"color": GREY, "linestyle": "--", "linewidth": 1.2, "zorder": 1}
        label = words("sweep.baseline", name=words.named("methods", method))
        axes.plot(along, [level.pop() for level in levels], label=canvas.plain(label), **style)


def _positions(values: Sequence[Any]) -> list[float]:
    """Where values stand on an axis: numbers at themselves, and if there are others all at 0, 1, 2 and so on."""
    return [float(v) for v in values] if all(map(is_number, values)) else [float(i) for i in range(len(values))]


def _tick(words: Words, value: Any) -> str:
    """A value as a short text."""
    return words.number(value, ".3g") if isinstance(value, float) else canvas.plain(canvas.cut(value, 24))


def _broken(text: str, columns: int) -> str:
    """A text below one of so many columns of a figure, in lines that fit."""
    return fill(text, max(6, int(10.5 * (canvas.full_width() - 1) / columns)))


def _intervals(points: Sequence[Point], metric: str) -> list[list[float]]:
    """Means, and lower and upper ends of their intervals: the means themselves where these are not known."""
    statistics = [point["metrics"][metric] for point in points]
    return [[each["mean" if each[end] is None else end] for each in statistics] for end in ("mean", "low", "high")]


def heat_map(words: Words, points: Sequence[Point], axes: Names, metric: str, *, best: Point) -> Any:
    """A metric over two axes as tiles, the number on each, a frame around the best, as a figure.

    Args:
        words: of the language.
        points: of a summary.
        axes: two fields, the vertical one first.
        metric: what the colours are.
        best: the point that was chosen.
    """
    from matplotlib.patches import Rectangle

    down, across = (unique(point["axes"][axis] for point in points) for axis in axes)
    tile_of = lambda point: (down.index(point["axes"][axes[0]]), across.index(point["axes"][axes[1]]))
    grid = np.full((len(down), len(across)), np.nan)
    for point in points:
        grid[tile_of(point)] = mean_of(point, metric)
    title, height = words("sweep.two_axes", metric=words.measure(metric)), 1.6 + 0.42 * max(4, min(len(down), 20))
    figure, (plot,) = canvas.new_panels(height, title, [(words.field(axes[1]), words.field(axes[0]))])
    plot.grid(visible=False)
    plot.spines[:].set_visible(False)
    image = plot.imshow(grid, cmap="viridis", aspect="auto", origin="lower")
    middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
    for (row, column), value in np.ndenumerate(grid):
        if math.isfinite(value) and grid.size <= 150:
            style = {"ha": "center", "va": "center", "size": SMALL - 1, "color": "white" if value < middle else "black"}
            plot.text(column, row, words.number(value, ".3g"), **style)
    row, column = tile_of(best)
    plot.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=OKABE_ITO[5], linewidth=2.5))
    for values, most, set_ticks in ((down, 20, plot.set_yticks), (across, 10, plot.set_xticks)):
        every = -(-len(values) // most)
        set_ticks(range(0, len(values), every), [_tick(words, value) for value in values[::every]], size=SMALL)
    canvas.colour_bar(figure, image, plot, words.stem(metric))
    return figure


def parallel_coordinates(words: Words, points: Sequence[Point], axes: Names, metric: str, *, least: bool) -> Any:
    """Each point as a line over all axes and the metric, the better the darker and the further in front, as a figure.

    Args:
        words: of the language.
        points: of a summary.
        axes: the fields that change.
        metric: the last of the uprights.
        least: whether less of the metric is better.
    """
    title = words("sweep.axes", metric=words.measure(metric), count=len(axes))
    figure, (plot,) = canvas.new_panels(4.2, title, [("", "")])
    plot.grid(visible=False)
    values = [[*(point["axes"][axis] for axis in axes), mean_of(point, metric)] for point in points]
    columns = [_upright(words, plot, x, column, x == len(axes)) for x, column in enumerate(zip(*values, strict=True))]
    lines = np.array(columns).T
    rank = np.argsort(np.argsort(lines[:, -1] if least else -lines[:, -1])) / max(len(lines) - 1, 1)
    from matplotlib import colormaps

    for i in np.argsort(-rank):
        style = {"color": colormaps["viridis"](0.1 + 0.85 * rank[i]), "linewidth": 1.0, "alpha": 1 - 0.6 * rank[i]}
        best = {"color": OKABE_ITO[5], "linewidth": 2.2, "label": words("sweep.best")} if rank[i] == 0 else {}
        plot.plot(range(len(columns)), lines[i], **style | best)
    names = (*map(words.field, axes), words.stem(metric))
    names = [_broken(canvas.plain(name), len(names)) for name in names]
    plot.set_xticks(range(len(columns)), names, size=SMALL)
    plot.set_yticks([])
    plot.set_xlim(-0.35, len(columns) - 0.9)
    plot.spines[:].set_visible(False)
    plot.tick_params(length=0)
    canvas.legend_above(plot)
    return figure


def _upright(words: Words, plot: Any, x: int, column: Sequence[Any], measured: bool) -> list[float]:
    """Draw one upright with the values on it, of a metric the ends alone; where each point meets it, in [0, 1]."""
    values = unique(column)
    heights = _positions(values)
    few = len(values) <= FEW and not measured
    if few:
        heights = list(range(len(values)))
    elif not measured and all(map(is_number, values)) and canvas.is_logarithmic(values):
        heights = [math.log(height) for height in heights]
    low, spread = min(heights), max(max(heights) - min(heights), 1e-300)
    heights = [(height - low) / spread for height in heights]
    paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 0.5}
    style = {"ha": "right", "va": "center", "size": SMALL - 1, "color": "black", "bbox": paper, "zorder": 5}
    for i in range(len(values)) if few else {int(np.argmin(heights)), int(np.argmax(heights))}:
        plot.text(x - 0.02, heights[i], _tick(words, values[i]), **style)
    plot.axvline(x, color=PALE, linewidth=1, zorder=0)
    return [heights[values.index(value)] for value in column]


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
    figure, (axes,) = canvas.new_panels(4.0, words("sweep.trade_off"), [tuple(map(words.stem, (sparsity, error)))])
    axes.scatter(*known.T, s=22, color=GREY, alpha=0.7, label=words("sweep.settings"), linewidths=0)
    style = {"color": OKABE_ITO[0], "marker": "o", "markersize": 5, "drawstyle": "steps-post"}
    axes.plot(*known[front(known)].T, label=words("sweep.front"), **style)
    canvas.legend_above(axes)
    return figure


def front(pairs: np.ndarray) -> np.ndarray:
    """Positions of the pairs that no other pair is at most as large as in both and smaller in one, from left on."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    lowest = np.minimum.accumulate(pairs[order, 1])
    return order[np.diff(lowest, prepend=math.inf) < 0]


def _history(words: Words, trials: Sequence[Tree], metric: str, *, maximise: bool) -> Any:
    """The objective of every trial of a search, and the best so far as a line, as a figure."""
    title = words("search.history", metric=words.measure(metric))
    figure, (axes,) = canvas.new_panels(4.0, title, [(words("search.trial"), words.stem(metric))])
    known = [trial for trial in trials if trial["value"] is not None]
    of_state = lambda state: [(trial["trial"], trial["value"]) for trial in known if trial["state"] == state]
    for state, mark in (("complete", "o"), ("pruned", "x")):
        if of_state(state):
            style = {"s": 22, "color": GREY, "alpha": 0.7, "marker": mark}
            axes.scatter(*zip(*of_state(state), strict=True), label=words(f"search.{state}"), **style)
    numbers, values = zip(*of_state("complete"), strict=True)
    best = (np.maximum if maximise else np.minimum).accumulate(values)
    axes.plot(numbers, best, color=OKABE_ITO[0], drawstyle="steps-post", label=words("search.best"))
    canvas.legend_above(axes)
    axes.locator_params(axis="x", integer=True)
    return figure


def _importance(words: Words, shares: Mapping[str, float], metric: str) -> Any:
    """The share of each axis in the variance of the objective of a search, as a figure."""
    names = sorted(shares, key=lambda name: -shares[name])
    title = words("search.importance", metric=words.measure(metric))
    figure, (axes,) = canvas.new_panels(0.8 + 0.4 * len(names), title, [(words("search.share"), "")])
    fields = [canvas.plain(words.field(name)) for name in names]
    canvas.bars(axes, fields, [shares[name] for name in names], color=OKABE_ITO[0])
    return figure
