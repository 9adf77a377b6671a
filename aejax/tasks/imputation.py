"""How well a net fills in what is missing, beside means, neighbours, chained equations and forests."""

import time
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Count, Natural, Rate, Within
from aejax.errors import UserError
from aejax.tasks import multiple
from aejax.tasks.holed import all_hidden, hide_more, holes, predictions, value_range
from aejax.tasks.imputers import Filled, baselines, fill, settled
from aejax.tasks.judging import errors, intervals, judge, spread_ratio, without_holes
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED = ("rmse", "accuracy")

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
Draws = Annotated[int, Within(2, 1000)]


def check(
    dataset: Dataset,
    *,
    neighbours: Count = 5,
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
    neighbours: Count = 5,
    trees: Natural = 0,
    draws: Draws = 5,
    level: Rate = 0.9,
    residuals: Count = 100,
    hide: Rate = 0.2,
) -> Evaluation:
    """Error of the hidden values of the test rows, coverage of intervals, and what a classifier makes of filled rows.

    Values are measured in units of their column's range over all rows, the hidden truth included (of images, in units
    of the range of all pixels). Intervals and draws
    are of `aejax.tasks.multiple`, from the validation rows.

    Args:
        key: of what is hidden and drawn.
        model: the autoencoder.
        params: its parameters.
        dataset: the data, with holes. What ``data.missing`` hid is judged, or, where that is nothing, test values that
            are hidden here, completely at random.
        retrain: not used: nothing is trained again.
        neighbours: of the nearest neighbours' mean.
        trees: of each chained forest; 0 leaves out what takes minutes.
        draws: fills of each hole for the multiple imputation.
        level: of the intervals.
        residuals: how many residuals an interval is taken from.
        hide: share of the observed test values to hide where the data do not say what is missing.

    Returns:
        ``metrics["test"]``: ``rmse`` of numbers and ``accuracy`` of categories; ``spread``, the standard deviation of
        the filled numbers ÷ that of the truth, mean over columns, and ``draw_spread``, of the draws; ``coverage`` and
        ``width`` of the intervals; with labels, ``class_accuracy`` of a classifier trained on filled training rows, of
        filled test rows; ``seconds`` for the test rows. ``metrics["validation"]``: errors of observed values that were
        held out, by which settings can be chosen; ``metrics["train"]``, of holes in the rows that the net was trained
        on, where the truth is known. ``baselines`` with the same of ``mean``, ``knn``, ``mice`` and ``forest``, and
        ``complete``, the accuracy without holes. ``arrays`` of test rows in [0, 1]: ``truth``, ``hidden``, ``filled``
        by method, ``draws`` (draws, m, n); ``levels`` and ``coverages``.
    """
    del retrain
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    seed, units, columns = int(random.integers(2**31)), value_range(dataset), dataset.columns
    rows = {name: holes(getattr(dataset, name), *units) for name in ("train", "validation", "test")}
    rows["test"] = rows["test"] if rows["test"].hidden.any() else hide_more(rows["test"], dataset, random, rate=hide)
    predict = partial(predictions, model, params, dataset, *units)
    own, predicted = by_net(predict, rows["train"].x, rows["test"].x)
    validated = multiple.hold_out(predict, rows["validation"].x, columns, random)
    levels = tuple(sorted({*LEVELS, level}))
    options = {"draws": draws, "levels": levels, "neighbours": residuals}
    several = multiple.impute(rows["test"].x, predicted, validated, columns, random, **options)
    filled = {"autoencoder": own} | {
        name: fill(make(), rows["train"].x, rows["test"].x)
        for name, make in baselines(neighbours=neighbours, trees=trees, seed=seed).items()
    }
    judged = {name: judge(found, rows["test"], dataset, seed) for name, found in filled.items()}
    covered = {at: intervals(several, rows["test"], at) for at in levels}
    found = {"test": judged.pop("autoencoder") | covered[level]}
    found["test"] |= {"draw_spread": spread_ratio(several.draws, rows["test"], dataset)}
    found["validation"] = errors(validated.held_out, all_hidden(validated.truth), dataset)
    if dataset.train.truth is not None:
        found["train"] = errors(own.train, rows["train"], dataset)
    arrays = {"truth": rows["test"].truth, "hidden": rows["test"].hidden, "draws": several.draws}
    arrays["filled"] = {name: settled(each.test, columns) for name, each in filled.items()}
    arrays |= {"levels": np.array(levels), "coverages": np.array([covered[at]["coverage"] for at in levels])}
    return Evaluation(found, judged | without_holes(rows, dataset, seed), arrays)


def validation_baselines(dataset: Dataset, **options: Any) -> dict[str, dict[str, float]]:
    """The errors of observed validation values by the ``mean`` of their column over the training rows."""
    del options
    units = value_range(dataset)
    train, rows = (holes(split, *units) for split in (dataset.train, dataset.validation))
    means = np.broadcast_to(np.nanmean(train.x, axis=0), rows.x.shape)
    return {name: {"mean": value} for name, value in errors(means, all_hidden(rows.x), dataset).items()}


def by_net(predict: multiple.Predict, train: np.ndarray, test: np.ndarray) -> tuple[Filled, np.ndarray]:
    """The net's fills, and its predictions of all values of the test rows."""
    into = lambda x, predicted: np.where(np.isnan(x), predicted, x)
    predict(test)  # compiled before the clock starts
    started = time.perf_counter()
    predicted = predict(test)
    seconds = time.perf_counter() - started
    return Filled(into(train, predict(train)), into(test, predicted), seconds), predicted
