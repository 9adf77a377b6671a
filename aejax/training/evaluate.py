"""Evaluation of a whole split in batches: losses as in training, and rows through the encoder and decoder."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.batches import ends_of
from aejax.data.sparse import is_sparse, to_csr
from aejax.training.compilation import compiled_once
from aejax.training.context import Corruption, Forward, Keys, Objective, batch_of, clean, context, scaled, shown
from aejax.types import Dataset, Hparams, Model, Params, Range, Rows, Split

BATCH = 1000
MOST_VALUES = 50_000_000
"""Of the codes of the rows that go through a model together: large images take turns."""


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
        ends=None if split.weight is None else ends_of(split.weight),
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
    model: Model, objective: Objective, corrupt: Corruption, data_range: Range
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
    on_batch = compiled_once(_losses_on_batch(Forward(model, corrupt, data_range), objective))

    def losses(params: Params, key: jax.Array, hparams: Hparams, rows: Rows, progress: float) -> dict[str, float]:
        def measured(number: int, part: Rows, index: jax.Array) -> dict[str, jax.Array]:
            batch_key = jax.random.fold_in(key, number)
            return on_batch(params, batch_key, hparams, rows, part, index, jnp.float32(progress))

        return {name: float(mean) for name, mean in _averaged(measured, rows).items()}

    return losses


def make_member_losses(
    model: Model, objective: Objective, corrupt: Corruption, data_range: Range
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
        def measured(number: int, part: Rows, index: jax.Array) -> dict[str, np.ndarray]:
            of_members = (params, jax.vmap(jax.random.fold_in, (0, None))(keys, number), hparams, progress)
            return in_slices(lambda some: on_batch(*some[:3], rows, part, index, some[3]), of_members, together)

        return _averaged(measured, rows)

    return losses


def _losses_on_batch(forward: Forward, objective: Objective) -> Callable[..., dict[str, jax.Array]]:
    model = forward.model

    def on_batch(
        params: Params, key: jax.Array, hparams: Hparams, rows: Rows, part: Rows, index: jax.Array, progress: jax.Array
    ) -> dict[str, jax.Array]:
        batch = batch_of(part, None)._replace(index=index, rows=partial(clean, rows))
        ctx = context(forward, params, batch, Keys(*jax.random.split(key, 3)), hparams["corruption"], progress)
        loss, values = objective(ctx, hparams["terms"], progress)
        target = batch.x if batch.target is None else batch.target  # an augmentation has changed ctx.x
        squares = jnp.square(target - model.decode(params, model.encode(params, shown(model, batch.x, batch.mask))))
        observed = jnp.ones_like(squares) if ctx.mask is None else ctx.mask
        return {"loss": loss, **values, "mse": (squares * observed).sum() / jnp.maximum(observed.sum(), 1)}

    return on_batch


def _averaged(
    measured: Callable[[int, Rows, jax.Array], Mapping[str, jax.Array | np.ndarray]], rows: Rows
) -> dict[str, np.ndarray]:
    """Means over all rows of what ``measured(number, batch, index of its rows)`` says of each batch."""
    values, counts = [], []
    for number, part in enumerate(batches(rows)):
        start, count = sum(counts), part.x.shape[0]
        values.append(measured(number, part, jnp.arange(start, start + count)))
        counts.append(count)
    return {name: np.average([np.asarray(v[name]) for v in values], axis=0, weights=counts) for name in values[0]}


def in_slices(function: Callable[[Any], Any], of_members: Any, together: int) -> Any:
    """A function of leaves (members, ...), asked of a few members at a time, always as many: leaves on the host."""
    members = jax.tree.leaves(of_members)[0].shape[0]
    size, parts = min(together, members), []
    for start in range(0, members, size):
        index = np.minimum(np.arange(start, start + size), members - 1)
        parts.append(jax.device_get(function(jax.tree.map(lambda leaf, index=index: leaf[index], of_members))))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves)[:members], *parts)


@lru_cache(maxsize=24)  # the members of a sweep share their model, and so its compiled form
def _compiled(function: Callable[..., Any], model: Model) -> Callable[..., Any]:
    return jax.jit(partial(function, model))


def encode_and_reconstruct(model: Model, params: Params, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scaled rows, their codes and their reconstructions: (m, n), (m, d), (m, n) float32 on the host.

    Where the data hold targets, these stand in the place of the rows: (m, t), (m, d), (m, t).
    """
    return _of_all(_compiled(_through, model), params, rows)


def encoded(model: Model, params: Params, rows: Rows) -> np.ndarray:
    """The codes of scaled rows, (m, d) float32 on the host; neither rows nor reconstructions are kept."""
    (code,) = _of_all(_compiled(_code, model), params, rows)
    return code


def _of_all(function: Callable[..., tuple[jax.Array, ...]], params: Params, rows: Rows) -> tuple[np.ndarray, ...]:
    """What a function of batches says of all rows; what it said of a batch is gone before the next."""
    outputs, start = (), 0
    for part in batches(rows):
        said = function(params, part)
        outputs = outputs or tuple(np.empty((rows.x.shape[0], *each.shape[1:]), each.dtype) for each in said)
        for output, each in zip(outputs, said, strict=True):
            output[start : start + len(each)] = each
        start += part.x.shape[0]
    return outputs


def at_once(model: Model) -> int:
    """How many new rows go through a model together."""
    return max(1, min(BATCH, MOST_VALUES // model.code_size))


def rebuilt(model: Model, params: Params, x: np.ndarray, size: int = BATCH) -> np.ndarray:
    """Scaled rows through encoder and decoder, (m, n) float32, at most `size` of them at a time.

    NaN is a missing value, if the model takes that.
    """
    parts = np.array_split(np.asarray(x, np.float32), max(1, -(-len(x) // size)))
    return np.concatenate([np.asarray(_compiled(_rebuilt, model)(params, part)) for part in parts])


def _through(model: Model, params: Params, rows: Rows) -> tuple[jax.Array, jax.Array, jax.Array]:
    x, mask = scaled(rows, slice(None))
    code = model.encode(params, shown(model, x, mask))
    return x if rows.target is None else rows.target, code, model.decode(params, code)


def _code(model: Model, params: Params, rows: Rows) -> tuple[jax.Array]:
    return (model.encode(params, shown(model, *scaled(rows, slice(None)))),)


def _rebuilt(model: Model, params: Params, x: jax.Array) -> jax.Array:
    return model.decode(params, model.encode(params, x))
