"""The manifest of a checkpoint: its text, which vouches for itself, and the files that a folder has of each step."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aejax.files import to_json
from aejax.storage import records
from aejax.storage.records import Many, Named, Whole, Word

FORMAT = 1

NAME = re.compile(r"step-(\d{8,})(?:\.json|-[0-9a-f]{16}\.safetensors)")

LEAVES = Named((str, Many(Whole())))
"""The type and shape of each leaf, by its name."""

RECORD = {
    "format": Whole(),
    "step": Whole(),
    "data": Word(r"step-\d{8,}-[0-9a-f]{16}\.safetensors"),
    "bytes": Whole(),
    "sha256": str,
    "leaves": LEAVES,
    "info": dict,
    "seal": str,
}
"""The form of a manifest."""


class DamagedError(Exception):
    """Why a checkpoint does not verify."""


def path_of(folder: Path, step: int) -> Path:
    """Where the manifest of a step lies."""
    return folder / f"step-{step:08d}.json"


def numbers(folder: Path) -> list[int]:
    """Every step that left a manifest or data, newest first."""
    found = (NAME.fullmatch(path.name) for path in folder.glob("step-*"))
    return sorted({int(match[1]) for match in found if match}, reverse=True)


def sealed(record: Mapping[str, Any]) -> str:
    """The manifest's text, which ends with the digest of the rest of it."""
    return to_json({**record, "seal": hashlib.sha256(to_json(record).encode()).hexdigest()})


def read(folder: Path, step: int) -> dict[str, Any]:
    """The manifest of a step, if it is, byte for byte, what `sealed` writes.

    Raises:
        DamagedError: it is not, or is not there.
    """
    try:
        text = path_of(folder, step).read_bytes().decode()
        record = records.check(records.parse(text, "its manifest"), RECORD, "its manifest")
        del record["seal"]
        intact = text == sealed(record) and record["step"] == step
    except FileNotFoundError:
        raise DamagedError("its manifest is missing") from None
    except OSError as error:
        raise DamagedError(f"its manifest cannot be read: {error.strerror}") from None
    except ValueError:
        intact = False
    if not intact:
        raise DamagedError("its manifest is damaged")
    if record["format"] != FORMAT:
        raise DamagedError(f"it is of format {record['format']}, this version reads {FORMAT}")
    return record


def looks_whole(folder: Path, record: Mapping[str, Any]) -> bool:
    """A quick look that spares reading the data: a checkpoint that fails it does not count as kept."""
    try:
        return (folder / record["data"]).stat().st_size == record["bytes"]
    except OSError:
        return False
