"""Manifold learning: whether a code recovers known coordinates, beside PCA, Isomap, LLE and a plain autoencoder."""

import warnings
from dataclasses import dataclass

import jax
import numpy as np

from aejax import metrics
from aejax.config.bounds import Count, Natural
from aejax.errors import UserError
from aejax.figures.tasks.spaces import MANIFOLD
from aejax.tasks import needs
from aejax.tasks.common import Numbers, Pair, cached, error, fitted_pca, outputs, preserved
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Task

DENSE_ROWS = 5000  # up to here all eigenvectors are computed, so that nothing depends on a random start
# What makes an autoencoder of a config a plain one.
PLAIN = {
    "relations": {},
    "terms": {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}},
    "corruption": {"name": "none"},
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        neighbours: k, of Isomap, locally linear embedding, trustworthiness and continuity.
        plain_steps: how long the same net is trained with nothing but the squared error; 0 leaves that out.
    """

    neighbours: Count = 10
    plain_steps: Natural = 2000


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if dataset.train.coordinates is None or dataset.test.coordinates is None:
        raise UserError(
            f"manifold: where the rows of {dataset.name} lie on their manifold is not known; "
            "allowed: data.name=swiss_roll or s_curve, or task.name=reduction or walk"
        )
    train, test = len(dataset.train.x), len(dataset.test.x)
    rows, most = f"{train} training and {test} test rows", min(train - 1, (test - 1) // 2)
    needs.at_most("neighbours", options.neighbours, most, rows, hint="with 3 test rows or more")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """R² of each true coordinate from the code by a linear map, trustworthiness and continuity, on test rows.

    Every method sees the scaled training rows only, and places the test rows without being fitted again.

    Returns:
        ``metrics["test"]`` with ``mse``, ``r2_coordinate0``, ``r2_coordinate1``, …, ``trustworthiness`` and
        ``continuity``; ``baselines`` with the last ones of ``pca``, ``isomap``, ``lle`` and ``plain``. ``arrays`` holds
        the test rows' ``coordinates`` and ``maps``, by method, of the test rows.
    """
    train, test = (outputs(model, params, dataset, name) for name in ("train", "test"))
    components, neighbours = min(model.code_size, train.x.shape[1]), options.neighbours
    maps = {"autoencoder": (train.code, test.code)} | fitted_maps(train.x, test.x, components, neighbours)
    if options.plain_steps:
        plain = member(retrain(key[None], PLAIN | {"train.steps": options.plain_steps}), 0)
        encode = jax.jit(model.encode)
        maps["plain"] = tuple(np.asarray(encode(plain, part.x)) for part in (train, test))

    def judge(code: np.ndarray, new_code: np.ndarray) -> Numbers:
        r2 = metrics.linear_r2(code, dataset.train.coordinates, new_code, dataset.test.coordinates)
        by_coordinate = {f"r2_coordinate{number}": float(value) for number, value in enumerate(r2)}
        return by_coordinate | preserved(test.x, new_code, neighbours)

    judged = {name: judge(*pair) for name, pair in maps.items()}
    by_split = {"test": {"mse": error(test)} | judged.pop("autoencoder")}
    arrays = {"coordinates": dataset.test.coordinates, "maps": {name: new for name, (_, new) in maps.items()}}
    return Evaluation(by_split, judged, arrays)


@cached
def fitted_maps(x: np.ndarray, new_x: np.ndarray, components: int, neighbours: int) -> dict[str, Pair]:
    """Training and other rows in a few coordinates by PCA, Isomap and locally linear embedding, fitted to the former.

    Isomap joins the pieces of a neighbour graph that falls apart, as `aejax.relations.graph.geodesics` does.
    """
    from sklearn.manifold import Isomap, LocallyLinearEmbedding

    solver = "dense" if len(x) <= DENSE_ROWS else "arpack"
    shared = {"n_neighbors": neighbours, "n_components": components, "eigen_solver": solver}
    methods = {"isomap": Isomap(**shared), "lle": LocallyLinearEmbedding(**shared, random_state=0)}
    x, new_x = x.astype(np.float64), new_x.astype(np.float64)
    pca = fitted_pca(x, components)
    maps = {"pca": (pca.transform(x), pca.transform(new_x))}
    with warnings.catch_warnings(action="ignore"):  # of the pieces being joined
        for name, method in methods.items():
            maps[name] = (method.fit(x).transform(x), method.transform(new_x))
    return maps


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=MANIFOLD, imports=("sklearn.manifold",))
