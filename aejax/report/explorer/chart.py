"""What the drawings of the fragments share: axes with few round ticks, and marks that are told apart by their form."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from aejax.figures.canvas import OKABE_ITO, PETROFF, is_logarithmic

FORMS = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",  # circle
    "M-3 -3h6v6h-6z",  # square
    "M0 -4.2L4 3H-4z",  # triangle
    "M0 -4.4L4.4 0L0 4.4L-4.4 0z",  # diamond
    "M0 4.2L4 -3H-4z",  # triangle on its tip
    "M-1.3 -4h2.6v2.7H4v2.6H1.3V4h-2.6V1.3H-4v-2.6h2.7z",  # cross
)


class Axis(NamedTuple):
    """From values to positions along one side of a drawing.

    Attributes:
        low: the value at `start`.
        high: the value at `end`.
        start: a position.
        end: a position.
        logarithmic: whether equal factors are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def position(self, value: float) -> float:
        """Where a value stands."""
        low, high, value = (math.log(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with a little room around values."""
    low, high = float(min(values)), float(max(values))
    room = 0.06 * (high - low) or max(0.5, 1e-9 * abs(high))
    return Axis(low - room, high + room, start, end)


def widest(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis in factors, where values are above 0 and span more than 20; else a plain one."""
    if not is_logarithmic(values):
        return axis(values, start, end)
    low, high = float(min(values)), float(max(values))
    room = (high / low) ** 0.06
    return Axis(low / room, high * room, start, end, True)


def ticks(side: Axis) -> list[float]:
    """Three to eight round values on an axis."""
    if side.logarithmic:
        powers = range(math.floor(math.log10(side.low)), math.ceil(math.log10(side.high)) + 1)
        factors = [1] if side.high > 1000 * side.low else [1, 2, 5]
        values = [factor * 10.0**power for power in powers for factor in factors]
    else:
        rough = (side.high - side.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        values = [step * number for number in range(math.ceil(side.low / step), math.ceil(side.high / step))]
    return [round(value, 12) for value in values if side.low <= round(value, 12) <= side.high]


def written(value: float, decimal: str) -> str:
    """A value with at most three significant digits and no powers of ten, as the language writes it."""
    text = f"{float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".")
    return text.replace("-", "−").replace(".", decimal)


def frame(across: Axis, up: Axis, names: Sequence[str], decimal: str) -> dict[str, Any]:
    """Two axes as the template draws them: their names, and the positions and labels of their ticks."""
    x, y = ([(side.position(value), written(value, decimal)) for value in ticks(side)] for side in (across, up))
    beside = 14 + round(7.3 * max(len(label) for _, label in y))
    return {"across": across, "up": up, "names": names, "x": x, "y": y, "beside": beside}


def marks(names: Sequence[str]) -> list[dict[str, str]]:
    """The mark of each class: its name, where all names are as short as a digit, else a form; and its colour.

    Black is the ink of the page, so that it is seen on dark ground.
    """
    palette = OKABE_ITO if len(names) <= len(OKABE_ITO) else PETROFF
    short = all(0 < len(name) <= 2 for name in names)
    colours = [palette[label % len(palette)].replace("#000000", "var(--ink)") for label in range(len(names))]
    forms = ["" if short else FORMS[label % len(FORMS)] for label in range(len(names))]
    return [{"name": n, "fill": c, "form": f} for n, c, f in zip(names, colours, forms, strict=True)]
