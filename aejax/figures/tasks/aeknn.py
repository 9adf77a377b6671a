"""kNN on codes beside kNN on all features: the difference in each fold, and the time that a prediction takes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

REFERENCE = "all features"


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The scores of each method in each fold."""
    scores = evaluation.arrays["scores"]
    names = [name for name in scores if name != REFERENCE]
    return Kept(dict(scores), {"names": names, "data": dataset.name, "neighbours": config["task"]["neighbours"]})


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``aeknn``: a line for each method, the folds as dots, their mean and standard deviation."""
    names, reference = content.info["names"], content.tree[REFERENCE]
    title = words("aeknn.title", data=content.info["data"], neighbours=content.info["neighbours"])
    labels = [(words("aeknn.accuracy", all=100 * reference["accuracy"].mean()), ""), (words("aeknn.time"), "")]
    shared = {"sharey": True, "width_ratios": (3, 2)}
    figure, (accuracy, seconds) = canvas.panels(1.3 + 0.36 * len(names), title, labels, **shared)
    colours = [{"pca": OKABE_ITO[1], "lda": OKABE_ITO[2]}.get(name.partition(" ")[0], OKABE_ITO[0]) for name in names]
    ratios = [np.median(content.tree[name]["seconds"]) / np.median(reference["seconds"]) for name in names]
    texts = [words.number(ratio, ".2f") for ratio in ratios]
    canvas.bars(seconds, [_label(name, words) for name in names], ratios, texts, color=colours)
    for line, (name, colour) in enumerate(zip(names, colours, strict=True)):
        better = 100 * (content.tree[name]["accuracy"].T - reference["accuracy"])  # (seeds, folds) or (folds,)
        of_fold = better.reshape(-1, len(reference["accuracy"])).mean(0)
        spread = line + np.linspace(0.2, -0.2, len(of_fold))
        accuracy.scatter(of_fold, spread, s=9, color=colour, alpha=0.45, linewidths=0)
        accuracy.errorbar(better.mean(), line, xerr=better.std(ddof=1), fmt="D", ms=5, capsize=3, color=colour)
    for axes, middle in ((accuracy, 0), (seconds, 1)):
        axes.axvline(middle, color=GREY, linewidth=1, linestyle="--", zorder=0)
    seconds.set_xlim(0, 1.15 * max(1.0, *ratios))
    return {"aeknn": figure}


def _label(name: str, words: Words) -> str:
    """A method in words: nets by the shares of their hidden layers."""
    kind, _, size = name.partition(" ")
    return words(f"aeknn.{kind}", size=size) if kind in ("pca", "lda") else words("aeknn.net", layout=name)


FIGURES = Figures(keep, draw)
