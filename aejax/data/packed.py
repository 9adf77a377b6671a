"""A folder that `aejax.data.packing` wrote: what it holds, and its rows, read from where they lie in any order."""

import re
from collections.abc import Mapping
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.packing import FORMAT, MANIFEST
from aejax.errors import UserError
from aejax.storage import records
from aejax.storage.records import Many, Named, Whole, Word
from aejax.types import Split


class Records(NamedTuple):
    """The rows of a folder.

    Attributes:
        folder: that they lie in.
        details: its ``rows.json``.
        digest: SHA-256 of that.
        rows: how many there are.
        source: ``source.__getitems__(places) -> records``.
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


DETAILS = {
    "format": Whole(FORMAT, FORMAT),
    "shape": Many(Whole(1, 2**31 - 1), 1, 3),
    "dtype": Word("uint8|float32"),
    "labelled": bool,
    "label_names": Many(str),
    "feature_names": Many(str),
    "files": Named({"rows": Whole(1), "bytes": Whole()}),
}
"""The form of ``rows.json``."""


def open_folder(folder: Path) -> Records:
    """The rows of a folder, after a look at the size of each file and at its first row.

    Raises:
        UserError: it is not there, holds no rows, or is damaged.
    """
    if not folder.is_dir():
        raise UserError(f"stream:{folder}: there is no such folder; aejax data pack writes one")
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"stream:{folder}: has no {MANIFEST}; allowed: a folder that aejax data pack wrote") from None
    try:
        details = records.check(records.parse(text, MANIFEST), DETAILS, MANIFEST)
    except UserError as error:
        raise UserError(
            f"stream:{folder}: its {MANIFEST} is damaged, or of another version ({error}); pack the rows again"
        ) from None
    files = {name: (own["rows"], own["bytes"]) for name, own in details["files"].items()}
    if not files:
        raise UserError(f"stream:{folder}: holds no rows")
    for name, (_, size) in files.items():
        path = folder / name
        if row_bytes(details) > size or not re.fullmatch(r"[\w-]+\.array_record", name):
            raise UserError(f"stream:{folder}: {name} cannot hold rows of {row_bytes(details)} bytes; pack them again")
        if not path.is_file() or path.stat().st_size != size:
            raise UserError(f"stream:{folder}: {name} is missing, or not of {size} bytes; pack the rows again")
    source = _source(folder, list(files))
    opened = Records(folder, details, sha256(text.encode()).hexdigest(), sum(n for n, _ in files.values()), source)
    if len(source) != opened.rows:
        raise UserError(f"stream:{folder}: holds {len(source)} of {opened.rows} rows; pack the rows again")
    read(opened, np.cumsum([0, *(rows for rows, _ in files.values())])[:-1])
    return opened


def _source(folder: Path, names: list[str]) -> Any:
    grain = import_grain()
    try:
        return grain.sources.ArrayRecordDataSource([str(folder / name) for name in names])
    except Exception as error:  # the reader raises whatever its C++ part raises
        raise UserError(f"stream:{folder}: is damaged: {_line(error)}; pack the rows again") from error


def import_grain() -> Any:
    """Grain, or one line that says how to get it."""
    try:
        import grain
        import grain.sources
    except ImportError as error:
        raise UserError(f"data that are streamed need grain (pip install 'aejax[stream]'): {error}") from error
    return grain


def read(records: Records, places: np.ndarray) -> tuple[np.ndarray, None, np.ndarray | None]:
    """Rows at places of the folder: (m, *feature_shape), no mask, and (m,) labels where there are any.

    Raises:
        UserError: a record cannot be read, or is none of these rows.
    """
    dtype = np.dtype(records.details["dtype"]).newbyteorder("<")
    try:
        found = records.source.__getitems__(np.asarray(places).tolist())
    except Exception as error:  # the reader raises whatever its C++ part raises
        raise UserError(
            f"stream:{records.folder}: a row cannot be read: {_line(error)}; pack the rows again"
        ) from error
    size = row_bytes(records.details)
    whole = size + (4 if records.details["labelled"] else 0)
    sizes = list(map(len, found))
    if set(sizes) - {whole}:
        other = next(number for number, size in enumerate(sizes) if size != whole)
        raise UserError(
            f"stream:{records.folder}: row {int(places[other]) + 1} has {sizes[other]} bytes, and rows of {MANIFEST} "
            f"have {whole}; pack rows of one shape"
        )
    table = np.frombuffer(b"".join(found), np.uint8).reshape(len(found), whole)
    x = np.ascontiguousarray(table[:, :size]).view(dtype).astype(dtype.newbyteorder("="), copy=False)
    labels = np.ascontiguousarray(table[:, size:]).view("<i4")[:, 0] if records.details["labelled"] else None
    return x.reshape(-1, *records.details["shape"]), None, labels


def row_bytes(details: Mapping[str, Any]) -> int:
    """Bytes of one row, without its label; `details` are those of `Records`."""
    return prod(details["shape"]) * np.dtype(details["dtype"]).itemsize


def none_of(records: Records) -> Split:
    """No rows, of the same shape."""
    empty = np.zeros((0, *records.details["shape"]), records.details["dtype"])
    return Split(empty, None, np.zeros(0, np.int32) if records.details["labelled"] else None)


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
