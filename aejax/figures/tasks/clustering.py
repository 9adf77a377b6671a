"""The code by cluster and by class, side by side, and the mean image of each cluster."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL
from aejax.figures.images import are_images, as_images, colours
from aejax.figures.panels import maps
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
            tree["points"] |= {"nmi": numbers["nmi"], "stands_for": matching(labels, clusters)}
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
    tree = {"images": as_images([scaled], dataset)[0], "sizes": sizes[order]}
    if labels is not None:
        counts = [np.bincount(labels[clusters == number]) for number in order]
        tree["commonest"] = np.array([each.argmax() for each in counts])
        tree["of_it"] = np.array([each.max() for each in counts])
    return tree


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``clusters`` and, where rows are images, ``centres``."""
    figures = {}
    if "points" in content.tree:
        figures["clusters"] = _draw_maps(content.tree["points"], content.info, words)
    if "means" in content.tree:
        figures["centres"] = _draw_means(content.tree["means"], content.info["labels"], words)
    return figures


def _draw_maps(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Any:
    """A point for each row; a cluster has the colour of the class that it stands for."""
    points, clusters, names = tree["places"], tree["clusters"], list(info["labels"])
    cluster_names = lambda count: [words("clustering.cluster", number=number + 1) for number in range(count)]
    if "labels" in tree:
        stands_for = tree["stands_for"].copy()
        extra = np.flatnonzero(stands_for < 0)
        stands_for[extra] = len(names) + np.arange(len(extra))
        names += cluster_names(len(extra))
        panels = {words("clustering.by_cluster_nmi", nmi=tree["nmi"]): (points, stands_for[clusters])}
        panels[words("clustering.by_class")] = (points, tree["labels"])
    else:
        names = cluster_names(clusters.max() + 1)
        panels = {words("clustering.by_cluster"): (points, clusters)}
    title = "clustering.title_classes" if "labels" in tree else "clustering.title"
    kind = "units" if tree["units"] == 2 else "components"
    axis_names = (words(f"code.first_{kind}"), words(f"code.second_{kind}"))
    title = words(title, data=info["data"], count=int(tree["count"]))
    return maps(words, panels, names, axis_names=axis_names, title=title)


def _draw_means(tree: Mapping[str, Any], names: list[str], words: Words) -> Any:
    images, sizes = colours(tree["images"]), tree["sizes"].tolist()
    columns, (height, width) = min(len(images), 10), images.shape[1:3]
    labelled = "commonest" in tree
    title = words("clustering.centres_classes" if labelled else "clustering.centres")
    high = 0.4 + -(-len(images) // columns) * (0.09 * canvas.WIDTH * height / width + 0.55)
    figure, grid = canvas.panels(high, title, [("", "")] * len(images), columns)
    for number, axes in enumerate(grid):
        axes.imshow(images[number])
        axes.set_axis_off()
        blanks = {"size": sizes[number]}
        if labelled:
            blanks["share"] = tree["of_it"][number] / sizes[number]
            blanks["label"] = canvas.short(names[int(tree["commonest"][number])], 12)
        axes.set_title(words("clustering.size_class" if labelled else "clustering.size", **blanks), size=SMALL)
    return figure


FIGURES = Figures(keep, draw)
