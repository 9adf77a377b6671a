"""kNN on codes beside kNN on all features: the difference in each fold, and the time that a prediction takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

REFERENCE = "all features"


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The scores of each method in each fold."""
    scores = evaluation.arrays["scores"]
    names = [name for name in scores if name != REFERENCE]
    return Kept(dict(scores), {"names": names, "data": dataset.name, "neighbours": config["task"]["neighbours"]})


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``aeknn``: a line for each method, the folds as dots, their mean and standard deviation."""
    names, reference = kept.info["names"], kept.tree[REFERENCE]
    heights = np.arange(len(names))[::-1]
    title = words("aeknn.title", data=kept.info["data"], neighbours=kept.info["neighbours"])
    figure = canvas.new_figure(1.3 + 0.36 * len(names), title)
    accuracy, seconds = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for height, name in zip(heights, names, strict=True):
        scores = kept.tree[name]
        colour = {"pca": OKABE_ITO[1], "lda": OKABE_ITO[2]}.get(name.partition(" ")[0], OKABE_ITO[0])
        better = 100 * (scores["accuracy"].T - reference["accuracy"])  # (seeds, folds) or (folds,)
        of_fold = better.reshape(-1, len(reference["accuracy"])).mean(0)
        spread = height + np.linspace(-0.2, 0.2, len(of_fold))
        accuracy.scatter(of_fold, spread, s=9, color=colour, alpha=0.45, linewidths=0)
        accuracy.errorbar(better.mean(), height, xerr=better.std(ddof=1), fmt="D", ms=5, capsize=3, color=colour)
        ratio = np.median(scores["seconds"]) / np.median(reference["seconds"])
        seconds.barh(height, ratio, height=0.6, color=colour)
        seconds.annotate(f" {words.number(ratio, '.2f')}", (ratio, height), va="center", size=TEXT)
    for axes, middle in ((accuracy, 0), (seconds, 1)):
        axes.axvline(middle, color=GREY, linewidth=1, linestyle="--", zorder=0)
        axes.set_yticks(heights, [label(name, words) for name in names])
    canvas.quiet(accuracy, x=words("aeknn.accuracy", all=100 * reference["accuracy"].mean()), y="")
    canvas.quiet(seconds, x=words("aeknn.time"), y="")
    seconds.set_xlim(0, 1.15 * max(1.0, seconds.get_xlim()[1]))
    return {"aeknn": figure}


def label(name: str, words: Words) -> str:
    """A method in words: nets by the shares of their hidden layers."""
    kind, _, size = name.partition(" ")
    return words(f"aeknn.{kind}", size=size) if kind in ("pca", "lda") else words("aeknn.net", layout=name)


FIGURES = Figures(keep, draw)
