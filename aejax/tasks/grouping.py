"""Groups of rows that share a short binary code: their agreement with classes, beside as many clusters by k-means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Count, Within
from aejax.errors import UserError
from aejax.figures.tasks.retrieval import GROUPING
from aejax.metrics.groups import purity, shared, stability
from aejax.metrics.hamming import addresses
from aejax.tasks import needs
from aejax.training.context import outline
from aejax.training.evaluate import encoded, host_rows, on_device
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

MOST_BITS = 12
Nets = Annotated[int, Within(2)]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        nets: how many are compared, this one among them.
        shown: rows of each group that are kept for the figure.
    """

    nets: Nets = 5
    shown: Count = 10


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    if model.code_size > MOST_BITS:
        raise UserError(f"model.code: {model.code_size} bits make too many groups; allowed: 1 to {MOST_BITS}")
    if not (within := outline(model).ranges["code"]).within(0.0, 1.0):
        raise UserError(f"grouping: the code lies in {within}; allowed: a code in [0, 1], such as binary.noisy's")
    needs.has_labels("grouping", dataset, "to judge groups by")
    needs.has_rows("grouping", dataset, least=2)
    needs.has_classes("grouping", dataset, dataset.test.labels, rows="all test rows")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """Groups of test rows by the bits of their code, on where it is above ½, and whether other seeds give the same.

    Returns:
        ``metrics["test"]`` and ``baselines["k-means"]["…"]``, the latter with as many clusters, fitted to the training
        rows, as these have codes: ``purity`` and ``nmi`` (arithmetic mean) with the classes, ``same_class``, how likely
        two rows of a class are in one group, ``chance``, how likely any two are, their ratio ``lift``, and
        ``stability``, the mean adjusted Rand index between groupings by other seeds. The codes' also ``used``, the
        share of the 2^bits codes that test rows have. ``arrays`` holds ``groups``, the address of each test row's
        code, and ``examples``, by address the first rows of that group.
    """
    keys = jax.random.split(key, options.nets)
    others = retrain(keys[1:])
    every = [params, *(member(others, number) for number in range(options.nets - 1))]
    grouped = lambda split, net: addresses(encoded(model, net, on_device(split, dataset)) > 0.5)
    groupings = [grouped(dataset.test, each) for each in every]
    labels = dataset.test.labels
    numbers = described(groupings, labels) | {"used": len(np.unique(groupings[0])) / 2**model.code_size}
    clusters = len(np.unique(grouped(dataset.train, params)))
    seeds = [int(seed) for seed in jax.random.randint(keys[0], (options.nets,), 0, 2**31 - 1)]
    baseline = described(k_means(dataset, clusters, seeds), labels)
    examples = {int(code): np.flatnonzero(groupings[0] == code)[: options.shown] for code in np.unique(groupings[0])}
    return Evaluation({"test": numbers}, {"k-means": baseline}, {"groups": groupings[0], "examples": examples})


def described(groupings: Sequence[np.ndarray], labels: np.ndarray) -> Mapping[str, float]:
    """What the first grouping has to do with classes, and all with each other."""
    from sklearn.metrics import normalized_mutual_info_score

    same, chance = shared(groupings[0], labels), shared(groupings[0])
    return {
        "purity": purity(groupings[0], labels),
        "nmi": float(normalized_mutual_info_score(labels, groupings[0])),
        "same_class": same,
        "chance": chance,
        "lift": same / chance if chance else float("nan"),
        "stability": stability(groupings),
    }


def k_means(dataset: Dataset, clusters: int, seeds: Sequence[int]) -> Sequence[np.ndarray]:
    """The clusters of test rows by k-means of the training rows, once for each seed."""
    from sklearn.cluster import KMeans

    train, test = host_rows(dataset.train, dataset), host_rows(dataset.test, dataset)
    return [KMeans(clusters, n_init=3, random_state=seed).fit(train).predict(test) for seed in seeds]


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=GROUPING)
