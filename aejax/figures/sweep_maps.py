"""Pictures of a sweep over several axes at once: heat maps and parallel coordinates."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, PALE, SMALL, TEXT
from aejax.figures.sweep_values import Point, is_logarithmic, mean_of, positions, tick, unique, wrapped

FEW = 9
"""Values of an axis that stand evenly apart, each with its name."""

PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9, "pad": 0.5}


def heat_map(
    path: str | os.PathLike, points: Sequence[Point], axes: Sequence[str], metric: str, *, best: Point
) -> Path:
    """Draw a metric over two axes as tiles, the number on each, a frame around the best.

    Args:
        path: the PNG file to write.
        points: of a summary.
        axes: two fields, the vertical one first.
        metric: what the colours are.
        best: the point that was chosen.
    """
    down, across = (unique(point["axes"][axis] for point in points) for axis in axes)
    grid = np.full((len(down), len(across)), np.nan)
    for point in points:
        grid[down.index(point["axes"][axes[0]]), across.index(point["axes"][axes[1]])] = mean_of(point, metric)
    figure = canvas.new_figure(1.6 + 0.42 * max(4, min(len(down), 20)), f"{metric} over two axes")
    plot = figure.subplots()
    image = plot.imshow(grid, cmap="viridis", aspect="auto", origin="lower")
    if grid.size <= 150:
        middle = (np.nanmin(grid) + np.nanmax(grid)) / 2
        for (row, column), value in np.ndenumerate(grid):
            if math.isfinite(value):
                colour = "white" if value < middle else "black"
                plot.text(column, row, f"{value:.3g}", ha="center", va="center", size=SMALL - 1, color=colour)
    row, column = down.index(best["axes"][axes[0]]), across.index(best["axes"][axes[1]])
    from matplotlib.patches import Rectangle

    frame = {"fill": False, "edgecolor": OKABE_ITO[5], "linewidth": 2.5}
    plot.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
    for where, values, set_ticks in ((0, down, plot.set_yticks), (1, across, plot.set_xticks)):
        every = -(-len(values) // (20 if where == 0 else 10))
        set_ticks(range(0, len(values), every), [tick(value) for value in values[::every]], size=SMALL)
    plot.set_ylabel(canvas.plain(axes[0]), size=TEXT)
    plot.set_xlabel(canvas.plain(axes[1]), size=TEXT)
    plot.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=plot)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=SMALL, color=PALE)
    bar.set_label(canvas.plain(metric), size=TEXT)
    return canvas.save_figure(figure, path)


def parallel_coordinates(
    path: str | os.PathLike, points: Sequence[Point], axes: Sequence[str], metric: str, *, least: bool
) -> Path:
    """Draw each point as a line over all axes and the metric, the better the darker and the further in front.

    Args:
        path: the PNG file to write.
        points: of a summary.
        axes: the fields that change.
        metric: the last of the uprights.
        least: whether less of the metric is better.
    """
    figure = canvas.new_figure(4.2, f"{metric} over {len(axes)} axes")
    plot = figure.subplots()
    of_axis = lambda axis: [point["axes"][axis] for point in points]
    columns = [_upright(plot, number, of_axis(axis)) for number, axis in enumerate(axes)]
    columns.append(_upright(plot, len(axes), [mean_of(point, metric) for point in points], measured=True))
    lines = np.array(columns).T
    rank = np.argsort(np.argsort(lines[:, -1] if least else -lines[:, -1])) / max(len(lines) - 1, 1)
    from matplotlib import colormaps

    for place in np.argsort(-rank):
        best = rank[place] == 0
        colour = OKABE_ITO[5] if best else colormaps["viridis"](0.1 + 0.85 * rank[place])
        width = 2.2 if best else 1.0
        label = "best" if best else None
        plot.plot(
            range(len(columns)), lines[place], color=colour, linewidth=width, alpha=1 - 0.6 * rank[place], label=label
        )
    plot.set_xticks(range(len(columns)), [wrapped(name) for name in [*axes, metric]], size=SMALL)
    plot.set_yticks([])
    plot.set_xlim(-0.35, len(columns) - 0.9)
    plot.spines[:].set_visible(False)
    plot.tick_params(length=0)
    canvas.legend_above(plot, canvas.WIDTH - 0.8)
    return canvas.save_figure(figure, path)


def _upright(plot: Any, number: int, own: Sequence[Any], *, measured: bool = False) -> list[float]:
    """Draw one upright with the values on it, of a metric the ends alone; where each point meets it, in [0, 1]."""
    values = unique(own)
    places = positions(values)
    if not measured and len(values) <= FEW:
        places = list(range(len(values)))
    elif not measured and is_logarithmic(values):
        places = [math.log(place) for place in places]
    low, spread = min(places), max(max(places) - min(places), 1e-300)
    shown = sorted(range(len(values)), key=lambda i: places[i])
    shown = shown if len(shown) <= FEW and not measured else [shown[0], shown[-1]]
    style = {"ha": "right", "va": "center", "size": SMALL - 1, "color": "black", "bbox": PAPER, "zorder": 5}
    for i in shown:
        plot.text(number - 0.02, (places[i] - low) / spread, tick(values[i]), **style)
    plot.axvline(number, color=PALE, linewidth=1, zorder=0)
    return [(places[values.index(value)] - low) / spread for value in own]
