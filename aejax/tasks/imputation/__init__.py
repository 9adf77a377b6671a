"""Imputation of missing values, beside column means, nearest neighbours, chained equations and forests."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Count, Natural, Rate, Within
from aejax.errors import UserError
from aejax.figures.tasks.methods import IMPUTATION
from aejax.tasks import needs
from aejax.tasks.filling import fill
from aejax.tasks.imputation.draws import Predict, hold_out, impute
from aejax.tasks.imputation.holes import all_hidden, hide_more, holes, predictions, value_range
from aejax.tasks.imputation.imputers import Filled, fit_and_fill, imputers, settled
from aejax.tasks.imputation.measures import errors, intervals, judge, spread_ratio, without_holes
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
Draws = Annotated[int, Within(2, 1000)]


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
    draws: Draws = 5
    level: Rate = 0.9
    residuals: Count = 100
    hide: Rate = 0.2


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
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
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
    """Error of the hidden values of the test rows, coverage of intervals, and what a classifier makes of filled rows.

    Values are measured in units of their column's range over all rows, the hidden truth included (of images, in units
    of the range of all pixels). Intervals and draws are of `aejax.tasks.imputation.draws`, from the validation rows.

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
    random = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    seed, units, columns = int(random.integers(2**31)), value_range(dataset), dataset.columns
    rows = {name: holes(getattr(dataset, name), *units) for name in ("train", "validation", "test")}
    rows["test"] = (
        rows["test"] if rows["test"].hidden.any() else hide_more(rows["test"], dataset, random, rate=options.hide)
    )
    predict = partial(predictions, model, params, dataset, *units)
    of_net, predicted = by_net(predict, rows["train"].x, rows["test"].x)
    validated = hold_out(predict, rows["validation"].x, columns, random)
    levels = tuple(sorted({*LEVELS, options.level}))
    settings = {"draws": options.draws, "levels": levels, "neighbours": options.residuals}
    several = impute(rows["test"].x, predicted, validated, columns, random, **settings)
    filled = {"autoencoder": of_net} | {
        name: fit_and_fill(make(), rows["train"].x, rows["test"].x)
        for name, make in imputers(neighbours=options.neighbours, trees=options.trees, seed=seed).items()
    }
    judged = {name: judge(rows_filled, rows["test"], dataset, seed) for name, rows_filled in filled.items()}
    covered = {at: intervals(several, rows["test"], at) for at in levels}
    by_split = {"test": judged.pop("autoencoder") | covered[options.level]}
    by_split["test"] |= {"draw_spread": spread_ratio(several.draws, rows["test"], dataset)}
    by_split["validation"] = errors(validated.held_out, all_hidden(validated.truth), dataset)
    if dataset.train.truth is not None:
        by_split["train"] = errors(of_net.train, rows["train"], dataset)
    arrays = {"truth": rows["test"].truth, "hidden": rows["test"].hidden, "draws": several.draws}
    arrays["filled"] = {name: settled(each.test, columns) for name, each in filled.items()}
    arrays |= {"levels": np.array(levels), "coverages": np.array([covered[at]["coverage"] for at in levels])}
    return Evaluation(by_split, judged | without_holes(rows, dataset, seed), arrays)


def _baselines(dataset: Dataset, options: Options) -> dict[str, dict[str, float]]:
    """The errors of observed validation values by the ``mean`` of their column over the training rows."""
    units = value_range(dataset)
    train, rows = (holes(split, *units) for split in (dataset.train, dataset.validation))
    means = np.broadcast_to(np.nanmean(train.x, axis=0), rows.x.shape)
    return {name: {"mean": value} for name, value in errors(means, all_hidden(rows.x), dataset).items()}


def by_net(predict: Predict, train: np.ndarray, test: np.ndarray) -> tuple[Filled, np.ndarray]:
    """The net's fills, and its predictions of all values of the test rows."""
    into = lambda x, predicted: np.where(np.isnan(x), predicted, x)
    predict(test)  # compiled before the clock starts
    started = time.perf_counter()
    predicted = predict(test)
    seconds = time.perf_counter() - started
    return Filled(into(train, predict(train)), into(test, predicted), seconds), predicted


TASK = Task(
    Options,
    evaluate,
    needs=_needs,
    validated=("rmse", "accuracy"),
    baselines=_baselines,
    figures=IMPUTATION,
    apply={"fill": fill},
)
