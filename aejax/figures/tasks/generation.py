"""Generated rows above the training rows that are nearest to them, for each sampler."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures.maps import scatter_2d
from aejax.figures.run import are_images
from aejax.figures.tasks.walk import film_strips
from aejax.types import Dataset, Evaluation, Model, Params

NAMES = {
    "uniform": "anywhere in the box",
    "normal": "units at their scale",
    "gaussian": "Gaussian",
    "mixture": "Gaussian mixture",
    "kernel": "kernel density",
    "prior": "the prior",
    "pca mixture": "PCA, mixture",
}
IN_PLANE = ("training rows", "mixture", "uniform", "pca mixture")


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/samples.png`` of images, with the Fréchet distance of each sampler; ``plane.png`` of tables."""
    own = config["task"]["sampler"]
    numbers = {own: found.metrics["test"], **found.baselines}
    if not are_images(dataset):
        panels = {
            f"{NAMES.get(name, name)}: Fréchet distance {numbers[name]['frechet']:.3g}": (rows, None)
            for name in IN_PLANE
            if (rows := found.arrays["plane"].get(name)) is not None
        }
        axis_names = ("first component", "second component")
        title = f"Rows of {dataset.name} and generated ones on the real ones' leading principal components"
        scatter_2d(folder / "plane.png", panels, axis_names=axis_names, title=title, same_axes=True)
        return
    shown = [name for name in NAMES if name in found.arrays["made"]]
    strips, left, right = [], [], []
    for name in shown:
        strips += [found.arrays["made"][name], found.arrays["nearest"][name]]
        left += [NAMES[name], "nearest training rows"]
        right += [f"Fréchet {numbers[name]['frechet']:.3g}", ""]
    title = "Decoded random codes, by where these are drawn from, above their nearest training rows"
    film_strips(folder / "samples.png", np.stack(strips), dataset, title, left, right)
