"""Curves over the steps of training: the loss, its terms, and their evaluations."""

import itertools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT, WIDTH

BLUE = OKABE_ITO[0]


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
    found = {name: evaluated(name, *pair) for name, pair in (evaluations or {}).items()}
    figure = canvas.new_figure(3.6 + 0.12 * len(terms), title)
    axes = figure.subplots(1, 2 if terms else 1, squeeze=False)[0]
    wide = WIDTH / len(axes) - 0.8
    drawn = [curve(axes[0], steps, curves[loss], loss, BLUE)]
    others = [name for name in found if name == loss or name not in curves]
    for name, colour in zip(others, itertools.cycle(OKABE_ITO[1:4])):
        label = f"{name}, validation" if name == loss else name
        drawn.append(dots(axes[0], *found[name], label, colour))
    finish_curves(axes[0], drawn, unit, wide)
    drawn = []
    for name, colour in zip(terms, itertools.cycle(OKABE_ITO[i] for i in (2, 3, 5, 4, 1, 6, 0))):
        drawn.append(curve(axes[1], steps, curves[name], name, colour))
        if name in found:
            drawn.append(dots(axes[1], *found[name], "", colour))
    if terms:
        if found.keys() & set(terms):
            dots(axes[1], np.empty(0), np.empty(0), "validation", GREY)
        finish_curves(axes[1], drawn, "terms of the loss", wide)
    return canvas.save_figure(figure, path)


def curve(axes: Any, steps: np.ndarray, values: np.ndarray, name: str, colour: str) -> np.ndarray:
    """Draw one curve, light as it is and full as its running mean; returns what was drawn."""
    values, half = canvas.finite(values), values.size // 80
    style = {"color": colour, "linewidth": 1.8, "label": canvas.plain(name)}
    if np.isfinite(values).sum() == 1:
        style["marker"] = "o"
    if half:
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
        axes.plot(steps, smooth(values, half), **style)
    else:
        axes.plot(steps, values, **style)
    return values


def dots(axes: Any, steps: np.ndarray, values: np.ndarray, name: str, colour: str) -> np.ndarray:
    """Draw values that were found now and then, in the legend if they have a name; returns what was drawn."""
    style = {"color": colour, "marker": "o", "markersize": 3.5, "linewidth": 1.4, "linestyle": "--"}
    axes.plot(
        steps,
        canvas.finite(values),
        label=canvas.plain(name) if name else "_hidden",
        markevery=max(1, values.size // 40),
        **style,
    )
    return values


def evaluated(name: str, steps: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The steps and values of an evaluation, of equal number."""
    steps, values = canvas.numbers(steps, f"steps of {name!r}", [1]), canvas.numbers(values, f"{name!r}", [1])
    if steps.shape != values.shape:
        raise UserError(f"evaluation {name!r}: has {values.size} values for {steps.size} steps")
    return steps, values


def finish_curves(axes: Any, drawn: Sequence[np.ndarray], label: str, width: float) -> None:
    """Scale and label the axes of curves, and name the curves above them."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    together = np.concatenate([values[np.isfinite(values)] for values in drawn])
    if together.size == 0:
        axes.text(0.5, 0.5, "no value is finite", transform=axes.transAxes, ha="center", size=TEXT, color=GREY)
    logarithmic = together.size > 0 and together.min() > 0 and together.max() > 20 * together.min()
    canvas.quiet(axes, x="step", y=f"{label} (log scale)" if logarithmic else label)
    if logarithmic:
        axes.set_yscale("log")
        narrow = together.max() < 1000 * together.min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        if narrow:
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    canvas.legend_above(axes, width)


def smooth(values: np.ndarray, half: int) -> np.ndarray:
    """The mean of the finite values among the `half` on either side of each value and the value itself."""
    known = np.isfinite(values)
    totals = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    stop = np.minimum(np.arange(values.size) + half + 1, values.size)
    start = np.maximum(np.arange(values.size) - half, 0)
    number = counts[stop] - counts[start]
    return np.where(number > 0, (totals[stop] - totals[start]) / np.maximum(number, 1), np.nan)
