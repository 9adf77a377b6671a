"""The sheet in space and what each method made of it, coloured by the true first coordinate."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL, TEXT
from aejax.types import Dataset, Evaluation, Model, Params

NAMES = {"autoencoder": "autoencoder", "plain": "plain autoencoder", "pca": "PCA", "isomap": "Isomap", "lle": "LLE"}


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``figures/maps.png``, where the rows have three features and the code two units."""
    if dataset.feature_shape != (3,) or model.code_size != 2:
        return
    maps, colour = found.arrays["maps"], found.arrays["coordinates"][:, 0]
    numbers = {"autoencoder": found.metrics["test"], **found.baselines}
    figure = canvas.new_figure(6.2, f"The test rows of {dataset.name} and their maps in two dimensions")
    style = {"c": colour, "cmap": "viridis", "s": 14, "linewidths": 0, "rasterized": True}
    style |= {"vmin": colour.min(), "vmax": colour.max()}
    space = figure.add_subplot(2, 3, 1, projection="3d")
    rows = np.asarray(dataset.train.x, np.float64)  # more of them than test rows: the sheet is seen
    mark = space.scatter(*rows.T, **style | {"c": dataset.train.coordinates[:, 0], "s": 6})
    space.view_init(elev=12, azim=-72)
    space.set_box_aspect((1, 1, 1), zoom=1.15)
    space.set_title("training rows in space", size=TEXT, loc="left")
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_ticklabels([])
    shown = [name for name in NAMES if name in maps]
    for place, name in enumerate(shown, start=2):
        axes = figure.add_subplot(2, 3, place)
        axes.scatter(*maps[name].T, **style)
        r2 = [f"{value:.3f}" for key, value in numbers[name].items() if key.startswith("r2_")]
        axes.set_title(f"{NAMES[name]}: R² {' and '.join(r2)}", size=TEXT, loc="left")
        canvas.quiet(axes, x="", y="")
        axes.tick_params(labelbottom=False, labelleft=False)
    bar = figure.colorbar(mark, ax=figure.axes, aspect=40, pad=0.01)
    bar.set_label("true first coordinate (length along the sheet)", size=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    canvas.save_figure(figure, folder / "maps.png")
