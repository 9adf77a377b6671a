"""Decoded arrays on disk: written whole or not at all, with a version and a digest, and memory-mapped.

An entry is one folder of ``.npy`` files with a manifest of their sizes and SHA-256 digests. It lies in the
user's cache folder, or in ``AEJAX_CACHE_DIR`` where that environment variable is set. Deleting the folder is
always safe: entries are made again.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.files import cache_folder, sync_folder
from aejax.storage import records
from aejax.storage.records import Named, Whole

FORMAT = 1
DIGEST_LIMIT = 256 * 2**20  # bytes; larger files are checked by their size alone (1 GB takes about a second)
_MANIFEST = "manifest.json"
MANIFEST = {"format": Whole(), "details": dict, "files": Named({"bytes": Whole(), "sha256": str})}
"""Its form."""

Arrays = Mapping[str, np.ndarray]


def say(line: str) -> None:
    """Tells the user one thing, on the standard error."""
    print(f"aejax: {line}", file=sys.stderr, flush=True)


def root() -> Path:
    """The folder of all cached data: ``$AEJAX_CACHE_DIR/data``, else ``data`` in the user's cache folder."""
    return cache_folder("data")


def exists(key: str) -> bool:
    """Whether an entry is there with the right sizes; digests are not looked at."""
    try:
        return _fault(root() / key, digests=False) is None
    except FileNotFoundError:
        return False


def read(key: str) -> tuple[Arrays, Mapping[str, Any]] | None:
    """The arrays of an entry, memory-mapped, and its details; None where there is no sound entry.

    Args:
        key: name of the entry, a folder name.

    Returns:
        Arrays by name, and the mapping that was given to `build`; None where the entry is missing or damaged.
    """
    folder = root() / key
    try:
        fault = _fault(folder, digests=True)
    except FileNotFoundError:
        return None
    if fault:
        say(f"the cached data in {folder} is damaged ({fault}) and is made again")
        return None
    manifest = records.read(folder / _MANIFEST, MANIFEST)
    names = [name.removesuffix(".npy") for name in manifest["files"]]
    return {n: np.load(folder / f"{n}.npy", mmap_mode="r") for n in names}, manifest["details"]


def build(key: str, make: Callable[[Path], Mapping[str, Any]]) -> tuple[Arrays, Mapping[str, Any]]:
    """The arrays of an entry, which is made if it is missing or damaged.

    Args:
        key: name of the entry, a folder name that holds the version of the data.
        make: writes ``.npy`` files into the folder that it is given, and returns details as JSON values.

    Returns:
        Arrays by name, memory-mapped, and the details.

    Raises:
        UserError: the cache folder cannot be written.
    """
    try:
        return made(key, lambda: _write(key, make))
    except OSError as error:
        raise UserError(
            f"cannot write the data cache in {root()}: {error.strerror or error}; set AEJAX_CACHE_DIR to"
            " a folder with room"
        ) from error


def made(key: str, prepare: Callable[[], object]) -> tuple[Arrays, Mapping[str, Any]]:
    """The arrays and the details of an entry, which `prepare` makes where it is missing or damaged.

    Raises:
        UserError: the cache changes meanwhile.
    """
    entry = read(key)
    if entry is None:
        prepare()
        entry = read(key)
    if entry is None:
        raise UserError(f"{key}: the data cache in {root()} changes while it is read; try again")
    return entry


def drop(key: str) -> None:
    """Removes an entry, if it is there."""
    shutil.rmtree(root() / key, ignore_errors=True)


def _fault(folder: Path, *, digests: bool) -> str | None:
    """What is wrong with an entry in a few words; None where it is sound. A missing folder raises."""
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    try:
        manifest = records.read(folder / _MANIFEST, MANIFEST)
    except (OSError, UserError):
        return "unreadable manifest"
    if manifest["format"] != FORMAT:
        return f"format {manifest['format']}, not {FORMAT}"
    files = {name: (entry["bytes"], entry["sha256"]) for name, entry in manifest["files"].items()}
    if not all(re.fullmatch(r"\w+\.npy", name) for name in files):
        return "unreadable manifest"
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != size:
            return f"{name} is missing or cut short"
        if digests and size <= DIGEST_LIMIT and _digest(path) != digest:
            return f"{name} has another digest"
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _write(key: str, make: Callable[[Path], Mapping[str, Any]]) -> None:
    root().mkdir(parents=True, exist_ok=True)
    _sweep()
    scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=root()))
    try:
        details = make(scratch)
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": _digest(path)} for path in sorted(scratch.glob("*.npy"))
        }
        manifest = {"format": FORMAT, "details": dict(details), "files": files}
        (scratch / _MANIFEST).write_text(json.dumps(manifest, indent=1))
        for path in scratch.iterdir():
            _sync(path)
        sync_folder(scratch)
        folder = root() / key
        if folder.exists() and _fault(folder, digests=True):
            shutil.rmtree(folder)
        try:
            scratch.rename(folder)
        except OSError:  # another process was faster: fine where its entry is sound
            if not folder.exists() or _fault(folder, digests=True):
                raise
        sync_folder(root())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep() -> None:
    """Removes what a killed process left more than a day ago."""
    for path in root().glob(".new-*"):
        if time.time() - path.stat().st_mtime > 86400:
            shutil.rmtree(path, ignore_errors=True)
