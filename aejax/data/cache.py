"""Decoded arrays on disk: written whole or not at all, with a version and a digest, and memory-mapped.

An entry is one folder of ``.npy`` files with a manifest of their sizes and SHA-256 digests. It lies in the
user's cache folder, or in ``AEJAX_CACHE_DIR`` where that environment variable is set. Deleting the folder is
always safe: entries are made again.
"""

import errno
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from aejax.console import complain
from aejax.errors import UserError
from aejax.files import cache_folder, sync_folder, unfinished
from aejax.storage import checksums
from aejax.storage.records import Named, Whole

FORMAT = 1
DIGEST_LIMIT = 256 * 2**20  # bytes; larger files are checked by their size alone (1 GB takes about a second)
_MANIFEST = "manifest.json"
MANIFEST = {"format": Whole(FORMAT, FORMAT), "details": dict, "files": Named({"bytes": Whole(), "sha256": str})}
"""Its form."""

Arrays = Mapping[str, np.ndarray]


def root() -> Path:
    """The folder of all cached data: ``$AEJAX_CACHE_DIR/data``, else ``data`` in the user's cache folder."""
    return cache_folder("data")


def exists(key: str) -> bool:
    """Whether an entry is there with the right sizes; digests are not looked at."""
    return _fault(root() / key, digests=False) is None


def read(key: str) -> tuple[Arrays, Mapping[str, Any]] | None:
    """The arrays of an entry, memory-mapped, and its details; None where the entry is missing or damaged.

    Args:
        key: name of the entry, a folder name.
    """
    folder = root() / key
    if not folder.is_dir():
        return None
    if fault := _fault(folder):
        complain(f"the cached data in {folder} is damaged ({fault}) and is made again")
        return None
    manifest = _manifest(folder)
    try:
        arrays = {Path(name).stem: np.load(folder / name, mmap_mode="r") for name in manifest["files"]}
    except ValueError:  # in a file too large for its digest
        complain(f"the cached data in {folder} is damaged (no arrays of NumPy) and is made again")
        return None
    return arrays, manifest["details"]


def build(
    key: str, make: Callable[[Path], Mapping[str, Any]], *, anew: bool = False
) -> tuple[Arrays, Mapping[str, Any]]:
    """The arrays of an entry, which is made if it is missing or damaged.

    Args:
        key: name of the entry, a folder name that holds the version of the data.
        make: writes ``.npy`` files into the folder that it is given, and returns details as JSON values.
        anew: whether the entry is made even where a sound one is there, which stays where `make` fails.

    Returns:
        Arrays by name, memory-mapped, and the details.

    Raises:
        UserError: the cache folder cannot be written, or changes meanwhile.
    """
    entry = None if anew else read(key)
    if entry is None:
        try:
            _write(root() / key, make, anew)
        except OSError as error:
            raise UserError(
                f"cannot write the data cache in {root()}: {error.strerror or error}; set AEJAX_CACHE_DIR to"
                " a folder with room"
            ) from error
        entry = read(key)
    if entry is None:
        raise UserError(f"{key}: the data cache in {root()} changes while it is read; try again")
    return entry


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, which gets that name where all goes well, and is removed where not."""
    with unfinished(folder.parent, Path.mkdir) as scratch:
        yield scratch
        for path in (*scratch.iterdir(), scratch):
            sync_folder(path)
        scratch.rename(folder)
        sync_folder(folder.parent)


def _write(folder: Path, make: Callable[[Path], Mapping[str, Any]], anew: bool) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_folder(folder) as scratch, unfinished(folder.parent, Path.mkdir) as replaced:
            manifest = {"format": FORMAT, "details": dict(make(scratch))}
            paths = sorted(scratch.glob("*.npy"))
            manifest["files"] = {p.name: {"bytes": p.stat().st_size, "sha256": _digest(p)} for p in paths}
            (scratch / _MANIFEST).write_text(checksums.sealed(manifest), encoding="utf-8")
            if folder.exists() and (anew or _fault(folder)):
                folder.rename(replaced / folder.name)  # whole or absent, here as well
    except OSError as error:  # another process may have been faster
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) or _fault(folder):
            raise


def _fault(folder: Path, *, digests: bool = True) -> str | None:
    """What is wrong with an entry in a few words; None where it is sound."""
    try:
        files = _manifest(folder)["files"]
    except (OSError, UserError):
        return "unreadable manifest"
    for name, entry in files.items():
        path, size = folder / name, entry["bytes"]
        if not re.fullmatch(r"\w+\.npy", name) or not path.is_file() or path.stat().st_size != size:
            return f"{name} is missing or cut short"
        if digests and size <= DIGEST_LIMIT and _digest(path) != entry["sha256"]:
            return f"{name} has another digest"
    return None


def _manifest(folder: Path) -> dict[str, Any]:
    return checksums.opened((folder / _MANIFEST).read_bytes(), MANIFEST, folder / _MANIFEST)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
