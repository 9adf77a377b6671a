"""What a person should know of a table before a net is trained on it: how it was read, copies, constant columns."""

import numpy as np

from aejax.data.scaling import extremes
from aejax.data.splits import with_rows
from aejax.types import Column, Dataset, Split

NAMED = 5  # columns in a line


def described(dataset: Dataset) -> list[str]:
    """Lines on a data set that was read from a file; none of others."""
    if not dataset.name.startswith("file:"):
        return []
    lines = [f"{dataset.name}: {line}" for line in dataset.understood]
    return lines + [line for line in (copies(dataset), constant_columns(dataset)) if line is not None]


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
    columns = dataset.columns or [Column(name, at) for at, name in enumerate(dataset.feature_names)]
    names = [repr(c.name) for c in columns if constant[c.start : c.start + c.size].all()]
    if len(names) < 2:
        return f"{dataset.name}: column {names[0]} has one value only: it tells nothing" if names else None
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{dataset.name}: columns {', '.join(names[:NAMED])}{more} have one value only: they tell nothing"


def constant_features(dataset: Dataset) -> np.ndarray:
    """Which features are the same wherever they were observed, in all splits together: (n,) bool; none of documents."""
    if dataset.kind == "text":
        return np.zeros(dataset.feature_shape, bool)
    lows, highs = zip(*(extremes(split.x, split.mask) for split in with_rows(dataset).values()), strict=True)
    return (np.min(lows, 0) >= np.max(highs, 0)).reshape(-1)
