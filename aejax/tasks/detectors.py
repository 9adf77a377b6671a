"""Detectors of anomalies to compare with, from scikit-learn: fitted to training rows, larger where a row is odder."""

from collections.abc import Mapping

import numpy as np

from aejax.metrics import outliers
from aejax.tasks.remember import remembered

EXPLAINED = 0.9  # of the variance, by the components that PCA keeps
SVM_ROWS = 2000  # its time grows with the square of the rows


@remembered
def fitted(train: np.ndarray, parts: Mapping[str, np.ndarray], *, neighbours: int, seed: int) -> dict[str, dict]:
    """The scores of rows by four detectors.

    kNN's is the mean distance to the nearest training rows; PCA's the squared error with the fewest components that
    explain 90 % of the variance; isolation forest and one-class support vector machine (radial kernel, fitted to at
    most 2000 rows) as scikit-learn sets them.

    Args:
        train: (l, n) scaled training rows.
        parts: by name, other scaled rows; those under ``"train"`` are the training rows, each then without itself where
            the detector is of neighbours.
        neighbours: k, of kNN.
        seed: of the isolation forest.

    Returns:
        ``{detector: {part: (m,) scores}}``.
    """
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.svm import OneClassSVM

    train = train.astype(np.float64)
    pca = PCA(EXPLAINED, svd_solver="full").fit(train)
    forest = IsolationForest(random_state=seed).fit(train)
    machine = OneClassSVM().fit(train[:: -(-len(train) // SVM_ROWS)])
    detectors = {
        "isolation_forest": lambda x: -forest.score_samples(x),
        "one_class_svm": lambda x: -machine.decision_function(x),
        "pca": lambda x: np.square(x - pca.inverse_transform(pca.transform(x))).sum(1),
    }
    near = lambda name, x: outliers.neighbour_distance(train, None if name == "train" else x, neighbours=neighbours)
    found = {"knn": {name: near(name, x) for name, x in parts.items()}}
    for detector, score in detectors.items():
        found[detector] = {name: score(x.astype(np.float64)) for name, x in parts.items()}
    return found
