"""A net as inline SVG: layers from left to right, as high as they have units, maps as sheets, the code in colour.

Its colours are those of the page (custom properties of the style sheet), so that it is drawn for light and dark.
"""

import math
from html import escape

from aejax.report.page.network import Layer, Network
from aejax.report.page.words import Words, fixed

STEP, MARGIN, MIDDLE, LOW = 60, 34, 84, 168  # the viewer's units are CSS pixels of a phone
HIGH, THIN, SINGLE = 112, 13, 12  # of a layer: most height, width; units up to which each is drawn
SHEETS = 4


def svg(network: Network, words: Words) -> str:
    """The drawing, with a title and a description for those who do not see it.

    Args:
        network: what is drawn.
        words: of the page's language.
    """
    width = 2 * MARGIN + STEP * (len(network.layers) - 1)
    places = [MARGIN + STEP * place for place in range(len(network.layers))]
    parts = [*_bands(network, places), *_arcs(network, places)]
    for place, (layer, x) in enumerate(zip(network.layers, places, strict=True)):
        kind = "mid" if place == network.middle else "end" if place in (0, len(places) - 1) else "hid"
        parts += [*_layer(layer, x, kind, network, words)]
    label = escape(words["network"]["label"].format(path=path(network, words)), quote=True)
    return (
        f'<svg class="net" role="img" aria-label="{label}" viewBox="0 0 {width} {LOW + 34}" '
        f'style="max-width:{1.5 * width:.0f}px">{"".join(parts)}</svg>'
    )


def path(network: Network, words: Words) -> str:
    """The sizes of the layers: ``"64 → 128 → 2 → 128 → 64"``."""
    return " → ".join(size(layer, words) for layer in network.layers)


def size(layer: Layer, words: Words) -> str:
    """The shape of a layer: ``"64"``, ``"4×4×16"``."""
    return "×".join(fixed(side, 0, words) for side in layer.shape)


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
        corners = f"{x},{MIDDLE - a:.1f} {y},{MIDDLE - b:.1f} {y},{MIDDLE + b:.1f} {x},{MIDDLE + a:.1f}"
        bands.append(f'<polygon class="band {side}" points="{corners}"/>')
    return bands


def _arcs(network: Network, places: list[int]) -> list[str]:
    """Skip connections, above the layers."""
    arcs = []
    for early, late in network.skips:
        x, y = places[early], places[late]
        a, b = (MIDDLE - _reach(network.layers[place]) / 2 - 8 for place in (early, late))
        top = 8 + 7 * early
        arcs.append(f'<path class="arc" d="M{x} {a:.1f} C{x} {top} {y} {top} {y} {b:.1f}"/>')
    return arcs


def _layer(layer: Layer, x: int, kind: str, network: Network, words: Words) -> list[str]:
    if _is_map(layer):
        parts = _sheets(layer, x, kind)
    elif len(layer.shape) == 1 and layer.shape[0] <= SINGLE:
        parts = _units(layer, x, kind)
    else:
        tall = _height(layer)
        shape = f'x="{x - THIN / 2}" y="{MIDDLE - tall / 2:.1f}" width="{THIN}" height="{tall:.1f}" rx="4"'
        parts = [f'<rect class="{kind}" {shape}/>']
    if kind == "mid" and network.centres:
        parts += [f'<text class="mark" x="{x}" y="14">+ {network.centres}</text>']
    names = words["network"]["layers"]
    name = names["code"] if kind == "mid" else names[layer.name.rstrip("0123456789")]
    if kind == "mid" and "gaussian" in network.traits:
        name = "z = μ + σε"
    return [
        *parts,
        f'<text class="size" x="{x}" y="{LOW}">{size(layer, words)}</text>',
        f'<text class="name" x="{x}" y="{LOW + 17}">{escape(name)}</text>',
    ]


def _units(layer: Layer, x: int, kind: str) -> list[str]:
    """A circle for each of a few units."""
    count = layer.shape[0]
    gap = min(18.0, _height(layer) / count * 1.4)
    radius = min(6.0, 0.42 * gap)
    tops = [MIDDLE + gap * (unit - (count - 1) / 2) for unit in range(count)]
    return [f'<circle class="{kind}" cx="{x}" cy="{y:.1f}" r="{radius:.1f}"/>' for y in tops]


def _sheets(layer: Layer, x: int, kind: str) -> list[str]:
    """Maps, one behind the other; as many as four, for more channels closer together."""
    side, channels = _side(layer), layer.shape[2]
    count = min(SHEETS, channels)
    wide = min(side, STEP - 18)
    offset = 3.0 if count > 1 else 0.0
    first = x - wide / 2 + offset * (count - 1) / 2
    return [
        f'<rect class="{kind} sheet" x="{first - offset * place:.1f}" '
        f'y="{MIDDLE - side / 2 - offset * (count - 1) / 2 + offset * place:.1f}" '
        f'width="{wide:.1f}" height="{side:.1f}" rx="2"/>'
        for place in range(count)
    ]
