"""The SHA-256 of every file that a finished run or sweep left in its folder: what was changed since is named.

``checksums.json`` is written just before the last file, ``summary.json``, and ends with the digest of itself. Large
arrays are not in it: their manifests are, which hold their digests. It says that files belong together, not whose they
are, which `aejax.storage.trust` does: whoever forges a folder can write it as well. Folders without it, as older
versions left them, are read unchecked.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from aejax.errors import UserError
from aejax.files import to_json, write_atomic
from aejax.storage import records
from aejax.storage.records import Form, Named

FILE = "checksums.json"
REMEDY = f"allowed: the file as it was; without {FILE} nothing is checked"


def seal_of(record: Mapping[str, Any]) -> str:
    """The SHA-256 of a record as JSON."""
    return hashlib.sha256(to_json(record).encode()).hexdigest()


def sealed(record: Mapping[str, Any]) -> str:
    """The JSON text of a record, which ends with the digest of the rest of it."""
    return to_json({**record, "seal": seal_of(record)})


def unsealed(text: bytes, form: Form, where: object) -> dict[str, Any]:
    """The record of a text that `sealed` wrote.

    Args:
        text: of a file.
        form: of the record, as `aejax.storage.records` has it.
        where: the file, for errors.

    Raises:
        UserError: it is damaged: no JSON, of another form, or changed.
    """
    record = dict(records.check(records.parse(text, where), {**form, "seal": str}, where))
    if record.pop("seal") != seal_of(record):
        raise UserError(f"{where}: is damaged: it does not have the SHA-256 that it ends with")
    return record


def opened(text: bytes, form: Form, where: object) -> dict[str, Any]:
    """The record of a text that `sealed` wrote, or that an older version wrote without a seal.

    Raises:
        UserError: it is damaged.
    """
    record = dict(records.check(records.parse(text, where), form, where))
    if record.pop("seal", None) not in (None, seal_of(record)):
        raise UserError(f"{where}: is damaged: it does not have the SHA-256 that it ends with")
    return record


def of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of those files of a folder that there are, by name."""
    paths = {name: folder / name for name in names}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sorted(paths.items()) if path.is_file()
    }


def matching(folder: Path, patterns: Iterable[str]) -> set[str]:
    """The names of the files of a folder that patterns such as ``"model/*.json"`` match."""
    return {path.relative_to(folder).as_posix() for pattern in patterns for path in folder.glob(pattern)}


def write(folder: Path, patterns: Iterable[str], last: Mapping[str, str]) -> None:
    """Write the list of a folder that is finished, and then its last file.

    Args:
        folder: of the run or sweep.
        patterns: of what it wrote.
        last: the text of the last file, by its name: without it the folder counts as unfinished.
    """
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in last.items()}
    write_atomic(folder / FILE, sealed({"files": of(folder, matching(folder, patterns)) | digests}))
    for name, text in last.items():
        write_atomic(folder / name, text)


def differing(folder: Path, *patterns: str) -> Iterator[tuple[str, bool]]:
    """The files of a folder that are not as they were listed, each with whether it is there.

    Args:
        folder: that may have a list.
        patterns: of the files to look at; none for all. A manifest that is not in the list differs from it too.

    Raises:
        UserError: the list is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return
    try:
        listed = unsealed(path.read_bytes(), {"files": Named(str)}, path)["files"]
    except UserError as error:
        raise UserError(f"{error}; {REMEDY}") from None
    if any(PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts for name in listed):
        raise UserError(f"{path}: is damaged: it names files outside its folder")
    wanted = {name for name in listed if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)}
    manifests = {pattern for pattern in patterns if pattern.endswith("/*.json")}
    now = of(folder, wanted | matching(folder, manifests))
    yield from ((name, name in now) for name in sorted(wanted | {*now}) if now.get(name) != listed.get(name))


def check(folder: Path, *patterns: str) -> None:
    """Refuse a folder in which files that are to be read are gone, or not as they were listed.

    Raises:
        UserError: naming the first one.
    """
    for name, is_there in differing(folder, *patterns):
        raise changed(folder / name) if is_there else UserError(f"{folder / name}: is missing; {REMEDY}")


def changed(path: Path) -> UserError:
    """What is wrong with a file that is not as it was written."""
    return UserError(f"{path}: is damaged: it was changed since it was written, or is of another run; {REMEDY}")
