"""Rows that do not fit in memory: read from array_record files where they lie, in any order, ahead of their use.

``stream:FOLDER`` is a folder that `aejax.data.packing` wrote. Validation and test rows, and as many training rows for
what looks at all of them together, are at most `HELD` rows and `HELD_BYTES` each, drawn at random and held in memory;
all rows that are not held out are trained on, and pass through.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.packed import Records, import_grain, none_of, open_folder, read, row_bytes
from aejax.data.scaling import fit
from aejax.data.splits import DEFAULT_TEST, check, count
from aejax.errors import UserError
from aejax.types import Dataset, Split

HELD = 10_000
HELD_BYTES = 2**25
THREADS = 2
AHEAD = 3


class Stream(NamedTuple):
    """The training rows of a data set that is streamed.

    Attributes:
        records: all rows of the folder.
        rows: how many are trained on, N.
        first: how many are held out, which come first in the order below.
        keys: (4,) uint32, of that order, a keyed bijection of all rows; None for the order of the folder.
    """

    records: Records
    rows: int
    first: int
    keys: np.ndarray | None

    @property
    def digest(self) -> str:
        """What tells these rows from others."""
        return self.records.digest


def load(name: str, folder: Path, *, scaling: str, validation: float, test: float | None, seed: int) -> Dataset:
    """The data set of a folder.

    Args:
        name: as given to `aejax.data.load`.
        folder: that was packed.
        scaling: as in `aejax.data.load`; where it depends on values that are not bounded by their type, all training
            rows are read once.
        validation: fraction of the rows that are not test rows; no more are drawn than are held.
        test: fraction of all rows, 0.2 where None; no more are drawn than are held.
        seed: of the split.

    Raises:
        UserError: the folder is missing, damaged or empty, or no training row is left.
    """
    check(validation, test, seed)
    records = open_folder(folder)
    most = max(1, min(HELD, HELD_BYTES // row_bytes(records.details)))
    tested = min(most, count(DEFAULT_TEST if test is None else test, records.rows))
    validated = min(most, count(validation, records.rows - tested))
    first = tested + validated
    if first >= records.rows:
        raise UserError(f"data: no training row is left of {records.rows}; make validation and test smaller")
    keys = (np.random.Philox(int(seed)).random_raw(4) & np.uint64(0xFFFFFFFF)).astype(np.uint32) if first else None
    stream = Stream(records, records.rows - first, first, keys)
    images = records.details["dtype"] == "uint8"
    bounds = (0, 255) if images else None
    order = lambda start, end: in_order(stream, np.arange(start, end))
    parts = [order(0, tested), order(tested, first), order(first, min(records.rows, first + most))]
    held = [Split(*read(records, np.sort(places))) if len(places) else none_of(records) for places in parts]
    passed = Passed(records, np.sort(np.concatenate(parts[:2])))
    fitted = fit(passed, None, scaling=scaling, bounds=bounds, per_feature=not images)
    names = tuple(records.details["feature_names"])
    return Dataset(
        name=name,
        train=held[2],
        validation=held[1],
        test=held[0],
        feature_shape=records.shape[1:],
        kind="image" if len(records.shape) == 4 else "table",
        range=fitted.range,
        shift=fitted.shift,
        scale=fitted.factor,
        label_names=tuple(records.details["label_names"]),
        feature_names=names,
        licence="your own",
        source=f"the folder {folder}, {records.rows} rows",
        scaling=scaling,
        stream=stream,
    )


def in_order(stream: Stream, places: np.ndarray) -> np.ndarray:
    """The rows of the folder at places of the order that held-out rows begin."""
    if stream.keys is None:
        return places
    import jax

    from aejax.data.batches import shuffled

    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return np.asarray(
            jax.jit(shuffled, static_argnums=2)(stream.keys, places.astype(np.int32), stream.records.rows)
        )


class Passed(NamedTuple):
    """The rows that are trained on, in the order of the folder, for a pass that sums them up block by block."""

    records: Records
    left_out: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """That of all rows of the folder."""
        return self.records.shape

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return np.dtype(self.records.details["dtype"])

    def __getitem__(self, places: slice) -> np.ndarray:
        """Those of a slice of the folder that are trained on."""
        chosen = np.setdiff1d(np.arange(*places.indices(self.records.rows)), self.left_out)
        return read(self.records, chosen)[0]


def ahead(make: Callable[[int], Any], start: int, end: int) -> Iterator[Any]:
    """``make(start)``, ``make(start + 1)``, … up to the end, in threads that run ahead of their use."""
    grain = import_grain()
    options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=AHEAD)
    numbers = grain.MapDataset.range(start, end).map(make)
    return iter(numbers.to_iter_dataset(options))
