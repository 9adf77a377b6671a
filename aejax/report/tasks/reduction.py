"""The maps of a dimension reduction: the code beside PCA, coloured by class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aejax import workdir
from aejax.report import figures
from aejax.types import Dataset, Evaluation, Model, Params


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/maps.png``, where the code has two units."""
    if model.code_size != 2:
        return
    accuracy = {"PCA": found.baselines["pca"]["knn_accuracy"], "autoencoder": found.metrics["all"]["knn_accuracy"]}
    error = {"PCA": found.baselines["pca"]["mse"], "autoencoder": found.metrics["test"]["mse"]}
    codes = {"PCA": found.arrays["pca_code"], "autoencoder": found.arrays["code"]}
    panels = {
        f"{name}: error {error[name]:.3f}, accuracy {accuracy[name]:.3f}": (points, found.arrays["labels"])
        for name, points in codes.items()
    }
    title = f"The test rows of {dataset.name} in two numbers each, by class"
    figures.scatter_2d(folder / workdir.FIGURES / "maps.png", panels, dataset.label_names, title=title)
