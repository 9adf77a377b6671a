"""Generated rows above the training rows that are nearest to them, for each sampler."""

from collections.abc import Mapping
from typing import Any

from aejax.figures.images import are_images, as_strips, image_lines
from aejax.figures.panels import maps
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

SAMPLERS = ("uniform", "normal", "gaussian", "mixture", "kernel", "prior", "pca mixture")
IN_PLANE = ("training rows", "mixture", "uniform", "pca mixture")


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """A few images of each sampler and their nearest training rows; of tables, points in the plane."""
    numbers = {config["task"]["sampler"].removeprefix("samplers."): evaluation.metrics["test"], **evaluation.baselines}
    arrays = evaluation.arrays
    if are_images(dataset):
        names = [name for name in SAMPLERS if name in arrays["made"]]
        strips = [arrays[part][name] for name in names for part in ("made", "nearest")]
        tree = {"strips": as_strips(strips, dataset)}
    else:
        names = [name for name in IN_PLANE if name in arrays["plane"]]
        tree = {"plane": {name: arrays["plane"][name] for name in names}}
    tree["frechet"] = {name: numbers[name]["frechet"] for name in names}
    return Kept(tree, {"data": dataset.name, "names": names})


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``samples`` of images, with the Fréchet distance of each sampler; ``plane`` of tables."""
    tree, title_of = content.tree, {name: words.named("generation.samplers", name) for name in content.info["names"]}
    if "plane" in tree:
        panel = lambda name: words("generation.panel", name=title_of[name], distance=tree["frechet"][name])
        panels = {panel(name): (tree["plane"][name], None) for name in title_of}
        axis_names = (words("generation.first"), words("generation.second"))
        title = words("generation.plane", data=content.info["data"])
        return {"plane": maps(words, panels, axis_names=axis_names, title=title, same_axes=True)}
    left = [text for name in title_of.values() for text in (name, words("generation.nearest"))]
    right = [text for n in title_of for text in (words("generation.frechet", distance=tree["frechet"][n]), "")]
    return {"samples": image_lines(tree["strips"], left, words("generation.samples"), right=right)}


FIGURES = Figures(keep, draw)
