"""What a net looks like: its layers with the shapes that they really have, from the config and parameters of a run."""

import re
from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

from aejax import console
from aejax.errors import UserError
from aejax.report.page.folders import Run
from aejax.runs import workdir
from aejax.storage import manifest

NAMED = re.compile(r"(encoder|decoder)(\d+)")


class Layer(NamedTuple):
    """A layer: ``"input"``, ``"encoder0"``, …, ``"code"``, ``"decoder0"``, … or ``"output"``, and a row's shape."""

    name: str
    shape: tuple[int, ...]


class Network(NamedTuple):
    """A net as it is drawn.

    Attributes:
        layers: from the input to the output.
        middle: position of the code, or of the maps that are handed to the decoder.
        parameters: how many numbers were learned.
        traits: what is special: keys of the catalogue's ``network.traits``.
        skips: pairs of positions of layers, the later of which also gets what the earlier one put out.
        centres: of clusters in the code; 0 for none.
    """

    layers: tuple[Layer, ...]
    middle: int
    parameters: int
    traits: tuple[str, ...]
    skips: tuple[tuple[int, int], ...]
    centres: int


def network(run: Run) -> Network | None:
    """The net of a run; None where its model cannot be built here, as one of a module that is not at hand."""
    import jax
    import jax.numpy as jnp

    from aejax.config.resolving import component
    from aejax.runs.artifact import model_of

    record = _manifest(run)
    leaves = {name: tuple(shape) for name, (_, shape) in record["leaves"].items() if name.startswith("params/")}
    stored = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in leaves.items()}
    try:
        settings = component(run.config["model"], "aejax.models", what="model")
        model, shapes = model_of(settings, record["info"], stored, run.folder / workdir.MODEL)
    except UserError as error:
        console.say(f"no drawing of the net: {error}")
        return None
    key = jax.random.key(0)
    rows = jax.ShapeDtypeStruct((1, prod(model.feature_shape)), jnp.float32)
    context = jax.eval_shape(model.apply, shapes, rows, rows, key)
    hidden = {name: tuple(values.shape[1:]) for name, values in context.hidden.items()}
    layers, middle = _in_order(hidden, tuple(model.feature_shape))
    skips = _skips(layers, middle, prod(hidden.get("code", (0,))))
    traits = _traits(run.config, context.extra, skips)
    centres = context.extra["centres"].shape[1] if "centres" in context.extra else 0
    return Network(tuple(layers), middle, sum(map(prod, leaves.values())), traits, skips, centres)


def _manifest(run: Run) -> Mapping[str, Any]:
    place = run.folder / workdir.MODEL
    numbers = manifest.numbers(place)
    if not numbers:
        raise UserError(f"{run.folder}: has no {workdir.MODEL}; allowed: the folder of a finished run")
    try:
        return manifest.read(place, numbers[0])
    except manifest.DamagedError as error:
        raise UserError(f"{place}: {error}") from None


def _in_order(hidden: Mapping[str, tuple[int, ...]], feature_shape: tuple[int, ...]) -> tuple[list[Layer], int]:
    """Input, encoder, code, decoder, output; a code that is the encoder's last maps laid flat is not drawn again."""
    numbered = {name: match for name in hidden if (match := NAMED.fullmatch(name))}
    part = lambda half: sorted((n for n, match in numbered.items() if match[1] == half), key=lambda n: int(n[7:]))
    down, up = part("encoder"), part("decoder")
    layers = [Layer("input", feature_shape), *(Layer(name, hidden[name]) for name in down)]
    maps = down and len(hidden[down[-1]]) == 3
    if "code" in hidden and not (maps and prod(hidden["code"]) >= prod(hidden[down[-1]])):
        layers.append(Layer("code", hidden["code"]))
    middle = len(layers) - 1
    return [*layers, *(Layer(name, hidden[name]) for name in up), Layer("output", feature_shape)], middle


def _skips(layers: list[Layer], middle: int, code: int) -> tuple[tuple[int, int], ...]:
    """Where the code holds more than the last maps, the decoder also gets those of the same shape before them."""
    if layers[middle].name == "code" or code <= prod(layers[middle].shape):
        return ()
    pairs = []
    for early in range(middle):
        late = [place for place in range(middle + 1, len(layers)) if layers[place].shape == layers[early].shape]
        pairs += [(early, late[0])] if late else []
    return tuple(pairs)


def _traits(config: Mapping[str, Any], extra: Mapping[str, Any], skips: tuple) -> tuple[str, ...]:
    model, corruption = config["model"], config["corruption"]["name"]
    found = {
        "gaussian": "log_variance" in extra,
        "binary": model["name"].startswith("binary."),
        "centres": "centres" in extra,
        "skips": bool(skips),
        "tied": bool(model.get("tied")),
        "holes": "seen" in extra or bool(model.get("holes")),
        "noise": corruption not in ("none", "holes", "missing"),
    }
    return tuple(name for name, has in found.items() if has)
