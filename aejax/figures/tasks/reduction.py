"""The maps of a dimension reduction: the code beside PCA, coloured by class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures.maps import scatter_2d
from aejax.types import Dataset, Evaluation, Model, Params

MIDDLE = 0.96  # of the points along an axis


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/maps.png``, where the code has two units; a few rows far outside are left out of it."""
    if model.code_size != 2:
        return
    accuracy = {"PCA": found.baselines["pca"]["knn_accuracy"], "autoencoder": found.metrics["all"]["knn_accuracy"]}
    error = {"PCA": found.baselines["pca"]["mse"], "autoencoder": found.metrics["test"]["mse"]}
    codes = {"PCA": found.arrays["pca_code"], "autoencoder": found.arrays["code"]}
    panels, least = {}, 1.0
    for name, points in codes.items():
        inside = middle(points)
        least = min(least, float(inside.mean()))
        title = f"{name}: error {error[name]:.3f}, accuracy {accuracy[name]:.3f}"
        panels[title] = (points[inside], found.arrays["labels"][inside])
    title = f"The test rows of {dataset.name} in two numbers each, by class"
    if least < 1:
        title += f" (at least {100 * least:.0f} % of them)"
    scatter_2d(folder / "maps.png", panels, dataset.label_names, title=title)


def middle(points: np.ndarray) -> np.ndarray:
    """Which points (m, d) are near the others: (m,) bool.

    Along each axis they lie within the length that the points in the middle of it take up, and half of that on either
    side.
    """
    tail = 50 * (1 - MIDDLE)
    low, high = np.percentile(points, [tail, 100 - tail], axis=0)
    return (np.abs(points - (low + high) / 2) <= high - low).all(1)
