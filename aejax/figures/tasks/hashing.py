"""What codes retrieve: curves of precision and recall, distance of rows by distance of codes, and a few queries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL
from aejax.figures.rows import are_images, feature, framed, image_lines, pixels, stretched, tiles_of, words_of
from aejax.figures.words import Words
from aejax.metrics.retrieval import LEAST_PAIRS
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params, Split

METHODS = ("autoencoder", "itq", "pca signs", "hyperplanes", "cosine")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SHOWN_DOCUMENTS, SHOWN_COLUMNS = 3, 5


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The curves, the distances, and a few queries with the nearest training rows."""
    arrays = evaluation.arrays
    curves = {name: arrays["curves"][name]._asdict() for name in METHODS if name in arrays["curves"]}
    queries, nearest = arrays["queries"], arrays["found"]
    right = dataset.train.labels[nearest] == dataset.test.labels[queries][:, None]
    tree = {"curves": curves, "distances": arrays["cosine_distances"], "pairs": arrays["pairs"], "right": right}
    info = {"data": dataset.name, "bits": model.code_size, "features": list(dataset.feature_names)}
    name_of = lambda labels: [dataset.label_names[label] for label in labels]
    info["queries"] = name_of(dataset.test.labels[queries])
    if are_images(dataset):
        rows = np.concatenate([dataset.test.x[queries][:, None], dataset.train.x[nearest]], axis=1)
        return Kept(tree | {"images": pixels(stretched(rows))}, info)
    nearest = nearest[:, :SHOWN_DOCUMENTS]
    info["classes"] = [name_of(dataset.train.labels[rows]) for rows in nearest]
    lines = [[(dataset.test, query), *((dataset.train, row) for row in rows)]
             for query, rows in zip(queries, nearest, strict=True)]  # fmt: skip
    if dataset.kind == "text":
        info["texts"] = [[words_of(dataset, split.x[np.array([row])][0]) for split, row in line] for line in lines]
    else:
        tree["columns"] = _columns(dataset)
        tree["values"] = np.array([[_values(split, row)[tree["columns"]] for split, row in line] for line in lines])
    return Kept(tree, info)


def _columns(dataset: Dataset) -> np.ndarray:
    """The few columns of a table that vary most, as the net sees them."""
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    spread = ((np.asarray(dataset.train.x, np.float64).reshape(len(dataset.train.x), -1) - shift) * scale).std(0)
    return np.sort(np.argsort(-spread.round(6), kind="stable")[:SHOWN_COLUMNS])


def _values(split: Split, row: int) -> np.ndarray:
    """A row of a table, NaN where a value is missing."""
    values = np.asarray(split.x[row], np.float64).reshape(-1)
    return values if split.mask is None else np.where(split.mask[row].reshape(-1), values, np.nan)


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``curves``, ``distances`` and ``found``."""
    return {
        "curves": _draw_curves(kept, words),
        "distances": _draw_distances(kept, words),
        "found": _draw_found(kept, words),
    }


def _draw_curves(kept: Kept, words: Words) -> Any:
    figure = canvas.new_figure(4.6, words("hashing.curves", data=kept.info["data"], bits=kept.info["bits"]))
    axes = figure.subplots()
    for name, colour, style in zip(METHODS, OKABE_ITO, STYLES, strict=False):
        if name in kept.tree["curves"]:
            curve, wide = kept.tree["curves"][name], 2.6 if name == "autoencoder" else 1.6
            label = words(f"hashing.methods.{name}")
            axes.plot(curve["recalls"], curve["precisions"], ls=style, color=colour, lw=wide, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1)
    canvas.quiet(axes, x=words("hashing.recall"), y=words("hashing.precision"))
    canvas.legend_above(axes, canvas.WIDTH - 1)
    return figure


def _draw_distances(kept: Kept, words: Words) -> Any:
    means, pairs = kept.tree["distances"], kept.tree["pairs"]
    seen = np.flatnonzero(pairs >= LEAST_PAIRS)
    figure = canvas.new_figure(3.8, words("hashing.distances", data=kept.info["data"]))
    axes = figure.subplots()
    axes.plot(seen, means[seen], "o-", color=OKABE_ITO[0], ms=4)
    mean = float((means[seen] * pairs[seen]).sum() / max(pairs[seen].sum(), 1))
    axes.axhline(mean, color=GREY, lw=1, ls="--")
    style = {"textcoords": "offset points", "size": SMALL, "color": GREY}
    axes.annotate(words("hashing.mean_distance"), (seen[0], mean), (0, 3), **style)
    canvas.quiet(axes, x=words("hashing.hamming"), y=words("hashing.cosine_distance"))
    return figure


def _draw_found(kept: Kept, words: Words) -> Any:
    """The queries, and below or beside each the training rows with the nearest codes."""
    tree, info = kept.tree, kept.info
    title = words("hashing.found", data=info["data"])
    if "images" not in tree:
        return _draw_lines(tree, info, title, words)
    right = np.column_stack([np.ones(len(tree["right"]), bool), tree["right"]])
    if not right.all():
        title += words("hashing.framed")
    return image_lines(framed(tiles_of(tree["images"]), right), [canvas.cut(n, 24) for n in info["queries"]], title)


def _draw_lines(tree: Mapping[str, Any], info: Mapping[str, Any], title: str, words: Words) -> Any:
    """Each query in bold, and below it the rows found: documents by their heaviest words, rows of a table by values."""
    header, places, side = (), (0.36,), "left"
    if "values" in tree:
        header = [canvas.plain(feature(words, info["features"], int(column), 13)) for column in tree["columns"]]
        places, side = [0.36 + 0.64 * (number + 1) / SHOWN_COLUMNS for number in range(len(header))], "right"
    queries = info["queries"]
    figure = canvas.new_figure(1.1 * len(queries) + 0.7 + 0.24 * bool(header), title)
    axes = figure.subplots()
    axes.axis("off")
    lines = len(queries) * (SHOWN_DOCUMENTS + 1.6) + bool(header)
    for x, name in zip(places, header, strict=False):
        axes.text(x, 1 - 0.5 / lines, name, size=SMALL, color=GREY, va="center", ha=side)
    for number, query in enumerate(queries):
        labels = [query, *info["classes"][number]]
        for line, label in enumerate(labels):
            y = 1 - ((SHOWN_DOCUMENTS + 1.6) * number + line + 0.5 + bool(header)) / lines
            right = line == 0 or tree["right"][number, line - 1]
            colour = "black" if line == 0 else OKABE_ITO[0] if right else OKABE_ITO[5]
            text = canvas.short(label, 24)
            style = {"size": SMALL, "color": colour, "va": "center"}
            text = text if right else words("hashing.other_class", label=text)
            axes.text(0.0, y, text, weight="normal" if line else "bold", **style)
            for x, cell in zip(places, _cells(tree, info, number, line, words), strict=True):
                axes.text(x, y, canvas.plain(cell), ha=side, **style)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    return figure


def _cells(tree: Mapping[str, Any], info: Mapping[str, Any], query: int, line: int, words: Words) -> Sequence[str]:
    if "values" not in tree:
        return [info["texts"][query][line]]
    return [words.number(value, ".4g") if np.isfinite(value) else "–" for value in tree["values"][query, line]]


FIGURES = Figures(keep, draw)
