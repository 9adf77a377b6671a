"""Figures of a sweep over several axes at once: heat maps and parallel coordinates."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, PALE, SMALL, TEXT
from aejax.figures.sweep_values import Point, is_logarithmic, mean_of, positions, tick, unique, wrapped
from aejax.figures.words import Words

FEW = 9
"""Values of an axis that stand evenly apart, each with its name."""

PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 0.5}


def heat_map(words: Words, points: Sequence[Point], axes: Sequence[str], metric: str, *, best: Point) -> Any:
    """A metric over two axes as tiles, the number on each, a frame around the best, as a figure.

    Args:
        words: of the language.
        points: of a summary.
        axes: two fields, the vertical one first.
        metric: what the colours are.
        best: the point that was chosen.
    """
    down, across = (unique(point["axes"][axis] for point in points) for axis in axes)
    grid = np.full((len(down), len(across)), np.nan)
    for point in points:
        grid[down.index(point["axes"][axes[0]]), across.index(point["axes"][axes[1]])] = mean_of(point, metric)
    figure = canvas.new_figure(1.6 + 0.42 * max(4, min(len(down), 20)), words("sweep.two_axes", metric=metric))
    plot = figure.subplots()
    image = plot.imshow(grid, cmap="viridis", aspect="auto", origin="lower")
    if grid.size <= 150:
        middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
        for (row, column), value in np.ndenumerate(grid):
            if math.isfinite(value):
                colour = "white" if value < middle else "black"
                plot.text(
                    column, row, words.number(value, ".3g"), ha="center", va="center", size=SMALL - 1, color=colour
                )
    row, column = down.index(best["axes"][axes[0]]), across.index(best["axes"][axes[1]])
    from matplotlib.patches import Rectangle

    frame = {"fill": False, "edgecolor": OKABE_ITO[5], "linewidth": 2.5}
    plot.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
    for where, values, set_ticks in ((0, down, plot.set_yticks), (1, across, plot.set_xticks)):
        every = -(-len(values) // (20 if where == 0 else 10))
        set_ticks(range(0, len(values), every), [tick(words, value) for value in values[::every]], size=SMALL)
    plot.set_ylabel(canvas.plain(axes[0]), size=TEXT)
    plot.set_xlabel(canvas.plain(axes[1]), size=TEXT)
    plot.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=plot)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, color=PALE)
    bar.set_label(canvas.plain(metric), size=TEXT)
    return figure


def parallel_coordinates(
    words: Words, points: Sequence[Point], axes: Sequence[str], metric: str, *, least: bool
) -> Any:
    """Each point as a line over all axes and the metric, the better the darker and the further in front, as a figure.

    Args:
        words: of the language.
        points: of a summary.
        axes: the fields that change.
        metric: the last of the uprights.
        least: whether less of the metric is better.
    """
    figure = canvas.new_figure(4.2, words("sweep.axes", metric=metric, count=len(axes)))
    plot = figure.subplots()
    of_axis = lambda axis: [point["axes"][axis] for point in points]
    columns = [_upright(words, plot, number, of_axis(axis)) for number, axis in enumerate(axes)]
    columns.append(_upright(words, plot, len(axes), [mean_of(point, metric) for point in points], measured=True))
    lines = np.array(columns).T
    rank = np.argsort(np.argsort(lines[:, -1] if least else -lines[:, -1])) / max(len(lines) - 1, 1)
    from matplotlib import colormaps

    for i in np.argsort(-rank):
        best = rank[i] == 0
        colour = OKABE_ITO[5] if best else colormaps["viridis"](0.1 + 0.85 * rank[i])
        width = 2.2 if best else 1.0
        label = words("sweep.best") if best else None
        plot.plot(range(len(columns)), lines[i], color=colour, linewidth=width, alpha=1 - 0.6 * rank[i], label=label)
    plot.set_xticks(range(len(columns)), [wrapped(name) for name in [*axes, metric]], size=SMALL)
    plot.set_yticks([])
    plot.set_xlim(-0.35, len(columns) - 0.9)
    plot.spines[:].set_visible(False)
    plot.tick_params(length=0)
    canvas.legend_above(plot, canvas.WIDTH - 0.8)
    return figure


def _upright(words: Words, plot: Any, x: int, column: Sequence[Any], *, measured: bool = False) -> list[float]:
    """Draw one upright with the values on it, of a metric the ends alone; where each point meets it, in [0, 1]."""
    values = unique(column)
    heights = positions(values)
    if not measured and len(values) <= FEW:
        heights = list(range(len(values)))
    elif not measured and is_logarithmic(values):
        heights = [math.log(height) for height in heights]
    low, spread = min(heights), max(max(heights) - min(heights), 1e-300)
    shown = sorted(range(len(values)), key=lambda i: heights[i])
    shown = shown if len(shown) <= FEW and not measured else [shown[0], shown[-1]]
    style = {"ha": "right", "va": "center", "size": SMALL - 1, "color": "black", "bbox": PAPER, "zorder": 5}
    for i in shown:
        plot.text(x - 0.02, (heights[i] - low) / spread, tick(words, values[i]), **style)
    plot.axvline(x, color=PALE, linewidth=1, zorder=0)
    return [(heights[values.index(value)] - low) / spread for value in column]
