"""Nearest neighbours as a classifier, of rows or of their codes: how well it does, and how long it takes."""

import time
from collections.abc import Callable

import numpy as np

from aejax.metrics.classification import classification
from aejax.training.context import scaled
from aejax.training.evaluate import on_device
from aejax.types import Dataset, Split

TIMED_SECONDS = 0.02
"""How long a prediction is repeated, so that a busy machine disturbs the fastest one less."""


def judged(dataset: Dataset, neighbours: int, encode: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """How kNN among the encoded training rows classifies the test rows.

    Args:
        dataset: with labels.
        neighbours: k; their votes are equal, and ties go to the first class.
        encode: (m, n) scaled rows -> (m, d).

    Returns:
        What `aejax.metrics.classification` says, and ``seconds`` of encoding the test rows and finding their classes,
        by a search through all codes or by scikit-learn's choice (a tree up to 15 units), whichever is faster.
    """
    from sklearn.neighbors import KNeighborsClassifier

    x, new = (scaled_rows(split, dataset) for split in (dataset.train, dataset.test))
    codes, found = encode(x), []
    for search in ("auto", "brute"):
        classifier = KNeighborsClassifier(neighbours, algorithm=search).fit(codes, dataset.train.labels)
        found.append(_timed(lambda c=classifier: c.predict_proba(encode(new))))
    places = np.searchsorted(classifier.classes_, dataset.test.labels)
    return classification(places, found[0][0]) | {"seconds": min(seconds for _, seconds in found)}


def _timed(predict: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What it predicts, and the seconds of its fastest run after a first one, in which it may be compiled."""
    predicted, taken = predict(), []
    while sum(taken) < TIMED_SECONDS:
        started = time.perf_counter()
        predict()
        taken.append(time.perf_counter() - started)
    return predicted, min(taken)


def scaled_rows(split: Split, dataset: Dataset) -> np.ndarray:
    """Rows as a net sees them: (rows, n) float32."""
    return np.asarray(scaled(on_device(split, dataset), slice(None))[0])
