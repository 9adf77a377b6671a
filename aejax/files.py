"""Files that are whole or absent: written beside their place, synced and renamed into it."""

import errno
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

TEMPORARY = ".unfinished-"
DAY = 86400
"""Seconds after which what is unfinished is taken for left where the file system has no locks."""

# What file systems answer that cannot sync a folder, or do not let it be opened for reading.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}


def lock(file: IO | int, *, wait: bool) -> bool | None:
    """Lock an open file or folder; whether it is locked now, False where another process has it, None without locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True


def is_used(folder: Path, *besides: str) -> bool:
    """Whether a folder holds anything but files of these names, and what a process that was killed left unfinished."""
    return any(path.name not in besides and not path.name.startswith(TEMPORARY) for path in folder.iterdir())


@contextmanager
def unfinished(folder: Path, make: Callable[[Path], Any] = Path.touch) -> Iterator[Path]:
    """A file or folder under a temporary name, locked meanwhile, and gone at the end unless it has been renamed.

    What lies there under such a name and is not locked was left by a process that was killed, and is swept up first.

    Args:
        folder: that is to hold it.
        make: the file, or the folder.
    """
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError, _SweptError), _locked(path, wait=False) as locked:
            if locked or (locked is None and time.time() - path.stat().st_mtime > DAY):
                _remove(path)
    while True:
        path = folder / f"{TEMPORARY}{secrets.token_hex(8)}"
        make(path)
        try:
            with suppress(_SweptError), _locked(path, wait=True):
                yield path
                return
        finally:
            with suppress(OSError):
                _remove(path)


class _SweptError(Exception):
    """A new file was taken for one that was left, in the moment before it was locked."""


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[bool | None]:
    """`lock` on what has that name; None on systems that do not rename what is open."""
    if os.name != "posix":
        yield None
        return
    try:
        descriptor = os.open(path, (os.O_RDONLY if path.is_dir() else os.O_RDWR) | os.O_NONBLOCK)
    except FileNotFoundError:
        raise _SweptError from None
    try:
        locked = lock(descriptor, wait=wait)
        if not path.exists():
            raise _SweptError
        yield locked
    finally:
        os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def write_atomic(path: str | os.PathLike, data: bytes | str) -> Path:
    """Write a whole file, or leave what was there: at no moment does `path` hold half of it.

    The data goes to a temporary file in the same folder, is synced to the disk and renamed over `path`; the
    folder is synced last. Folders that are missing are made.

    Args:
        path: the file to write or replace.
        data: its contents; text is written as UTF-8.

    Returns:
        The path that was written.

    Raises:
        OSError: if it cannot be written; the temporary file is removed and `path` is as it was.
    """
    path = Path(path)
    content = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with unfinished(path.parent) as temporary:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
    except OSError as error:
        error.filename, error.filename2 = str(path), None  # what was to be written, not its temporary name
        raise
    sync_folder(path.parent)
    return path


def append(path: str | os.PathLike, text: str) -> None:
    """Add text to the end of a file that is there, and sync it; a kill may leave the last part of it unwritten."""
    try:
        with open(path, "ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)
        raise


def write_json(path: str | os.PathLike, value: Any) -> Path:
    """Write `to_json(value)` as a whole file; Raises and Returns as `write_atomic`."""
    return write_atomic(path, to_json(value))


def to_json(value: Any) -> str:
    """JSON text that any parser reads: two spaces of indent, keys in the order given, UTF-8.

    Numbers that JSON lacks become the strings ``"nan"``, ``"inf"`` and ``"-inf"``, which ``float`` reads.
    Arrays and NumPy numbers become lists and numbers; paths and keys become strings.

    Args:
        value: nested mappings, sequences, arrays, strings, numbers, booleans and None.

    Returns:
        The text, with a final newline.

    Raises:
        TypeError: for a value of any other type.
    """
    return json.dumps(_jsonable(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def sync_folder(folder: str | os.PathLike) -> None:
    """Make the names in a folder durable, where the system can do that."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, np.generic) or hasattr(value, "__array__"):
        plain = np.asarray(value).tolist()
        if not isinstance(plain, np.generic):  # a long double has no plain form
            return _jsonable(plain)
    if hasattr(value, "to_dict"):  # ml_collections.ConfigDict
        return _jsonable(value.to_dict())
    raise TypeError(f"{type(value).__name__} has no JSON form: {value!r}")


def cache_folder(part: str) -> Path:
    """The folder of what can be made again: `part` names prepared data or compiled programs.

    It lies below `AEJAX_CACHE_DIR` or, where that is not set, in the user's cache folder.
    """
    from platformdirs import user_cache_path

    folder = os.environ.get("AEJAX_CACHE_DIR")
    return (Path(folder).expanduser() if folder else user_cache_path("aejax")) / part
