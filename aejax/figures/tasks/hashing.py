"""What codes retrieve: curves of precision and recall, distance of rows by distance of codes, and a few queries."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL
from aejax.figures.examples import names_of, pictured, words_of
from aejax.figures.run import are_images
from aejax.metrics.retrieval import LEAST_PAIRS
from aejax.types import Dataset, Evaluation, Model, Params, Split

NAMES = {
    "autoencoder": "autoencoder",
    "itq": "ITQ",
    "pca signs": "signs of PCA",
    "hyperplanes": "random hyperplanes",
    "cosine": "cosine of the rows themselves",
}
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SHOWN_DOCUMENTS, SHOWN_COLUMNS = 3, 5


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/curves.png``, ``distances.png`` and ``found.png``."""
    _curves(folder / "curves.png", dataset, model, found)
    _distances(folder / "distances.png", dataset, found)
    _found(folder / "found.png", dataset, found)


def _curves(path: Path, dataset: Dataset, model: Model, found: Evaluation) -> None:
    title = f"{dataset.name}: training rows of a test row's class, retrieved by {model.code_size} bits"
    figure = canvas.new_figure(4.6, title)
    axes = figure.subplots()
    curves = found.arrays["curves"]
    for (name, label), colour, style in zip(NAMES.items(), OKABE_ITO, STYLES, strict=False):
        if name in curves:
            wide = 2.6 if name == "autoencoder" else 1.6
            axes.plot(curves[name].recalls, curves[name].precisions, ls=style, color=colour, lw=wide, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1)
    canvas.quiet(axes, x="recall: share of the class that is retrieved", y="precision: share of the query's class")
    canvas.legend_above(axes, canvas.WIDTH - 1)
    canvas.save_figure(figure, path)


def _distances(path: Path, dataset: Dataset, found: Evaluation) -> None:
    means, pairs = found.arrays["cosine_distances"], found.arrays["pairs"]
    seen = np.flatnonzero(pairs >= LEAST_PAIRS)
    figure = canvas.new_figure(3.8, f"{dataset.name}: the more bits differ, the farther the rows are apart")
    axes = figure.subplots()
    axes.plot(seen, means[seen], "o-", color=OKABE_ITO[0], ms=4)
    mean = float((means[seen] * pairs[seen]).sum() / max(pairs[seen].sum(), 1))
    axes.axhline(mean, color=GREY, lw=1, ls="--")
    axes.annotate("mean of all pairs", (seen[0], mean), (0, 3), textcoords="offset points", size=SMALL, color=GREY)
    canvas.quiet(axes, x="Hamming distance of the codes, bits", y="mean cosine distance of the rows")
    canvas.save_figure(figure, path)


def _found(path: Path, dataset: Dataset, found: Evaluation) -> None:
    queries, nearest = found.arrays["queries"], found.arrays["found"]
    title = f"{dataset.name}: a test row, then the training rows with the nearest codes"
    right = dataset.train.labels[nearest] == dataset.test.labels[queries][:, None]
    if are_images(dataset):
        rows = np.concatenate([dataset.test.x[queries][:, None], dataset.train.x[nearest]], axis=1)
        frames = np.column_stack([np.ones(len(queries), bool), right])
        pictured(path, rows, [dataset.label_names[i] for i in dataset.test.labels[queries]], title, frames)
        return
    says = _words(dataset) if dataset.kind == "text" else _values(dataset)
    figure = canvas.new_figure(1.1 * len(queries) + 0.7 + 0.24 * bool(says.header), title)
    axes = figure.subplots()
    axes.axis("off")
    lines = len(queries) * (SHOWN_DOCUMENTS + 1.6) + bool(says.header)
    for at, name in zip(says.places, says.header, strict=False):
        axes.text(at, 1 - 0.5 / lines, name, size=SMALL, color=GREY, va="center", ha=says.side)
    for place, query in enumerate(queries):
        texts = [("query", dataset.test, query, True)]
        texts += [
            ("", dataset.train, row, ok)
            for row, ok in zip(nearest[place, :SHOWN_DOCUMENTS], right[place], strict=False)
        ]
        for line, (lead, split, row, ok) in enumerate(texts):
            y = 1 - ((SHOWN_DOCUMENTS + 1.6) * place + line + 0.5 + bool(says.header)) / lines
            colour = "black" if lead else OKABE_ITO[0] if ok else OKABE_ITO[5]
            label = canvas.short(dataset.label_names[split.labels[row]], 24) + ("" if ok else "  (another class)")
            axes.text(0.0, y, label, size=SMALL, color=colour, weight="bold" if lead else "normal", va="center")
            for at, text in zip(says.places, says.cells(split, row), strict=True):
                axes.text(at, y, text, size=SMALL, color=colour, va="center", ha=says.side)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    canvas.save_figure(figure, path)


class Says(NamedTuple):
    """How rows are told in a line: texts at these places of it, under these heads, set flush to this side."""

    places: Sequence[float]
    header: Sequence[str]
    side: str
    cells: Callable[[Split, int], list[str]]


def _words(dataset: Dataset) -> Says:
    """Documents by their heaviest words."""
    return Says((0.36,), (), "left", lambda split, row: [words_of(dataset, split.x[np.array([row])][0])])


def _values(dataset: Dataset) -> Says:
    """Rows of a table by their values in the few columns that vary most, as the net sees them."""
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    flat = lambda x: np.asarray(x, np.float64).reshape(len(x), -1)
    spread = ((flat(dataset.train.x) - shift) * scale).std(0)
    shown = sorted(np.argsort(-spread.round(6), kind="stable")[:SHOWN_COLUMNS].tolist())
    names = names_of(dataset, len(spread))

    def cells(split: Split, row: int) -> list[str]:
        seen = np.ones(len(spread), bool) if split.mask is None else split.mask[row].reshape(-1)
        values = flat(split.x[row : row + 1])[0]
        return [f"{values[place]:.4g}" if seen[place] else "–" for place in shown]

    places = [0.36 + 0.64 * (number + 1) / SHOWN_COLUMNS for number in range(len(shown))]
    return Says(places, [canvas.short(names[place], 13) for place in shown], "right", cells)
