"""Interpolation between two images in the code and in pixels, and its distance to real images."""

from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config.bounds import Count, Within
from aejax.figures.tasks.spaces import WALK
from aejax.tasks import needs
from aejax.tasks.pca import fitted_pca
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

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


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None, options: Options
) -> Evaluation:
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
    train, _, _ = encode_and_reconstruct(model, params, on_device(dataset.train, dataset))
    x, code, _ = encode_and_reconstruct(model, params, on_device(dataset.test, dataset))
    ends = pairs(np.random.default_rng(np.asarray(jax.random.key_data(key))), dataset.test.labels, len(x), walks)
    pca = fitted_pca(train, model.code_size)
    decode = jax.jit(model.decode)
    ways = {
        "code": np.stack([decode(params, jnp.asarray(way)) for way in between(code, ends, steps)]),
        "pixels": between(x, ends, steps),
        "pca": np.stack([pca.inverse_transform(way) for way in between(pca.transform(x), ends, steps)]),
    }
    apart = {name: nearest(way.reshape(-1, x.shape[1]), train).reshape(walks, steps) for name, way in ways.items()}
    numbers = {
        name: {
            "distance": float(values[:, 1:-1].mean()),
            "middle": float(values[:, [(steps - 1) // 2, steps // 2]].mean()),
        }
        for name, values in apart.items()
    }
    by_split = {"test": numbers.pop("code")}
    numbers["test rows"] = {"distance": float(nearest(x, train).mean())}
    arrays = {"code_walks": ways["code"], "pixel_walks": ways["pixels"], "ends": ends}
    return Evaluation(
        by_split, numbers, arrays | {f"{a}_distances": apart[b] for a, b in (("code", "code"), ("pixel", "pixels"))}
    )


def pairs(random: np.random.Generator, labels: np.ndarray | None, rows: int, count: int) -> np.ndarray:
    """Pairs of rows, of two classes where there are labels: (count, 2)."""
    first = random.integers(0, rows, count)
    labels = np.arange(rows) if labels is None else labels
    second = [random.choice(np.flatnonzero(labels != labels[row])) for row in first]
    return np.column_stack([first, second])


def between(points: np.ndarray, ends: np.ndarray, steps: int) -> np.ndarray:
    """Equal steps on the straight lines between pairs of points: (walks, steps, d) float32."""
    share = np.linspace(0, 1, steps)[None, :, None]
    return ((1 - share) * points[ends[:, 0], None] + share * points[ends[:, 1], None]).astype(np.float32)


def nearest(points: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The Euclidean distance of each point to the nearest of the rows: (points,)."""
    from sklearn.neighbors import NearestNeighbors

    finder = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(rows.astype(np.float64))
    return finder.kneighbors(points.astype(np.float64))[0][:, 0]


TASK = Task(
    Options,
    evaluate,
    needs=lambda dataset, model, config, options: has_ends("walk", dataset),
    validated=(),
    figures=WALK,
)
