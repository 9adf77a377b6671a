"""Where a text of a figure has room: as one line, as more lines, or in smaller letters.

Texts are measured in the font that figures are drawn with; others that a browser may take are as wide or narrower.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

LEADING = 1.2  # from line to line, of the size of the letters
GAP = 6.0  # points between a text and the next
BEYOND = 0.12  # of the width: how far a figure may grow on either side before lines are broken
SMALLEST = 0.75  # of its size, to which a text that has no room shrinks
ENDLESS = 1e4
PARTS = {"start": (0.0, 1.0), "middle": (0.5, 0.5), "end": (1.0, 0.0)}
"""Of a text, before and after its place."""


class Box(NamedTuple):
    """A text's extent along its direction (``low`` to ``high``), and across it; which part of it stays where it is."""

    low: float
    high: float
    above: float
    below: float
    anchor: str


class Letters(NamedTuple):
    """How a text is written: the size of its letters, whether they are bold, and which part of it is at its place."""

    size: float
    bold: bool
    anchor: str


class Fitted(NamedTuple):
    """A text that has room: its lines, the size of the letters, and how far above its place it starts."""

    lines: tuple[str, ...]
    size: float
    up: float


def width(text: str, letters: Letters) -> float:
    """How long a line is, in points."""
    return _font(letters.bold).getlength(text) * letters.size / 100


@cache
def _font(bold: bool) -> Any:
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans{'-Bold' * bold}.ttf", 100)


def box(lines: Sequence[str], letters: Letters, along: float, across: float) -> Box:
    """The extent of lines, the first of which stands at a place."""
    longest = max(width(line, letters) for line in lines)
    before, after = PARTS[letters.anchor]
    last = across + LEADING * letters.size * (len(lines) - 1)
    low, high = along - before * longest, along + after * longest
    return Box(low, high, across - 0.8 * letters.size, last + 0.25 * letters.size, letters.anchor)


def fit(
    new: Sequence[str], letters: Letters, old: Box, others: Sequence[Box], ends: tuple[float, float], *, one_line: bool
) -> Fitted:
    """A text in place of another.

    Args:
        new: its lines, as it would be.
        letters: of it.
        old: where the other one was.
        others: where the texts around it are.
        ends: between which there is room, if there are no others.
        one_line: whether it must not be broken.
    """
    room = _room(letters, old, others, ends)
    longest = lambda lines: max(width(line, letters) for line in lines)
    lines = list(new)
    if longest(lines) > room and not one_line:
        lines = [part for line in new for part in broken(line, room, letters)]
    step = LEADING * letters.size
    before = round((old.below - old.above) / step)  # lines
    up = _up(letters, old, others, step * (len(lines) - before))
    if up is None:
        lines, up = list(new), 0.0
    scale = max(SMALLEST, min(1.0, room / longest(lines)))
    return Fitted(tuple(lines), scale * letters.size, up)


def _room(letters: Letters, old: Box, others: Sequence[Box], ends: tuple[float, float]) -> float:
    """How long a text may be, beside those at its height: up to them, or half the way where they may grow too."""
    beside = [other for other in others if other.above < old.below and other.below > old.above]
    left = [each for each in beside if each.low + each.high < old.low + old.high]
    right = [each for each in beside if each.low + each.high > old.low + old.high]
    low = max([ends[0], *(e.high + GAP if e.anchor == "end" else (e.high + old.low + GAP) / 2 for e in left)])
    high = min([ends[1], *(e.low - GAP if e.anchor == "start" else (e.low + old.high - GAP) / 2 for e in right)])
    before, after = PARTS[letters.anchor]
    place = old.low + before * (old.high - old.low)
    return min((place - low) / before if before else ENDLESS, (high - place) / after if after else ENDLESS)


def broken(line: str, room: float, letters: Letters) -> list[str]:
    """A line as the fewest lines that have room, about equally long; at least its words."""
    words = line.split(" ")
    for count in range(2, len(words) + 1):
        for most in (min(room, 1.15 * width(line, letters) / count), room):
            lines = _filled(words, most, letters)
            if len(lines) <= count and max(width(each, letters) for each in lines) <= room:
                return lines
    return words


def _filled(words: Sequence[str], most: float, letters: Letters) -> list[str]:
    lines = [words[0]]
    for word in words[1:]:
        if width(f"{lines[-1]} {word}", letters) > most:
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return lines


def _up(letters: Letters, old: Box, others: Sequence[Box], more: float) -> float | None:
    """How far a text that gets higher by `more` starts above its place; None where there is no room for that."""
    if more <= 0:
        return more / 2
    near = [other for other in others if other.low < old.high and other.high > old.low]
    below = min([other.above - old.below for other in near if other.above >= old.below - 1], default=ENDLESS)
    above = min([old.above - other.below for other in near if other.below <= old.above + 1], default=ENDLESS)
    if letters.anchor == "end" and min(below, above) >= more / 2:
        return more / 2
    if below >= more and not letters.bold:
        return 0.0
    return more if above >= more else None
