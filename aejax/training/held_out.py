"""Validation and test rows beyond the range of the training rows: counted and named, cut to it, or refused."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aejax.data.inspection import columns_of
from aejax.data.scaling import original, scale, unscale
from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.types import Dataset, Range

ROUNDING = 1e-6  # of the range, by which scaling may miss it


def within_range(
    dataset: Dataset, how: str | None, accepts: Callable[[Dataset], Any], say: Callable[[str], Any]
) -> Dataset:
    """A data set whose held-out rows the loss can be computed on, and a line that says what was done.

    Values are scaled by the training rows, so a validation or a test row may lie beyond their range. Cross-entropy, for
    one, has no lower bound there, and early stopping would keep what makes it ever less.

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
            accepts(dataset)  # what the training rows alone are refused for is no matter of the range
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
    splits = _beyond(dataset)
    count = sum(int((far > 0).sum()) for _, far in splits.values())
    rows = sum(int((far > 0).any(1).sum()) for _, far in splits.values())
    if not count:
        return None
    part = max(splits, key=lambda name: splits[name][1].max())
    row, feature = np.unravel_index(splits[part][1].argmax(), splits[part][1].shape)
    of_feature = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1)[feature]
    start, log, shift, factor = map(of_feature, (dataset.origin, dataset.log, dataset.shift, dataset.scale))
    ends = [end / factor + shift for end in (dataset.range.low, dataset.range.high)]
    values = np.array([getattr(dataset, part).x[row].reshape(-1)[feature], *ends])
    value, low, high = original(values, start, log)
    names = [each.name for each in columns_of(dataset) if each.start <= feature < each.start + each.size]
    where = f" in {names[0]!r}" if names else ""
    return (
        f"{dataset.name}: {count} values of {rows} validation and test rows lie beyond the range of the training rows, "
        f"the farthest {value:.9g}{where}, where that is {low:.9g} to {high:.9g}"
    )


def clipped(dataset: Dataset) -> Dataset:
    """The data set with its held-out values cut to the range of the training rows."""
    cut = {}
    for name, (scaled, far) in _beyond(dataset).items():
        split = getattr(dataset, name)
        ends = np.clip(scaled, dataset.range.low, dataset.range.high).reshape(split.x.shape)
        x = np.where((far > 0).reshape(split.x.shape), unscale(ends, dataset.shift, dataset.scale), split.x)
        cut[name] = split._replace(x=x)
    return dataset._replace(**cut)


def _whole(dataset: Dataset) -> Range:
    """Where the scaled values of all rows lie."""
    low, high = dataset.range.low, dataset.range.high
    for scaled, far in _beyond(dataset).values():
        low = float(scaled[far > 0].min(initial=low))
        high = float(scaled[far > 0].max(initial=high))
    return Range(low, high)


def _beyond(dataset: Dataset) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of each held-out split with rows the scaled values, and how far each lies beyond the range, (m, n) both."""
    low, high, splits = dataset.range.low, dataset.range.high, {}
    for name in ("validation", "test"):
        split = getattr(dataset, name)
        if is_sparse(split.x) or not len(split.x):
            continue
        scaled = scale(split.x, dataset.shift, dataset.scale).reshape(len(split.x), -1)
        far = np.maximum(np.maximum(low - scaled, scaled - high), 0)
        far[far <= ROUNDING * max(high - low, 1.0)] = 0
        splits[name] = scaled, far if split.mask is None else np.where(split.mask.reshape(far.shape), far, 0)
    return splits
