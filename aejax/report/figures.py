"""Arrays to pictures. Each function writes one PNG, whole and with the same bytes for the same arrays.

The pictures are drawn for the width of a page (900 pixels) with colours that every kind of eye tells apart.
They use matplotlib's objects, never pyplot, so nothing is shared between two of them.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.report import canvas
from aejax.report import panels as parts
from aejax.report.canvas import GREY, OKABE_ITO, SMALL, TEXT, WIDTH

BLUE, GREEN = OKABE_ITO[0], OKABE_ITO[2]


def loss_curves(
    path: str | os.PathLike,
    steps: Any,
    series: Mapping[str, Any],
    evaluations: Mapping[str, tuple[Any, Any]] | None = None,
    *,
    title: str = "Loss during training",
    unit: str = "loss",
) -> Path:
    """Draw the training loss, raw and smoothed, the evaluations, and beside them the terms of the loss.

    The smooth curve is the mean over a window of 1/40 of the steps around each. The axis is logarithmic where
    all values are positive and the largest is more than 20 times the smallest.

    Args:
        path: the PNG file to write.
        steps: (n,) the steps of the values.
        series: values (n,) by name. The first is the loss; the others, where there are two or more, are its
            terms and get a panel of their own.
        evaluations: (steps, values) by name. One with the name of a series is that series on the validation
            rows and is drawn beside it; any other, such as ``"test"``, is drawn beside the loss.
        title: what there is to see.
        unit: what the loss is measured in, for the axis.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw or lengths differ.
    """
    steps = canvas.numbers(steps, "steps", [1])
    if not series:
        raise UserError("series: needs at least the loss")
    curves = {name: canvas.numbers(values, f"series {name!r}", [1]) for name, values in series.items()}
    for name, values in curves.items():
        if values.shape != steps.shape:
            raise UserError(f"series {name!r}: has {values.size} values for {steps.size} steps")
    loss, *terms = curves
    terms = terms if len(terms) > 1 else []
    found = {name: parts.evaluated(name, *pair) for name, pair in (evaluations or {}).items()}
    figure = canvas.new_figure(3.6 + 0.12 * len(terms), title)
    axes = figure.subplots(1, 2 if terms else 1, squeeze=False)[0]
    wide = WIDTH / len(axes) - 0.8
    drawn = [parts.curve(axes[0], steps, curves[loss], loss, BLUE)]
    others = [name for name in found if name == loss or name not in curves]
    for name, colour in zip(others, itertools.cycle(OKABE_ITO[1:4])):
        label = f"{name}, validation" if name == loss else name
        drawn.append(parts.dots(axes[0], *found[name], label, colour))
    parts.finish_curves(axes[0], drawn, unit, wide)
    drawn = []
    for name, colour in zip(terms, itertools.cycle(OKABE_ITO[i] for i in (2, 3, 5, 4, 1, 6, 0))):
        drawn.append(parts.curve(axes[1], steps, curves[name], name, colour))
        if name in found:
            drawn.append(parts.dots(axes[1], *found[name], "", colour))
    if terms:
        if found.keys() & set(terms):
            parts.dots(axes[1], np.empty(0), np.empty(0), "validation", GREY)
        parts.finish_curves(axes[1], drawn, "terms of the loss", wide)
    return canvas.save_figure(figure, path)


def reconstructions(
    path: str | os.PathLike,
    originals: Any,
    reconstructions: Any,
    baseline: Any = None,
    *,
    inputs: Any = None,
    labels: Sequence[str] | None = None,
    errors: Mapping[str, str] | None = None,
    baseline_name: str = "PCA",
    feature_names: Sequence[str] = (),
    title: str = "Originals and their reconstructions",
) -> Path:
    """Draw some rows of a data set above, or behind, what the autoencoder and the baseline make of them.

    Images become a mosaic with a row for each; rows of a table become profiles over the features. As many of
    the first rows are drawn as fit: up to 12 images or 6 profiles.

    Args:
        path: the PNG file to write.
        originals: (n, height, width[, 1 or 3]) in [0, 1], or (n, features).
        reconstructions: the same shape.
        baseline: the same shape; drawn if given.
        inputs: the same shape: what the encoder saw, where that is not the original.
        labels: n short texts, one above each example.
        errors: a short text below the name of a row: ``{"autoencoder": "MSE 0.012"}``.
        baseline_name: what to call the baseline.
        feature_names: of a table, written below the axis where they fit.
        title: what there is to see.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw or shapes differ.
    """
    originals = canvas.numbers(originals, "originals", [2, 3, 4])
    given = {"original": originals, "input": inputs, "autoencoder": reconstructions, baseline_name: baseline}
    rows = {}
    for name, values in given.items():
        if values is not None:
            rows[name] = canvas.numbers(values, name, [originals.ndim])
            if rows[name].shape != originals.shape:
                raise UserError(f"{name}: shape {rows[name].shape}, but the originals have {originals.shape}")
    names = {name: "\n".join([name, *filter(None, [(errors or {}).get(name)])]) for name in rows}
    columns = [""] * len(originals) if labels is None else [str(label) for label in labels]
    draw = parts.profiles if originals.ndim == 2 else parts.image_rows
    return canvas.save_figure(draw(rows, names, columns, title, list(feature_names)), path)


def filters(
    path: str | os.PathLike,
    kernels: Any,
    *,
    limit: int = 100,
    title: str = "Filters of the first layer",
) -> Path:
    """Draw filters as a grid of small pictures, each scaled by its own largest magnitude.

    One channel: zero is white, positive weights are red and negative ones blue. Three channels: zero is grey.

    Args:
        path: the PNG file to write.
        kernels: (units, height, width[, 1 or 3]) weights.
        limit: draw no more than this many, and say so in the title.
        title: what there is to see.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw, or for another number of channels.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    kernels = np.nan_to_num(canvas.numbers(kernels, "kernels", [3, 4]))
    if len(kernels) > limit:
        title = f"{title} (first {limit} of {len(kernels)})"
        kernels = kernels[:limit]
    largest = np.abs(kernels).max(axis=tuple(range(1, kernels.ndim)), keepdims=True)
    signed = kernels / np.where(largest > 0, largest, 1.0)
    tiles = canvas.colours(0.5 + 0.5 * signed, "kernels")
    coloured = kernels.ndim == 4 and kernels.shape[-1] == 3
    if not coloured:
        tiles = colormaps["RdBu_r"](tiles[..., 0])[..., :3]
    count, height, width, _ = tiles.shape
    columns = canvas.grid_columns(count, ratio=1.9 * height / width)
    rows = -(-count // columns)
    empty = rows * columns - count
    padded = np.concatenate([tiles, np.ones((empty, height, width, 3))]).reshape(rows, columns, height, width, 3)
    # Enlarged first, so that the lines between small filters are thin.
    scale = max(1, round(48 / max(height, width)))
    picture = canvas.mosaic(padded.repeat(scale, axis=2).repeat(scale, axis=3), gap=2, between=0.75)
    if empty:
        picture[-(height * scale + 2) :, -empty * (width * scale + 2) :] = 1.0
    beside = 0.3 if coloured else 1.0
    wide = min(WIDTH - beside, 1.2 * columns * width / max(height, width))
    high = max(wide * picture.shape[0] / picture.shape[1], 2.0)
    figure = canvas.new_figure(high + 0.5, title, width=canvas.fitting(wide + beside, title))
    axes = figure.subplots()
    axes.set_anchor("W")
    axes.imshow(picture)
    axes.set_axis_off()
    if not coloured:
        bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), "RdBu_r"), ax=axes, aspect=30, pad=0.01)
        bar.set_label("weight ÷ largest of its filter", size=SMALL)
        bar.set_ticks([-1, 0, 1])
        bar.ax.tick_params(labelsize=SMALL)
    return canvas.save_figure(figure, path)


def code_histogram(
    path: str | os.PathLike,
    codes: Any,
    target_rate: float | None = None,
    *,
    title: str = "How the units of the code are used",
) -> Path:
    """Draw how often each value of the code occurs, and the mean activation of each unit, largest first.

    Args:
        path: the PNG file to write.
        codes: (m, d) activations of m rows.
        target_rate: the mean activation that training aimed at; drawn as a line.
        title: what there is to see.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw.
    """
    from matplotlib.ticker import MaxNLocator

    codes = canvas.numbers(codes, "codes", [2])
    values = codes[np.isfinite(codes)]
    if values.size == 0:
        raise UserError("codes: no value is finite")
    low, high = values.min(), values.max()
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        middle, half = low, max(0.5, abs(low) / 10)
        low, high = middle - half, middle + half
    figure = canvas.new_figure(3.5, title)
    left, right = figure.subplots(1, 2)
    counts, edges = np.histogram(values, bins=60, range=(low, high))
    left.stairs(counts, edges, fill=True, color=BLUE)
    left.set_yscale("log")
    left.set_ylim(0.7, 2 * counts.max())
    canvas.quiet(left, x="activation", y="values (log scale)")
    zero = f"{np.mean(values == 0):.1%} of the values are" if np.any(values == 0) else "no value is"
    left.set_title(f"{zero} exactly 0", size=TEXT, color=GREY, loc="left")
    finite = np.isfinite(codes)
    means = np.where(finite, codes, 0.0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    means = np.sort(means)[::-1]
    right.stairs(means, np.arange(means.size + 1) + 0.5, fill=True, color=GREEN, baseline=0)
    idle = int(np.sum(np.all(codes == 0, axis=0)))
    canvas.quiet(right, x="unit, by mean activation", y="mean activation")
    note = f"{idle} of {means.size} units never active"
    right.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    right.set_xlim(0.5, means.size + 0.5)
    if target_rate is not None:
        right.axhline(target_rate, color="#000000", linestyle="--", linewidth=1.4)
        note += f"; dashed: the target, {target_rate:g}"
    right.set_title(note, size=TEXT, color=GREY, loc="left")
    return canvas.save_figure(figure, path)


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
    drawn = {name: parts.labelled_points(name, *panel) for name, panel in panels.items()}
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
    limits = parts.limits([labels for _, labels in drawn.values()])
    for axes, (name, (points, labels)) in zip(grid, drawn.items(), strict=False):
        mark = parts.scatter(axes, points, labels.astype(float) if quantity else labels, classes, limits)
        axes.set_title(canvas.plain(name), size=TEXT + 1, loc="left")
        first = axes.get_subplotspec().is_first_col()
        canvas.quiet(axes, x=axis_names[0], y=axis_names[1] if first else "")
    if quantity:
        bar = figure.colorbar(mark, ax=list(grid), aspect=30, pad=0.01)
        bar.set_label(canvas.plain(label_names[0] if label_names else "value"), size=TEXT)
        bar.ax.tick_params(labelsize=SMALL)
        bar.solids.set_alpha(1.0)
    elif used != [-1]:
        parts.class_legend(figure, used, label_names)
    return canvas.save_figure(figure, path)
