"""Files that are packed: what they unpack to, and how much that may be before any of it is there."""

import bz2
import gzip
import re
import zipfile
from contextlib import ExitStack
from pathlib import Path

from aejax.errors import UserError, first_line

PACKED = (".gz", ".bz2", ".zip")
MOST_TEXT = 2**32  # bytes of a file of text
ALWAYS, TIMES = 2**28, 100
BLOCK = 2**20


def unpacked(path: Path) -> bytes | bytearray:
    """The content of a file; that of the one file in an archive.

    Raises:
        UserError: the archive is damaged, holds several files, or is too large.
    """
    packing = path.suffix.lower()
    if packing not in PACKED:
        return path.read_bytes()
    most = min(MOST_TEXT, _most(path))
    try:
        with ExitStack() as stack:
            if packing == ".zip":
                archive = stack.enter_context(zipfile.ZipFile(path))
                names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
                if len(names) != 1:
                    raise UserError(f"{path}: holds {len(names)} files; allowed: an archive of one file")
                source = stack.enter_context(archive.open(names[0]))
            else:
                source = stack.enter_context({".gz": gzip, ".bz2": bz2}[packing].open(path))
            content = bytearray()
            while len(content) <= most and (block := source.read(BLOCK)):
                content += block
    except UserError:
        raise
    except Exception as error:  # damaged archives raise whatever their parsers do
        raise UserError(f"{path}: not a readable {packing} file: {first_line(error)}") from error
    check_size(path, len(content))
    if len(content) > MOST_TEXT:
        raise UserError(f"{path}: holds more than {MOST_TEXT} bytes; unpack it and split it, or use .parquet")
    return content


def _most(path: Path) -> int:
    """The bytes that a file may unpack to: 2**28, or a hundred times its own where these are more."""
    return max(ALWAYS, TIMES * path.stat().st_size)


def check_size(path: Path, size: int) -> None:
    """Refuse a file that unpacks to far more than it holds, as one does that was made to fill the memory.

    Args:
        path: of the file.
        size: what it unpacks to, in bytes, as far as is known.

    Raises:
        UserError: that is too much; the line says how the rows are read all the same.
    """
    if size > (most := _most(path)):
        line = f"has {path.stat().st_size} bytes and unpacks to more than {most}"
        raise UserError(f"{path}: {line}; if you trust it, unpack it yourself or write its rows as .npy")


def check_archive(path: Path) -> None:
    """Refuse a zip archive, such as .npz or .xlsx, whose files unpack to more than `check_size` allows."""
    with zipfile.ZipFile(path) as archive:
        check_size(path, sum(file.file_size for file in archive.infolist()))


def size_of_excel(path: Path) -> int:
    """The bytes of pointers to the cells of an Excel file, empty ones before the last of a line or sheet included."""
    check_archive(path)
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(file) for file in archive.infolist() if file.filename.startswith("xl/worksheets/")]
    columns, rows = zip((b"A", b"1"), *re.findall(rb'\br="([A-Z]*)(\d+)"', b"".join(sheets)), strict=True)
    width = 0
    for letter in max(columns, key=lambda name: (len(name), name)):
        width = 26 * width + letter - 64
    return 8 * width * max(map(int, rows))


def size_of_feather(path: Path) -> int:
    """The bytes that the batches of a Feather file unpack to, one after the other, up to the first that is too much."""
    from pyarrow import ArrowInvalid, ipc

    size = 0
    with path.open("rb") as file:
        try:
            batches = ipc.open_file(file)
        except ArrowInvalid:  # of the first version, which packs nothing, or damaged
            return path.stat().st_size
        for number in range(batches.num_record_batches):
            if (size := size + batches.get_batch(number).nbytes) > _most(path):
                break
    return size


def size_of_parquet(path: Path) -> int:
    """The bytes that the columns of a Parquet file unpack to, a cell being one at least."""
    from pyarrow import parquet

    about = parquet.read_metadata(path)
    groups = [about.row_group(number).total_byte_size for number in range(about.num_row_groups)]
    return max(sum(groups), about.num_rows * about.num_columns)
