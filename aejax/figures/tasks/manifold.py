"""The sheet in space and what each method made of it, coloured by the true first coordinate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL, TEXT
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

METHODS = ("autoencoder", "plain", "pca", "isomap", "lle")


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """The training rows and each map of the test rows, where the rows have three features and the code two units."""
    if dataset.feature_shape != (3,) or model.code_size != 2:
        return Kept({}, {})
    maps, numbers = evaluation.arrays["maps"], {"autoencoder": evaluation.metrics["test"], **evaluation.baselines}
    r2 = lambda name: np.array([value for key, value in numbers[name].items() if key.startswith("r2_")])
    tree = {
        "rows": np.asarray(dataset.train.x),  # more of them than test rows: the sheet is seen
        "row_colours": dataset.train.coordinates[:, 0],
        "colours": evaluation.arrays["coordinates"][:, 0],
        "maps": {name: {"points": maps[name], "r2": r2(name)} for name in METHODS if name in maps},
    }
    return Kept(tree, {"data": dataset.name})


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``maps``."""
    if not kept.tree:
        return {}
    tree, colours = kept.tree, kept.tree["colours"]
    figure = canvas.new_figure(6.2, words("manifold.title", data=kept.info["data"]))
    style = {"c": colours, "cmap": "viridis", "s": 14, "linewidths": 0, "rasterized": True}
    style |= {"vmin": colours.min(), "vmax": colours.max()}
    space = figure.add_subplot(2, 3, 1, projection="3d")
    mark = space.scatter(*tree["rows"].astype(np.float64).T, **style | {"c": tree["row_colours"], "s": 6})
    space.view_init(elev=12, azim=-72)
    space.set_box_aspect((1, 1, 1), zoom=1.15)
    space.set_title(words("manifold.space"), size=TEXT, loc="left")
    for axis in (space.xaxis, space.yaxis, space.zaxis):
        axis.set_ticklabels([])
    for number, name in enumerate([name for name in METHODS if name in tree["maps"]], start=2):
        axes = figure.add_subplot(2, 3, number)
        axes.scatter(*tree["maps"][name]["points"].T, **style)
        r2 = words("common.and").join(words.number(value, ".3f") for value in tree["maps"][name]["r2"])
        axes.set_title(f"{words(f'manifold.methods.{name}')}: R² {r2}", size=TEXT, loc="left")
        canvas.quiet(axes, x="", y="")
        axes.tick_params(labelbottom=False, labelleft=False)
    bar = figure.colorbar(mark, ax=figure.axes, aspect=40, pad=0.01)
    bar.set_label(words("manifold.coordinate"), size=TEXT)
    bar.ax.tick_params(labelsize=SMALL)
    return {"maps": figure}


FIGURES = Figures(keep, draw)
