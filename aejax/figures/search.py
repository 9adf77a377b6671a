"""Pictures of a search: the objective of trial after trial, and which axes it depends on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO


def draw(folder: Path, summary: Mapping[str, Any]) -> list[Path]:
    """Draw the history of a search, and the importance of its axes where there are several.

    Args:
        folder: for the pictures.
        summary: what ``summary.json`` holds, with its part ``search``.
    """
    told, drawn = summary["search"], []
    if any(trial["state"] == "complete" for trial in told["history"]):
        place = folder / "history.png"
        drawn.append(history(place, told["history"], summary["metric"], maximise=summary["maximise"]))
    if len(told["importance"]) > 1:
        drawn.append(importance(folder / "importance.png", told["importance"], summary["metric"]))
    return drawn


def history(path: Path, trials: Sequence[Mapping[str, Any]], metric: str, *, maximise: bool) -> Path:
    """Draw the objective of every trial, and the best so far as a line.

    Args:
        path: the PNG file to write.
        trials: each with its number, ``state`` and ``value``.
        metric: the objective.
        maximise: whether more of it is better.
    """
    whole = [trial for trial in trials if trial["state"] == "complete"]
    pruned = [trial for trial in trials if trial["state"] == "pruned" and trial["value"] is not None]
    figure = canvas.new_figure(4.0, f"{metric} of trial after trial")
    axes = figure.subplots()
    for label, own, mark in (("trained to the end", whole, "o"), ("given up", pruned, "x")):
        if own:
            at, values = [trial["trial"] for trial in own], [trial["value"] for trial in own]
            axes.scatter(at, values, s=22, color=GREY, alpha=0.7, marker=mark, label=label)
    best = (np.maximum if maximise else np.minimum).accumulate([trial["value"] for trial in whole])
    axes.plot(
        [trial["trial"] for trial in whole], best, color=OKABE_ITO[0], drawstyle="steps-post", label="best so far"
    )
    canvas.legend_above(axes, canvas.WIDTH - 0.8)
    canvas.quiet(axes, x="trial", y=metric)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return canvas.save_figure(figure, path)


def importance(path: Path, shares: Mapping[str, float], metric: str) -> Path:
    """Draw the share of each axis in the variance of the objective.

    Args:
        path: the PNG file to write.
        shares: by axis, summing to 1.
        metric: the objective.
    """
    names = sorted(shares, key=lambda name: shares[name])
    figure = canvas.new_figure(0.8 + 0.4 * len(names), f"What {metric} depends on")
    axes = figure.subplots()
    axes.barh(range(len(names)), [shares[name] for name in names], color=OKABE_ITO[0], height=0.6)
    axes.set_yticks(range(len(names)), [canvas.plain(name) for name in names])
    canvas.quiet(axes, x="share of the variance", y="")
    return canvas.save_figure(figure, path)
