"""Clustering in the code, beside k-means, Gaussian mixtures and spectral clustering; labels are used to judge only."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Annotated, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.config.bounds import Choice, Count, Natural
from aejax.data.splits import with_rows
from aejax.errors import UserError
from aejax.figures.tasks.spaces import CLUSTERING
from aejax.losses.clustering import transport_cost
from aejax.metrics import partitions
from aejax.relations import graph
from aejax.tasks import needs
from aejax.tasks.common import Arrays, Numbers, Several, attempted, cached, error, fitted_pca, outputs, seed_of
from aejax.training.context import clean, outline
from aejax.training.evaluate import encoded
from aejax.types import Columns, Dataset, Evaluation, Kept, Model, Params, Rows, Task

MOST_CLUSTERS = 15  # where nobody says how many
LEAST_SILHOUETTE, SHARE = 0.2, 0.8  # of k-means of the features, and what clusters of the code have of it
GRAPH_COMPONENTS = 50  # in which neighbours are looked for, where there are more features
SILHOUETTE_ROWS = 5000


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        clusters: how many are looked for; None: as many as there are classes, without labels as the net has centres
            of; else those, from 2 to 15, of which k-means on the code has the highest silhouette there.
        space: ``"code"``, or ``"either"``: clusters are those of k-means of the scaled features where their silhouette
            there is .2 or more, and that of the code's clusters is less than four fifths of it.
        neighbours: of a row, in the graphs of spectral clustering and of the modularity.
        restarts: of k-means and of the mixture, of which the one with the best cost counts.
        spectral_rows: that spectral clustering sees at most, drawn by lot; 0 leaves it out.
    """

    clusters: Several | None = None
    space: Annotated[str, Choice(("code", "either"))] = "code"
    neighbours: Count = 10
    restarts: Count = 10
    spectral_rows: Natural = 10_000


def _keep_needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    train, rows, clusters, centres = dataset.train, len(dataset.train.x), options.clusters, centres_of(model)
    if train.labels is not None:
        instead = "data without labels"
        needs.has_classes("clustering", dataset, train.labels, rows="all training rows", instead=instead)
    wanted = wanted_clusters(clusters, train.labels, centres) or 2
    if centres not in (None, wanted):
        why = f"task.clusters is {wanted}" if clusters else f"the data have {wanted} classes ({dataset.name})"
        other = f" or task.clusters={centres}" if 2 <= centres <= rows else ""
        raise UserError(f"model.clusters: {centres}, but {why}; allowed: model.clusters={wanted}{other}")
    different = different_rows(train.x, wanted)
    if different < wanted:
        settings = "task.clusters" if centres is None else "model.clusters and task.clusters"
        most = "features that vary" if different < 2 else f"{settings} from 2 to {different}"
        raise UserError(
            f"clustering: {wanted} clusters of {rows} training rows of which {different} are different; allowed: {most}"
        )


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    _keep_needs(dataset, model, config, options)
    rows = len(dataset.train.x)
    needs.at_most("neighbours", options.neighbours, rows - 1, f"{rows} training rows")


def centres_of(model: Model) -> int | None:
    """How many clusters a net has centres of; None where it has none. Nothing is computed."""
    extra = outline(model).extra
    return extra["centres"].shape[-2] if "centres" in extra else None


def wanted_clusters(asked: int | None, labels: np.ndarray | None, centres: int | None) -> int | None:
    """How many clusters are looked for: as asked, as there are classes, or as the net has centres of; else None."""
    return asked or (centres if labels is None else len(np.unique(labels)))


def different_rows(x: np.ndarray, enough: int) -> int:
    """How many different rows there are; it is not looked further than for a few more than `enough`."""
    flat = x.reshape(len(x), -1)
    few = len(np.unique(flat[: 10 * enough], axis=0))
    return few if few >= enough else len(np.unique(flat, axis=0))


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """Clusters of all training rows, judged by their classes where there are any, and by the rows' neighbours.

    A net that has centres (`aejax.models.clustered`) puts each row to the nearest one of its best set, that with the
    least `aejax.losses.clustering.transport_cost`; on other nets' codes k-means is run, or on the features
    (`Options.space`). All methods are fitted to the
    training rows without their labels. Rows of other splits go to the nearest of the same centres. Where all rows are
    to be clustered, as in the literature, there are to be no other splits.

    Returns:
        ``metrics["train"]`` with ``mse``, ``clusters`` (how many have rows), and what needs no labels: ``modularity``,
        and ``silhouette`` of the scaled features (at most 5000 rows); with labels also ``accuracy`` of the best
        pairing of clusters with classes, ``nmi`` and ``ari``. The same, without the middle ones, for other splits.
        ``baselines``, of the training rows: ``code, k-means`` where that is something else, ``k-means``,
        ``PCA, k-means`` and ``PCA, Gaussian mixture`` (with as many components as the code has units), and
        ``spectral``, or ``spectral, 10000 rows``. ``arrays``: ``code``, ``clusters`` and ``labels`` of training rows.
        ``kept``: the centres that training rows went to.
    """
    neighbours, restarts = options.neighbours, options.restarts
    for_starts, for_model = jax.random.split(key)
    seed = seed_of(for_starts)
    parts = {name: outputs(model, params, dataset, name) for name in with_rows(dataset)}
    by_split = {name: {"mse": error(part)} for name, part in parts.items()}
    (x, code, *_), labels = parts["train"], dataset.train.labels
    count = wanted_clusters(options.clusters, labels, centres_of(model)) or estimated(code, seed)
    of_code = k_means(code, count, restarts=restarts, seed=seed)
    net = own_clusters(for_model, model, params, x, code) or of_code
    net = of_space(net, x, options, seed)
    for name in set(parts) - {"train"}:
        points = parts[name].x if net.of_features else parts[name].code
        by_split[name] |= by_classes(getattr(dataset, name).labels, net.assign(points))
    judge = judging(x, labels, neighbours=neighbours, seed=seed)
    by_split["train"] |= judge(net.clusters)
    others = {} if net is of_code else {"code, k-means": of_code.clusters}
    others |= classical(x, count, components=model.code_size, restarts=restarts, seed=seed)
    baselines = {name: judge(clusters) for name, clusters in others.items()}
    if options.spectral_rows:
        chosen = some(len(x), options.spectral_rows, seed)
        judge = judging(x[chosen], None if labels is None else labels[chosen], neighbours=neighbours, seed=seed)
        name = "spectral" if len(chosen) == len(x) else f"spectral, {len(chosen)} rows"
        of_some = lambda: judge(spectral(x[chosen], count, neighbours=neighbours, seed=seed))
        baselines |= attempted({name: of_some})
    arrays = {"code": code, "clusters": net.clusters, "labels": labels}
    return Evaluation(by_split, baselines, arrays, _kept(net))


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Kept:
    """What `evaluate` keeps for new rows: the centres that training rows went to."""
    for_starts, for_model = jax.random.split(key)
    train = outputs(model, params, dataset, "train")
    net = own_clusters(for_model, model, params, train.x, train.code)
    seed = seed_of(for_starts)
    if net is None:
        count = wanted_clusters(options.clusters, dataset.train.labels, None) or estimated(train.code, seed)
        net = k_means(train.code, count, restarts=options.restarts, seed=seed)
    return _kept(of_space(net, train.x, options, seed))


def _kept(net: "Partition") -> Kept:
    centres = net.centres[np.unique(net.clusters)].astype(np.float64)
    return Kept({"centres": centres}, {"features": True} if net.of_features else {})


def assign(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The clusters of new rows, from 0, and how sure they are.

    A row goes to the nearest centre. Its probability is Student's t of the distance in the code, or that of the scaled
    features where centres lie there, as in the term `joint`
    of `aejax.losses.clustering`: q_j ∝ (1 + ‖h − c_j‖²)⁻¹ over the centres j. See `aejax.types.Task`.
    """
    if kept is None:
        raise UserError("assign: the run is older than clusters of new rows and kept no centres; train it again")
    centres, of_features = kept.tree.get("centres", np.zeros(())), is_of_features(kept)
    size = prod(model.feature_shape) if of_features else model.code_size
    if centres.ndim != 2 or not len(centres) or centres.shape[1] != size:
        raise UserError("what the run kept is damaged: it holds no centres of clusters")
    apart = distances(np.asarray(clean(rows, slice(None))) if of_features else encoded(model, params, rows), centres)
    clusters, nearness = apart.argmin(1), 1 / (1 + apart)
    probability = nearness.max(1) / nearness.sum(1)
    sizes = np.bincount(clusters, minlength=len(centres))
    summary = f"rows in clusters 0 to {len(sizes) - 1}: {', '.join(map(str, sizes))}"
    return Columns({"cluster": clusters, "probability": probability}, summary)


def is_of_features(kept: Kept) -> bool:
    """Whether the centres that a run kept lie among its scaled features, and not in its code."""
    return kept.info.get("features") is True


def judging(x: np.ndarray, labels: np.ndarray | None, *, neighbours: int, seed: int) -> Callable[[np.ndarray], Numbers]:
    """What gives all numbers of a partition of rows (m, n): by their neighbours, by themselves, and by their labels."""
    nearby = graph.nearest(x, neighbours=neighbours, components=GRAPH_COMPONENTS)["index"]
    return lambda clusters: {
        "modularity": partitions.modularity(nearby, clusters),
        "silhouette": silhouette(x, clusters, seed),
        **by_classes(labels, clusters),
    }


def by_classes(labels: np.ndarray | None, clusters: np.ndarray) -> Numbers:
    """How many clusters there are and, where there are labels, how well they agree with them."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    numbers = {"clusters": float(len(np.unique(clusters)))}
    if labels is not None:
        numbers["accuracy"] = partitions.accuracy(labels, clusters)
        numbers["nmi"] = float(normalized_mutual_info_score(labels, clusters))
        numbers["ari"] = float(adjusted_rand_score(labels, clusters))
    return numbers


def silhouette(x: np.ndarray, clusters: np.ndarray, seed: int) -> float:
    """The mean silhouette of at most 5000 rows, drawn by lot; 0 where all or none of them are of one cluster."""
    from sklearn.metrics import silhouette_score

    chosen = some(len(x), SILHOUETTE_ROWS, seed)
    if not 1 < len(np.unique(clusters[chosen])) < len(chosen):
        return 0.0
    return float(silhouette_score(x[chosen], clusters[chosen]))


def some(rows: int, most: int, seed: int) -> np.ndarray:
    """Places of at most so many rows, in order."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


class Partition(NamedTuple):
    """Training rows by cluster, and how other rows find theirs.

    Attributes:
        clusters: (m,) int.
        centres: (k, d) of all clusters, also those without a row.
        assign: points of other rows, (l, d), in the space in which the training rows were clustered -> (l,) int.
        of_features: whether that is the space of the scaled features, and not the code.
    """

    clusters: np.ndarray
    centres: np.ndarray
    assign: Callable[[np.ndarray], np.ndarray]
    of_features: bool = False


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

    return Partition(assign(code), centres, assign)


def distances(codes: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The squared distances of codes (m, d) to centres (k, d): (m, k) float64."""
    codes = codes.astype(np.float64)
    products = np.square(codes).sum(1)[:, None] + np.square(centres).sum(1)[None] - 2 * codes @ centres.T
    return np.maximum(products, 0)


def k_means(points: np.ndarray, count: int, *, restarts: int, seed: int) -> Partition:
    """Scikit-learn's k-means of points (m, d), the best of some starts by k-means++."""
    from sklearn.cluster import KMeans

    fitted = KMeans(count, n_init=restarts, random_state=seed).fit(points)
    return Partition(fitted.labels_, fitted.cluster_centers_, fitted.predict)


def of_space(net: Partition, x: np.ndarray, options: Options, seed: int) -> Partition:
    """Clusters of the code, or those of k-means of the scaled features (m, n), as `Options.space` has it."""
    if options.space == "code":
        return net
    plain = k_means(x, len(net.centres), restarts=options.restarts, seed=seed)
    of_plain, of_net = silhouette(x, plain.clusters, seed), silhouette(x, net.clusters, seed)
    if of_plain < LEAST_SILHOUETTE or of_net >= SHARE * of_plain:
        return net
    console.say(f"clusters of the features (silhouette {of_plain:.2f}), not of the code ({of_net:.2f})")
    return plain._replace(of_features=True)


def estimated(code: np.ndarray, seed: int) -> int:
    """How many clusters codes (m, d) show: of 2 to 15, k-means has the highest silhouette; of at most 5000 rows.

    References:
        Rousseeuw 1987, Silhouettes: a graphical aid to the interpretation and validation of cluster analysis.
    """
    code = code[some(len(code), SILHOUETTE_ROWS, seed)]
    most = min(MOST_CLUSTERS, different_rows(code, MOST_CLUSTERS))
    counts = range(2, max(most, 2) + 1)
    scores = {count: silhouette(code, k_means(code, count, restarts=3, seed=seed).clusters, seed) for count in counts}
    count = max(scores, key=scores.__getitem__)
    console.say(f"{count} clusters, of 2 to {max(scores)} those with the highest silhouette ({scores[count]:.2f})")
    return count


@cached
def classical(x: np.ndarray, count: int, *, components: int, restarts: int, seed: int) -> Arrays:
    """Clusters by k-means of rows (m, n), and by k-means and a Gaussian mixture of their principal components."""
    from sklearn.mixture import GaussianMixture

    reduced = fitted_pca(x, components).transform(x)
    by_name = {
        "PCA, Gaussian mixture": GaussianMixture(count, n_init=restarts, random_state=seed).fit_predict,
        "k-means": lambda _: k_means(x, count, restarts=restarts, seed=seed).clusters,
        "PCA, k-means": lambda reduced: k_means(reduced, count, restarts=restarts, seed=seed).clusters,
    }
    with warnings.catch_warnings(action="ignore"):  # of a start that had not converged
        clusters = attempted({name: partial(method, reduced) for name, method in by_name.items()})
    return {name: clusters[name] for name in ("k-means", "PCA, k-means", "PCA, Gaussian mixture") if name in clusters}


@cached
def spectral(x: np.ndarray, count: int, *, neighbours: int, seed: int) -> np.ndarray:
    """Scikit-learn's spectral clustering of rows (m, n) on the graph of their nearest neighbours."""
    from sklearn.cluster import SpectralClustering

    method = SpectralClustering(count, affinity="nearest_neighbors", n_neighbors=neighbours, random_state=seed)
    with warnings.catch_warnings(action="ignore"):  # of a graph in pieces
        return method.fit_predict(x.astype(np.float64))


VALIDATED = ("mse", "clusters", "accuracy", "nmi", "ari")
NEW_ROWS = {"apply": {"assign": assign}, "keep": keep, "keep_needs": _keep_needs, "results": {"clusters": "assign"}}
TASK = Task(
    Options, evaluate, _needs, VALIDATED, figures=CLUSTERING, **NEW_ROWS, imports=("sklearn.cluster", "sklearn.mixture")
)
