"""What puts rows into clusters: a net's own centres, k-means, Gaussian mixtures, spectral clustering."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from aejax.losses.clustering import transport_cost
from aejax.tasks.reconstruction import fitted_pca
from aejax.tasks.remember import remembered
from aejax.types import Model, Params


class Partition(NamedTuple):
    """Training rows by cluster, and how other rows find theirs.

    Attributes:
        clusters: (m,) int.
        assign: points of other rows, (l, d), in the space in which the training rows were clustered -> (l,) int.
    """

    clusters: np.ndarray
    assign: Callable[[np.ndarray], np.ndarray]


def own_clusters(key: jax.Array, model: Model, params: Params, x: np.ndarray, code: np.ndarray) -> Partition | None:
    """The nearest of the net's own centres, of the set with the least transport cost; None where it has none."""
    # compiled, so that nothing is computed but what makes the centres
    extra = jax.jit(lambda params, row: model.apply(params, row, row, key).extra)(params, x[:1])
    if "centres" not in extra:
        return None
    costs = jax.jit(jax.vmap(transport_cost, in_axes=(None, 0)))(code, extra["centres"])
    centres = np.asarray(extra["centres"][costs.argmin()], np.float64)

    def assign(codes: np.ndarray) -> np.ndarray:
        # ‖h − c‖² less ‖h‖², which is the same for every centre
        return (np.square(centres).sum(1)[None] - 2 * codes.astype(np.float64) @ centres.T).argmin(1)

    return Partition(assign(code), assign)


def k_means(points: np.ndarray, count: int, *, restarts: int, seed: int) -> Partition:
    """Scikit-learn's k-means of points (m, d), the best of some starts by k-means++."""
    from sklearn.cluster import KMeans

    fitted = KMeans(count, n_init=restarts, random_state=seed).fit(points)
    return Partition(fitted.labels_, fitted.predict)


@remembered
def classical(x: np.ndarray, count: int, *, components: int, restarts: int, seed: int) -> dict[str, np.ndarray]:
    """Clusters by k-means of rows (m, n), and by k-means and a Gaussian mixture of their principal components."""
    from sklearn.mixture import GaussianMixture

    reduced = fitted_pca(x, components).transform(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a start that had not converged
        mixture = GaussianMixture(count, n_init=restarts, random_state=seed).fit_predict(reduced)
    return {
        "k-means": k_means(x, count, restarts=restarts, seed=seed).clusters,
        "PCA, k-means": k_means(reduced, count, restarts=restarts, seed=seed).clusters,
        "PCA, Gaussian mixture": mixture,
    }


@remembered
def spectral(x: np.ndarray, count: int, *, neighbours: int, seed: int) -> np.ndarray:
    """Scikit-learn's spectral clustering of rows (m, n) on the graph of their nearest neighbours."""
    from sklearn.cluster import SpectralClustering

    method = SpectralClustering(count, affinity="nearest_neighbors", n_neighbors=neighbours, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a graph in pieces
        return method.fit_predict(x.astype(np.float64))
