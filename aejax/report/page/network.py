"""What a net looks like: its layers with the shapes that they really have, from the config and parameters of a run."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from aejax import console
from aejax.errors import UserError
from aejax.models import Layer, layers
from aejax.report.page.folders import Run
from aejax.runs import workdir
from aejax.storage import checkpoint
from aejax.types import Model


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
    from aejax.training.context import outline

    record = _manifest(run)
    leaves = {name: tuple(shape) for name, (_, shape) in record["leaves"].items() if name.startswith("params/")}
    stored = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in leaves.items()}
    try:
        settings = component(run.config["model"], "aejax.models", what="model")
        model, _ = model_of(settings, record["info"], stored, run.folder / workdir.MODEL)
    except UserError as error:
        console.say(f"no drawing of the net: {error}")
        return None
    extra = outline(model).extra
    drawn, middle = _drawn(layers(model))
    skips = _skips(drawn, middle, model.code_size)
    traits = _traits(run.config, model, extra, skips)
    centres = extra["centres"].shape[1] if "centres" in extra else 0
    return Network(tuple(drawn), middle, sum(map(prod, leaves.values())), traits, skips, centres)


def _manifest(run: Run) -> Mapping[str, Any]:
    place = run.folder / workdir.MODEL
    numbers = checkpoint.numbers(place)
    if not numbers:
        raise UserError(f"{run.folder}: has no {workdir.MODEL}; allowed: the folder of a finished run")
    try:
        return checkpoint.read_manifest(place, numbers[0])
    except checkpoint.DamagedError as error:
        raise UserError(f"{place}: {error}") from None


def _drawn(layers: Sequence[Layer]) -> tuple[list[Layer], int]:
    """The layers to draw, and the place of the code; the last maps laid flat as a code are not drawn again."""
    middle = [layer.name for layer in layers].index("code")
    before, code = layers[middle - 1], layers[middle]
    if middle > 1 and len(before.shape) == 3 and prod(code.shape) >= prod(before.shape):
        return [*layers[:middle], *layers[middle + 1 :]], middle - 1
    return list(layers), middle


def _skips(layers: list[Layer], middle: int, code: int) -> tuple[tuple[int, int], ...]:
    """Where the code holds more than the last maps, the decoder also gets those of the same shape before them."""
    if layers[middle].name == "code" or code <= prod(layers[middle].shape):
        return ()
    pairs = []
    for early in range(middle):
        late = [place for place in range(middle + 1, len(layers)) if layers[place].shape == layers[early].shape]
        pairs += [(early, late[0])] if late else []
    return tuple(pairs)


def _traits(config: Mapping[str, Any], built: Model, extra: Mapping[str, Any], skips: tuple) -> tuple[str, ...]:
    model, corruption = config["model"], config["corruption"]["name"]
    found = {
        "gaussian": "log_variance" in extra,
        "binary": model["name"].startswith("binary."),
        "centres": "centres" in extra,
        "skips": bool(skips),
        "tied": bool(model.get("tied")),
        "holes": built.takes_missing,
        "noise": corruption not in ("none", "holes", "missing"),
    }
    return tuple(name for name, has in found.items() if has)
