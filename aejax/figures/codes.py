"""Codes: how often each value occurs, and how much each unit is used."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT

BLUE, GREEN = OKABE_ITO[0], OKABE_ITO[2]


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
