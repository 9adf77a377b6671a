"""Clustering: a net that draws together what is connected, and centres in its code."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import ClusterMixin

from aejax.estimators.base import Estimator
from aejax.tasks.clustering import is_of_features


@dataclass(kw_only=True, repr=False, eq=False)
class AutoencoderClusterer(ClusterMixin, Estimator):
    """Puts rows into clusters, without labels; see `aejax.tasks.clustering` and the terms in `aejax.losses.clustering`.

    A row goes to the nearest of the centres that k-means finds among the codes, or among the standardised columns where
    these show clear groups and the code blurs them; `of_features_` says so. A config with a model of
    `aejax.models.clustered` has centres of its own, which share the rows equally while they are placed: those suit
    clusters of like size.

    >>> import numpy as np
    >>> from aejax.estimators import AutoencoderClusterer
    >>> x = np.random.default_rng(0).normal(size=(60, 3)) + 20 * np.repeat(np.eye(3), 20, axis=0)
    >>> clusterer = AutoencoderClusterer(n_clusters=3, random_state=0).fit(x)
    >>> [len(set(clusterer.labels_[start : start + 20])) for start in (0, 20, 40)]
    [1, 1, 1]

    No rows are held out here, and few rows need as many steps as many do.

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        n_clusters: k, how many clusters there are at most; centres without a row are left out. None: from 2 to 15,
            those of which k-means on the code has the highest silhouette.

    Attributes:
        labels_: (m,) the clusters of the rows that it was fitted to, from 0.
        of_features_: whether they are those of the standardised columns, and not of the code.
    """

    config: Any = "tables/clustering"
    n_clusters: int | None = 8
    steps: int | None = 2000
    validation_fraction: float = 0.0

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X, (m, n), and cluster all of them; y is passed over."""
        count = 2 if self.n_clusters == 1 else self.n_clusters  # fewer are no clusters
        of_net = {"model.clusters": count} if "clusters" in self._config()["model"] else {}
        self._train(X, **of_net, **{"task.clusters": count})
        self.of_features_ = is_of_features(self.fitted_.kept)
        self.labels_ = self.predict(X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The clusters of rows: (m, n) -> (m,) int64."""
        clusters = np.asarray(self._apply("assign", X).values["cluster"], np.int64)
        return np.minimum(clusters, 0) if self.n_clusters == 1 else clusters
