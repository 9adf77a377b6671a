"""Arrays and DataFrames in memory as a data set: rows, labels, masks and held-out rows of one's own."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from aejax.config.bounds import Choice, Fraction, Natural
from aejax.config.components import check
from aejax.config.fields import SCALINGS
from aejax.data.array_files import described_pixels, pixel_bounds
from aejax.data.columns import other_units, understand
from aejax.data.dates import calendar_parts
from aejax.data.documents import WEIGHTINGS, counted, of_list
from aejax.data.encoding import NONE, Storage, as_raw, features, observed, refuse_no_logarithm, storage
from aejax.data.inspection import after_scaling, columns_of
from aejax.data.labels import as_labels, separate
from aejax.data.scaling import stored
from aejax.data.sparse import from_csr
from aejax.data.splits import Raw, rows_or_images, scaled, split
from aejax.data.tables import AGAIN, Cells, Reading, from_series, names_of, reading_of
from aejax.errors import UserError, shown
from aejax.types import Dataset, Range, Split


def from_arrays(
    x: Any,
    y: Any = None,
    *,
    mask: Any = None,
    target: Any = None,
    weight: Any = None,
    validation: Any = 0.1,
    test: Any = 0.2,
    scaling: str = "unit",
    seed: int = 0,
    names: tuple[str, ...] = (),
    channels: str | None = None,
    log: str | int | Sequence[str | int] = (),
    name: str = "arrays",
) -> Dataset:
    """A data set of arrays: rows (m, n), images (m, height, width[, channels]), or scipy's sparse rows.

    >>> import numpy as np
    >>> from aejax import data
    >>> dataset = data.from_arrays(np.random.default_rng(0).normal(size=(50, 4)), scaling="standard")
    >>> len(dataset.train.x), len(dataset.validation.x), len(dataset.test.x)
    (36, 4, 10)

    Args:
        x: what NumPy can make an array of numbers of: a list, float64, integers, bools, a masked array, a DataFrame of
            numbers. NaN is a missing value. Images of uint8 stay uint8. The range of images is looked at, see
            `aejax.data.array_files.pixel_bounds`.
        y: (m,) labels, whole numbers or names; None without labels.
        mask: bool of the shape of `x`, True where a value was observed; None: where it is not NaN.
        target: (m, …) what is to be reconstructed where it is not `x`, by a model with that `Model.target_shape`; it is
            not scaled. It needs shares for `validation` and `test`.
        weight: (m,) in proportion to which training rows are drawn, such as ``numpy.where(y == "rare", 10, 1)``; None:
            all alike. What is measured counts each row once.
        validation: the share of the rows, drawn with `seed`, that settings are chosen on, in [0, 1); or rows of one's
            own, ``x`` or ``(x, y)``.
        test: likewise, the rows that results are reported on; a share is drawn first.
        scaling: one of `aejax.data.SCALINGS`, from the training rows; see `aejax.data.load`.
        seed: of the rows that are drawn.
        names: one for each feature; those of the columns of a DataFrame.
        channels: where those of images stand, ``"first"``, (m, channels, height, width), or ``"last"``; None: last, and
            a shape that looks otherwise is refused. New rows of a net that is trained on them are read alike.
        log: names, or without names numbers, of the columns of which the logarithm is taken.
        name: of the data set, in messages and titles.

    Raises:
        UserError: what is no array of numbers, has infinite values or other shapes than it should, in one line.
    """
    parts = {"x": (x, y)}
    for part, rows in (("validation", validation), ("test", test)):
        if rows is not None and not isinstance(rows, int | float):
            parts[part] = rows if isinstance(rows, tuple) and len(rows) == 2 else (rows, None)
    label_names, labels = _classes({part: y for part, (_, y) in parts.items() if y is not None})
    names = names or (tuple(map(str, x.columns)) if hasattr(x, "columns") and not hasattr(x, "tocsr") else ())
    reading = AGAIN._replace(channels=reading_of({"channels": channels}).channels)
    values = None if hasattr(x, "tocsr") else _dense(x, "x", mask, channels)
    form = Storage()
    if values is not None:
        of_columns = tuple(map(str, names or range(values.shape[1] if values.ndim == 2 else 0)))
        form = storage(values, of_columns, names_of(log), of_columns, "x")
    known = {"names": names, "start": form.origin, "channels": channels, "is_log": form.log}
    splits = {
        part: as_rows(rows, part, labels.get(part), mask if part == "x" else None, **known)
        for part, (rows, _) in parts.items()
    }
    if target is not None:
        splits["x"] = splits["x"]._replace(target=_targets(target, splits))
    splits["x"] = splits["x"]._replace(weight=_weights(weight, len(splits["x"].x)))
    shape = splits["x"].x.shape[1:]
    for part, rows in splits.items():
        if rows.x.shape[1:] != shape:
            raise UserError(f"{part}: its rows have the shape {rows.x.shape[1:]}, those of x have {shape}")
    if names and len(names) != shape[0]:
        raise UserError(f"names: {len(names)} names for {shape[0]} features")
    bounds = pixel_bounds(values) if len(shape) == 3 else None
    raw = Raw(
        splits["x"],
        kind="image" if len(shape) == 3 else "table",
        source="arrays in memory",
        bounds=bounds,
        label_names=label_names,
        feature_names=tuple(map(str, names)),
        understood=(described_pixels(values, bounds),) if len(shape) == 3 else form.lines,
        reading=reading if channels else None,
        origin=form.origin,
        log=form.log,
    )
    return _held_out(name, raw, {"validation": validation, "test": test} | splits, scaling, seed)


def from_frame(
    frame: Any,
    y: Any = None,
    *,
    label: str | None = None,
    ignore: str | Sequence[str] = (),
    categories: Sequence[str] | None = None,
    dates: Sequence[str] = (),
    key: Sequence[str] | None = None,
    decimal: str | None = None,
    missing_words: Sequence[str] | None = None,
    log: str | Sequence[str] = (),
    weight: Any = None,
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
        y: (m,) labels that are in no column, as in `from_arrays`.
        label: the column of the labels, which is no feature.
        ignore: column or columns that are left out, such as keys and dates.
        categories: columns that hold categories, numbers among them; None for those of text, of truth values kept as
            text, and of the frame's own categorical type. Text such as 1,234.5 or 12 % is a number.
        dates: columns of dates, which become days since 1970, month, weekday and hour.
        key: columns that name or count the rows, and are left out; None: those that look so, ``()``: none.
        decimal: of numbers that are text, ``"."`` or ``","``.
        missing_words: words for a missing value in text, as in `aejax.data.load`.
        log: columns of numbers of which the logarithm is taken.
        weight: (m,) in proportion to which training rows are drawn, as in `from_arrays`.
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
    reading = reading_of(
        {"ignore": ignore, "dates": dates, "key": key, "decimal": decimal, "missing_words": missing_words}
    )
    columns = _columns(frame, name, reading)
    chosen = None if categories is None else list(map(str, categories))
    known = {"source": "a frame in memory", "reading": reading, "log": names_of(log)}
    raw = as_raw(columns, label, chosen, name, **known)
    if y is not None:
        raw = _labelled(raw, y)
    raw = raw._replace(train=raw.train._replace(weight=_weights(weight, len(raw.train.x))))
    kinds = [f"{column.name!r} ({len(column.categories)})" for column in raw.columns if column.categories]
    used = [column for column in columns if column != label and column not in raw.reading.left_out()]
    holes = {column: columns[column].missing.sum() for column in used}
    said = {
        "categories": ", ".join(kinds),
        "missing values": ", ".join(f"{column!r} ({count})" for column, count in holes.items() if count),
        "labels": repr(label) if label else "",
    }
    understood = [f"{what}: {which}" for what, which in said.items() if which]
    size = f"{len(raw.train.x)} rows of {len(holes)} columns"
    raw = raw._replace(understood=(size, *understood, *raw.understood))
    held_out = {
        part: rows if isinstance(rows, int | float) else _rows_like(raw, rows, used, label, part)
        for part, rows in (("validation", validation), ("test", test))
    }
    return _held_out(name, raw, held_out, scaling, seed)


def from_texts(
    texts: Sequence[str],
    y: Any = None,
    *,
    weighting: str = "tfidf",
    validation: float = 0.1,
    test: float = 0.2,
    scaling: str = "standard",
    seed: int = 0,
    name: str = "texts",
) -> Dataset:
    """A data set of documents in memory: how often each holds the most frequent words, as sparse rows.

    >>> from aejax import data
    >>> dataset = data.from_texts(["a red apple", "the green apple", "a green car", "one red car"], test=0.25)
    >>> dataset.feature_names
    ('apple', 'car', 'green', 'red')

    Args:
        texts: (m,) of them; those that hold none of the words are left out.
        y: (m,) labels, or None.
        weighting: what a word counts for, ``"log"`` or ``"tfidf"``, as in `aejax.data.load`.
        validation: the share of the documents that settings are chosen on, in [0, 1).
        test: likewise, those that results are reported on; drawn first.
        scaling: ``"standard"``, ``"unit"`` or ``"none"``, as in `aejax.data.load`.
        seed: of the documents that are drawn.
        name: of the data set, in messages and titles.

    Returns:
        The data set; `Split.source_index` says which document a row is of.

    Raises:
        UserError: what is no list of texts, or holds no words.
    """
    check(weighting, Annotated[str, Choice(tuple(WEIGHTINGS))], what="weighting")
    raw = counted(of_list(texts, y), weighting, "", name)._replace(source="documents in memory")
    return _held_out(name, raw, {"validation": validation, "test": test}, scaling, seed)


def as_rows(
    x: Any,
    part: str,
    labels: np.ndarray | None = None,
    mask: Any = None,
    names: Sequence[str] = (),
    start: np.ndarray = np.zeros(()),  # noqa: B008, never written to
    channels: str | None = None,
    is_log: np.ndarray = NONE,
) -> Split:
    """Rows as a split: float32, or uint8 of images, with a mask where something is missing.

    Args:
        x: as in `from_arrays`.
        part: what the rows are called in messages.
        labels: (m,) int32, or None.
        mask: bool of the shape of `x`, True where observed; None: where it is not NaN.
        names: one for each feature, for messages.
        start: what values are counted from, `Dataset.origin`.
        channels: of images, as in `from_arrays`.
        is_log: `Dataset.log`, of which columns the logarithm is stored.

    Raises:
        UserError: it is no array of numbers, of another number of axes, or has infinite values.
    """
    if hasattr(x, "tocsr"):
        rows = Split(from_csr(x.tocsr()))
    else:
        values = _dense(x, part, mask, channels)
        for shape in (np.shape(start), np.shape(is_log)):
            if shape and values.shape[1:] != shape:
                raise UserError(f"{part}: its rows have the shape {values.shape[1:]}, those of x have {shape}")
        refuse_no_logarithm(values, is_log, names, part)
        rows = Split(*observed(stored(values, start, is_log), names, part))
    if labels is not None and len(labels) != len(rows.x):
        raise UserError(f"{part}: {len(labels)} labels for {len(rows.x)} rows")
    return rows._replace(labels=labels)


def _dense(x: Any, part: str, mask: Any, channels: str | None) -> np.ndarray:
    """An array of numbers of any kind, NaN where one is missing; images with their channels."""
    if x is None or isinstance(x, str | bytes):
        raise UserError(f"{part}: expected an array of numbers, got {shown(x)}")
    if np.ma.isMaskedArray(x):
        mask = ~np.ma.getmaskarray(x) if mask is None else mask
        x = x.filled(0)
    try:
        values = np.array(x)
        values = values.astype(np.float64) if values.dtype == object else values
    except (ValueError, TypeError) as error:
        raise UserError(f"{part}: is no array of numbers: {' '.join(str(error).split())}") from None
    if mask is not None and values.dtype.kind in "biuf":
        if np.size(mask) != values.size:
            raise UserError(f"mask: has the shape {np.shape(mask)}; allowed: that of {part}, {values.shape}")
        values = np.where(np.asarray(mask, bool).reshape(values.shape), values, np.nan)
    return rows_or_images(values, part, "; data.from_frame reads text", channels)


def _targets(target: Any, splits: Mapping[str, Split]) -> np.ndarray:
    """Targets of the rows, (m, …) float32."""
    values, rows = np.asarray(target, np.float32), len(splits["x"].x)
    if values.ndim < 2 or len(values) != rows or not np.isfinite(values).all():
        raise UserError(f"target: has the shape {values.shape}; allowed: ({rows}, …), finite, one target for each row")
    if len(splits) > 1:
        raise UserError("target: held-out rows of your own have none; allowed: validation and test as shares of x")
    return values


def _weights(weight: Any, rows: int) -> np.ndarray | None:
    """Weights of rows, (m,) float64."""
    if weight is None:
        return None
    weights = np.asarray(weight, np.float64)
    if weights.shape != (rows,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.max() == 0:
        raise UserError(f"weight: has the shape {weights.shape}; allowed: ({rows},), finite, none below 0, not all 0")
    return weights


def _classes(labels: Mapping[str, Any]) -> tuple[tuple[str, ...], Mapping[str, np.ndarray]]:
    """The names of the classes, sorted, and the labels of each part as their numbers, int32."""
    if not labels:
        return (), {}
    arrays = [np.asarray(values).reshape(-1) for values in labels.values()]
    every = np.concatenate(arrays)
    gone = ("None", "nan", "<NA>", "NaT")  # as which Python, NumPy and pandas show what is missing
    missing = np.array([not isinstance(value, str) and str(value) in gone for value in every.tolist()], bool)
    numbers, names = as_labels(every, "y", missing)
    parts = np.split(numbers, np.cumsum([len(each) for each in arrays])[:-1])
    return names, dict(zip(labels, parts, strict=True))


def _labelled(raw: Raw, y: Any) -> Raw:
    """Rows with labels that stood in no column of theirs."""
    label_names, labels = _classes({"y": y})
    if len(labels["y"]) != len(raw.train.x):
        raise UserError(f"y: {len(labels['y'])} labels for {len(raw.train.x)} rows")
    return raw._replace(train=raw.train._replace(labels=labels["y"]), label_names=label_names)


def _columns(frame: Any, name: str, reading: Reading) -> dict[str, Cells]:
    """The columns of a frame."""
    import pandas

    if not isinstance(frame, pandas.DataFrame):
        if not hasattr(frame, "columns") or not hasattr(frame, "to_dict"):
            raise UserError(f"{name}: expected a DataFrame, got {shown(type(frame).__name__)}")
        frame = pandas.DataFrame({column: frame[column].to_list() for column in frame.columns})
    names = [str(column) for column in frame.columns]
    if twice := next((column for column in names if names.count(column) > 1), None):
        raise UserError(f"{name}: two columns have the name {twice!r}; allowed: a name for each")
    columns = {column: frame.iloc[:, at] for at, column in enumerate(names)}
    for column, values in columns.items():
        if values.dtype.kind in "mM" and column not in (*reading.dates, *reading.left_out()):
            allowed = f"ignore=({column!r},), or dates=({column!r},)"
            raise UserError(f"{name}: column {column!r} holds dates; allowed: {allowed}")
    return {column: from_series(values, reading.missing_words) for column, values in columns.items()}


def _rows_like(raw: Raw, frame: Any, used: Sequence[str], label: str | None, part: str) -> Split:
    """Rows of a frame of one's own, in the columns of others and with their classes."""
    dated = raw.reading._replace(dates=tuple(each.partition("=")[0] for each in raw.reading.dates))
    columns, labels = separate(_columns(frame, part, dated), label, part)
    if missing := [column for column in used if column not in columns]:
        raise UserError(f"{part}: column {missing[0]!r} is missing; allowed: the columns of the training rows")
    text = [column.name for column in raw.columns if column.categories]
    meaning = understand({column: columns[column] for column in used}, text, raw.reading, part, again=True)
    other_units(raw.reading, meaning, part)
    values, names = features(meaning.columns, columns_of(raw), part)
    refuse_no_logarithm(values, raw.log, names, part)
    x, mask = observed(stored(values, raw.origin, raw.log), names, part)
    if labels is None:
        return Split(x, mask)
    if unknown := [each for each in labels.names if each not in raw.label_names]:
        allowed = ", ".join(raw.label_names)
        raise UserError(f"{part}: no training row has the label {unknown[0]!r}; allowed: {allowed}")
    numbers = np.array([raw.label_names.index(each) for each in labels.names], np.int32)
    return Split(x, mask, numbers[labels.values])


def rows_of_frame(frame: Any, dataset: Dataset, part: str) -> Split:
    """New rows in a frame, matched by the names of their columns to those of a data set with names.

    Raises:
        UserError: a column is missing or new, or holds what it did not hold in training.
    """
    raw = Raw(dataset.train, columns=dataset.columns, feature_names=dataset.feature_names, origin=dataset.origin)
    raw = raw._replace(log=dataset.log, reading=dataset.reading or AGAIN)
    dates = [each.partition("=")[0] for each in raw.reading.dates]
    used = [column.name for column in columns_of(raw) if column.name not in calendar_parts(dates)]
    names = [str(name) for name in frame.columns]
    if new := [name for name in names if name not in (*used, *raw.reading.left_out())]:
        raise UserError(f"{part}: column {new[0]!r} is none of the training data; allowed: {', '.join(used)}")
    return _rows_like(raw, frame, used, None, part)


def _held_out(name: str, raw: Raw, parts: Mapping[str, Any], scaling: str, seed: int) -> Dataset:
    """The data set of rows of which some are held out: shares of them, or those in `parts`."""
    check(scaling, Annotated[str, Choice(SCALINGS)], what="scaling")
    shares = {
        part: 0.0 if isinstance(parts[part], Split) else check(float(parts[part] or 0), Fraction, what=part)
        for part in ("validation", "test")
    }
    train, *drawn = split(raw, **shares, seed=check(np.asarray(seed).item(), Natural, what="seed"))
    held_out = [
        parts[part] if isinstance(parts[part], Split) else rows for part, rows in zip(shares, drawn, strict=True)
    ]
    return dataset_of(name, raw, (train, *held_out), scaling)


def dataset_of(name: str, raw: Raw, parts: tuple[Split, Split, Split], scaling: str) -> Dataset:
    """The data set of training, validation and test rows, filled and scaled as the training rows ask for.

    Args:
        name: of the data set.
        raw: what is known of all rows.
        parts: training, validation and test rows.
        scaling: one of `aejax.data.SCALINGS`.
    """
    train, validation, test = parts
    known = [field for field in Raw._fields if field in Dataset._fields and field not in ("train", "test")]
    dataset = Dataset(
        name=name,
        train=train,
        validation=validation,
        test=test,
        feature_shape=train.x.shape[1:],
        range=Range(),
        shift=np.zeros((), np.float32),
        scale=np.ones((), np.float32),
        scaling=scaling,
        **{field: getattr(raw, field) for field in known},
    )
    made = scaled(dataset, raw.bounds)
    return made._replace(understood=(*made.understood, *after_scaling(made)))
