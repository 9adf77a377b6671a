"""kNN on codes beside kNN on all features: the difference in each fold, and the time that a prediction takes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT
from aejax.types import Dataset, Evaluation, Model, Params


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/aeknn.png``: a line for each method, the folds as dots, their mean and standard deviation."""
    scores = dict(found.arrays["scores"])
    reference = scores.pop("all features")
    names, places = list(scores), np.arange(len(scores))[::-1]
    title = f"{dataset.name}: {config['task']['neighbours']} nearest neighbours on codes, beside all features"
    figure = canvas.new_figure(1.3 + 0.36 * len(names), title)
    accuracy, seconds = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, name in zip(places, names, strict=True):
        colour = _colour(name)
        better = 100 * (scores[name]["accuracy"].T - reference["accuracy"])  # (seeds, folds) or (folds,)
        of_fold = better.reshape(-1, len(reference["accuracy"])).mean(0)
        accuracy.scatter(
            of_fold, place + np.linspace(-0.2, 0.2, len(of_fold)), s=9, color=colour, alpha=0.45, linewidths=0
        )
        accuracy.errorbar(better.mean(), place, xerr=better.std(ddof=1), fmt="D", ms=5, capsize=3, color=colour)
        ratio = np.median(scores[name]["seconds"]) / np.median(reference["seconds"])
        seconds.barh(place, ratio, height=0.6, color=colour)
        seconds.annotate(f" {ratio:.2f}", (ratio, place), va="center", size=TEXT)
    for axes, middle in ((accuracy, 0), (seconds, 1)):
        axes.axvline(middle, color=GREY, linewidth=1, linestyle="--", zorder=0)
        axes.set_yticks(places, [label(name) for name in names])
    whole = f"accuracy minus that on all features ({100 * reference['accuracy'].mean():.1f} %), points"
    canvas.quiet(accuracy, x=whole, y="")
    canvas.quiet(seconds, x="prediction time / that on all features", y="")
    seconds.set_xlim(0, 1.15 * max(1.0, seconds.get_xlim()[1]))
    canvas.save_figure(figure, folder / "aeknn.png")


def label(name: str) -> str:
    """A method in words: nets by the shares of their hidden layers."""
    kind, _, size = name.partition(" ")
    return {"pca": f"PCA, {size} components", "lda": "LDA"}.get(kind, f"autoencoder {name}")


def _colour(name: str) -> str:
    return {"pca": OKABE_ITO[1], "lda": OKABE_ITO[2]}.get(name.partition(" ")[0], OKABE_ITO[0])
