"""Groups of rows that share a short binary code: their agreement with classes, beside as many clusters by k-means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np

from aejax.config.bounds import Count
from aejax.errors import UserError
from aejax.figures.tasks.retrieval import GROUPING
from aejax.metrics.hamming import addresses
from aejax.metrics.partitions import purity, shared, stability
from aejax.tasks import needs
from aejax.tasks.clustering import k_means
from aejax.tasks.common import Several
from aejax.training.context import outline
from aejax.training.evaluate import encoded, host_rows, on_device
from aejax.training.retrain import member
from aejax.types import Columns, Dataset, Evaluation, Kept, Model, Params, Retrain, Rows, Task

MOST_BITS = 12


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        nets: how many are compared, this one among them.
        shown: rows of each group that are kept for the figure.
    """

    nets: Several = 5
    shown: Count = 10


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
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
    others, labels = retrain(keys[1:]), dataset.test.labels
    grouped = lambda split, net: addresses(encoded(model, net, on_device(split, dataset)) > 0.5)
    nets = [params, *(member(others, number) for number in range(options.nets - 1))]
    groupings = [grouped(dataset.test, net) for net in nets]
    groups, codes = groupings[0], np.unique(groupings[0])
    numbers = described(groupings, labels) | {"used": len(codes) / 2**model.code_size}
    train, test = host_rows(dataset.train, dataset), host_rows(dataset.test, dataset)
    clusters = len(np.unique(grouped(dataset.train, params)))
    seeds = jax.random.randint(keys[0], (options.nets,), 0, 2**31 - 1)
    by_k_means = [k_means(train, clusters, restarts=3, seed=int(seed)).assign(test) for seed in seeds]
    examples = {int(code): np.flatnonzero(groups == code)[: options.shown] for code in codes}
    baselines = {"k-means": described(by_k_means, labels)}
    return Evaluation({"test": numbers}, baselines, {"groups": groups, "examples": examples})


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


def group(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The group of each new row, the number that the bits of its code make. See `aejax.types.Task`."""
    groups = addresses(encoded(model, params, rows) > 0.5)
    return Columns({"group": groups}, f"{len(groups)} rows in {len(np.unique(groups))} groups")


NEW_ROWS = {"apply": {"group": group}, "results": {"groups": "group"}}
TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=GROUPING, **NEW_ROWS, imports=("sklearn.metrics",))
