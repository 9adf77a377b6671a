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
from aejax.tasks.common import Decode, Numbers, Outputs, Random, attempted, decoder, fitted_pca, generator, outputs
from aejax.types import Column, Dataset, Evaluation, Model, Params, Sampler

LOOKED_UP = 1000  # made rows whose nearest rows are searched
COPY = 0.01  # share of test rows that are as near to a training row as what counts as a copy
IN_PLANE = 1000

Makers = Mapping[str, tuple[Sampler, Decode]]


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, name: str, components: int, samples: int
) -> Evaluation:
    """Made rows as `aejax.tasks.synthesis.sample` makes them, beside the test rows of a table.

    Rows of the baselines are cut to the range of their columns and rounded alike, their categories the likeliest ones.
    Where training rows have holes, made ones get those of training rows drawn at random before they are compared; of
    dates the days are.

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
    flat = lambda split: split.x.reshape(len(split.x), -1).astype(np.float32)
    rows, test, wanted = flat(dataset.train), flat(dataset.test), name.removeprefix("samplers.")
    fit = partial(_makers, name, jax.random.fold_in(key, 1), model, params, dataset, synthesis.missed(train), random)
    makers = fit(rows, train.code, components)
    again = np.resize(random.permutation(len(rows)), samples)
    made = {each: make(sampler.draw(random, samples)) for each, (sampler, make) in makers.items()}
    made["training rows"] = rows[again]
    holes = None if dataset.train.mask is None else ~dataset.train.mask[again]
    numbers = _compared(made, holes, rows, dataset, random)
    if dataset.train.labels is not None and dataset.test.labels is not None:
        for each, accuracy in usefulness(fit, dataset, train._replace(x=rows), test, components, random).items():
            if each in numbers:  # else a sampler that serves some classes, and not all rows
                numbers[each]["accuracy"] = accuracy
    scaled = _scaler(dataset)
    to_plane = fitted_pca(scaled(rows), 2).transform
    plane = {each: to_plane(scaled(few[:IN_PLANE])) for each, few in made.items()}
    kept = synthesis.kept(makers[wanted][0], train, dataset)
    return Evaluation({"test": numbers.pop(wanted)}, numbers, {"plane": plane}, kept)


def _makers(
    name: str,
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    spread: np.ndarray,
    random: Random,
    rows: np.ndarray,
    codes: np.ndarray,
    components: int,
) -> Makers:
    """By name, where codes or scaled rows are drawn from, and what makes rows of them, float32 as they are stored."""
    bounds, decimals, decode = ranges.of(dataset), ranges.decimals(dataset), decoder(model, params)
    shift, scale = (np.asarray(each, np.float64).reshape(-1) for each in (dataset.shift, dataset.scale))
    as_stored = lambda x: stored(synthesis.finished(x, bounds, decimals), bounds.origin, bounds.log).astype(np.float32)
    of_scaled = lambda x: as_stored(x / scale + shift)
    of_codes = lambda z: as_stored(synthesis.drawn(decode(z) / scale + shift, spread / scale, bounds.columns, random))
    wanted, more = name.removeprefix("samplers."), {"components": components}
    make = partial(samplers.sampler(name, what="task.sampler"), key, model, params)
    fitted = {wanted: (make(codes, **(more if wanted == "mixture" else {})), of_codes)}
    of_rows = (key, model, params, _scaler(dataset)(rows))
    baselines = attempted(
        {
            "mixture of rows": partial(samplers.mixture, *of_rows, **more),
            "gaussian of rows": partial(samplers.gaussian, *of_rows),
        }
    )
    fitted |= {each: (sampler, of_scaled) for each, sampler in baselines.items()}
    return fitted | {"independent columns": (_independent(rows, bounds.columns), lambda x: x)}


def _independent(rows: np.ndarray, columns: tuple[Column, ...]) -> Sampler:
    """Draws each column from those of the rows, by itself."""

    def draw(random: Random, count: int) -> np.ndarray:
        parts = [slice(column.start, column.start + column.size) for column in columns]
        return np.concatenate([rows[random.integers(0, len(rows), count), part] for part in parts], 1)

    return Sampler(draw)


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
    measures = {}
    for name, x in made.items():
        seen = np.where(False if holes is None else holes, np.nan, x)[:, features]
        near = scaled(x[:LOOKED_UP])
        measures[name] = {
            "c2st_auc": metrics.c2st_auc(real[: len(seen)], seen[: len(real)]),
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
