"""What codes of bits retrieve, and which samples share one: as images, documents and rows of a table."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from aejax.data.scaling import original
from aejax.figures.canvas import GREY, OKABE_ITO, Tree, cut, figures, legend_above, new_panels, text_lines
from aejax.figures.images import are_images, framed, image_lines, stretched
from aejax.figures.names import feature, words_of
from aejax.figures.words import Words
from aejax.metrics.retrieval import LEAST_PAIRS
from aejax.types import Dataset, Evaluation, Kept, Model, Params, Split

METHODS = ("autoencoder", "itq", "pca signs", "hyperplanes", "cosine")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
SHOWN_DOCUMENTS, COLUMNS_OF_TABLE = 3, 5
LINES = SHOWN_DOCUMENTS + 1.6  # of text for a query


def keep_hashing(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
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
        tree["columns"] = _columns_that_vary(dataset)
        tree["values"] = np.array(
            [[_values(split, row, dataset)[tree["columns"]] for split, row in line] for line in lines]
        )
    return Kept(tree, info)


def _columns_that_vary(dataset: Dataset) -> np.ndarray:
    """The few columns of a table that vary most, as the net sees them."""
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    spread = ((np.asarray(dataset.train.x, np.float64).reshape(len(dataset.train.x), -1) - shift) * scale).std(0)
    return np.sort(np.argsort(-spread.round(6), kind="stable")[:COLUMNS_OF_TABLE])


def _values(split: Split, row: int, dataset: Dataset) -> np.ndarray:
    """A row of a table as in its file, NaN where a value is missing."""
    values = original(np.asarray(split.x[row], np.float64).reshape(-1), dataset.origin, dataset.log)
    return values if split.mask is None else np.where(split.mask[row].reshape(-1), values, np.nan)


def _draw_curves(tree: Tree, info: Tree, words: Words) -> Any:
    title, curves = words("hashing.curves", data=info["data"], bits=info["bits"]), tree["curves"]
    figure, (axes,) = new_panels(4.6, title, [(words("hashing.recall"), words("hashing.precision"))])
    for name, colour, line in zip(METHODS, OKABE_ITO, STYLES, strict=False):
        if name in curves:
            style = {"linestyle": line, "color": colour, "linewidth": 2.6 if name == "autoencoder" else 1.6}
            label = words(f"hashing.methods.{name}")
            axes.plot(curves[name]["recalls"], curves[name]["precisions"], label=label, **style)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, 1)
    legend_above(axes)
    return figure


def _draw_distances(tree: Tree, info: Tree, words: Words) -> Any:
    labels = (words("hashing.hamming"), words("hashing.cosine_distance"))
    figure, (axes,) = new_panels(3.8, words("hashing.distances", data=info["data"]), [labels])
    seen = np.flatnonzero(tree["pairs"] >= LEAST_PAIRS)
    means, pairs = tree["distances"][seen], tree["pairs"][seen]
    axes.plot(seen, means, "o-", color=OKABE_ITO[0], markersize=4)
    mean = float((means * pairs).sum() / max(pairs.sum(), 1))
    axes.axhline(mean, color=GREY, linewidth=1, linestyle="--", label=words("hashing.mean_distance"))
    legend_above(axes)
    return figure


def _draw_found(tree: Tree, info: Tree, words: Words) -> Any:
    """The queries, and below or beside each the training rows with the nearest codes."""
    title, queries = words("hashing.found", data=info["data"]), info["queries"]
    if "images" not in tree:
        return text_lines(title, LINES * len(queries) + ("values" in tree), _nearest_cells(tree, info, words))
    right = np.column_stack([np.ones(len(queries), bool), tree["right"]])
    title += "" if right.all() else words("hashing.framed")
    return image_lines(framed(tree["images"], right), [cut(name, 24) for name in queries], title)


def _nearest_cells(tree: Tree, info: Tree, words: Words) -> Iterator[tuple[float, float, str, Any]]:
    """Each query in bold, and below it the rows found: documents by their heaviest words, rows of a table by values."""
    columns = [feature(words, info["features"], int(column), 13) for column in tree.get("columns", ())]
    across = [0.36 + 0.64 * (number + 1) / COLUMNS_OF_TABLE for number in range(len(columns))] or [0.36]
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


HASHING = figures(
    keep_hashing,
    curves=("curves", _draw_curves),
    distances=("distances", _draw_distances),
    found=("right", _draw_found),
)


MOST_GROUPS, SHOWN_COLUMNS = 24, 3


def keep_grouping(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The largest groups, at most 24, in the order of their codes, and what their rows have in common."""
    examples, groups = evaluation.arrays["examples"], evaluation.arrays["groups"]
    sizes = {code: int((groups == code).sum()) for code in examples}
    shown = sorted(sorted(sizes, key=lambda code: -sizes[code])[:MOST_GROUPS])
    codes = ["".join(str(code >> bit & 1) for bit in range(model.code_size)) for code in shown]
    info: dict[str, Any] = {"data": dataset.name, "bits": model.code_size, "groups": len(sizes), "codes": codes}
    info["sizes"] = [sizes[code] for code in shown]
    if are_images(dataset):
        return Kept({"images": _images(dataset, [examples[code] for code in shown])}, info)
    members = [groups == code for code in shown]
    if dataset.kind == "text":
        info["heaviest"] = _heaviest(dataset, members)
    else:
        info |= {"features": list(dataset.feature_names), "columns": _columns_apart(dataset, members)}
    return Kept({}, info | {"classes": [_classes(dataset, inside) for inside in members]})


def _images(dataset: Dataset, examples: Sequence[np.ndarray]) -> np.ndarray:
    x, most = dataset.test.x, max(len(rows) for rows in examples)
    empty = lambda rows: ((0, most - len(rows)), *[(0, 0)] * len(dataset.feature_shape))
    return stretched(np.stack([np.pad(x[rows], empty(rows), constant_values=x.max()) for rows in examples]))


def _heaviest(dataset: Dataset, members: Sequence[np.ndarray]) -> list[str]:
    """The words in which a group's mean is farthest above that of all groups shown."""
    means = np.stack([dataset.test.x[np.flatnonzero(inside)].mean(0) for inside in members])
    overall = np.average(means, axis=0, weights=[inside.sum() for inside in members])
    return [words_of(dataset, mean - overall, 6) for mean in means]


def _columns_apart(dataset: Dataset, members: Sequence[np.ndarray]) -> list[list[tuple[int, float]]]:
    """The few columns in which a group's mean is farthest from that of all rows, by how many standard deviations."""
    x = np.asarray(dataset.test.x, np.float64).reshape(len(dataset.test.x), -1)
    mean, deviation = x.mean(0), x.std(0)
    columns = []
    for inside in members:
        size = np.where(deviation > 0, (x[inside].mean(0) - mean) / np.where(deviation > 0, deviation, 1), 0)
        order = np.argsort(-np.abs(size), kind="stable")[:SHOWN_COLUMNS]
        columns.append([(int(i), float(size[i])) for i in order if abs(size[i]) >= 0.05])
    return columns


def _classes(dataset: Dataset, inside: np.ndarray) -> list[tuple[str, float]]:
    """The two most frequent classes of a group; of a pure one, the only one."""
    counts = np.bincount(dataset.test.labels[inside])
    shares = [(int(label), float(counts[label] / counts.sum())) for label in np.argsort(-counts, kind="stable")[:2]]
    return [(dataset.label_names[label], share) for label, share in shares if share >= 0.005]


def _draw_groups(tree: Tree, info: Tree, words: Words) -> Any:
    title = words("grouping.title", data=info["data"], bits=info["bits"])
    if len(info["codes"]) < info["groups"]:
        title += words("grouping.largest", shown=len(info["codes"]), groups=info["groups"])
    names = [f"{code}  ({size})" for code, size in zip(info["codes"], info["sizes"], strict=True)]
    if "images" in tree:
        return image_lines(tree["images"], names, title)
    return text_lines(title, 1.95 * len(names), _group_cells(names, info, words))


def _group_cells(names: Sequence[str], info: Tree, words: Words) -> Iterator[tuple[float, float, str, Any]]:
    """Two lines for each group: what sets it apart, and below that its classes."""
    says = info.get("heaviest") or [_described(columns, info["features"], words) for columns in info["columns"]]
    for number, (name, first, shares) in enumerate(zip(names, says, info["classes"], strict=True)):
        second = [words("grouping.share", name=cut(label, 30), share=100 * share) for label, share in shares]
        yield 1.95 * number, 0.0, name, {"family": "monospace"}
        yield 1.95 * number, 0.2, first, {}
        yield 1.95 * number + 0.8, 0.2, ", ".join(second), {"color": GREY}


def _described(columns: Sequence[tuple[int, float]], features: Sequence[str], words: Words) -> str:
    parts = [words("grouping.column", name=feature(words, features, i, 26), size=size) for i, size in columns]
    return ", ".join(parts) or words("grouping.like_all")


GROUPING = figures(keep_grouping, groups=("codes", _draw_groups))
