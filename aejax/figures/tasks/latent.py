"""A latent space to look at: the grid over it, walks, random points, and rows moved from class to class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import TEXT, WIDTH
from aejax.figures.images import are_images, as_images, as_strips, colours, image_lines, mosaic
from aejax.figures.panels import class_legend, labelled_points, scatter
from aejax.figures.tasks import walk
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

WALKS = 3
WAYS = ("straight", "spherical", "pixels")
MOVES = (*WAYS, "pca")


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Of images: the decoded grid, walks, random points and, with labels, moved rows, with their numbers."""
    if not are_images(dataset):
        return Kept({}, {})
    arrays, shares = evaluation.arrays, {"straight": evaluation.metrics["test"], **evaluation.baselines}
    side = len(arrays["grid"])
    walks, distances = ({way: arrays[name][way] for way in WAYS} for name in ("ways", "way_distances"))
    ways, images, means = walk.strips(walks, distances, WALKS, dataset)
    tree = {
        "grid": as_images([arrays["grid"].reshape(side, side, -1)], dataset)[0],
        "walks": images,
        "walk_distances": means,
        "random": as_strips([*arrays["random"].values()], dataset),
        "random_distances": np.array([shares[name]["distance"] for name in arrays["random"]]),
    }
    info = {"ways": ways, "random": list(arrays["random"]), "labels": list(dataset.label_names)}
    if model.code_size == 2:
        tree["code"] = arrays["code"]
        tree |= {} if dataset.test.labels is None else {"labels": dataset.test.labels}
    if "moved" in arrays:
        moved = arrays["moved"]
        info["moves"] = [name for name in MOVES if name in moved]
        tree["moved"] = as_strips([moved["from"], *(moved[name] for name in info["moves"])], dataset)
        tree["arrived"] = np.array([100 * shares[name]["moved"] for name in info["moves"]])
        info["targets"] = [dataset.label_names[label] for label in moved["target"]]
    return Kept(tree, info)


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``grid``, ``walks``, ``random`` and, with labels, ``moved``."""
    tree, info = content
    distances = lambda name: [words.number(value, ".2f") for value in tree[f"{name}_distances"]]
    ways = [words(f"latent.ways.{way}") for way in info["ways"]]
    random = [words(f"latent.random.{name}") for name in info["random"]]
    figures = {
        "grid": _draw_grid(tree, info["labels"], words),
        "walks": image_lines(tree["walks"], ways, words("walk.title"), right=distances("walk")),
        "random": image_lines(tree["random"], random, words("latent.random_title"), right=distances("random")),
    }
    if "moved" in tree:
        left = [words("latent.test_rows"), *(words(f"latent.moved_by.{name}") for name in info["moves"])]
        right = ["", *(words("latent.arrived", share=share) for share in tree["arrived"])]
        title, below = words("latent.moved_title"), info["targets"]
        figures["moved"] = image_lines(tree["moved"], left, title, right=right, below=below)
    return figures


def _draw_grid(tree: Mapping[str, Any], label_names: list[str], words: Words) -> Any:
    """The decoded grid, and where the test rows lie on it, where the code is the plane."""
    flat = "code" in tree
    title = words("latent.grid_plane" if flat else "latent.grid_components")
    labels = [("", ""), (words("code.first_units"), words("code.second_units"))][: 1 + flat]
    height, width = (4.9, WIDTH) if flat else (6.2, 6.2)
    figure, (grid, *plane) = canvas.panels(height, title, labels, width=width)
    grid.imshow(mosaic(colours(tree["grid"]), gap=1, between=1.0))
    grid.set_axis_off()
    for axes in plane:
        points, labels = labelled_points("code", tree["code"], tree.get("labels"))
        scatter(axes, points, labels, len(label_names), (labels.min(), labels.max()))
        inside = np.percentile(points, [2, 98], axis=0)
        axes.set(xlim=inside[:, 0], ylim=inside[:, 1], box_aspect=1)
        axes.set_title(words("latent.same_place"), size=TEXT, loc="left")
        class_legend(words, figure, np.unique(labels).tolist(), label_names)
    return figure


FIGURES = Figures(keep, draw)
