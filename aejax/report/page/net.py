"""A net as it is drawn: layers from left to right, as high as they have units, maps as sheets, the code in colour."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.models import Layer, layers
from aejax.report.words import Words
from aejax.runs.artifact import Trained
from aejax.training.context import outline

STEP, LETTER, MARGIN, TOP = 52, 8, 30, 8  # in CSS pixels of a phone
HIGH, THIN, SINGLE = 112, 13, 12  # of a layer: most height, width; units up to which each is drawn
SHEETS = 4
ARCS = 26  # room above for skip connections


class Network(NamedTuple):
    """A net.

    Attributes:
        layers: from the input to the output.
        middle: position of the code, or of the maps that are handed to the decoder.
        parameters: how many numbers were learned.
        traits: what is special: keys of the catalogue's ``network.traits``.
        skips: pairs of positions of layers, the later of which also gets what the earlier one put out.
        centres: of clusters in the code; 0 for none.
    """

    layers: Sequence[Layer]
    middle: int
    parameters: int
    traits: Sequence[str]
    skips: Sequence[tuple[int, int]]
    centres: int


def network(trained: Trained) -> Network:
    """The net of a run."""
    import jax

    model, config = trained.model, trained.config
    extra = outline(model).extra
    shown, middle = _shown(layers(model))
    skips = _skips(shown, middle, model.code_size)
    traits = {
        "gaussian": "log_variance" in extra,
        "binary": config["model"]["name"].startswith("binary."),
        "centres": "centres" in extra,
        "skips": bool(skips),
        "tied": bool(config["model"].get("tied")),
        "holes": model.takes_missing,
        "noise": config["corruption"]["name"] not in ("none", "holes", "missing"),
    }
    parameters = sum(leaf.size for leaf in jax.tree.leaves(trained.params))
    centres = extra["centres"].shape[1] if "centres" in extra else 0
    return Network(shown, middle, parameters, [name for name, has in traits.items() if has], skips, centres)


def _shown(layers: Sequence[Layer]) -> tuple[list[Layer], int]:
    """The layers to draw, and the position of the code; the last maps laid flat as a code are not drawn again."""
    middle = [layer.name for layer in layers].index("code")
    before, code = layers[middle - 1], layers[middle]
    if middle > 1 and len(before.shape) == 3 and math.prod(code.shape) >= math.prod(before.shape):
        return [*layers[:middle], *layers[middle + 1 :]], middle - 1
    return list(layers), middle


def _skips(layers: Sequence[Layer], middle: int, code: int) -> list[tuple[int, int]]:
    """Where the code holds more than the last maps, the decoder also gets those of the same shape before them."""
    if layers[middle].name == "code" or code <= math.prod(layers[middle].shape):
        return []
    after = range(middle + 1, len(layers))
    same = lambda early: next((late for late in after if layers[late].shape == layers[early].shape), None)
    return [(early, same(early)) for early in range(middle) if same(early)]


def drawing(net: Network, words: Words) -> Mapping[str, Any]:
    """The drawing as its template needs it: positions in pixels, upwards and downwards from the middle line."""
    text, sizes = words.text["network"], [_size(layer, words) for layer in net.layers]
    step = max(STEP, *(LETTER * len(size) + 10 for size in sizes))
    x = [MARGIN + step * number for number in range(len(sizes))]
    reach = [_height(layer) / 2 for layer in net.layers]
    path, half = " → ".join(sizes), max(reach)
    top = lambda early: -half - ARCS * 1.2 + 9 * early
    arc = lambda a, b: f"M{x[a]} {-reach[a] - 6:.1f} C{x[a]} {top(a)} {x[b]} {top(a)} {x[b]} {-reach[b] - 6:.1f}"
    return {
        "caption": text["caption"].format(path=path, parameters=words.number(net.parameters)),
        "traits": [text["traits"][name].format(centres=net.centres) for name in net.traits],
        "label": text["label"].format(path=path),
        "width": 2 * MARGIN + step * (len(sizes) - 1),
        "middle": TOP + half + (ARCS if net.skips else 0),
        "half": half,
        "bands": [_band(net, x, reach, number) for number in range(len(sizes) - 1)],
        "arcs": [arc(early, late) for early, late in net.skips],
        "layers": [
            {"x": x[number], "size": size, "name": _name(net, number, words), "kind": _kind(net, number)}
            | _shapes(layer, 2 * reach[number])
            for number, (layer, size) in enumerate(zip(net.layers, sizes, strict=True))
        ],
    }


def _band(net: Network, x: Sequence[int], reach: Sequence[float], number: int) -> tuple[str, str]:
    """What joins a layer with the next: on which side of the code it is, and its corners."""
    left, right, a, b = x[number] + THIN / 2, x[number + 1] - THIN / 2, reach[number], reach[number + 1]
    corners = f"{left},{-a:.1f} {right},{-b:.1f} {right},{b:.1f} {left},{a:.1f}"
    return "down" if number < net.middle else "up", corners


def _kind(net: Network, number: int) -> str:
    return "mid" if number == net.middle else "end" if number in (0, len(net.layers) - 1) else "hid"


def _name(net: Network, number: int, words: Words) -> str:
    names, name = words.text["network"]["layers"], net.layers[number].name
    if number == net.middle:
        return "μ + σε" if "gaussian" in net.traits else names["code"]
    return names.get(name.rstrip("0123456789"), name)


def _size(layer: Layer, words: Words) -> str:
    """The shape of a layer: ``"64"``, ``"8×8"``, ``"4×4×16"``."""
    shape = layer.shape[:2] if len(layer.shape) == 3 and layer.shape[2] == 1 else layer.shape
    return "×".join(words.fixed(side, 0) for side in shape)


def _is_map(layer: Layer) -> bool:
    return len(layer.shape) == 3 and layer.shape[0] > 1


def _height(layer: Layer) -> float:
    """By the logarithm of the side of maps, and of the number of units, so that 2 and 2000 both fit."""
    if _is_map(layer):
        return min(64, 8 + 9.5 * math.log2(layer.shape[0]))
    return min(HIGH, 10 + 11 * math.log2(1 + math.prod(layer.shape)))


def _shapes(layer: Layer, height: float) -> dict[str, Any]:
    """Sheets one behind the other for maps, circles for a few units, a bar for many."""
    if _is_map(layer):
        count = min(SHEETS, layer.shape[2])
        offsets = [3.0 * number - 1.5 * (count - 1) for number in range(count)]
        return {"sheets": offsets, "wide": min(height, STEP - 14), "height": height}
    units = layer.shape[0]
    if len(layer.shape) == 1 and units <= SINGLE:
        gap = min(18.0, height / units * 1.4)
        return {"units": [gap * (unit - (units - 1) / 2) for unit in range(units)], "radius": min(6.0, 0.42 * gap)}
    return {"wide": THIN, "height": height}
