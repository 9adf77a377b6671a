"""How far apart the scores of normal rows and anomalies are, what alarms are worth, and the oddest rows."""

from typing import Any

import numpy as np

from aejax.data.inspection import constant_features
from aejax.data.scaling import original
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, TEXT, Tree
from aejax.figures.images import are_images, as_images, image_lines
from aejax.figures.names import feature
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Kept, Model, Params

BASELINES = ("knn", "isolation_forest", "one_class_svm", "pca")
ROWS, FEATURES = 4, 8  # of a table that are shown
BINS = 60
BLUE, RED = OKABE_ITO[0], OKABE_ITO[5]


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The scores, their curves of precision and recall, and what is odd in the oddest rows."""
    arrays = evaluation.arrays
    scores, labels, worst = arrays["scores"][arrays["score"]], arrays["labels"], arrays["worst"]
    tree = {
        "scores": scores,
        "train_scores": arrays["train_scores"],
        "threshold": evaluation.metrics["test"]["threshold"],
        "worst": {"row": worst, "score": scores[worst]},
    }
    if labels is not None:
        tree["labels"] = labels
        tree["worst"]["anomaly"] = labels[worst]
        tree["curves"] = _curves(evaluation)
    tree["worst"] |= _images(arrays, dataset) if are_images(dataset) else _features(arrays, dataset)
    return Kept(tree, {"score": arrays["score"], "features": list(dataset.feature_names)})


def _curves(evaluation: Evaluation) -> dict[str, Any]:
    from sklearn.metrics import precision_recall_curve

    arrays, chosen = evaluation.arrays, evaluation.arrays["score"]
    numbers = {chosen: evaluation.metrics["test"]} | evaluation.baselines
    curves = {}
    for name in dict.fromkeys((chosen, "error", *BASELINES)):
        scores = arrays["scores"][name]
        precision, recall, _ = precision_recall_curve(arrays["labels"], scores, drop_intermediate=True)
        curves[name] = {"precision": precision, "recall": recall, "mean": numbers[name]["average_precision"]}
    return curves


def _images(arrays: Tree, dataset: Dataset) -> dict[str, np.ndarray]:
    x, x_hat = as_images([arrays["worst_x"], arrays["worst_x_hat"]], dataset)
    difference = np.abs(arrays["worst_x"] - arrays["worst_x_hat"]).reshape(-1, *dataset.feature_shape).mean(-1)
    return {"image": x, "rebuilt": x_hat, "difference": difference}


def _features(arrays: Tree, dataset: Dataset) -> dict[str, np.ndarray]:
    """Of the rows with the highest scores the features that the nets rebuild worst, the worst one first."""
    residual = arrays["worst_residual"][:ROWS]
    same = constant_features(dataset)  # what is the same in all rows is odd in none
    varying = np.arange(len(same)) if same.all() else np.flatnonzero(~same)
    order = varying[np.argsort(-np.abs(residual[:, varying]), axis=1, kind="stable")[:, :FEATURES]]
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1)
    start, log, shift, factor = map(flat, (dataset.origin, dataset.log, dataset.shift, dataset.scale))
    unscaled = lambda x: original(x / factor + shift, start, log)
    values = {
        "residual": residual,
        "x": unscaled(arrays["worst_x"])[:ROWS],
        "x_hat": unscaled(arrays["worst_x_hat"])[:ROWS],
        "missing": _missing(arrays, dataset)[:ROWS],
    }
    return {name: np.take_along_axis(each, order, axis=1) for name, each in values.items()} | {"feature": order}


def _missing(arrays: Tree, dataset: Dataset) -> np.ndarray:
    """Which values of the worst rows are missing: the residual of these is 0 by definition."""
    split = dataset.test if len(dataset.test.x) else dataset.train
    if split.mask is None:
        return np.zeros(arrays["worst_x"].shape, bool)
    if len(arrays["scores"][arrays["score"]]) < len(split.x):  # some of the rows were drawn, and not said which
        return arrays["worst_residual"] == 0
    return ~split.mask.reshape(len(split.x), -1)[arrays["worst"]]


def _draw_scores(tree: Tree, info: Tree, words: Words) -> Any:
    scores, limit = tree["scores"], float(tree["threshold"])
    groups = {"train": (tree["train_scores"], GREY)}
    if "labels" in tree:
        groups |= {"normal": (scores[tree["labels"] == 0], BLUE), "anomalies": (scores[tree["labels"] == 1], RED)}
    else:
        groups["judged"] = (scores, BLUE)
    everything = np.concatenate([values for values, _ in groups.values()])
    far = canvas.is_logarithmic(np.quantile(everything, [0, 0.999]))
    low, high = np.quantile(everything, [0.001 if far else 0, 0.999])
    high = max(high, low + 1e-6)
    edges = np.geomspace(low, high, BINS) if far else np.linspace(low, high, BINS)
    labels = (words("anomaly.score"), words("anomaly.share"))
    figure, (axes,) = canvas.new_panels(3.6, words("anomaly.scores"), [labels])
    for name, (values, colour) in groups.items():
        heights = np.histogram(np.clip(values, low, high), edges)[0] / len(values)
        style = {"fill": name != "train", "alpha": 1.0 if name == "train" else 0.55, "linewidth": 1.2}
        axes.stairs(heights, edges, color=colour, label=words(f"anomaly.{name}"), **style)
    if np.isfinite(limit):
        label = words("anomaly.threshold", threshold=limit)
        axes.axvline(limit, color="black", linewidth=1.2, linestyle="--", label=label)
    axes.set_xscale("log" if far else "linear")
    canvas.legend_above(axes)
    return figure


def _draw_curves(tree: Tree, info: Tree, words: Words) -> Any:
    chosen = info["score"]
    labels = (words("anomaly.recall"), words("anomaly.precision"))
    figure, (axes,) = canvas.new_panels(4.6, words("anomaly.precision_recall"), [labels])
    colours = (RED, BLUE, "black", *OKABE_ITO[1:5])
    for name, colour in zip(dict.fromkeys((chosen, "error", *BASELINES)), colours, strict=False):
        curve = tree["curves"][name]
        label = words("anomaly.mean_precision", method=words(f"anomaly.methods.{name}"), mean=curve["mean"])
        width = 2.2 if name == chosen else 1.2
        axes.plot(curve["recall"], curve["precision"], color=colour, linewidth=width, label=label)
    share = float(tree["labels"].mean())
    axes.axhline(share, color=GREY, linewidth=1, linestyle=":", label=words("anomaly.chance", share=share))
    axes.set_ylim(0, 1.02)
    canvas.legend_right(axes, words("anomaly.average_precision"))
    return figure


def _title(worst: Tree, number: int, words: Words, form: str) -> str:
    """The score of one of the worst rows and, where it is known, what it is."""
    kind = ("normal", "anomaly")[int(worst["anomaly"][number])] if "anomaly" in worst else "unknown"
    return words(f"anomaly.{form}.{kind}", row=int(worst["row"][number]), score=worst["score"][number])


def _draw_worst(tree: Tree, info: Tree, words: Words) -> Any:
    worst = tree["worst"]
    return _draw_images(worst, words) if "image" in worst else _draw_features(worst, info["features"], words)


def _draw_features(worst: Tree, names: list[str], words: Words) -> Any:
    """The features that the nets rebuild worst, of the rows with the highest scores."""
    (rows, count), columns = worst["feature"].shape, canvas.side_by_side(2)
    figure = canvas.new_figure(0.8 + (0.6 + 0.24 * count) * -(-rows // columns), words("anomaly.worst_rows"))
    for row, part in enumerate(figure.subfigures(-(-rows // columns), columns, squeeze=False).ravel()[:rows]):
        labels, residual = [], worst["residual"][row]
        for i, number in enumerate(worst["feature"][row]):
            key = "anomaly.missing" if worst["missing"][row, i] else "anomaly.value"
            blanks = {"x": worst["x"][row, i], "x_hat": worst["x_hat"][row, i]}
            labels.append(
                words(key, feature=canvas.plain(feature(words, names, int(number), 6 + 6 * columns)), **blanks)
            )
        axes = part.subplots()
        canvas.quiet(axes, x="", y="")
        canvas.bars(axes, labels, residual, color=[RED if value > 0 else BLUE for value in residual])
        axes.axvline(0, color=GREY, linewidth=0.8)
        if columns == 1:
            axes.locator_params(axis="x", nbins=2)
        part.suptitle(_title(worst, row, words, "line"), size=TEXT, x=0.02, ha="left")
    figure.supxlabel(words("anomaly.residual"), size=TEXT)
    return figure


def _draw_images(worst: Tree, words: Words) -> Any:
    """The images with the highest scores, what the nets make of them, and where the two differ."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    heat = ScalarMappable(Normalize(0, worst["difference"].max()), "inferno")
    lines = [worst["image"], worst["rebuilt"], heat.cmap(heat.norm(worst["difference"]))[..., :3]]
    names = [words(f"anomaly.{name}") for name in ("image", "rebuilt", "difference")]
    below = [_title(worst, number, words, "lines") for number in range(len(worst["row"]))]
    figure = image_lines(lines, names, words("anomaly.worst_images"), below=below, large=True)
    canvas.colour_bar(figure, heat, figure.axes, "|x − x̂|" + words("anomaly.scaled"), aspect=30)
    return figure


ANOMALY = canvas.figures(
    keep, scores=("scores", _draw_scores), precision_recall=("curves", _draw_curves), worst_rows=("worst", _draw_worst)
)
