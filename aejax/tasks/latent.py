"""Exploration of a latent space: interpolation, random points, a grid over it, and arithmetic with class means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import jax
import numpy as np

from aejax.config.bounds import Count, Within
from aejax.errors import UserError
from aejax.figures.tasks.spaces import LATENT
from aejax.metrics.generation import nearest_rows
from aejax.tasks import needs, samplers, walk
from aejax.tasks.common import Arrays, Numbers, Outputs, Random, decoder, fitted_pca, generator, outputs
from aejax.tasks.generation import fit_classifier, predict
from aejax.tasks.walk import Steps
from aejax.types import Dataset, Evaluation, Model, Params, Task

GRID_TAIL = 2  # percent of the codes beyond each edge of the grid
SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        walks: how many, and how many random points.
        steps: rows of a walk, its two ends among them.
        side: rows along a side of the grid, which spans the code where it has two units, and the plane of its two
            leading principal components elsewhere.
    """

    walks: Count = 200
    steps: Steps = 9
    side: Annotated[int, Within(2, 100)] = 15


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if model.code_size < 2:
        raise UserError("latent: a grid needs a code of 2 units or more, and the model's has 1; allowed: model.code=2")
    walk.has_ends("latent", dataset)


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """How near real rows one stays on a walk, at a random point, and whether codes can be moved from class to class.

    Walks go between two test rows, of two classes where there are labels. Moving a test row of class a to class b adds
    the mean code of b's training rows and takes away that of a's; a classifier of real rows says whether b came out.

    Returns:
        ``metrics["test"]`` of straight walks: ``distance``, the mean Euclidean distance from the rows between the ends
        to the nearest training row, in units of the scaled data; with labels also ``moved``, the share of test rows
        taken for a row of the class they were moved to, and ``moved_distance``, that of these rows. ``baselines``: the
        same for ``spherical`` walks, for ``pixels`` and for ``pca`` components, as many as the code has units;
        ``distance`` of decoded ``random points`` of the box and of a ``gaussian`` of the codes, of ``test rows`` and of
        ``decoded test rows``, whose ``moved`` is the share taken for their own class. ``arrays`` holds what figures
        show.
    """
    walks, steps = options.walks, options.steps
    for_classifier, chooser = jax.random.split(key)
    train, test = (outputs(model, params, dataset, name) for name in ("train", "test"))
    random = generator(chooser)
    decode, pca = decoder(model, params), fitted_pca(train.x, model.code_size)
    points, flat = pca.transform(test.x), lambda way: way.reshape(-1, way.shape[-1])
    ends = walk.pairs(random, dataset.test.labels, len(test.x), walks)
    made = {
        "straight": decode(flat(walk.between(test.code, ends, steps))),
        "spherical": decode(flat(spherical(test.code, ends, steps, centre=train.code.mean(0)))),
        "pixels": flat(walk.between(test.x, ends, steps)),
        "pca": pca.inverse_transform(flat(walk.between(points, ends, steps))),
    }
    apart = {name: nearest_rows(rows, train.x)[1].reshape(walks, steps) for name, rows in made.items()}
    numbers: dict[str, Any] = {name: {"distance": float(values[:, 1:-1].mean())} for name, values in apart.items()}
    fitted = {"random points": samplers.uniform, "gaussian": samplers.gaussian}
    drawn = {
        name: decode(make(chooser, model, params, train.code).draw(random, walks)) for name, make in fitted.items()
    }
    rows = drawn | {"test rows": test.x, "decoded test rows": test.x_hat}
    numbers |= {name: {"distance": float(nearest_rows(values, train.x)[1].mean())} for name, values in rows.items()}
    arrays = {
        "ways": {name: values.reshape(walks, steps, -1) for name, values in made.items()},
        "way_distances": apart,
        "random": {name: values[:SHOWN] for name, values in drawn.items()},
        "code": test.code,
        "grid": decode(grid(train.code, options.side)).reshape(options.side, options.side, -1),
    }
    if dataset.train.labels is not None:
        spaces = {"straight": (train.code, test.code, decode), "pixels": (train.x, test.x, np.asarray)}
        spaces["pca"] = (pca.transform(train.x), points, pca.inverse_transform)
        shares, arrays["moved"] = _moves(for_classifier, random, dataset, train.x, test, spaces)
        numbers = {name: values | shares.get(name, {}) for name, values in numbers.items()}
    return Evaluation({"test": numbers.pop("straight")}, numbers, arrays)


def spherical(points: np.ndarray, ends: np.ndarray, steps: int, *, centre: np.ndarray) -> np.ndarray:
    """Ways between pairs of points that turn around a centre at a constant rate.

    With a and b the ends less the centre, ω the angle between them, and s in equal steps from 0 to 1, the way is
    centre + [sin((1 − s) ω) a + sin(s ω) b] / sin ω; straight where a and b point the same way or opposite ways.

    Args:
        points: (m, d).
        ends: (walks, 2) indices of points.
        steps: points of a way, its ends among them.
        centre: (d,).

    Returns:
        (walks, steps, d) float32.

    References:
        Shoemake 1985, Animating rotation with quaternion curves, section 3.3. White 2016, Sampling generative networks,
        section 2.1.
    """
    a, b = (points[ends[:, end]].astype(np.float64) - centre for end in (0, 1))
    lengths = np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-300)
    angle = np.arccos(np.clip((a * b).sum(1) / lengths, -1, 1))[:, None, None]
    share = np.linspace(0, 1, steps)[None, :, None]
    sine = np.sin(angle)
    turns = sine > 1e-6
    safe = np.where(turns, sine, 1)
    first = np.where(turns, np.sin((1 - share) * angle) / safe, 1 - share)
    second = np.where(turns, np.sin(share * angle) / safe, share)
    return (centre + first * a[:, None] + second * b[:, None]).astype(np.float32)


def grid(codes: np.ndarray, side: int) -> np.ndarray:
    """Points at equal steps over the middle of a plane, its first axis to the right and its second upwards.

    Args:
        codes: (m, d); the plane is the code itself where d is 2, else that of its two leading principal components.
        side: points along a side.

    Returns:
        (side · side, d), row by row from the upper left.
    """
    plane = fitted_pca(codes.astype(np.float64), 2) if codes.shape[1] > 2 else None
    points = codes if plane is None else plane.transform(codes)
    (left, low), (right, high) = np.percentile(points, [GRID_TAIL, 100 - GRID_TAIL], axis=0)
    across, up = np.meshgrid(np.linspace(left, right, side), np.linspace(high, low, side))
    points_of_plane = np.column_stack([across.ravel(), up.ravel()])
    return (points_of_plane if plane is None else plane.inverse_transform(points_of_plane)).astype(np.float32)


def _moves(
    key: jax.Array, random: Random, dataset: Dataset, train: np.ndarray, test: Outputs, spaces: Mapping[str, tuple]
) -> tuple[dict[str, Numbers], Arrays]:
    """Test rows moved to another class in each space: the share that arrives, and a few to look at."""
    labels, true = dataset.train.labels, dataset.test.labels
    classes = np.unique(labels)
    classifier = fit_classifier(key, train, labels, int(labels.max()) + 1)
    target = np.array([random.choice(classes[classes != label]) for label in true])
    still = {"decoded test rows": test.x_hat, "test rows": test.x}
    shares = {name: {"moved": float((predict(classifier, rows) == true).mean())} for name, rows in still.items()}
    shown = {"from": test.x[:SHOWN], "target": target[:SHOWN]}
    for name, (known, here, back) in spaces.items():
        means = {label: known[labels == label].mean(0) for label in classes}
        # a class that no training row has has no mean; its rows start from the mean of all
        start = np.stack([means.get(label, known.mean(0)) for label in true])
        rows = np.asarray(back((here - start + np.stack([means[label] for label in target])).astype(np.float32)))
        arrived, apart = predict(classifier, rows) == target, nearest_rows(rows, train)[1]
        shares[name] = {"moved": float(arrived.mean()), "moved_distance": float(apart.mean())}
        shown[name] = rows[:SHOWN]
    return shares, shown


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=LATENT)
