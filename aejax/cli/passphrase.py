"""Where a passphrase comes from: a file, the environment, or a person at a terminal. It is never shown or stored."""

import os
import sys
from pathlib import Path

from aejax.errors import UserError

VARIABLE = "AEJAX_PASSPHRASE"


def known(file: Path | None) -> str:
    """The passphrase of something that is sealed.

    Args:
        file: its first line is the passphrase; None looks into `AEJAX_PASSPHRASE`, and then asks.

    Raises:
        UserError: it is empty, or there is nobody to ask.
    """
    return _given(file) or _asked("passphrase: ")


def new(file: Path | None) -> str:
    """The passphrase to seal something with; a person types it twice.

    Raises:
        UserError: it is empty, the two differ, or there is nobody to ask.
    """
    found = _given(file)
    if found is None:
        found = _asked("new passphrase: ")
        if _asked("the same again: ") != found:
            raise UserError("passphrase: the two are not the same")
    return found


def _given(file: Path | None) -> str | None:
    """From the file or the environment; None where there is neither."""
    if file is not None:
        found, where = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r"), f"--passphrase-file {file}"
    elif VARIABLE in os.environ:
        found, where = os.environ[VARIABLE], VARIABLE
    else:
        return None
    if not found:
        raise UserError(f"{where}: the passphrase is empty; allowed: one letter or more, and better many")
    return found


def _asked(prompt: str) -> str:
    from getpass import getpass

    if not sys.stdin.isatty():
        raise UserError(f"passphrase: nobody is there to ask; allowed: --passphrase-file FILE, or {VARIABLE}")
    found = getpass(prompt)
    if not found:
        raise UserError("passphrase: is empty; allowed: one letter or more, and better many")
    return found
