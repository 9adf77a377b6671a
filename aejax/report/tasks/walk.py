"""Film strips of walks between two images: along the code above, along the pixels below."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax import workdir
from aejax.report import canvas
from aejax.report.canvas import TEXT
from aejax.report.pictures import as_images
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
    images = as_images([np.concatenate(strips)], dataset)[0]
    tiles = canvas.colours(images, "walks").reshape(len(strips), len(chosen), *images.shape[1:3], 3)
    gap = max(1, round(min(images.shape[1:3]) / 8))
    picture = canvas.mosaic(tiles, gap=gap, between=1.0)
    wide = min(0.65 * len(chosen), canvas.WIDTH - 2.6)
    title = "Walks between two test rows, and how far they lead from training rows"
    figure = canvas.new_figure(wide * picture.shape[0] / picture.shape[1] + 0.8, title)
    axes = figure.subplots()
    axes.imshow(picture)
    middles = gap + (images.shape[1] - 1) / 2 + (images.shape[1] + gap) * np.arange(len(strips))
    axes.set_yticks(middles, [left for left, _ in texts], size=TEXT)
    right = axes.secondary_yaxis("right")
    right.set_yticks(middles, [text for _, text in texts], size=TEXT)
    axes.set_xticks([])
    for each in (axes, right):
        each.tick_params(length=0)
        each.spines[:].set_visible(False)
    canvas.save_figure(figure, folder / workdir.FIGURES / "walks.png")
