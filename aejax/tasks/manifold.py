"""Whether a code unrolls the sheet that rows were made from, beside PCA, Isomap, LLE and a plain autoencoder."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import metrics
from aejax.config.bounds import Count, Natural
from aejax.errors import UserError
from aejax.tasks.reconstruction import fitted_pca
from aejax.tasks.remember import remembered
from aejax.training.evaluate import encode_and_reconstruct, on_device
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED: tuple[str, ...] = ()

DENSE_ROWS = 5000  # up to here all eigenvectors are computed, so that nothing depends on a random start
PLAIN = {
    "relations": {},
    "terms": {"reconstruction": {"name": "reconstruction.squared_error", "weight": 1.0}},
    "corruption": {"name": "none"},
}
"""What makes an autoencoder of a config a plain one."""


def check(dataset: Dataset, *, neighbours: Count = 10, plain_steps: Natural = 2000) -> None:
    """Refuse data whose coordinates nobody knows, or with too few rows.

    Raises:
        UserError: no coordinates, no test rows, or as many neighbours as rows.
    """
    del plain_steps
    if dataset.train.coordinates is None or dataset.test.coordinates is None:
        raise UserError(
            f"manifold: where the rows of {dataset.name} lie on their manifold is not known; "
            "allowed: data.name=swiss_roll or s_curve, or task.name=reduction.evaluate or walk.evaluate"
        )
    most = min(len(dataset.train.x) - 1, (len(dataset.test.x) - 1) // 2)
    if neighbours > most:
        raise UserError(
            f"task.neighbours: {neighbours} are too many for {len(dataset.train.x)} training and "
            f"{len(dataset.test.x)} test rows; allowed: 1 to {most}, with 3 test rows or more"
        )


def evaluate(
    key: jax.Array,
    model: Model,
    params: Params,
    dataset: Dataset,
    retrain: Retrain,
    *,
    neighbours: Count = 10,
    plain_steps: Natural = 2000,
) -> Evaluation:
    """R² of each true coordinate from the code by a linear map, trustworthiness and continuity, on test rows.

    Every method sees the scaled training rows only, and places the test rows without being fitted again.

    Args:
        key: of the plain autoencoder.
        model: the autoencoder.
        params: its parameters.
        dataset: the data, with coordinates.
        retrain: trains the plain autoencoder.
        neighbours: k, of Isomap, locally linear embedding, trustworthiness and continuity.
        plain_steps: how long the same net is trained with nothing but the squared error; 0 leaves that out.

    Returns:
        ``metrics["test"]`` with ``mse``, ``r2_coordinate0``, ``r2_coordinate1``, …, ``trustworthiness`` and
        ``continuity``; ``baselines`` with the last ones of ``pca``, ``isomap``, ``lle`` and ``plain``. ``arrays`` holds
        the test rows' ``coordinates`` and ``maps``, by method, of the test rows.
    """
    rows = on_device(dataset.train, dataset)
    x, code, _ = encode_and_reconstruct(model, params, rows)
    new_x, new_code, new_x_hat = encode_and_reconstruct(model, params, on_device(dataset.test, dataset))
    maps = {"autoencoder": (code, new_code)} | fitted_maps(x, new_x, min(model.code_size, x.shape[1]), neighbours)
    if plain_steps:
        plain = member(retrain(key[None], PLAIN | {"train.steps": plain_steps}), 0)
        maps["plain"] = tuple(np.asarray(jax.jit(model.encode)(plain, jnp.asarray(values))) for values in (x, new_x))

    def judge(code: np.ndarray, new_code: np.ndarray) -> dict[str, float]:
        r2 = metrics.linear_r2(code, dataset.train.coordinates, new_code, dataset.test.coordinates)
        return {f"r2_coordinate{number}": float(value) for number, value in enumerate(r2)} | {
            "trustworthiness": metrics.trustworthiness(new_x, new_code, neighbours=neighbours),
            "continuity": metrics.trustworthiness(new_code, new_x, neighbours=neighbours),
        }

    judged = {name: judge(*pair) for name, pair in maps.items()}
    found = {"test": {"mse": metrics.mse(new_x, new_x_hat)} | judged.pop("autoencoder")}
    arrays = {"coordinates": dataset.test.coordinates, "maps": {name: new for name, (_, new) in maps.items()}}
    return Evaluation(found, judged, arrays)


@remembered
def fitted_maps(
    x: np.ndarray, new_x: np.ndarray, components: int, neighbours: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Training and other rows in a few coordinates by PCA, Isomap and locally linear embedding, fitted to the former.

    Isomap joins the pieces of a neighbour graph that falls apart, as `aejax.relations.graph.geodesics` does.
    """
    from sklearn.manifold import Isomap, LocallyLinearEmbedding

    solver = "dense" if len(x) <= DENSE_ROWS else "arpack"
    options = {"n_neighbors": neighbours, "n_components": components, "eigen_solver": solver}
    methods: dict[str, Any] = {"isomap": Isomap(**options), "lle": LocallyLinearEmbedding(**options, random_state=0)}
    x, new_x = x.astype(np.float64), new_x.astype(np.float64)
    pca = fitted_pca(x, components)
    maps = {"pca": (pca.transform(x), pca.transform(new_x))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the pieces being joined
        for name, method in methods.items():
            method.fit(x)
            maps[name] = (method.transform(x), method.transform(new_x))
    return maps
