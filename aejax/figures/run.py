"""Which pictures a run gets: from its folder, its data and what its task found, to files under ``figures/``."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from aejax.figures import names
from aejax.figures.codes import code_histogram
from aejax.figures.curves import loss_curves
from aejax.figures.kernels import filters
from aejax.figures.maps import scatter_2d
from aejax.figures.rows import reconstructions
from aejax.types import Dataset, Evaluation, Model, Params

SHOWN = 10


def draw(
    folder: Path,
    curve: list[dict[str, float]],
    config: Mapping[str, Any],
    dataset: Dataset,
    model: Model,
    params: Params,
    found: Evaluation,
) -> None:
    """Draw the pictures of a run.

    Args:
        folder: where the pictures go.
        curve: the rows of ``metrics.csv``.
        config: resolved.
        dataset: the data.
        model: the autoencoder.
        params: its parameters.
        found: of the task `aejax.tasks.reconstruction.evaluate`, or of one that returns the same arrays.
    """
    dataset, families = names.drawable(dataset)
    with names.fonts(families), names.kept(dataset):
        _draw(folder, curve, config, dataset, model, params, found)


def _draw(
    folder: Path,
    curve: list[dict[str, float]],
    config: Mapping[str, Any],
    dataset: Dataset,
    model: Model,
    params: Params,
    found: Evaluation,
) -> None:
    _losses(folder / "loss.png", curve)
    kernels = first_kernels(params, dataset)
    if kernels is not None:
        filters(folder / "filters.png", kernels)
    if "x_hat" in found.arrays:
        _reconstructions(folder / "reconstructions.png", dataset, found)
        code_histogram(folder / "code.png", found.arrays["code"], _target_rate(config))
        if model.code_size == 2:
            labels = np.zeros(len(found.arrays["code"]), int) if dataset.test.labels is None else dataset.test.labels
            panels = {"code of the test rows": (found.arrays["code"], labels)}
            scatter_2d(folder / "map.png", panels, dataset.label_names)
    own = _own(config["task"]["name"].partition(".")[0])
    if own is not None:
        own.draw(folder, config, dataset, model, params, found)


def _own(task: str) -> ModuleType | None:
    """The module that draws what only this task has to show; None where there is none."""
    path = f"aejax.figures.tasks.{task}"
    return import_module(path) if find_spec(path) else None


def _losses(path: Path, rows: list[dict[str, float]]) -> None:
    if not rows:
        return
    steps = np.array([row["step"] for row in rows])
    column = lambda name: np.array([row[name] for row in rows])
    series = {n.removeprefix("train_"): column(n) for n in rows[0] if n.startswith("train_")}
    series = {"training": series.pop("loss"), **series}
    measured = {"validation": (steps, column("validation_loss"))} if "validation_loss" in rows[0] else {}
    loss_curves(path, steps, series, measured, unit="loss of a row")


def _target_rate(config: Mapping[str, Any]) -> float | None:
    """ρ of the first term that has one on the code."""
    terms = config["terms"].values()
    return next((t["target_rate"] for t in terms if "target_rate" in t and t.get("layer") == "code"), None)


def first_kernels(params: Params, dataset: Dataset) -> np.ndarray | None:
    """The first layer's kernels as (units, height, width, channels); None where rows are no images."""
    if not are_images(dataset):
        return None
    try:
        kernel = np.asarray(params["encoder"]["layer0"]["kernel"])
    except (KeyError, TypeError, IndexError):
        return None
    if kernel.ndim == 4:  # a convolution: height, width, channels in, channels out
        return np.moveaxis(kernel, -1, 0) if kernel.shape[2] == dataset.feature_shape[-1] else None
    return kernel.T.reshape(-1, *dataset.feature_shape)


def _reconstructions(path: Path, dataset: Dataset, found: Evaluation) -> None:
    chosen = choose(dataset.test.labels, len(found.arrays["x"]))
    three = [found.arrays[name][chosen] for name in ("x", "x_hat", "pca_x_hat")]
    if are_images(dataset):
        three = as_images(three, dataset)
    elif dataset.test.mask is not None:
        observed = dataset.test.mask.reshape(len(dataset.test.mask), -1)[chosen]
        three[0] = np.where(observed, three[0], np.nan)  # what fills a missing value was never measured
    errors = {"autoencoder": found.metrics["test"]["mse"], "PCA": found.baselines["pca"]["mse"]}
    reconstructions(
        path,
        *three,
        errors={name: f"mean squared error {value:.4f}" for name, value in errors.items()},
        feature_names=dataset.feature_names,
    )


def choose(labels: np.ndarray | None, rows: int) -> np.ndarray:
    """The rows to show: the first of each class in turn, or the first ones."""
    if labels is None:
        return np.arange(min(SHOWN, rows))
    firsts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    turns = [places[turn] for turn in range(SHOWN) for places in firsts if turn < len(places)]
    return np.array(sorted(turns[:SHOWN], key=lambda row: labels[row]))


def are_images(dataset: Dataset) -> bool:
    """Whether rows can be shown as images: grey ones, or of three colours."""
    return dataset.kind == "image" and dataset.feature_shape[-1] in (1, 3)


def as_images(arrays: list[np.ndarray], dataset: Dataset) -> list[np.ndarray]:
    """Scaled rows as images in [0, 1], black and white where the original values are smallest and largest."""
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    raw = [values / scale + shift for values in arrays]
    low, high = raw[0].min(), raw[0].max()
    fold = lambda values: np.clip((values - low) / max(high - low, 1e-12), 0, 1).reshape(-1, *dataset.feature_shape)
    return [fold(values) for values in raw]
