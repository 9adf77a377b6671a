"""The maps of a dimension reduction: the code beside PCA, coloured by class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.panels import maps
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

MIDDLE = 0.96  # of the points along an axis


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Where the code has two units, both maps; a few rows far outside are left out of them."""
    if model.code_size != 2:
        return Kept({}, {})
    arrays, numbers, baseline = evaluation.arrays, evaluation.metrics, evaluation.baselines["pca"]
    results = {
        "pca": (arrays["pca_code"], baseline["mse"], baseline["knn_accuracy"]),
        "autoencoder": (arrays["code"], numbers["test"]["mse"], numbers["all"]["knn_accuracy"]),
    }
    tree: dict[str, Any] = {"share": 1.0}
    for name, (points, error, accuracy) in results.items():
        inside = middle(points)
        tree["share"] = min(tree["share"], float(inside.mean()))
        tree[name] = {"points": points[inside], "labels": arrays["labels"][inside]}
        tree[name] |= {"error": error, "accuracy": accuracy}
    return Kept(tree, {"data": dataset.name, "labels": list(dataset.label_names)})


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``maps``."""
    panels, share = {}, content.tree["share"]
    for name in ("pca", "autoencoder"):
        part, method = content.tree[name], words(f"reconstructions.{name}")
        title = words("reduction.panel", method=method, error=part["error"], accuracy=part["accuracy"])
        panels[title] = (part["points"], part["labels"])
    key = "reduction.title" if share == 1 else "reduction.title_share"
    title = words(key, data=content.info["data"], share=100 * share)
    return {"maps": maps(words, panels, content.info["labels"], title=title)}


def middle(points: np.ndarray) -> np.ndarray:
    """Which points (m, d) are near the others: (m,) bool.

    Along each axis they lie within the length that the points in the middle of it take up, and half of that on either
    side.
    """
    tail = 50 * (1 - MIDDLE)
    low, high = np.percentile(points, [tail, 100 - tail], axis=0)
    return (np.abs(points - (low + high) / 2) <= high - low).all(1)


FIGURES = Figures(keep, draw)
