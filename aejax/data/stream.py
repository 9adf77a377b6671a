"""Rows that do not fit in memory: packed into array_record files, and read from there in any order, ahead of their use.

``stream:FOLDER`` is a folder that `pack` wrote: files of at most `FILE_BYTES`, one record a row, its values,
little-endian, as uint8 or float32, and its label as int32 where rows have one; and ``rows.json``, which says what they
are and, where columns are far from 0, what they are counted from, and is written last. Validation and test rows, and as
many training rows for what looks at all of them together, are at most `HELD` rows and `HELD_BYTES` each, drawn at
random and held in memory; all rows that are not held out are trained on, and pass through.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache, partial
from hashlib import sha256
from itertools import chain, islice
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.arrays import dataset_of
from aejax.data.cache import whole_folder
from aejax.data.encoding import common_origin
from aejax.data.files import labels_beside, load_file, map_array
from aejax.data.images import load_images, path_of
from aejax.data.scaling import fit
from aejax.data.splits import DEFAULT_TEST, Raw, count, pooled
from aejax.data.tables import AGAIN, AS_SEEN, OF_PHOTOGRAPHS, Reading
from aejax.errors import UserError, first_line
from aejax.files import write_atomic
from aejax.storage import checksums
from aejax.storage.records import Fields, Many, Named, Whole, Word
from aejax.types import Dataset, Split

MANIFEST = "rows.json"
FORMAT = 1
FILE_BYTES = 2**28
OPTIONS = "group_size:1,uncompressed"
"""Of the writer: rows are read one by one, in any order."""
_BLOCK = 4096
HELD = 10_000
HELD_BYTES = 2**25
THREADS = 2
AHEAD = 3


class Records(NamedTuple):
    """The rows of a folder.

    Attributes:
        folder: that they lie in.
        details: its ``rows.json``.
        digest: SHA-256 of that.
        rows: how many there are.
        source: ``source.__getitems__(rows) -> records``.
    """

    folder: Path
    details: Mapping[str, Any]
    digest: str
    rows: int
    source: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """(rows, *feature_shape)."""
        return self.rows, *self.details["shape"]


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


def load(name: str, *, scaling: str, validation: float, test: float | None, seed: int) -> Dataset:
    """The data set of a folder.

    Args:
        name: as given to `aejax.data.load`.
        scaling: as in `aejax.data.load`; where it depends on values that are not bounded by their type, all training
            rows are read once.
        validation: fraction of the rows that are not test rows; no more are drawn than are held.
        test: fraction of all rows, 0.2 where None; no more are drawn than are held.
        seed: of the split.

    Raises:
        UserError: the folder is missing, damaged or empty, or no training row is left.
    """
    folder = Path(name.removeprefix("stream:")).expanduser()
    records = open_folder(folder)
    details, total = records.details, records.rows
    most = max(1, min(HELD, HELD_BYTES // row_bytes(details)))
    drawn = min(most, count(DEFAULT_TEST if test is None else test, total))
    first = drawn + min(most, count(validation, total - drawn))
    if first >= total:
        raise UserError(f"data: no training row is left of {total}; make validation and test smaller")
    keys = (np.random.Philox(seed).random_raw(4) & np.uint64(0xFFFFFFFF)).astype(np.uint32) if first else None
    stream = Stream(records, total - first, first, keys)
    ends = ((0, drawn), (drawn, first), (first, min(total, first + most)))
    held = [np.sort(in_order(stream, np.arange(*each))) for each in ends]
    tested, validated, trained = (Split(*read(records, rows)) for rows in held)
    if scaling == "robust":
        raise UserError("data.scaling: robust needs all rows in memory; allowed: unit, signed, standard, none")
    bounds = (0, 255) if details["dtype"] == "uint8" else None
    passed = Passed(records, np.concatenate(held[:2]))
    fitted = fit(passed, None, scaling=scaling, bounds=bounds, per_feature=bounds is None)
    raw = Raw(
        trained,
        kind="image" if len(records.shape) == 4 else "table",
        source=f"the folder {folder}, {total} rows",
        bounds=bounds,
        label_names=tuple(details["label_names"]),
        feature_names=tuple(details["feature_names"]),
        reading=_reading(details),
        origin=np.array(details["origin"], np.float64) if "origin" in details else np.zeros(()),
    )
    sample = dataset_of(name, raw, (trained, validated, tested), scaling)
    return sample._replace(stream=stream, **fitted._asdict())


def _reading(details: Mapping[str, Any]) -> Reading | None:
    """How new images are read as those of a folder were; None of tables, and where nothing was said of images."""
    fields = {name: details[name] for name in ("channels", *OF_PHOTOGRAPHS) if name in details}
    return AGAIN._replace(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()}) if fields else None


def in_order(stream: Stream, positions: np.ndarray) -> np.ndarray:
    """The rows of the folder at positions of the order that held-out rows begin."""
    if stream.keys is None:
        return positions
    import jax

    from aejax.data.batches import shuffled

    with jax.default_device(jax.local_devices(backend="cpu")[0]):
        return np.asarray(
            jax.jit(shuffled, static_argnums=2)(stream.keys, positions.astype(np.int32), stream.records.rows)
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

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Those of a slice of the folder that are trained on."""
        chosen = np.setdiff1d(np.arange(*rows.indices(self.records.rows)), self.left_out)
        return read(self.records, chosen)[0]


def ahead(make: Callable[[int], Any], start: int, end: int) -> Iterator[Any]:
    """``make(start)``, ``make(start + 1)``, … up to the end, in threads that run ahead of their use."""
    grain = import_grain()
    options = grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=AHEAD)
    numbers = grain.MapDataset.range(start, end).map(make)
    return iter(numbers.to_iter_dataset(options))


# The files of a folder.


def pack(
    paths: Sequence[Path],
    output: Path,
    label_column: str | None = None,
    *,
    labels: Sequence[str | Path] = (),
    channels: str | None = None,
    photographs: Reading = AS_SEEN,
) -> dict[str, Any]:
    """Write the rows of some files, one file after the other, as a folder to stream from.

    Args:
        paths: .npy files, which may be larger than the memory, or .npz, .csv and .parquet files, each of which is read
            whole; folders of photographs, or images:FILE.csv.
        output: the folder to make; it must not be there.
        label_column: as in `aejax.data.load`.
        labels: a file of labels for each of `paths`, as in `aejax.data.load`; none where these hold them.
        channels: of images, as in `aejax.data.load`.
        photographs: their size, fit and colour.

    Returns:
        What ``rows.json`` holds.

    Raises:
        UserError: a file that cannot be read, rows of different shapes or kinds, a missing value, or a folder that is
            there already. Nothing is left of it.
    """
    if output.exists():
        raise UserError(f"--output {output}: is there already; allowed: a new folder")
    if not output.absolute().parent.is_dir():
        raise UserError(f"--output {output}: there is no folder {output.absolute().parent}")
    if labels and len(labels) != len(paths):
        raise UserError(f"--labels: {len(labels)} files for {len(paths)} files of rows; allowed: one for each")
    pairs = zip(paths, labels or [None] * len(paths), strict=True)
    reading = photographs._replace(channels=channels)
    readers = [(path, partial(_rows, path, label_column, beside, reading)) for path, beside in pairs]
    readers = [(path, cache(reader)) for path, reader in readers] if len(readers) == 1 else readers
    with whole_folder(output.absolute()) as scratch:
        start = common_origin((pooled(raw).x, raw.origin) for raw in (reader() for _, reader in readers))
        details: dict[str, Any] = {"format": FORMAT, **({"channels": channels} if channels else {})}
        details |= {"origin": start.tolist()} if start.any() else {}
        files = _write(_records(readers, start, details), scratch)
        manifest = details | {"files": files}
        write_atomic(scratch / MANIFEST, checksums.sealed(manifest))
    return manifest


def _write(records: Iterator[bytes], folder: Path) -> dict[str, dict[str, Any]]:
    """The files of the records, each with its number of rows and of bytes, and the SHA-256 of its first row."""
    from array_record.python.array_record_module import ArrayRecordWriter

    files = {}
    for first in records:
        path, rows = folder / f"rows-{len(files):05d}.array_record", 0
        with closing(ArrayRecordWriter(str(path), OPTIONS)) as writer:
            for record in chain([first], islice(records, max(0, FILE_BYTES // len(first) - 1))):
                writer.write(record)
                rows += 1
        files[path.name] = {"rows": rows, "bytes": path.stat().st_size, "first": sha256(first).hexdigest()}
    return files


def _records(
    readers: Iterable[tuple[Path, Callable[[], Raw]]], start: np.ndarray, details: dict[str, Any]
) -> Iterator[bytes]:
    """The record of each row of some files; `details` comes to hold what is the same for all of them.

    Raises:
        UserError: a file cannot be read as numbers, a value is missing, or rows of two files are not of one kind.
    """
    first, numbers = None, {}
    for path, read_file in readers:
        raw = read_file()
        x, labels, names = pooled(raw).x, pooled(raw).labels, raw.feature_names
        dtype = np.dtype(np.uint8 if x.dtype == np.uint8 and x.ndim == 4 else np.float32)
        kind = {
            "values": f"{'x'.join(map(str, x.shape[1:]))} of type {dtype}",
            "labels": "no labels" if labels is None else "labels",
            "columns": ", ".join(names) or "without names",
        }
        first = first or (path, kind)
        for what, here in kind.items():
            if here != first[1][what]:
                there = f"in {first[0]} they are {first[1][what]}"
                raise UserError(f"{path}: its {what} are {here}, and {there}; allowed: the same")
        if labels is not None:  # those of all files have the same numbers
            labels = np.array([numbers.setdefault(name, len(numbers)) for name in raw.label_names], "<i4")[labels]
        details |= {"shape": list(x.shape[1:]), "dtype": dtype.name, "labelled": labels is not None}
        details |= {"label_names": list(numbers), "feature_names": list(names)}
        if raw.reading is not None and raw.reading.size:
            of_images = {name: getattr(raw.reading, name) for name in OF_PHOTOGRAPHS}
            details |= {name: value for name, value in of_images.items() if value is not None}
        moved = start.any() or raw.origin.any()
        for at in range(0, len(x), _BLOCK):
            block = x[at : at + _BLOCK].astype(np.float64) + (raw.origin - start) if moved else x[at : at + _BLOCK]
            with np.errstate(over="ignore"):
                block = np.asarray(block, dtype.newbyteorder("<"))
            if not np.isfinite(block).all():
                row = at + int(np.argwhere(~np.isfinite(block))[0][0])
                raise UserError(f"{path}: row {row + 1} has a value that is missing or infinite; allowed: rows without")
            for row, values in enumerate(block, at):
                yield values.tobytes() + (b"" if labels is None else labels[row].tobytes())


def _rows(path: Path, label_column: str | None, beside: str | Path | None, reading: Reading) -> Raw:
    """The rows of a file with their labels, those of .npy, and photographs, where they lie on the disk."""
    if photographs := path_of(path):
        if beside is not None:
            raise UserError(f"--labels: {path} are photographs; allowed: images:FILE.csv, and --label-column")
        return load_images(photographs, label_column, reading)
    if path.suffix.lower() != ".npy" or (label_column is not None and beside is None):
        raw = load_file(str(path), label_column, (), AS_SEEN._replace(channels=reading.channels), beside)
    else:
        x = map_array(path, reading.channels)
        labels, _ = (None, "") if beside is None else labels_beside(Path(beside), label_column, len(x))
        raw = Raw(Split(x, labels=labels and labels.values), label_names=labels.names if labels else ())
    if pooled(raw).mask is not None:
        raise UserError(f"{path}: has missing values, which cannot be streamed; allowed: rows without")
    return raw


DETAILS = Fields(
    {
        "format": Whole(FORMAT, FORMAT),
        "shape": Many(Whole(1, 2**31 - 1), 1, 3),
        "dtype": Word("uint8|float32"),
        "labelled": bool,
        "label_names": Many(str),
        "feature_names": Many(str),
        "files": Named(Fields({"rows": Whole(1), "bytes": Whole()}, {"first": str})),
    },
    {
        "origin": Many(float),
        "channels": Word("first|last"),
        "size": Many(Whole(1, 4096), 2, 2),
        "fit": Word("crop|pad|stretch"),
        "colour": Word("grey|colour"),
        "bits": Whole(8, 16),
    },
)
"""The form of ``rows.json``."""


def open_folder(folder: Path) -> Records:
    """The rows of a folder, after a look at the size of each file and at its first row.

    Raises:
        UserError: it is not there, holds no rows, or is damaged.
    """
    damaged = lambda what: UserError(f"stream:{folder}: {what}; pack the rows again")
    if not folder.is_dir():
        raise UserError(f"stream:{folder}: there is no such folder; aejax data pack writes one")
    try:
        text = (folder / MANIFEST).read_bytes()
        details = checksums.opened(text, DETAILS, MANIFEST)
    except FileNotFoundError:
        raise UserError(f"stream:{folder}: has no {MANIFEST}; allowed: a folder that aejax data pack wrote") from None
    except ValueError as error:
        raise damaged(f"its {MANIFEST} is damaged, or of another version ({error})") from None
    if not details["files"]:
        raise UserError(f"stream:{folder}: holds no rows")
    if len(details.get("origin", ())) not in (0, prod(details["shape"])):
        raise damaged(f"its origin is none of rows of {prod(details['shape'])} values")
    for name, file in details["files"].items():
        path, size = folder / name, file["bytes"]
        if row_bytes(details) > size or not re.fullmatch(r"[\w-]+\.array_record", name):
            raise damaged(f"{name} cannot hold rows of {row_bytes(details)} bytes")
        if not path.is_file() or path.stat().st_size != size:
            raise damaged(f"{name} is missing, or not of {size} bytes")
    grain = import_grain()
    try:
        source = grain.sources.ArrayRecordDataSource([str(folder / name) for name in details["files"]])
    except Exception as error:  # the reader raises whatever its C++ part raises
        raise damaged(f"is damaged: {first_line(error)}") from error
    starts = np.cumsum([0, *(file["rows"] for file in details["files"].values())])
    records = Records(folder, details, sha256(text).hexdigest(), int(starts[-1]), source)
    if len(source) != records.rows:
        raise damaged(f"holds {len(source)} of {records.rows} rows")
    read(records, starts[:-1])
    for (name, file), row in zip(details["files"].items(), source.__getitems__(starts[:-1].tolist()), strict=True):
        if file.get("first") not in (None, sha256(row).hexdigest()):
            raise damaged(f"{name} holds other rows than were packed")
    return records


def import_grain() -> Any:
    """Grain, or one line that says how to get it."""
    try:
        import grain
        import grain.sources
    except ImportError as error:
        raise UserError(f"data that are streamed need grain (pip install 'aejax[stream]'): {error}") from error
    return grain


def read(records: Records, rows: np.ndarray) -> tuple[np.ndarray, None, np.ndarray | None]:
    """Rows of the folder by their numbers: (m, *feature_shape), no mask, and (m,) labels where there are any.

    Raises:
        UserError: a record cannot be read, or is none of these rows.
    """
    details = records.details
    try:
        values = records.source.__getitems__(np.asarray(rows).tolist()) if len(rows) else []
    except Exception as error:  # the reader raises whatever its C++ part raises
        reason = first_line(error)
        raise UserError(f"stream:{records.folder}: a row cannot be read: {reason}; pack the rows again") from error
    size = row_bytes(details)
    whole = size + (4 if details["labelled"] else 0)
    for row, value in zip(rows, values, strict=True):
        if len(value) != whole:
            raise UserError(
                f"stream:{records.folder}: row {int(row) + 1} has {len(value)} bytes, and rows of {MANIFEST} "
                f"have {whole}; pack rows of one shape"
            )
    table = np.frombuffer(b"".join(values), np.uint8).reshape(len(values), whole)
    dtype = np.dtype(details["dtype"])
    x = np.ascontiguousarray(table[:, :size]).view(dtype.newbyteorder("<")).astype(dtype, copy=False)
    labels = np.ascontiguousarray(table[:, size:]).view("<i4")[:, 0] if details["labelled"] else None
    return x.reshape(-1, *details["shape"]), None, labels


def row_bytes(details: Mapping[str, Any]) -> int:
    """Bytes of one row, without its label; `details` are those of `Records`."""
    return prod(details["shape"]) * np.dtype(details["dtype"]).itemsize
