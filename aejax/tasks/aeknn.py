"""k nearest neighbours on codes (AEkNN): accuracy and time beside kNN on all features, PCA and LDA."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config import varied
from aejax.config.bounds import Count, Positive, Within
from aejax.data.splits import every_row, stratified
from aejax.errors import UserError
from aejax.figures.tasks.aeknn import FIGURES
from aejax.tasks import needs, reconstruction
from aejax.tasks.knn import knn_scores, scaled_rows
from aejax.tasks.pca import fitted_pca
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

Folds = Annotated[int, Within(2)]
Layouts = tuple[tuple[Positive, ...], ...]
PUBLISHED: Layouts = ((0.25,), (0.5,), (0.75,), (1.5, 0.25, 1.5), (1.5, 0.5, 1.5), (1.5, 0.75, 1.5))
"""The hidden layers of Pulgar et al.'s six nets, as shares of the number of features; the middle one is the code."""

Scores = dict[str, np.ndarray]
"""Of one method, by metric: one value for each fold, or (folds, seeds)."""


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
    folds: Folds = 5
    repeats: Count = 2
    seeds: Count = 1


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    rows = every_row(dataset)
    needs.has_labels("aeknn", dataset, "to classify by", splits=[rows], instead="task.name=reconstruction")
    needs.has_classes("aeknn", dataset, rows.labels)
    needs.varies("aeknn", dataset, [rows])
    needs.fits_folds(options.folds, rows.labels)
    most = len(rows.x) - -(-len(rows.x) // options.folds)
    needs.at_most("neighbours", options.neighbours, most, f"the {most} training rows of a fold")
    _check_layouts(options.layouts, dataset, config)


def _check_layouts(layouts: Layouts, dataset: Dataset, config: Mapping[str, Any]) -> None:
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


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """Accuracy, F-score, AUC and time of kNN on codes, in a repeated, stratified cross-validation over all rows.

    In each fold a net of each layout learns from the training rows alone, whose codes the codes of the test rows are
    then compared with.

    Returns:
        ``metrics`` of each layout, such as ``"1.5-0.25-1.5"``: ``accuracy`` and ``accuracy_sd``, over folds, repeats
        and seeds; the means of ``f_score`` and ``auc`` (`aejax.metrics.classification`); ``seconds`` of predicting a
        fold's test rows, encoding included, the median; ``time_ratio``, to those on all features. ``metrics[split]`` is
        what `reconstruction.evaluate` says of the run's own net, and how kNN on its codes classifies the test rows.
        ``baselines`` are kNN on ``all features``, ``pca 16`` components for each size of a code, and ``lda``, with the
        same numbers. ``arrays`` holds `reconstruction.evaluate`'s and ``scores``, by method and metric, of each fold.

    References:
        Pulgar, Charte, Rivera & del Jesus 2019, AEkNN: an autoencoder kNN-based classifier with built-in dimensionality
        reduction.
    """
    neighbours, seeds = options.neighbours, options.seeds
    own_net = reconstruction.evaluate(key, model, params, dataset, retrain, reconstruction.Options())
    metrics = dict(own_net.metrics)
    if len(dataset.test.x):
        metrics["test"] = metrics["test"] | knn_scores(dataset, neighbours, _encoder(jax.jit(model.encode), params))
    cuts = cut(key, dataset, folds=options.folds, repeats=options.repeats)
    nets, sizes = net_scores(key, cuts, retrain, layouts=options.layouts, neighbours=neighbours, seeds=seeds)
    others = baseline_scores(cuts, sizes, neighbours=neighbours)
    means = lambda scores: {name: _means(of_one, others["all features"]) for name, of_one in scores.items()}
    baselines, arrays = own_net.baselines | means(others), own_net.arrays | {"scores": nets | others}
    return Evaluation(metrics | means(nets), baselines, arrays)


def cut(key: jax.Array, dataset: Dataset, *, folds: int, repeats: int) -> list[Dataset]:
    """The folds of all repeats, drawn with the key; see `aejax.data.splits.stratified`."""
    seed = int(jax.random.bits(jax.random.fold_in(key, 0), dtype=np.uint32))
    return stratified(dataset, folds=folds, repeats=repeats, seed=seed)


def net_scores(
    key: jax.Array, cuts: Sequence[Dataset], retrain: Retrain, *, layouts: Layouts, neighbours: int, seeds: int
) -> tuple[dict[str, Scores], list[int]]:
    """The scores of kNN on the codes of nets of each layout, (folds, seeds), and the different sizes of their codes.

    All nets of a layout, of all folds and seeds, are trained as one program.
    """
    by_layout, sizes = {}, set()
    for number, (name, changes) in enumerate(_changes(layouts, cuts[0]).items(), start=1):
        keys = jax.random.split(jax.random.fold_in(key, number), len(cuts) * seeds)
        trained = retrain(keys, changes, [fold for fold in cuts for _ in range(seeds)])
        encode = jax.jit(trained.model.encode)
        scores = [
            knn_scores(cuts[net // seeds], neighbours, _encoder(encode, member(trained, net)))
            for net in range(len(keys))
        ]
        by_layout[name] = {metric: values.reshape(len(cuts), seeds) for metric, values in _by_metric(scores).items()}
        sizes.add(trained.model.code_size)
    return by_layout, sorted(sizes)


def _encoder(encode: Callable[[Params, np.ndarray], jax.Array], params: Params) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.asarray(encode(params, x))


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


def baseline_scores(cuts: Sequence[Dataset], sizes: Sequence[int], *, neighbours: int) -> dict[str, Scores]:
    """The scores of kNN on all features, and on PCA and LDA of them fitted to a fold's training rows: (folds,)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    by_method: dict[str, list[dict[str, float]]] = {}
    for cut in cuts:
        x, labels = scaled_rows(cut.train, cut), cut.train.labels
        maps = {"all features": np.asarray}
        maps |= {f"pca {size}": fitted_pca(x, size).transform for size in sizes}
        maps["lda"] = LinearDiscriminantAnalysis().fit(x, labels).transform
        for name, transform in maps.items():
            by_method.setdefault(name, []).append(knn_scores(cut, neighbours, transform))
    return {name: _by_metric(scores) for name, scores in by_method.items()}


def _by_metric(of_folds: Sequence[dict[str, float]]) -> Scores:
    return {name: np.array([scores[name] for scores in of_folds]) for name in of_folds[0]}


def _means(scores: Scores, reference: Scores) -> dict[str, float]:
    means = {name: float(values.mean()) for name, values in scores.items()} | {"seconds": typical_seconds(scores)}
    return means | {
        "accuracy_sd": float(scores["accuracy"].std(ddof=1)),
        "time_ratio": means["seconds"] / typical_seconds(reference),
    }


def typical_seconds(scores: Scores) -> float:
    """The median time of a prediction, which a busy machine disturbs less than the mean."""
    return float(np.median(scores["seconds"]))


TASK = Task(Options, evaluate, needs=_needs, validated=reconstruction.TASK.validated, figures=FIGURES)
