"""Film strips of walks between two images: along the code above, along the pixels below."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.rows import as_strips, image_lines, pixels, tiles_of
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

SHOWN, MOST_STEPS = 4, 12


def steps_shown(steps: int) -> np.ndarray:
    """Which steps of a walk are shown."""
    return np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Where rows are images, a few walks and how far they lead from training rows."""
    if dataset.kind != "image":
        return Kept({}, {})
    arrays = evaluation.arrays
    chosen = steps_shown(arrays["code_walks"].shape[1])
    lines = [(kind, walk) for walk in range(min(SHOWN, len(arrays["ends"]))) for kind in ("code", "pixel")]
    strips = np.stack([arrays[f"{kind}_walks"][walk, chosen] for kind, walk in lines])
    distances = np.array([arrays[f"{kind}_distances"][walk, 1:-1].mean() for kind, walk in lines])
    tree = {"strips": pixels(as_strips(strips, dataset)), "distances": distances}
    return Kept(tree, {"kinds": [kind for kind, _ in lines]})


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``walks``, with the distance to real images at the right of each strip."""
    if not kept.tree:
        return {}
    left = [words(f"walk.{kind}") for kind in kept.info["kinds"]]
    right = [words.number(distance, ".2f") for distance in kept.tree["distances"]]
    return {"walks": image_lines(tiles_of(kept.tree["strips"]), left, words("walk.title"), right=right)}


FIGURES = Figures(keep, draw)
