"""Errors of the fills by method, how often intervals hold the truth, and, of images, holes and what fills them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL, TEXT
from aejax.figures.run import are_images, choose
from aejax.types import Dataset, Evaluation, Model, Params

NAMES = {
    "autoencoder": "autoencoder",
    "forest": "chained forests",
    "mice": "chained equations",
    "knn": "nearest neighbours",
    "mean": "mean or mode",
}

KINDS = {"rmse": "root mean squared error,\nrange of a column = 1", "accuracy": "share of categories\nthat are right"}


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/imputation.png``, and ``figures/fills.png`` where rows are images."""
    _errors(folder / "imputation.png", dataset, found)
    if are_images(dataset):
        _fills(folder / "fills.png", dataset, found)


def _errors(path: Path, dataset: Dataset, found: Evaluation) -> None:
    numbers = {"autoencoder": found.metrics["test"], **found.baselines}
    shown = [name for name in NAMES if name in numbers]
    kinds = {key: label for key, label in KINDS.items() if key in numbers["autoencoder"]}
    share = found.arrays["hidden"].mean()
    title = f"What fills the holes of {dataset.name}: {share:.0%} of the test values are hidden"
    figure = canvas.new_figure(0.42 * len(shown) + 2.0, title)
    panels = figure.subplots(1, len(kinds) + 1, squeeze=False)[0]
    for axes, (key, label) in zip(panels, kinds.items(), strict=False):
        values = [numbers[name][key] for name in shown]
        colours = [OKABE_ITO[0] if name == "autoencoder" else "#b0b0b0" for name in shown]
        axes.barh(range(len(shown)), values, color=colours)
        for row, value in enumerate(values):
            axes.text(value, row, f" {value:.4f}", va="center", size=SMALL)
        canvas.quiet(axes, x=label, y="")
        axes.set_yticks(range(len(shown)), [NAMES[name] for name in shown] if axes is panels[0] else [], size=TEXT)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.18 * max(values))
        axes.grid(visible=False, axis="y")
    axes = panels[-1]
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2)
    axes.plot(found.arrays["levels"], found.arrays["coverages"], color=OKABE_ITO[0], marker="o", markersize=4)
    axes.text(0.48, 0.35, "as it should be", color=GREY, size=SMALL)
    canvas.quiet(axes, x="level of the interval", y="share of the truth inside")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.save_figure(figure, path)


def _fills(path: Path, dataset: Dataset, found: Evaluation) -> None:
    arrays = found.arrays
    chosen = choose(dataset.test.labels, len(arrays["truth"]))
    hidden = arrays["hidden"][chosen].reshape(-1, *dataset.feature_shape)
    best = [name for name in NAMES if name in arrays["filled"] and name != "mean"]
    rows = {"with holes": np.where(arrays["hidden"], 0.5, arrays["truth"])}
    rows |= {NAMES[name]: arrays["filled"][name] for name in best[:1]}
    rows |= {f"plausible fill {n + 1}": arrays["draws"][n] for n in range(2)}
    rows |= {NAMES[name]: arrays["filled"][name] for name in best[1:]} | {"truth": arrays["truth"]}
    raw = [values[chosen].reshape(-1, *dataset.feature_shape) for values in rows.values()]
    tiles = np.stack([canvas.colours(values, "fills") for values in _grey(raw, dataset)]).copy()
    tiles[0][hidden.any(-1)] = canvas.channels(OKABE_ITO[1])
    gap = max(1, round(min(tiles.shape[2:4]) / 8))
    picture = canvas.mosaic(tiles, gap=gap, between=1.0)
    wide = min(0.6 * len(chosen), canvas.WIDTH - 2.0)
    figure = canvas.new_figure(
        wide * picture.shape[0] / picture.shape[1] + 0.8, "Holes, what fills them, and the truth"
    )
    canvas.show_lines(figure.subplots(), picture, list(rows), height=tiles.shape[2], gap=gap)
    canvas.save_figure(figure, path)


def _grey(images: list[np.ndarray], dataset: Dataset) -> list[np.ndarray]:
    """Values in the ranges of their pixels as values between black and white."""
    parts = [
        part.truth if part.truth is not None else part.x for part in (dataset.train, dataset.validation, dataset.test)
    ]
    rows = np.concatenate([np.asarray(part, np.float64) for part in parts])
    low, span = np.nanmin(rows, 0), np.nanmax(rows, 0) - np.nanmin(rows, 0)
    least, most = np.nanmin(rows), np.nanmax(rows)
    return [np.clip((values * np.where(span > 0, span, 1) + low - least) / (most - least), 0, 1) for values in images]
