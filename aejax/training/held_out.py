"""Validation and test rows beyond the range of the training rows: counted and named, cut to it, or refused."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aejax.data.scaling import scale, unscale
from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.types import Column, Dataset, Range, Split

ROUNDING = 1e-6  # of the range, by which scaling may miss it


def within_range(
    dataset: Dataset, how: str | None, accepts: Callable[[Dataset], Any], say: Callable[[str], Any]
) -> Dataset:
    """A data set whose held-out rows the loss can be computed on, and a line that says what was done.

    Values are scaled by the training rows, so a validation or a test row may lie beyond their range. Cross-entropy, for
    one, has no lower bound there: a value of 301 where 1 was the greatest gives a loss of -9,000, and early stopping
    would keep it.

    Args:
        dataset: from `aejax.data`; its range is that of the training rows.
        how: ``"keep"`` leaves such values as they are, and a loss that cannot be computed refuses; ``"clip"`` cuts them
            to the range; ``"refuse"`` refuses them; None cuts them only where the loss cannot be computed.
        accepts: called with the data set whose range is that of all rows; it raises where a term refuses that range.
        say: called with the line.

    Raises:
        UserError: there are such values and they are refused, or a term refuses the range of the training rows too.
    """
    words = outside(dataset)
    if words is None:
        return dataset
    if how == "refuse":
        raise UserError(f"{words}; allowed: train.outside=clip, or keep where the loss can be computed there")
    if how != "clip":
        try:
            accepts(dataset._replace(range=_whole(dataset)))
        except UserError as error:
            if how == "keep":
                raise UserError(f"{words}: {error}; or train.outside=clip") from None
        else:
            if dataset.name.startswith("file:"):
                say(words)
            return dataset
    say(f"{words}; they are cut to it{'' if how else ', which the loss needs'}")
    return clipped(dataset)


def outside_of(config: Mapping[str, Any]) -> str | None:
    """What a config says of such values. Anomalies are found by them, so they are cut only where it says so."""
    return config["train"].get("outside", None if config["data"]["normal"] is None else "keep")


def outside(dataset: Dataset) -> str | None:
    """How many held-out values lie beyond the range of the training rows, and the farthest of them; None for none."""
    if is_sparse(dataset.train.x):
        return None
    count, farthest, rows = 0, (0.0, 0, 0.0), 0
    for split in (dataset.validation, dataset.test):
        if len(split.x):
            beyond = _beyond(split, dataset)
            count, rows = count + int((beyond > 0).sum()), rows + int((beyond > 0).any(1).sum())
            row, feature = np.unravel_index(beyond.argmax(), beyond.shape)
            value = np.asarray(split.x[row]).reshape(-1)[feature]
            farthest = max(farthest, (float(beyond[row, feature]), int(feature), float(value)))
    if not count:
        return None
    _, feature, value = farthest
    columns = dataset.columns or [Column(name, at) for at, name in enumerate(dataset.feature_names)]
    names = [column.name for column in columns if column.start <= feature < column.start + column.size]
    where = f" in {names[0]!r}" if names else ""
    low, high = (_flat(unscale(np.full(dataset.feature_shape, edge, np.float32)[None], dataset.shift, dataset.scale))
                 for edge in (dataset.range.low, dataset.range.high))  # fmt: skip
    bounds = f"{low[0, feature]:.6g} to {high[0, feature]:.6g}"
    return (
        f"{dataset.name}: {count} values of {rows} validation and test rows lie beyond the range of the training rows, "
        f"the farthest {value:.6g}{where}, where that is {bounds}"
    )


def clipped(dataset: Dataset) -> Dataset:
    """The data set with its held-out values cut to the range of the training rows."""
    cut = {}
    for name in ("validation", "test"):
        split = getattr(dataset, name)
        if len(split.x):
            scaled = np.clip(scale(split.x, dataset.shift, dataset.scale), dataset.range.low, dataset.range.high)
            beyond = (_beyond(split, dataset) > 0).reshape(split.x.shape)
            cut[name] = split._replace(x=np.where(beyond, unscale(scaled, dataset.shift, dataset.scale), split.x))
    return dataset._replace(**cut)


def _beyond(split: Split, dataset: Dataset) -> np.ndarray:
    """How far each observed value lies beyond the range, scaled, (rows, features); 0 within."""
    scaled = _flat(scale(split.x, dataset.shift, dataset.scale))
    low, high = dataset.range.low, dataset.range.high
    far = np.maximum(np.maximum(low - scaled, scaled - high), 0)
    far = np.where(far > ROUNDING * max(high - low, 1.0), far, 0)
    return far if split.mask is None else np.where(_flat(split.mask), far, 0)


def _whole(dataset: Dataset) -> Range:
    """Where the scaled values of all rows lie."""
    low, high = dataset.range.low, dataset.range.high
    for split in (dataset.validation, dataset.test):
        if len(split.x):
            beyond, scaled = _beyond(split, dataset), _flat(scale(split.x, dataset.shift, dataset.scale))
            low = min(low, float(np.where(beyond > 0, scaled, low).min()))
            high = max(high, float(np.where(beyond > 0, scaled, high).max()))
    return Range(low, high)


def _flat(values: np.ndarray) -> np.ndarray:
    return np.asarray(values).reshape(len(values), -1)
