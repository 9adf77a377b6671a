"""Writing rows as a folder of array_record files, which `aejax.data.stream` reads without holding them in memory.

Such a folder has files of at most `FILE_BYTES`, one record a row: its values, little-endian, as uint8 or float32, and
its label as int32 where rows have one; and ``rows.json``, which says what they are and is written last.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.files import load_file, map_array
from aejax.errors import UserError
from aejax.files import write_json

MANIFEST = "rows.json"
FORMAT = 1
FILE_BYTES = 2**28
OPTIONS = "group_size:1,uncompressed"
"""Of the writer: rows are read one by one, in any order."""
_BLOCK = 4096


class Block(NamedTuple):
    """A few rows of a file.

    Attributes:
        x: (rows, *feature_shape) uint8 or float32.
        labels: (rows,) int, into `label_names`; None where the file has none.
        label_names: of the file.
        feature_names: of the file.
    """

    x: np.ndarray
    labels: np.ndarray | None
    label_names: tuple[str, ...]
    feature_names: tuple[str, ...]


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
    scratch = Path(tempfile.mkdtemp(prefix=".packing-", dir=output.absolute().parent))
    try:
        manifest = _write(paths, scratch, label_column)
        write_json(scratch / MANIFEST, manifest)
        scratch.chmod(0o755)
        scratch.rename(output)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _write(paths: Sequence[Path], folder: Path, label_column: str | None) -> dict[str, Any]:
    first, names, files, writer, full = None, {}, [], None, 0
    try:
        for path in paths:
            for block in blocks(path, label_column):
                first = first or (path, block)
                _check_alike(*first, path, block)
                labels = None if block.labels is None else _common(block, names)
                for row in _records(block.x, labels):
                    if writer is None or full + len(row) > FILE_BYTES:
                        if writer is not None:
                            writer.close()
                        writer, full = _writer(folder / f"rows-{len(files):05d}.array_record"), 0
                        files.append(0)
                    writer.write(row)
                    full, files[-1] = full + len(row), files[-1] + 1
    finally:
        if writer is not None:
            with suppress(RuntimeError):  # a disk that is full has been told of already
                writer.close()
    block = first[1]
    return {
        "format": FORMAT,
        "shape": list(block.x.shape[1:]),
        "dtype": block.x.dtype.name,
        "labelled": block.labels is not None,
        "label_names": list(names),
        "feature_names": list(block.feature_names),
        "files": {
            f"rows-{number:05d}.array_record": {
                "rows": rows,
                "bytes": (folder / f"rows-{number:05d}.array_record").stat().st_size,
            }
            for number, rows in enumerate(files)
        },
    }


def _writer(path: Path) -> Any:
    from array_record.python.array_record_module import ArrayRecordWriter

    return ArrayRecordWriter(str(path), OPTIONS)


def blocks(path: Path, label_column: str | None) -> Iterator[Block]:
    """The rows of a file, some thousands at a time.

    Raises:
        UserError: it cannot be read as numbers, or a value is missing.
    """
    if path.suffix.lower() == ".npy" and label_column is None:
        x, labels, label_names, feature_names = map_array(path), None, (), ()
    else:
        raw = load_file(str(path), label_column)
        x, labels, label_names = raw.train.x, raw.train.labels, raw.label_names
        feature_names = raw.feature_names
        if raw.train.mask is not None:
            raise UserError(f"{path}: has missing values, which cannot be streamed; allowed: rows without")
    dtype = np.uint8 if x.dtype == np.uint8 and x.ndim == 4 else np.float32
    for start in range(0, len(x), _BLOCK):
        part = np.asarray(x[start : start + _BLOCK], dtype)
        if dtype == np.float32 and not np.isfinite(part).all():
            row = start + int(np.argwhere(~np.isfinite(part))[0][0])
            raise UserError(f"{path}: row {row + 1} has a value that is missing or infinite; allowed: rows without")
        yield Block(part, None if labels is None else labels[start : start + _BLOCK], label_names, feature_names)


def _check_alike(first: Path, like: Block, path: Path, block: Block) -> None:
    """Refuse files whose rows are not of one kind."""
    kinds = {
        "values": lambda b: f"{'x'.join(map(str, b.x.shape[1:]))} of type {b.x.dtype}",
        "labels": lambda b: "no labels" if b.labels is None else "labels",
        "columns": lambda b: ", ".join(b.feature_names) or "without names",
    }
    for what, of in kinds.items():
        if of(block) != of(like):
            raise UserError(
                f"{path}: its {what} are {of(block)}, and in {first} they are {of(like)}; allowed: the same"
            )


def _common(block: Block, names: dict[str, int]) -> np.ndarray:
    """The labels as indices into the names of all files, which grow as they come."""
    return np.array([names.setdefault(name, len(names)) for name in block.label_names], np.int32)[block.labels]


def _records(x: np.ndarray, labels: np.ndarray | None) -> Iterator[bytes]:
    plain = np.ascontiguousarray(x, x.dtype.newbyteorder("<")).reshape(len(x), -1)
    for place, row in enumerate(plain):
        yield row.tobytes() + (b"" if labels is None else labels[place].astype("<i4").tobytes())
