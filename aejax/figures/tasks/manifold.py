"""The sheet in space and what each method made of it, coloured by the true first coordinate."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.panels import maps
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


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``maps``."""
    tree = content.tree
    panels = {words("manifold.space"): (tree["rows"], tree["row_colours"])}
    for name in (name for name in METHODS if name in tree["maps"]):
        r2 = words("common.and").join(words.number(value, ".3f") for value in tree["maps"][name]["r2"])
        panels[f"{words(f'manifold.methods.{name}')}: R² {r2}"] = (tree["maps"][name]["points"], tree["colours"])
    title, quantity = words("manifold.title", data=content.info["data"]), words("manifold.coordinate")
    return {"maps": maps(words, panels, [quantity], axis_names=("", ""), title=title)}


FIGURES = Figures(keep, draw)
