"""Folders in which one process works at a time: runs, and the parts of a sweep."""

import math
import os
import platform
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from aejax.errors import UserError
from aejax.files import lock

LOCK = "lock"


@contextmanager
def alone(folder: Path, seconds: float = math.inf) -> Iterator[None]:
    """Work in a folder while no other process does; the folder is made if it is not there.

    The lock goes with the process that holds it, however that ends. Where the file system, or the system, has no locks
    any number may work there.

    Args:
        folder: that all of them name.
        seconds: to wait for another process to end.

    Raises:
        UserError: naming the process that works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, until, locked = folder / LOCK, time.monotonic() + seconds, False
    while not locked:
        with open(path, "a+", opener=_not_through_a_link) as file:
            while lock(file, wait=seconds == math.inf) is False:
                if time.monotonic() > until:
                    file.seek(0)
                    name = re.fullmatch(r"process \d{1,10} on [\w.-]{1,64}", file.read(100))
                    other = name[0] if name else "another process"
                    raise UserError(f"{folder}: {other} works in it; allowed: wait until that ends, or another folder")
                time.sleep(0.05)
            if not _is(file, path):  # removed by the process that had it
                continue
            locked = True
            with suppress(OSError):  # on a full disk the lock holds without a name
                file.truncate(0)
                os.write(file.fileno(), f"process {os.getpid()} on {platform.node()}".encode())
            try:
                yield
            finally:
                with suppress(OSError):
                    path.unlink()


def _not_through_a_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def _is(file: IO, path: Path) -> bool:
    """Whether an open file still has that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
