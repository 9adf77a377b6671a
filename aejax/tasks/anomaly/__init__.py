"""Anomaly detection by an ensemble of autoencoders, beside kNN, isolation forest, one-class SVM and PCA."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from aejax.config.bounds import Choice, Count, NonNegative, Within
from aejax.data.outliers import NAMES
from aejax.data.splits import permutation, take, with_rows
from aejax.errors import UserError
from aejax.figures.tasks.anomaly import ANOMALY
from aejax.metrics import outliers
from aejax.tasks import needs
from aejax.tasks.anomaly import scoring
from aejax.tasks.common import Arrays, Several, attempted, cached, fill, seed_of
from aejax.training.evaluate import on_device
from aejax.types import Columns, Dataset, Evaluation, Kept, Model, Params, Retrain, Rows, Split, Task

SCORES = tuple(scoring.READ)
WORST = 8  # rows that are kept to be shown
EXPLAINED = 0.9  # of the variance, by the components that PCA keeps
SVM_ROWS = 2000  # its time grows with the square of the rows


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        score: which of the scores is the result; the others stand beside it.
        members: nets of the ensemble, and folds.
        neighbours: k, of the scores and of the baseline kNN.
        residual_weight: w.
        threshold: ``"quantile"``, ``"deviations"`` or ``"false_alarm_rate"``, see `aejax.metrics.outliers.threshold`.
        level: the quantile, the number of standard deviations, or the rate.
        most_rows: of the training rows, how many are drawn to compare with and to fit baselines to, so that large
            tables stay affordable; the nets are trained on all.
    """

    score: Annotated[str, Choice(SCORES)] = "neighbours"
    members: Several = 4
    neighbours: Count = 3
    residual_weight: NonNegative = 0.3
    threshold: Annotated[str, Choice(outliers.RULES)] = "quantile"
    level: NonNegative = 0.95
    most_rows: Annotated[int, Within(10)] = 5000


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    labels, train = (dataset.test if len(dataset.test.x) else dataset.train).labels, len(dataset.train.x)
    rows = min(train, options.most_rows)
    if labels is not None and dataset.label_names != NAMES:
        or_none = "; or data.labels=no" if dataset.name.startswith(("images:", "texts:")) else ""
        raise UserError(
            f"anomaly: which labels of {dataset.name} are normal is not said; "
            f"allowed: data.normal, some of {', '.join(dataset.label_names)}{or_none}"
        )
    if labels is not None and len(np.unique(labels)) < 2:
        kind = "normal" if labels[0] == 0 else "anomalies"
        raise UserError(
            f"anomaly: all {len(labels)} test rows of {dataset.name} are {kind}, so nothing can be told apart; "
            "allowed: test rows of both kinds (data.normal, data.test)"
        )
    hint = "with 4 training rows or more"
    needs.at_most("members", options.members, max(2, train // 2), f"{train} training rows", least=2, hint=hint)
    needs.at_most("neighbours", options.neighbours, rows - 1, f"{rows} training rows")
    threshold, level = options.threshold, options.level
    if threshold != "deviations" and not 0 < level < 1:
        raise UserError(f"task.level: {level:g} is no {threshold}; allowed: a number in (0, 1)")
    held_out = len(dataset.validation.x) or rows
    if threshold == "false_alarm_rate" and (held_out + 1) * level < 1:
        raise UserError(
            f"task.level: a rate of {level:g} needs {int(np.ceil(1 / level)) - 1} rows to draw the threshold by, and "
            f"there are {held_out}; allowed: {1 / (held_out + 1):.3g} or more, or a larger data.validation"
        )


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """How well anomalies are told from normal rows by an ensemble of nets of the run's config.

    Each net is trained without one fold of the training rows, and these are looked at by that net alone, other rows by
    all nets. So training rows are as new to the nets as test rows are; a net's residuals on rows that it knows would be
    too small. With r the residual of a row (of other rows the mean over the nets) and s_i its size on the training rows
    (`aejax.metrics.outliers.spread`), the scores are

    - ``"error"``: Σ_i (x_i − x̂_i)² (of other rows the mean over the nets);
    - ``"code"``: the mean distance to the k nearest training rows in the standardised code (the mean over the nets);
    - ``"both"``: the geometric mean of that distance and the square root of that error;
    - ``"neighbours"``: the mean distance to the k nearest training rows, a row being (x / σ, w r / s), that is itself
      and beside it what the nets cannot explain of it; σ is the standard deviation of all values;
    - ``"trimmed"``: z(log d) − 2 z(h), for training rows with anomalies among them: d the distance of ``"neighbours"``
      to the four fifths of the training rows that an isolation forest finds most usual, h the mean path length in an
      isolation forest of these, and z a value less its mean over the training rows, over its standard deviation.

    The threshold comes from the training rows, each of which is compared with the others only; that of
    ``"false_alarm_rate"`` from the validation rows, where there are any. Labels are only looked at to judge.

    Returns:
        ``metrics["test"]`` with ``roc_auc``, ``average_precision``, ``false_alarm_rate``, ``detection_rate`` and
        ``threshold``; without labels ``threshold`` and ``alarm_rate``. ``baselines`` with the same for the other
        scores, the run's ``error_of_one_net``, and the detectors of `detector_scores`. ``arrays``
        holds the test rows' ``scores`` by method, the chosen ``score``, the ``train_scores`` of that one, the test
        rows' ``labels``, and of the rows with the highest scores ``worst`` (their indices), ``worst_x``,
        ``worst_x_hat`` and ``worst_residual`` = r / s. Where there are no test rows, the drawn training rows stand in
        their place. ``kept`` is what gives new rows the chosen score (`aejax.tasks.anomaly.scoring`): the nets, the
        threshold, and of the drawn training rows what they are compared with.
    """
    for_nets, for_rows, for_forest = jax.random.split(key, 3)
    ensemble = scoring.train_ensemble(for_nets, dataset, retrain, options.members)
    return assess([for_rows, for_forest], model, params, ensemble, dataset, options)


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options) -> Kept:
    """What `evaluate` keeps for new rows: the nets, the threshold, and what rows are compared with."""
    for_nets, for_rows, _ = jax.random.split(key, 3)
    ensemble = scoring.train_ensemble(for_nets, dataset, retrain, options.members)
    seen = _look(seed_of(for_rows), model, ensemble, dataset, options)
    scores = scoring.scores(seen.out[seen.calibrated_on], seen.train, score=options.score, **_weights(options))
    return _kept(model, ensemble, dataset, seen, _threshold(scores[options.score], options), options)


def assess(
    keys: list[jax.Array], model: Model, params: Params, ensemble: scoring.Ensemble, dataset: Dataset, options: Options
) -> Evaluation:
    """What `evaluate` returns, of an ensemble that is trained."""
    for_rows, for_forest = map(seed_of, keys)
    tested_on = "test" if len(dataset.test.x) else "train"
    seen = _look(for_rows, model, ensemble, dataset, options, tested_on)
    by_split = {name: scoring.scores(part, seen.train, **_weights(options)) for name, part in seen.out.items()}
    scores = {name: {split: values[name] for split, values in by_split.items()} for name in SCORES}
    one = scoring.outputs(model, jax.tree.map(lambda leaf: leaf[None], params), seen.rows[tested_on])
    scores["error_of_one_net"] = scores["error"] | {tested_on: scoring.errors(one)[0]}
    x = {name: part.x for name, part in seen.out.items()}
    scores |= detector_scores(x["train"], x, neighbours=options.neighbours, seed=for_forest)
    labels, test = seen.splits[tested_on].labels, {name: values[tested_on] for name, values in scores.items()}
    limits = {name: _threshold(values[seen.calibrated_on], options) for name, values in scores.items()}
    metrics = {name: outliers.judge(labels, values, limits[name]) for name, values in test.items()}
    score = options.score
    arrays = {"scores": test, "score": score, "train_scores": scores[score]["train"], "labels": labels}
    arrays |= _worst(seen.train, seen.out[tested_on], test[score])
    files = {"scores.csv": _table(test[score], labels, limits[score])}
    kept = _kept(model, ensemble, dataset, seen, limits[score], options)
    rows = {}
    if dataset.train.source_index is not None:
        rows["score"] = {"train": _of_training_rows(model, ensemble, dataset, seen, limits[score], options)}
    return Evaluation({"test": metrics.pop(score)}, metrics, arrays, kept, files, rows)


class _Seen(NamedTuple):
    """Splits, the drawn training rows among them, what the nets make of them, and the one the threshold comes from."""

    splits: Mapping[str, Split]
    rows: Mapping[str, Rows]
    out: Mapping[str, scoring.EnsembleOutputs]
    train: scoring.Reference
    calibrated_on: str


def _look(
    seed: int, model: Model, ensemble: scoring.Ensemble, dataset: Dataset, options: Options, *others: str
) -> _Seen:
    """What the nets make of drawn training rows, of those that the threshold comes from, and of other splits."""
    drawn = np.sort(permutation(seed, len(dataset.train.x))[: options.most_rows])
    splits = with_rows(dataset) | {"train": take(dataset.train, drawn)}
    by_rate = options.threshold == "false_alarm_rate" and "validation" in splits
    calibrated_on = "validation" if by_rate else "train"
    rows = {name: on_device(splits[name], dataset) for name in splits if name in ("train", *others, calibrated_on)}
    out = {name: scoring.outputs(model, ensemble.params, part) for name, part in rows.items()}
    out["train"] = out["train"]._replace(fold=ensemble.fold[drawn])
    score = None if others else options.score
    known = scoring.reference(out["train"], seed=seed, score=score, **_weights(options))
    return _Seen(splits, rows, out, known, calibrated_on)


def _of_training_rows(
    model: Model, ensemble: scoring.Ensemble, dataset: Dataset, seen: _Seen, threshold: float, options: Options
) -> Columns:
    """What new rows get of training rows, each by the net that was trained without it and compared with the others."""
    rows = on_device(dataset.train, dataset)
    out = scoring.outputs(model, ensemble.params, rows)._replace(fold=ensemble.fold)
    drawn = {place: at for at, place in enumerate(seen.splits["train"].source_index)}
    itself = np.array([drawn.get(place, -1) for place in dataset.train.source_index])
    explained = scoring.explained(out, seen.train, itself, score=options.score, **_weights(options))
    return scoring.columns(*explained, threshold, rows)


def _weights(options: Options) -> dict[str, Any]:
    return {"neighbours": options.neighbours, "residual_weight": options.residual_weight}


def _threshold(scores: np.ndarray, options: Options) -> float:
    return outliers.threshold(scores, rule=options.threshold, level=options.level)


def _kept(
    model: Model, ensemble: scoring.Ensemble, dataset: Dataset, seen: _Seen, threshold: float, options: Options
) -> Kept:
    mean, about = scoring.means(model, dataset), {"score": options.score, **_weights(options)}
    return scoring.to_keep(ensemble.params, seen.train, mean, threshold, **about)


def _table(scores: np.ndarray, labels: np.ndarray | None, threshold: float) -> str:
    """The scored rows as CSV, the oddest first: a line each with its number, from 0."""
    lines = ["row,score,alarm" + ("" if labels is None else ",anomaly")]
    for row in np.argsort(-scores, kind="stable"):
        label = "" if labels is None else f",{labels[row]}"
        lines.append(f"{row},{scores[row]:.9g},{int(scores[row] > threshold)}{label}")
    return "\n".join(lines) + "\n"


def _worst(train: scoring.Reference, test: scoring.EnsembleOutputs, score: np.ndarray) -> dict[str, Any]:
    """What makes the rows with the highest scores odd."""
    worst = np.argsort(-score, kind="stable")[:WORST]
    residual, size = scoring.held_out(test.residuals, test)[worst], outliers.spread(train.residual, train.x)
    arrays = {"worst": worst, "worst_x": test.x[worst], "worst_x_hat": test.x[worst] - residual}
    return arrays | {"worst_residual": residual / size[None]}


@cached
def detector_scores(train: np.ndarray, parts: Arrays, *, neighbours: int, seed: int) -> dict[str, dict]:
    """The scores of rows by four detectors.

    kNN's is the mean distance to the nearest training rows; PCA's the squared error with the fewest components that
    explain 90 % of the variance; isolation forest and one-class support vector machine (radial kernel, fitted to at
    most 2000 rows) as scikit-learn sets them.

    Args:
        train: (l, n) scaled training rows.
        parts: by name, other scaled rows; those under ``"train"`` are the training rows, each then without itself where
            the detector is of neighbours.
        neighbours: k, of kNN.
        seed: of the isolation forest.

    Returns:
        ``{detector: {part: (m,) scores}}``.
    """
    from sklearn.decomposition import PCA
    from sklearn.ensemble import IsolationForest
    from sklearn.svm import OneClassSVM

    train, rows = train.astype(np.float64), {name: x.astype(np.float64) for name, x in parts.items()}

    def knn() -> Arrays:
        near = lambda x: outliers.neighbour_distance(train, x, neighbours=neighbours)
        return {name: near(None if name == "train" else x) for name, x in parts.items()}

    def isolation_forest() -> Arrays:
        fitted = IsolationForest(random_state=seed).fit(train)
        return {name: -fitted.score_samples(x) for name, x in rows.items()}

    def one_class_svm() -> Arrays:
        fitted = OneClassSVM().fit(train[:: -(-len(train) // SVM_ROWS)])
        return {name: -fitted.decision_function(x) for name, x in rows.items()}

    def pca() -> Arrays:
        fitted = PCA(EXPLAINED, svd_solver="full").fit(train)
        return {name: np.square(x - fitted.inverse_transform(fitted.transform(x))).sum(1) for name, x in rows.items()}

    detectors = (knn, isolation_forest, one_class_svm, pca)
    return attempted({detector.__name__: detector for detector in detectors})


ACTIONS = {"score": scoring.score_and_alarm, "fill": fill}
RESULTS = {"scores": "score"}
TASK = Task(
    Options,
    evaluate,
    _needs,
    (),
    figures=ANOMALY,
    apply=ACTIONS,
    keep=keep,
    results=RESULTS,
    imports=("sklearn.ensemble", "sklearn.svm", "sklearn.neighbors"),
)
