"""Columns of a table that have one value in all rows."""

import numpy as np

from aejax.types import Dataset

NAMED = 5  # columns in a line


def features(dataset: Dataset) -> np.ndarray:
    """Which features are the same wherever they were observed, in all splits together: (n,) bool; none of documents."""
    if dataset.kind == "text":
        return np.zeros(dataset.feature_shape, bool)
    low, high = [], []
    for split in (dataset.train, dataset.validation, dataset.test):
        if len(split.x):
            x = np.asarray(split.x).reshape(len(split.x), -1)
            there = None if split.mask is None else split.mask.reshape(x.shape)
            low.append((x if there is None else np.where(there, x, np.inf)).min(0))  # no copy of whole images
            high.append((x if there is None else np.where(there, x, -np.inf)).max(0))
    return np.min(low, 0) >= np.max(high, 0)


def described(dataset: Dataset) -> str | None:
    """One line on the columns of a table from a file that tell nothing; None where there are none.

    Args:
        dataset: the data.
    """
    if dataset.kind != "table" or not dataset.name.startswith("file:"):
        return None
    same = features(dataset)
    if dataset.columns:
        names = [c.name for c in dataset.columns if same[c.start : c.start + c.size].all()]
    else:
        names = [name for name, constant in zip(dataset.feature_names, same, strict=False) if constant]
    if not names:
        return None
    if len(names) == 1:
        return f"{dataset.name}: column {names[0]!r} has one value only: it tells nothing"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    listed = ", ".join(map(repr, names[:NAMED]))
    return f"{dataset.name}: columns {listed}{more} have one value only: they tell nothing"
