"""Hiding values of a data set, so that what an imputation says of them can be compared with the truth."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from aejax.config.components import resolve
from aejax.data.missing import none
from aejax.data.splits import Raw, pooled
from aejax.types import Column, Split


def hide(raw: Raw, missing: Mapping[str, Any], seed: int) -> Raw:
    """The data set with values hidden as a config's ``data.missing`` says; `Split.truth` remembers them.

    A row that would keep no value keeps all of them.

    Args:
        raw: the data set; missing values are NaN.
        missing: name and hyperparameters of a function of `aejax.data.missing`.
        seed: of what is hidden.

    Returns:
        The data set; itself where nothing is to be hidden.

    Raises:
        UserError: there is no such way of hiding, or it cannot be applied to these rows.
    """
    options = {key: value for key, value in missing.items() if key != "name"}
    mechanism = resolve(missing["name"], "aejax.data.missing", what="data.missing.name")
    if mechanism is none:
        return raw
    rows = pooled(raw)
    observed = np.ones(rows.x.shape, bool) if rows.mask is None else rows.mask
    values = np.where(observed, rows.x, np.nan).astype(np.float32)
    hidden = observed & spread(mechanism(jax.random.key(seed), condensed(values, raw.columns), **options), raw.columns)
    if not hidden.any():
        return raw
    flat = lambda array: array.reshape(len(array), -1)
    hidden[~flat(observed & ~hidden).any(1)] = False
    holes = rows._replace(x=np.where(hidden, np.nan, values), mask=observed & ~hidden, truth=values)
    count = len(raw.train.x)
    cut = lambda part: Split(*(None if array is None else array[part] for array in holes))
    return raw._replace(train=cut(slice(count)), test=None if raw.test is None else cut(slice(count, None)))


def condensed(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """Rows with one value for each column, that of a column of categories the number of its category."""
    if not columns:
        return x
    first = lambda column: x[:, column.start]
    number = lambda column: np.where(
        np.isnan(first(column)), np.nan, x[:, column.start : column.start + column.size].argmax(1)
    )
    return np.stack([first(c) if c.size == 1 else number(c) for c in columns], axis=1)


def spread(x: np.ndarray, columns: tuple[Column, ...]) -> np.ndarray:
    """What holds for a column, for each of its features: (rows, columns) -> (rows, features)."""
    return np.repeat(x, [column.size for column in columns], axis=1) if columns else x
