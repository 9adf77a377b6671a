"""Generated rows above the training rows that are nearest to them, for each sampler."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.maps import scatter_2d
from aejax.figures.rows import are_images, as_strips, image_lines, pixels, tiles_of
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

SAMPLERS = ("uniform", "normal", "gaussian", "mixture", "kernel", "prior", "pca mixture")
IN_PLANE = ("training rows", "mixture", "uniform", "pca mixture")


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """A few images of each sampler and their nearest training rows; of tables, points in the plane."""
    numbers = {config["task"]["sampler"].removeprefix("samplers."): evaluation.metrics["test"], **evaluation.baselines}
    arrays, info = evaluation.arrays, {"data": dataset.name}
    if are_images(dataset):
        names = [name for name in SAMPLERS if name in arrays["made"]]
        strips = [arrays[part][name] for name in names for part in ("made", "nearest")]
        tree = {"strips": pixels(as_strips(np.stack(strips), dataset))}
    else:
        names = [name for name in IN_PLANE if name in arrays["plane"]]
        tree = {"plane": {name: arrays["plane"][name] for name in names}}
    tree["frechet"] = {name: numbers[name]["frechet"] for name in names}
    return Kept(tree, info | {"names": names})


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``samples`` of images, with the Fréchet distance of each sampler; ``plane`` of tables."""
    tree, names = kept.tree, kept.info["names"]
    called = {name: words.named("generation.samplers", name) for name in names}
    if "plane" in tree:
        titles = [words("generation.panel", name=called[name], distance=tree["frechet"][name]) for name in names]
        panels = {title: (tree["plane"][name], None) for title, name in zip(titles, names, strict=True)}
        axis_names = (words("generation.first"), words("generation.second"))
        title = words("generation.plane", data=kept.info["data"])
        return {"plane": scatter_2d(words, panels, axis_names=axis_names, title=title, same_axes=True)}
    left = [text for name in names for text in (called[name], words("generation.nearest"))]
    right = [text for n in names for text in (words("generation.frechet", distance=tree["frechet"][n]), "")]
    return {"samples": image_lines(tiles_of(tree["strips"]), left, words("generation.samples"), right=right)}


FIGURES = Figures(keep, draw)
