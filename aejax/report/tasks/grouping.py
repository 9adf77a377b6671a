"""A row of images, or of words, for each code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax import workdir
from aejax.report import canvas
from aejax.report.canvas import GREY, SMALL
from aejax.report.examples import pictured, words_of
from aejax.types import Dataset, Evaluation, Model, Params

MOST_GROUPS = 24


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/groups.png``: the largest groups, at most 24, in the order of their codes."""
    examples, groups = found.arrays["examples"], found.arrays["groups"]
    sizes = {code: int((groups == code).sum()) for code in examples}
    shown = sorted(sorted(sizes, key=lambda code: -sizes[code])[:MOST_GROUPS])
    names = [f"{''.join(str(code >> bit & 1) for bit in range(model.code_size))}  ({sizes[code]})" for code in shown]
    path = folder / workdir.FIGURES / "groups.png"
    title = f"{dataset.name}: test rows that have the same code of {model.code_size} bits (and how many have it)"
    if len(shown) < len(sizes):
        title += f"; the {len(shown)} largest of {len(sizes)} groups"
    if dataset.kind == "image" and dataset.feature_shape[-1] in (1, 3):
        _images(path, dataset, [examples[code] for code in shown], names, title)
    else:
        _words(path, dataset, [groups == code for code in shown], names, title)


def _images(path: Path, dataset: Dataset, rows: list[np.ndarray], names: list[str], title: str) -> None:
    most = max(len(places) for places in rows)
    empty = np.full((1, *dataset.feature_shape), dataset.test.x.max(), dataset.test.x.dtype)
    of_group = lambda places: np.concatenate([dataset.test.x[places], *[empty] * (most - len(places))])
    every = np.ones((len(rows), most), bool)
    pictured(path, np.stack([of_group(places) for places in rows]), names, title, every)


def _words(path: Path, dataset: Dataset, members: list[np.ndarray], names: list[str], title: str) -> None:
    """The features in which a group's mean is farthest above that of all test rows, and its most frequent classes."""
    means = np.stack([dataset.test.x[np.flatnonzero(inside)].mean(0) for inside in members])
    overall = np.average(means, axis=0, weights=[inside.sum() for inside in members])
    figure = canvas.new_figure(0.42 * len(members) + 0.8, title)
    axes = figure.subplots()
    axes.axis("off")
    for line, (inside, name) in enumerate(zip(members, names, strict=True)):
        y = 1 - (line + 0.5) / len(members)
        counts = np.bincount(dataset.test.labels[inside], minlength=len(dataset.label_names))
        first, second = np.argsort(-counts)[:2]
        share = lambda c, counts=counts: (
            f"{canvas.short(dataset.label_names[c], 22)} {100 * counts[c] / counts.sum():.0f} %"
        )
        axes.text(0.0, y, name, size=SMALL, family="monospace", va="center")
        axes.text(0.17, y, words_of(dataset, means[line] - overall, 6), size=SMALL, va="center")
        axes.text(1.0, y, f"{share(first)}, {share(second)}", size=SMALL - 1, color=GREY, va="center", ha="right")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.save_figure(figure, path)
