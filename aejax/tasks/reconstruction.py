"""How well rows are rebuilt from their codes, beside PCA with as many components."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import metrics
from aejax.data.splits import with_rows
from aejax.tasks.remember import remembered
from aejax.training.context import Rows, scaled, shown
from aejax.training.evaluate import batches, encode_and_reconstruct, in_slices, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Retrain

VALIDATED = ("mse", "active_fraction")


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain | None = None
) -> Evaluation:
    """Mean squared error per feature of every split, and PCA's on the test rows.

    PCA is fitted to the training rows, scaled as the network sees them (missing values hold their column's mean), with
    as many components as the code has units.

    Args:
        key: not used: nothing here is random.
        model: the autoencoder.
        params: its parameters.
        dataset: the data.
        retrain: not used: nothing is trained again.

    Returns:
        ``metrics[split]`` with ``mse`` and ``active_fraction``; ``baselines["pca"]["mse"]`` and, what any model should
        beat, ``baselines["mean"]["mse"]``: every row rebuilt as the mean training row. Where a row uses fewer than half
        of the code's units, also PCA with as many components as it uses in the mean, ``pca_7``. ``arrays`` holds scaled
        test rows ``x``, their ``code``, ``x_hat`` and PCA's ``pca_x_hat``.
    """
    del key, retrain
    found, arrays, train = {}, {}, np.zeros((0, 0))
    for name, split in with_rows(dataset).items():
        rows = on_device(split, dataset)
        x, code, x_hat = encode_and_reconstruct(model, params, rows)
        mask = None if split.mask is None else split.mask.reshape(x.shape)
        found[name] = {"mse": metrics.mse(x, x_hat, mask), "active_fraction": metrics.active_fraction(code)}
        if name == "train":
            train = x
        if name == "test":
            arrays = {"x": x, "code": code, "x_hat": x_hat}
    if not arrays:
        return Evaluation(found, {}, {})
    x, mask = arrays["x"], None if dataset.test.mask is None else dataset.test.mask.reshape(arrays["x"].shape)
    arrays["pca_x_hat"] = pca_reconstruction(train, x, model.code_size)
    mean = np.broadcast_to(train.mean(0), x.shape)
    baselines = {"pca": {"mse": metrics.mse(x, arrays["pca_x_hat"], mask)}}
    active = spent(found["test"]["active_fraction"], model.code_size)
    if 0 < active < model.code_size:
        baselines[f"pca_{active}"] = {"mse": metrics.mse(x, pca_reconstruction(train, x, active), mask)}
    baselines["mean"] = {"mse": metrics.mse(x, mean, mask)}
    return Evaluation(found, baselines, arrays)


def evaluate_members(
    model: Model, params: Params, dataset: Dataset, *, together: int
) -> dict[str, dict[str, np.ndarray]]:
    """The metrics of `evaluate` for many nets, without baselines.

    Args:
        model: of all of them.
        params: leaves (members, ...).
        dataset: the data.
        together: how many nets look at a batch at once.

    Returns:
        ``{split: {"mse", "active_fraction"}}``, (members,) each.
    """
    found, counted = {}, _counted(model)
    for name, split in with_rows(dataset).items():
        parts = [
            in_slices(lambda own, part=part: counted(own, part), params, together)
            for part in batches(on_device(split, dataset))
        ]
        squares, active = (np.sum([part[place] for part in parts], 0, np.float64) for place in range(2))
        observed = int(split.x.size if split.mask is None else split.mask.sum())
        error = squares / observed if observed else np.full(len(squares), np.nan)
        found[name] = {"mse": error, "active_fraction": active / (len(split.x) * model.code_size)}
    return found


@lru_cache(maxsize=8)
def _counted(model: Model) -> Callable[[Params, Rows], tuple[jax.Array, jax.Array]]:
    """``(params, rows) -> (sum of squared errors, number of active units)`` of many nets."""

    def of_one(params: Params, rows: Rows) -> tuple[jax.Array, jax.Array]:
        x, mask = scaled(rows, slice(None))
        code = model.encode(params, shown(model, x, mask))
        squares, size = jnp.square(x - model.decode(params, code)), jnp.abs(code)
        active = size > metrics.ACTIVE * size.max(-1, keepdims=True)
        return jnp.where(True if mask is None else mask, squares, 0).sum(), active.sum()

    return jax.jit(jax.vmap(of_one, in_axes=(0, None)))


def spent(active_fraction: float, units: int) -> int:
    """How many numbers a code spends on a row: a sparse one, fewer than its units, as many as are active in the mean.

    Args:
        active_fraction: share of the units that are active in the mean.
        units: of the code.

    Returns:
        The number of active units where these are fewer than half, 0 of a dead code; else all.
    """
    active = round(active_fraction * units)
    return active if active < units // 2 else units


def pca_errors(train: np.ndarray, rows: np.ndarray, mask: np.ndarray | None, counts: Iterable[int]) -> dict[int, float]:
    """Mean squared error of rows rebuilt by PCA of the training rows, by the number of components; by the mean for 0.

    Args:
        train: (m, n).
        rows: (k, n).
        mask: (k, n) bool, True where observed; None where everything is.
        counts: numbers of components; of those that are more than PCA has, all are taken.
    """
    counts = set(counts)
    pca = fitted_pca(train, max(1, *counts))
    scores = pca.transform(rows)
    rebuilt = lambda count: (scores[:, :count] @ pca.components_[:count] + pca.mean_).astype(np.float32)
    return {count: metrics.mse(rows, rebuilt(count), mask) for count in counts}


def pca_reconstruction(train: np.ndarray, rows: np.ndarray, components: int) -> np.ndarray:
    """Rows projected on the leading principal components of the training rows, and back: (m, n)."""
    pca = fitted_pca(train, components)
    return pca.inverse_transform(pca.transform(rows)).astype(np.float32)


@remembered
def fitted_pca(train: np.ndarray, components: int) -> Any:
    """scikit-learn's PCA of the training rows, with as many of the components as there are.

    Of many wide rows a few components are found by Lanczos iteration: all of them would take minutes.
    """
    from sklearn.decomposition import PCA

    components, least = min(components, *train.shape), min(train.shape)
    if train.shape[1] <= 2000:
        solver = "covariance_eigh"
    else:
        solver = "arpack" if least > 2000 and components < least // 10 else "full"
    return PCA(components, svd_solver=solver, random_state=0).fit(train)
