"""Semantic hashing: retrieval of rows of the same class by binary codes, beside hash codes without a net."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Count, Within
from aejax.data.splits import with_rows
from aejax.errors import UserError
from aejax.figures.tasks.retrieval import HASHING
from aejax.metrics import hamming
from aejax.metrics.retrieval import Distances, by_distance, curve, precision, rising, shuffled_ties
from aejax.relations.components import principal_components
from aejax.relations.nearest import similarities, unit
from aejax.tasks import needs
from aejax.tasks.common import Arrays, Numbers, Pair, Random, generator
from aejax.training.evaluate import encoded, host_rows, on_device
from aejax.types import Columns, Dataset, Evaluation, Kept, Model, Params, Rows, Task

CURVE_QUERIES = 1000
SHOWN_QUERIES, SHOWN_ROWS = 6, 8
ITERATIONS = 50  # of ITQ, as in its paper
NEIGHBOURS = 10  # that new rows get


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        retrieved: how many rows are retrieved.
        radius: of the Hamming ball, in bits, that is looked up by address where codes have up to 24 bits.
    """

    retrieved: Count = 100
    radius: Annotated[int, Within(0, hamming.MOST_ADDRESS_BITS)] = 2


def _keep_needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if not np.asarray(abs(host_rows(dataset.train, dataset)).sum(1)).any():
        line = f"hashing: all training rows of {dataset.name} are zero everywhere, and have no cosine with others"
        raise UserError(f"{line}; allowed: features that vary")


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    needs.has_labels("hashing", dataset, "to judge what is retrieved by")
    needs.has_rows("hashing", dataset, purpose=" to be queries")
    needs.has_classes("hashing", dataset, dataset.train.labels, rows="all training rows")
    needs.at_most("retrieved", options.retrieved, len(dataset.train.x), f"{len(dataset.train.x)} training rows")
    splits = (dataset.train, dataset.test)
    zero = sum(int((np.asarray(abs(host_rows(split, dataset)).sum(1)) == 0).sum()) for split in splits)
    if zero:
        raise UserError(
            f"hashing: {zero} rows of {dataset.name} are zero everywhere, and have no cosine with others; "
            "allowed: another data.scaling, or data without them"
        )


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """Precision of the training rows that have the nearest codes to a test row, beside four other ways to find them.

    A bit is on where the code lies above its median over the training rows. Codes are compared by Hamming distance;
    among rows at the same distance the order is random.

    Returns:
        ``metrics["test"]``: ``precision``, the share of the retrieved rows that are of the query's class; ``rising``,
        the rank correlation of Hamming distance and mean cosine distance; ``codes``, how many different ones training
        rows have; and, where a table of addresses is made, ``ball_rows``, the mean number of rows in a ball, and
        ``ball_precision``, the share of the query's class among them. ``metrics["validation"]["precision"]``.
        ``baselines``: the precision by ``cosine`` of the rows as they are, and by as many bits of ``hyperplanes``,
        ``pca signs`` and ``itq``, the last two where there are as many components. ``arrays`` holds, over a
        thousand queries, ``curves`` by method and ``cosine_distances`` and ``pairs`` by Hamming distance, and the rows
        ``queries`` (q,) and ``found`` (q, 8) for a few of them. ``kept``: the medians, and the training rows' bits.
    """
    random, retrieved = generator(key), options.retrieved
    codes = {name: encoded(model, params, on_device(split, dataset)) for name, split in with_rows(dataset).items()}
    middle = np.median(codes["train"], axis=0)
    bits = {name: code > middle for name, code in codes.items()}
    train, test = (unit(host_rows(split, dataset)) for split in (dataset.train, dataset.test))
    ways = {"autoencoder": (bits["train"], bits["test"])}
    ways |= without_a_net(dataset, (train, test), model.code_size, random)
    near = {"cosine": by_cosine(train, test)} | {name: by_hamming(*pair) for name, pair in ways.items()}
    labels, wanted = dataset.train.labels, dataset.test.labels
    precisions = {name: precision(apart, wanted, labels, retrieved, random) for name, apart in near.items()}
    some = np.sort(random.permutation(len(wanted))[:CURVE_QUERIES])
    means, pairs = by_distance(near["autoencoder"], near["cosine"], some, model.code_size)
    by_split = {"test": {"precision": precisions.pop("autoencoder"), "rising": rising(means, pairs)}}
    by_split["test"] |= {"codes": len(np.unique(hamming.pack(bits["train"]), axis=0))}
    if model.code_size <= hamming.MOST_ADDRESS_BITS:
        by_split["test"] |= looked_up(bits, dataset, min(options.radius, model.code_size))
    if "validation" in bits:
        apart = by_hamming(bits["train"], bits["validation"])
        value = precision(apart, dataset.validation.labels, labels, retrieved, random)
        by_split["validation"] = {"precision": value}
    baselines = {name: {"precision": value} for name, value in precisions.items()}
    curves = {name: curve(apart, some, wanted, labels, random) for name, apart in near.items()}
    arrays = {"curves": curves, "cosine_distances": means, "pairs": pairs}
    arrays |= examples(near["autoencoder"], dataset, random)
    source = dataset.train.source_index
    return Evaluation(by_split, baselines, arrays, _kept(codes["train"], None if source is None else source + 1))


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Kept:
    """What `evaluate` keeps for new rows: the medians of the code, and the training rows' bits."""
    return _kept(encoded(model, params, on_device(dataset.train, dataset)), dataset.train.source_index)


def _kept(codes: np.ndarray, numbers: np.ndarray | None = None) -> Kept:
    """Codes (m, d) as bits, and what decides these, halfway from the middle value of each unit to the next one.

    Args:
        codes: of the training rows.
        numbers: what `neighbours` calls these rows, (m,); None: by their places.
    """
    ordered, middle = np.sort(codes.astype(np.float64), axis=0), (len(codes) - 1) // 2
    middles = (ordered[middle] + ordered[min(middle + 1, len(codes) - 1)]) / 2
    numbers = np.arange(len(codes)) if numbers is None else numbers
    return Kept({"middles": middles, "codes": hamming.pack(codes > middles).view(np.uint8), "numbers": numbers}, {})


def bits_of(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The bits of new rows, ``bit_1``, …: 1 where a unit of the code is above its median over the training rows.

    See `aejax.types.Task`.
    """
    bits, _, _ = _hashed("hash", model, params, rows, kept)
    columns = {f"bit_{number}": column.astype(np.uint8) for number, column in enumerate(bits.T, start=1)}
    return Columns(columns, f"{len(bits)} rows of {len(columns)} bits")


def neighbours(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The ten training rows whose bits are nearest to those of each new row, the nearest first.

    Returns:
        ``row_1``, …, which they are, and ``distance_1``, …, in how many bits they differ. Of a run on a person's file
        they are called by the row of the file, from 1, as in the tables of the run; of rows in memory by their place
        among these, from 0; of any other by their place among the training rows, from 0.
    """
    bits, codes, names = _hashed("neighbours", model, params, rows, kept)
    distances, index = hamming.neighbours(hamming.pack(bits), codes, min(NEIGHBOURS, len(codes)))
    numbered = lambda name, values: {f"{name}_{number}": each for number, each in enumerate(values.T, start=1)}
    of_all = f"{index.shape[1]} of {len(codes)} training rows"
    summary = f"{len(index)} rows, each with the numbers and the distances of {of_all}"
    return Columns(numbered("row", names[index]) | numbered("distance", distances), summary)


def _hashed(
    action: str, model: Model, params: Params, rows: Rows, kept: Kept | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The bits of new rows, (m, d) bool, and the packed codes of the training rows, with the numbers of these."""
    if kept is None:
        raise UserError(f"{action}: the run is older than hashing of new rows and kept no medians; train it again")
    middles, codes, size = kept.tree.get("middles"), kept.tree.get("codes"), -(-model.code_size // hamming.WORD) * 8
    numbers = kept.tree.get("numbers", np.arange(len(codes)) if np.ndim(codes) else None)
    shapes = (np.shape(middles), np.shape(codes)[1:], np.shape(numbers))
    if shapes != ((model.code_size,), (size,), np.shape(codes)[:1]) or codes.dtype != np.uint8:
        raise UserError("what the run kept is damaged: it holds no bits of this net's codes")
    return encoded(model, params, rows) > middles, np.ascontiguousarray(codes).view(np.uint64), numbers


def _baselines(dataset: Dataset, options: Options) -> dict[str, Numbers]:
    """The precision for validation rows by ``cosine`` of the rows as they are."""
    apart = by_cosine(*(unit(host_rows(split, dataset)) for split in (dataset.train, dataset.validation)))
    labels, random = (dataset.validation.labels, dataset.train.labels), np.random.default_rng(0)
    return {"precision": {"cosine": precision(apart, *labels, options.retrieved, random)}}


def by_cosine(train: Any, queries: Any) -> Distances:
    """One less the cosine of queries and training rows, both of length 1."""
    return lambda index: 1.0 - similarities(queries[index], train)


def by_hamming(train: np.ndarray, queries: np.ndarray) -> Distances:
    """The Hamming distances of the bits of queries to those of training rows."""
    packed, asked = hamming.pack(train), hamming.pack(queries)
    return lambda index: hamming.distances(asked[index], packed)


def without_a_net(dataset: Dataset, directions: tuple[Any, Any], size: int, random: Random) -> dict[str, Pair]:
    """As many bits as the code has by each of the other ways: by name, those of training and of test rows."""
    train, test = host_rows(dataset.train, dataset), host_rows(dataset.test, dataset)
    ways = {"hyperplanes": hyperplanes(*directions, size, random)}
    if size <= min(train.shape):
        pca = principal_components(train, size)
        points = pca.transform(train), pca.transform(test)
        turn, _ = itq(points[0], random)
        ways["pca signs"] = points[0] > 0, points[1] > 0
        ways["itq"] = points[0] @ turn > 0, points[1] @ turn > 0
    return ways


def hyperplanes(train: Any, rows: Any, bits: int, random: Random) -> Pair:
    """On which side of random planes through the origin rows lie: the more bits agree, the smaller their angle.

    Args:
        train: (m, n) training rows, an array or sparse rows of scipy.
        rows: (k, n) others.
        bits: how many planes.
        random: of the planes.

    Returns:
        Bits of both, (m, bits) and (k, bits) bool.

    References:
        Charikar 2002, Similarity estimation techniques from rounding algorithms, section 3.
    """
    planes = random.normal(size=(train.shape[1], bits)).astype(np.float32)
    return train @ planes > 0, rows @ planes > 0


def itq(points: np.ndarray, random: Random) -> Pair:
    """The rotation R that makes centred points most like their signs: min ‖B − V R‖²_F, B ∈ {−1, 1}, R orthogonal.

    In turns: B = sign(V R), and, by the singular value decomposition Bᵀ V = S Ω Ŝᵀ, R = Ŝ Sᵀ.

    Args:
        points: V, (m, d) centred.
        random: of the orthogonal matrix that is begun with.

    Returns:
        R, (d, d), and ‖B − V R‖²_F before each of its updates.

    References:
        Gong & Lazebnik 2011, Iterative quantization: a procrustean approach to learning binary codes, section 2.2.
    """
    matrix, losses = np.linalg.qr(random.normal(size=(points.shape[1],) * 2))[0], []
    for _ in range(ITERATIONS):
        turned = points @ matrix
        signs = np.where(turned > 0, 1.0, -1.0)
        losses.append(np.square(signs - turned).sum())
        left, _, right = np.linalg.svd(signs.T @ points)
        matrix = (left @ right).T
    return matrix, np.array(losses)


def looked_up(bits: Arrays, dataset: Dataset, radius: int) -> Mapping[str, float]:
    """What lies in the Hamming balls around the test rows' codes, found by address."""
    table = hamming.table(bits["train"])
    balls = hamming.balls(table, hamming.addresses(bits["test"]), radius)
    labels, wanted = dataset.train.labels, dataset.test.labels
    sizes, right = zip(*((len(b), (labels[b] == c).sum()) for b, c in zip(balls, wanted, strict=True)), strict=True)
    return {"ball_rows": float(np.mean(sizes)), "ball_precision": float(sum(right) / max(sum(sizes), 1))}


def examples(apart: Distances, dataset: Dataset, random: Random) -> Arrays:
    """One query of each of a few classes, drawn at random, and the training rows with the nearest codes."""
    classes = np.unique(dataset.test.labels)
    classes = classes[np.linspace(0, len(classes) - 1, min(SHOWN_QUERIES, len(classes))).astype(int)]
    queries = np.array([random.choice(np.flatnonzero(dataset.test.labels == label)) for label in classes])
    order = np.argsort(shuffled_ties(apart(queries), random), axis=1)
    return {"queries": queries, "found": order[:, :SHOWN_ROWS]}


NEW_ROWS = {"apply": {"hash": bits_of, "neighbours": neighbours}, "keep": keep, "keep_needs": _keep_needs}
NEW_ROWS |= {"results": {"bits": "hash"}}
TASK = Task(
    Options, evaluate, _needs, ("precision",), _baselines, figures=HASHING, **NEW_ROWS, imports=("scipy.stats",)
)
