"""Film strips of walks between two images: along the code above, along the pixels below."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.images import as_strips, image_lines
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

SHOWN, MOST_STEPS = 4, 12


def steps_shown(steps: int) -> np.ndarray:
    """Which steps of a walk are shown."""
    return np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))


def strips(walks: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray], most: int, dataset: Dataset) -> Any:
    """The first walks of each kind, kind beside kind: their kinds, some steps as images, and their mean distances."""
    kinds = [(kind, walk) for walk in range(min(most, len(next(iter(walks.values()))))) for kind in walks]
    chosen = steps_shown(next(iter(walks.values())).shape[1])
    images = as_strips([walks[kind][walk, chosen] for kind, walk in kinds], dataset)
    return [kind for kind, _ in kinds], images, np.array([distances[kind][walk, 1:-1].mean() for kind, walk in kinds])


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Where rows are images, a few walks and how far they lead from training rows."""
    if dataset.kind != "image":
        return Kept({}, {})
    walks, distances = (
        {kind: evaluation.arrays[f"{kind}_{part}"] for kind in ("code", "pixel")} for part in ("walks", "distances")
    )
    kinds, images, means = strips(walks, distances, SHOWN, dataset)
    return Kept({"strips": images, "distances": means}, {"kinds": kinds})


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``walks``, with the distance to real images at the right of each strip."""
    left = [words(f"walk.{kind}") for kind in content.info["kinds"]]
    right = [words.number(distance, ".2f") for distance in content.tree["distances"]]
    return {"walks": image_lines(content.tree["strips"], left, words("walk.title"), right=right)}


FIGURES = Figures(keep, draw)
