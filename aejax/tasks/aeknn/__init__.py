"""k nearest neighbours on codes (AEkNN): accuracy and time beside kNN on all features, PCA and LDA."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import jax
import numpy as np

from aejax.config import varied
from aejax.config.bounds import Count, Positive
from aejax.data.splits import stratified
from aejax.errors import UserError
from aejax.figures.tasks.methods import AEKNN
from aejax.metrics.partitions import classification
from aejax.tasks import needs, reconstruction
from aejax.tasks.aeknn import new_rows
from aejax.tasks.common import Numbers, Several, fitted_pca, scaled_rows, seed_of
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

Layouts = tuple[tuple[Positive, ...], ...]
# The hidden layers of Pulgar et al.'s six nets, as shares of the number of features; the middle one is the code.
PUBLISHED: Layouts = ((0.25,), (0.5,), (0.75,), (1.5, 0.25, 1.5), (1.5, 0.5, 1.5), (1.5, 0.75, 1.5))

TIMED_SECONDS = 0.02  # how long a prediction is repeated, so that a busy machine disturbs the fastest one less

Scores = dict[str, np.ndarray]  # of one method, by metric: one value for each fold, or (folds, seeds)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        layouts: hidden layers as shares of the number of features, the middle one the code; () for the config's net
            as it is.
        neighbours: k.
        folds: of the cross-validation.
        repeats: of the cross-validation.
        seeds: nets of each layout and fold.
    """

    layouts: Layouts = PUBLISHED
    neighbours: Count = 5
    folds: Several = 5
    repeats: Count = 2
    seeds: Count = 1


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    rows = len(needs.can_be_classified("aeknn", dataset, "to classify by", options.folds).x)
    most = rows - -(-rows // options.folds)
    needs.at_most("neighbours", options.neighbours, most, f"the {most} training rows of a fold")
    _check_layouts(options.layouts, dataset, config)


def _check_layouts(layouts: Layouts, dataset: Dataset, config: needs.Config) -> None:
    """Refuse layouts without a code or with an empty layer, and a model that cannot be laid out."""
    features = prod(dataset.feature_shape)
    for layout in layouts:
        if len(layout) % 2 == 0:
            raise UserError(
                f"task.layouts: {layout} has no middle; allowed: hidden layers from the input to the output, "
                "an odd number of them, such as (0.25,) or (1.5, 0.25, 1.5)"
            )
        if min(units(layout, features)) < 1:
            raise UserError(
                f"task.layouts: {layout} of {features} features leaves a layer without a unit; "
                f"allowed: shares of {0.5 / features:.3g} or more"
            )
    for name, changes in _changes(layouts, dataset).items():
        try:
            varied(config, changes)
        except UserError as error:
            raise UserError(
                f"task.layouts: {config['model']['name']} has no layout {name} ({error}); "
                "allowed: a model such as dense.multilayer, or task.layouts=() for the config's net as it is"
            ) from None


def units(layout: tuple[float, ...], features: int) -> tuple[int, ...]:
    """How many units the layers of a layout have."""
    return tuple(round(share * features) for share in layout)


def _changes(layouts: Layouts, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What makes a config's net one of each layout, by its name."""
    changes: dict[str, dict[str, Any]] = {}
    for layout in layouts:
        layers, middle = units(layout, prod(dataset.feature_shape)), len(layout) // 2
        net = {"widths": layers[:middle], "code": layers[middle], "decoder_widths": layers[middle + 1 :]}
        if not middle:
            net["activation"] = "relu"  # of no layer: a net without hidden ones takes no other
        changes["-".join(f"{share:g}" for share in layout)] = {f"model.{name}": value for name, value in net.items()}
    return changes or {"the config's net": {}}


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """Accuracy, F-score, AUC and time of kNN on codes, in a repeated, stratified cross-validation over all rows.

    In each fold a net of each layout learns from the training rows alone, whose codes the codes of the test rows are
    then compared with.

    Returns:
        ``metrics`` of each layout, such as ``"1.5-0.25-1.5"``: ``accuracy`` and ``accuracy_sd``, over folds, repeats
        and seeds; the means of ``f_score`` and ``auc`` (`aejax.metrics.partitions.classification`); ``seconds`` of
        predicting a fold's test rows, encoding included, the median; ``time_ratio``, to those on all features.
        ``metrics[split]`` is what `reconstruction.evaluate` says of the run's own net, and how kNN on its codes
        classifies the test rows.
        ``baselines`` are kNN on ``all features``, ``pca 16`` components for each size of a code, and ``lda``, with the
        same numbers. ``arrays`` holds `reconstruction.evaluate`'s and ``scores``, by method and metric, of each fold.
        ``kept`` is what new rows are classified by, see `aejax.tasks.aeknn.new_rows`.

    References:
        Pulgar, Charte, Rivera & del Jesus 2019, AEkNN: an autoencoder kNN-based classifier with built-in dimensionality
        reduction.
    """
    neighbours = options.neighbours
    by_net = reconstruction.evaluate(key, model, params, dataset, retrain, reconstruction.Options())
    metrics = dict(by_net.metrics)
    if len(dataset.test.x):
        metrics["test"] |= knn_scores(dataset, partial(jax.jit(model.encode), params), neighbours)
    folds = cut(key, dataset, options)
    nets, sizes = net_scores(key, folds, retrain, options)
    others = baseline_scores(folds, sizes, neighbours=neighbours)
    means = lambda scores: {name: _means(of_one, others["all features"]) for name, of_one in scores.items()}
    baselines, arrays = by_net.baselines | means(others), by_net.arrays | {"scores": nets | others}
    kept = new_rows.keep(key, model, params, dataset, retrain, options)
    rows = {} if dataset.train.source_index is None else {"classify": new_rows.of_known(kept, dataset)}
    return Evaluation(metrics | means(nets), baselines, arrays, kept, rows=rows)


def cut(key: jax.Array, dataset: Dataset, options: Options) -> list[Dataset]:
    """The folds of all repeats, drawn with the key; see `aejax.data.splits.stratified`."""
    seed = seed_of(jax.random.fold_in(key, 0))
    return stratified(dataset, folds=options.folds, repeats=options.repeats, seed=seed)


def net_scores(
    key: jax.Array, folds: Sequence[Dataset], retrain: Retrain, options: Options
) -> tuple[dict[str, Scores], list[int]]:
    """The scores of kNN on the codes of nets of each layout, (folds, seeds), and the different sizes of their codes.

    All nets of a layout, of all folds and seeds, are trained as one program.
    """
    by_layout, sizes = {}, set()
    for number, (name, changes) in enumerate(_changes(options.layouts, folds[0]).items(), start=1):
        keys = jax.random.split(jax.random.fold_in(key, number), len(folds) * options.seeds)
        datasets = [fold for fold in folds for _ in range(options.seeds)]
        trained = retrain(keys, changes, datasets)
        encode = jax.jit(trained.model.encode)
        nets = [partial(encode, member(trained, net)) for net in range(len(keys))]
        scores = [knn_scores(*pair, options.neighbours) for pair in zip(datasets, nets, strict=True)]
        by_layout[name] = _by_metric(scores, len(folds), options.seeds)
        sizes.add(trained.model.code_size)
    return by_layout, sorted(sizes)


def baseline_scores(folds: Sequence[Dataset], sizes: Sequence[int], *, neighbours: int) -> dict[str, Scores]:
    """The scores of kNN on all features, and on PCA and LDA of them fitted to a fold's training rows: (folds,)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    by_method: dict[str, list[Numbers]] = {}
    for fold in folds:
        x = scaled_rows(fold.train, fold)
        maps = {"all features": np.asarray}
        maps |= {f"pca {size}": fitted_pca(x, size).transform for size in sizes}
        maps["lda"] = LinearDiscriminantAnalysis().fit(x, fold.train.labels).transform
        for name, transform in maps.items():
            by_method.setdefault(name, []).append(knn_scores(fold, transform, neighbours))
    return {name: _by_metric(scores, len(folds)) for name, scores in by_method.items()}


def _by_metric(scores: Sequence[Numbers], *shape: int) -> Scores:
    return {name: np.array([each[name] for each in scores]).reshape(shape) for name in scores[0]}


def _means(scores: Scores, reference: Scores) -> Numbers:
    means = {name: float(values.mean()) for name, values in scores.items()} | {"seconds": typical_seconds(scores)}
    spread, ratio = float(scores["accuracy"].std(ddof=1)), means["seconds"] / typical_seconds(reference)
    return means | {"accuracy_sd": spread, "time_ratio": ratio}


def typical_seconds(scores: Scores) -> float:
    """The median time of a prediction, which a busy machine disturbs less than the mean."""
    return float(np.median(scores["seconds"]))


def knn_scores(dataset: Dataset, encode: Callable[[np.ndarray], Any], neighbours: int) -> Numbers:
    """How kNN among the encoded training rows classifies the test rows.

    Args:
        dataset: with labels.
        encode: (m, n) scaled rows -> (m, d).
        neighbours: k; their votes are equal, and ties go to the first class.

    Returns:
        What `aejax.metrics.partitions.classification` says, and ``seconds`` of encoding the test rows and finding their
        classes, by a search through all codes or by scikit-learn's choice (a tree up to 15 units), whichever is faster.
    """
    from sklearn.neighbors import KNeighborsClassifier

    x, new = (scaled_rows(split, dataset) for split in (dataset.train, dataset.test))
    codes, timed = np.asarray(encode(x)), []
    for search in ("auto", "brute"):
        classifier = KNeighborsClassifier(neighbours, algorithm=search).fit(codes, dataset.train.labels)
        timed.append(_timed(lambda c=classifier: c.predict_proba(np.asarray(encode(new)))))
    classes = np.searchsorted(classifier.classes_, dataset.test.labels)
    return classification(classes, timed[0][0]) | {"seconds": min(seconds for _, seconds in timed)}


def _timed(predict: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What it predicts, and the seconds of its fastest run after a first one, in which it may be compiled."""
    predicted, taken = predict(), []
    while sum(taken) < TIMED_SECONDS:
        started = time.perf_counter()
        predict()
        taken.append(time.perf_counter() - started)
    return predicted, min(taken)


TASK = Task(
    Options,
    evaluate,
    _needs,
    reconstruction.TASK.validated,
    figures=AEKNN,
    apply={"classify": new_rows.classify},
    keep=new_rows.keep,
    keep_needs=new_rows.keep_needs,
    results={"classes": "classify"},
    imports=("sklearn.discriminant_analysis", "sklearn.neighbors"),
)
