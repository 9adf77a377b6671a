"""Classification by nearest neighbours in the code of a net that learned which rows are of one class (AEkNN)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import assert_all_finite, check_consistent_length, column_or_1d

from aejax.errors import UserError
from aejax.estimators.base import Estimator
from aejax.types import Dataset

SHIPPED = "lecture/aeknn:supervised"
FEWEST = 10  # units of the code, where there are as many columns


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderClassifier(ClassifierMixin, Estimator):
    """Nearest neighbours among codes: the net brings rows of one class together; see `aejax.tasks.aeknn`.

    Its layers are those of Pulgar et al.'s net 1.5-.25-1.5: one and a half times as many units as columns before the
    code and after it. To the squared error come the neighbours of a row, which the code is to keep, and the
    cross-entropy of a smooth nearest neighbour among the codes of a batch (`aejax.losses.supervised`).

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderClassifier
    >>> x = np.random.default_rng(0).normal(size=(90, 5)) + 3 * np.arange(90)[:, None] % 9
    >>> y = np.array(["low", "middle", "high"])[np.arange(90) % 3]
    >>> classifier = AutoencoderClassifier(steps=30, random_state=0).fit(x, y)
    >>> classifier.predict(x[:3]).tolist(), classifier.predict_proba(x[:3]).shape
    (['low', 'middle', 'high'], (3, 3))

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        n_neighbors: k, whose votes are equal.
        code: units of the code; None for a quarter of the columns, but `FEWEST` or as many as there are columns.

    Attributes:
        classes_: sorted.

    References:
        Pulgar, Charte, Rivera & del Jesus 2019, AEkNN: an autoencoder kNN-based classifier with built-in dimensionality
        reduction.
    """

    config: Any = SHIPPED
    n_neighbors: int = 5
    code: int | None = None

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X, (m, n) or a mixed frame, and their classes y, (m,), of any type."""
        if y is None:
            name = type(self).__name__
            raise ValueError(f"This {name} estimator requires y to be passed, but the target y is None")
        if np.asarray(y).dtype.kind == "f":
            assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserError("Classifier can't train when only one class is present.")
        k = self.n_neighbors
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
            raise UserError(f"n_neighbors: expected a whole number of 1 or more, got {k!r}")
        if k > len(y):
            raise UserError(f"n_neighbors: {k} are too many for {len(y)} rows; allowed: 1 to {len(y)}")
        self._train(X, numbers, **{"task.neighbours": int(k)})
        return self

    def _sizes(self, dataset: Dataset) -> dict[str, Any]:
        code, sizes = self.code, {}
        if self.config == SHIPPED:
            (features,) = dataset.feature_shape
            sizes["model.widths"] = (max(1, round(1.5 * features)),)
            code = max(round(0.25 * features), min(features, FEWEST)) if code is None else code
        return sizes if code is None else sizes | {"model.code": code}

    def predict(self, X: Any) -> np.ndarray:
        """The class with most votes, the first of several: (m, n) -> (m,)."""
        votes = self._apply("classify", X).values
        return self.classes_[votes["class"]]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The share of the votes that each class has, in the order of `classes_`: (m, n) -> (m, classes)."""
        votes = self._apply("classify", X).values
        return np.stack([votes[f"share of {number}"] for number in range(len(self.classes_))], axis=1)
