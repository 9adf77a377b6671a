"""A row of images, of words, or of columns of a table, for each code."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, SMALL
from aejax.figures.examples import apart, pictured, words_of
from aejax.figures.run import are_images
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
    path = folder / "groups.png"
    title = f"{dataset.name}: test rows that have the same code of {model.code_size} bits (and how many have it)"
    if len(shown) < len(sizes):
        title += f"; the {len(shown)} largest of {len(sizes)} groups"
    if are_images(dataset):
        _images(path, dataset, [examples[code] for code in shown], names, title)
    else:
        members = [groups == code for code in shown]
        says = _words(dataset, members) if dataset.kind == "text" else _columns(dataset, members)
        _listed(path, names, says, [_classes(dataset, inside) for inside in members], title)


def _images(path: Path, dataset: Dataset, rows: list[np.ndarray], names: list[str], title: str) -> None:
    most = max(len(places) for places in rows)
    empty = np.full((1, *dataset.feature_shape), dataset.test.x.max(), dataset.test.x.dtype)
    of_group = lambda places: np.concatenate([dataset.test.x[places], *[empty] * (most - len(places))])
    every = np.ones((len(rows), most), bool)
    pictured(path, np.stack([of_group(places) for places in rows]), names, title, every)


def _words(dataset: Dataset, members: list[np.ndarray]) -> list[str]:
    """The words in which a group's mean is farthest above that of all groups shown."""
    means = np.stack([dataset.test.x[np.flatnonzero(inside)].mean(0) for inside in members])
    overall = np.average(means, axis=0, weights=[inside.sum() for inside in members])
    return [words_of(dataset, mean - overall, 6) for mean in means]


def _columns(dataset: Dataset, members: list[np.ndarray]) -> list[str]:
    """The columns in which a group's mean is farthest from that of all test rows, in standard deviations."""
    x = np.asarray(dataset.test.x, np.float64).reshape(len(dataset.test.x), -1)
    mean, deviation = x.mean(0), x.std(0)
    return [apart(dataset, x[inside].mean(0), mean, deviation) for inside in members]


def _classes(dataset: Dataset, inside: np.ndarray) -> str:
    """The two most frequent classes of a group; of a pure one, the only one."""
    counts = np.bincount(dataset.test.labels[inside])
    commonest = [label for label in np.argsort(-counts, kind="stable")[:2] if counts[label] / counts.sum() >= 0.005]
    return ", ".join(
        f"{canvas.short(dataset.label_names[label], 30)} {100 * counts[label] / counts.sum():.0f} %"
        for label in commonest
    )


def _listed(path: Path, names: list[str], says: list[str], classes: list[str], title: str) -> None:
    """Two lines for each group: what sets it apart, and below that its classes."""
    figure = canvas.new_figure(0.46 * len(names) + 0.8, title)
    axes = figure.subplots()
    axes.axis("off")
    for line, (name, first, second) in enumerate(zip(names, says, classes, strict=True)):
        high, low = (1 - (line + part) / len(names) for part in (0.28, 0.66))
        axes.text(0.0, high, name, size=SMALL, family="monospace", va="center")
        axes.text(0.2, high, first, size=SMALL, va="center")
        axes.text(0.2, low, second, size=SMALL, color=GREY, va="center")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.save_figure(figure, path)
