"""What the drawings of the fragments share: axes with few round ticks, and marks that are told apart by their form."""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from aejax.figures.canvas import OKABE_ITO, PETROFF

FORMS = (
    "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",  # circle
    "M-3 -3h6v6h-6z",  # square
    "M0 -4.2L4 3H-4z",  # triangle
    "M0 -4.4L4.4 0L0 4.4L-4.4 0z",  # diamond
    "M0 4.2L4 -3H-4z",  # triangle on its tip
    "M-1.3 -4h2.6v2.7H4v2.6H1.3V4h-2.6V1.3H-4v-2.6h2.7z",  # cross
)


class Axis(NamedTuple):
    """From values to places along one side of a drawing.

    Attributes:
        low: the value at `start`.
        high: the value at `end`.
        start: a place.
        end: a place.
        logarithmic: whether equal factors are equal distances.
    """

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value stands."""
        along = lambda v: math.log(v) if self.logarithmic else v
        share = (along(value) - along(self.low)) / (along(self.high) - along(self.low))
        return self.start + share * (self.end - self.start)


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis with a little room around values."""
    low, high = float(min(values)), float(max(values))
    room = 0.06 * (high - low) or max(0.5, 1e-9 * abs(high))
    return Axis(low - room, high + room, start, end)


def widest(values: Sequence[float], start: float, end: float) -> Axis:
    """An axis in factors, where values are above 0 and span more than 20; else a plain one."""
    low, high = float(min(values)), float(max(values))
    if low <= 0 or high <= 20 * low:
        return axis(values, start, end)
    room = (high / low) ** 0.06
    return Axis(low / room, high * room, start, end, True)


def ticks(side: Axis) -> list[float]:
    """Three to eight round values on an axis."""
    if side.logarithmic:
        powers = range(math.floor(math.log10(side.low)), math.ceil(math.log10(side.high)) + 1)
        every = [1] if side.high > 1000 * side.low else [1, 2, 5]
        found = [round(factor * 10.0**power, 12) for power in powers for factor in every]
    else:
        rough = (side.high - side.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
        found = [round(step * number, 12) for number in range(math.ceil(side.low / step), math.ceil(side.high / step))]
    return [value for value in found if side.low <= value <= side.high]


def written(value: float, decimal: str) -> str:
    """A value with at most three significant digits and no powers of ten, as the language writes it."""
    text = f"{float(f'{value:.3g}'):.12f}".rstrip("0").rstrip(".")
    return text.replace("-", "−").replace(".", decimal)


def frame(across: Axis, up: Axis, names: tuple[str, str], decimal: str) -> str:
    """Axes, their ticks and their names, as SVG."""
    parts = [f'<path class="touch-axes" d="M{across.start} {up.end}V{up.start}H{across.end}"/>']
    for value in ticks(across):
        x = across.place(value)
        parts.append(f'<path class="touch-grid" d="M{x:.1f} {up.start}V{up.end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{up.start + 18}" text-anchor="middle">{written(value, decimal)}</text>')
    for value in ticks(up):
        y = up.place(value)
        parts.append(f'<path class="touch-grid" d="M{across.start} {y:.1f}H{across.end}"/>')
        parts.append(f'<text x="{across.start - 6}" y="{y + 4:.1f}" text-anchor="end">{written(value, decimal)}</text>')
    centre, middle = (across.start + across.end) / 2, (up.start + up.end) / 2
    beside = across.start - 14 - round(7.3 * max(len(written(value, decimal)) for value in ticks(up)))
    parts.append(
        f'<text x="{centre}" y="{up.start + 37}" text-anchor="middle">{escape(names[0])}</text>'
        f'<text transform="translate({beside} {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(names[1])}</text>"
    )
    return "".join(parts)


def colour(label: int, classes: int) -> str:
    """The colour of a class; black is the ink of the page, so that it is seen on dark ground."""
    palette = OKABE_ITO if classes <= len(OKABE_ITO) else PETROFF
    found = palette[label % len(palette)]
    return "var(--ink)" if found == "#000000" else found


def mark(x: float, y: float, label: int, names: Sequence[str]) -> str:
    """A point of a class: its name, where all names are as short as a digit, else a form."""
    fill = colour(label, len(names))
    if names and max(map(len, names)) <= 2:
        return f'<text class="touch-digit" x="{x:.1f}" y="{y + 3.6:.1f}" fill="{fill}">{escape(names[label])}</text>'
    form = FORMS[label % len(FORMS)]
    return f'<path d="{form}" transform="translate({x:.1f} {y:.1f})" fill="{fill}"/>'


def legend(names: Sequence[str], used: np.ndarray) -> str:
    """The classes and their marks, as HTML; nothing where the marks are the names."""
    if not names or max(map(len, names)) <= 2:
        return ""
    items = (
        f'<li><svg viewBox="-6 -6 12 12" aria-hidden="true">{mark(0, 0, label, names)}</svg>{escape(names[label])}</li>'
        for label in np.unique(used)
    )
    return f'<ul class="touch-legend">{"".join(items)}</ul>'
