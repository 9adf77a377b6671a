"""The code by cluster and by class, side by side, and the mean image of each cluster."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL
from aejax.figures.maps import scatter_2d
from aejax.figures.rows import are_images, as_images, pixels
from aejax.figures.words import Words
from aejax.metrics.partitions import matching
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

MOST_POINTS = 5000
MOST_IMAGES = 40


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """At most some thousands of points with their clusters and classes, and the mean images of the clusters."""
    arrays, numbers = evaluation.arrays, evaluation.metrics["train"]
    code, clusters, labels = arrays["code"], arrays["clusters"], arrays["labels"]
    tree: dict[str, Any] = {}
    if code.shape[1] > 1:
        tree["points"] = _points(code, clusters, labels)
        tree["points"] |= {"count": numbers["clusters"], "units": code.shape[1]}
        if labels is not None:
            tree["points"]["nmi"] = numbers["nmi"]
            tree["points"]["stands_for"] = matching(labels, clusters)
    if are_images(dataset):
        tree["means"] = _means(clusters, labels, dataset)
    return Kept(tree, {"data": dataset.name, "labels": list(dataset.label_names)})


def _points(code: np.ndarray, clusters: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    from sklearn.decomposition import PCA

    chosen = np.random.default_rng(0).permutation(len(code))[:MOST_POINTS]
    points = code if code.shape[1] == 2 else PCA(2, svd_solver="covariance_eigh").fit_transform(code)
    known = {} if labels is None else {"labels": labels[chosen]}
    return {"places": points[chosen], "clusters": clusters[chosen]} | known


def _means(clusters: np.ndarray, labels: np.ndarray | None, dataset: Dataset) -> dict[str, Any]:
    """The mean of the rows of each cluster, largest first, with its size and its most frequent class."""
    sizes = np.bincount(clusters)
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if sizes[number]][:MOST_IMAGES]
    means = np.stack([dataset.train.x[clusters == number].mean(0, dtype=np.float64) for number in order])
    scaled = ((means - dataset.shift) * dataset.scale).reshape(len(order), -1)
    known = {}
    if labels is not None:
        counts = [np.bincount(labels[clusters == number]) for number in order]
        known = {"commonest": np.array([each.argmax() for each in counts]), "of_it": np.array([*map(max, counts)])}
    return {"images": pixels(as_images([scaled], dataset)[0]), "sizes": sizes[order]} | known


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``clusters`` and, where rows are images, ``centres``."""
    figures = {}
    if "points" in kept.tree:
        figures["clusters"] = _draw_maps(kept.tree["points"], kept.info, words)
    if "means" in kept.tree:
        figures["centres"] = _draw_means(kept.tree["means"], kept.info["labels"], words)
    return figures


def _draw_maps(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Any:
    """A point for each row; a cluster has the colour of the class that it stands for."""
    places, clusters = tree["places"], tree["clusters"]
    kind = "units" if tree["units"] == 2 else "components"
    axes = (words(f"code.first_{kind}"), words(f"code.second_{kind}"))
    cluster = lambda number: words("clustering.cluster", number=number + 1)
    count = int(tree["count"])
    if "labels" not in tree:
        names = [cluster(number) for number in range(clusters.max() + 1)]
        title = words("clustering.title", data=info["data"], count=count)
        return scatter_2d(
            words, {words("clustering.by_cluster"): (places, clusters)}, names, axis_names=axes, title=title
        )
    stands_for, names = tree["stands_for"].copy(), list(info["labels"])
    extra = np.flatnonzero(stands_for < 0)
    stands_for[extra] = len(names) + np.arange(len(extra))
    names += [cluster(number) for number in range(len(extra))]
    panels = {
        words("clustering.by_cluster_nmi", nmi=tree["nmi"]): (places, stands_for[clusters]),
        words("clustering.by_class"): (places, tree["labels"]),
    }
    title = words("clustering.title_classes", data=info["data"], count=count)
    return scatter_2d(words, panels, names, axis_names=axes, title=title)


def _draw_means(tree: Mapping[str, Any], names: list[str], words: Words) -> Any:
    images = canvas.colours(tree["images"] / 255, "means")
    columns = min(len(images), 10)
    lines = -(-len(images) // columns)
    height, width = images.shape[1:3]
    labelled = "commonest" in tree
    title = words("clustering.centres_classes" if labelled else "clustering.centres")
    figure = canvas.new_figure(0.4 + lines * (0.09 * canvas.WIDTH * height / width + 0.55), title)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for number, (axes, image) in enumerate(zip(grid, images, strict=False)):
        axes.imshow(image)
        size = int(tree["sizes"][number])
        caption = words("clustering.size", size=size)
        if labelled:
            name = canvas.short(names[int(tree["commonest"][number])], 12)
            caption = words("clustering.size_class", size=size, share=tree["of_it"][number] / size, label=name)
        axes.set_title(caption, size=SMALL)
    for axes in figure.axes:
        axes.set_axis_off()
    return figure


FIGURES = Figures(keep, draw)
