"""The code by cluster and by class, side by side, and the mean image of each cluster."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL
from aejax.figures.maps import scatter_2d
from aejax.figures.run import are_images, as_images
from aejax.metrics.partitions import matching
from aejax.types import Dataset, Evaluation, Model, Params

MOST_POINTS = 5000
MOST_IMAGES = 40


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/clusters.png`` and, where rows are images, ``figures/centres.png``."""
    clusters, labels = found.arrays["clusters"], found.arrays["labels"]
    numbers = found.metrics["train"]
    if found.arrays["code"].shape[1] > 1:
        _maps(folder / "clusters.png", found.arrays["code"], clusters, labels, dataset, numbers)
    if are_images(dataset):
        _means(folder / "centres.png", clusters, labels, dataset)


def _maps(
    path: Path,
    code: np.ndarray,
    clusters: np.ndarray,
    labels: np.ndarray | None,
    dataset: Dataset,
    numbers: Mapping[str, float],
) -> None:
    """A point for each row, at most some thousands of them; a cluster has the colour of the class it stands for."""
    from sklearn.decomposition import PCA

    chosen = np.random.default_rng(0).permutation(len(code))[:MOST_POINTS]
    points = code if code.shape[1] == 2 else PCA(2, svd_solver="covariance_eigh").fit_transform(code)
    axes = ("first unit of the code", "second unit of the code")
    if code.shape[1] > 2:
        axes = ("first principal component of the code", "second component")
    title = f"The code of {dataset.name}: {numbers['clusters']:.0f} clusters"
    if labels is None:
        names = [f"cluster {number + 1}" for number in range(clusters.max() + 1)]
        panels = {"by cluster": (points[chosen], clusters[chosen])}
        scatter_2d(path, panels, names, axis_names=axes, title=title)
        return
    stands_for, names = matching(labels, clusters), list(dataset.label_names)
    extra = np.flatnonzero(stands_for < 0)
    stands_for[extra] = len(names) + np.arange(len(extra))
    names += [f"cluster {number + 1}" for number in range(len(extra))]
    panels = {
        f"by cluster, without labels: NMI {numbers['nmi']:.3f}": (points[chosen], stands_for[clusters[chosen]]),
        "by class": (points[chosen], labels[chosen]),
    }
    title += ", each in the colour of its class"
    scatter_2d(path, panels, names, axis_names=axes, title=title)


def _means(path: Path, clusters: np.ndarray, labels: np.ndarray | None, dataset: Dataset) -> None:
    """The mean of the rows of each cluster, largest first, with its size and its most frequent class."""
    sizes = np.bincount(clusters)
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if sizes[number]][:MOST_IMAGES]
    means = np.stack([dataset.train.x[clusters == number].mean(0, dtype=np.float64) for number in order])
    scaled = ((means - dataset.shift) * dataset.scale).reshape(len(order), -1)
    images = canvas.colours(as_images([scaled], dataset)[0], "means")
    columns = min(len(order), 10)
    lines = -(-len(order) // columns)
    wide = canvas.WIDTH / 10
    height, width, _ = dataset.feature_shape
    title = "The mean image of each cluster, and its size"
    if labels is not None:
        title = "The mean image of each cluster, and the commonest class among its rows"
    figure = canvas.new_figure(0.4 + lines * (0.9 * wide * height / width + 0.55), title)
    for axes, number, image in zip(figure.subplots(lines, columns, squeeze=False).ravel(), order, images, strict=False):
        axes.imshow(image)
        axes.set_title(_caption(sizes[number], labels, clusters == number, dataset.label_names), size=SMALL)
    for axes in figure.axes:
        axes.set_axis_off()
    canvas.save_figure(figure, path)


def _caption(size: int, labels: np.ndarray | None, inside: np.ndarray, names: tuple[str, ...]) -> str:
    if labels is None:
        return f"{size:,} rows"
    counts = np.bincount(labels[inside])
    return f"{size:,} rows\n{counts.max() / size:.0%} are\n{canvas.short(names[int(counts.argmax())], 12)}"
