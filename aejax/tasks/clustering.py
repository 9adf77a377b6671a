"""Clustering in the code, beside k-means, Gaussian mixtures and spectral clustering; labels are used to judge only."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from aejax import metrics
from aejax.config.bounds import Count, Natural, Within
from aejax.data.splits import with_rows
from aejax.errors import UserError
from aejax.figures.tasks.spaces import CLUSTERING
from aejax.metrics import partitions
from aejax.relations import graph
from aejax.tasks import needs
from aejax.tasks.clusterers import classical, k_means, own_clusters, spectral
from aejax.training.context import outline
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

Clusters = Annotated[int, Within(2)]
GRAPH_COMPONENTS = 50  # in which neighbours are looked for, where there are more features
SILHOUETTE_ROWS = 5000


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        clusters: how many are looked for; None: as many as there are classes, without labels as the net has centres of.
        neighbours: of a row, in the graphs of spectral clustering and of the modularity.
        restarts: of k-means and of the mixture, of which the one with the best cost counts.
        spectral_rows: that spectral clustering sees at most, drawn by lot; 0 leaves it out.
    """

    clusters: Clusters | None = None
    neighbours: Count = 10
    restarts: Count = 10
    spectral_rows: Natural = 10_000


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    train, rows, clusters, centres = dataset.train, len(dataset.train.x), options.clusters, centres_of(model)
    if train.labels is None and clusters is None and centres is None:
        raise UserError(
            f"task.clusters: {dataset.name} has no labels whose classes could be counted; "
            "allowed: int >= 2, or data with labels (a file's data.label_column)"
        )
    if train.labels is not None:
        instead = "data without labels"
        needs.has_classes("clustering", dataset, train.labels, rows="all training rows", instead=instead)
    wanted = wanted_clusters(clusters, train.labels, centres)
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
    needs.at_most("neighbours", options.neighbours, rows - 1, f"{rows} training rows")


def centres_of(model: Model) -> int | None:
    """How many clusters a net has centres of; None where it has none. Nothing is computed."""
    extra = outline(model).extra
    return extra["centres"].shape[-2] if "centres" in extra else None


def wanted_clusters(asked: int | None, labels: np.ndarray | None, centres: int | None) -> int | None:
    """How many clusters are looked for: as asked, as there are classes, or as the net has centres of."""
    return asked or (centres if labels is None else len(np.unique(labels)))


def different_rows(x: np.ndarray, enough: int) -> int:
    """How many different rows there are; it is not looked further than for a few more than `enough`."""
    flat = x.reshape(len(x), -1)
    few = len(np.unique(flat[: 10 * enough], axis=0))
    return few if few >= enough else len(np.unique(flat, axis=0))


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
    """Clusters of all training rows, judged by their classes where there are any, and by the rows' neighbours.

    A net that has centres (`aejax.models.clustered`) puts each row to the nearest one of its best set, that with the
    least `aejax.losses.clustering.transport_cost`; on other nets' codes k-means is run. All methods are fitted to the
    training rows without their labels. Rows of other splits go to the nearest of the same centres. Where all rows are
    to be clustered, as in the literature, there are to be no other splits.

    Returns:
        ``metrics["train"]`` with ``mse``, ``clusters`` (how many have rows), and what needs no labels: ``modularity``,
        and ``silhouette`` of the scaled features (at most 5000 rows); with labels also ``accuracy`` of the best
        pairing of clusters with classes, ``nmi`` and ``ari``. The same, without the middle ones, for other splits.
        ``baselines``, of the training rows: ``code, k-means`` where the net has centres, ``k-means``,
        ``PCA, k-means`` and ``PCA, Gaussian mixture`` (with as many components as the code has units), and
        ``spectral``, or ``spectral, 10000 rows``. ``arrays``: ``code``, ``clusters`` and ``labels`` of training rows.
    """
    neighbours, restarts = options.neighbours, options.restarts
    for_starts, for_model = jax.random.split(key)
    seed = int(jax.random.bits(for_starts, dtype=np.uint32))
    parts = with_rows(dataset)
    rows, codes, by_split = {}, {}, {}
    for name, split in parts.items():
        rows[name], codes[name], x_hat = encode_and_reconstruct(model, params, on_device(split, dataset))
        mask = None if split.mask is None else split.mask.reshape(x_hat.shape)
        by_split[name] = {"mse": metrics.mse(rows[name], x_hat, mask)}
    x, labels = rows["train"], dataset.train.labels
    count = wanted_clusters(options.clusters, labels, centres_of(model))
    of_code = k_means(codes["train"], count, restarts=restarts, seed=seed)
    net = own_clusters(for_model, model, params, x, codes["train"]) or of_code
    for name in set(parts) - {"train"}:
        by_split[name] |= by_classes(parts[name].labels, net.assign(codes[name]))
    near = partial(graph.nearest, neighbours=neighbours, components=GRAPH_COMPONENTS)
    judge = partial(judged, x, labels, near(x)["index"], seed=seed)
    by_split["train"] |= judge(net.clusters)
    others = {} if net is of_code else {"code, k-means": of_code.clusters}
    others |= classical(x, count, components=model.code_size, restarts=restarts, seed=seed)
    baselines = {name: judge(found_clusters) for name, found_clusters in others.items()}
    if options.spectral_rows:
        chosen = some(len(x), options.spectral_rows, seed)
        found_clusters = spectral(x[chosen], count, neighbours=neighbours, seed=seed)
        name = "spectral" if len(chosen) == len(x) else f"spectral, {len(chosen)} rows"
        theirs = None if labels is None else labels[chosen]
        baselines[name] = judged(x[chosen], theirs, near(x[chosen])["index"], found_clusters, seed=seed)
    return Evaluation(by_split, baselines, {"code": codes["train"], "clusters": net.clusters, "labels": labels})


def judged(
    x: np.ndarray, labels: np.ndarray | None, nearby: np.ndarray, clusters: np.ndarray, *, seed: int
) -> dict[str, float]:
    """All numbers of a partition of rows (m, n): by their neighbours (m, k), by themselves, and by their labels."""
    inner = {"modularity": partitions.modularity(nearby, clusters), "silhouette": silhouette(x, clusters, seed)}
    return inner | by_classes(labels, clusters)


def by_classes(labels: np.ndarray | None, clusters: np.ndarray) -> dict[str, float]:
    """How many clusters there are and, where there are labels, how well they agree with them."""
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    numbers = {"clusters": float(len(np.unique(clusters)))}
    if labels is None:
        return numbers
    return numbers | {
        "accuracy": partitions.accuracy(labels, clusters),
        "nmi": float(normalized_mutual_info_score(labels, clusters)),
        "ari": float(adjusted_rand_score(labels, clusters)),
    }


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


VALIDATED = ("mse", "clusters", "accuracy", "nmi", "ari")
TASK = Task(Options, evaluate, needs=_needs, validated=VALIDATED, figures=CLUSTERING)
