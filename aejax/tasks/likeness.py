"""How like the rows of a table made ones are, column by column: beside mixtures of the rows and independent columns."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import jax
import numpy as np

from aejax.data.dates import calendar_parts
from aejax.data.scaling import stored
from aejax.metrics import generation as metrics
from aejax.tasks import ranges, samplers, synthesis
from aejax.tasks.common import Decode, Numbers, Outputs, Random, attempted, fitted_pca, generator, outputs
from aejax.types import Column, Dataset, Evaluation, Model, Params, Sampler

LOOKED_UP = 1000  # made rows whose nearest rows are searched
COPY = 0.01  # share of test rows that are as near to a training row as what counts as a copy
IN_PLANE = 1000

Makers = Mapping[str, tuple[Sampler, Decode]]


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, name: str, components: int, samples: int
) -> Evaluation:
    """Made rows as `aejax.tasks.synthesis.sample` makes them, beside the test rows of a table.

    Rows of the baselines are cut to the range of their columns and rounded alike, their categories the likeliest ones;
    those of one mixture get the quantiles of the columns alike too. Where training rows have
    holes, made ones get those of training rows drawn at random before they are compared; of dates the days are.

    Args:
        key: of what is drawn.
        model: the autoencoder.
        params: its parameters.
        dataset: a table.
        name: of the function that makes a sampler of codes.
        components: of mixtures.
        samples: rows that are made.

    Returns:
        As of `aejax.tasks.generation.evaluate`, with the measures of ``features="columns"``.
    """
    train, random = outputs(model, params, dataset, "train"), generator(key)
    rows, test = (ranges.observed(split).astype(np.float32) for split in (dataset.train, dataset.test))
    filled, wanted = _filled(rows, dataset), name.removeprefix("samplers.")
    fit = partial(_makers, name, jax.random.fold_in(key, 1), model, params, dataset, synthesis.missed(train), random)
    makers = fit(rows, train.code, components)
    again = np.resize(random.permutation(len(rows)), samples)
    made = {each: make(sampler.draw(random, samples)) for each, (sampler, make) in makers.items()}
    made["training rows"] = filled[again]
    holes = None if dataset.train.mask is None else ~dataset.train.mask[again]
    numbers = _compared(made, holes, filled, dataset, random)
    if dataset.train.labels is not None and dataset.test.labels is not None:
        for each, accuracy in usefulness(fit, dataset, train._replace(x=rows), test, components, random).items():
            if each in numbers:  # else a sampler that serves some classes, and not all rows
                numbers[each]["accuracy"] = accuracy
    scaled = _scaler(dataset)
    to_plane = fitted_pca(scaled(filled), 2).transform
    plane = {each: to_plane(scaled(few[:IN_PLANE])) for each, few in made.items()}
    kept = synthesis.kept(makers[wanted][0], train, dataset, model, params)
    return Evaluation({"test": numbers.pop(wanted)}, numbers, {"plane": plane}, kept)


def _makers(
    name: str,
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    noise: np.ndarray,
    random: Random,
    rows: np.ndarray,
    codes: np.ndarray,
    components: int,
) -> Makers:
    """By name, where codes or scaled rows are drawn from, and what makes rows of them, float32 as they are stored."""
    if dataset.means is not None:  # of a class in which no value of a column was observed
        rows = np.where(np.isnan(rows).all(0), dataset.means.reshape(-1), rows)
    bounds, decimals, columns = ranges.of(dataset), ranges.decimals(dataset), ranges.of(dataset).columns
    shift, scale = (np.asarray(each, np.float64).reshape(-1) for each in (dataset.shift, dataset.scale))
    as_stored = lambda x: stored(synthesis.finished(x, bounds, decimals), bounds.origin, bounds.log).astype(np.float32)
    of_scaled, of_codes = lambda x: x / scale + shift, synthesis.maker(model, params, dataset, noise, columns, random)

    def matching(sampler: Sampler, make: Decode) -> tuple[Sampler, Decode]:
        levels = synthesis.quantiles(sampler, make, rows)
        return sampler, lambda x: as_stored(synthesis.matched(make(x), levels, columns))

    wanted, more = name.removeprefix("samplers."), {"components": components}
    make = partial(samplers.sampler(name, what="task.sampler"), key, model, params)
    chosen = make(codes, **(more if wanted == "mixture" else {}))
    of_rows = {"mixture of rows": partial(samplers.mixture, **more), "gaussian of rows": samplers.gaussian}
    scaled = (key, model, params, _scaler(dataset)(_filled(rows, dataset)))
    of_rows = attempted({each: partial(fit, *scaled) for each, fit in of_rows.items()})
    makers = {wanted: matching(chosen, of_codes)}
    makers |= {each: (sampler, lambda x: as_stored(of_scaled(x))) for each, sampler in of_rows.items()}
    if "mixture of rows" in of_rows:
        makers["matched mixture of rows"] = matching(of_rows["mixture of rows"], of_scaled)
    return makers | {"independent columns": (_independent(rows, columns), lambda x: x)}


def _independent(rows: np.ndarray, columns: tuple[Column, ...]) -> Sampler:
    """Draws each column from what was observed of it in some rows, by itself."""

    def draw(random: Random, count: int) -> np.ndarray:
        parts = [rows[:, column.start : column.start + column.size] for column in columns]
        parts = [part[~np.isnan(part[:, 0])] for part in parts]
        return np.concatenate([part[random.integers(0, len(part), count)] for part in parts], 1)

    return Sampler(draw)


def _filled(rows: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Rows with the mean of the column where a value is missing."""
    return rows if dataset.means is None else np.where(np.isnan(rows), dataset.means.reshape(-1), rows)


def _scaler(dataset: Dataset) -> Decode:
    """Rows as they are stored -> as the net sees them, the same number for the same value."""
    shift, scale = (np.asarray(each, np.float32).reshape(-1) for each in (dataset.shift, dataset.scale))
    return lambda x: (x - shift) * scale


def _compared(
    made: Mapping[str, np.ndarray], holes: np.ndarray | None, rows: np.ndarray, dataset: Dataset, random: Random
) -> dict[str, Numbers]:
    """The measures of each set of rows against the test rows, and how near they come to the training rows."""
    features, columns = _compared_columns(dataset)
    scaled, real = _scaler(dataset), ranges.observed(dataset.test)
    order = random.permutation(len(real))
    real, held_out = real[order][:, features], scaled(dataset.test.x.reshape(len(real), -1)[order])
    held_out = held_out[: min(len(rows), LOOKED_UP)]
    train = scaled(rows)
    few = train[random.permutation(len(train))[: len(held_out)]]
    threshold = np.quantile(metrics.nearest_rows(held_out, train)[1], COPY)
    count, measures = min(len(real), len(rows)), {}  # so that no training row stands twice among what is told apart
    for name, x in made.items():
        seen = np.where(False if holes is None else holes, np.nan, x)[:, features]
        near = scaled(x[:LOOKED_UP])
        measures[name] = {
            "c2st_auc": metrics.c2st_auc(real[: min(count, len(seen))], seen[:count]),
            "column_error": metrics.column_error(real, seen, columns),
            "pair_error": metrics.pair_error(real, seen, columns),
            "nearer_to_training": metrics.nearer_to_training(near, few, held_out),
            "copies": float((metrics.nearest_rows(near, train)[1] <= threshold).mean()),
        }
    return measures


def _compared_columns(dataset: Dataset) -> tuple[np.ndarray, list[Column]]:
    """The features of all columns but the parts of the calendar of dates, and these columns of them."""
    dates = [each.partition("=")[0] for each in dataset.reading.dates] if dataset.reading else ()
    features, columns = [], []
    for column in ranges.of(dataset).columns:
        if column.name not in calendar_parts(dates):
            columns.append(replace(column, start=len(features)))
            features += range(column.start, column.start + column.size)
    return np.array(features), columns


def usefulness(
    fit: Callable[..., Makers], dataset: Dataset, train: Outputs, test: np.ndarray, components: int, random: Random
) -> Numbers:
    """Accuracy on test rows of a random forest trained on rows that each sampler, fitted class by class, makes.

    A mixture has its share of the components in each class, at least one and at most one for two rows.
    """
    from sklearn.ensemble import RandomForestClassifier

    labels, parts = dataset.train.labels, {}
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        of_class = labels == label
        if count < 3:
            continue
        share = int(np.clip(round(components * of_class.mean()), 1, count // 2))
        for name, (sampler, make) in fit(train.x[of_class], train.code[of_class], share).items():
            if name != "prior":  # which is the same for every class
                parts.setdefault(name, []).append((make(sampler.draw(random, count)), np.full(count, label)))
    sets = {name: tuple(map(np.concatenate, zip(*pairs, strict=True))) for name, pairs in parts.items()}
    sets["training rows"] = train.x, labels
    forest = lambda x, y: RandomForestClassifier(100, random_state=0).fit(x, y)
    return {name: float((forest(x, y).predict(test) == dataset.test.labels).mean()) for name, (x, y) in sets.items()}
