"""The figures of a run: what they show is kept in its folder, and they are drawn from that in any language."""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax import console
from aejax.errors import UserError
from aejax.figures import canvas, names
from aejax.figures.codes import code_histogram, usage
from aejax.figures.curves import loss_curves
from aejax.figures.kernels import MOST, filters
from aejax.figures.maps import scatter_2d
from aejax.figures.rows import are_images, as_images, choose, pixels, reconstructions
from aejax.figures.words import Words, load
from aejax.models.architecture import first_kernels
from aejax.storage import checkpoint
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

ARRAYS = "arrays"
"""The folder below the figures where what they show is kept."""


def write(
    folder: Path,
    curve: Sequence[Mapping[str, float]],
    config: Mapping[str, Any],
    dataset: Dataset,
    model: Model,
    params: Params,
    evaluation: Evaluation,
    of_task: Figures | None = None,
) -> None:
    """Keep what the figures of a run show, and draw them in English.

    Args:
        folder: where the figures go.
        curve: the rows of ``metrics.csv``.
        config: resolved.
        dataset: the data.
        model: the autoencoder.
        params: its parameters.
        evaluation: of the task; reconstructions are drawn where its arrays are those of `aejax.tasks.reconstruction`.
        of_task: `Task.figures`.
    """
    dataset = names.drawable(dataset)
    kept = keep(curve, config, dataset, model, params, evaluation)
    if of_task is not None:
        more = of_task.keep(evaluation, dataset, model, params, config)
        kept = Kept(kept.tree | {"task": more.tree}, kept.info | {"task": more.info})
    checkpoint.save(folder / ARRAYS, 0, kept.tree, keep=1, info=kept.info)
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
    found = checkpoint.restore_nested(folder / ARRAYS, say=console.say)
    tree, info = found.tree, found.info
    figures = {}
    try:
        with names.fonts(info):
            for name, draw_one in DRAWN.items():
                if name in tree and (only is None or name in only):
                    figures[name] = draw_one(tree[name], info, words)
            if of_task is not None and "task" in info and (only is None or set(only) - set(figures)):
                figures |= of_task.draw(Kept(tree.get("task", {}), info["task"]), words)
            return {name: canvas.finish(f, words) for name, f in figures.items() if only is None or name in only}
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UserError(f"{folder / ARRAYS}: is damaged: no figure can be drawn from it ({error!r})") from None


def keep(
    curve: Sequence[Mapping[str, float]],
    config: Mapping[str, Any],
    dataset: Dataset,
    model: Model,
    params: Params,
    evaluation: Evaluation,
) -> Kept:
    """What the figures that any run has show, by the name of the figure."""
    arrays = evaluation.arrays
    tree: dict[str, Any] = {}
    info = {"labels": list(dataset.label_names), "features": list(dataset.feature_names), "curve": []}
    if curve:
        info["curve"] = list(curve[0])
        tree["loss"] = {"rows": np.array([list(row.values()) for row in curve], np.float64)}
    kernels = first_kernels(model, params) if are_images(dataset) else None
    if kernels is not None:
        tree["filters"] = {"kernels": kernels[:MOST], "units": len(kernels)}
    if "x_hat" in arrays:
        tree["reconstructions"] = _reconstructions(dataset, evaluation)
        tree["code"] = usage(arrays["code"])
        target_rate = _target_rate(config)
        if target_rate is not None:
            tree["code"]["target_rate"] = target_rate
        if model.code_size == 2:
            labels = np.zeros(len(arrays["code"]), int) if dataset.test.labels is None else dataset.test.labels
            tree["map"] = {"points": arrays["code"], "labels": labels}
    return Kept(tree, info)


def _target_rate(config: Mapping[str, Any]) -> float | None:
    """ρ of the first term that has one on the code."""
    terms = config["terms"].values()
    return next((t["target_rate"] for t in terms if "target_rate" in t and t.get("layer") == "code"), None)


def _reconstructions(dataset: Dataset, evaluation: Evaluation) -> dict[str, Any]:
    chosen = choose(dataset.test.labels, len(evaluation.arrays["x"]))
    three = [evaluation.arrays[name][chosen] for name in ("x", "x_hat", "pca_x_hat")]
    if are_images(dataset):
        three = [pixels(images) for images in as_images(three, dataset)]
    elif dataset.test.mask is not None:
        observed = dataset.test.mask.reshape(len(dataset.test.mask), -1)[chosen]
        three[0] = np.where(observed, three[0], np.nan)  # what fills a missing value was never measured
    errors = {"autoencoder": evaluation.metrics["test"]["mse"], "pca": evaluation.baselines["pca"]["mse"]}
    return dict(zip(("x", "x_hat", "pca_x_hat"), three, strict=True)) | {"errors": errors}


def _draw_loss(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Any:
    columns = dict(zip(info["curve"], tree["rows"].T, strict=True))
    series = {name.removeprefix("train_"): values for name, values in columns.items() if name.startswith("train_")}
    series = {"training": series.pop("loss"), **series}
    measured = {}
    if "validation_loss" in columns:
        measured["validation"] = columns["step"], columns["validation_loss"]
    return loss_curves(words, columns["step"], series, measured, unit=words("loss.of_row"))


def _draw_reconstructions(tree: Mapping[str, Any], info: Mapping[str, Any], words: Words) -> Any:
    three = [tree[name] for name in ("x", "x_hat", "pca_x_hat")]
    three = [values / 255 if values.dtype == np.uint8 else values for values in three]
    return reconstructions(words, *three, errors=tree["errors"], feature_names=info["features"])


DRAWN: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any], Words], Any]] = {
    "loss": _draw_loss,
    "filters": lambda tree, info, words: filters(words, tree["kernels"], int(tree["units"])),
    "reconstructions": _draw_reconstructions,
    "code": lambda tree, info, words: code_histogram(words, tree, tree.get("target_rate")),
    "map": lambda tree, info, words: scatter_2d(
        words, {words("map.code"): (tree["points"], tree["labels"])}, info["labels"]
    ),
}
"""By the name of a figure, what draws it: from its arrays, the texts of all figures, and the words of a language."""
