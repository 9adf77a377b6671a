"""How well a net fills in what is missing, beside means, neighbours, chained equations and forests."""

import time
from functools import partial
from typing import Annotated, NamedTuple

import jax
import numpy as np

from aejax.bounds import Count, Natural, Rate, Within
from aejax.data.holes import spread
from aejax.errors import UserError
from aejax.evaluate import rebuilt
from aejax.metrics import imputation as metrics
from aejax.tasks import multiple
from aejax.tasks.imputers import Filled, baselines, fill, settled
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Split

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
Draws = Annotated[int, Within(2, 1000)]


class Holes(NamedTuple):
    """Flat rows of a split in the units of the measure, [0, 1].

    Attributes:
        x: (m, n) float64, NaN where a value is missing or hidden.
        truth: (m, n), NaN where nobody knows.
        hidden: (m, n) bool, where the truth is known and x is not.
    """

    x: np.ndarray
    truth: np.ndarray
    hidden: np.ndarray


def check(
    dataset: Dataset,
    *,
    neighbours: Count = 10,
    trees: Natural = 0,
    draws: Draws = 5,
    level: Rate = 0.9,
    residuals: Count = 100,
    hide: Rate = 0.2,
) -> None:
    """Refuse data in which nothing is missing, or whose errors cannot be measured.

    Raises:
        UserError: no holes, no validation or test rows, or fewer training rows than neighbours.
    """
    del trees, draws, level, residuals, hide
    parts = (dataset.train, dataset.validation, dataset.test)
    if all(part.mask is None or part.mask.all() for part in parts):
        raise UserError(
            f"imputation: {dataset.name} has no missing values; allowed: a table with empty cells, or "
            "data.missing.name=completely_at_random, at_random, not_at_random or square to hide some"
        )
    for name in ("validation", "test"):
        if not len(getattr(dataset, name).x):
            raise UserError(f"imputation: there are no {name} rows to measure errors on; allowed: data.{name} > 0")
    if neighbours > len(dataset.train.x):
        raise UserError(f"task.neighbours: {neighbours} are more than the {len(dataset.train.x)} training rows")


def evaluate(
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain | None = None,
    *,
    neighbours: Count = 10,
    trees: Natural = 0,
    draws: Draws = 5,
    level: Rate = 0.9,
    residuals: Count = 100,
    hide: Rate = 0.2,
) -> Evaluation:
    """Error of the hidden values of the test rows, coverage of intervals, and what a classifier makes of filled rows.

    Values are measured in units of their column's range over all rows, the hidden truth included. Intervals and draws
    are a prediction plus one of the residuals of the validation values whose predictions are next to it (a local
    residual draw), where every observed validation value was predicted once, a tenth of them at a time being hidden.

    Args:
        key: of what is hidden and drawn.
        model: the autoencoder.
        params: its parameters.
        dataset: the data, with holes. Where values were hidden by ``data.missing``, those are judged; else some of the
            observed values of the test rows are hidden here, completely at random.
        retrain: not used: nothing is trained again.
        neighbours: of the nearest neighbours' mean.
        trees: of each chained forest, which takes minutes; 0 leaves it out.
        draws: fills of each hole for the multiple imputation.
        level: of the intervals.
        residuals: how many residuals an interval is taken from.
        hide: share of the observed test values to hide where the data do not say what is missing.

    Returns:
        ``metrics["test"]``: ``rmse`` of numbers and ``accuracy`` of categories; ``spread``, the standard deviation of
        the filled numbers ÷ that of the truth, in the mean over columns, and ``draw_spread``, of the draws;
        ``coverage`` and ``width`` of the intervals; with labels, ``class_accuracy`` of a classifier that learns filled
        training rows and is asked on filled test rows; ``seconds`` for the test rows. ``metrics["train"]["rmse"]`` of
        the rows that the net was trained on, where their truth is known. ``baselines`` with the same of ``mean``,
        ``knn``, ``mice`` and ``forest``, and ``complete``, the accuracy without holes. ``arrays`` holds ``truth``,
        ``hidden`` and ``filled`` by method, of test rows in [0, 1], ``draws`` (draws, m, n), ``levels`` and
        ``coverages``.

    References:
        Schenker & Taylor 1996, Partially parametric techniques for multiple imputation (local residual draws).
    """
    del retrain
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    seed = int(random.integers(2**31))
    low, span = value_range(dataset)
    rows = {name: holes(getattr(dataset, name), low, span) for name in ("train", "validation", "test")}
    if dataset.test.truth is None:
        rows["test"] = hide_more(rows["test"], dataset, random, rate=hide)
    predict = partial(predictions, model, params, dataset, low, span)
    predict(rows["test"].x)  # compiled before the clock starts
    started = time.perf_counter()
    predicted = predict(rows["test"].x)
    seconds = time.perf_counter() - started
    own = (into(rows["train"].x, predict(rows["train"].x)), into(rows["test"].x, predicted))
    filled = {"autoencoder": Filled(*own, seconds)}
    for name, make in baselines(neighbours=neighbours, trees=trees, seed=seed).items():
        filled[name] = fill(make(), rows["train"].x, rows["test"].x)
    several = multiple.impute(
        rows["test"].x,
        predicted,
        rows["validation"].x,
        multiple.hold_out(predict, rows["validation"].x, dataset.columns, random),
        dataset.columns,
        random,
        draws=draws,
        levels=tuple(sorted({*LEVELS, level})),
        neighbours=residuals,
    )
    judged = {name: judge(found, rows["test"], dataset, seed) for name, found in filled.items()}
    judged |= without_holes(rows, dataset, seed)
    covered = {at: intervals(several, rows["test"], at) for at in several.low}
    found = {"test": judged.pop("autoencoder") | covered[level]}
    found["test"] |= {"draw_spread": spread_ratio(several.draws, rows["test"], dataset)}
    if dataset.train.truth is not None:
        found["train"] = errors(filled["autoencoder"].train, rows["train"], dataset)
    arrays = {
        "truth": rows["test"].truth,
        "hidden": rows["test"].hidden,
        "filled": {name: settled(each.test, dataset.columns) for name, each in filled.items()},
        "draws": several.draws,
        "levels": np.array(LEVELS),
        "coverages": np.array([covered[at]["coverage"] for at in LEVELS]),
    }
    return Evaluation(found, judged, arrays)


def value_range(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The least value of each feature over all rows, hidden truth included, and the way from it to the greatest."""
    parts = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([known(part) for part in parts])
    low, high = np.nanmin(rows, 0), np.nanmax(rows, 0)
    return low, np.where(high > low, high - low, 1.0)


def known(split: Split) -> np.ndarray:
    """What is known of flat rows, hidden truth included, NaN elsewhere: (m, n) float64."""
    if split.truth is not None:
        return split.truth.reshape(len(split.truth), -1).astype(np.float64)
    return np.where(True if split.mask is None else split.mask, split.x, np.nan).reshape(len(split.x), -1)


def holes(split: Split, low: np.ndarray, span: np.ndarray) -> Holes:
    """A split in [0, 1], with what was hidden of it."""
    truth = (known(split) - low) / span
    mask = np.ones(truth.shape, bool) if split.mask is None else split.mask.reshape(truth.shape)
    return Holes(np.where(mask, truth, np.nan), truth, ~mask & ~np.isnan(truth))


def hide_more(rows: Holes, dataset: Dataset, random: np.random.Generator, *, rate: float) -> Holes:
    """Some more values hidden completely at random, never all of a row."""
    width = len(dataset.columns) or rows.x.shape[1]
    chosen = spread(random.random((len(rows.x), width)) < rate, dataset.columns) & ~np.isnan(rows.x)
    chosen[(chosen | np.isnan(rows.x)).all(1)] = False
    return Holes(np.where(chosen, np.nan, rows.x), rows.truth, chosen)


def predictions(
    model: Model, params: Params, dataset: Dataset, low: np.ndarray, span: np.ndarray, x: np.ndarray
) -> np.ndarray:
    """What the net says of all values of rows with holes; in and out in [0, 1]: (m, n) float64."""
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1).astype(np.float64)
    shift, scale = flat(dataset.shift), flat(dataset.scale)
    scaled = (x * span + low - shift) * scale
    if not model.takes_missing:
        mean = (
            np.where(dataset.train.mask, dataset.train.x, np.nan) if dataset.train.mask is not None else dataset.train.x
        )
        scaled = np.where(np.isnan(x), (np.nanmean(mean.reshape(len(mean), -1), 0) - shift) * scale, scaled)
    return (rebuilt(model, params, scaled) / scale + shift - low) / span


def into(x: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Rows with their holes filled."""
    return np.where(np.isnan(x), predicted, x)


def judge(filled: Filled, rows: Holes, dataset: Dataset, seed: int) -> dict[str, float]:
    """What `evaluate` says of every method."""
    found = errors(filled.test, rows, dataset) | {"spread": spread_ratio(filled.test[None], rows, dataset)}
    if labelled(dataset):
        found["class_accuracy"] = class_accuracy(filled.train, filled.test, dataset, seed)
    return found | {"seconds": filled.seconds}


def errors(filled: np.ndarray, rows: Holes, dataset: Dataset) -> dict[str, float]:
    """``rmse`` of the hidden numbers and ``accuracy`` of the hidden categories, where there are any."""
    categories = [column for column in dataset.columns if column.categories]
    number = np.ones(filled.shape[1], bool)
    for column in categories:
        number[column.start : column.start + column.size] = False
    found = {"rmse": metrics.rmse(rows.truth, filled, rows.hidden & number[None])} if number.any() else {}
    if not categories:
        return found
    right = settled(filled, dataset.columns) == rows.truth
    hits = [right[rows.hidden[:, c.start], c.start : c.start + c.size].all(1) for c in categories]
    return found | {"accuracy": float(np.concatenate(hits).mean())}


def spread_ratio(filled: np.ndarray, rows: Holes, dataset: Dataset) -> float:
    """The standard deviation of what stands in the holes of a column ÷ that of the truth there, mean over columns."""
    ratios = []
    for place in range(filled.shape[2]):
        at = rows.hidden[:, place]
        truth = rows.truth[at, place]
        if (
            len(truth) > 1
            and truth.std() > 0
            and not any(c.start <= place < c.start + c.size and c.categories for c in dataset.columns)
        ):
            ratios.append(filled[:, at, place].std() / truth.std())
    return float(np.mean(ratios)) if ratios else float("nan")


def intervals(several: multiple.Several, rows: Holes, level: float) -> dict[str, float]:
    """``coverage`` and mean ``width`` of the intervals of the hidden numbers."""
    low, high = several.low[level], several.high[level]
    at = rows.hidden & ~np.isnan(low)
    return {
        "coverage": metrics.coverage(rows.truth[at], low[at], high[at]),
        "width": float((high - low)[at].mean()) if at.any() else float("nan"),
    }


def labelled(dataset: Dataset) -> bool:
    """Whether there are classes to learn."""
    return dataset.train.labels is not None and len(np.unique(dataset.train.labels)) > 1


def class_accuracy(train: np.ndarray, test: np.ndarray, dataset: Dataset, seed: int) -> float:
    """Share of the test rows whose class a hundred extremely randomised trees find."""
    from sklearn.ensemble import ExtraTreesClassifier

    classifier = ExtraTreesClassifier(100, random_state=seed).fit(train, dataset.train.labels)
    return float(classifier.score(test, dataset.test.labels))


def without_holes(rows: dict[str, Holes], dataset: Dataset, seed: int) -> dict[str, dict[str, float]]:
    """The accuracy of the classifier on rows of which nothing is missing, where they are known."""
    train, test = rows["train"].truth, rows["test"].truth
    if not labelled(dataset) or np.isnan(train).any() or np.isnan(test).any():
        return {}
    return {"complete": {"class_accuracy": class_accuracy(train, test, dataset, seed)}}
