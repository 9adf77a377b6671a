"""Film strips of walks between two images: along the code above, along the pixels below."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL, TEXT
from aejax.figures.run import as_images
from aejax.types import Dataset, Evaluation, Model, Params

SHOWN, MOST_STEPS = 4, 12


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/walks.png``, where rows are images, with the distance to real images at the right of a strip."""
    if dataset.kind != "image":
        return
    arrays = found.arrays
    steps = arrays["code_walks"].shape[1]
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))
    strips, texts = [], []
    for walk in range(min(SHOWN, len(arrays["ends"]))):
        for name, label in (("code", "along the code"), ("pixel", "along the pixels")):
            strips.append(arrays[f"{name}_walks"][walk, chosen])
            texts.append((label, f"{arrays[f'{name}_distances'][walk, 1:-1].mean():.2f}"))
    title = "Walks between two test rows, and how far they lead from training rows"
    film_strips(folder / "walks.png", np.stack(strips), dataset, title, *zip(*texts, strict=True))


def film_strips(
    path: Path,
    strips: np.ndarray,
    dataset: Dataset,
    title: str,
    left: Sequence[str],
    right: Sequence[str] = (),
    below: Sequence[str] = (),
) -> None:
    """Draw rows of images below each other, cut off at the ends of the data's range.

    Args:
        path: the PNG file to write.
        strips: (strips, images, n), scaled.
        dataset: whose images these are.
        title: what there is to see.
        left: what stands at the left of each strip.
        right: what stands at its right, if anything does.
        below: what stands below each column, if anything does.
    """
    inside = np.clip(strips, dataset.range.low, dataset.range.high)
    images = as_images([inside.reshape(-1, strips.shape[-1])], dataset)[0]
    tiles = canvas.colours(images, "strips").reshape(*strips.shape[:2], *images.shape[1:3], 3)
    gap = max(1, round(min(images.shape[1:3]) / 8))
    picture = canvas.mosaic(tiles, gap=gap, between=1.0)
    wide = min(0.65 * strips.shape[1], canvas.WIDTH - 3.2)
    figure = canvas.new_figure(wide * picture.shape[0] / picture.shape[1] + 0.8, title)
    axes = figure.subplots()
    canvas.show_lines(axes, picture, left, height=images.shape[1], gap=gap)
    if right:
        side = axes.secondary_yaxis("right")
        side.set_yticks(canvas.middles(len(strips), images.shape[1], gap), right, size=TEXT)
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    across = canvas.middles(len(below), images.shape[2], gap)
    axes.set_xticks(across, [fill(canvas.plain(text), 8) for text in below], size=SMALL)
    canvas.save_figure(figure, path)
