"""Checkpoints that are whole, or known not to be: a safetensors file and the manifest that vouches for it.

A checkpoint of step 300 is two files of one folder::

    step-00000300-91c0d1a2b3e4f567.safetensors   the leaves, named by their paths; named after its own digest
    step-00000300.json                           the manifest: leaves, info, the data's SHA-256 and its own

Each is written beside its place, synced and renamed, the manifest last; a manifest is deleted first and its
data second. So a save that is killed at any moment leaves the checkpoints before it as they were. One process
writes to a folder at a time; any number may read.
"""

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

from aejax.errors import UserError
from aejax.files import write_atomic
from aejax.storage import records
from aejax.storage.checksums import sealed
from aejax.storage.records import Many, Named, Whole, Word
from aejax.storage.trees import digest, named_arrays, pack, shaped, unpack

__all__ = ["Restored", "digest", "read", "restore", "restore_flat", "restore_nested", "save", "steps"]

FORMAT = 1

NAME = re.compile(r"step-(\d{8,})(?:\.json|-[0-9a-f]{16}\.safetensors)")

LEAVES = Named((str, Many(Whole())))
"""The type and shape of each leaf, by its name."""

MANIFEST = {
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


class Restored(NamedTuple):
    """A checkpoint that verified.

    Attributes:
        step: the step it was saved at.
        tree: the leaves, in the structure that was asked for.
        info: what `save` was given, as JSON reads it back.
    """

    step: int
    tree: Any
    info: dict[str, Any]


def save(
    folder: str | os.PathLike, step: int, tree: Any, *, keep: int = 2, info: Mapping[str, Any] | None = None
) -> Path:
    """Save a tree of arrays as the checkpoint of a step, then remove the ones that are no longer kept.

    Checkpoints of later steps are removed too: the run went back before them. A checkpoint that already is
    there for this step stays usable until the new one has taken its place.

    Args:
        folder: where the checkpoints of one run lie; made if it is not there.
        step: the step, 0 or more.
        tree: any pytree of jax or NumPy arrays; Python numbers count as arrays without dimensions.
        keep: how many of the newest checkpoints to keep, 1 or more.
        info: small and JSON-able, kept in the manifest.

    Returns:
        The path of the manifest.

    Raises:
        UserError: for a leaf that has no stored form, such as a typed key, or a bad `step` or `keep`.
        OSError: if it cannot be written; the earlier checkpoints are as they were.
    """
    folder, step = Path(folder), int(step)
    if step < 0 or keep < 1:
        raise UserError(f"checkpoint: step must be 0 or more and keep 1 or more, got {step} and {keep}")
    arrays = named_arrays(tree)
    data = pack(arrays)
    sha256 = hashlib.sha256(data).hexdigest()
    record = {
        "format": FORMAT,
        "step": step,
        "data": f"step-{step:08d}-{sha256[:16]}.safetensors",
        "bytes": len(data),
        "sha256": sha256,
        "leaves": {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()},
        "info": {} if info is None else info,
    }
    text = sealed(record)
    write_atomic(folder / record["data"], data)
    path = write_atomic(manifest_path(folder, step), text)
    _tidy(folder, step, keep)
    return path


def restore(
    folder: str | os.PathLike,
    like: Any,
    *,
    step: int | None = None,
    prefix: str = "",
    say: Callable[[str], None] = print,
) -> Restored | None:
    """Load the newest checkpoint that verifies, in the structure of `like`.

    Damaged ones (a changed byte, a part that is missing or cut off) are passed over, with one line to `say`
    for each.

    Args:
        folder: where the checkpoints lie.
        like: a pytree of arrays or `jax.ShapeDtypeStruct`, as `jax.eval_shape` gives. A leaf comes back as a
            jax array, placed as `like`'s is, where `like` has one or has a struct; and as a NumPy array
            elsewhere, or where jax would have to narrow a type of 64 bits.
        step: load this step and no other.
        prefix: load only the leaves below this path, such as ``"params"``.
        say: takes one line for each checkpoint that is passed over.

    Returns:
        The step, the tree and the info; None if there is no checkpoint that verifies.

    Raises:
        UserError: if names, shapes or types differ from `like`, naming the first leaf that does; or if `step`
            is given and is damaged or not there.
    """
    restored = _newest(Path(folder), step, say)
    if restored is None:
        return None
    what = f"checkpoint of step {restored.step} in {folder}"
    return restored._replace(tree=shaped(restored.tree, like, prefix=prefix, what=what))


def read(folder: str | os.PathLike, *, step: int | None = None, say: Callable[[str], None] = print) -> Restored:
    """Load the newest checkpoint that verifies, its tree as NumPy arrays by the paths of their leaves.

    Args:
        folder: where the checkpoints lie.
        step: load this step and no other.
        say: takes one line for each damaged checkpoint that is passed over.

    Raises:
        UserError: if there is none.
    """
    restored = _newest(Path(folder), step, say)
    if restored is None:
        raise UserError(f"{folder}: there is no checkpoint that verifies")
    return restored


def restore_flat(
    folder: str | os.PathLike, prefix: str = "", *, step: int | None = None, say: Callable[[str], None] = print
) -> dict[str, np.ndarray]:
    """Load the leaves below a path, without knowing their structure, from the newest one that verifies.

    Args:
        folder: where the checkpoints lie.
        prefix: the path, such as ``"params"``; empty for all leaves.
        step: load this step and no other.
        say: takes one line for each damaged checkpoint that is passed over.

    Returns:
        NumPy arrays by the rest of their paths: ``"encoder/kernel"`` for the leaf ``"params/encoder/kernel"``.

    Raises:
        UserError: if there is no checkpoint that verifies, or it has nothing below `prefix`.
    """
    step, arrays, _ = read(folder, step=step, say=say)
    start = f"{prefix}/" if prefix else ""
    below = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    if not below:
        tops = ", ".join(sorted({name.split("/")[0] for name in arrays})) or "nothing"
        raise UserError(f"checkpoint of step {step} in {folder}: no {prefix!r}; it holds: {tops}")
    return below


def restore_nested(folder: str | os.PathLike, *, say: Callable[[str], None] = print) -> Restored:
    """Load the newest checkpoint that verifies, as nested dictionaries of NumPy arrays.

    Args:
        folder: where the checkpoints lie.
        say: takes one line for each damaged checkpoint that is passed over.

    Raises:
        UserError: if there is no checkpoint that verifies.
    """
    restored = read(folder, say=say)
    tree: dict[str, Any] = {}
    for name, array in restored.tree.items():
        *above, last = map(unquote, name.split("/"))
        branch = tree
        for key in above:
            branch = branch.setdefault(key, {})
        branch[last] = array
    return restored._replace(tree=tree)


def steps(folder: str | os.PathLike) -> list[int]:
    """The steps that have a checkpoint, oldest first; whether they verify is for `restore` to find out."""
    folder = Path(folder)
    return [number for number in reversed(numbers(folder)) if manifest_path(folder, number).exists()]


def manifest_path(folder: Path, step: int) -> Path:
    """Where the manifest of a step lies."""
    return folder / f"step-{step:08d}.json"


def numbers(folder: Path) -> list[int]:
    """Every step that left a manifest or data, newest first."""
    matches = (NAME.fullmatch(path.name) for path in folder.glob("step-*"))
    return sorted({int(match[1]) for match in matches if match}, reverse=True)


def read_manifest(folder: Path, step: int) -> dict[str, Any]:
    """The manifest of a step, if it is, byte for byte, what `sealed` writes.

    Raises:
        DamagedError: it is not, or is not there.
    """
    text = _content(
        manifest_path(folder, step), "its manifest is missing, as after a kill while it was saved", "its manifest"
    )
    try:
        record = records.check(records.parse(text, "its manifest"), MANIFEST, "its manifest")
        del record["seal"]
        intact = text.decode() == sealed(record) and record["step"] == step
    except ValueError:
        intact = False
    if not intact:
        raise DamagedError("its manifest is damaged")
    if record["format"] != FORMAT:
        raise DamagedError(f"it is of format {record['format']}, this version reads {FORMAT}")
    return record


def _content(path: Path, missing: str, what: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DamagedError(missing) from None
    except OSError as error:
        raise DamagedError(f"{what} cannot be read: {error.strerror}") from None


def _verified(folder: Path, step: int) -> Restored:
    """A checkpoint with its arrays by the paths of their leaves."""
    record = read_manifest(folder, step)
    data = _content(folder / record["data"], "its data are missing", "its data")
    # Digest and arrays come from the same bytes in memory: nothing is read twice.
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise DamagedError("its data do not have the SHA-256 of its manifest")
    try:
        return Restored(step, unpack(data, record["leaves"]), record["info"])
    except UserError:
        raise DamagedError("its data are not the arrays that its manifest names") from None


def _newest(folder: Path, step: int | None, say: Callable[[str], None]) -> Restored | None:
    there = numbers(folder)
    if step is not None:
        try:
            return _verified(folder, int(step))
        except DamagedError as error:
            names = ", ".join(map(str, reversed(there))) or "none"
            raise UserError(f"checkpoint of step {step} in {folder}: {error}; there are: {names}") from None
    for number, before in zip(there, [*there[1:], None], strict=False):
        try:
            return _verified(folder, number)
        except DamagedError as error:
            rest = "there is none before it" if before is None else f"trying step {before}"
            say(f"checkpoint of step {number} in {folder} is passed over: {error}; {rest}")
    return None


def _tidy(folder: Path, step: int, keep: int) -> None:
    """Remove what is older than the `keep` newest that look whole, what is later, and data without an owner."""
    manifests = {}
    for number in numbers(folder):
        with suppress(DamagedError):
            manifests[number] = read_manifest(folder, number)
    oldest = [number for number, one in manifests.items() if number <= step and _looks_whole(folder, one)][:keep][-1]
    for path in sorted(folder.glob("step-*"), key=lambda path: path.suffix):  # manifests before their data
        if (match := NAME.fullmatch(path.name)) is None:
            continue
        number = int(match[1])
        stale = not oldest <= number <= step
        if path.suffix == ".safetensors" and not stale:
            owner = manifests.get(number)
            stale = path.name != owner["data"] if owner else not manifest_path(folder, number).exists()
        if stale:
            path.unlink(missing_ok=True)


def _looks_whole(folder: Path, manifest: Mapping[str, Any]) -> bool:
    """A quick look that spares reading the data: a checkpoint that fails it does not count as kept."""
    try:
        return (folder / manifest["data"]).stat().st_size == manifest["bytes"]
    except OSError:
        return False
