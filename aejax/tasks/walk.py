"""Interpolation between two images in the code and in pixels, and its distance to real images."""

from dataclasses import dataclass
from typing import Annotated

import jax
import numpy as np

from aejax.config.bounds import Count, Within
from aejax.figures.tasks.spaces import WALK
from aejax.metrics.outliers import neighbour_distance
from aejax.tasks import needs
from aejax.tasks.common import Random, fitted_pca, generator, outputs
from aejax.types import Dataset, Evaluation, Model, Params, Task

Steps = Annotated[int, Within(3)]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        walks: how many.
        steps: images of a walk, its two ends among them.
    """

    walks: Count = 200
    steps: Steps = 9


def has_ends(task: str, dataset: Dataset) -> None:
    """Refuse data without two test rows to walk between, of two classes where there are labels."""
    needs.has_rows(task, dataset, least=2)
    if dataset.test.labels is not None:
        needs.has_classes(task, dataset, dataset.test.labels, rows="all test rows")


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """The distance from the images on a walk between two test rows to the nearest training row.

    A walk along the code is decode((1 − s) z_a + s z_b), z the codes of its ends; one along the pixels is
    (1 − s) x_a + s x_b; s takes equal steps from 0 to 1. Its ends are of two classes, where there are labels. What a
    code loses moves an image too, so walks along PCA's components, as many as the code has units, stand beside both.

    Returns:
        ``metrics["test"]["distance"]``: the mean Euclidean distance to the nearest training row over the images between
        the ends, in units of the scaled data, and ``["middle"]``, that of the images in the middle. ``baselines`` with
        the same for ``pixels``, ``pca`` and, what real images have, ``test rows``. ``arrays`` holds ``code_walks`` and
        ``pixel_walks`` (walks, steps, n), ``code_distances`` and ``pixel_distances`` (walks, steps) and ``ends``
        (walks, 2).
    """
    walks, steps = options.walks, options.steps
    train, test = (outputs(model, params, dataset, name) for name in ("train", "test"))
    ends = pairs(generator(key), dataset.test.labels, len(test.x), walks)
    pca, decode = fitted_pca(train.x, model.code_size), jax.jit(model.decode)
    ways = {
        "code": np.stack([decode(params, way) for way in between(test.code, ends, steps)]),
        "pixels": between(test.x, ends, steps),
        "pca": np.stack([pca.inverse_transform(way) for way in between(pca.transform(test.x), ends, steps)]),
    }
    distance = lambda rows: neighbour_distance(train.x, rows, neighbours=1, algorithm="brute")
    apart = {name: distance(way.reshape(-1, way.shape[-1])).reshape(walks, steps) for name, way in ways.items()}
    middle = [(steps - 1) // 2, steps // 2]
    numbers = {
        name: {"distance": float(values[:, 1:-1].mean()), "middle": float(values[:, middle].mean())}
        for name, values in apart.items()
    }
    by_split = {"test": numbers.pop("code")}
    numbers["test rows"] = {"distance": float(distance(test.x).mean())}
    arrays = {"code_walks": ways["code"], "pixel_walks": ways["pixels"], "ends": ends}
    arrays |= {"code_distances": apart["code"], "pixel_distances": apart["pixels"]}
    return Evaluation(by_split, numbers, arrays)


def pairs(random: Random, labels: np.ndarray | None, rows: int, count: int) -> np.ndarray:
    """Pairs of rows, of two classes where there are labels: (count, 2)."""
    first = random.integers(0, rows, count)
    labels = np.arange(rows) if labels is None else labels
    second = [random.choice(np.flatnonzero(labels != labels[row])) for row in first]
    return np.column_stack([first, second])


def between(points: np.ndarray, ends: np.ndarray, steps: int) -> np.ndarray:
    """Equal steps on the straight lines between pairs of points: (walks, steps, d) float32."""
    share = np.linspace(0, 1, steps)[None, :, None]
    return ((1 - share) * points[ends[:, 0], None] + share * points[ends[:, 1], None]).astype(np.float32)


_needs = lambda dataset, *_: has_ends("walk", dataset)
TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=WALK)
