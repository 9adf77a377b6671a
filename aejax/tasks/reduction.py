"""How much of the data a small code keeps: its error, its neighbourhoods, its classes, beside PCA of the same size."""

from typing import Annotated

import jax
import numpy as np

from aejax import metrics
from aejax.config.bounds import Count, Within
from aejax.data.splits import with_rows
from aejax.errors import UserError
from aejax.tasks.reconstruction import fitted_pca
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED = ("mse",)

Folds = Annotated[int, Within(2)]


def check(dataset: Dataset, *, neighbours: Count = 5, folds: Folds = 5) -> None:
    """Refuse data of which the task cannot say anything.

    Raises:
        UserError: no labels, a single class, constant rows, or too few rows for the neighbours or the folds.
    """
    parts = with_rows(dataset).values()
    if any(split.labels is None for split in parts):
        raise UserError(
            f"reduction: {dataset.name} has no labels to classify codes by; "
            "allowed: data with labels (a file's data.label_column), or task.name=reconstruction.evaluate"
        )
    _, counts = np.unique(np.concatenate([split.labels for split in parts]), return_counts=True)
    if len(counts) < 2:
        raise UserError(f"reduction: all rows of {dataset.name} are of one class; allowed: two classes or more")
    if all((split.x == dataset.train.x[:1]).all() for split in parts):
        raise UserError(f"reduction: all rows of {dataset.name} are the same; allowed: features that vary")
    if counts.min() < folds:
        raise UserError(
            f"task.folds: {folds} folds, but the smallest class has {counts.min()} rows; "
            f"allowed: 2 to {counts.min()}, with at least 2 rows in each class"
        )
    rows = len(dataset.test.x)
    most = min((rows - 1) // 2, int(counts.sum()) * (folds - 1) // folds)
    if neighbours > most:
        raise UserError(f"task.neighbours: {neighbours} are too many for {rows} test rows; allowed: 1 to {most}")


def evaluate(
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain | None = None,
    *,
    neighbours: Count = 5,
    folds: Folds = 5,
) -> Evaluation:
    """Error of reconstruction, trustworthiness and continuity, and how well the nearest codes tell a row's class.

    Args:
        key: of the folds.
        model: the autoencoder.
        params: its parameters.
        dataset: the data, with labels.
        retrain: not used: nothing is trained again.
        neighbours: k, of the classifier and of trustworthiness and continuity.
        folds: of the cross-validation of the classifier.

    Returns:
        ``metrics[split]["mse"]`` per feature; of the test rows also ``trustworthiness`` and ``continuity``; of all rows
        together, ``metrics["all"]["knn_accuracy"]``, the mean over stratified, shuffled folds. ``baselines["pca"]``
        with the same four, of as many components as the code has units, fitted to the training rows;
        ``baselines["all features"]["knn_accuracy"]``. ``arrays`` holds scaled test rows ``x``, their ``code``,
        ``x_hat``, ``pca_code``, ``pca_x_hat`` and ``labels``.
    """
    del retrain
    parts = with_rows(dataset)
    masks = {
        name: None if split.mask is None else split.mask.reshape(len(split.x), -1) for name, split in parts.items()
    }
    labels = np.concatenate([split.labels for split in parts.values()])
    rows, codes, found = {}, {}, {}
    for name, split in parts.items():
        rows[name], codes[name], x_hat = encode_and_reconstruct(model, params, on_device(split, dataset))
        found[name] = {"mse": metrics.mse(rows[name], x_hat, masks[name])}
    seed = int(jax.random.bits(key, dtype=np.uint32))
    accuracy = lambda points: knn_accuracy(
        np.concatenate(list(points.values())), labels, neighbours=neighbours, folds=folds, seed=seed
    )
    kept = lambda code: {
        "trustworthiness": metrics.trustworthiness(rows["test"], code, neighbours=neighbours),
        "continuity": metrics.trustworthiness(code, rows["test"], neighbours=neighbours),
    }
    found["test"] |= kept(codes["test"])
    found["all"] = {"knn_accuracy": accuracy(codes)}
    pca = fitted_pca(rows["train"], model.code_size)
    pca_codes = {name: pca.transform(values).astype(np.float32) for name, values in rows.items()}
    pca_x_hat = pca.inverse_transform(pca_codes["test"]).astype(np.float32)
    baselines = {
        "pca": {"mse": metrics.mse(rows["test"], pca_x_hat, masks["test"])}
        | kept(pca_codes["test"])
        | {"knn_accuracy": accuracy(pca_codes)},
        "all features": {"knn_accuracy": accuracy(rows)},
    }
    arrays = {"x": rows["test"], "code": codes["test"], "x_hat": x_hat, "labels": parts["test"].labels}
    return Evaluation(found, baselines, arrays | {"pca_code": pca_codes["test"], "pca_x_hat": pca_x_hat})


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
