"""SVG figures in another language: their texts replaced, and laid out again where the new ones are longer."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

from aejax.figures.canvas import TITLE
from aejax.report.page import fitting, labels
from aejax.report.page.fitting import Box, Letters
from aejax.report.page.words import Words

SVG = "{http://www.w3.org/2000/svg}"
PLACE = re.compile(r"(translate|rotate)\(([^)]*)\)")


class Label(NamedTuple):
    """A text of a figure.

    Attributes:
        group: the element that holds its lines.
        lines: their elements.
        text: what they say.
        letters: how.
        x: of the first line's place, along the figure, in points.
        y: of it, downward.
        upright: whether it is read from below.
    """

    group: Any
    lines: tuple[Any, ...]
    text: tuple[str, ...]
    letters: Letters
    x: float
    y: float
    upright: bool


def size(root: Any) -> tuple[float, float, float, float]:
    """Left, top, width and height of what an SVG shows, in points."""
    left, top, wide, high = map(float, root.get("viewBox").split())
    return left, top, wide, high


def texts(root: Any) -> list[Label]:
    """The texts of an SVG figure, without formulas."""
    return [label for group in root.iter(f"{SVG}g") if (label := _label(group)) is not None]


def translate(root: Any, words: Words) -> None:
    """Put an SVG figure into the language of a catalogue, in place; texts that it has not stay as they are."""
    found = texts(root)
    before = [_box(label) for label in found]
    legends = [_entries(group, found) for group in root.iter(f"{SVG}g") if (group.get("id") or "").startswith("legend")]
    explained = {place for legend in legends for place, _ in legend}
    after = []
    for place, label in enumerate(found):
        new = translated(label, words)
        if new is None:
            after.append(before[place])
        elif place in explained:
            after.append(_write(label, new, label.letters.size, 0.0))
        else:
            others = [own for n, own in enumerate(before) if n != place and found[n].upright == label.upright]
            ends = _ends(label, size(root)[2])
            fitted = fitting.fit(new, label.letters, before[place], others, ends, one_line=label.upright)
            after.append(_write(label, *fitted))
    lowest = max([own.below for place, own in enumerate(before) if place not in explained], default=0.0)
    for legend in legends:
        for place, shift in _spread(legend, before, after, lowest):
            after[place] = after[place]._replace(low=after[place].low + shift, high=after[place].high + shift)
    left = _grow(root, [_turned(label, own) for label, own in zip(found, after, strict=True)])
    for label in found:
        if label.letters.size == TITLE:  # it stands at the left edge
            for line in label.group.iter(f"{SVG}text"):
                line.set("x", f"{label.x + left:.2f}")


def translated(label: Label, words: Words) -> list[str] | None:
    """Its lines in the other language, or the whole of it as one; None where nothing changes."""
    names = [line.get("class") == "name" for line in label.lines]
    if all(names):
        return None
    each = [line if name else labels.translated(line, words) for line, name in zip(label.text, names, strict=True)]
    if None not in each:
        return each
    whole = labels.translated(" ".join(label.text), words)
    if whole is not None:
        return whole.split("\n")
    return [new or old for new, old in zip(each, label.text, strict=True)] if any(each) else None


def _label(group: Any) -> Label | None:
    """The text of a group; None where it holds none, or a formula."""
    lines = tuple(child for child in group if child.tag == f"{SVG}text")
    if not (group.get("id") or "").startswith("text") or not lines or any(len(line) for line in lines):
        return None
    first = lines[0]
    style = dict(part.strip().split(": ", 1) for part in first.get("style", "").split(";") if ": " in part)
    if "font-size" not in style:
        return None
    moves = {kind: list(map(float, values.split())) for kind, values in PLACE.findall(first.get("transform", ""))}
    x, y = moves.get("translate") or (float(first.get("x")), float(first.get("y")))
    letters = Letters(
        size=float(style["font-size"].removesuffix("px")),
        bold=style.get("font-weight") == "700",
        anchor=style.get("text-anchor", "start"),
    )
    upright = abs(moves.get("rotate", [0.0])[0]) > 45
    return Label(group, lines, tuple(line.text or "" for line in lines), letters, x, y, upright)


def _box(label: Label) -> Box:
    along, across = (-label.y, label.x) if label.upright else (label.x, label.y)
    return fitting.box(label.text, label.letters, along, across)


def _ends(label: Label, wide: float) -> tuple[float, float]:
    """How far a text may go: a title within the figure, another a little beyond it."""
    if label.upright:
        return -fitting.ENDLESS, fitting.ENDLESS
    beyond = 0.0 if label.letters.size == TITLE else fitting.BEYOND * wide
    return -beyond, wide + beyond


def _write(label: Label, lines: Sequence[str], letters: float, up: float) -> Box:
    """Put lines of that size in place of those of a label, the first `up` points above where it was; their extent."""
    for element in label.lines[1:]:
        label.group.remove(element)
    first, step = label.lines[0], fitting.LEADING * letters
    first.set("style", re.sub(r"font-size: [^;]*", f"font-size: {letters:g}px", first.get("style")))
    first.text = lines[0]
    if not first.get("transform"):
        first.set("y", f"{label.y - up:.2f}")
    for number, line in enumerate(lines[1:], start=1):
        further = ElementTree.SubElement(label.group, f"{SVG}text", dict(first.attrib))
        further.set("y", f"{label.y - up + number * step:.2f}")
        further.text = line
    new = label._replace(text=tuple(lines), letters=label.letters._replace(size=letters), y=label.y - up)
    return _box(new if not label.upright else new._replace(y=label.y))


def _entries(legend: Any, found: Sequence[Label]) -> list[tuple[int, list[Any]]]:
    """What a legend explains: for each text its place among all, and its element with those of its marks before it."""
    places = {id(label.group): place for place, label in enumerate(found)}
    entries, pending = [], []
    for child in legend:
        pending.append(child)
        if id(child) in places:
            if len(pending) > 1:  # a text without a mark is the legend's title
                entries.append((places[id(child)], pending))
            pending = []
    return entries


def _spread(
    legend: Sequence[tuple[int, list[Any]]], before: Sequence[Box], after: Sequence[Box], lowest: float
) -> list[tuple[int, float]]:
    """Move the columns of a legend apart, as far as their texts are longer, or together; which texts moved how far.

    One that stands below all else, whose `lowest` end is given, is in the middle and stays there.
    """
    starts = sorted({round(before[place].low) for place, _ in legend})
    end = lambda boxes, start: max(boxes[place].high for place, _ in legend if round(before[place].low) == start)
    longer = {start: end(after, start) - end(before, start) for start in starts}
    back = sum(longer.values()) / 2 if all(before[place].above > lowest for place, _ in legend) else 0.0
    moved = []
    for place, elements in legend:
        shift = sum(longer[start] for start in starts if start < round(before[place].low)) - back
        for element in elements:
            element.set("transform", f"translate({shift:.2f} 0)")
        moved.append((place, shift))
    return moved


def extent(label: Label) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a text where it stands by itself."""
    return _turned(label, _box(label))


def _turned(label: Label, own: Box) -> tuple[float, float, float, float]:
    return (own.above, -own.high, own.below, -own.low) if label.upright else (own.low, own.above, own.high, own.below)


def _grow(root: Any, boxes: Sequence[tuple[float, float, float, float]]) -> float:
    """Let an SVG show all of these boxes, and what it showed; how far its left edge moved."""
    left, top, wide, high = size(root)
    margin = fitting.GAP / 2
    low = [min([start, *(own[side] - margin for own in boxes)]) for side, start in enumerate((left, top))]
    end = [
        max([stop, *(own[side + 2] + margin for own in boxes)]) for side, stop in enumerate((left + wide, top + high))
    ]
    shown = [*low, end[0] - low[0], end[1] - low[1]]
    root.set("viewBox", " ".join(f"{value:.2f}" for value in shown))
    root.set("width", f"{shown[2]:.2f}pt")
    root.set("height", f"{shown[3]:.2f}pt")
    return low[0] - left
