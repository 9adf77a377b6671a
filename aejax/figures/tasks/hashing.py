"""What codes retrieve: curves of precision and recall, distance of rows by distance of codes, and a few queries."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL, cut
from aejax.figures.images import are_images, framed, image_lines, stretched
from aejax.figures.names import feature, words_of
from aejax.figures.words import Words
from aejax.metrics.retrieval import LEAST_PAIRS
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params, Split

METHODS = ("autoencoder", "itq", "pca signs", "hyperplanes", "cosine")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SHOWN_DOCUMENTS, SHOWN_COLUMNS = 3, 5
LINES = SHOWN_DOCUMENTS + 1.6  # of text for a query


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
        return Kept(tree | {"images": stretched(rows)}, info)
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


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``curves``, ``distances`` and ``found``."""
    tree, info = content
    return {
        "curves": _draw_curves(tree["curves"], words("hashing.curves", data=info["data"], bits=info["bits"]), words),
        "distances": _draw_distances(tree, words("hashing.distances", data=info["data"]), words),
        "found": _draw_nearest(tree, info, words("hashing.found", data=info["data"]), words),
    }


def _draw_curves(curves: Mapping[str, Any], title: str, words: Words) -> Any:
    figure, (axes,) = canvas.panels(4.6, title, [(words("hashing.recall"), words("hashing.precision"))])
    for name, colour, line in zip(METHODS, OKABE_ITO, STYLES, strict=False):
        if name in curves:
            style = {"linestyle": line, "color": colour, "linewidth": 2.6 if name == "autoencoder" else 1.6}
            label = words(f"hashing.methods.{name}")
            axes.plot(curves[name]["recalls"], curves[name]["precisions"], label=label, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1)
    canvas.legend_above(axes)
    return figure


def _draw_distances(tree: Mapping[str, Any], title: str, words: Words) -> Any:
    figure, (axes,) = canvas.panels(3.8, title, [(words("hashing.hamming"), words("hashing.cosine_distance"))])
    seen = np.flatnonzero(tree["pairs"] >= LEAST_PAIRS)
    means, pairs = tree["distances"][seen], tree["pairs"][seen]
    axes.plot(seen, means, "o-", color=OKABE_ITO[0], markersize=4)
    mean = float((means * pairs).sum() / max(pairs.sum(), 1))
    axes.axhline(mean, color=GREY, linewidth=1, linestyle="--")
    style = {"textcoords": "offset points", "size": SMALL, "color": GREY}
    axes.annotate(words("hashing.mean_distance"), (seen[0], mean), (0, 3), **style)
    return figure


def _draw_nearest(tree: Mapping[str, Any], info: Mapping[str, Any], title: str, words: Words) -> Any:
    """The queries, and below or beside each the training rows with the nearest codes."""
    queries = info["queries"]
    if "images" not in tree:
        return canvas.text_lines(title, LINES * len(queries) + ("values" in tree), _cells(tree, info, words))
    right = np.column_stack([np.ones(len(queries), bool), tree["right"]])
    title += "" if right.all() else words("hashing.framed")
    return image_lines(framed(tree["images"], right), [cut(name, 24) for name in queries], title)


def _cells(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Iterator[tuple[float, float, str, Any]]:
    """Each query in bold, and below it the rows found: documents by their heaviest words, rows of a table by values."""
    columns = [feature(words, info["features"], int(column), 13) for column in tree.get("columns", ())]
    across = [0.36 + 0.64 * (number + 1) / SHOWN_COLUMNS for number in range(len(columns))] or [0.36]
    side = {"ha": "right" if columns else "left"}
    for x, name in zip(across, columns, strict=False):
        yield 0, x, name, {"color": GREY} | side
    written = lambda value: words.number(value, ".4g") if np.isfinite(value) else "–"
    for number, query in enumerate(info["queries"]):
        for line, label in enumerate([query, *info["classes"][number]]):
            right = line == 0 or tree["right"][number, line - 1]
            down = LINES * number + line + bool(columns)
            style = {"color": "black" if line == 0 else OKABE_ITO[0] if right else OKABE_ITO[5]}
            text = cut(label, 24) if right else words("hashing.other_class", label=cut(label, 24))
            yield down, 0.0, text, style | {"weight": "normal" if line else "bold"}
            cells = map(written, tree["values"][number, line]) if columns else [info["texts"][number][line]]
            yield from ((down, x, cell, style | side) for x, cell in zip(across, cells, strict=True))


FIGURES = Figures(keep, draw)
