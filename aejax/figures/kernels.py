"""Filters of a layer, each as a small picture."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL, WIDTH

MOST = 100
TITLE = "Filters of the first layer"


def filters(path: str | os.PathLike, kernels: Any) -> Path:
    """Draw filters as a grid of small pictures, each scaled by its own largest magnitude.

    One channel: zero is white, positive weights are red and negative ones blue. Three channels: zero is grey.

    Args:
        path: the PNG file to write.
        kernels: (units, height, width[, 1 or 3]) weights; of more than 100 the first are drawn, as the title then says.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw, or for another number of channels.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    kernels = np.nan_to_num(canvas.numbers(kernels, "kernels", [3, 4]))
    title = TITLE if len(kernels) <= MOST else f"{TITLE} (first {MOST} of {len(kernels)})"
    coloured = kernels.ndim == 4 and kernels.shape[-1] == 3
    tiles = _tinted(kernels[:MOST], coloured=coloured)
    height, width = tiles.shape[1:3]
    columns = canvas.grid_columns(len(tiles), ratio=1.9 * height / width)
    picture = _grid(tiles, columns)
    beside = 0.3 if coloured else 1.0
    wide = min(WIDTH - beside, 1.2 * columns * width / max(height, width))
    high = max(wide * picture.shape[0] / picture.shape[1], 2.0)
    figure = canvas.new_figure(high + 0.5, title, width=canvas.fitting(wide + beside, title))
    axes = figure.subplots()
    axes.set_anchor("W")
    axes.imshow(picture)
    axes.set_axis_off()
    if not coloured:
        bar = figure.colorbar(ScalarMappable(Normalize(-1, 1), "RdBu_r"), ax=axes, aspect=30, pad=0.01)
        bar.set_label("weight ÷ largest of its filter", size=SMALL)
        bar.set_ticks([-1, 0, 1])
        bar.ax.tick_params(labelsize=SMALL)
    return canvas.save_figure(figure, path)


def _tinted(kernels: np.ndarray, *, coloured: bool) -> np.ndarray:
    """Filters as pictures, (units, height, width, 3) in [0, 1]."""
    from matplotlib import colormaps

    largest = np.abs(kernels).max(axis=tuple(range(1, kernels.ndim)), keepdims=True)
    signed = kernels / np.where(largest > 0, largest, 1.0)
    tiles = canvas.colours(0.5 + 0.5 * signed, "kernels")
    return tiles if coloured else colormaps["RdBu_r"](tiles[..., 0])[..., :3]


def _grid(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Pictures of filters in rows, the last of which may end in white."""
    count, height, width, _ = tiles.shape
    rows = -(-count // columns)
    empty = rows * columns - count
    padded = np.concatenate([tiles, np.ones((empty, height, width, 3))]).reshape(rows, columns, height, width, 3)
    # Enlarged first, so that the lines between small filters are thin.
    scale = max(1, round(48 / max(height, width)))
    picture = canvas.mosaic(padded.repeat(scale, axis=2).repeat(scale, axis=3), gap=2, between=0.75)
    if empty:
        picture[-(height * scale + 2) :, -empty * (width * scale + 2) :] = 1.0
    return picture
