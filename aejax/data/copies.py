"""Rows of a table that are there more than once."""

import numpy as np

from aejax.types import Dataset, Split


def described(dataset: Dataset) -> str | None:
    """One line on how many rows of a table from a file are copies of others; None where all are different.

    A row that is trained on and tested on makes a net look better than it is on new rows, and where neighbours are
    looked for, as in spectral clustering, copies are the nearest ones. Labels do not count: rows are copies where all
    features are the same, hidden values included (`aejax.data.missing`).

    Args:
        dataset: the data.
    """
    if dataset.kind != "table" or not dataset.name.startswith("file:"):
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


def _before_hiding(split: Split) -> np.ndarray:
    """The rows as the file has them: where values were hidden for an experiment, copies lose different ones."""
    return split.x if split.truth is None else np.where(np.isnan(split.truth), np.float32(np.nan), split.truth)


def _hashes(x: np.ndarray) -> np.ndarray:
    """One number for each row, (m,) int64, the same for rows of equal values."""
    return np.array([hash(row.tobytes()) for row in x + np.float32(0)], np.int64)  # -0 and 0 are one value
