"""Holes of new rows: filled within the range and the kind of each column, and intervals of what may stand there.

What the net says is mixed with what a Gaussian, trees and neighbours say, in the shares that served held-out values of
each column best: on few rows a net learns linear relations slowly, and steps hardly.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.data.scaling import original, stored
from aejax.data.splits import permutation
from aejax.errors import UserError
from aejax.storage import records
from aejax.storage.records import Whole
from aejax.tasks import common, ranges
from aejax.tasks.common import Pair, seed_of
from aejax.tasks.imputation import methods
from aejax.tasks.imputation.draws import hold_out, impute, predictions
from aejax.tasks.imputation.methods import Methods
from aejax.tasks.ranges import Ranges, observed
from aejax.types import Columns, Dataset, Kept, Model, Params, Rows

MOST_ROWS = 2000  # whose held-out predictions are kept
FEWEST = 60  # held-out values of a column, without which those of training rows are kept too
FOLDS = 4  # of these training rows

INFO = ranges.INFO | {"level": float, "residuals": Whole(1)}
KEPT = "what the run kept"


class Guide(NamedTuple):
    """What new rows are filled by; values are as stored, (c, n) of held-out rows or (n,).

    Attributes:
        truth: NaN where a value is missing.
        predicted: of each value while it was hidden from the net, NaN where it is missing.
        weight: (4, n) shares of the net, the Gaussian, the trees and the neighbours in the prediction of each column.
        methods: these but for the net.
        ranges: what each column can hold.
        level: of intervals.
        residuals: of how many held-out values an interval is made.
    """

    truth: np.ndarray
    predicted: np.ndarray
    weight: np.ndarray
    methods: Methods
    ranges: Ranges
    level: float
    residuals: int


ARRAYS = Guide._fields[:3]


def keep_needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Any) -> None:
    """Refuse a model that takes no missing values; whether some are missing in training is of no account."""
    if model is not None and not model.takes_missing:
        name = config["model"]["name"]
        raise UserError(f"imputation: {name} takes no missing values; allowed: model.name=masked.residual")


def keep(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Any) -> Kept:
    """What `aejax.tasks.imputation.evaluate` keeps: held-out predictions of validation rows, ranges and kinds.

    Where a column has few values among the validation rows, predictions of training rows stand beside them, by methods
    fitted to other training rows and by the net, which knows them: so intervals are a little narrow.
    """
    train, validation = (observed(part).astype(np.float64) for part in (dataset.train, dataset.validation))
    units, columns, seed = (np.zeros(()), np.ones(())), dataset.columns, seed_of(jax.random.fold_in(key, 1))
    predict = lambda x: predictions(model, params, dataset, units, x)
    fitted = lambda rows: methods.fitted(rows, predict(rows), columns, seed)
    parts, beside = [validation[:MOST_ROWS]], fitted(train)
    new, by_part = slice(len(parts[0])), [beside]
    if (~np.isnan(parts[0])).sum(0).min() < FEWEST:
        known = train[permutation(seed, len(train))][: MOST_ROWS - len(parts[0])]
        folds = [fold for fold in np.array_split(np.arange(len(known)), FOLDS) if len(fold) and len(fold) < len(known)]
        parts += [known[fold] for fold in folds]
        by_part += [fitted(np.delete(known, fold, axis=0)) for fold in folds]
    rows, ends = np.concatenate(parts), np.cumsum([len(part) for part in parts])

    def every(x: np.ndarray) -> np.ndarray:
        of_net = predict(x)
        pairs = zip(np.split(x, ends[:-1]), np.split(of_net, ends[:-1]), by_part, strict=True)
        return np.concatenate([methods.predictions(*pair, columns, each) for *pair, each in pairs if len(pair[0])], 1)

    said = hold_out(every, rows, columns, np.random.default_rng(seed))
    net_alone = np.eye(4)[:, :1] * np.ones(train.shape[1])
    weight = methods.shares(rows[new], said[:, new], columns) if len(said) == 4 else net_alone
    held_out = (weight[: len(said), None] * said).sum(0)
    single = lambda values: values.astype(np.float32)
    arrays, info = ranges.to_keep(ranges.of(dataset))
    tree = {"truth": single(rows), "predicted": single(held_out), "weight": weight} | beside._asdict() | arrays
    return Kept(tree, info | {"level": float(options.level), "residuals": int(options.residuals)})


def blended(x: np.ndarray, predicted: np.ndarray, guide: Guide) -> np.ndarray:
    """What stands in the holes of rows x, (m, n) as stored, NaN where missing, of which the net says `predicted`."""
    said = methods.predictions(x, predicted, guide.ranges.columns, guide.methods)
    return np.where(np.isnan(x), (guide.weight[: len(said), None] * said).sum(0), predicted)


def read(kept: Kept | None) -> Guide:
    """What `keep` left, its arrays by their names.

    Raises:
        UserError: it is damaged, or a run that is older kept nothing.
    """
    if kept is None:
        raise UserError("intervals: the run is older than intervals of new rows and kept nothing; train it again")
    info = records.check(kept.info, INFO, KEPT, "info")
    tree = _as_now(kept.tree)
    arrays = {name: np.asarray(tree.get(name)) for name in ARRAYS}
    of_rows = arrays["truth"].shape
    beside = Methods(*(np.asarray(tree.get(name)) for name in Methods._fields))
    like = [of_rows, of_rows, (4, *of_rows[1:])]
    whole = len(of_rows) == 2 and [array.shape for array in arrays.values()] == like
    if not whole or not methods.is_whole(beside, of_rows[1]):
        raise UserError(f"{KEPT} is damaged: its arrays do not fit each other")
    bounds = ranges.read(tree, info["columns"], of_rows[1])
    if bounds is None:
        raise UserError(f"{KEPT} is damaged: its columns are not those of its arrays")
    arrays |= {name: arrays[name].astype(np.float64) for name in ("truth", "predicted")}
    return Guide(**arrays, methods=beside, ranges=bounds, level=info["level"], residuals=info["residuals"])


def _as_now(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an older run kept, which had no trees and the share of the net alone, as it is kept now."""
    of_net = np.asarray(tree.get("weight"))
    if of_net.ndim != 1:
        return tree
    weight, covariance = np.stack([of_net, 1 - of_net, 0 * of_net, 0 * of_net]), np.asarray(tree.get("covariance"))
    line = (tree.get("mean"), covariance) if covariance.size else ()
    return dict(tree) | {"weight": weight} | methods.without(len(of_net), *line)._asdict()


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
