"""What attackers rebuild from codes: the error against the number of leaked pairs, and rows of pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO
from aejax.figures.run import are_images, as_images, choose
from aejax.types import Dataset, Evaluation, Model, Params


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/attacks.png`` and, where rows are images, ``figures/attacked.png``."""
    _curve(folder / "attacks.png", found)
    if are_images(dataset):
        _pictures(folder / "attacked.png", dataset, found)


def _curve(path: Path, found: Evaluation) -> None:
    figure = canvas.new_figure(4.2, "Error of test rows rebuilt from their codes without the decoder")
    axes = figure.subplots()
    counts, errors = found.arrays["curve"].T
    axes.plot(counts, errors, "o-", color=OKABE_ITO[0], label="decoder fitted to leaked pairs")
    lines = {
        "mean row, no attack": (found.baselines["mean row"]["mse"], GREY, "-"),
        "codes only": (found.baselines["codes only"]["mse"], OKABE_ITO[3], "-."),
        "encoder known": (found.baselines["encoder known"]["mse"], OKABE_ITO[1], "--"),
        "owner's decoder": (found.metrics["test"]["mse"], OKABE_ITO[2], ":"),
    }
    for label, (value, colour, style) in lines.items():
        axes.axhline(value, color=colour, linestyle=style, label=label, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,.0f}" for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0)
    canvas.quiet(axes, x="leaked pairs of a code and its row", y="mean squared error")
    canvas.legend_above(axes, canvas.WIDTH - 1)
    canvas.save_figure(figure, path)


def _pictures(path: Path, dataset: Dataset, found: Evaluation) -> None:
    arrays = found.arrays
    labels = None if dataset.test.labels is None else dataset.test.labels[: len(arrays["x"])]
    chosen = choose(labels, len(arrays["x"]))
    mean = np.broadcast_to(arrays["mean"], arrays["x"].shape)
    rows = {"test rows": arrays["x"], "owner": arrays["owner"], **arrays["attacks"], "mean row": mean}
    images = as_images([values[chosen] for values in rows.values()], dataset)
    tiles = np.stack([canvas.colours(each, "attacked") for each in images])
    size = tiles.shape[2]
    gap = max(1, round(size / 8))
    picture = canvas.mosaic(tiles, gap=gap, between=1.0)
    wide = min(0.6 * len(chosen), canvas.WIDTH - 2.0)
    title = "Test rows rebuilt from their codes"
    figure = canvas.new_figure(wide * picture.shape[0] / picture.shape[1] + 0.6, title, width=wide + 2.0)
    canvas.show_lines(figure.subplots(), picture, list(rows), height=size, gap=gap)
    canvas.save_figure(figure, path)
