"""The marker of a block: its results under a seal, written last, so that a block is done or it is not."""

import errno
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from aejax import console
from aejax.errors import UserError
from aejax.files import to_json, write_json
from aejax.storage import records
from aejax.storage.records import Many, Named, Whole

PARTS = "parts"
LOCK = "lock"

RESULT = {"id": str, "status": str, "step": Whole(), "parameters_digest": str, "metrics": Named(float)}
MARKER = {"results": Many(RESULT), "timing": dict, "seal": str}
"""The forms of what is known of a run, and of a marker."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Wait until no other process works in this folder, so that a block that two were given is trained once.

    The lock goes with the process that holds it, however that ends. Where the file system, or the system, has no
    locks there is no waiting.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / LOCK, "w") as file:
        lock(file, wait=True)
        yield


def lock(file: IO[str], *, wait: bool) -> bool:
    """Lock an open file; whether it is, or cannot be where it lies. False only for a lock of another process."""
    try:
        import fcntl
    except ImportError:  # not POSIX
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL):
            raise
    return True


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What a block's marker holds; None where there is none that is whole."""
    try:
        marker = records.read(folder / "done.json", MARKER)
    except FileNotFoundError:
        return None
    except (OSError, UserError):
        marker = {}
    if marker.pop("seal", None) != _seal(marker):
        console.say(f"{folder}: its marker is damaged; its runs are trained again")
        return None
    for result in marker["results"]:
        result["metrics"] = {name: float(value) for name, value in result["metrics"].items()}
    return marker


def write_marker(folder: Path, marker: Mapping[str, Any]) -> None:
    """Say that a block is done."""
    plain = json.loads(to_json(marker))
    write_json(folder / "done.json", plain | {"seal": _seal(plain)})


def _seal(marker: Mapping[str, Any]) -> str:
    return hashlib.sha256(to_json(marker).encode()).hexdigest()


def finished(folder: Path) -> dict[str, dict[str, Any]]:
    """The results of all blocks that are done, by the id of the member."""
    found = {}
    for path in sorted((folder / PARTS).glob("*/done.json")):
        marker = read_marker(path.parent)
        found |= {result["id"]: result for result in marker["results"]} if marker else {}
    return found
