"""Where a passphrase comes from: a file, the environment, or a person at a terminal. It is never shown or stored."""

import os
import sys
from pathlib import Path

from aejax.errors import UserError

VARIABLE = "AEJAX_PASSPHRASE"


def known(file: Path | None, prompt: str = "passphrase: ") -> str:
    """The passphrase of something that is sealed.

    Args:
        file: its first line is the passphrase; None looks into `AEJAX_PASSPHRASE`, and then asks.
        prompt: to ask with.

    Raises:
        UserError: it is empty, or there is nobody to ask.
    """
    from getpass import getpass

    if file is not None:
        text, where = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r"), f"--passphrase-file {file}: the"
    elif VARIABLE in os.environ:
        text, where = os.environ[VARIABLE], f"{VARIABLE}: the"
    elif sys.stdin.isatty():
        text, where = getpass(prompt), "the typed"
    else:
        raise UserError(f"passphrase: nobody is there to ask; allowed: --passphrase-file FILE, or {VARIABLE}")
    if not text:
        raise UserError(f"{where} passphrase is empty; allowed: one letter or more, and better many")
    return text


def new(file: Path | None) -> str:
    """The passphrase to seal something with; a person types it twice.

    Raises:
        UserError: it is empty, the two differ, or there is nobody to ask.
    """
    passphrase, is_typed = known(file, "new passphrase: "), file is None and VARIABLE not in os.environ
    if is_typed and known(None, "the same again: ") != passphrase:
        raise UserError("passphrase: the two are not the same")
    return passphrase
