"""What attackers rebuild from codes: the error against the number of leaked pairs, and rows of pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.images import are_images, as_images, choose, image_lines
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
    arrays, numbers = evaluation.arrays, {"owner": evaluation.metrics["test"], **evaluation.baselines}
    tree = {"curve": arrays["curve"], "errors": {name: numbers[name]["mse"] for name in LINES if name in numbers}}
    rows = {"test rows": arrays["x"], "owner": arrays["owner"], **arrays["attacks"]}
    rows["mean row"] = np.broadcast_to(arrays["mean"], arrays["x"].shape)
    if are_images(dataset):
        labels = None if dataset.test.labels is None else dataset.test.labels[: len(arrays["x"])]
        chosen = choose(labels, len(arrays["x"]))
        tree["images"] = np.stack(as_images([values[chosen] for values in rows.values()], dataset))
    return Kept(tree, {"rows": [*rows]})


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``attacks`` and, where rows are images, ``attacked``."""
    figures = {"attacks": _draw_curve(content.tree, words)}
    if "images" in content.tree:
        left = [_name(name, words) for name in content.info["rows"]]
        figures["attacked"] = image_lines(content.tree["images"], left, words("encryption.images"))
    return figures


def _name(name: str, words: Words) -> str:
    """Who rebuilt a line of images: of those with leaked pairs, how many these are."""
    count = name.removesuffix(" leaked pairs")
    return words("encryption.leaked", count=int(count)) if count.isdigit() else words(f"encryption.rows.{name}")


def _draw_curve(tree: Mapping[str, Any], words: Words) -> Any:
    labels = (words("encryption.pairs"), words("common.mse"))
    figure, (axes,) = canvas.panels(4.2, words("encryption.title"), [labels])
    counts, errors = tree["curve"].T
    axes.plot(counts, errors, "o-", color=OKABE_ITO[0], label=words("encryption.fitted"))
    for name, (colour, style) in LINES.items():
        label = words(f"encryption.lines.{name}")
        axes.axhline(float(tree["errors"][name]), color=colour, linestyle=style, label=label, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks(counts, [words.number(count, ",.0f") for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0)
    canvas.legend_above(axes)
    return figure


FIGURES = Figures(keep, draw)
