"""Cross-validation of a data set: stratified folds of all its rows, each a data set with a scaling of its own."""

from functools import reduce

import numpy as np

from aejax.data.scaling import fit
from aejax.data.splits import concatenate, fill, take, with_rows
from aejax.types import Dataset, Split


def pooled(dataset: Dataset) -> Split:
    """Training, validation and test rows, one after the other."""
    return reduce(concatenate, with_rows(dataset).values())


def stratified(dataset: Dataset, *, folds: int, repeats: int, seed: int) -> list[Dataset]:
    """Every row of a data set is a test row of one fold of each repeat, and each fold has each class in its share.

    All folds have equally many training rows, so that nets of all of them are one compiled program: those with one
    more leave out the last row of their largest class.

    Args:
        dataset: with labels; training, validation and test rows are pooled.
        folds: K, of a repeat; each class has at least as many rows.
        repeats: how often the rows are shuffled and cut again.
        seed: of the shuffles.

    Returns:
        Data sets without validation rows, K for each repeat in turn. Scaling and the filling of gaps come from their
        own training rows.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    rows = pooled(dataset)
    cuts = list(
        RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed).split(rows.x, rows.labels)
    )
    fewest = min(len(train) for train, _ in cuts)
    return [
        rescaled(
            dataset._replace(
                train=take(rows, _thinned(train, rows.labels, fewest)),
                validation=take(rows, np.zeros(0, int)),
                test=take(rows, test),
            )
        )
        for train, test in cuts
    ]


def _thinned(chosen: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of the chosen rows, or all but as many of the last ones of their largest class."""
    largest = np.flatnonzero(labels[chosen] == np.bincount(labels[chosen]).argmax())
    return np.delete(chosen, largest[len(largest) - (len(chosen) - count) :])


def rescaled(dataset: Dataset) -> Dataset:
    """A data set whose gaps are filled, and whose values are scaled, by what its training rows say now.

    The scaling of images by their pixels' range is that of all their rows, and stays as it is.

    Args:
        dataset: whose splits were replaced by others of the same data.
    """
    train, validation, test = fill(dataset.train, dataset.validation, dataset.test, dataset.feature_names)
    filled = dataset._replace(train=train, validation=validation, test=test)
    if dataset.kind == "image" and dataset.scaling != "standard":
        return filled
    options = {"scaling": dataset.scaling, "bounds": None, "per_feature": dataset.kind != "image"}
    return filled._replace(**fit(train.x, train.mask, **options, columns=dataset.columns)._asdict())
