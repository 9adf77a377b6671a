"""Disjoint training, validation and test rows, and folds, as pure functions of the seed."""

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from aejax.data import sparse
from aejax.data.scaling import fit, moments
from aejax.errors import UserError
from aejax.types import Column, Dataset, Split

DEFAULT_TEST = 0.2  # where a data set has no test rows of its own
TRAINING = ("train", "training", "validation", "valid", "val", "dev")


class Raw(NamedTuple):
    """A data set before it is split and scaled; missing values are NaN.

    Attributes:
        train: the rows of the official training part, or all rows.
        test: the rows of the official test part; None where there is none.
        kind: ``"image"``, ``"table"``, ``"text"`` or ``"synthetic"``.
        licence: the licence of the data.
        source: where it comes from, in one line.
        bounds: the least and greatest value that can occur, where known; else None.
        label_names: one name for each class.
        feature_names: one name for each feature.
        columns: of a table with categories, as in `Dataset.columns`.
        understood: how a file was read, as in `Dataset.understood`.
        reading: how other rows are read alike, as in `Dataset.reading`.
        origin: what values are counted from, as in `Dataset.origin`.
        log: the columns of which the logarithm is stored, as in `Dataset.log`.
        documents: how documents became rows, as in `Dataset.documents`.
    """

    train: Split
    test: Split | None = None
    kind: str = "table"
    licence: str = "your own"
    source: str = ""
    bounds: tuple[float, float] | None = None
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    understood: tuple[str, ...] = ()
    reading: Any = None
    origin: np.ndarray = np.zeros(())
    log: np.ndarray = np.zeros((), bool)
    documents: Any = None


def rows_or_images(x: np.ndarray, what: str, hint: str = "", channels: str | None = None) -> np.ndarray:
    """An array of numbers as rows, (m, features), or images with their channels last, (m, height, width, channels).

    Args:
        x: the array; images of one channel may lack its axis.
        what: is read, for messages.
        hint: on what reads what is no array of numbers.
        channels: ``"first"`` or ``"last"``, where they stand in `x`; None: last, and a shape that looks like channels
            before height and width, which is smaller than both, or larger than both where these are equal, and not
            followed by at most 4, is refused.

    Raises:
        UserError: what it is, its type or shape, and what is allowed.
    """
    if x.dtype.kind not in "biuf":
        raise UserError(f"{what}: holds values of type {x.dtype}; numbers are needed{hint}")
    shape = x.shape
    if len(shape) not in (2, 3, 4) or 0 in shape:
        raise UserError(
            f"{what}: has the shape {shape}; allowed: (rows, features), (rows, height, width) or (rows, height, width, "
            "channels), with one row or more"
        )
    if len(shape) == 3:
        return x[..., None]
    if len(shape) == 4 and channels is None and _channels_first(shape):
        raise UserError(
            f"{what}: has the shape {shape}, which looks like images with their channels first; allowed: (rows, "
            "height, width, channels), such as numpy.moveaxis(x, 1, 3), or to say which: channels=first, or last"
        )
    return np.moveaxis(x, 1, 3) if len(shape) == 4 and channels == "first" else x


def _channels_first(shape: tuple[int, ...]) -> bool:
    """Whether a shape of images, (rows, a, b, c), looks like channels before height and width."""
    _, first, second, last = shape
    return first < second == last or (last > 4 and (first < min(second, last) or first > second == last))


def check_columns(mask: np.ndarray | None, names: Sequence[str], where: object, advice: str = "") -> None:
    """Refuse rows to train on of which a column was never observed; one row or two to be filled may be so.

    Raises:
        UserError: naming the first such column.
    """
    empty = [] if mask is None else np.argwhere(~mask.any(axis=0))
    if len(empty):
        column = repr(names[empty[0][0]]) if names else tuple(map(int, empty[0]))
        raise UserError(f"{where}: every value of column {column} is missing; drop the column{advice}")


def numbered(raw: Raw) -> Raw:
    """A data set whose rows know their places in its file; where they did not, those of a test part come last."""
    if raw.train.source_index is not None:
        return raw
    count = len(raw.train.x)
    at = lambda part, start: part and part._replace(source_index=start + np.arange(len(part.x)))
    return raw._replace(train=at(raw.train, 0), test=at(raw.test, count))


def official_parts(words: Sequence[str], what: str) -> tuple[np.ndarray, list[str]]:
    """Which rows are test rows by a word for each, and a line on it; none where the words say something else.

    Args:
        words: ``"test"``, or one of `TRAINING`, in either case.
        what: says so, for the line.

    Returns:
        (m,) bool, and a line or none.
    """
    words = np.array([word.lower() for word in words], str)
    is_test = words == "test"
    if not is_test.any() or is_test.all() or not np.isin(words[~is_test], TRAINING).all():
        return np.zeros(len(words), bool), []
    others = sorted(set(words[~is_test]) - {"train", "training"})
    more = f", {' and '.join(others)} ones among them" if others else ""
    return is_test, [f"{what} {is_test.sum()} test rows and {(~is_test).sum()} training rows{more}"]


def permutation(seed: int, rows: int) -> np.ndarray:
    """A permutation of ``range(rows)`` that depends on nothing but the seed and the number of rows.

    It sorts the raw output of Philox, a stream that NumPy promises never to change; the shuffles of
    `numpy.random.Generator` carry no such promise.

    Args:
        seed: a whole number, not negative.
        rows: how many.

    Returns:
        (rows,) int64.
    """
    return np.argsort(np.random.Philox(seed).random_raw(rows), kind="stable")


def split(raw: Raw, *, validation: float, test: float | None, seed: int) -> tuple[Split, Split, Split]:
    """Training, validation and test rows, each in the order in which they are stored.

    The test rows are the official ones where there are any and `test` is None; otherwise all rows are pooled
    and round(test · rows) of them are drawn. Then round(validation · rest) of the rest are drawn. A fraction
    above zero draws at least one row.

    Args:
        raw: the data set.
        validation: fraction of the rows that are not test rows, in [0, 1).
        test: fraction of all rows, in [0, 1); None for the official split, or 0.2 where there is none.
        seed: a whole number, not negative.

    Returns:
        Three splits without a common row.

    Raises:
        UserError: no training row is left, or a seed that draws nothing.
    """
    if raw.test is not None and test is None:
        rest, held_out = raw.train, raw.test
        order = permutation(seed, len(rest.x))
    else:
        rows = pooled(raw)
        order = permutation(seed, len(rows.x))
        drawn = count(DEFAULT_TEST if test is None else test, len(order))
        rest, held_out, order = rows, take(rows, order[:drawn]), order[drawn:]
    drawn = count(validation, len(order))
    if seed and not drawn and (held_out is raw.test or not len(held_out.x)):
        raise UserError("data.split_seed: no validation and no test rows are drawn; allowed: 0, or another split")
    if drawn >= len(order):
        raise UserError(
            f"data: no training row is left of {len(rest.x)} rows with validation={validation}, test={test};"
            " make the fractions smaller"
        )
    return take(rest, order[drawn:]), take(rest, order[:drawn]), held_out


def take(rows: Split, indices: np.ndarray) -> Split:
    """The rows at these indices, in stored order; all of them without a copy."""
    if len(indices) == len(rows.x):
        return rows
    indices = np.sort(indices)
    return Split(*(None if a is None else a.take(indices, axis=0) for a in rows))


def count(fraction: float, rows: int) -> int:
    """A fraction of some rows as a number of rows: at least one where the fraction is above zero."""
    return max(1, int(fraction * rows + 0.5)) if fraction > 0 else 0


def with_rows(dataset: Dataset) -> dict[str, Split]:
    """The splits of a data set that have rows, by name: of ``"train"``, ``"validation"`` and ``"test"``."""
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {name: split for name, split in splits.items() if len(split.x)}


def pooled(raw: Raw) -> Split:
    """The rows of both official parts, in stored order."""
    return raw.train if raw.test is None else concatenate(raw.train, raw.test)


def concatenate(a: Split, b: Split) -> Split:
    """The rows of two splits, one after the other; labels, coordinates only where both have them."""
    join = lambda left, right: None if left is None or right is None else sparse.concatenate((left, right))
    if a.mask is not None or b.mask is not None:
        a, b = (with_mask(part) for part in (a, b))
    return Split(*map(join, a, b))


def with_mask(rows: Split) -> Split:
    """Rows with a mask, even where every value was observed."""
    return rows if rows.mask is not None else rows._replace(mask=np.ones(rows.x.shape, bool))


# Cross-validation.


def every_row(dataset: Dataset) -> Split:
    """Training, validation and test rows, one after the other."""
    return reduce(concatenate, with_rows(dataset).values())


def stratified(dataset: Dataset, *, folds: int, repeats: int, seed: int) -> list[Dataset]:
    """Every row of a data set is a test row of one fold of each repeat, and each fold has each class in its share.

    All folds have equally many training rows, so that nets of all of them are one compiled program: those with one
    more leave out the last row of their largest class.

    Args:
        dataset: with labels; training, validation and test rows are pooled.
        folds: K, of a repeat; each class has at least as many rows.
        repeats: how often the rows are shuffled and cut again.
        seed: of the shuffles.

    Returns:
        Data sets without validation rows, K for each repeat in turn. Scaling and the filling of gaps come from their
        own training rows.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    rows = every_row(dataset)
    folds_of = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    cuts = list(folds_of.split(rows.x, rows.labels))
    fewest = min(len(train) for train, _ in cuts)
    none = take(rows, np.zeros(0, int))
    parts = [(take(rows, _thinned(train, rows.labels, fewest)), take(rows, test)) for train, test in cuts]
    return [rescaled(dataset._replace(train=train, validation=none, test=test)) for train, test in parts]


def _thinned(chosen: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """The first `count` of the chosen rows, or all but as many of the last ones of their largest class."""
    largest = np.flatnonzero(labels[chosen] == np.bincount(labels[chosen]).argmax())
    return np.delete(chosen, largest[len(largest) - (len(chosen) - count) :])


def rescaled(dataset: Dataset) -> Dataset:
    """A data set whose gaps are filled, and whose values are scaled, by what its training rows say now.

    The scaling of images by their pixels' range is that of all their rows, and stays as it is.

    Args:
        dataset: whose splits were replaced by others of the same data.
    """
    again = scaled(dataset)
    if dataset.kind == "image" and dataset.scaling not in ("standard", "robust"):
        return again._replace(shift=dataset.shift, scale=dataset.scale, range=dataset.range)
    return again


def scaled(dataset: Dataset, bounds: tuple[float, float] | None = None) -> Dataset:
    """A data set whose gaps are filled, and whose values are scaled, as its training rows ask for.

    Args:
        dataset: with the rule of its scaling, and NaN where a value is missing.
        bounds: the least and greatest value that can occur, where known.

    Returns:
        The data set; a missing value holds the mean of its feature's training values, and the masks stay.

    Raises:
        UserError: a feature has no observed value among the training rows.
    """
    parts, mean = (dataset.train, dataset.validation, dataset.test), None
    if any(part.mask is not None for part in parts):
        parts = tuple(map(with_mask, parts))
        check_columns(parts[0].mask, dataset.feature_names, "data: training rows", " or choose another split_seed")
        mean = moments(parts[0].x, parts[0].mask)[0].astype(np.float32)
        parts = tuple(part._replace(x=np.where(part.mask, part.x, mean)) for part in parts)
    train, validation, test = parts
    options = {"bounds": bounds, "per_feature": dataset.kind != "image", "columns": dataset.columns}
    fitted = fit(train.x, train.mask, scaling=dataset.scaling, **options)
    return dataset._replace(train=train, validation=validation, test=test, means=mean, **fitted._asdict())
