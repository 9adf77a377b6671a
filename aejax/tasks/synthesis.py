"""New rows: codes that a sampler draws, decoded, in the form of the data; also with some of their values given."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.data.scaling import original
from aejax.errors import UserError
from aejax.storage import records
from aejax.tasks import ranges, samplers
from aejax.tasks.common import Decode, Outputs, Pair, Random, decoder, generator
from aejax.tasks.ranges import Ranges
from aejax.types import Column, Dataset, Kept, Model, Params, Sampler

NORMALS = ("weights", "means", "covariances")  # of a sampler
TRIED, MOST_TRIED = 50, 200_000  # codes for each row whose values are given, and of all together
LEAST_NOISE = 1e-3  # of the range of a column, where its given value has to fit a row
PROBABILITIES = np.linspace(0, 1, 501)  # of the quantiles that columns are matched by
DRAWN, FEWEST_AND_MOST = 10_000_000, (500, 5000)  # values, and rows, whose quantiles stand for those of made rows
SEVERAL = 5  # rows for each value of a column that has no values between these
FEW = 10  # codes that stand behind rows with given values, below which a person is told


class Quantiles(NamedTuple):
    """Quantiles of each feature of made rows and of training rows, values as stored, at k equidistant probabilities.

    Attributes:
        made: (k, n) of rows as they are made; float64.
        real: (k, n) of the training rows, each a value of one of them.
        few: (n,) bool, whether each training value stands in several rows, so that made ones are never between them.
    """

    made: np.ndarray
    real: np.ndarray
    few: np.ndarray


def kept(sampler: Sampler, train: Outputs, dataset: Dataset, model: Model, params: Params) -> Kept | None:
    """What new rows are made by: the sampler, where it is a mixture of normal distributions; else None.

    Beside it stand the standard deviation of what the decoder misses of each scaled value, ``"noise"``, what each
    column can hold, its ``"decimals"`` and, of a table, the `Quantiles`.
    """
    if sampler.normals is None:
        return None
    bounds = ranges.of(dataset)
    arrays, info = ranges.to_keep(bounds)
    tree = dict(zip(NORMALS, sampler.normals, strict=True)) | {"noise": missed(train)}
    tree |= arrays | {"decimals": ranges.decimals(dataset)}
    if dataset.kind == "table":
        make = maker(model, params, dataset, missed(train), bounds.columns, np.random.default_rng(0))
        tree |= quantiles(sampler, make, ranges.observed(dataset.train))._asdict()
    return Kept(tree, info)


def maker(
    model: Model, params: Params, dataset: Dataset, noise: np.ndarray, columns: Sequence[Column], random: Random
) -> Decode:
    """Codes (m, d) to rows (m, n) as stored, float64, with what the decoder misses of scaled values as noise."""
    decode = decoder(model, params)
    shift, scale = (np.asarray(each, np.float64).reshape(-1) for each in (dataset.shift, dataset.scale))
    return lambda codes: drawn(decode(codes) / scale + shift, noise / scale, columns, random)


def quantiles(sampler: Sampler, make: Decode, train: np.ndarray) -> Quantiles:
    """The quantiles of rows that are made of drawn codes, and of training rows (m, n), NaN where a value is missing."""
    made = make(sampler.draw(np.random.default_rng(0), int(np.clip(DRAWN // train.shape[1], *FEWEST_AND_MOST))))
    train = train.astype(np.float64)
    real = np.nanquantile(train, PROBABILITIES, axis=0, method="nearest")
    distinct = [len(np.unique(column[~np.isnan(column)])) for column in train.T]
    few = np.array(distinct) * SEVERAL <= (~np.isnan(train)).sum(0)
    return Quantiles(np.quantile(made, PROBABILITIES, axis=0), real, few)


def matched(x: np.ndarray, quantiles: Quantiles, columns: Sequence[Column]) -> np.ndarray:
    """Made rows (m, n) as stored, each column of numbers with the quantiles of the real one: G⁻¹(F(x)).

    F and G are the distribution functions of made and of real values.

    References:
        Panofsky & Brier 1958, Some applications of statistics to meteorology (quantile mapping).
    """
    out = x.copy()
    for at in (column.start for column in columns if not column.categories):
        real = quantiles.real[:, at]
        share = np.interp(x[:, at], quantiles.made[:, at], PROBABILITIES)
        steps = real[np.rint(share * (len(real) - 1)).astype(int)]
        out[:, at] = steps if quantiles.few[at] else np.interp(share, PROBABILITIES, real)
    return out


def unmatched(x: np.ndarray, quantiles: Quantiles, columns: Sequence[Column]) -> np.ndarray:
    """The values (n,), NaN where any, that `matched` makes these of."""
    out = x.copy()
    for at in (column.start for column in columns if not column.categories):
        if not np.isnan(x[at]):
            same = (np.searchsorted(quantiles.real[:, at], x[at], side) for side in ("left", "right"))
            share = np.mean([*same]) / len(PROBABILITIES)
            out[at] = np.interp(share, PROBABILITIES, quantiles.made[:, at])
    return out


def missed(train: Outputs) -> np.ndarray:
    """The standard deviation of what the decoder misses of each scaled value, (n,)."""
    misses = np.square(train.x - train.x_hat, dtype=np.float64)
    return np.nan_to_num(np.sqrt(misses.mean(0, where=True if train.mask is None else train.mask)))


def sample(
    key: jax.Array,
    model: Model,
    params: Params,
    scaling: Pair,
    of_run: Kept | None,
    count: int,
    *,
    given: np.ndarray | None = None,
    noise: float = 1.0,
) -> np.ndarray:
    """New rows x = x̂(z) + s ε, with z from the sampler that a run kept, ε standard normal, s what the decoder misses.

    A category is drawn by the probabilities that the decoder gives. Of a table each column of numbers then gets the
    quantiles of the training rows (`matched`), unless there is no noise. Numbers stay in the range of their column, and
    have as many decimals as those that the net was trained on. With given values x_g, codes z are drawn in proportion
    to p(z) p(x_g | z), by resampling many from p(z) with weights N(x_g; x̂_g(z), s²), or by the probability of the
    category.

    Args:
        key: of what is drawn.
        model: the autoencoder.
        params: its parameters.
        scaling: shift and scale of the data, (n,) or ().
        of_run: what `kept` left.
        count: m, how many rows.
        given: (n,) values as they are stored, NaN where a row may have any; None: everywhere.
        noise: factor of s.

    Returns:
        (m, n) float64, in the units of the data.

    Raises:
        UserError: the run kept no sampler, or a given value lies outside the range of its column.

    References:
        Smith & Gelfand 1992, Bayesian statistics without tears: a sampling-resampling perspective, section 3.
    """
    sampler, spread, bounds = _read(of_run, model)
    levels = Quantiles(*map(of_run.tree.get, Quantiles._fields)) if "made" in of_run.tree and noise else None
    random, decode = generator(key), decoder(model, params)
    shift, scale = (np.asarray(each, np.float64).reshape(-1) for each in scaling)
    rows = lambda codes: decode(codes).astype(np.float64) / scale + shift
    spread = spread / scale
    if given is None or np.isnan(given).all():
        made = rows(sampler.draw(random, count))
    else:
        many, wanted = rows(sampler.draw(random, min(TRIED * count, MOST_TRIED))), given
        _refuse_unseen(given, bounds)
        if levels is not None:
            wanted = unmatched(given, levels, bounds.columns)
        made = _that_fit(many, wanted, spread, bounds, count, random)
    decimals = of_run.tree.get("decimals", np.full(bounds.low.shape, -1))  # of older runs: as they are
    made = drawn(made, noise * spread, bounds.columns, random)
    out = finished(made if levels is None else matched(made, levels, bounds.columns), bounds, decimals)
    return out if given is None else np.where(np.isnan(given), out, original(given, bounds.origin, bounds.log))


def drawn(rows: np.ndarray, spread: np.ndarray, columns: Sequence[Column], random: Random) -> np.ndarray:
    """Rows, (m, n) as stored, by what a decoder says of them: numbers with noise, categories by their probabilities."""
    out = rows + spread * random.normal(size=rows.shape)
    for column in columns:
        part = slice(column.start, column.start + column.size)
        if column.categories:
            out[:, part] = _drawn(rows[:, part], random)
    return out


def finished(x: np.ndarray, bounds: Ranges, decimals: np.ndarray) -> np.ndarray:
    """Rows that the columns can hold, in the units of the data, from such as are stored, (m, n)."""
    return ranges.written(original(ranges.possible(x, bounds), bounds.origin, bounds.log), decimals)


def _read(of_run: Kept | None, model: Model) -> tuple[Sampler, np.ndarray, Ranges]:
    """The sampler that a run kept, the noise, and what columns can hold."""
    if of_run is None:
        line = "sample: the run kept no sampler: it is older than that, or its task.sampler is no mixture of normals"
        raise UserError(f"{line}; allowed: task.sampler=mixture, gaussian, normal or prior")
    normals, noise = [np.asarray(of_run.tree.get(name, ())) for name in NORMALS], np.asarray(of_run.tree.get("noise"))
    if "columns" not in of_run.info:
        raise UserError("sample: the run is older than samples in the form of the data; train it again")
    info = records.check(of_run.info, ranges.INFO, "what the run kept", "info")
    bounds = ranges.read(of_run.tree, info["columns"], noise.size)
    j, d = normals[0].size, model.code_size
    if not j or bounds is None or [each.shape for each in normals] != [(j,), (j, d), (j, d, d)]:
        raise UserError("what the run kept is damaged: it holds no sampler of codes")
    return samplers.of_normals(*normals), noise.reshape(-1), bounds


def _that_fit(
    tried: np.ndarray, given: np.ndarray, spread: np.ndarray, bounds: Ranges, count: int, random: Random
) -> np.ndarray:
    """As many of some rows, with repetition, in proportion to how likely they make the given values."""
    width = np.maximum(spread, LEAST_NOISE * (bounds.high - bounds.low))
    log = _log_likelihood(np.broadcast_to(given, tried.shape), tried, width, bounds)
    weights = np.exp(log - log.max())
    weights /= weights.sum()
    if (effective := 1 / np.square(weights).sum()) < FEW:
        console.say(f"sample: few of {len(tried)} codes fit what is given ({effective:.1f}), so rows are alike")
    return tried[random.choice(len(tried), count, p=weights)]


def _refuse_unseen(given: np.ndarray, bounds: Ranges) -> None:
    """Refuse a given number outside the range of its column."""
    for column in bounds.columns:
        at = column.start
        if column.categories or np.isnan(given[at]) or bounds.low[at] <= np.float32(given[at]) <= bounds.high[at]:
            continue  # as they were read
        low, high = (original(each, bounds.origin, bounds.log)[at] for each in (bounds.low, bounds.high))
        shown = lambda end: np.format_float_positional(
            np.float32(end) if float(np.float32(end)) == end else end, trim="-"
        )
        raise UserError(f"given: {column.name} lies outside of what was seen; allowed: {shown(low)} to {shown(high)}")


def _log_likelihood(x: np.ndarray, mean: np.ndarray, width: np.ndarray, bounds: Ranges) -> np.ndarray:
    """log p(x | z) of rows by decoded ones, (m, n) each: Σ log N(x; mean, width²), and of categories their chance.

    Values that are NaN are left out.
    """
    log = np.zeros(len(x))
    for column in bounds.columns:
        part, at = slice(column.start, column.start + column.size), column.start
        if column.categories:
            values = x[:, part]
            levels = values[:, 0] > 0.5 if column.size == 1 else np.nan_to_num(values).argmax(1)
            chances = np.take_along_axis(_chances(mean[:, part]), levels.astype(int)[:, None], 1)[:, 0]
            each = np.log(np.maximum(chances, np.finfo(float).tiny))
        else:
            z = (x[:, at] - mean[:, at]) / width[at]
            each = -np.square(z) / 2 - np.log(width[at] * np.sqrt(2 * np.pi))
        log += np.where(np.isnan(x[:, at]), 0, each)
    return log


def log_density(model: Model, of_run: Kept | None, codes: np.ndarray, x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """log p(z) + log p(x | z) of rows and their codes z, in nats: what `sample` draws from, before it matches columns.

    Args:
        model: the autoencoder.
        of_run: what `kept` left.
        codes: (m, d) z = f(x).
        x: (m, n) scaled rows, NaN where a value is missing, which is left out.
        x_hat: (m, n) scaled, the decoder's rows of the codes.

    Returns:
        (m,) float64, of scaled values.

    Raises:
        UserError: the run kept no sampler.
    """
    sampler, spread, bounds = _read(of_run, model)
    width = np.maximum(spread, LEAST_NOISE)  # a column that the decoder knows exactly, up to float32
    return sampler.log_prob(codes) + _log_likelihood(x, x_hat, width, bounds)


def _chances(part: np.ndarray) -> np.ndarray:
    """The probabilities of the categories of a column, (m, k), of its features in decoded rows."""
    chances = np.concatenate([1 - part, part], 1) if part.shape[1] == 1 else part
    chances = np.maximum(chances, 1e-12)
    return chances / chances.sum(1, keepdims=True)


def _drawn(part: np.ndarray, random: Random) -> np.ndarray:
    """The features of categories drawn by their probabilities."""
    ends = _chances(part).cumsum(1)
    levels = np.minimum((random.random((len(part), 1)) >= ends).sum(1), ends.shape[1] - 1)
    return levels[:, None].astype(np.float64) if part.shape[1] == 1 else np.eye(part.shape[1])[levels]
