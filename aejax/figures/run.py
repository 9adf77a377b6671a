"""The figures of a run: what they show is kept in its folder, and they are drawn from that in any language."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax import console
from aejax.config.components import resolve
from aejax.errors import UserError
from aejax.figures import canvas, names
from aejax.figures.canvas import Tree
from aejax.figures.images import (
    MOST_FILTERS,
    are_images,
    as_images,
    choose,
    filters,
    image_lines,
    laid_out,
    thumbnails,
)
from aejax.figures.panels import code_histogram, error_by_class, loss_curves, maps, reconstructions, usage
from aejax.figures.words import Words, load
from aejax.models.architecture import first_kernels
from aejax.storage import checkpoint
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

ARRAYS = "arrays"  # the folder below the figures where what they show is kept
ROWS = ("x", "x_hat", "pca_x_hat")
MOST_IMAGES = 5000
"""Of which the spread of a pixel is taken."""
UNITS = {
    "reconstruction.cross_entropy": "nats",
    "reconstruction.multinomial": "nats",
    "imputation.likelihood": "nats",
    "bounds.importance_weighted": "nats",
    "reconstruction.squared_error": "squares",
    "reconstruction.huber": "squares",
    "reconstruction.correntropy": "squares",
}
"""What the cost of a reconstruction is measured in, and with it the loss, whatever else is added to it."""
OF_EACH, MOST_CLASSES = 4, 30
"""Of the best, the median and the worst reconstructions; and classes whose errors are drawn."""
SPARSE = 0.2
"""The share of zeros among the values of a code from which on it is sparse; how a dense one is used tells nothing."""
DEAD = 0.01
"""What the strongest unit of the first layer does, of which a unit that does less is dead."""


def write(
    folder: Path, curve: Sequence[Tree], of_task: Figures | None, evaluation: Evaluation, dataset: Dataset, *others: Any
) -> None:
    """Keep what the figures of a run show, and draw them in English.

    Args:
        folder: where the figures go.
        curve: the rows of ``metrics.csv``.
        of_task: `Task.figures`.
        evaluation: of the task; reconstructions are drawn where its arrays are those of `aejax.tasks.reconstruction`.
        dataset: the data.
        others: the model, its parameters and the resolved config.
    """
    parts = (evaluation, names.drawable(dataset), *others)
    content = keep(*parts)
    if curve:
        content.info["curve"] = list(curve[0])
        content.tree["loss"] = {"rows": np.array([list(row.values()) for row in curve], np.float64)}
        content.tree["loss"] |= _weights([int(row["step"]) for row in curve], others[-1])
        content.tree["loss"] |= _floor(others[-1], dataset)
        content.info["unit"] = UNITS.get(_cost(others[-1]), "")
    if of_task is not None:
        content.tree["task"], content.info["task"] = of_task.keep(*parts)
    checkpoint.save(folder / ARRAYS, 0, content.tree, keep=1, info=content.info)
    for name, figure in drawn(folder, of_task, load("en")).items():
        canvas.save_figure(figure, folder / f"{name}.png")


def drawn(folder: Path, of_task: Figures | None, words: Words, only: Collection[str] | None = None) -> dict[str, Any]:
    """The figures of a run, in a language.

    Args:
        folder: where the figures lie.
        of_task: `Task.figures`.
        words: of the language.
        only: the names of those that are wanted; None for all.

    Returns:
        Figures of matplotlib by name; none of a run of an earlier version, whose folder has pictures only.

    Raises:
        UserError: what they show is damaged.
    """
    if not (folder / ARRAYS).is_dir():
        return {}
    content = checkpoint.restore_nested(folder / ARRAYS, say=console.say)
    tree, info = content.tree, content.info
    wanted = lambda named: {name: each for name, each in named.items() if only is None or name in only}
    try:
        with names.fonts(info):
            figures = GENERAL.draw(Kept(wanted(tree), info), words)
            of_its_own = Kept(tree.get("task", {}), info.get("task", {}))
            if of_task is not None and any(of_its_own) and (only is None or set(only) - set(figures)):
                figures |= wanted(of_task.draw(of_its_own, words))
            return {name: canvas.finish(figure, words) for name, figure in figures.items()}
    except UserError:  # of a task that somebody else wrote: it says whose
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UserError(f"{folder / ARRAYS}: is damaged: no figure can be drawn from it ({error!r})") from None


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """What the figures that any run has show, by the name of the figure."""
    arrays, labels = evaluation.arrays, dataset.test.labels
    tree: dict[str, Any] = {}
    kernels = first_kernels(model, params) if are_images(dataset) else None
    if kernels is not None and kernels.shape[1:] == tuple(dataset.feature_shape):
        tree["filters"] = _filters(kernels, dataset)
    if "x_hat" in arrays:
        tree["reconstructions"] = _reconstructions(dataset, evaluation, model.code_size)
        on_code = [term for term in config["terms"].values() if term.get("layer") == "code" and "target_rate" in term]
        target = {"target_rate": on_code[0]["target_rate"]} if on_code else {}
        tree |= _errors(dataset, evaluation, model.code_size)
        of_code = usage(arrays["code"])
        sparse = any(term["name"].startswith("sparsity.") for term in config["terms"].values())
        if sparse or of_code["zeros"] >= SPARSE:
            tree["code"] = of_code | target
        if model.code_size == 2 and not config["task"]["name"].startswith("reduction."):  # which draws the map itself
            labels = np.zeros(len(arrays["code"]), int) if labels is None else labels
            tree["map"] = {"points": arrays["code"], "labels": labels}
        if are_images(dataset) and dataset.reading is not None and dataset.reading.size:  # photographs of one's own
            tree["thumbnails"] = laid_out(arrays["code"], as_images([arrays["x"]], dataset)[0])
    return Kept(tree, {"labels": list(dataset.label_names), "features": list(dataset.feature_names), "curve": []})


def _filters(kernels: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """What each unit makes of the images: its weights times how much their pixels vary, the strongest units first.

    A weight of a pixel that hardly ever changes does nothing, however large it is. A unit that does less than a
    hundredth of what the strongest one does is dead; dead units are counted, and left out.
    """
    rows = next(part.x for part in (dataset.test, dataset.validation, dataset.train) if len(part.x))[:MOST_IMAGES]
    spread = ((np.asarray(rows, np.float32) - dataset.shift) * dataset.scale).std(0, dtype=np.float64)
    kernels = np.nan_to_num(kernels) * np.asarray(spread, np.float32)
    does = np.sqrt(np.square(kernels, dtype=np.float64).sum(tuple(range(1, kernels.ndim))))
    order = np.argsort(-does, kind="stable")
    live = int((does >= DEAD * does.max()).sum())
    return {"kernels": kernels[order[: min(live, MOST_FILTERS)]], "units": len(kernels), "dead": len(kernels) - live}


def _reconstructions(dataset: Dataset, evaluation: Evaluation, units: int) -> dict[str, Any]:
    """Some rows and what is made of them; PCA where its code of so many units is narrower than a row, not its copy."""
    chosen = choose(dataset.test.labels, len(evaluation.arrays["x"]))
    names = ROWS if units < evaluation.arrays["x"].shape[1] else ROWS[:2]
    rows = [evaluation.arrays[name][chosen] for name in names]
    if are_images(dataset):
        rows = as_images(rows, dataset)
    elif dataset.test.mask is not None:
        observed = dataset.test.mask.reshape(len(dataset.test.mask), -1)[chosen]
        rows[0] = np.where(observed, rows[0], np.nan)  # what fills a missing value was never measured
    errors = {"autoencoder": evaluation.metrics["test"]["mse"], "pca": evaluation.baselines["pca"]["mse"]}
    return dict(zip(names, rows, strict=True)) | {"errors": errors}


def _errors(dataset: Dataset, evaluation: Evaluation, units: int) -> dict[str, Any]:
    """The test samples that are rebuilt best, about as well as the median, and worst; and the error of each class."""
    arrays, labels, tree = evaluation.arrays, dataset.test.labels, {}
    observed = True if dataset.test.mask is None else dataset.test.mask.reshape(len(dataset.test.mask), -1)
    names = {"autoencoder": "x_hat"} | ({"pca": "pca_x_hat"} if units < arrays["x"].shape[1] else {})
    squares = {name: np.square(arrays["x"] - arrays[array], dtype=np.float64) for name, array in names.items()}
    errors = {name: np.mean(each, 1, where=observed & np.isfinite(each)) for name, each in squares.items()}
    order = np.argsort(errors["autoencoder"], kind="stable")
    if are_images(dataset) and len(order) >= 3 * OF_EACH:
        middle = (len(order) - OF_EACH) // 2
        chosen = np.concatenate([order[:OF_EACH], order[middle : middle + OF_EACH], order[-OF_EACH:]])
        x, x_hat = as_images([arrays[name][chosen] for name in ROWS[:2]], dataset)
        tree["extremes"] = {"x": x, "x_hat": x_hat, "errors": errors["autoencoder"][chosen]}
    classes = [] if labels is None else np.unique(labels[labels >= 0])
    if 1 < len(classes) <= MOST_CLASSES:
        means = {name: np.array([each[labels == label].mean() for label in classes]) for name, each in errors.items()}
        counts = np.array([(labels == label).sum() for label in classes])
        tree["classes"] = {"labels": classes, "counts": counts, "errors": means}
    return tree


def _draw_extremes(tree: Tree, info: Tree, words: Words) -> Any:
    content = tree["extremes"]
    kinds = [kind for kind in ("best", "middling", "worst") for _ in range(OF_EACH)]
    below = [
        f"{words(f'errors.{kind}')}\n{words.number(error, '.4f')}"
        for kind, error in zip(kinds, content["errors"], strict=True)
    ]
    left = [words("reconstructions.original"), words("reconstructions.autoencoder")]
    return image_lines([content["x"], content["x_hat"]], left, words("errors.extremes"), below=below)


def _draw_classes(tree: Tree, info: Tree, words: Words) -> Any:
    content = tree["classes"]
    pairs = zip(content["labels"], content["counts"], strict=True)
    names = [words("errors.class", label=info["labels"][label], count=count) for label, count in pairs]
    return error_by_class(words, names, content["errors"])


def _weights(steps: Sequence[int], config: Tree) -> dict[str, dict[str, Any]]:
    """What each term of the loss counts for in the mean of the steps before each evaluation: weight times schedule."""
    edges = np.array([0, *steps])
    progress = np.arange(edges[-1]) / config["train"]["steps"]
    weights = {}
    for name, term in config["terms"].items():
        factor = np.ones(len(steps))
        if "schedule" in term:
            numbers = dict(term["schedule"])
            schedule = resolve(numbers.pop("name"), "aejax.optimizers.schedules", what="schedule.name")
            sums = np.cumsum([0.0, *np.broadcast_to(np.asarray(schedule(progress, **numbers)), progress.shape)])
            factor = np.diff(sums[edges]) / np.maximum(np.diff(edges), 1)
        weights[name] = term["weight"] * factor
    return {"weights": weights}


def _cost(config: Tree) -> str:
    """The function of the term that measures the reconstruction; "" where no term does."""
    return next((term["name"] for term in config["terms"].values() if term["name"] in UNITS), "")


def _floor(config: Tree, dataset: Dataset) -> dict[str, float]:
    """What a perfect reconstruction costs in cross-entropy, Σ_i H(x_i) in the mean over training rows; else nothing.

    With other terms it is the least of the loss as long as these cannot fall below 0.
    """
    terms, x = config["terms"].values(), dataset.train.x
    cost = [term["weight"] for term in terms if term["name"] == "reconstruction.cross_entropy"]
    bounded = all(term["name"].partition(".")[0] in ("reconstruction", "sparsity", "weights") for term in terms)
    if len(cost) != 1 or not bounded or dataset.train.mask is not None or not isinstance(x, np.ndarray):
        return {}
    total = 0.0
    for rows in np.array_split(x, -(-len(x) // MOST_IMAGES)):
        share = np.clip((rows.astype(np.float32) - dataset.shift) * dataset.scale, 1e-6, 1 - 1e-6)
        total -= float((share * np.log(share) + (1 - share) * np.log1p(-share)).sum(dtype=np.float64))
    return {"floor": cost[0] * total / len(x)}


def _draw_loss(tree: Tree, info: Tree, words: Words) -> Any:
    columns = dict(zip(info["curve"], tree["loss"]["rows"].T, strict=True))
    weights = tree["loss"].get("weights", {})  # earlier versions did not keep them, and draw the loss alone
    series = {"training": columns["train_loss"]}
    names = sorted(weights, key=lambda name: name != "reconstruction")
    series |= {name: weights[name] * columns[f"train_{name}"] for name in names}
    validation = (columns["step"], columns["validation_loss"]) if "validation_loss" in columns else None
    floor = tree["loss"].get("floor")
    return loss_curves(words, columns["step"], series, validation, info.get("unit", ""), floor)


def _draw_reconstructions(tree: Tree, info: Tree, words: Words) -> Any:
    return reconstructions(words, tree["reconstructions"], info["features"])


def _draw_map(tree: Tree, info: Tree, words: Words) -> Any:
    return maps(words, {words("map.code"): (tree["map"]["points"], tree["map"]["labels"])}, info["labels"])


GENERAL = canvas.figures(
    keep,
    loss=("loss", _draw_loss),
    filters=("filters", lambda tree, info, words: filters(words, **tree["filters"])),
    reconstructions=("reconstructions", _draw_reconstructions),
    code=("code", lambda tree, info, words: code_histogram(words, tree["code"])),
    map=("map", _draw_map),
    extremes=("extremes", _draw_extremes),
    classes=("classes", _draw_classes),
    thumbnails=("thumbnails", lambda tree, info, words: thumbnails(words, tree["thumbnails"])),
)
