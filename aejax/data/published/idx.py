"""Reading and fetching IDX files, the format in which MNIST was published."""

import gzip
import io
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from aejax.data.published import downloads
from aejax.data.published.published import FILES, ROWS, Published
from aejax.errors import UserError

MOST_BYTES = 2**26
"""Of a file of images, unpacked."""


def read_idx(path: Path) -> np.ndarray:
    """The array in an IDX file of bytes, compressed with gzip or not.

    An IDX file is two zero bytes, the type (8: unsigned byte), the number of axes, the size of each axis as a
    big-endian 32-bit number, and the values in row-major order.

    Args:
        path: the file.

    Returns:
        The values, uint8.

    Raises:
        UserError: the file is damaged, cut short, or something else.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as file:
                data = file.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"{path}: the compressed file is damaged or cut short: {error}") from error
    if len(data) > MOST_BYTES:
        raise UserError(f"{path}: holds more than {MOST_BYTES} bytes; no published file does")
    if len(data) < 4 or data[:3] != b"\0\0\x08" or not 1 <= data[3] <= 4:
        raise UserError(f"{path}: not an IDX file of bytes")
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise UserError(f"{path}: the file is cut short within its header")
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) - start != math.prod(shape):
        raise UserError(
            f"{path}: the header promises {math.prod(shape)} bytes, {len(data) - start} follow; the file is damaged"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def read_folder(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of the four files in a folder, with or without ``.gz`` at the end of their names.

    Args:
        folder: where the files are.

    Returns:
        By split, ``"train"`` and ``"test"``: images (rows, 28, 28) and labels (rows,), uint8.

    Raises:
        UserError: a file is missing or damaged, or has another shape.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    paths = {part: _find(folder, name) for part, name in FILES.items()}
    found = {}
    for split, count in ROWS.items():
        images, labels = read_idx(paths[split, "images"]), read_idx(paths[split, "labels"])
        for array, what, shape in ((images, "images", (count, 28, 28)), (labels, "labels", (count,))):
            if array.shape != shape:
                raise UserError(f"{paths[split, what]}: has shape {array.shape}; expected {shape}")
        if labels.max(initial=0) > 9:
            raise UserError(f"{paths[split, 'labels']}: holds the label {labels.max()}; expected 0 to 9")
        found[split] = images, labels
    return found


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise UserError(f"{folder}: the file {name}.gz (or {name}) is missing; needed are {', '.join(FILES.values())}")


def download(published: Published, folder: Path) -> None:
    """Fetches the four files and checks their digests; gives up after a few seconds without an answer.

    Args:
        published: the data set.
        folder: where they are put.

    Raises:
        OSError: there is no answer.
        http.client.HTTPException: the answer is cut short.
        UserError: a file is not the published one.
    """
    for name, digest in zip(FILES.values(), published.digests, strict=True):
        (folder / f"{name}.gz").write_bytes(downloads.fetch(f"{published.url}{name}.gz", sha256=digest))
