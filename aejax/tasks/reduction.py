"""Dimension reduction: what a small code preserves of errors, neighbourhoods and classes, beside PCA of that size."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Count
from aejax.data.splits import with_rows
from aejax.figures.tasks.spaces import REDUCTION
from aejax.models import dense
from aejax.tasks import needs
from aejax.tasks.common import Numbers, Several, error, fitted_pca, outputs, preserved, seed_of
from aejax.types import Dataset, Evaluation, Model, Params, Task


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        neighbours: k, of the classifier and of trustworthiness and continuity.
        folds: of the cross-validation of the classifier.
    """

    neighbours: Count = 5
    folds: Several = 5


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    rows, folds = len(dataset.test.x), options.folds
    everything = len(needs.can_be_classified("reduction", dataset, "to classify codes by", folds).x)
    most = min((rows - 1) // 2, everything * (folds - 1) // folds)
    needs.at_most("neighbours", options.neighbours, most, f"{rows} test rows")


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """Error of reconstruction, trustworthiness and continuity, and how well the nearest codes tell a row's class.

    Returns:
        ``metrics[split]["mse"]`` per feature; of the test rows also ``trustworthiness`` and ``continuity``, and
        ``held_out_accuracy``, that of their classes by the nearest codes of training rows; of all rows together, those
        that the net was trained on among them, ``metrics["all"]["knn_accuracy"]``, the mean over stratified, shuffled
        folds. ``baselines["pca"]`` with the same five, of as many components as the code has units, fitted to the
        training rows; ``baselines["all features"]`` with both accuracies. ``arrays`` holds scaled test rows ``x``,
        their ``code``, ``x_hat``, ``pca_code``, ``pca_x_hat`` and ``labels``.
    """
    parts = {name: outputs(model, params, dataset, name) for name in with_rows(dataset)}
    labels, test = np.concatenate([getattr(dataset, name).labels for name in parts]), parts["test"]
    settings = {"neighbours": options.neighbours, "folds": options.folds, "seed": seed_of(key)}
    known, wanted = dataset.train.labels, dataset.test.labels
    held_out = lambda points: held_out_accuracy(points["train"], known, points["test"], wanted, options.neighbours)
    of_all = lambda points: knn_accuracy(np.concatenate(list(points.values())), labels, **settings)
    accuracies = lambda points: {"knn_accuracy": of_all(points), "held_out_accuracy": held_out(points)}
    by_split: dict[str, Numbers] = {name: {"mse": error(part)} for name, part in parts.items()}
    by_split["test"] |= preserved(test.x, test.code, options.neighbours)
    of_net = accuracies({name: part.code for name, part in parts.items()})
    by_split["test"]["held_out_accuracy"] = of_net.pop("held_out_accuracy")
    by_split["all"] = of_net
    pca = fitted_pca(parts["train"].x, model.code_size)
    codes = {name: pca.transform(part.x).astype(np.float32) for name, part in parts.items()}
    x_hat = pca.inverse_transform(codes["test"]).astype(np.float32)
    of_pca = {"mse": error(test._replace(x_hat=x_hat))} | preserved(test.x, codes["test"], options.neighbours)
    of_features = accuracies({name: part.x for name, part in parts.items()})
    baselines = {"pca": of_pca | accuracies(codes), "all features": of_features}
    arrays = {"x": test.x, "code": test.code, "x_hat": test.x_hat, "labels": dataset.test.labels}
    return Evaluation(by_split, baselines, arrays | {"pca_code": codes["test"], "pca_x_hat": x_hat})


def better_pca(model: Model, params: Params, dataset: Dataset) -> Params | None:
    """The parameters that make an `aejax.models.shortcut` principal components; None where its own are better.

    That is judged by the error of the validation rows; without any, or of any other model, its own are kept.
    """
    size, (_, name, _) = model.code_size, model.made or (None, "", ())
    if name != "dense.shortcut" or not len(dataset.validation.x) or size > min(dataset.train.x.shape):
        return None
    pca = fitted_pca(outputs(model, params, dataset, "train").x, size)
    as_pca = dense.principal(params, *(jnp.asarray(each, jnp.float32) for each in (pca.components, pca.mean)))
    of_net, of_pca = (error(outputs(model, each, dataset, "validation")) for each in (params, as_pca))
    return as_pca if of_pca < of_net else None


def held_out_accuracy(
    train: np.ndarray, known: np.ndarray, test: np.ndarray, labels: np.ndarray, neighbours: int
) -> float:
    """Share of test points (k, d) whose class is that of most of the nearest training points (m, d)."""
    from sklearn.neighbors import KNeighborsClassifier

    return float(KNeighborsClassifier(neighbours).fit(train, known).score(test, labels))


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

    cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
    return float(cross_val_score(KNeighborsClassifier(neighbours), points, labels, cv=cut).mean())


TASK = Task(
    Options,
    evaluate,
    needs=_needs,
    validated=("mse",),
    figures=REDUCTION,
    imports=("sklearn.model_selection", "sklearn.neighbors"),
)
