"""How far apart the scores of normal rows and anomalies are, what alarms are worth, and the oddest rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.data import constant
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, SMALL, TEXT
from aejax.figures.run import are_images, as_images
from aejax.files import write_atomic
from aejax.types import Dataset, Evaluation, Model, Params

NAMES = {
    "neighbours": "neighbours, with residuals",
    "error": "reconstruction error",
    "code": "distance in the code",
    "both": "error and code",
    "knn": "kNN",
    "isolation_forest": "isolation forest",
    "one_class_svm": "one-class SVM",
    "pca": "PCA",
}
BASELINES = ("knn", "isolation_forest", "one_class_svm", "pca")
ROWS, FEATURES = 4, 8  # of a table that are shown
BINS = 60


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``scores.csv``, ``scores.png``, ``worst_rows.png`` and, with labels, ``precision_recall.png``."""
    arrays = found.arrays
    scores, labels = arrays["scores"][arrays["score"]], arrays["labels"]
    _list(folder.parent / "scores.csv", scores, labels, found.metrics["test"]["threshold"])
    _histogram(folder / "scores.png", scores, arrays["train_scores"], labels, found.metrics["test"]["threshold"])
    if labels is not None:
        _precision_recall(folder / "precision_recall.png", arrays, found)
    if are_images(dataset):
        _error_maps(folder / "worst_rows.png", arrays, scores, dataset)
    else:
        _features(folder / "worst_rows.png", arrays, scores, dataset)


def _list(path: Path, scores: np.ndarray, labels: np.ndarray | None, limit: float) -> None:
    """The rows that were judged, the oddest first: a line each with its place among them, from 0."""
    lines = ["row,score,alarm" + ("" if labels is None else ",anomaly")]
    for row in np.argsort(-scores, kind="stable"):
        label = "" if labels is None else f",{labels[row]}"
        lines.append(f"{row},{scores[row]:.9g},{int(scores[row] > limit)}{label}")
    write_atomic(path, "\n".join(lines) + "\n")


def _histogram(path: Path, scores: np.ndarray, train: np.ndarray, labels: np.ndarray | None, limit: float) -> None:
    groups = {"training rows": (train, GREY)}
    if labels is None:
        groups["rows that are judged"] = (scores, OKABE_ITO[0])
    else:
        groups["normal test rows"] = (scores[labels == 0], OKABE_ITO[0])
        groups["anomalies"] = (scores[labels == 1], OKABE_ITO[5])
    everything = np.concatenate([values for values, _ in groups.values()])
    low, high = np.quantile(everything, [0, 0.999])
    far = low > 0 and high / low > 20
    low = max(low, np.quantile(everything, 0.001)) if far else low
    high = max(high, low + 1e-6)
    edges = np.geomspace(low, high, BINS) if far else np.linspace(low, high, BINS)
    figure = canvas.new_figure(3.6, "Scores: what lies right of the line raises an alarm")
    axes = figure.subplots()
    for name, (values, colour) in groups.items():
        heights = np.histogram(np.clip(values, low, high), edges)[0] / len(values)
        filled = name != "training rows"
        axes.stairs(heights, edges, fill=filled, color=colour, alpha=0.55 if filled else 1.0, label=name, linewidth=1.2)
    if np.isfinite(limit):
        axes.axvline(limit, color="black", linewidth=1.2, linestyle="--", label=f"threshold {limit:.3g}")
    if far:
        axes.set_xscale("log")
    canvas.quiet(axes, x="score (larger: odder; the last bin holds all above)", y="share of the rows of a kind")
    canvas.legend_above(axes, canvas.WIDTH - 1)
    canvas.save_figure(figure, path)


def _precision_recall(path: Path, arrays: Mapping[str, Any], found: Evaluation) -> None:
    from sklearn.metrics import precision_recall_curve

    labels, chosen = arrays["labels"], arrays["score"]
    numbers = {chosen: found.metrics["test"]} | found.baselines
    shown = list(dict.fromkeys((chosen, "error", *BASELINES)))
    figure = canvas.new_figure(4.6, "Precision and recall of alarms, as the threshold falls")
    axes = figure.subplots()
    for name, colour in zip(shown, (OKABE_ITO[5], OKABE_ITO[0], "black", *OKABE_ITO[1:4], OKABE_ITO[4]), strict=False):
        precision, recall, _ = precision_recall_curve(labels, arrays["scores"][name])
        text = f"{NAMES[name]}: {numbers[name]['average_precision']:.3f}"
        axes.plot(recall, precision, color=colour, linewidth=2.2 if name == chosen else 1.2, label=text)
    share = float(labels.mean())
    axes.axhline(share, color=GREY, linewidth=1, linestyle=":", label=f"by chance: {share:.3f}")
    axes.set_ylim(0, 1.02)
    canvas.quiet(axes, x="recall: share of the anomalies that are found", y="precision: share of alarms that are right")
    axes.legend(title="average precision", fontsize=SMALL, title_fontsize=SMALL, frameon=False, loc="center left",
                bbox_to_anchor=(1.0, 0.5))  # fmt: skip
    canvas.save_figure(figure, path)


def _title(arrays: Mapping[str, Any], number: int, scores: np.ndarray) -> str:
    """The score of one of the worst rows and, where it is known, what it is."""
    place = arrays["worst"][number]
    kind = "" if arrays["labels"] is None else (", normal" if arrays["labels"][place] == 0 else ", anomaly")
    return f"test row {place}: {scores[place]:.3g}{kind}"


def _features(path: Path, arrays: Mapping[str, Any], scores: np.ndarray, dataset: Dataset) -> None:
    """The features that the nets rebuild worst, of the rows with the highest scores."""
    unscaled = lambda x: x / np.broadcast_to(dataset.scale, x.shape[-1]) + np.broadcast_to(dataset.shift, x.shape[-1])
    x, x_hat = unscaled(arrays["worst_x"]), unscaled(arrays["worst_x_hat"])
    same = constant.features(dataset)  # what is the same in all rows is odd in none
    telling = np.arange(x.shape[1]) if same.all() else np.flatnonzero(~same)
    rows, count = min(ROWS, len(x)), min(FEATURES, len(telling))
    names = dataset.feature_names or [f"feature {place}" for place in range(x.shape[1])]
    figure = canvas.new_figure(0.8 + (0.6 + 0.24 * count) * -(-rows // 2), "The oddest rows, and what is odd in them")
    grid = figure.subplots(-(-rows // 2), 2, squeeze=False).ravel()
    missing = _missing(arrays, dataset)
    for number, axes in enumerate(grid[:rows]):
        residual = arrays["worst_residual"][number]
        order = telling[np.argsort(-np.abs(residual[telling]), kind="stable")][:count][::-1]
        colours = [OKABE_ITO[5] if residual[place] > 0 else OKABE_ITO[0] for place in order]
        axes.barh(np.arange(count), residual[order], color=colours)
        held = lambda p, n=number: "missing" if missing[n, p] else f"{x[n, p]:.4g}, not {x_hat[n, p]:.4g}"
        axes.set_yticks(np.arange(count), [f"{canvas.short(names[p], 18)}: {held(p)}" for p in order])
        axes.axvline(0, color=GREY, linewidth=0.8)
        canvas.quiet(axes, x="", y="")
    for axes in grid[rows:]:
        axes.set_visible(False)
    figure.supxlabel("residual, in training sizes", size=TEXT)
    canvas.over_labels(figure, {axes: _title(arrays, number, scores) for number, axes in enumerate(grid[:rows])})
    canvas.save_figure(figure, path)


def _missing(arrays: Mapping[str, Any], dataset: Dataset) -> np.ndarray:
    """Which values of the worst rows are missing: the residual of these is 0 by definition."""
    split, worst = dataset.test if len(dataset.test.x) else dataset.train, arrays["worst"]
    if split.mask is None:
        return np.zeros(arrays["worst_x"].shape, bool)
    if len(arrays["scores"][arrays["score"]]) < len(split.x):  # some of the rows were drawn, and not said which
        return arrays["worst_residual"] == 0
    return ~split.mask.reshape(len(split.x), -1)[worst]


def _error_maps(path: Path, arrays: Mapping[str, Any], scores: np.ndarray, dataset: Dataset) -> None:
    """The images with the highest scores, what the nets make of them, and where the two differ."""
    x, x_hat = as_images([arrays["worst_x"], arrays["worst_x_hat"]], dataset)
    difference = np.abs(arrays["worst_x"] - arrays["worst_x_hat"]).reshape(-1, *dataset.feature_shape).mean(-1)
    figure = canvas.new_figure(4.2, "The oddest images, their reconstructions, and where the two differ")
    grid = figure.subplots(3, len(x), squeeze=False)
    shown = {"image": x, "rebuilt": x_hat}
    for row, (name, images) in enumerate(shown.items()):
        for axes, image in zip(grid[row], canvas.colours(images, name), strict=True):
            axes.imshow(image)
        grid[row, 0].set_ylabel(name, size=TEXT)
    for axes, image in zip(grid[2], difference, strict=True):
        heat = axes.imshow(image, cmap="inferno", vmin=0, vmax=difference.max())
    grid[2, 0].set_ylabel("difference", size=TEXT)
    for number, axes in enumerate(grid[0]):
        axes.set_title(_title(arrays, number, scores).replace(": ", "\n").replace(", ", "\n"), size=SMALL)
    for axes in grid.ravel():
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(heat, ax=list(grid[2]), aspect=8, pad=0.01)
    bar.set_label("|x − x̂|, scaled", size=SMALL)
    canvas.save_figure(figure, path)
