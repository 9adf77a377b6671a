"""Codes: how often each value occurs, and how much each unit is used."""

from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT
from aejax.figures.words import Words

BLUE, GREEN = OKABE_ITO[0], OKABE_ITO[2]
BINS = 60


def usage(codes: Any) -> dict[str, Any]:
    """What `code_histogram` shows of codes: a histogram of their values, and the mean activation of each unit.

    Args:
        codes: (m, d) activations of m rows.

    Raises:
        UserError: if there is nothing to show.
    """
    codes = canvas.numbers(codes, "codes", [2])
    there = np.isfinite(codes)
    values = codes[there]
    if values.size == 0:
        raise UserError("codes: no value is finite")
    low, high = values.min(), values.max()
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        middle, half = low, max(0.5, abs(low) / 10)
        low, high = middle - half, middle + half
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    means = np.where(there, codes, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    idle = np.sum(np.all(codes == 0, axis=0))
    return {
        "counts": counts,
        "edges": edges,
        "means": np.sort(means)[::-1],
        "zeros": np.mean(values == 0),
        "idle": idle,
    }


def code_histogram(words: Words, usage: dict[str, Any], target_rate: float | None = None, *, title: str = "") -> Any:
    """How often each value of the code occurs, and the mean activation of each unit, largest first, as a figure.

    Args:
        words: of the language.
        usage: of the codes.
        target_rate: the mean activation that training aimed at; drawn as a line.
        title: of the figure, if not the usual one.
    """
    from matplotlib.ticker import MaxNLocator

    figure = canvas.new_figure(3.5, title or words("code.title"))
    left, right = figure.subplots(1, 2)
    left.stairs(usage["counts"], usage["edges"], fill=True, color=BLUE)
    left.set_yscale("log")
    left.set_ylim(0.7, 2 * usage["counts"].max())
    canvas.quiet(left, x=words("code.activation"), y=words("common.log_scale", label=words("code.values")))
    zeros = words("code.zeros", share=usage["zeros"]) if usage["zeros"] else words("code.no_zeros")
    left.set_title(zeros, size=TEXT, color=GREY, loc="left")
    means = usage["means"]
    right.stairs(means, np.arange(means.size + 1) + 0.5, fill=True, color=GREEN, baseline=0)
    canvas.quiet(right, x=words("code.unit"), y=words("code.mean"))
    right.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    right.set_xlim(0.5, means.size + 0.5)
    note = words("code.idle", idle=int(usage["idle"]), units=means.size)
    if target_rate is not None:
        right.axhline(target_rate, color="#000000", linestyle="--", linewidth=1.4)
        note = words("code.idle_target", idle=int(usage["idle"]), units=means.size, target=target_rate)
    right.set_title(note, size=TEXT, color=GREY, loc="left")
    return figure
