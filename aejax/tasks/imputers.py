"""What a sensible person fills holes with: means, neighbours, chained equations, forests; all scikit-learn's."""

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from aejax.tasks.remember import remembered
from aejax.types import Column


class Filled(NamedTuple):
    """Rows without holes, and how long it took to fill those that the method was not fitted to."""

    train: np.ndarray
    test: np.ndarray
    seconds: float


@remembered
def fill(method: Any, train: np.ndarray, test: np.ndarray) -> Filled:
    """Fit an imputer to rows with holes, and fill those and others.

    Args:
        method: of scikit-learn.
        train: (m, n), NaN where a value is missing.
        test: (l, n) likewise.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of chained equations that are not settled after their last round
        filled = method.fit_transform(train)
        started = time.perf_counter()
        new = method.transform(test)
        return Filled(filled, new, time.perf_counter() - started)


def baselines(*, neighbours: int, trees: int, seed: int) -> dict[str, Callable[[], Any]]:
    """By name, how each imputer is made.

    Args:
        neighbours: of the nearest neighbours' mean.
        trees: of each forest; 0 leaves the forests out.
        seed: of the forests.

    References:
        van Buuren & Groothuis-Oudshoorn 2011, mice; Stekhoven & Bühlmann 2012, MissForest.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    found: dict[str, Callable[[], Any]] = {
        "mean": SimpleImputer,
        "knn": lambda: KNNImputer(n_neighbors=neighbours, weights="distance"),
        "mice": lambda: IterativeImputer(max_iter=10, random_state=seed),
    }
    if trees:
        forest = lambda: ExtraTreesRegressor(trees, random_state=seed, n_jobs=-1)
        found["forest"] = lambda: IterativeImputer(forest(), max_iter=5, random_state=seed)
    return found


def settled(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """Rows in which each category is the most likely one, 0 or 1 in each of its features; numbers stay."""
    out = x.copy()
    for column in columns:
        part = slice(column.start, column.start + column.size)
        if column.categories and column.size == 1:
            out[:, part] = x[:, part] > 0.5
        elif column.categories:
            out[:, part] = np.arange(column.size) == x[:, part].argmax(1)[:, None]
    return out
