"""Walks through a latent space: between images, over a grid, to random points, and from class to class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.canvas import TEXT, WIDTH, Tree, figures, new_panels
from aejax.figures.images import are_images, as_images, as_strips, colours, image_lines, mosaic
from aejax.figures.panels import class_legend, labelled_points, scatter
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Kept, Model, Params

SHOWN_WALKS, MOST_STEPS = 4, 12


def steps_shown(steps: int) -> np.ndarray:
    """Which steps of a walk are shown."""
    return np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))


def strips(walks: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray], most: int, dataset: Dataset) -> Any:
    """The first walks of each kind, kind beside kind: their kinds, some steps as images, and their mean distances."""
    kinds = [(kind, walk) for walk in range(min(most, len(next(iter(walks.values()))))) for kind in walks]
    chosen = steps_shown(next(iter(walks.values())).shape[1])
    images = as_strips([walks[kind][walk, chosen] for kind, walk in kinds], dataset)
    return [kind for kind, _ in kinds], images, np.array([distances[kind][walk, 1:-1].mean() for kind, walk in kinds])


def keep_walk(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Where rows are images, a few walks and how far they lead from training rows."""
    if dataset.kind != "image":
        return Kept({}, {})
    both = lambda part: {kind: evaluation.arrays[f"{kind}_{part}"] for kind in ("code", "pixel")}
    walks, distances = both("walks"), both("distances")
    kinds, images, means = strips(walks, distances, SHOWN_WALKS, dataset)
    return Kept({"strips": images, "distances": means}, {"kinds": kinds})


def _draw_walk(tree: Tree, info: Tree, words: Words) -> Any:
    """With the distance to real images at the right of each strip."""
    left = [words(f"walk.{kind}") for kind in info["kinds"]]
    right = [words.number(distance, ".2f") for distance in tree["distances"]]
    return image_lines(tree["strips"], left, words("walk.title"), right=right)


WALK = figures(keep_walk, walks=("strips", _draw_walk))


WALKS = 3
WAYS = ("straight", "spherical", "pixels")
MOVES = (*WAYS, "pca")


def keep_latent(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Of images: the decoded grid, walks, random points and, with labels, moved rows, with their numbers."""
    if not are_images(dataset):
        return Kept({}, {})
    arrays, shares = evaluation.arrays, {"straight": evaluation.metrics["test"], **evaluation.baselines}
    side = len(arrays["grid"])
    walks, distances = ({way: arrays[name][way] for way in WAYS} for name in ("ways", "way_distances"))
    ways, images, means = strips(walks, distances, WALKS, dataset)
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


def _draw_walks(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words(f"latent.ways.{way}") for way in info["ways"]]
    right = [words.number(value, ".2f") for value in tree["walk_distances"]]
    return image_lines(tree["walks"], left, words("walk.title"), right=right)


def _draw_random(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words(f"latent.random.{name}") for name in info["random"]]
    right = [words.number(value, ".2f") for value in tree["random_distances"]]
    return image_lines(tree["random"], left, words("latent.random_title"), right=right)


def _draw_moved(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words("latent.test_rows"), *(words(f"latent.moved_by.{name}") for name in info["moves"])]
    right = ["", *(words("latent.arrived", share=share) for share in tree["arrived"])]
    return image_lines(tree["moved"], left, words("latent.moved_title"), right=right, below=info["targets"])


def _draw_grid(tree: Tree, info: Tree, words: Words) -> Any:
    """The decoded grid, and where the test rows lie on it, where the code is the plane."""
    flat = "code" in tree
    title = words("latent.grid_plane" if flat else "latent.grid_components")
    labels = [("", ""), (words("code.first_units"), words("code.second_units"))][: 1 + flat]
    height, width = (4.9, WIDTH) if flat else (6.2, 6.2)
    figure, (grid, *plane) = new_panels(height, title, labels, width=width)
    grid.imshow(mosaic(colours(tree["grid"]), gap=1, between=1.0))
    grid.set_axis_off()
    for axes in plane:
        points, labels = labelled_points("code", tree["code"], tree.get("labels"))
        scatter(axes, points, labels, len(info["labels"]), (labels.min(), labels.max()))
        inside = np.percentile(points, [2, 98], axis=0)
        axes.set(xlim=inside[:, 0], ylim=inside[:, 1], box_aspect=1)
        axes.set_title(words("latent.same_place"), size=TEXT, loc="left")
        class_legend(words, figure, np.unique(labels).tolist(), info["labels"])
    return figure


LATENT = figures(
    keep_latent,
    grid=("grid", _draw_grid),
    walks=("walks", _draw_walks),
    random=("random", _draw_random),
    moved=("moved", _draw_moved),
)
