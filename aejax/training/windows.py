"""Streamed rows as the training loop takes them: windows of the batches of consecutive steps, read ahead.

Which rows a batch has is the same function of the seed and the step as for rows in memory, so the step that a
checkpoint is saved at is the position in the stream: a run that goes on from there sees the batches that it would have
seen.
"""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from aejax.data import stream as streams
from aejax.data.batches import batch_rows, shuffled
from aejax.data.stream import Stream
from aejax.training import devices
from aejax.training.context import Rows
from aejax.training.evaluate import scaling_of_features
from aejax.training.loop import CAPACITY
from aejax.training.step import STREAMS
from aejax.types import Dataset

WINDOW_BYTES = 2**22


class Windows(NamedTuple):
    """A stream, cut.

    Attributes:
        steps: whose batches a window holds.
        example: the first window, for its shapes.
        at: ``step -> Rows``, the window with that step's batch, on the devices; quick where steps go up.
    """

    steps: int
    example: Rows
    at: Callable[[int], Rows]


def make(dataset: Dataset, key: jax.Array, batch_size: int, steps: int, layout: Any = None) -> Windows:
    """The windows of a data set that is streamed.

    Args:
        dataset: with a stream.
        key: of the run.
        batch_size: rows in a step.
        steps: of the whole run.
        layout: `aejax.training.build.Parts.layout`; each process reads its own part of each batch.
    """
    stream, features = dataset.stream, prod(dataset.feature_shape)
    dtype = np.dtype(stream.records.details["dtype"])
    count = int(np.clip(WINDOW_BYTES // (batch_size * features * dtype.itemsize), 1, min(steps, CAPACITY)))
    mesh = None if layout is None else layout.step.mesh
    cut = None if mesh is None else NamedSharding(mesh, PartitionSpec(None, devices.DATA))
    whole = None if mesh is None else devices.whole(mesh)
    low, high = (0, batch_size) if mesh is None else _held_rows(mesh, batch_size)
    rows_of = _row_numbers(stream, jax.random.fold_in(key, STREAMS["data"]), batch_size, count)

    def read(number: int) -> tuple[np.ndarray, np.ndarray | None]:
        numbers = rows_of(number)[:, low:high]
        x, _, labels = streams.read(stream.records, numbers.reshape(-1))
        return x.reshape(*numbers.shape, features), None if labels is None else labels.reshape(numbers.shape)

    def part(values: np.ndarray) -> jax.Array:
        held = lambda index: values[:, (index[1].start or 0) - low : (index[1].stop or batch_size) - low]
        full = (count, batch_size, *values.shape[2:])
        return jnp.asarray(values) if cut is None else jax.make_array_from_callback(full, cut, held)

    def window(number: int, x: np.ndarray, labels: np.ndarray | None) -> Rows:
        shift, scale, first = devices.put((*scaling_of_features(dataset), np.int32(number * count)), whole)
        return Rows(part(x), None, shift, scale, None if labels is None else part(labels), first=first)

    at = _following(read, window, count, -(-steps // count))
    return Windows(count, at(0), at)


def _following(read: Callable[[int], Any], window: Callable[..., Rows], count: int, end: int) -> Callable[..., Rows]:
    """``step -> Rows``, where the next windows are being read while one is used."""
    coming: Iterator[Any] = iter(())
    current, rows = -2, None

    def at(step: int) -> Rows:
        nonlocal coming, current, rows
        number = step // count
        if number != current:
            if number != current + 1:
                coming = streams.ahead(read, number, end)
            current, rows = number, window(number, *next(coming))
        return rows

    return at


def _row_numbers(stream: Stream, key: jax.Array, batch_size: int, count: int) -> Callable[[int], np.ndarray]:
    """``window -> numbers of its rows in the folder``, (count, batch_size) int32, computed on the processor."""
    total, first = stream.records.rows, stream.first
    keys = None if stream.keys is None else jnp.asarray(stream.keys)

    @jax.jit
    def drawn(key: jax.Array, start: jax.Array) -> jax.Array:
        chosen = jax.vmap(lambda step: batch_rows(key, step, batch_size, stream.rows))(start + jnp.arange(count))
        return chosen if keys is None else shuffled(keys, chosen.reshape(-1) + first, total).reshape(chosen.shape)

    def of_window(number: int) -> np.ndarray:
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            return np.asarray(drawn(key, jnp.int32(number * count)))

    return of_window


def _held_rows(mesh: Any, batch_size: int) -> tuple[int, int]:
    """From which to which row of a batch the devices of this process hold."""
    held = NamedSharding(mesh, PartitionSpec(devices.DATA)).addressable_devices_indices_map((batch_size,)).values()
    return min(rows[0].start or 0 for rows in held), max(rows[0].stop or batch_size for rows in held)
