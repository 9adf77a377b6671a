"""Evaluation of a whole split in batches: losses as in training, and rows through the encoder and decoder."""

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.train import Rows, scaled
from aejax.types import Hparams, Model, Params, Range, Split

BATCH = 1000


def on_device(split: Split, shift: np.ndarray, scale: np.ndarray, feature_shape: tuple[int, ...]) -> Rows:
    """A split as flat rows on the device, unscaled."""
    flat = lambda values: jnp.asarray(np.asarray(values).reshape(len(values), -1))
    spread = lambda values: jnp.asarray(np.broadcast_to(values, feature_shape).reshape(-1), jnp.float32)
    shared = spread if np.ndim(shift) or np.ndim(scale) else lambda values: jnp.float32(values)
    return Rows(flat(split.x), None if split.mask is None else flat(split.mask), shared(shift), shared(scale))


def batches(rows: Rows, size: int = BATCH) -> Iterator[Rows]:
    """Consecutive rows, at most `size` at a time, of almost equal sizes (so at most two shapes are compiled)."""
    count = rows.x.shape[0]
    edges = np.linspace(0, count, -(-count // size) + 1).astype(int)
    for start, end in pairwise(edges):
        yield rows._replace(x=rows.x[start:end], mask=None if rows.mask is None else rows.mask[start:end])


def make_losses(
    model: Model,
    objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]],
    corrupt: Callable[..., jax.Array],
    data_range: Range,
) -> Callable[[Params, jax.Array, Hparams, Rows, Any], Mapping[str, float]]:
    """The losses of a split, as in training, and the mean squared error of its clean rows.

    Args:
        model: the autoencoder.
        objective: from `aejax.losses.compose`.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``.
        data_range: `Dataset.range`.

    Returns:
        ``(params, key, hparams, rows, progress) -> {"loss", each term, "mse"}``. The same key
        gives the same corruption. Values are means over batches of at most 1000 rows, weighted by their rows.
    """

    @jax.jit
    def on_batch(params: Params, key: jax.Array, hparams: Hparams, rows: Rows, progress: jax.Array) -> dict:
        x, mask = scaled(rows, slice(None))
        noise, inner = jax.random.split(key)
        ctx = model.apply(params, x, corrupt(noise, x, **hparams["corruption"]), inner)
        ctx = ctx._replace(mask=mask, ranges={**ctx.ranges, "x": data_range})
        loss, values = objective(ctx, hparams["terms"], progress)
        squares = jnp.square(x - model.decode(params, model.encode(params, x)))
        observed = jnp.ones_like(squares) if mask is None else mask
        return {"loss": loss, **values, "mse": (squares * observed).sum() / jnp.maximum(observed.sum(), 1)}

    def losses(params: Params, key: jax.Array, hparams: Hparams, rows: Rows, progress: float) -> dict[str, float]:
        parts = list(batches(rows))
        found = [
            on_batch(params, jax.random.fold_in(key, index), hparams, part, jnp.float32(progress))
            for index, part in enumerate(parts)
        ]
        weights = [part.x.shape[0] for part in parts]
        return {name: float(np.average([float(f[name]) for f in found], weights=weights)) for name in found[0]}

    return losses


def encode_and_reconstruct(model: Model, params: Params, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled rows, their codes and their reconstructions: (m, n), (m, d), (m, n) float32 on the host."""

    @jax.jit
    def on_batch(params: Params, rows: Rows) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, _ = scaled(rows, slice(None))
        code = model.encode(params, x)
        return x, code, model.decode(params, code)

    parts = [on_batch(params, part) for part in batches(rows)]
    x, code, x_hat = (np.concatenate([np.asarray(part[place]) for part in parts]) for place in range(3))
    return x, code, x_hat
