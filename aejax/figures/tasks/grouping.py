"""A row of images, of words, or of columns of a table, for each code."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from aejax.figures.canvas import GREY, cut, text_lines
from aejax.figures.images import are_images, image_lines, stretched
from aejax.figures.names import feature, words_of
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

MOST_GROUPS = 24
SHOWN_COLUMNS = 3


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
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
        info |= {"features": list(dataset.feature_names), "columns": _columns(dataset, members)}
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


def _columns(dataset: Dataset, members: Sequence[np.ndarray]) -> list[list[tuple[int, float]]]:
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


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``groups``."""
    tree, info = content
    title = words("grouping.title", data=info["data"], bits=info["bits"])
    if len(info["codes"]) < info["groups"]:
        title += words("grouping.largest", shown=len(info["codes"]), groups=info["groups"])
    names = [f"{code}  ({size})" for code, size in zip(info["codes"], info["sizes"], strict=True)]
    if "images" in tree:
        return {"groups": image_lines(tree["images"], names, title)}
    return {"groups": text_lines(title, 1.95 * len(names), _cells(names, info, words))}


def _cells(names: Sequence[str], info: Mapping[str, Any], words: Words) -> Iterator[tuple[float, float, str, Any]]:
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


FIGURES = Figures(keep, draw)
