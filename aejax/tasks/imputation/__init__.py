"""Imputation of missing values, beside column means, nearest neighbours, chained equations and forests."""

import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from aejax.config.bounds import Count, Natural, Rate, Within
from aejax.data.encoding import per_feature
from aejax.errors import UserError
from aejax.figures.tasks.methods import IMPUTATION
from aejax.metrics import imputation as metrics
from aejax.tasks import needs
from aejax.tasks.common import Numbers, Pair, Random, attempted, cached, generator
from aejax.tasks.imputation import new_rows
from aejax.tasks.imputation.draws import Predict, hold_out, impute, predictions
from aejax.tasks.imputation.methods import of_categories
from aejax.tasks.ranges import observed, settled
from aejax.types import Column, Dataset, Evaluation, Model, Params, Retrain, Split, Task

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        neighbours: of the nearest neighbours' mean.
        trees: of each chained forest; 0 leaves out what takes minutes.
        draws: fills of each hole for the multiple imputation.
        level: of the intervals.
        residuals: how many residuals an interval is taken from.
        hide: share of the observed test values to hide where the data do not say what is missing.
    """

    neighbours: Count = 5
    trees: Natural = 0
    draws: Annotated[int, Within(2, 1000)] = 5
    level: Rate = 0.9
    residuals: Count = 100
    hide: Rate = 0.2


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    parts = (dataset.train, dataset.validation, dataset.test)
    if all(part.mask is None or part.mask.all() for part in parts):
        raise UserError(
            f"imputation: {dataset.name} has no missing values; allowed: a table with empty cells, or "
            "data.missing.name=completely_at_random, at_random, not_at_random or square to hide some"
        )
    for name in ("validation", "test"):
        needs.has_rows("imputation", dataset, name, purpose=" to measure errors on")
    needs.at_most("neighbours", options.neighbours, len(dataset.train.x), f"{len(dataset.train.x)} training rows")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """Error of the hidden values of the test rows, coverage of intervals, and what a classifier makes of filled rows.

    Values are measured in units of their column's range over all rows, the hidden truth included (of images, in units
    of the range of all pixels). Intervals and draws are of `impute`, from the validation rows.

    Returns:
        ``metrics["test"]``: ``rmse`` of numbers and ``accuracy`` of categories; ``spread``, the standard deviation of
        the filled numbers ÷ that of the truth, mean over columns, and ``draw_spread``, of the draws; ``coverage`` and
        ``width`` of the intervals; with labels, ``class_accuracy`` of a classifier trained on filled training rows, of
        filled test rows; ``seconds`` for the test rows. ``metrics["validation"]``: errors of observed values that were
        held out, by which settings can be chosen; ``metrics["train"]``, of holes in the rows that the net was trained
        on, where the truth is known. ``baselines`` with the same of ``fill``, which is what new rows are filled with:
        the net and what stands beside it, in the range and of the kind of each column; of ``mean``, ``knn``, ``mice``
        and ``forest``; and ``complete``, the accuracy without holes. ``arrays`` of test rows in [0, 1]: ``truth``,
        ``hidden``, ``filled`` by method, ``draws`` (draws, m, n); ``levels`` and ``coverages``. ``kept`` is what new
        rows are filled by, see
        `aejax.tasks.imputation.new_rows`.
    """
    random = generator(key)
    number, units, columns = int(random.integers(2**31)), value_range(dataset), dataset.columns
    train, validation, test = (holes(part, units) for part in (dataset.train, dataset.validation, dataset.test))
    test = test if test.hidden.any() else hide_more(test, columns, random, rate=options.hide)
    predict = partial(predictions, model, params, dataset, units)
    of_net, predicted = by_net(predict, train.x, test.x)
    held_out = hold_out(predict, validation.x, columns, random)
    drawing = {"draws": options.draws, "residuals": options.residuals, "levels": sorted({*LEVELS, options.level})}
    draws, ends = impute((test.x, predicted), (validation.x, held_out), columns, random, **drawing)
    methods = imputers(neighbours=options.neighbours, trees=options.trees, seed=number)
    filled = {name: partial(fit_and_fill, method, train.x, test.x) for name, method in methods.items()}
    kept = new_rows.keep(key, model, params, dataset, retrain, options)
    handed_back = completed(of_net, train.x, test.x, units, new_rows.read(kept))
    filled = {"autoencoder": of_net, "fill": handed_back} | attempted(filled)
    judged = {name: judge(each, test, dataset, number) for name, each in filled.items()}
    covered = {level: intervals(test, *both) for level, both in ends.items()}
    by_split = {"test": judged.pop("autoencoder") | covered[options.level]}
    by_split["test"] |= {"draw_spread": spread_ratio(draws, test, dataset)}
    by_split["validation"] = errors(held_out, Holes(np.nan * validation.x, validation.x), dataset)
    if dataset.train.truth is not None:
        by_split["train"] = errors(of_net.train, train, dataset)
    if complete := class_accuracy(train.truth, test.truth, dataset, number):
        judged["complete"] = complete
    arrays = {"truth": test.truth, "hidden": test.hidden, "draws": draws, "levels": np.array(list(covered))}
    arrays["filled"] = {name: settled(each.test, columns) for name, each in filled.items()}
    arrays["coverages"] = np.array([each["coverage"] for each in covered.values()])
    return Evaluation(by_split, judged, arrays, kept)


def _baselines(dataset: Dataset, options: Options) -> dict[str, Numbers]:
    """The errors of observed validation values by the ``mean`` of their column over the training rows."""
    units = value_range(dataset)
    train, rows = (holes(split, units) for split in (dataset.train, dataset.validation))
    means = np.broadcast_to(np.nanmean(train.x, axis=0), rows.x.shape)
    return {name: {"mean": value} for name, value in errors(means, Holes(np.nan * rows.x, rows.x), dataset).items()}


# Rows with holes, in the units of the measure.


class Holes(NamedTuple):
    """Flat rows of a split in the units of the measure, [0, 1].

    Attributes:
        x: (m, n) float64, NaN where a value is missing or hidden.
        truth: (m, n), NaN where nobody knows.
    """

    x: np.ndarray
    truth: np.ndarray

    @property
    def hidden(self) -> np.ndarray:
        """Where the truth is known and x is not: (m, n) bool."""
        return np.isnan(self.x) & ~np.isnan(self.truth)


def value_range(dataset: Dataset) -> Pair:
    """The least value of each feature over all rows, hidden truth included, and the way from it to the greatest.

    Pixels of images share one range.
    """
    parts = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([known(part) for part in parts])
    low, high = np.nanmin(rows, 0), np.nanmax(rows, 0)
    if dataset.kind == "image":
        low, high = np.full_like(low, low.min()), np.full_like(high, high.max())
    return low, np.where(high > low, high - low, 1.0)


def known(split: Split) -> np.ndarray:
    """What is known of flat rows, hidden truth included, NaN elsewhere: (m, n) float64."""
    if split.truth is not None:
        return split.truth.reshape(len(split.truth), -1).astype(np.float64)
    return observed(split)


def holes(split: Split, units: Pair) -> Holes:
    """A split in [0, 1], with what was hidden of it."""
    low, span = units
    truth = (known(split) - low) / span
    mask = True if split.mask is None else split.mask.reshape(truth.shape)
    return Holes(np.where(mask, truth, np.nan), truth)


def hide_more(rows: Holes, columns: tuple[Column, ...], random: Random, *, rate: float) -> Holes:
    """Some more values hidden completely at random, never all of a row."""
    width = len(columns) or rows.x.shape[1]
    chosen = per_feature(random.random((len(rows.x), width)) < rate, columns) & ~np.isnan(rows.x)
    chosen[(chosen | np.isnan(rows.x)).all(1)] = False
    return rows._replace(x=np.where(chosen, np.nan, rows.x))


# Fills, and how good they are.


class Filled(NamedTuple):
    """Rows without holes, and how long it took to fill those that the method was not fitted to."""

    train: np.ndarray
    test: np.ndarray
    seconds: float


@cached
def fit_and_fill(method: Any, train: np.ndarray, test: np.ndarray) -> Filled:
    """Fit an imputer to rows with holes, and fill those and others.

    Args:
        method: of scikit-learn.
        train: (m, n), NaN where a value is missing.
        test: (l, n) likewise.
    """
    with warnings.catch_warnings(action="ignore"):  # of chained equations that are not settled after their last round
        filled = method.fit_transform(train)
        started = time.perf_counter()
        new = method.transform(test)
        return Filled(filled, new, time.perf_counter() - started)


def imputers(*, neighbours: int, trees: int, seed: int) -> dict[str, Any]:
    """Imputers of scikit-learn by name.

    Args:
        neighbours: of the nearest neighbours' mean.
        trees: of each forest; 0 leaves the forests out.
        seed: of the forests.

    References:
        van Buuren & Groothuis-Oudshoorn 2011, mice; Stekhoven & Bühlmann 2012, MissForest.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

    by_name = {"mean": SimpleImputer(), "knn": KNNImputer(n_neighbors=neighbours, weights="distance")}
    by_name["mice"] = IterativeImputer(max_iter=10, random_state=seed)
    if trees:
        forest = ExtraTreesRegressor(trees, random_state=seed, n_jobs=-1)
        by_name["forest"] = IterativeImputer(forest, max_iter=5, random_state=seed)
    return by_name


def by_net(predict: Predict, train: np.ndarray, test: np.ndarray) -> tuple[Filled, np.ndarray]:
    """The net's fills, and its predictions of all values of the test rows."""
    into = lambda x, predicted: np.where(np.isnan(x), predicted, x)
    predict(test)  # compiled before the clock starts
    started = time.perf_counter()
    predicted = predict(test)
    seconds = time.perf_counter() - started
    return Filled(into(train, predict(train)), into(test, predicted), seconds), predicted


def completed(of_net: Filled, train: np.ndarray, test: np.ndarray, units: Pair, guide: new_rows.Guide) -> Filled:
    """What new rows would be filled with, where the net's fills are known; rows in [0, 1], (m, n) and (l, n)."""
    low, span = units
    started = time.perf_counter()
    stored = [(rows * span + low, net * span + low) for rows, net in ((test, of_net.test), (train, of_net.train))]
    new, known = ((new_rows.completed(*pair, guide) - low) / span for pair in stored)
    return Filled(known, new, of_net.seconds + time.perf_counter() - started)


def judge(filled: Filled, rows: Holes, dataset: Dataset, seed: int) -> Numbers:
    """What `evaluate` says of every method."""
    numbers = errors(filled.test, rows, dataset) | {"spread": spread_ratio(filled.test[None], rows, dataset)}
    return numbers | class_accuracy(filled.train, filled.test, dataset, seed) | {"seconds": filled.seconds}


def errors(filled: np.ndarray, rows: Holes, dataset: Dataset) -> Numbers:
    """``rmse`` of the hidden numbers and ``accuracy`` of the hidden categories, where there are any."""
    by_name, number = {}, ~of_categories(dataset.columns, filled.shape[1])
    if number.any():
        by_name["rmse"] = metrics.rmse(rows.truth, filled, rows.hidden & number[None])
    if categories := [column for column in dataset.columns if column.categories]:
        right = settled(filled, dataset.columns) == rows.truth
        hits = [right[rows.hidden[:, c.start], c.start : c.start + c.size].all(1) for c in categories]
        by_name["accuracy"] = float(np.concatenate(hits).mean())
    return by_name


def spread_ratio(filled: np.ndarray, rows: Holes, dataset: Dataset) -> float:
    """The standard deviation of what stands in the holes of a column ÷ that of the truth there, mean over columns."""
    ratios = []
    for feature in np.flatnonzero(~of_categories(dataset.columns, filled.shape[2])):
        at = rows.hidden[:, feature]
        truth = rows.truth[at, feature]
        if len(truth) > 1 and truth.std() > 0:
            ratios.append(filled[:, at, feature].std() / truth.std())
    return float(np.mean(ratios)) if ratios else float("nan")


def intervals(rows: Holes, low: np.ndarray, high: np.ndarray) -> Numbers:
    """``coverage`` and mean ``width`` of the intervals of the hidden numbers."""
    at = rows.hidden & ~np.isnan(low)
    width = float((high - low)[at].mean()) if at.any() else float("nan")
    return {"coverage": metrics.coverage(rows.truth[at], low[at], high[at]), "width": width}


def class_accuracy(train: np.ndarray, test: np.ndarray, dataset: Dataset, seed: int) -> Numbers:
    """Share of the test rows whose class a hundred extremely randomised trees find, where there are classes to learn.

    Of rows with holes nothing is said.
    """
    from sklearn.ensemble import ExtraTreesClassifier

    labels = dataset.train.labels
    if labels is None or len(np.unique(labels)) < 2 or np.isnan(train).any() or np.isnan(test).any():
        return {}
    classifier = ExtraTreesClassifier(100, random_state=seed).fit(train, labels)
    return {"class_accuracy": float(classifier.score(test, dataset.test.labels))}


TASK = Task(
    Options,
    evaluate,
    _needs,
    ("rmse", "accuracy"),
    _baselines,
    figures=IMPUTATION,
    apply={"fill": new_rows.fill, "intervals": new_rows.intervals},
    keep=new_rows.keep,
    keep_needs=new_rows.keep_needs,
    results={"filled": "fill"},
    imports=("sklearn.ensemble", "sklearn.impute"),
)
