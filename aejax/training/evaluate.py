"""Evaluation of a whole split in batches: losses as in training, and rows through the encoder and decoder."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.sparse import is_sparse, to_csr
from aejax.training.context import Forward, Keys, batch_of, clean, context, scaled, shown
from aejax.types import Dataset, Hparams, Model, Params, Range, Rows, Split

BATCH = 1000


Relations = Mapping[str, Callable[[np.ndarray], Any]]


def on_device(split: Split, dataset: Dataset, relations: Relations | None = None) -> Rows:
    """A split of a data set as flat rows on the device, unscaled, with the relations among its rows.

    Args:
        split: the rows.
        dataset: whose scaling counts.
        relations: by name, functions of the scaled rows, (rows, n) float32; sparse where the rows are.
    """
    flat = lambda values: values if is_sparse(values) else np.asarray(values).reshape(len(values), -1)
    of_all = not np.ndim(dataset.shift) and not np.ndim(dataset.scale)
    shift, scale = map(np.float32, (dataset.shift, dataset.scale)) if of_all else scaling_of_features(dataset)
    rows = Rows(
        x=flat(split.x),
        mask=None if split.mask is None else flat(split.mask),
        shift=shift,
        scale=scale,
        labels=None if split.labels is None else np.asarray(split.labels),
        target=None if split.target is None else flat(split.target),
    )
    if relations:
        x = rows.x.times(rows.scale) if is_sparse(rows.x) else np.asarray(scaled(rows, slice(None))[0])
        rows = rows._replace(relations={name: relation(x) for name, relation in relations.items()})
    return jax.tree.map(jnp.asarray, rows)


def scaling_of_features(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each feature of a flat row, and what it is then multiplied with: (n,) float32 each."""
    flat = lambda values: np.broadcast_to(values, dataset.feature_shape).reshape(-1).astype(np.float32)
    return flat(dataset.shift), flat(dataset.scale)


def target_range(dataset: Dataset) -> Range:
    """Where the values to be reconstructed lie: `Dataset.range`; of targets [0, 1], [-1, 1] or anywhere."""
    targets = dataset.train.target
    if targets is None:
        return dataset.range
    low, high = float(targets.min()), float(targets.max())
    return next((r for r in (Range(0, 1), Range(-1, 1)) if Range(low, high).within(r.low, r.high)), Range())


def host_rows(split: Split, dataset: Dataset) -> Any:
    """The scaled rows of a split on the host, (m, n) float32: an array, or scipy's sparse rows where they are."""
    if is_sparse(split.x):
        return to_csr(split.x.times(dataset.scale))
    return ((np.asarray(split.x, np.float32) - dataset.shift) * dataset.scale).reshape(len(split.x), -1)


def batches(rows: Rows, size: int = BATCH) -> Iterator[Rows]:
    """Consecutive rows, at most `size` at a time, of almost equal sizes (so at most two shapes are compiled)."""
    count = rows.x.shape[0]
    edges = np.linspace(0, count, -(-count // size) + 1).astype(int)
    for start, end in pairwise(edges):
        part = lambda leaf, start=start, end=end: leaf[start:end]
        cut = jax.tree.map(part, rows._replace(shift=(), scale=()), is_leaf=is_sparse)
        yield cut._replace(shift=rows.shift, scale=rows.scale)


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
    on_batch = jax.jit(_losses_on_batch(Forward(model, corrupt, data_range), objective))

    def losses(params: Params, key: jax.Array, hparams: Hparams, rows: Rows, progress: float) -> dict[str, float]:
        found, weights = [], []
        for number, (part, index) in enumerate(_numbered(rows)):
            batch_key = jax.random.fold_in(key, number)
            found.append(on_batch(params, batch_key, hparams, rows, part, index, jnp.float32(progress)))
            weights.append(len(index))
        return {name: float(np.average([float(f[name]) for f in found], weights=weights)) for name in found[0]}

    return losses


def make_member_losses(
    model: Model,
    objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]],
    corrupt: Callable[..., jax.Array],
    data_range: Range,
) -> Callable[..., Mapping[str, np.ndarray]]:
    """What `make_losses` says, of many nets: the same arguments.

    Returns:
        ``(params, keys, hparams, rows, progress, together) -> {"loss", each term, "mse"}``, (members,) each. All but
        `rows` have a leading axis of members, of whom `together` look at a batch of rows at once.
    """
    one = _losses_on_batch(Forward(model, corrupt, data_range), objective)
    on_batch = jax.jit(jax.vmap(one, in_axes=(0, 0, 0, None, None, None, 0)))

    def losses(
        params: Params, keys: jax.Array, hparams: Hparams, rows: Rows, progress: np.ndarray, together: int
    ) -> dict[str, np.ndarray]:
        found, weights = [], []
        for number, (part, index) in enumerate(_numbered(rows)):
            own = (params, jax.vmap(jax.random.fold_in, (0, None))(keys, number), hparams, progress)
            look = lambda own, part=part, index=index: on_batch(*own[:3], rows, part, index, own[3])
            found.append(in_slices(look, own, together))
            weights.append(len(index))
        return {name: np.average([f[name] for f in found], axis=0, weights=weights) for name in found[0]}

    return losses


def _losses_on_batch(
    forward: Forward, objective: Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
) -> Callable[..., dict[str, jax.Array]]:
    model = forward.model

    def on_batch(
        params: Params, key: jax.Array, hparams: Hparams, rows: Rows, part: Rows, index: jax.Array, progress: jax.Array
    ) -> dict[str, jax.Array]:
        batch = batch_of(part, None)._replace(index=index, rows=partial(clean, rows))
        ctx = context(forward, params, batch, Keys(*jax.random.split(key, 3)), hparams["corruption"], progress)
        loss, values = objective(ctx, hparams["terms"], progress)
        squares = jnp.square(ctx.x - model.decode(params, model.encode(params, shown(model, batch.x, batch.mask))))
        observed = jnp.ones_like(squares) if ctx.mask is None else ctx.mask
        return {"loss": loss, **values, "mse": (squares * observed).sum() / jnp.maximum(observed.sum(), 1)}

    return on_batch


def _numbered(rows: Rows) -> Iterator[tuple[Rows, jax.Array]]:
    """The batches, and the places of their rows."""
    start = 0
    for part in batches(rows):
        count = part.x.shape[0]
        yield part, jnp.arange(start, start + count)
        start += count


def in_slices(function: Callable[[Any], Any], given: Any, together: int) -> Any:
    """A function of leaves (members, ...), asked of a few members at a time, always as many: leaves on the host."""
    members = jax.tree.leaves(given)[0].shape[0]
    size, found = min(together, members), []
    for start in range(0, members, size):
        places = np.minimum(np.arange(start, start + size), members - 1)
        found.append(jax.device_get(function(jax.tree.map(lambda leaf, at=places: leaf[at], given))))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:members], *found)


def encode_and_reconstruct(model: Model, params: Params, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled rows, their codes and their reconstructions: (m, n), (m, d), (m, n) float32 on the host.

    Where the data hold targets, these stand in the place of the rows: (m, t), (m, d), (m, t).
    """
    on_batch = _through(model)
    parts = [on_batch(params, part) for part in batches(rows)]
    x, code, x_hat = (np.concatenate([np.asarray(part[place]) for part in parts]) for place in range(3))
    return x, code, x_hat


def rebuilt(model: Model, params: Params, x: np.ndarray, size: int = BATCH) -> np.ndarray:
    """Scaled rows through encoder and decoder, (m, n) float32, at most `size` of them at a time.

    NaN is a missing value, if the model takes that.
    """
    on_batch = _rebuilding(model)
    parts = np.array_split(np.asarray(x, np.float32), max(1, -(-len(x) // size)))
    return np.concatenate([np.asarray(on_batch(params, part)) for part in parts])


@lru_cache(maxsize=8)
def _rebuilding(model: Model) -> Callable[[Params, jax.Array], jax.Array]:
    return jax.jit(lambda params, x: model.decode(params, model.encode(params, x)))


@lru_cache(maxsize=8)  # the members of a sweep share their model, and so its compiled form
def _through(model: Model) -> Callable[[Params, Rows], tuple[jax.Array, jax.Array, jax.Array]]:
    @jax.jit
    def on_batch(params: Params, rows: Rows) -> tuple[jax.Array, jax.Array, jax.Array]:
        x, mask = scaled(rows, slice(None))
        code = model.encode(params, shown(model, x, mask))
        return x if rows.target is None else rows.target, code, model.decode(params, code)

    return on_batch


def encoded(model: Model, params: Params, rows: Rows) -> np.ndarray:
    """The codes of scaled rows, (m, d) float32 on the host; neither rows nor reconstructions are kept."""
    on_batch = _encoding(model)
    return np.concatenate([np.asarray(on_batch(params, part)) for part in batches(rows)])


@lru_cache(maxsize=8)
def _encoding(model: Model) -> Callable[[Params, Rows], jax.Array]:
    return jax.jit(lambda params, rows: model.encode(params, shown(model, *scaled(rows, slice(None)))))
