"""A latent space to look at: the grid over it, walks, random points, and rows moved from class to class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import TEXT, WIDTH
from aejax.figures.maps import class_legend, labelled_points, limits, scatter
from aejax.figures.rows import are_images, as_images, as_strips, image_lines, pixels, tiles_of
from aejax.figures.tasks.walk import steps_shown
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

WALKS = 3
WAYS = ("straight", "spherical", "pixels")
MOVES = (*WAYS, "pca")


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Of images: the decoded grid, walks, random points and, with labels, moved rows, with their numbers."""
    if not are_images(dataset):
        return Kept({}, {})
    arrays = evaluation.arrays
    strips = lambda rows: pixels(as_strips(np.stack(rows), dataset))
    side = arrays["grid"].shape[0]
    grid = as_images([arrays["grid"].reshape(side * side, -1)], dataset)[0]
    chosen = steps_shown(arrays["ways"]["straight"].shape[1])
    lines = [(walk, way) for walk in range(min(WALKS, len(arrays["ways"]["straight"]))) for way in WAYS]
    tree = {
        "grid": pixels(grid.reshape(side, side, *grid.shape[1:])),
        "walks": strips([arrays["ways"][way][walk, chosen] for walk, way in lines]),
        "walk_distances": np.array([arrays["way_distances"][way][walk, 1:-1].mean() for walk, way in lines]),
        "random": strips(list(arrays["random"].values())),
        "random_distances": np.array([evaluation.baselines[name]["distance"] for name in arrays["random"]]),
    }
    info = {"ways": [way for _, way in lines], "random": list(arrays["random"]), "labels": list(dataset.label_names)}
    if model.code_size == 2:
        tree["code"] = arrays["code"]
        if dataset.test.labels is not None:
            tree["labels"] = dataset.test.labels
    if "moved" in arrays:
        moved, shares = arrays["moved"], {"straight": evaluation.metrics["test"], **evaluation.baselines}
        info["moves"] = [name for name in MOVES if name in moved]
        tree["moved"] = strips([moved["from"], *(moved[name] for name in info["moves"])])
        tree["arrived"] = np.array([100 * shares[name]["moved"] for name in info["moves"]])
        info["targets"] = [dataset.label_names[label] for label in moved["target"]]
    return Kept(tree, info)


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``grid``, ``walks``, ``random`` and, with labels, ``moved``."""
    tree, info = kept.tree, kept.info
    if not tree:
        return {}
    distances = {
        name: [words.number(value, ".2f") for value in tree[f"{name}_distances"]] for name in ("walk", "random")
    }
    walks = [words(f"latent.ways.{way}") for way in info["ways"]]
    random = [words(f"latent.random.{name}") for name in info["random"]]
    figures = {
        "grid": _draw_grid(tree, info["labels"], words),
        "walks": image_lines(tiles_of(tree["walks"]), walks, words("walk.title"), right=distances["walk"]),
        "random": image_lines(
            tiles_of(tree["random"]), random, words("latent.random_title"), right=distances["random"]
        ),
    }
    if "moved" in tree:
        left = [words("latent.test_rows"), *(words(f"latent.moved_by.{name}") for name in info["moves"])]
        right = ["", *(words("latent.arrived", share=share) for share in tree["arrived"])]
        title, below = words("latent.moved_title"), info["targets"]
        figures["moved"] = image_lines(tiles_of(tree["moved"]), left, title, right=right, below=below)
    return figures


def _draw_grid(tree: Mapping[str, Any], label_names: list[str], words: Words) -> Any:
    """The decoded grid, and where the test rows lie on it, where the code is the plane."""
    flat = "code" in tree
    title = words("latent.grid_plane" if flat else "latent.grid_components")
    figure = canvas.new_figure(4.9 if flat else 6.2, title, width=WIDTH if flat else 6.2)
    axes = figure.subplots(1, 2 if flat else 1, squeeze=False)[0]
    axes[0].imshow(canvas.mosaic(tiles_of(tree["grid"]), gap=1, between=1.0))
    axes[0].set_axis_off()
    if flat:
        points, labels = labelled_points("code", tree["code"], tree.get("labels"))
        scatter(axes[1], points, labels, len(label_names), limits([labels]))
        inside = np.percentile(points, [2, 98], axis=0)
        axes[1].set(xlim=inside[:, 0], ylim=inside[:, 1])
        axes[1].set_box_aspect(1)
        axes[1].set_title(words("latent.same_place"), size=TEXT, loc="left")
        canvas.quiet(axes[1], x=words("code.first_units"), y=words("code.second_units"))
        used = np.unique(labels).tolist()
        if used != [-1]:
            class_legend(words, figure, used, label_names)
    return figure


FIGURES = Figures(keep, draw)
