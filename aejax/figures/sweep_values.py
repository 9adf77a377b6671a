"""What the figures of a sweep ask of its points and of the values of its axes."""

from collections.abc import Mapping, Sequence
from typing import Any

from aejax.figures import canvas
from aejax.figures.words import Words

Point = Mapping[str, Any]


def mean_of(point: Point, metric: str) -> float | None:
    """The mean of a metric over the runs of a point; None where no run has it, or a file has a word for it."""
    mean = point["metrics"].get(metric, {}).get("mean")
    return mean if is_number(mean) else None


def is_number(value: Any) -> bool:
    """Whether a value has a place on a line."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_about_sparsity(points: Sequence[Point]) -> bool:
    """Whether there is a sparsity to trade for: a loss term was swept, or one of the name measured."""
    return bool(points) and (
        any(path.startswith("terms.") for path in points[0]["axes"]) or "validation/sparsity" in points[0]["metrics"]
    )


def unique(values: Any) -> list[Any]:
    """The different values, numbers first and in order, then words as they come."""
    different = list({repr(value): value for value in values}.values())
    return sorted(filter(is_number, different)) + [value for value in different if not is_number(value)]


def positions(values: Sequence[Any]) -> list[float]:
    """Where values stand on an axis: numbers at themselves, and if there are others all at 0, 1, 2 and so on."""
    return [float(v) for v in values] if all(map(is_number, values)) else [float(i) for i in range(len(values))]


def is_logarithmic(values: Sequence[Any]) -> bool:
    """Whether an axis is better read in factors: numbers above 0 that span more than 20."""
    return all(map(is_number, values)) and min(values) > 0 and max(values) > 20 * min(values)


def tick(words: Words, value: Any) -> str:
    """A value as a short text."""
    return words.number(value, ".3g") if isinstance(value, float) else canvas.short(value, 24)


def wrapped(name: str) -> str:
    """A dotted name on lines of their own."""
    return canvas.plain(name).replace(".", ".\n")
