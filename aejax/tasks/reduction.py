"""Dimension reduction: what a small code preserves of errors, neighbourhoods and classes, beside PCA of that size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from aejax import metrics
from aejax.config.bounds import Count, Within
from aejax.data.splits import with_rows
from aejax.figures.tasks.spaces import REDUCTION
from aejax.tasks import needs
from aejax.tasks.pca import fitted_pca
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

Folds = Annotated[int, Within(2)]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        neighbours: k, of the classifier and of trustworthiness and continuity.
        folds: of the cross-validation of the classifier.
    """

    neighbours: Count = 5
    folds: Folds = 5


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    splits = with_rows(dataset).values()
    needs.has_labels("reduction", dataset, "to classify codes by", splits=splits, instead="task.name=reconstruction")
    labels = np.concatenate([split.labels for split in splits])
    needs.has_classes("reduction", dataset, labels)
    needs.varies("reduction", dataset, splits)
    needs.fits_folds(options.folds, labels)
    rows = len(dataset.test.x)
    most = min((rows - 1) // 2, len(labels) * (options.folds - 1) // options.folds)
    needs.at_most("neighbours", options.neighbours, most, f"{rows} test rows")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
    """Error of reconstruction, trustworthiness and continuity, and how well the nearest codes tell a row's class.

    Returns:
        ``metrics[split]["mse"]`` per feature; of the test rows also ``trustworthiness`` and ``continuity``; of all rows
        together, ``metrics["all"]["knn_accuracy"]``, the mean over stratified, shuffled folds. ``baselines["pca"]``
        with the same four, of as many components as the code has units, fitted to the training rows;
        ``baselines["all features"]["knn_accuracy"]``. ``arrays`` holds scaled test rows ``x``, their ``code``,
        ``x_hat``, ``pca_code``, ``pca_x_hat`` and ``labels``.
    """
    neighbours, folds = options.neighbours, options.folds
    parts = with_rows(dataset)
    masks = {
        name: None if split.mask is None else split.mask.reshape(len(split.x), -1) for name, split in parts.items()
    }
    labels = np.concatenate([split.labels for split in parts.values()])
    rows, codes, by_split = {}, {}, {}
    for name, split in parts.items():
        rows[name], codes[name], x_hat = encode_and_reconstruct(model, params, on_device(split, dataset))
        by_split[name] = {"mse": metrics.mse(rows[name], x_hat, masks[name])}
    seed = int(jax.random.bits(key, dtype=np.uint32))
    accuracy = lambda points: knn_accuracy(
        np.concatenate(list(points.values())), labels, neighbours=neighbours, folds=folds, seed=seed
    )
    neighbourhoods = lambda code: {
        "trustworthiness": metrics.trustworthiness(rows["test"], code, neighbours=neighbours),
        "continuity": metrics.trustworthiness(code, rows["test"], neighbours=neighbours),
    }
    by_split["test"] |= neighbourhoods(codes["test"])
    by_split["all"] = {"knn_accuracy": accuracy(codes)}
    pca = fitted_pca(rows["train"], model.code_size)
    pca_codes = {name: pca.transform(values).astype(np.float32) for name, values in rows.items()}
    pca_x_hat = pca.inverse_transform(pca_codes["test"]).astype(np.float32)
    baselines = {
        "pca": {"mse": metrics.mse(rows["test"], pca_x_hat, masks["test"])}
        | neighbourhoods(pca_codes["test"])
        | {"knn_accuracy": accuracy(pca_codes)},
        "all features": {"knn_accuracy": accuracy(rows)},
    }
    arrays = {"x": rows["test"], "code": codes["test"], "x_hat": x_hat, "labels": parts["test"].labels}
    return Evaluation(by_split, baselines, arrays | {"pca_code": pca_codes["test"], "pca_x_hat": pca_x_hat})


def knn_accuracy(points: np.ndarray, labels: np.ndarray, *, neighbours: int, folds: int, seed: int) -> float:
    """Share of points whose class is that of most of their nearest neighbours, cross-validated.

    Args:
        points: (m, d).
        labels: (m,) classes.
        neighbours: how many vote; ties go to the first class.
        folds: stratified and shuffled.
        seed: of the shuffle.

    Returns:
        The mean over the folds, in [0, 1].
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return float(cross_val_score(KNeighborsClassifier(neighbours), points, labels, cv=split).mean())


TASK = Task(Options, evaluate, needs=_needs, validated=("mse",), figures=REDUCTION)
