"""A latent space to look at: the grid over it, walks, random points, and rows moved from class to class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import TEXT, WIDTH
from aejax.figures.maps import class_legend, labelled_points, limits, scatter
from aejax.figures.run import are_images, as_images
from aejax.figures.tasks.walk import MOST_STEPS, film_strips
from aejax.types import Dataset, Evaluation, Model, Params

WALKS = 3
NAMES = {"straight": "straight, code", "spherical": "spherical, code", "pixels": "pixels", "pca": "PCA"}


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/grid.png``, ``walks.png``, ``random.png`` and, with labels, ``moved.png``, of images."""
    if not are_images(dataset):
        return
    arrays = found.arrays
    _grid(folder / "grid.png", dataset, model, arrays)
    _walks(folder / "walks.png", dataset, arrays)
    numbers = {name: found.baselines[name]["distance"] for name in arrays["random"]}
    left = {"random points": "anywhere in the box", "gaussian": "from a Gaussian"}
    film_strips(
        folder / "random.png",
        np.stack(list(arrays["random"].values())),
        dataset,
        "Decoded random points, and their mean distance to training rows",
        [left[name] for name in numbers],
        [f"{value:.2f}" for value in numbers.values()],
    )
    if "moved" in arrays:
        _moved(folder / "moved.png", dataset, found)


def _grid(path: Path, dataset: Dataset, model: Model, arrays: Mapping[str, Any]) -> None:
    """The decoded grid, and where the test rows lie on it, where the code is the plane."""
    side = arrays["grid"].shape[0]
    flat = model.code_size == 2
    images = as_images([arrays["grid"].reshape(side * side, -1)], dataset)[0]
    tiles = canvas.colours(images, "grid").reshape(side, side, *images.shape[1:3], 3)
    title = "A grid over the code, decoded" if flat else "A grid over the code's two leading components, decoded"
    figure = canvas.new_figure(4.9 if flat else 6.2, title, width=WIDTH if flat else 6.2)
    axes = figure.subplots(1, 2 if flat else 1, squeeze=False)[0]
    axes[0].imshow(canvas.mosaic(tiles, gap=1, between=1.0))
    axes[0].set_axis_off()
    if flat:
        labels = dataset.test.labels
        points, labels = labelled_points("code", arrays["code"], labels)
        scatter(axes[1], points, labels, len(dataset.label_names), limits([labels]))
        inside = np.percentile(points, [2, 98], axis=0)
        axes[1].set(xlim=inside[:, 0], ylim=inside[:, 1])
        axes[1].set_box_aspect(1)
        axes[1].set_title("codes of the test rows, in the same place", size=TEXT, loc="left")
        canvas.quiet(axes[1], x="first unit of the code", y="second unit of the code")
        used = np.unique(labels).tolist()
        if used != [-1]:
            class_legend(figure, used, dataset.label_names)
    canvas.save_figure(figure, path)


def _walks(path: Path, dataset: Dataset, arrays: Mapping[str, Any]) -> None:
    steps = arrays["ways"]["straight"].shape[1]
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))
    strips, left, right = [], [], []
    for walk in range(min(WALKS, len(arrays["ways"]["straight"]))):
        for name in ("straight", "spherical", "pixels"):
            strips.append(arrays["ways"][name][walk, chosen])
            left.append(NAMES[name])
            right.append(f"{arrays['way_distances'][name][walk, 1:-1].mean():.2f}")
    title = "Walks between two test rows, and how far they lead from training rows"
    film_strips(path, np.stack(strips), dataset, title, left, right)


def _moved(path: Path, dataset: Dataset, found: Evaluation) -> None:
    moved = found.arrays["moved"]
    shares = {"straight": found.metrics["test"], **found.baselines}
    names = [name for name in NAMES if name in moved]
    strips = np.stack([moved["from"], *(moved[name] for name in names)])
    left = ["test rows", *(f"moved by {NAMES[name].removeprefix('straight, ')}" for name in names)]
    right = ["", *(f"{100 * shares[name]['moved']:.0f} % arrive" for name in names)]
    below = [dataset.label_names[label] for label in moved["target"]]
    film_strips(path, strips, dataset, "Test rows moved to the classes below", left, right, below)
