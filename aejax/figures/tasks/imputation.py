"""Errors of the fills by method, how often intervals hold the truth, and, of images, holes and what fills them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL
from aejax.figures.images import are_images, choose, colours, image_lines, pixels
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

METHODS = ("autoencoder", "forest", "mice", "knn", "mean")
KINDS = ("rmse", "accuracy")
DRAWS = 2


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The errors, the coverage of the intervals, and images with holes and what fills them."""
    arrays, numbers = evaluation.arrays, {"autoencoder": evaluation.metrics["test"], **evaluation.baselines}
    methods = [name for name in METHODS if name in numbers]
    kinds = [kind for kind in KINDS if kind in numbers["autoencoder"]]
    tree = {
        "hidden": arrays["hidden"].mean(),
        "errors": {kind: np.array([numbers[name][kind] for name in methods]) for kind in kinds},
        "levels": np.asarray(arrays["levels"]),
        "coverages": np.asarray(arrays["coverages"]),
    }
    info: dict[str, Any] = {"data": dataset.name, "methods": methods, "kinds": kinds}
    if are_images(dataset):
        info["fills"], tree["images"], tree["holes"] = _images(dataset, arrays)
    return Kept(tree, info)


def _images(dataset: Dataset, arrays: Mapping[str, Any]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """What each line of images shows, the lines, and where the holes are."""
    chosen = choose(dataset.test.labels, len(arrays["truth"]))
    best, *others = (name for name in METHODS if name in arrays["filled"] and name != "mean")
    lines = {"holes": np.where(arrays["hidden"], 0.5, arrays["truth"]), best: arrays["filled"][best]}
    lines |= {f"draw {number}": arrays["draws"][number] for number in range(DRAWS)}
    lines |= {name: arrays["filled"][name] for name in others} | {"truth": arrays["truth"]}
    fold = lambda rows: rows[chosen].reshape(-1, *dataset.feature_shape)
    images = _grey([fold(rows) for rows in lines.values()], dataset)
    return list(lines), pixels(np.stack(images)), fold(arrays["hidden"]).any(-1)


def _grey(images: Sequence[np.ndarray], dataset: Dataset) -> list[np.ndarray]:
    """Values in the ranges of their pixels as values between black and white."""
    splits = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([np.asarray(split.x if split.truth is None else split.truth, np.float64) for split in splits])
    low, span = np.nanmin(rows, 0), np.nanmax(rows, 0) - np.nanmin(rows, 0)
    least, most = np.nanmin(rows), np.nanmax(rows)
    return [(values * np.where(span > 0, span, 1) + low - least) / (most - least) for values in images]


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``imputation``, and ``fills`` where rows are images."""
    tree, info = content
    figures = {"imputation": _draw_errors(tree, info, words)}
    if "images" in tree:
        from matplotlib.colors import to_rgb

        with_holes, *fills = map(colours, tree["images"])
        with_holes = np.where(tree["holes"][..., None], to_rgb(OKABE_ITO[1]), with_holes)
        left = [_filled_by(name, words) for name in info["fills"]]
        figures["fills"] = image_lines([with_holes, *fills], left, words("imputation.fills_title"))
    return figures


def _filled_by(name: str, words: Words) -> str:
    kind, _, number = name.partition(" ")
    return words("imputation.draw", number=int(number) + 1) if kind == "draw" else words(f"imputation.fills.{name}")


def _draw_errors(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Any:
    methods, kinds = info["methods"], info["kinds"]
    title = words("imputation.title", data=info["data"], share=tree["hidden"])
    labels = [(words(f"imputation.{kind}"), "") for kind in kinds]
    labels.append((words("imputation.level"), words("imputation.coverage")))
    figure, (*panels, last) = canvas.panels(0.42 * len(methods) + 2.0, title, labels)
    colour = [OKABE_ITO[0] if name == "autoencoder" else "#b0b0b0" for name in methods]
    names = [words(f"imputation.fills.{name}") for name in methods]
    for axes, kind in zip(panels, kinds, strict=True):
        values = tree["errors"][kind]
        canvas.bars(axes, names, values, [words.number(value, ".4f") for value in values], color=colour)
        axes.tick_params(labelleft=axes is panels[0])
        axes.set_xlim(0, 1.18 * max(values))
    last.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2)
    last.plot(tree["levels"], tree["coverages"], color=OKABE_ITO[0], marker="o", markersize=4)
    last.text(0.48, 0.35, words("imputation.ideal"), color=GREY, size=SMALL)
    last.set(xlim=(0, 1), ylim=(0, 1))
    return figure


FIGURES = Figures(keep, draw)
