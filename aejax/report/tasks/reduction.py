"""The maps of a dimension reduction: the code beside PCA, coloured by class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax import workdir
from aejax.report.figures.maps import scatter_2d
from aejax.types import Dataset, Evaluation, Model, Params


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
    scatter_2d(folder / workdir.FIGURES / "maps.png", panels, dataset.label_names, title=title)


def middle(points: np.ndarray, *, share: float = 0.96, margin: float = 0.5) -> np.ndarray:
    """Which points are near the others: (m,) bool.

    Args:
        points: (m, d).
        share: of the points along each axis, in the middle of it; the others may lie farther out.
        margin: how much farther, as a share of the length they take up.
    """
    tail = 50 * (1 - share)
    low, high = np.percentile(points, [tail, 100 - tail], axis=0)
    return (np.abs(points - (low + high) / 2) <= (0.5 + margin) * (high - low)).all(1)
