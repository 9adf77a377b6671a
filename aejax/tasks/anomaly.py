"""Which rows are not like those that were trained on, by an ensemble of nets, beside kNN, forest, SVM and PCA."""

from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Choice, Count, NonNegative, Within
from aejax.data.outliers import NAMES
from aejax.data.splits import permutation, take
from aejax.errors import UserError
from aejax.metrics import outliers
from aejax.tasks import crossfit, detectors, scoring
from aejax.training.evaluate import on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Split

VALIDATED: tuple[str, ...] = ()

SCORES = tuple(scoring.READ)
WORST = 8  # rows that are kept to be shown

Score = Annotated[str, Choice(SCORES)]
Rule = Annotated[str, Choice(outliers.RULES)]
Rows = Annotated[int, Within(10)]
Members = Annotated[int, Within(2)]


def check(
    dataset: Dataset,
    *,
    score: Score = "neighbours",
    members: Members = 4,
    neighbours: Count = 3,
    residual_weight: NonNegative = 0.3,
    threshold: Rule = "quantile",
    level: NonNegative = 0.95,
    most_rows: Rows = 5000,
) -> None:
    """Refuse data in which nothing can be found, and a threshold that cannot be drawn.

    Raises:
        UserError: which labels are normal is not said, all test rows are of one kind, or there are too few rows.
    """
    del score, residual_weight
    labels, rows = _scored(dataset).labels, min(len(dataset.train.x), most_rows)
    if labels is not None and dataset.label_names != NAMES:
        raise UserError(
            f"anomaly: which labels of {dataset.name} are normal is not said; "
            f"allowed: data.normal, some of {', '.join(dataset.label_names)}"
        )
    if labels is not None and len(np.unique(labels)) < 2:
        kind = "normal" if labels[0] == 0 else "anomalies"
        raise UserError(
            f"anomaly: all {len(labels)} test rows of {dataset.name} are {kind}, so nothing can be told apart; "
            "allowed: test rows of both kinds (data.normal, data.test)"
        )
    if len(dataset.train.x) < 2 * members:
        raise UserError(
            f"task.members: {members} folds of {len(dataset.train.x)} training rows are too small; "
            f"allowed: 2 to {max(2, len(dataset.train.x) // 2)}, with 4 training rows or more"
        )
    if neighbours > rows - 1:
        raise UserError(
            f"task.neighbours: {neighbours} are too many for {rows} training rows; allowed: 1 to {rows - 1}"
        )
    if threshold != "deviations" and not 0 < level < 1:
        raise UserError(f"task.level: {level:g} is no {threshold}; allowed: a number in (0, 1)")
    held_out = len(dataset.validation.x) or rows
    if threshold == "false_alarm_rate" and (held_out + 1) * level < 1:
        raise UserError(
            f"task.level: a rate of {level:g} needs {int(np.ceil(1 / level)) - 1} rows to draw the threshold by, and "
            f"there are {held_out}; allowed: {1 / (held_out + 1):.3g} or more, or a larger data.validation"
        )


def evaluate(
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain,
    *,
    score: Score = "neighbours",
    members: Members = 4,
    neighbours: Count = 3,
    residual_weight: NonNegative = 0.3,
    threshold: Rule = "quantile",
    level: NonNegative = 0.95,
    most_rows: Rows = 5000,
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
      and beside it what the nets cannot explain of it; σ is the standard deviation of all values.

    The threshold comes from the training rows, each of which is compared with the others only; that of
    ``"false_alarm_rate"`` from the validation rows, where there are any. Labels are only looked at to judge.

    Args:
        key: of the ensemble, of the rows that are drawn and of the isolation forest.
        model: the autoencoder.
        params: of the run; its net is no part of the ensemble and stands beside it.
        dataset: the data; with labels, they are those of `aejax.data.outliers`.
        retrain: trains the ensemble.
        score: which of the scores is the result; the others stand beside it.
        members: nets of the ensemble, and folds.
        neighbours: k, of the scores and of the baseline kNN.
        residual_weight: w.
        threshold: ``"quantile"``, ``"deviations"`` or ``"false_alarm_rate"``, see `aejax.metrics.outliers.threshold`.
        level: the quantile, the number of standard deviations, or the rate.
        most_rows: of the training rows, how many are drawn to compare with and to fit baselines to, so that large
            tables stay affordable; the nets are trained on all.

    Returns:
        ``metrics["test"]`` with ``roc_auc``, ``average_precision``, ``false_alarm_rate``, ``detection_rate`` and
        ``threshold``; without labels ``threshold`` and ``alarm_rate``. ``baselines`` with the same for the other
        scores, the run's ``error_of_one_net``, and the detectors of `aejax.tasks.detectors`. ``arrays`` holds the test
        rows' ``scores`` by method, the chosen ``score``, the ``train_scores`` of that one, the test rows' ``labels``,
        and of the rows with the highest scores ``worst`` (their places), ``worst_x``, ``worst_x_hat`` and
        ``worst_residual`` = r / s. Where there are no test rows, the drawn training rows stand in their place.
        ``kept`` is what gives new rows the chosen score (`aejax.tasks.scoring`): the nets, the threshold, and of the
        drawn training rows what they are compared with.
    """
    own, drawn, forest = jax.random.split(key, 3)
    options = {"score": score, "neighbours": neighbours, "residual_weight": residual_weight}
    options |= {"threshold": threshold, "level": level, "most_rows": most_rows}
    ensemble = crossfit.train(own, dataset, retrain, members)
    return assess((drawn, forest), model, params, ensemble, dataset, **options)


def assess(
    keys: tuple[jax.Array, jax.Array],
    model: Model,
    params: Params,
    ensemble: crossfit.Ensemble,
    dataset: Dataset,
    *,
    score: Score,
    neighbours: Count,
    residual_weight: NonNegative,
    threshold: Rule,
    level: NonNegative,
    most_rows: Rows,
) -> Evaluation:
    """What `evaluate` returns, of an ensemble that is trained."""
    seeds = [int(jax.random.bits(key, dtype=np.uint32)) for key in keys]
    drawn = np.sort(permutation(seeds[0], len(dataset.train.x))[:most_rows])
    rows = {"train": take(dataset.train, drawn)}
    calibrating, judging = "train", "train"
    if len(dataset.test.x):
        judging, rows["test"] = "test", dataset.test
    if threshold == "false_alarm_rate" and len(dataset.validation.x):
        calibrating, rows["validation"] = "validation", dataset.validation
    on = {name: on_device(split, dataset) for name, split in rows.items()}
    seen = {name: crossfit.look(model, ensemble.params, each) for name, each in on.items()}
    seen["train"] = seen["train"]._replace(fold=ensemble.fold[drawn])
    known = scoring.reference(seen["train"])
    weights = {"neighbours": neighbours, "residual_weight": residual_weight}
    own = {part: scoring.scores(each, known, **weights) for part, each in seen.items()}
    found = {name: {part: values[name] for part, values in own.items()} for name in SCORES}
    one = crossfit.look(model, jax.tree.map(lambda leaf: leaf[None], params), on[judging])
    found["error_of_one_net"] = found["error"] | {judging: crossfit.errors(one)[0]}
    plain = {name: each.x for name, each in seen.items()}
    found |= detectors.fitted(plain["train"], plain, neighbours=neighbours, seed=seeds[1])
    labels, test = rows[judging].labels, {name: values[judging] for name, values in found.items()}
    limit = {n: outliers.threshold(v[calibrating], rule=threshold, level=level) for n, v in found.items()}
    judged = {name: outliers.judge(labels, values, limit[name]) for name, values in test.items()}
    arrays = {"scores": test, "score": score, "train_scores": found[score]["train"], "labels": labels}
    arrays |= _worst(known, seen[judging], test[score])
    scorer = scoring.Scorer(ensemble.params, known, scoring.means(model, dataset), limit[score], score, **weights)
    return Evaluation({"test": judged.pop(score)}, judged, arrays, scoring.kept(scorer))


def _scored(dataset: Dataset) -> Split:
    """The rows that are scored: the test rows, or the training rows where there are none."""
    return dataset.test if len(dataset.test.x) else dataset.train


def _worst(train: scoring.Reference, test: crossfit.Seen, score: np.ndarray) -> dict[str, Any]:
    """What makes the rows with the highest scores odd."""
    worst = np.argsort(-score, kind="stable")[:WORST]
    residual = crossfit.unseen(test.residuals, test)[worst]
    size = outliers.spread(train.residual, train.x)
    return {
        "worst": worst,
        "worst_x": test.x[worst],
        "worst_x_hat": test.x[worst] - residual,
        "worst_residual": residual / size[None],
    }
