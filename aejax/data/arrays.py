"""Arrays in memory as a data set: rows, labels, masks and held-out rows of one's own."""

from typing import Any

import numpy as np

from aejax.config.fields import SCALINGS
from aejax.data.scaling import fit
from aejax.data.sparse import from_csr
from aejax.data.splits import Raw, check_shape, fill, split
from aejax.errors import UserError, one_of, shown
from aejax.types import Dataset, Split

LARGEST = float(np.finfo(np.float32).max)


def from_arrays(
    x: Any,
    y: Any = None,
    *,
    mask: Any = None,
    target: Any = None,
    validation: Any = 0.1,
    test: Any = 0.2,
    scaling: str = "unit",
    seed: int = 0,
    names: tuple[str, ...] = (),
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
            numbers. NaN is a missing value. Images of uint8 stay uint8 and have the range 0 to 255.
        y: (m,) labels, whole numbers or names; None without labels.
        mask: bool of the shape of `x`, True where a value was observed; None: where it is not NaN.
        target: (m, …) what is to be reconstructed where it is not `x`, by a model with that `Model.target_shape`; it is
            not scaled. It needs shares for `validation` and `test`.
        validation: the share of the rows, drawn with `seed`, that settings are chosen on, in [0, 1); or rows of one's
            own, ``x`` or ``(x, y)``.
        test: likewise, the rows that results are reported on; a share is drawn first.
        scaling: one of `aejax.data.SCALINGS`, from the training rows; see `aejax.data.load`.
        seed: of the rows that are drawn.
        names: one for each feature.
        name: of the data set, in messages and titles.

    Raises:
        UserError: what is no array of numbers, has infinite values or other shapes than it should, in one line.
    """
    if scaling not in SCALINGS:
        raise one_of(scaling, SCALINGS, what="scaling")
    parts = {"x": _pair(x, y, "x"), "validation": _own_rows(validation), "test": _own_rows(test)}
    present = {part: rows for part, rows in parts.items() if rows is not None}
    label_names, labels = _labels({part: labels for part, (_, labels) in present.items() if labels is not None})
    splits = {
        part: as_rows(values, part, labels.get(part), mask if part == "x" else None)
        for part, (values, _) in present.items()
    }
    if target is not None:
        splits["x"] = splits["x"]._replace(target=_targets(target, splits))
    shape = splits["x"].x.shape[1:]
    for part, rows in splits.items():
        if rows.x.shape[1:] != shape:
            raise UserError(f"{part}: its rows have the shape {rows.x.shape[1:]}, those of x have {shape}")
    if names and len(names) != shape[0]:
        raise UserError(f"names: {len(names)} names for {shape[0]} features")
    kind = "image" if len(shape) == 3 else "table"
    bounds = (0, 255) if splits["x"].x.dtype == np.uint8 else None
    raw = Raw(splits["x"], None, kind, "your own", "arrays in memory", bounds, label_names, tuple(map(str, names)))
    shares = {part: _share(part, value) for part, value in (("validation", validation), ("test", test))}
    train, *drawn = split(raw, **shares, seed=seed)
    held_out = [splits.get(part, rows) for part, rows in zip(("validation", "test"), drawn, strict=True)]
    if any(rows.mask is not None for rows in held_out) and train.mask is None:
        train = train._replace(mask=np.ones(train.x.shape, bool))
    return dataset_of(name, raw, fill(train, *held_out, raw.feature_names), scaling)


def _pair(x: Any, y: Any, part: str) -> tuple[Any, Any]:
    """An array of numbers, or scipy's sparse rows, and its labels."""
    if x is None or isinstance(x, str | bytes):
        raise UserError(f"{part}: expected an array of numbers, got {shown(x)}")
    return x, y


def _own_rows(value: Any) -> tuple[Any, Any] | None:
    """Held-out rows of one's own, and their labels; None where the value is a share of the rows."""
    if value is None or isinstance(value, int | float):
        return None
    return value if isinstance(value, tuple) and len(value) == 2 else (value, None)


def _share(part: str, value: Any) -> float:
    if not isinstance(value, int | float):
        return 0.0
    if isinstance(value, bool) or not 0 <= value < 1:
        raise UserError(f"{part}: expected a share in [0, 1), or rows of your own, got {shown(value)}")
    return float(value)


def as_rows(x: Any, part: str, labels: np.ndarray | None = None, mask: Any = None) -> Split:
    """Rows as a split: float32, or uint8 of images, with a mask where something is missing.

    Args:
        x: as in `from_arrays`.
        part: what the rows are called in messages.
        labels: (m,) int32, or None.
        mask: bool of the shape of `x`, True where observed; None: where it is not NaN.

    Raises:
        UserError: it is no array of numbers, of another number of axes, or has infinite values.
    """
    if hasattr(x, "tocsr"):
        return _with_labels(Split(from_csr(x.tocsr())), labels, part)
    if np.ma.isMaskedArray(x):
        mask = ~np.ma.getmaskarray(x) if mask is None else mask
        x = x.filled(0)
    try:
        values = np.asarray(x)
        values = values.astype(np.float64) if values.dtype == object else values
    except (ValueError, TypeError) as error:
        raise UserError(f"{part}: is no array of numbers: {' '.join(str(error).split())}") from None
    if values.dtype.kind not in "biuf":
        raise UserError(f"{part}: holds values of type {values.dtype}; allowed: numbers (data.from_frame reads text)")
    check_shape(values.shape, part)
    values = values[..., None] if values.ndim == 3 else values
    seen = _observed(values, mask, part)
    if values.dtype != np.uint8 or values.ndim == 2:
        values = values.astype(np.float32)
    return _with_labels(
        Split(values if seen is None else np.where(seen, values, np.float32(np.nan)), seen), labels, part
    )


def _observed(values: np.ndarray, mask: Any, part: str) -> np.ndarray | None:
    """Which values are there, bool of the shape of the values; None where all are."""
    seen = ~np.isnan(values)
    if mask is not None:
        given_mask = np.asarray(mask, bool)
        if given_mask.size != values.size:
            raise UserError(f"mask: has the shape {given_mask.shape}; allowed: that of {part}, {values.shape}")
        seen &= given_mask.reshape(values.shape)
    infinite = seen & (np.abs(values.astype(np.float64)) > LARGEST)
    if infinite.any():
        at = tuple(map(int, np.argwhere(infinite)[0]))
        raise UserError(f"{part}: row {at[0]}, value {at[1:]} is {values[at]}; allowed: numbers that float32 can hold")
    empty = np.flatnonzero(~seen.reshape(len(seen), -1).any(1))
    if len(empty):
        raise UserError(f"{part}: every value of row {empty[0]} is missing; allowed: one value or more in each row")
    return None if seen.all() else seen


def _targets(target: Any, splits: dict[str, Split]) -> np.ndarray:
    """Targets of the rows, (m, …) float32."""
    values, rows = np.asarray(target, np.float32), len(splits["x"].x)
    if values.ndim < 2 or len(values) != rows or not np.isfinite(values).all():
        raise UserError(f"target: has the shape {values.shape}; allowed: ({rows}, …), finite, one target for each row")
    if len(splits) > 1:
        raise UserError("target: held-out rows of your own have none; allowed: validation and test as shares of x")
    return values


def _with_labels(rows: Split, labels: np.ndarray | None, part: str) -> Split:
    if labels is not None and len(labels) != len(rows.x):
        raise UserError(f"{part}: {len(labels)} labels for {len(rows.x)} rows")
    return rows._replace(labels=labels)


def _labels(by_part: dict[str, Any]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The names of the classes, sorted, and the labels of each part as their numbers, int32."""
    arrays = {part: np.asarray(values).reshape(-1) for part, values in by_part.items()}
    for part, values in arrays.items():
        whole = values.dtype.kind in "biuUO" or (values.dtype.kind == "f" and (values == np.round(values)).all())
        if not whole:
            raise UserError(f"{part}: labels must be whole numbers or names, got {values.dtype}")
    if not arrays:
        return (), {}
    if any(values.dtype.kind in "UO" for values in arrays.values()):
        arrays = {part: values.astype(str) for part, values in arrays.items()}
    classes = np.unique(np.concatenate(list(arrays.values())))
    numbers = {part: np.searchsorted(classes, values).astype(np.int32) for part, values in arrays.items()}
    names = classes if classes.dtype.kind == "U" else classes.astype(np.int64)
    return tuple(map(str, names)), numbers


def dataset_of(
    name: str, raw: Raw, parts: tuple[Split, Split, Split], scaling: str, label_names: tuple[str, ...] | None = None
) -> Dataset:
    """The data set of training, validation and test rows, scaled as the training rows ask for.

    Args:
        name: of the data set.
        raw: what is known of all rows.
        parts: training, validation and test rows.
        scaling: one of `aejax.data.SCALINGS`.
        label_names: where they are not those of `raw`.
    """
    train, validation, test = parts
    numbers = {"scaling": scaling, "bounds": raw.bounds, "per_feature": raw.kind != "image", "columns": raw.columns}
    fitted = fit(train.x, train.mask, **numbers)
    return Dataset(
        name=name,
        train=train,
        validation=validation,
        test=test,
        feature_shape=train.x.shape[1:],
        kind=raw.kind,
        range=fitted.range,
        shift=fitted.shift,
        scale=fitted.factor,
        label_names=raw.label_names if label_names is None else label_names,
        feature_names=raw.feature_names,
        licence=raw.licence,
        source=raw.source,
        scaling=scaling,
        columns=raw.columns,
        understood=raw.understood,
    )
