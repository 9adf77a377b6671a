"""What a person should know of a table before a net is trained on it: how it was read, copies, constant columns."""

import numpy as np

from aejax.types import Dataset, Split

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
    if not _is_own_table(dataset):
        return None
    splits = (dataset.train, dataset.validation, dataset.test)
    train, validation, test = (_hashes(_before_hiding(split)) for split in splits)
    every = np.concatenate([train, validation, test])
    different = len(np.unique(every))
    if different == len(every):
        return None
    seen = int(np.isin(test, train).sum())
    consequence = (
        f"{seen} of the {len(test)} test rows are training rows too, which makes test numbers too good"
        if seen
        else "copies are the nearest neighbours of each other"
    )
    return f"{dataset.name}: {len(every)} rows, of which {different} are different; {consequence}"


def constant_columns(dataset: Dataset) -> str | None:
    """One line on the columns of a table from a file that have one value only; None where there are none."""
    if not _is_own_table(dataset):
        return None
    constant = constant_features(dataset)
    if dataset.columns:
        names = [c.name for c in dataset.columns if constant[c.start : c.start + c.size].all()]
    else:
        names = [name for name, same in zip(dataset.feature_names, constant, strict=False) if same]
    if not names:
        return None
    if len(names) == 1:
        return f"{dataset.name}: column {names[0]!r} has one value only: it tells nothing"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    listed = ", ".join(map(repr, names[:NAMED]))
    return f"{dataset.name}: columns {listed}{more} have one value only: they tell nothing"


def constant_features(dataset: Dataset) -> np.ndarray:
    """Which features are the same wherever they were observed, in all splits together: (n,) bool; none of documents."""
    if dataset.kind == "text":
        return np.zeros(dataset.feature_shape, bool)
    low, high = [], []
    for split in (dataset.train, dataset.validation, dataset.test):
        if len(split.x):
            x = np.asarray(split.x).reshape(len(split.x), -1)
            observed = None if split.mask is None else split.mask.reshape(x.shape)
            low.append((x if observed is None else np.where(observed, x, np.inf)).min(0))  # no copy of whole images
            high.append((x if observed is None else np.where(observed, x, -np.inf)).max(0))
    return np.min(low, 0) >= np.max(high, 0)


def _is_own_table(dataset: Dataset) -> bool:
    return dataset.kind == "table" and dataset.name.startswith("file:")


def _before_hiding(split: Split) -> np.ndarray:
    """The rows as the file has them: where values were hidden for an experiment, copies lose different ones."""
    return split.x if split.truth is None else np.where(np.isnan(split.truth), np.float32(np.nan), split.truth)


def _hashes(x: np.ndarray) -> np.ndarray:
    """One number for each row, (m,) int64, the same for rows of equal values."""
    return np.array([hash(row.tobytes()) for row in x + np.float32(0)], np.int64)  # -0 and 0 are one value
