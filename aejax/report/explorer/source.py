"""What the fragments of a run show: its net, and its test rows with their codes."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax import console
from aejax.config.resolving import data_settings
from aejax.errors import UserError
from aejax.figures.images import are_images
from aejax.report.explorer.decoder import Layer, layers_of
from aejax.report.explorer.fragment import packed
from aejax.runs import apply, workdir
from aejax.runs.artifact import Trained
from aejax.training.build import load_data
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset

MOST_WEIGHTS, MOST_VALUES = 450_000, 200_000
"""Bytes of the decoder, and of the rows, in one fragment, before base64 makes a third more of them."""
MOST_ROWS = 800


class Source(NamedTuple):
    """A finished run, looked at from its test rows.

    Attributes:
        name: of its folder.
        dataset: what it was trained on.
        trained: its net.
        x: (m, n) scaled test rows.
        code: (m, d).
        x_hat: (m, n) reconstructions.
        layers: of the decoder; None where a page cannot run it.
    """

    name: str
    dataset: Dataset
    trained: Trained
    x: np.ndarray
    code: np.ndarray
    x_hat: np.ndarray
    layers: list[Layer] | None

    @property
    def is_image(self) -> bool:
        """Whether rows are shown as pictures."""
        return are_images(self.dataset)


def load(folder: Path, *, trust: bool = False) -> Source | None:
    """The source of a run's fragments; None where its net or data are not at hand, or nothing can be drawn of it.

    What is not at hand is said, and nothing else that a page shows of the run is lost.
    """
    try:
        trained = apply.load(folder, trust=trust)
        dataset = load_data(data_settings(workdir.read_config(folder, trust=trust).get("data")))
        workdir.same_data(folder, dataset)
    except UserError as error:
        console.say(f"nothing to touch on the page: {error}")
        return None
    if not len(dataset.test.x) or dataset.kind == "text":
        return None
    x, code, x_hat = encode_and_reconstruct(trained.model, trained.params, on_device(dataset.test, dataset))
    if not (np.isfinite(code).all() and np.isfinite(x_hat).all()):
        return None
    layers = layers_of(trained, code)
    if layers is not None and sum(layer.kernel.nbytes for layer in layers) > MOST_WEIGHTS:
        layers = None
    return Source(folder.name, dataset, trained, x, code, x_hat, layers)


def sample(source: Source) -> np.ndarray:
    """The test rows that a fragment has room for, evenly spaced: their places."""
    size = source.x.shape[1] * (1 if source.is_image else 4)
    count = max(1, min(len(source.x), MOST_ROWS, MOST_VALUES // size))
    return np.linspace(0, len(source.x) - 1, count).round().astype(int)


class Display(NamedTuple):
    """How scaled values are drawn: ``values * gain + offset`` lies in [0, 1], between `low` and `high`."""

    gain: np.ndarray
    offset: np.ndarray
    low: float
    high: float


def display(source: Source) -> Display:
    """Images from the least to the greatest value of their own units; tables as the net sees them."""
    x, seen = source.x, source.x_hat
    if not source.is_image:
        low, high = float(min(x.min(), np.quantile(seen, 0.001))), float(max(x.max(), np.quantile(seen, 0.999)))
        span = max(high - low, 1e-12)
        return Display(np.float32([1 / span]), np.float32([-low / span]), low, high)
    shape = source.dataset.feature_shape
    shift, scale = (
        values.reshape(1) if np.ndim(values) == 0 else np.broadcast_to(values, shape).reshape(-1)
        for values in (np.asarray(source.dataset.shift), np.asarray(source.dataset.scale))
    )
    own = x / scale[None] + shift[None]
    low, high = float(own.min()), float(own.max())
    span = max(high - low, 1e-12)
    return Display(np.float32(1 / scale / span), np.float32((shift - low) / span), low, high)


def drawn(source: Source, values: np.ndarray) -> str:
    """Scaled rows (k, n) as they are drawn, for a fragment: bytes of images, floats of tables."""
    how = display(source)
    unit = values * how.gain[None] + how.offset[None]
    return packed(np.clip(unit * 255, 0, 255).round().astype(np.uint8) if source.is_image else unit)


def described(source: Source) -> dict[str, Any]:
    """What every fragment of a run tells its script: the shape of a row, how to draw it, and the decoder."""
    how = display(source)
    layers = source.layers and [
        {"kernel": packed(layer.kernel), "bias": packed(layer.bias), "activation": layer.activation}
        for layer in source.layers
    ]
    return {
        "shape": list(source.dataset.feature_shape),
        "image": source.is_image,
        "gain": packed(how.gain),
        "offset": packed(how.offset),
        "low": how.low,
        "high": how.high,
        "layers": layers,
    }


def class_names(source: Source, places: np.ndarray) -> list[str]:
    """The class of each test row at some places, as text; empty where there are no labels."""
    labels = source.dataset.test.labels
    return [""] * len(places) if labels is None else [source.dataset.label_names[int(labels[p])] for p in places]
