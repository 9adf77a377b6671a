"""Which folders this user's own runs made on this machine: a seal over the config, with a key that nobody else has.

The key lies in the user's cache folder, readable by the user alone. A folder that was copied, moved or edited has
another seal, or none, and is somebody else's. Where no key can be kept, no folder is known as the user's own.
"""

import argparse
import hmac
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from aejax.errors import UserError
from aejax.storage import records

FILE = "trust.json"
KEY_BYTES = 32


def add_option(parser: argparse.ArgumentParser) -> None:
    """`--trust`."""
    about = "import and call what a folder or file made by somebody else names beyond aejax's own models and terms"
    parser.add_argument("--trust", action="store_true", help=about)


def seal(folder: Path) -> None:
    """Leave in the folder of a run that its config, as it stands there, is this user's; nothing where there is no key.

    Raises:
        OSError: the folder cannot be written.
    """
    from aejax.files import write_json  # it imports numpy, which the options above do without

    config = (folder / "config.json").read_bytes()
    if not is_own(folder, config) and (key := _key(make=True)):
        write_json(folder / FILE, {"seal": _digest(key, folder, config)})


def is_own(folder: Path, config: bytes) -> bool:
    """Whether a run of this user on this machine left a config in a folder.

    Args:
        folder: of the run.
        config: the bytes of its ``config.json``.
    """
    try:
        stored = records.read(folder / FILE, {"seal": str})["seal"]
    except (OSError, UserError):
        return False
    key = _key(make=False)
    return key is not None and hmac.compare_digest(stored.encode(), _digest(key, folder, config).encode())


def _digest(key: bytes, folder: Path, config: bytes) -> str:
    return hmac.new(key, os.fsencode(folder.resolve()) + b"\0" + config, "sha256").hexdigest()


def _key(*, make: bool) -> bytes | None:
    """The user's key; None where there is none, or one that others can read or have made."""
    from aejax.files import cache_folder

    path = cache_folder("trust") / "key"
    if make:
        with suppress(OSError):  # there already, or a place that cannot be written
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size != KEY_BYTES:  # after a kill in the middle of the next lines
                path.unlink()
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as file:
            about, key = os.fstat(descriptor), file.read(KEY_BYTES + 1)
    except OSError:
        return None
    mine = os.name != "posix" or (about.st_uid == os.getuid() and not about.st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    return key if mine and len(key) == KEY_BYTES else None
