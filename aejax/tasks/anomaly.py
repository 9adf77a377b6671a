"""Which rows are not like those that were trained on, by an ensemble of nets, beside kNN, forest, SVM and PCA."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.bounds import Choice, Count, NonNegative, Within
from aejax.data.outliers import NAMES
from aejax.data.splits import permutation, take
from aejax.errors import UserError
from aejax.evaluate import encode_and_reconstruct, on_device
from aejax.metrics import outliers
from aejax.tasks import detectors
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Split

SCORES = ("neighbours", "error", "code", "both")
WORST = 8  # rows that are kept to be shown

Score = Annotated[str, Choice(SCORES)]
Rule = Annotated[str, Choice(outliers.RULES)]
Rows = Annotated[int, Within(10)]


class Seen(NamedTuple):
    """Rows as an ensemble of nets sees them.

    Attributes:
        x: (m, n) scaled.
        residual: (m, n) x − x̂, the mean over the nets; 0 where a value is missing.
        errors: (members, m) the squared error of each net, summed over features.
        codes: (members, m, d).
    """

    x: np.ndarray
    residual: np.ndarray
    errors: np.ndarray
    codes: np.ndarray


def check(
    dataset: Dataset,
    *,
    score: Score = "neighbours",
    members: Count = 4,
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
    del score, members, residual_weight
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
    members: Count = 4,
    neighbours: Count = 3,
    residual_weight: NonNegative = 0.3,
    threshold: Rule = "quantile",
    level: NonNegative = 0.95,
    most_rows: Rows = 5000,
) -> Evaluation:
    """How well anomalies are told from normal rows by the run's net and others of its config, trained with it.

    With r the mean residual of the nets and s_i its size on the training rows (`aejax.metrics.outliers.spread`), the
    scores are

    - ``"error"``: Σ_i (x_i − x̂_i)², the mean over the nets;
    - ``"code"``: the mean distance to the k nearest training rows in the standardised code, the mean over the nets;
    - ``"both"``: the geometric mean of that distance and the square root of that error;
    - ``"neighbours"``: the mean distance to the k nearest training rows, a row being (x / σ, w r / s), that is itself
      and beside it what the nets cannot explain of it; σ is the standard deviation of all values.

    The threshold comes from the training rows, each of which is compared with the others only; that of
    ``"false_alarm_rate"`` from the validation rows, where there are any. Labels are only looked at to judge.

    Args:
        key: of the other nets, of the rows that are drawn and of the isolation forest.
        model: the autoencoder.
        params: of the run.
        dataset: the data; with labels, they are those of `aejax.data.outliers`.
        retrain: trains the other nets.
        score: which of the scores is the result; the others stand beside it.
        members: nets of the ensemble, the run's among them.
        neighbours: k, of the scores and of the baseline kNN.
        residual_weight: w.
        threshold: ``"quantile"``, ``"deviations"`` or ``"false_alarm_rate"``, see `aejax.metrics.outliers.threshold`.
        level: the quantile, the number of standard deviations, or the rate.
        most_rows: of the training rows, how many are drawn to compare with and to fit baselines to, so that large
            tables stay affordable; the nets are trained on all.

    Returns:
        ``metrics["test"]`` with ``roc_auc``, ``average_precision``, ``false_alarm_rate``, ``detection_rate`` and
        ``threshold``; without labels ``threshold`` and ``alarm_rate``. ``baselines`` with the same for the other
        scores, ``error_of_one_net``, and the detectors of `aejax.tasks.detectors`. ``arrays`` holds the test rows'
        ``scores`` by method, the chosen ``score``, the ``train_scores`` of that one, the test rows' ``labels``, and of
        the rows with the highest scores ``worst`` (their places), ``worst_x``, ``worst_x_hat`` and ``worst_residual``
        = r / s. Where there are no test rows, the training rows that were drawn stand in their place.
    """
    others, drawn, forest = jax.random.split(key, 3)
    nets = jax.tree.map(lambda leaf: leaf[None], params)
    if members > 1:
        trained = retrain(jax.random.split(others, members - 1)).params
        nets = jax.tree.map(lambda own, more: jnp.concatenate([own, more]), nets, trained)
    return assess(
        (drawn, forest),
        model,
        nets,
        dataset,
        score=score,
        neighbours=neighbours,
        residual_weight=residual_weight,
        threshold=threshold,
        level=level,
        most_rows=most_rows,
    )


def assess(
    keys: tuple[jax.Array, jax.Array],
    model: Model,
    nets: Params,
    dataset: Dataset,
    *,
    score: Score,
    neighbours: Count,
    residual_weight: NonNegative,
    threshold: Rule,
    level: NonNegative,
    most_rows: Rows,
) -> Evaluation:
    """What `evaluate` returns, of nets that are trained, leaves (members, ...)."""
    seeds = [int(jax.random.bits(key, dtype=np.uint32)) for key in keys]
    order = permutation(seeds[0], len(dataset.train.x))[:most_rows]
    rows = {"train": take(dataset.train, order)}
    calibrating, judging = "train", "train"
    if len(dataset.test.x):
        judging, rows["test"] = "test", dataset.test
    if threshold == "false_alarm_rate" and len(dataset.validation.x):
        calibrating, rows["validation"] = "validation", dataset.validation
    seen = {name: look(model, nets, split, dataset) for name, split in rows.items()}
    own = scores(seen, neighbours=neighbours, residual_weight=residual_weight)
    plain = {name: each.x for name, each in seen.items()}
    found = own | detectors.fitted(plain["train"], plain, neighbours=neighbours, seed=seeds[1])
    labels, test = rows[judging].labels, {name: values[judging] for name, values in found.items()}
    limit = {n: outliers.threshold(v[calibrating], rule=threshold, level=level) for n, v in found.items()}
    judged = {name: outliers.judge(labels, values, limit[name]) for name, values in test.items()}
    arrays = {"scores": test, "score": score, "train_scores": found[score]["train"], "labels": labels}
    return Evaluation({"test": judged.pop(score)}, judged, arrays | _worst(seen["train"], seen[judging], test[score]))


def _scored(dataset: Dataset) -> Split:
    """The rows that are scored: the test rows, or the training rows where there are none."""
    return dataset.test if len(dataset.test.x) else dataset.train


def look(model: Model, nets: Params, split: Split, dataset: Dataset) -> Seen:
    """Rows as they are seen by nets, leaves (members, ...)."""
    rows = on_device(split, dataset)
    observed = None if split.mask is None else split.mask.reshape(len(split.x), -1)
    mean, errors, codes = np.float32(0), [], []
    members = jax.tree.leaves(nets)[0].shape[0]
    for number in range(members):
        x, code, x_hat = encode_and_reconstruct(model, jax.tree.map(lambda leaf, n=number: leaf[n], nets), rows)
        residual = x - x_hat if observed is None else np.where(observed, x - x_hat, 0)
        mean = mean + residual / members
        errors.append(np.square(residual).sum(1))
        codes.append(code)
    errors = np.stack(errors)
    if observed is not None:  # as large as if every value had been seen
        errors = errors * (observed.shape[1] / np.maximum(observed.sum(1), 1))[None]
    return Seen(x, mean, errors, np.stack(codes))


def scores(seen: Mapping[str, Seen], *, neighbours: int, residual_weight: float) -> dict[str, dict[str, np.ndarray]]:
    """The scores of `evaluate`, of each part, by comparison with ``seen["train"]``: ``{score: {part: (m,)}}``."""
    train = seen["train"]
    size = (outliers.overall(train.x), outliers.spread(train.residual, train.x))
    deviation = train.codes.std(1, keepdims=True)
    deviation = np.where(deviation > 0, deviation, 1)
    beside = lambda s: np.concatenate([s.x / size[0], residual_weight * s.residual / size[1][None]], 1)
    near = lambda name, form: outliers.neighbour_distance(
        form(train), None if name == "train" else form(seen[name]), neighbours=neighbours
    )
    found: dict[str, dict[str, np.ndarray]] = {name: {} for name in (*SCORES, "error_of_one_net")}
    for name, each in seen.items():
        error = each.errors.mean(0)
        codes = [near(name, lambda s, n=n: s.codes[n] / deviation[n]) for n in range(len(each.codes))]
        code = np.mean(codes, 0)
        own = {"neighbours": near(name, beside), "error": error, "code": code}
        own |= {"both": np.sqrt(code * np.sqrt(error)), "error_of_one_net": each.errors[0]}
        for score, values in own.items():
            found[score][name] = values
    return found


def _worst(train: Seen, test: Seen, score: np.ndarray) -> dict[str, Any]:
    """What makes the rows with the highest scores odd."""
    worst = np.argsort(-score, kind="stable")[:WORST]
    return {
        "worst": worst,
        "worst_x": test.x[worst],
        "worst_x_hat": test.x[worst] - test.residual[worst],
        "worst_residual": test.residual[worst] / outliers.spread(train.residual, train.x)[None],
    }
