"""What the fragments of a run show: its test rows with their codes, and its decoder."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console
from aejax.config.resolving import data_settings
from aejax.data import catalogue
from aejax.errors import UserError
from aejax.figures.images import are_images
from aejax.models.activations import ACTIVATIONS
from aejax.report.explorer import chart
from aejax.report.words import Words
from aejax.runs import workdir
from aejax.runs.artifact import Trained
from aejax.training.build import load_data
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.training.numerics import fixed
from aejax.types import Dataset

MOST_WEIGHTS, MOST_VALUES = 450_000, 200_000
"""Bytes of the decoder, and of the rows, in one fragment, before base64 makes a third more of them."""
MOST_ROWS = 800
TOLERANCE, CHECKED = 1e-5, 20  # of a decoder's layers, and codes that they are run on


class Fragment(NamedTuple):
    """A piece of a page that reacts.

    Attributes:
        kind: the name of its macro, and of its function in the script.
        data: what the script needs, and under ``texts`` what both say; it goes into the page as JSON.
        view: what only the macro needs.
        after: another piece that is shown below this one.
    """

    kind: str
    data: Mapping[str, Any]
    view: Mapping[str, Any]
    after: "Fragment | None" = None


class Scale(NamedTuple):
    """How scaled values are drawn: ``values * gain + offset`` lies in [0, 1], between `low` and `high`."""

    gain: np.ndarray
    offset: np.ndarray
    low: float
    high: float


class Layer(NamedTuple):
    """a = f(z W + b): W (inputs, units) and b (units,) float32, and the name of f."""

    kernel: Any
    bias: Any
    activation: str


class Source(NamedTuple):
    """A run, looked at from its test rows.

    Attributes:
        dataset: what it was trained on.
        x: (m, n) scaled test rows.
        code: (m, d).
        x_hat: (m, n) reconstructions.
        layers: of the decoder; None where a page cannot run it.
        scale: how rows are drawn.
    """

    dataset: Dataset
    x: np.ndarray
    code: np.ndarray
    x_hat: np.ndarray
    layers: list[Layer] | None
    scale: Scale


@fixed()
def load(trained: Trained) -> Source | None:
    """The source of a run's fragments; None where its data are not at hand, or nothing can be drawn of it.

    Missing data are mentioned on the console, and not downloaded; the rest of the page is made without them.
    """
    settings = data_settings(trained.config.get("data"))
    name = settings["name"].removeprefix("binary:")
    if settings["data_dir"] is None and any(
        row.name == name and row.status == "needs download" for row in catalogue.table()
    ):
        console.say(f"nothing to touch on the page: {name} is not at hand; get it with: aejax data prepare {name}")
        return None
    try:
        dataset = load_data(settings)
        workdir.same_data(trained.folder, dataset, say=lambda line: None)  # last bits cannot be seen
    except UserError as error:
        console.say(f"nothing to touch on the page: {error}")
        return None
    if not len(dataset.test.x) or dataset.kind == "text":
        return None
    x, code, x_hat = encode_and_reconstruct(trained.model, trained.params, on_device(dataset.test, dataset))
    if not (np.isfinite(code).all() and np.isfinite(x_hat).all()):
        return None
    return Source(dataset, x, code, x_hat, layers_of(trained, code), scale_of(dataset, x, x_hat))


def too_heavy(layers: Sequence[Layer] | None) -> bool:
    """Whether the weights of a decoder are too many for a page."""
    return sum(layer.kernel.nbytes for layer in layers or ()) > MOST_WEIGHTS


def layers_of(trained: Trained, codes: np.ndarray) -> list[Layer] | None:
    """The layers of a decoder that is dense from end to end; None for any other.

    The layers are run on some codes, and compared with the decoder: one that does more is not taken for its layers.

    Args:
        trained: a whole net.
        codes: (m, d) of some rows.
    """
    if trained.model.decoder_layers is None:
        return None
    layers = [Layer(*layer) for layer in trained.model.decoder_layers(trained.params)]
    codes = jnp.asarray(codes[:CHECKED])
    answer, wanted = run(layers, codes), jax.jit(trained.model.decode)(trained.params, codes)
    same = answer.shape == wanted.shape and bool(jnp.allclose(answer, wanted, TOLERANCE, TOLERANCE))
    return layers if same else None


def run(layers: Sequence[Layer], codes: jax.Array) -> jax.Array:
    """Codes (m, d) through the layers."""
    for kernel, bias, activation in layers:
        codes = ACTIVATIONS[activation].function(codes @ kernel + bias[None])
    return codes


def sample(source: Source) -> np.ndarray:
    """The positions of the test rows that a fragment has room for, evenly spaced."""
    size = source.x.shape[1] * (1 if are_images(source.dataset) else 4)
    count = max(1, min(len(source.x), MOST_ROWS, MOST_VALUES // size))
    return np.linspace(0, len(source.x) - 1, count).round().astype(int)


def scale_of(dataset: Dataset, x: np.ndarray, x_hat: np.ndarray) -> Scale:
    """Images from the least to the greatest value of their own units; tables as the net sees them."""
    if are_images(dataset):
        whole = lambda values: np.ravel(values if np.size(values) == 1 else np.broadcast_to(values, shape))
        shape = dataset.feature_shape
        shift, scale = whole(dataset.shift), whole(dataset.scale)
        original = x / scale[None] + shift[None]
        low, high = float(original.min()), float(original.max())
    else:
        shift, scale = np.zeros(1), np.ones(1)
        low, high = float(min(x.min(), np.quantile(x_hat, 0.001))), float(max(x.max(), np.quantile(x_hat, 0.999)))
    span = max(high - low, 1e-12)
    return Scale(np.float32(1 / scale / span), np.float32((shift - low) / span), low, high)


def drawn(source: Source, values: np.ndarray) -> str:
    """Scaled rows (k, n) as they are drawn, for a fragment: bytes of images, floats of tables."""
    unit = values * source.scale.gain[None] + source.scale.offset[None]
    return packed(np.clip(unit * 255, 0, 255).round().astype(np.uint8) if are_images(source.dataset) else unit)


def packed(values: Any) -> str:
    """An array as base64: uint8 as it is, all else as little-endian float32."""
    values = np.asarray(values)
    return base64.b64encode(values.astype("u1" if values.dtype == np.uint8 else "<f4").tobytes()).decode()


def texts_of(kind: str, words: Words) -> dict[str, str]:
    """What a fragment of a kind says."""
    touch = words.text["touch"]
    return touch["shared"] | touch[kind] | {"decimal": words.text["numbers"]["decimal"]}


def data_of(source: Source, rows: np.ndarray, texts: Mapping[str, str]) -> dict[str, Any]:
    """What every fragment of a run hands to its script: some test rows, how to draw them, and the decoder.

    Args:
        source: of the run.
        rows: positions of the test rows.
        texts: of the fragment.
    """
    labels, names = source.dataset.test.labels, source.dataset.label_names
    layers = source.layers and [
        {"kernel": packed(kernel), "bias": packed(bias), "activation": name} for kernel, bias, name in source.layers
    ]
    return {
        "texts": texts,
        "shape": list(source.dataset.feature_shape),
        "image": are_images(source.dataset),
        "gain": packed(source.scale.gain),
        "offset": packed(source.scale.offset),
        "layers": layers,
        "rows": drawn(source, source.x[rows]),
        "codes": packed(source.code[rows]),
        "numbers": (rows + 1).tolist(),
        "labels": [""] * len(rows) if labels is None else [names[int(labels[row])] for row in rows],
    }


def profile(source: Source, texts: Mapping[str, str]) -> dict[str, Any]:
    """The axes of the chart in which rows of a table are lines."""
    across = chart.Axis(1, max(source.x.shape[1], 2), 52, 352)
    up = chart.Axis(source.scale.low, source.scale.high, 176, 12)
    return chart.frame(across, up, (texts["feature"], texts["value"]), texts["decimal"])
