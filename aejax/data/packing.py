"""Writing rows as a folder of array_record files, which `aejax.data.stream` reads without holding them in memory.

Such a folder has files of at most `FILE_BYTES`, one record a row: its values, little-endian, as uint8 or float32, and
its label as int32 where rows have one; and ``rows.json``, which says what they are and is written last.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from aejax.data.cache import whole_folder
from aejax.data.files import load_file, map_array
from aejax.errors import UserError
from aejax.files import write_json

MANIFEST = "rows.json"
FORMAT = 1
FILE_BYTES = 2**28
OPTIONS = "group_size:1,uncompressed"
"""Of the writer: rows are read one by one, in any order."""
_BLOCK = 4096


def pack(paths: Sequence[Path], output: Path, label_column: str | None = None) -> dict[str, Any]:
    """Write the rows of some files, one file after the other, as a folder to stream from.

    Args:
        paths: .npy files, which may be larger than the memory, or .npz, .csv and .parquet files, each of which is read
            whole.
        output: the folder to make; it must not be there.
        label_column: as in `aejax.data.load`.

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
    with whole_folder(output.absolute(), ".packing-") as scratch:
        details: dict[str, Any] = {"format": FORMAT}
        files = _write(_records(paths, label_column, details), scratch)
        manifest = details | {"files": files}
        write_json(scratch / MANIFEST, manifest)
        scratch.chmod(0o755)
    return manifest


def _write(records: Iterator[bytes], folder: Path) -> dict[str, dict[str, int]]:
    """The files of the records, each with its number of rows and of bytes."""
    from array_record.python.array_record_module import ArrayRecordWriter

    files = {}
    for first in records:
        path, rows = folder / f"rows-{len(files):05d}.array_record", 0
        with closing(ArrayRecordWriter(str(path), OPTIONS)) as writer:
            for record in chain([first], islice(records, max(0, FILE_BYTES // len(first) - 1))):
                writer.write(record)
                rows += 1
        files[path.name] = {"rows": rows, "bytes": path.stat().st_size}
    return files


def _records(paths: Sequence[Path], label_column: str | None, details: dict[str, Any]) -> Iterator[bytes]:
    """The record of each row of some files; `details` comes to hold what is the same for all of them.

    Raises:
        UserError: a file cannot be read as numbers, a value is missing, or rows of two files are not of one kind.
    """
    first, numbers = None, {}
    for path in paths:
        x, labels, label_names, feature_names = _rows(path, label_column)
        dtype = np.dtype(np.uint8 if x.dtype == np.uint8 and x.ndim == 4 else np.float32)
        kind = {
            "values": f"{'x'.join(map(str, x.shape[1:]))} of type {dtype}",
            "labels": "no labels" if labels is None else "labels",
            "columns": ", ".join(feature_names) or "without names",
        }
        first = first or (path, kind)
        for what, here in kind.items():
            if here != first[1][what]:
                there = f"in {first[0]} they are {first[1][what]}"
                raise UserError(f"{path}: its {what} are {here}, and {there}; allowed: the same")
        if labels is not None:  # those of all files have the same numbers
            labels = np.array([numbers.setdefault(name, len(numbers)) for name in label_names], "<i4")[labels]
        details |= {"shape": list(x.shape[1:]), "dtype": dtype.name, "labelled": labels is not None}
        details |= {"label_names": list(numbers), "feature_names": list(feature_names)}
        for start in range(0, len(x), _BLOCK):
            block = np.asarray(x[start : start + _BLOCK], dtype.newbyteorder("<"))
            if not np.isfinite(block).all():
                row = start + int(np.argwhere(~np.isfinite(block))[0][0])
                raise UserError(f"{path}: row {row + 1} has a value that is missing or infinite; allowed: rows without")
            for row, values in enumerate(block, start):
                yield values.tobytes() + (b"" if labels is None else labels[row].tobytes())


def _rows(path: Path, label_column: str | None) -> tuple[np.ndarray, np.ndarray | None, Sequence[str], Sequence[str]]:
    """The rows and labels of a file, the names of its classes and of its features."""
    if path.suffix.lower() == ".npy" and label_column is None:
        return map_array(path), None, (), ()
    raw = load_file(str(path), label_column)
    if raw.train.mask is not None:
        raise UserError(f"{path}: has missing values, which cannot be streamed; allowed: rows without")
    return raw.train.x, raw.train.labels, raw.label_names, raw.feature_names
