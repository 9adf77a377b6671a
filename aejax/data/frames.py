"""A DataFrame in memory as a data set: numbers, categories, labels and missing cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.config.fields import SCALINGS
from aejax.data.arrays import dataset_of
from aejax.data.encoding import check_columns, encode, lay_out, separate
from aejax.data.splits import Raw, fill, split
from aejax.data.tables import Cells, from_series
from aejax.errors import UserError, one_of, shown
from aejax.types import Column, Dataset, Split


def from_frame(
    frame: Any,
    *,
    label: str | None = None,
    ignore: Sequence[str] = (),
    categories: Sequence[str] | None = None,
    validation: Any = 0.1,
    test: Any = 0.2,
    scaling: str = "standard",
    seed: int = 0,
    name: str = "frame",
) -> Dataset:
    """A data set of a pandas or polars frame: a feature for each number, and for each category of the other columns.

    >>> import pandas
    >>> from aejax import data
    >>> frame = pandas.DataFrame({"age": [31, None, 45, 28] * 5, "kind": ["a", "b", "c", "a"] * 5})
    >>> dataset = data.from_frame(frame, test=0.25)
    >>> dataset.feature_names
    ('age', 'kind=a', 'kind=b', 'kind=c')

    Args:
        frame: the rows; an empty cell or NaN is a missing value.
        label: the column of the labels, which is no feature.
        ignore: columns that are left out, such as keys and dates.
        categories: columns that hold categories, numbers among them; None for those of text, of truth values kept as
            text, and of the frame's own categorical type.
        validation: the share of the rows that settings are chosen on, in [0, 1), or a frame with these columns.
        test: likewise, the rows that results are reported on; a share is drawn first.
        scaling: one of `aejax.data.SCALINGS`; categories stay 0 and 1.
        seed: of the rows that are drawn.
        name: of the data set, in messages and titles.

    Returns:
        The data set; `Dataset.understood` says what was read as what.

    Raises:
        UserError: what is no frame, a column that is not there or holds dates, or a held-out frame of other columns.
    """
    if scaling not in SCALINGS:
        raise one_of(scaling, SCALINGS, what="scaling")
    columns = _columns(frame, ignore, name)
    features, labels = separate(columns, label, name)
    text = [column for column, cells in features.items() if cells.values.dtype == object]
    layout = lay_out(features, text if categories is None else list(map(str, categories)), name)
    rows = encode(features, layout, name)
    check_columns(rows.mask, rows.names, name)
    label_names = labels.names if labels else ()
    raw = Raw(
        train=Split(rows.x, rows.mask, labels and labels.values),
        test=None,
        kind="table",
        licence="your own",
        source="a frame in memory",
        label_names=label_names,
        feature_names=rows.names,
        columns=layout,
        understood=_said(features, layout, label, ignore),
    )
    parts = {"validation": validation, "test": test}
    held_out = {
        part: _held_out(value, features, layout, label, label_names, part)
        for part, value in parts.items()
        if not isinstance(value, int | float)
    }
    shares = {part: 0.0 if part in held_out else float(value) for part, value in parts.items()}
    train, *drawn = split(raw, **shares, seed=seed)
    others = [held_out.get(part, each) for part, each in zip(parts, drawn, strict=True)]
    if any(each.mask is not None for each in others) and train.mask is None:
        train = train._replace(mask=np.ones(train.x.shape, bool))
    return dataset_of(name, raw, fill(train, *others, rows.names), scaling)


def _columns(frame: Any, ignore: Sequence[str], name: str) -> dict[str, Cells]:
    """The columns of a frame that are looked at."""
    import pandas

    if not isinstance(frame, pandas.DataFrame):
        if not hasattr(frame, "columns") or not hasattr(frame, "to_dict"):
            raise UserError(f"{name}: expected a DataFrame, got {shown(type(frame).__name__)}")
        frame = pandas.DataFrame({column: frame[column].to_list() for column in frame.columns})
    left_out = set(map(str, ignore))
    for column in left_out - set(map(str, frame.columns)):
        raise one_of(column, list(map(str, frame.columns)), what=f"ignore, a column of {name}")
    columns = {str(column): frame.iloc[:, at] for at, column in enumerate(frame.columns) if str(column) not in left_out}
    for column, series in columns.items():
        if pandas.api.types.is_datetime64_any_dtype(series) or pandas.api.types.is_timedelta64_dtype(series):
            raise UserError(
                f"{name}: column {column!r} holds dates; allowed: ignore=({column!r},), or numbers made of them"
            )
    return {column: from_series(series) for column, series in columns.items()}


def _held_out(
    frame: Any,
    features: Mapping[str, Cells],
    layout: Sequence[Column],
    label: str | None,
    label_names: Sequence[str],
    part: str,
) -> Split:
    """Rows of one's own, in the columns of the others."""
    columns, labels = separate(_columns(frame, (), part), label, part)
    missing = [column for column in features if column not in columns]
    if missing:
        raise UserError(f"{part}: column {missing[0]!r} is missing; allowed: the columns of the training rows")
    rows = encode({column: columns[column] for column in features}, layout, part)
    if labels is None:
        return Split(rows.x, rows.mask)
    unknown = [each for each in labels.names if each not in label_names]
    if unknown:
        raise UserError(f"{part}: no training row has the label {unknown[0]!r}; allowed: {', '.join(label_names)}")
    numbers = np.array([label_names.index(each) for each in labels.names], np.int32)
    return Split(rows.x, rows.mask, numbers[labels.values])


def _said(
    features: Mapping[str, Cells], layout: Sequence[Column], label: str | None, ignore: Sequence[str]
) -> tuple[str, ...]:
    """What was read as what, a line for each kind."""
    rows = len(next(iter(features.values())).values)
    kinds = [f"{column.name!r} ({len(column.categories)})" for column in layout if column.categories]
    empty = [f"{column!r} ({cells.missing.sum()})" for column, cells in features.items() if cells.missing.any()]
    lines = [f"{rows} rows of {len(features)} columns"]
    lines += [f"categories: {', '.join(kinds)}"] if kinds else []
    lines += [f"missing values: {', '.join(empty)}"] if empty else []
    lines += [f"labels: {label!r}"] if label else []
    return (*lines, *([f"left out: {', '.join(map(repr, ignore))}"] if ignore else []))
