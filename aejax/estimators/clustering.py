"""Clustering: a net that draws together what is connected, and centres in its code."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClusterMixin

from aejax.estimators.base import Estimator


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderClusterer(ClusterMixin, Estimator):
    """Puts rows into clusters, without labels; see `aejax.tasks.clustering` and the terms in `aejax.losses.clustering`.

    A row goes to the nearest of the centres that the net learned among its codes. While these are placed they share the
    rows equally, which suits clusters of like size.

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderClusterer
    >>> x = np.random.default_rng(0).normal(size=(60, 3)) + 20 * np.repeat(np.eye(3), 20, axis=0)
    >>> clusterer = AutoencoderClusterer(n_clusters=3, random_state=0).fit(x)
    >>> [len(set(clusterer.labels_[start : start + 20])) for start in (0, 20, 40)]
    [1, 1, 1]

    No rows are held out here, and few rows need as many steps as many do.

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        n_clusters: k, how many clusters there are at most; centres without a row are left out.

    Attributes:
        labels_: (m,) the clusters of the rows that it was fitted to, from 0.
    """

    config: Any = "lecture/clustering:satimage"
    n_clusters: int = 8
    steps: int | None = 2000
    validation_fraction: float = 0.0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X, (m, n), and cluster all of them; y is passed over."""
        count = 2 if self.n_clusters == 1 else self.n_clusters  # a net has two centres at least
        self._train(X, **{"model.clusters": count, "task.clusters": count})
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The clusters of rows: (m, n) -> (m,) int64."""
        clusters = np.asarray(self._apply("assign", X).values["cluster"], np.int64)
        return np.minimum(clusters, self.n_clusters - 1)
