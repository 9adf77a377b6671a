"""What attackers rebuild from codes: the error against the number of leaked pairs, and rows of pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.rows import are_images, as_images, choose, image_lines, pixels, tiles_of
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

LINES = {
    "mean row": (GREY, "-"),
    "codes only": (OKABE_ITO[3], "-."),
    "encoder known": (OKABE_ITO[1], "--"),
    "owner": (OKABE_ITO[2], ":"),
}


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The errors by the number of leaked pairs and of other attackers, and images rebuilt by each."""
    arrays, baselines = evaluation.arrays, evaluation.baselines
    errors = {name: baselines[name]["mse"] for name in LINES if name in baselines}
    tree = {"curve": arrays["curve"], "errors": errors | {"owner": evaluation.metrics["test"]["mse"]}}
    rows = {"test rows": arrays["x"], "owner": arrays["owner"], **arrays["attacks"]}
    if are_images(dataset):
        labels = None if dataset.test.labels is None else dataset.test.labels[: len(arrays["x"])]
        chosen = choose(labels, len(arrays["x"]))
        mean = np.broadcast_to(arrays["mean"], arrays["x"].shape)
        images = as_images([values[chosen] for values in (*rows.values(), mean)], dataset)
        tree["images"] = pixels(np.stack(images))
    return Kept(tree, {"rows": [*rows, "mean row"]})


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``attacks`` and, where rows are images, ``attacked``."""
    figures = {"attacks": _draw_curve(kept.tree, words)}
    if "images" in kept.tree:
        left = [_name(name, words) for name in kept.info["rows"]]
        figures["attacked"] = image_lines(tiles_of(kept.tree["images"]), left, words("encryption.images"))
    return figures


def _name(name: str, words: Words) -> str:
    """Who rebuilt a line of images: of those with leaked pairs, how many these are."""
    count = name.removesuffix(" leaked pairs")
    return words("encryption.leaked", count=int(count)) if count.isdigit() else words(f"encryption.rows.{name}")


def _draw_curve(tree: Mapping[str, Any], words: Words) -> Any:
    figure = canvas.new_figure(4.2, words("encryption.title"))
    axes = figure.subplots()
    counts, errors = tree["curve"].T
    axes.plot(counts, errors, "o-", color=OKABE_ITO[0], label=words("encryption.fitted"))
    for name, (colour, style) in LINES.items():
        label = words(f"encryption.lines.{name}")
        axes.axhline(float(tree["errors"][name]), color=colour, linestyle=style, label=label, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks(counts, [words.number(count, ",.0f") for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0)
    canvas.quiet(axes, x=words("encryption.pairs"), y=words("common.mse"))
    canvas.legend_above(axes, canvas.WIDTH - 1)
    return figure


FIGURES = Figures(keep, draw)
