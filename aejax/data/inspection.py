"""What a person should know of a table before a net is trained on it: how it was read, copies, constant columns."""

from collections.abc import Iterator, Sequence

import numpy as np

from aejax.data.scaling import extremes, original, scale
from aejax.data.splits import Raw, with_rows
from aejax.types import Column, Dataset, Split

OWN = ("file:", "images:", "texts:")  # kinds of a person's own data
NAMED = 5  # columns in a line
LEAST_ROWS = 20  # of a column that may be skewed


def columns_of(dataset: Dataset | Raw) -> tuple[Column, ...]:
    """The columns of a table, those of numbers alone too; none where features have no names."""
    return dataset.columns or tuple(Column(name, at) for at, name in enumerate(dataset.feature_names))


def _listed(names: Sequence[str], between: str = " ") -> str:
    """The first names in a line, and how many more there are."""
    more = f"{between}and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def described(dataset: Dataset) -> list[str]:
    """Lines on a data set that was read from a file; none of others."""
    if not dataset.name.startswith(OWN):
        return []
    classes = [] if dataset.name.startswith(OWN[1:]) else _of_classes(dataset)  # which have been counted already
    lines = [*dataset.understood, *_of_columns(dataset), *classes, _of_scaling(dataset)]
    others = (copies(dataset), constant_columns(dataset), copied_columns(dataset))
    return [f"{dataset.name}: {line}" for line in lines] + [line for line in others if line is not None]


def _of_columns(dataset: Dataset) -> list[str]:
    """What the columns of a table hold, their range, what is missing, and how many different values there are."""
    if dataset.kind != "table":
        return []
    columns = columns_of(dataset)
    numbers = [column for column in columns if not column.categories]
    kinds = f"{len(numbers)} columns of numbers"
    if categories := [repr(column.name) for column in columns if column.categories]:
        kinds += f" and {len(categories)} of categories ({_listed(categories)})"
    lines = [f"{kinds}, from {columns[0].name!r} to {columns[-1].name!r}"]
    if not numbers:
        return lines
    values = np.concatenate([_values(split)[:, [c.start for c in numbers]] for split in with_rows(dataset).values()])
    of_numbers = lambda each: np.broadcast_to(each, dataset.feature_shape)[[c.start for c in numbers]]
    values = original(values, of_numbers(dataset.origin), of_numbers(dataset.log))
    low, high = np.nanmin(values, 0), np.nanmax(values, 0)
    different = [len(np.unique(column[~np.isnan(column)])) for column in values.T]
    at = lambda which: repr(numbers[int(which)].name)
    return [
        *lines,
        f"numbers from {low.min():g} (in {at(low.argmin())}) to {high.max():g} (in {at(high.argmax())}), "
        f"{np.mean(np.isnan(values)):.1%} missing, {min(different)} (in {at(np.argmin(different))}) to "
        f"{max(different)} (in {at(np.argmax(different))}) different ones in a column",
    ]


def _values(split: Split) -> np.ndarray:
    """Rows as they were read, NaN where a value is missing: (m, n) float64."""
    x = split.x if split.truth is None else split.truth
    return np.where(True if split.mask is None or split.truth is not None else split.mask, x, np.nan).astype(np.float64)


def _of_classes(dataset: Dataset) -> list[str]:
    names = list(map(repr, dataset.label_names))
    return [f"labels of {len(names)} classes: {_listed(names, ', ')}"] if names else []


def _of_scaling(dataset: Dataset) -> str:
    """How the values are scaled before a net sees them."""
    if dataset.scaling == "none":
        return "values are not scaled"
    if dataset.kind == "text":
        ends = {"standard": "their root mean square"}.get(dataset.scaling, "the greatest one")
        return f"all values are divided by {ends} in the training rows"
    if dataset.scaling == "standard":
        return "scaled to mean 0 and standard deviation 1 in the training rows"
    if dataset.scaling == "robust":
        return "scaled to median 0, and by the quartiles of the training rows to the spread of standard deviation 1"
    ends = {"unit": "[0, 1]", "signed": "[-1, 1]"}[dataset.scaling]
    if np.ndim(dataset.shift):
        return f"scaled to {ends}, each column from its least to its greatest training value"
    low = float(dataset.shift) - (1 / float(dataset.scale) if dataset.scaling == "signed" else 0)
    high = float(dataset.shift) + 1 / float(dataset.scale)
    return f"scaled to {ends}, all values from {low:g} to {high:g}"


def after_scaling(dataset: Dataset) -> list[str]:
    """Lines on the columns of a table whose training values are hard to tell apart as a net sees them.

    That is where float32 makes values equal that were different before they were scaled; and, of z-scores, where more
    than half of the sum of squares of a column of more than two values lies in 1 % of its rows (in one row, of fewer
    than 200): the others are then almost equal.
    """
    lines = []
    for column, before, after in _scaled_columns(dataset):
        different, others = (1 + int((np.diff(each) != 0).sum()) for each in (before, after))
        if others < 0.99 * different:
            lines.append(f"column {column.name!r}: scaled, float32 makes {others} values of {different} different ones")
        if dataset.scaling == "standard":
            lines += _skewed(column.name, before, after)
    return lines


def for_logarithms(dataset: Dataset) -> tuple[str, ...]:
    """The columns of positive numbers of whose squared z-scores a few rows have more than half.

    Args:
        dataset: a table whose scaling is ``"standard"``.
    """
    origin = np.broadcast_to(dataset.origin, dataset.feature_shape)
    parts = [part for part in (dataset.train, dataset.validation, dataset.test) if len(part.x)]
    observed = lambda part, at: part.x[:, at] if part.mask is None else part.x[part.mask[:, at], at]
    positive = lambda at: all((observed(part, at) + origin[at] > 0).all() for part in parts)
    return tuple(
        column.name
        for column, before, after in _scaled_columns(dataset)
        if _share_of_few(before, after)[1] > 0.5 and positive(column.start)
    )


def _scaled_columns(dataset: Dataset) -> Iterator[tuple[Column, np.ndarray, np.ndarray]]:
    """Each column of numbers of a table, and what is observed in training rows: sorted, and scaled."""
    if dataset.kind != "table" or dataset.stream is not None or not len(dataset.train.x):
        return
    x = dataset.train.x
    shift, factor = (np.broadcast_to(each, dataset.feature_shape) for each in (dataset.shift, dataset.scale))
    for column in columns_of(dataset) or [Column(str(at), at) for at in range(x.shape[1])]:
        if not column.categories:
            at = column.start
            before = np.sort(x[:, at] if dataset.train.mask is None else x[dataset.train.mask[:, at], at])
            yield column, before, scale(before, shift[at], factor[at])  # in the same order


def _share_of_few(values: np.ndarray, scores: np.ndarray) -> tuple[int, float]:
    """How many rows are one in a hundred, and what share of the sum of squares of z-scores as many have at most.

    Both are (m,), of the sorted values and of their scores. The share of too few rows, and of two values alone, which
    cannot be skewed, is 0.
    """
    squares, few = np.square(scores, dtype=np.float64), max(1, len(scores) // 100)
    if len(scores) < LEAST_ROWS or (np.diff(values) != 0).sum() < 2:
        return few, 0.0
    return few, np.sort(squares)[-few:].sum() / max(squares.sum(), np.finfo(np.float64).tiny)


def _skewed(name: str, values: np.ndarray, scores: np.ndarray) -> list[str]:
    """A line on a column of whose squared z-scores (m,) a few rows have more than half."""
    few, share = _share_of_few(values, scores)
    if share <= 0.5:
        return []
    advice = f"data.log=({name!r},) or data.scaling=robust" if values[0] > 0 else "data.scaling=robust"
    of_rows = f"{few} of {len(scores)} rows make {share:.0%} of its sum of squares"
    return [f"column {name!r} is skewed: {of_rows}, so z-scores hardly tell the others apart; {advice} does"]


def copies(dataset: Dataset) -> str | None:
    """One line on how many rows of a table from a file are copies of others; None where all are different.

    A row that is trained on and tested on makes a net look better than it is on new rows, and where neighbours are
    looked for, as in spectral clustering, copies are the nearest ones. Labels do not count: rows are copies where all
    features are the same, hidden values included (`aejax.data.missing`).
    """
    if dataset.kind != "table" or not dataset.name.startswith("file:"):
        return None
    train, validation, test = map(_hashes, (dataset.train, dataset.validation, dataset.test))
    rows = np.concatenate([train, validation, test])
    different = len(np.unique(rows))
    if different == len(rows):
        return None
    consequence = "copies are the nearest neighbours of each other"
    if repeated := int(np.isin(test, train).sum()):
        among = f"{repeated} of the {len(test)} test rows are training rows too"
        consequence = f"{among}, which makes test numbers too good"
    return f"{dataset.name}: {len(rows)} rows, of which {different} are different; {consequence}"


def _hashes(split: Split) -> np.ndarray:
    """One number for each row, (m,) int64, the same for rows that the file has with equal values.

    Where values were hidden for an experiment, copies lose different ones, so the truth is looked at.
    """
    x = split.x if split.truth is None else np.where(np.isnan(split.truth), np.float32(np.nan), split.truth)
    return np.array([hash(row.tobytes()) for row in x + np.float32(0)], np.int64)  # -0 and 0 are one value


def constant_columns(dataset: Dataset) -> str | None:
    """One line on the columns of a table from a file that have one value only; None where there are none."""
    if dataset.kind != "table" or not dataset.name.startswith("file:"):
        return None
    constant = constant_features(dataset)
    names = [repr(c.name) for c in columns_of(dataset) if constant[c.start : c.start + c.size].all()]
    if len(names) < 2:
        return f"{dataset.name}: column {names[0]} has one value only: it tells nothing" if names else None
    return f"{dataset.name}: columns {_listed(names)} have one value only: they tell nothing"


def constant_features(dataset: Dataset) -> np.ndarray:
    """Which features are the same wherever they were observed, in all splits together: (n,) bool; none of documents."""
    if dataset.kind == "text":
        return np.zeros(dataset.feature_shape, bool)
    lows, highs = zip(*(extremes(split.x, split.mask) for split in with_rows(dataset).values()), strict=True)
    return (np.min(lows, 0) >= np.max(highs, 0)).reshape(-1)


def copied_columns(dataset: Dataset) -> str | None:
    """One line on columns of a table from a file that hold what another one holds; None where there are none."""
    if dataset.kind != "table" or not dataset.name.startswith("file:"):
        return None
    constant, first, copied = constant_features(dataset), {}, []
    values = np.concatenate([_values(split) for split in with_rows(dataset).values()]) + 0.0
    for column in columns_of(dataset):
        part = slice(column.start, column.start + column.size)
        original = first.setdefault(hash(np.ascontiguousarray(values[:, part]).tobytes()), column.name)
        if original != column.name and not constant[part].all():
            copied.append(f"{column.name!r} (of {original!r})")
    return f"{dataset.name}: columns that are copies of others: {_listed(copied)}" if copied else None
