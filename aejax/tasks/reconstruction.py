"""How well rows are reconstructed from their codes, beside PCA with as many components."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np

from aejax import metrics
from aejax.data.splits import with_rows
from aejax.tasks.common import Arrays, active_units, error, fill, outputs, pca_reconstruction
from aejax.training.context import scaled, shown
from aejax.training.evaluate import batches, in_slices, on_device
from aejax.types import Dataset, Evaluation, Model, Params, Rows, Task


@dataclass(frozen=True, kw_only=True)
class Options:
    """The task has no options."""


def evaluate(key: jax.Array, model: Model, params: Params, dataset: Dataset, _: object, options: Options) -> Evaluation:
    """Mean squared error per feature of every split, and PCA's on the test rows.

    PCA is fitted to the training rows, scaled as the network sees them (missing values hold their column's mean), with
    as many components as the code has units.

    Returns:
        ``metrics[split]`` with ``mse`` and ``active_fraction``; ``baselines["pca"]["mse"]`` and, what any model should
        beat, ``baselines["mean"]["mse"]``: every row rebuilt as the mean training row. Where a row uses fewer than half
        of the code's units, also PCA with as many components as it uses in the mean, ``pca_7``. ``arrays`` holds scaled
        test rows ``x``, their ``code``, ``x_hat`` and PCA's ``pca_x_hat``.
    """
    by_split, x = {}, {}
    for name in with_rows(dataset):
        out = outputs(model, params, dataset, name)
        by_split[name] = {"mse": error(out), "active_fraction": metrics.active_fraction(out.code)}
        x[name] = out.x
    if "test" not in x:
        return Evaluation(by_split, {}, {})
    pca_x_hat = pca_reconstruction(x["train"], out.x, model.code_size)
    rebuilt = {"pca": pca_x_hat}
    active = active_units(by_split["test"]["active_fraction"], model.code_size)
    if 0 < active < model.code_size:
        rebuilt[f"pca_{active}"] = pca_reconstruction(x["train"], out.x, active)
    rebuilt["mean"] = np.broadcast_to(x["train"].mean(0), out.x.shape)
    baselines = {name: {"mse": metrics.mse(out.x, x_hat, out.mask)} for name, x_hat in rebuilt.items()}
    return Evaluation(by_split, baselines, {"x": out.x, "code": out.code, "x_hat": out.x_hat, "pca_x_hat": pca_x_hat})


def evaluate_members(
    model: Model, params: Params, dataset: Dataset, options: Options, together: int
) -> dict[str, Arrays]:
    """The metrics of `evaluate` for many nets, without baselines; see `aejax.types.Task`."""
    by_split, counted = {}, _counted(model)
    for name, split in with_rows(dataset).items():
        parts = [
            in_slices(lambda nets, part=part: counted(nets, part), params, together)
            for part in batches(on_device(split, dataset))
        ]
        squares, active = (np.sum(sums, 0, np.float64) for sums in zip(*parts, strict=True))
        observed = int(split.x.size if split.mask is None else split.mask.sum())
        error = squares / observed if observed else np.full(len(squares), np.nan)
        by_split[name] = {"mse": error, "active_fraction": active / (len(split.x) * model.code_size)}
    return by_split


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


NEW_ROWS = {"apply": {"fill": fill}, "results": {"reconstructions": "reconstruct"}}
TASK = Task(Options, evaluate, validated=("mse", "active_fraction"), members=evaluate_members, **NEW_ROWS)
