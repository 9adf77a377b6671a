"""Files that are whole or absent: written beside their place, synced and renamed into it."""

import errno
import json
import math
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

TEMPORARY = ".unfinished-"

# What file systems answer that cannot sync a folder, or do not let it be opened for reading.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}


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
    temporary = path.parent / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError):
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
