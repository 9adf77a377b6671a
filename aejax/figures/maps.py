"""Maps of rows in two dimensions, coloured by class or by a quantity."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, PETROFF, SMALL, TEXT, WIDTH


def scatter_2d(
    path: str | os.PathLike,
    panels: Mapping[str, tuple[Any, Any]],
    label_names: Sequence[str] = (),
    *,
    axis_names: tuple[str, str] = ("first coordinate", "second coordinate"),
    title: str = "Maps of the data in two dimensions",
    same_axes: bool = False,
) -> Path:
    """Draw maps of the same data side by side, a point for each row, coloured by class.

    Args:
        path: the PNG file to write.
        panels: by title, points (n, 2) and their labels (n,): whole numbers are indices into `label_names`
            (negative: no label), other numbers are a quantity, None is one colour for all.
        label_names: a name for each class; for a quantity, its one name.
        axis_names: of the horizontal and the vertical axis.
        title: what there is to see.
        same_axes: all maps have the limits that hold the points of every one, so that clouds can be compared.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw, or points and labels differ in number.
    """
    if not panels:
        raise UserError("panels: needs at least one map")
    drawn = {name: labelled_points(name, *panel) for name, panel in panels.items()}
    quantity = any(labels.dtype.kind == "f" for _, labels in drawn.values())
    used = [] if quantity else np.unique(np.concatenate([labels for _, labels in drawn.values()])).tolist()
    columns = 2 if len(drawn) == 4 else min(len(drawn), 3)
    rows = -(-len(drawn) // columns)
    side = 1.4 if quantity or used != [-1] else 0.2
    figure = canvas.new_figure(0.7 + rows * min((WIDTH - side) / columns, 4.2), title)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=same_axes, sharey=same_axes).ravel()
    for axes in grid[len(drawn) :]:
        axes.set_visible(False)
    classes = len(label_names) or max(used, default=-1) + 1
    within = limits([labels for _, labels in drawn.values()])
    for axes, (name, (points, labels)) in zip(grid, drawn.items(), strict=False):
        mark = scatter(axes, points, labels.astype(float) if quantity else labels, classes, within)
        axes.set_title(canvas.plain(name), size=TEXT + 1, loc="left")
        first = axes.get_subplotspec().is_first_col()
        canvas.quiet(axes, x=axis_names[0], y=axis_names[1] if first else "")
    if quantity:
        bar = figure.colorbar(mark, ax=list(grid), aspect=30, pad=0.01)
        bar.set_label(canvas.plain(label_names[0] if label_names else "value"), size=TEXT)
        bar.ax.tick_params(labelsize=SMALL)
        bar.solids.set_alpha(1.0)
    elif used != [-1]:
        class_legend(figure, used, label_names)
    return canvas.save_figure(figure, path)


def labelled_points(name: str, points: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The finite points of one map and their labels; -1 for all where there are none."""
    points = canvas.numbers(points, f"map {name!r}", [2])
    if points.shape[1] != 2:
        raise UserError(f"map {name!r}: points have 2 coordinates, got shape {points.shape}")
    labels = np.full(len(points), -1) if labels is None else np.asarray(labels)
    if labels.shape != (len(points),) or labels.dtype.kind not in "biuf":
        raise UserError(f"map {name!r}: {len(points)} points need as many labels that are numbers, or none")
    known = np.isfinite(points).all(axis=1) & np.isfinite(labels)
    if not known.any():
        raise UserError(f"map {name!r}: no point is finite")
    return points[known], labels[known]


def class_style(label: int, classes: int) -> tuple[str, str]:
    """Colour and marker of a class, the same in every map; grey for no label among labels."""
    if label < 0 or not classes:
        return "#9a9a9a" if classes else OKABE_ITO[0], "o"
    palette = OKABE_ITO if classes <= len(OKABE_ITO) else PETROFF
    return palette[label % len(palette)], "os^Dv*"[label // len(palette) % 6]


def limits(labels: Sequence[np.ndarray]) -> tuple[float, float]:
    """The smallest and the largest label of all maps, so that a colour means the same in each."""
    return min(float(array.min()) for array in labels), max(float(array.max()) for array in labels)


def scatter(axes: Any, points: np.ndarray, labels: np.ndarray, classes: int, within: tuple[float, float]) -> Any:
    """Draw one map, in an order that lets no class cover another; returns what a colour bar needs."""
    size = float(np.clip(12000 / max(len(points), 1), 5, 28))
    style = {"s": size, "alpha": 0.8, "linewidths": 0, "rasterized": True}
    order = np.random.default_rng(0).permutation(len(points))
    points, labels = points[order], labels[order]
    if labels.dtype.kind == "f":
        return axes.scatter(*points.T, c=labels, cmap="viridis", vmin=within[0], vmax=within[1], **style)
    styles = [class_style(int(label), classes) for label in labels]
    for marker in sorted({marker for _, marker in styles}):
        chosen = np.array([mark == marker for _, mark in styles])
        colours = [colour for colour, mark in styles if mark == marker]
        axes.scatter(*points[chosen].T, c=colours, marker=marker, **style)
    return None


def class_legend(figure: Any, used: Sequence[int], names: Sequence[str]) -> None:
    """The classes at the right of all maps."""
    from matplotlib.lines import Line2D

    handles = []
    for label in used:
        colour, marker = class_style(label, len(names) or max(used) + 1)
        name = "no label" if label < 0 else names[label] if label < len(names) else str(label)
        style = {"linestyle": "", "marker": marker, "markersize": 7, "color": colour}
        handles.append(Line2D([], [], label=canvas.short(name, 22), **style))
    figure.legend(
        handles=handles,
        loc="outside right center",
        frameon=False,
        fontsize=SMALL if len(used) > 12 else TEXT,
        ncols=1 + len(used) // 17,
        handletextpad=0.2,
        columnspacing=0.8,
    )
