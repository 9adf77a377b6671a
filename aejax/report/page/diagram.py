"""A net as inline SVG: layers from left to right, as high as they have units, maps as sheets, the code in colour.

Its colours are those of the page (custom properties of the style sheet), so that it is drawn for light and dark.
"""

import math
from html import escape

from aejax.models import Layer
from aejax.report.page.network import Network
from aejax.report.page.words import Words, fixed

STEP, LETTER, MARGIN, TOP = 52, 8, 30, 8  # in CSS pixels of a phone
HIGH, THIN, SINGLE = 112, 13, 12  # of a layer: most height, width; units up to which each is drawn
SHEETS = 4
ARCS = 26  # room above for skip connections


def svg(network: Network, words: Words) -> str:
    """The drawing, with a title and a description for those who do not see it.

    Args:
        network: what is drawn.
        words: of the page's language.
    """
    step = max(STEP, *(LETTER * len(size(layer, words)) + 10 for layer in network.layers))
    width = 2 * MARGIN + step * (len(network.layers) - 1)
    places = [MARGIN + step * place for place in range(len(network.layers))]
    half = max(map(_reach, network.layers)) / 2
    middle = TOP + half + (ARCS if network.skips else 0)
    parts = [*_bands(network, places), *_arcs(network, places, half)]
    labels = []
    for place, (layer, x) in enumerate(zip(network.layers, places, strict=True)):
        kind = "mid" if place == network.middle else "end" if place in (0, len(places) - 1) else "hid"
        parts += _layer(layer, x, kind)
        labels += _labels(layer, x, middle + half + 20, kind, network, words)
    wide = f"min-width:{0.8 * width:.0f}px;max-width:{1.5 * width:.0f}px"
    label = escape(words["network"]["label"].format(path=path(network, words)), quote=True)
    return (
        f'<svg class="net" role="img" aria-label="{label}" viewBox="0 0 {width} {middle + half + 42:.0f}" '
        f'style="{wide}"><g transform="translate(0 {middle:.1f})">{"".join(parts)}</g>{"".join(labels)}</svg>'
    )


def path(network: Network, words: Words) -> str:
    """The sizes of the layers: ``"64 → 128 → 2 → 128 → 64"``."""
    return " → ".join(size(layer, words) for layer in network.layers)


def size(layer: Layer, words: Words) -> str:
    """The shape of a layer: ``"64"``, ``"8×8"``, ``"4×4×16"``."""
    shape = layer.shape[:2] if len(layer.shape) == 3 and layer.shape[2] == 1 else layer.shape
    return "×".join(fixed(side, 0, words) for side in shape)


def _height(layer: Layer) -> float:
    """Of a layer of units: by the logarithm of their number, so that 2 and 2000 both fit."""
    return min(HIGH, 10 + 11 * math.log2(1 + math.prod(layer.shape)))


def _reach(layer: Layer) -> float:
    return _side(layer) if _is_map(layer) else _height(layer)


def _is_map(layer: Layer) -> bool:
    return len(layer.shape) == 3 and layer.shape[0] > 1


def _side(layer: Layer) -> float:
    return min(64, 8 + 9.5 * math.log2(layer.shape[0]))


def _bands(network: Network, places: list[int]) -> list[str]:
    """What joins two layers: a pale shape as high as both."""
    bands = []
    for place in range(len(places) - 1):
        left, right = network.layers[place], network.layers[place + 1]
        a, b, half = _reach(left) / 2, _reach(right) / 2, THIN / 2
        x, y = places[place] + half, places[place + 1] - half
        side = "down" if place < network.middle else "up"
        corners = f"{x},{-a:.1f} {y},{-b:.1f} {y},{b:.1f} {x},{a:.1f}"
        bands.append(f'<polygon class="band {side}" points="{corners}"/>')
    return bands


def _arcs(network: Network, places: list[int], half: float) -> list[str]:
    """Skip connections, above the layers."""
    arcs = []
    for early, late in network.skips:
        x, y = places[early], places[late]
        a, b = (-_reach(network.layers[place]) / 2 - 6 for place in (early, late))
        top = -half - ARCS * 1.2 + 9 * early
        arcs.append(f'<path class="arc" d="M{x} {a:.1f} C{x} {top} {y} {top} {y} {b:.1f}"/>')
    return arcs


def _layer(layer: Layer, x: int, kind: str) -> list[str]:
    """Sheets for maps, circles for a few units, a bar for many; around the middle line."""
    if _is_map(layer):
        return _sheets(layer, x, kind)
    if len(layer.shape) == 1 and layer.shape[0] <= SINGLE:
        return _units(layer, x, kind)
    tall = _height(layer)
    shape = f'x="{x - THIN / 2}" y="{-tall / 2:.1f}" width="{THIN}" height="{tall:.1f}" rx="4"'
    return [f'<rect class="{kind}" {shape}/>']


def _labels(layer: Layer, x: int, y: float, kind: str, network: Network, words: Words) -> list[str]:
    """The size of a layer, and its name below."""
    names = words["network"]["layers"]
    name = names["code"] if kind == "mid" else names.get(layer.name.rstrip("0123456789"), layer.name)
    if kind == "mid" and "gaussian" in network.traits:
        name = "μ + σε"
    return [
        f'<text class="size" x="{x}" y="{y:.1f}">{size(layer, words)}</text>',
        f'<text class="name" x="{x}" y="{y + 15:.1f}">{escape(name)}</text>',
    ]


def _units(layer: Layer, x: int, kind: str) -> list[str]:
    """A circle for each of a few units."""
    count = layer.shape[0]
    gap = min(18.0, _height(layer) / count * 1.4)
    radius = min(6.0, 0.42 * gap)
    tops = [gap * (unit - (count - 1) / 2) for unit in range(count)]
    return [f'<circle class="{kind}" cx="{x}" cy="{y:.1f}" r="{radius:.1f}"/>' for y in tops]


def _sheets(layer: Layer, x: int, kind: str) -> list[str]:
    """Maps, one behind the other; as many as four, for more channels closer together."""
    side, channels = _side(layer), layer.shape[2]
    count = min(SHEETS, channels)
    wide = min(side, STEP - 14)
    offset = 3.0 if count > 1 else 0.0
    first = x - wide / 2 + offset * (count - 1) / 2
    return [
        f'<rect class="{kind} sheet" x="{first - offset * place:.1f}" '
        f'y="{-side / 2 - offset * (count - 1) / 2 + offset * place:.1f}" '
        f'width="{wide:.1f}" height="{side:.1f}" rx="2"/>'
        for place in range(count)
    ]
