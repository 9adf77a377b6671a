"""Nearest neighbours among codes instead of rows: as good, and faster, beside kNN on all features, PCA and LDA."""

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config import varied
from aejax.config.bounds import Count, Positive, Within
from aejax.data.folds import pooled, stratified
from aejax.errors import UserError
from aejax.tasks import reconstruction
from aejax.tasks.neighbours import judged, scaled_rows
from aejax.tasks.reconstruction import fitted_pca
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED = reconstruction.VALIDATED

Folds = Annotated[int, Within(2)]
Layouts = tuple[tuple[Positive, ...], ...]
PUBLISHED: Layouts = ((0.25,), (0.5,), (0.75,), (1.5, 0.25, 1.5), (1.5, 0.5, 1.5), (1.5, 0.75, 1.5))
"""The hidden layers of Pulgar et al.'s six nets, as shares of the number of features; the middle one is the code."""

Scores = dict[str, np.ndarray]
"""Of one method, by metric: one value for each fold, or (folds, seeds)."""


def check(
    dataset: Dataset,
    model: Model,
    config: Mapping[str, Any],
    *,
    layouts: Layouts = PUBLISHED,
    neighbours: Count = 5,
    folds: Folds = 5,
    repeats: Count = 2,
    seeds: Count = 1,
) -> None:
    """Refuse data of which the task cannot say anything, and nets that cannot have its layouts.

    Raises:
        UserError: no labels, a single class, constant rows, too few rows for the folds or the neighbours, a layout
            without a code, or a model without hidden layers to be laid out.
    """
    del model, repeats, seeds
    rows = pooled(dataset)
    if rows.labels is None:
        raise UserError(
            f"aeknn: {dataset.name} has no labels to classify by; "
            "allowed: data with labels (a file's data.label_column), or task.name=reconstruction.evaluate"
        )
    _, counts = np.unique(rows.labels, return_counts=True)
    if len(counts) < 2:
        raise UserError(f"aeknn: all rows of {dataset.name} are of one class; allowed: two classes or more")
    if (rows.x == rows.x[:1]).all():
        raise UserError(f"aeknn: all rows of {dataset.name} are the same; allowed: features that vary")
    if counts.min() < folds:
        raise UserError(
            f"task.folds: {folds} folds, but the smallest class has {counts.min()} rows; "
            f"allowed: 2 to {counts.min()}, with at least 2 rows in each class"
        )
    most = len(rows.x) - -(-len(rows.x) // folds)
    if neighbours > most:
        raise UserError(
            f"task.neighbours: {neighbours} are more than the {most} training rows of a fold; allowed: 1 to {most}"
        )
    features = rows.x[0].size
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
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain,
    *,
    layouts: Layouts = PUBLISHED,
    neighbours: Count = 5,
    folds: Folds = 5,
    repeats: Count = 2,
    seeds: Count = 1,
) -> Evaluation:
    """Accuracy, F-score, AUC and time of kNN on codes, in a repeated, stratified cross-validation over all rows.

    In each fold a net of each layout learns from the training rows alone, whose codes the codes of the test rows are
    then compared with.

    Args:
        key: of the folds and of the nets.
        model: the run's own autoencoder.
        params: its parameters.
        dataset: the data, with labels.
        retrain: trains the nets: the config's, with the hidden layers of a layout.
        layouts: hidden layers as shares of the number of features, the middle one the code; () for the config's net
            as it is.
        neighbours: k.
        folds: of the cross-validation.
        repeats: of the cross-validation.
        seeds: nets of each layout and fold.

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
    own = reconstruction.evaluate(key, model, params, dataset)
    found = dict(own.metrics)
    if len(dataset.test.x):
        found["test"] = found["test"] | judged(dataset, neighbours, _encoder(jax.jit(model.encode), params))
    cuts = cut(key, dataset, folds=folds, repeats=repeats)
    nets, sizes = net_scores(key, cuts, retrain, layouts=layouts, neighbours=neighbours, seeds=seeds)
    others = baseline_scores(cuts, sizes, neighbours=neighbours)
    means = lambda scores: {name: _means(of_one, others["all features"]) for name, of_one in scores.items()}
    return Evaluation(found | means(nets), own.baselines | means(others), own.arrays | {"scores": nets | others})


def cut(key: jax.Array, dataset: Dataset, *, folds: int, repeats: int) -> list[Dataset]:
    """The folds of all repeats, drawn with the key; see `aejax.data.folds.stratified`."""
    seed = int(jax.random.bits(jax.random.fold_in(key, 0), dtype=np.uint32))
    return stratified(dataset, folds=folds, repeats=repeats, seed=seed)


def net_scores(
    key: jax.Array, cuts: Sequence[Dataset], retrain: Retrain, *, layouts: Layouts, neighbours: int, seeds: int
) -> tuple[dict[str, Scores], list[int]]:
    """The scores of kNN on the codes of nets of each layout, (folds, seeds), and the different sizes of their codes.

    All nets of a layout, of all folds and seeds, are trained as one program.
    """
    found, sizes = {}, set()
    for number, (name, changes) in enumerate(_changes(layouts, cuts[0]).items(), start=1):
        keys = jax.random.split(jax.random.fold_in(key, number), len(cuts) * seeds)
        trained = retrain(keys, changes, [fold for fold in cuts for _ in range(seeds)])
        encode = jax.jit(trained.model.encode)
        scores = [
            judged(cuts[place // seeds], neighbours, _encoder(encode, member(trained, place)))
            for place in range(len(keys))
        ]
        found[name] = {metric: values.reshape(len(cuts), seeds) for metric, values in _by_metric(scores).items()}
        sizes.add(trained.model.code_size)
    return found, sorted(sizes)


def _encoder(encode: Callable[[Params, np.ndarray], jax.Array], params: Params) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.asarray(encode(params, x))


def _changes(layouts: Layouts, dataset: Dataset) -> dict[str, dict[str, Any]]:
    """What makes a config's net one of each layout, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for layout in layouts:
        layers, middle = units(layout, prod(dataset.feature_shape)), len(layout) // 2
        net = {"widths": layers[:middle], "code": layers[middle], "decoder_widths": layers[middle + 1 :]}
        if not middle:
            net["activation"] = "relu"  # of no layer: a net without hidden ones takes no other
        found["-".join(f"{share:g}" for share in layout)] = {f"model.{name}": value for name, value in net.items()}
    return found or {"the config's net": {}}


def baseline_scores(cuts: Sequence[Dataset], sizes: Sequence[int], *, neighbours: int) -> dict[str, Scores]:
    """The scores of kNN on all features, and on PCA and LDA of them fitted to a fold's training rows: (folds,)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    found: dict[str, list[dict[str, float]]] = {}
    for cut in cuts:
        x, labels = scaled_rows(cut.train, cut), cut.train.labels
        maps = {"all features": np.asarray}
        maps |= {f"pca {size}": fitted_pca(x, size).transform for size in sizes}
        maps["lda"] = LinearDiscriminantAnalysis().fit(x, labels).transform
        for name, transform in maps.items():
            found.setdefault(name, []).append(judged(cut, neighbours, transform))
    return {name: _by_metric(scores) for name, scores in found.items()}


def _by_metric(found: Sequence[dict[str, float]]) -> Scores:
    return {name: np.array([scores[name] for scores in found]) for name in found[0]}


def _means(scores: Scores, reference: Scores) -> dict[str, float]:
    means = {name: float(values.mean()) for name, values in scores.items()} | {"seconds": typical_seconds(scores)}
    return means | {
        "accuracy_sd": float(scores["accuracy"].std(ddof=1)),
        "time_ratio": means["seconds"] / typical_seconds(reference),
    }


def typical_seconds(scores: Scores) -> float:
    """The median time of a prediction, which a busy machine disturbs less than the mean."""
    return float(np.median(scores["seconds"]))
