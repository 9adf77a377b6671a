"""Measures of an imputation: errors, spread, coverage of intervals, and accuracy of a classifier on filled rows."""

import numpy as np

from aejax.metrics import imputation as metrics
from aejax.tasks.imputation.draws import Several
from aejax.tasks.imputation.holes import Holes
from aejax.tasks.imputation.imputers import Filled, settled
from aejax.types import Dataset


def judge(filled: Filled, rows: Holes, dataset: Dataset, seed: int) -> dict[str, float]:
    """What `evaluate` says of every method."""
    numbers = errors(filled.test, rows, dataset) | {"spread": spread_ratio(filled.test[None], rows, dataset)}
    if labelled(dataset):
        numbers["class_accuracy"] = class_accuracy(filled.train, filled.test, dataset, seed)
    return numbers | {"seconds": filled.seconds}


def errors(filled: np.ndarray, rows: Holes, dataset: Dataset) -> dict[str, float]:
    """``rmse`` of the hidden numbers and ``accuracy`` of the hidden categories, where there are any."""
    categories = [column for column in dataset.columns if column.categories]
    number = np.ones(filled.shape[1], bool)
    for column in categories:
        number[column.start : column.start + column.size] = False
    numbers = {"rmse": metrics.rmse(rows.truth, filled, rows.hidden & number[None])} if number.any() else {}
    if not categories:
        return numbers
    right = settled(filled, dataset.columns) == rows.truth
    hits = [right[rows.hidden[:, c.start], c.start : c.start + c.size].all(1) for c in categories]
    return numbers | {"accuracy": float(np.concatenate(hits).mean())}


def spread_ratio(filled: np.ndarray, rows: Holes, dataset: Dataset) -> float:
    """The standard deviation of what stands in the holes of a column ÷ that of the truth there, mean over columns."""
    ratios = []
    for feature in range(filled.shape[2]):
        at = rows.hidden[:, feature]
        truth = rows.truth[at, feature]
        if (
            len(truth) > 1
            and truth.std() > 0
            and not any(c.start <= feature < c.start + c.size and c.categories for c in dataset.columns)
        ):
            ratios.append(filled[:, at, feature].std() / truth.std())
    return float(np.mean(ratios)) if ratios else float("nan")


def intervals(several: Several, rows: Holes, level: float) -> dict[str, float]:
    """``coverage`` and mean ``width`` of the intervals of the hidden numbers."""
    low, high = several.low[level], several.high[level]
    at = rows.hidden & ~np.isnan(low)
    return {
        "coverage": metrics.coverage(rows.truth[at], low[at], high[at]),
        "width": float((high - low)[at].mean()) if at.any() else float("nan"),
    }


def labelled(dataset: Dataset) -> bool:
    """Whether there are classes to learn."""
    return dataset.train.labels is not None and len(np.unique(dataset.train.labels)) > 1


def class_accuracy(train: np.ndarray, test: np.ndarray, dataset: Dataset, seed: int) -> float:
    """Share of the test rows whose class a hundred extremely randomised trees find."""
    from sklearn.ensemble import ExtraTreesClassifier

    classifier = ExtraTreesClassifier(100, random_state=seed).fit(train, dataset.train.labels)
    return float(classifier.score(test, dataset.test.labels))


def without_holes(rows: dict[str, Holes], dataset: Dataset, seed: int) -> dict[str, dict[str, float]]:
    """The accuracy of the classifier on rows of which nothing is missing, where they are known."""
    train, test = rows["train"].truth, rows["test"].truth
    if not labelled(dataset) or np.isnan(train).any() or np.isnan(test).any():
        return {}
    return {"complete": {"class_accuracy": class_accuracy(train, test, dataset, seed)}}
