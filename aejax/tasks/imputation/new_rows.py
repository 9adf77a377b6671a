"""Holes of new rows: filled within the range and the kind of each column, and intervals of what may stand there.

What the net says is mixed with what a Gaussian says, in the shares that served held-out values of each column best: on
few rows a net learns linear relations slowly.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.data.scaling import original, stored
from aejax.errors import UserError
from aejax.storage import records
from aejax.storage.records import Whole
from aejax.tasks import common, ranges
from aejax.tasks.common import Pair, seed_of
from aejax.tasks.imputation import gaussian
from aejax.tasks.imputation.draws import Predict, hold_out, impute, predictions
from aejax.tasks.ranges import Ranges, observed
from aejax.types import Columns, Dataset, Kept, Model, Params, Rows

MOST_ROWS = 2000  # whose held-out predictions are kept
FEWEST = 20  # held-out values of a column, without which those of training rows are kept too

INFO = ranges.INFO | {"level": float, "residuals": Whole(1)}
KEPT = "what the run kept"


class Guide(NamedTuple):
    """What new rows are filled by; values are as stored, (c, n) of held-out rows or (n,).

    Attributes:
        truth: NaN where a value is missing.
        predicted: of each value while it was hidden from the net, NaN where it is missing.
        weight: share of the net in the prediction of each column; the rest is the Gaussian's.
        mean: of the Gaussian.
        covariance: (n, n), or (0, 0) where there is none.
        ranges: what each column can hold.
        level: of intervals.
        residuals: of how many held-out values an interval is made.
    """

    truth: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    ranges: Ranges
    level: float
    residuals: int


ARRAYS = Guide._fields[:5]


def keep_needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Any) -> None:
    """Refuse a model that takes no missing values; whether some are missing in training is of no account."""
    if model is not None and not model.takes_missing:
        name = config["model"]["name"]
        raise UserError(f"imputation: {name} takes no missing values; allowed: model.name=masked.residual")


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Any) -> Kept:
    """What `aejax.tasks.imputation.evaluate` keeps: held-out predictions of validation rows, ranges and kinds.

    Where a column has few values among the validation rows, predictions of training rows stand beside them, which the
    net knows, so that intervals are narrower than they should be.
    """
    train, validation = (observed(part).astype(np.float64) for part in (dataset.train, dataset.validation))
    rows = validation[:MOST_ROWS]
    if (~np.isnan(rows)).sum(0).min() < FEWEST:
        rows = np.concatenate([rows, train[: MOST_ROWS - len(rows)]])
    units = (np.zeros(()), np.ones(()))
    predict = lambda x: predictions(model, params, dataset, units, x)
    held_out, mixed = _held_out(seed_of(jax.random.fold_in(key, 1)), predict, train, rows, len(validation), dataset)
    single = lambda values: values.astype(np.float32)
    arrays, info = ranges.to_keep(ranges.of(dataset))
    tree = {"truth": single(rows), "predicted": single(held_out)} | mixed | arrays
    return Kept(tree, info | {"level": float(options.level), "residuals": int(options.residuals)})


def _held_out(
    seed: int, predict: Predict, train: np.ndarray, rows: np.ndarray, validated: int, dataset: Dataset
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Held-out predictions of rows, the first of them validation rows, and how they are mixed: fields of `Guide`."""
    features, columns = rows.shape[1], dataset.columns
    of_net = hold_out(predict, rows, columns, np.random.default_rng(seed))
    mixed = {"weight": np.ones(features), "mean": np.zeros(features), "covariance": np.zeros((0, 0))}
    if features > gaussian.MOST_FEATURES:
        return of_net, mixed
    mean, covariance = gaussian.fitted(train, seed)
    by_line = lambda x: gaussian.conditional(x, mean, covariance)[0]
    of_line = hold_out(by_line, rows, columns, np.random.default_rng(seed))
    new = slice(validated or None)
    weight = gaussian.weights(rows[new], of_net[new], of_line[new])
    for column in columns:
        if column.categories:
            weight[column.start : column.start + column.size] = 1
    return weight * of_net + (1 - weight) * of_line, {"weight": weight, "mean": mean, "covariance": covariance}


def blended(x: np.ndarray, predicted: np.ndarray, guide: Guide) -> np.ndarray:
    """What stands in the holes of rows x, (m, n) as stored, NaN where missing, of which the net says `predicted`."""
    if not guide.covariance.size:
        return predicted
    line = gaussian.conditional(x, guide.mean, guide.covariance)[0]
    return np.where(np.isnan(x), guide.weight * predicted + (1 - guide.weight) * line, predicted)


def read(kept: Kept | None) -> Guide:
    """What `keep` left, its arrays by their names.

    Raises:
        UserError: it is damaged, or a run that is older kept nothing.
    """
    if kept is None:
        raise UserError("intervals: the run is older than intervals of new rows and kept nothing; train it again")
    info = records.check(kept.info, INFO, KEPT, "info")
    shapes = {name: np.shape(kept.tree.get(name)) for name in ARRAYS}
    of_rows = shapes["truth"]
    like = {name: of_rows if name in ("truth", "predicted") else of_rows[1:] for name in ARRAYS}
    like["covariance"] = (0, 0) if shapes["covariance"] == (0, 0) else 2 * of_rows[1:]
    if len(of_rows) != 2 or shapes != like:
        raise UserError(f"{KEPT} is damaged: its arrays do not fit each other")
    bounds = ranges.read(kept.tree, info["columns"], of_rows[1])
    if bounds is None:
        raise UserError(f"{KEPT} is damaged: its columns are not those of its arrays")
    arrays = {name: np.asarray(kept.tree[name]) for name in ARRAYS}
    arrays |= {name: arrays[name].astype(np.float64) for name in ("truth", "predicted")}
    return Guide(**arrays, ranges=bounds, level=info["level"], residuals=info["residuals"])


def fill(model: Model, params: Params, rows: Rows, kept: Kept | None) -> np.ndarray:
    """`aejax.tasks.common.fill` with values that each column could hold: in its range, whole, or one of its categories.

    A run that is older kept nothing, and is filled with what the net alone says.
    """
    filled = common.fill(model, params, rows, kept)
    return filled if kept is None else np.where(rows.mask, rows.x, completed(_with_holes(rows), filled, read(kept)))


def completed(x: np.ndarray, predicted: np.ndarray, guide: Guide) -> np.ndarray:
    """Rows x, (m, n) as stored, NaN where missing, with what their columns could hold there; see `blended`."""
    return np.where(np.isnan(x), ranges.possible(blended(x, predicted, guide), guide.ranges), x)


def _with_holes(rows: Rows) -> np.ndarray:
    return np.where(rows.mask, rows.x, np.nan).astype(np.float64)


def several(rows: Pair, guide: Guide, random: np.random.Generator, draws: int) -> np.ndarray:
    """Rows without holes that are all plausible, (draws, m, n); see `aejax.tasks.imputation.draws.impute`.

    Args:
        rows: (m, n) as stored, NaN where a value is missing, and predictions of all values.
        guide: from `read`.
        random: of the draws.
        draws: how many.
    """
    drawing = {
        "draws": draws,
        "residuals": guide.residuals,
        "levels": (),
        "bounds": (guide.ranges.low, guide.ranges.high),
    }
    drawn, _ = impute(rows, (guide.truth, guide.predicted), guide.ranges.columns, random, **drawing)
    return np.where(np.isnan(rows[0]), ranges.possible(drawn, guide.ranges), rows[0])


def ends(rows: Pair, guide: Guide, level: float) -> np.ndarray:
    """The lower and upper ends of intervals, (2, m, n), within the range of a column; NaN elsewhere and of categories.

    Those of whole numbers are whole. The arguments are those of `several`, and the share of the truth that is to lie
    inside.
    """
    drawing = {"draws": 0, "residuals": guide.residuals, "levels": (level,)}
    bounds, known = guide.ranges, (guide.truth, guide.predicted)
    _, by_level = impute(rows, known, bounds.columns, np.random.default_rng(0), **drawing)
    low, high = original(by_level[level], bounds.origin, bounds.log)
    both = np.stack([np.where(bounds.whole, np.floor(low), low), np.where(bounds.whole, np.ceil(high), high)])
    return stored(both, bounds.origin, bounds.log).clip(bounds.low, bounds.high)


def intervals(model: Model, params: Params, rows: Rows, kept: Kept | None) -> Columns:
    """The ends of the interval of each missing number, at the level of the run's config, as columns by their names."""
    guide = read(kept)
    if rows.mask is None:
        raise UserError("intervals: the input has no missing values; allowed: a table with empty cells")
    predicted = common.rebuilt(model, params, (rows.x - rows.shift) * rows.scale) / rows.scale + rows.shift
    x = _with_holes(rows)
    both = ends((x, blended(x, predicted, guide)), guide, guide.level)
    low, high = original(both, guide.ranges.origin, guide.ranges.log)
    values = {}
    for column in guide.ranges.columns:
        if not column.categories:
            values |= {f"{column.name} low": low[:, column.start], f"{column.name} high": high[:, column.start]}
    if not values:
        raise UserError("intervals: all columns hold categories; allowed: fill")
    summary = f"{len(low)} rows, {guide.level:g} of the missing numbers lie between the ends"
    return Columns(values, summary)
