"""Why a row is what it is said to be: which columns have most to do with it, their values, what was expected."""

from collections.abc import Mapping, Sequence

import numpy as np

from aejax.data.encoding import as_columns
from aejax.types import Column, Columns

REASONS = 3  # columns that are named for each row


def reasons(out: Columns, x: np.ndarray, columns: Sequence[Column], dates: Sequence[str]) -> dict[str, np.ndarray]:
    """For each row the columns that have most to do with the answer, the greatest share first: names, values, expected.

    Columns that are missing, or are the category that was expected, come last. All are text; empty where a row has no
    answer, or a value is missing.
    """
    values, expected = (_texts(as_columns(rows, columns, dates)) for rows in (x, out.reasons.expected))
    shares = dict.fromkeys(values, 0.0)
    for column in columns:
        name = column.name if column.name in values else column.name.rpartition(".")[0]  # of a part of a date
        shares[name] = shares[name] + out.reasons.shares[:, column.start : column.start + column.size].sum(1)
    by_share = np.stack(list(shares.values()), axis=1)
    names = np.broadcast_to(np.array(list(values), object), by_share.shape)
    cells = {"column": names, "value": _side_by_side(values), "expected": _side_by_side(expected)}
    says_nothing = (cells["value"] == "") | (cells["value"] == cells["expected"])
    order = np.argsort(np.where(says_nothing, 0, -np.nan_to_num(by_share)), axis=1, kind="stable")[:, :REASONS]
    answered, by_name = ~np.isnan(by_share).any(1), {}
    for rank, at in enumerate(order.T, start=1):
        for name, texts in cells.items():
            by_name[f"{name}_{rank}"] = np.where(answered, texts[np.arange(len(at)), at], "")
    return by_name


def _texts(columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns as text, numbers to six digits, those of more before their point as whole ones."""
    digits = lambda value: f"{value:.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"
    plain = lambda values: np.array(["" if np.isnan(value) else digits(value) for value in values.tolist()], object)
    return {name: values if values.dtype == object else plain(values) for name, values in columns.items()}


def _side_by_side(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.stack(list(columns.values()), axis=1)
