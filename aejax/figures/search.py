"""Figures of a search: the objective of trial after trial, and which axes it depends on."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.words import Words


def draw(summary: Mapping[str, Any], words: Words) -> dict[str, Any]:
    """The history of a search, and the importance of its axes where there are several, as figures by name.

    Args:
        summary: what ``summary.json`` holds, with its part ``search``.
        words: of the language.
    """
    search, figures = summary["search"], {}
    if any(trial["state"] == "complete" for trial in search["history"]):
        figures["history"] = history(words, search["history"], summary["metric"], maximise=summary["maximise"])
    if len(search["importance"]) > 1:
        figures["importance"] = importance(words, search["importance"], summary["metric"])
    return figures


def history(words: Words, trials: Sequence[Mapping[str, Any]], metric: str, *, maximise: bool) -> Any:
    """The objective of every trial, and the best so far as a line, as a figure.

    Args:
        words: of the language.
        trials: each with its number, ``state`` and ``value``.
        metric: the objective.
        maximise: whether more of it is better.
    """
    whole = [trial for trial in trials if trial["state"] == "complete"]
    pruned = [trial for trial in trials if trial["state"] == "pruned" and trial["value"] is not None]
    figure = canvas.new_figure(4.0, words("search.history", metric=metric))
    axes = figure.subplots()
    for name, some, mark in (("complete", whole, "o"), ("pruned", pruned, "x")):
        if some:
            at, values = [trial["trial"] for trial in some], [trial["value"] for trial in some]
            axes.scatter(at, values, s=22, color=GREY, alpha=0.7, marker=mark, label=words(f"search.{name}"))
    best = (np.maximum if maximise else np.minimum).accumulate([trial["value"] for trial in whole])
    style = {"color": OKABE_ITO[0], "drawstyle": "steps-post", "label": words("search.best")}
    axes.plot([trial["trial"] for trial in whole], best, **style)
    canvas.legend_above(axes, canvas.WIDTH - 0.8)
    canvas.quiet(axes, x=words("search.trial"), y=metric)
    axes.xaxis.get_major_locator().set_params(integer=True)
    return figure


def importance(words: Words, shares: Mapping[str, float], metric: str) -> Any:
    """The share of each axis in the variance of the objective, as a figure.

    Args:
        words: of the language.
        shares: by axis, summing to 1.
        metric: the objective.
    """
    names = sorted(shares, key=lambda name: shares[name])
    figure = canvas.new_figure(0.8 + 0.4 * len(names), words("search.importance", metric=metric))
    axes = figure.subplots()
    axes.barh(range(len(names)), [shares[name] for name in names], color=OKABE_ITO[0], height=0.6)
    axes.set_yticks(range(len(names)), [canvas.plain(name) for name in names])
    canvas.quiet(axes, x=words("search.share"), y="")
    return figure
