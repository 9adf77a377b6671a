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
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import numpy as np

from aejax.errors import UserError
from aejax.files import TEMPORARY, write_atomic
from aejax.storage import manifest
from aejax.storage.manifest import DamagedError
from aejax.storage.trees import digest, named_arrays, pack, shaped, unpack

__all__ = ["Restored", "digest", "read", "restore", "restore_flat", "restore_nested", "save", "steps"]


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
        "format": manifest.FORMAT,
        "step": step,
        "data": f"step-{step:08d}-{sha256[:16]}.safetensors",
        "bytes": len(data),
        "sha256": sha256,
        "leaves": {name: [array.dtype.name, list(array.shape)] for name, array in arrays.items()},
        "info": {} if info is None else info,
    }
    text = manifest.sealed(record)
    for leftover in folder.glob(f"{TEMPORARY}*"):
        leftover.unlink(missing_ok=True)
    write_atomic(folder / record["data"], data)
    path = write_atomic(manifest.path_of(folder, step), text)
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
    found = _newest(Path(folder), step, say)
    if found is None:
        return None
    record, arrays = found
    tree = shaped(arrays, like, prefix=prefix, what=f"checkpoint of step {record['step']} in {folder}")
    return Restored(record["step"], tree, record["info"])


def read(folder: str | os.PathLike, *, step: int | None = None, say: Callable[[str], None] = print) -> Restored:
    """Load the newest checkpoint that verifies, its tree as NumPy arrays by the paths of their leaves.

    Args:
        folder: where the checkpoints lie.
        step: load this step and no other.
        say: takes one line for each damaged checkpoint that is passed over.

    Raises:
        UserError: if there is none.
    """
    found = _newest(Path(folder), step, say)
    if found is None:
        raise UserError(f"{folder}: there is no checkpoint that verifies")
    record, arrays = found
    return Restored(record["step"], arrays, record["info"])


def restore_flat(
    folder: str | os.PathLike,
    prefix: str = "",
    *,
    step: int | None = None,
    say: Callable[[str], None] = print,
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
    restored = read(folder, step=step, say=say)
    arrays = restored.tree
    start = f"{prefix}/" if prefix else ""
    below = {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}
    if not below:
        tops = ", ".join(sorted({name.split("/")[0] for name in arrays})) or "nothing"
        raise UserError(f"checkpoint of step {restored.step} in {folder}: no {prefix!r}; it holds: {tops}")
    return below


def restore_nested(folder: str | os.PathLike, *, say: Callable[[str], None] = print) -> Restored:
    """Load the newest checkpoint that verifies, as nested dictionaries of NumPy arrays.

    Args:
        folder: where the checkpoints lie.
        say: takes one line for each damaged checkpoint that is passed over.

    Raises:
        UserError: if there is no checkpoint that verifies.
    """
    found = read(folder, say=say)
    tree: dict[str, Any] = {}
    for name, array in found.tree.items():
        *above, last = map(unquote, name.split("/"))
        branch = tree
        for key in above:
            branch = branch.setdefault(key, {})
        branch[last] = array
    return found._replace(tree=tree)


def steps(folder: str | os.PathLike) -> list[int]:
    """The steps that have a checkpoint, oldest first; whether they verify is for `restore` to find out."""
    folder = Path(folder)
    return [number for number in reversed(manifest.numbers(folder)) if manifest.path_of(folder, number).exists()]


def _verified(folder: Path, step: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    record = manifest.read(folder, step)
    try:
        data = (folder / record["data"]).read_bytes()
    except FileNotFoundError:
        raise DamagedError("its data are missing") from None
    except OSError as error:
        raise DamagedError(f"its data cannot be read: {error.strerror}") from None
    # Digest and arrays come from the same bytes in memory: nothing is read twice.
    if hashlib.sha256(data).hexdigest() != record["sha256"]:
        raise DamagedError("its data do not have the SHA-256 of its manifest")
    try:
        return record, unpack(data, record["leaves"])
    except UserError:
        raise DamagedError("its data are not the arrays that its manifest names") from None


def _newest(
    folder: Path, step: int | None, say: Callable[[str], None]
) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    found = manifest.numbers(folder)
    if step is not None:
        try:
            return _verified(folder, int(step))
        except DamagedError as error:
            there = ", ".join(map(str, reversed(found))) or "none"
            raise UserError(f"checkpoint of step {step} in {folder}: {error}; there are: {there}") from None
    for number, before in zip(found, [*found[1:], None], strict=False):
        try:
            return _verified(folder, number)
        except DamagedError as error:
            rest = "there is none before it" if before is None else f"trying step {before}"
            say(f"checkpoint of step {number} in {folder} is passed over: {error}; {rest}")
    return None


def _tidy(folder: Path, step: int, keep: int) -> None:
    """Remove what is older than the `keep` newest that look whole, what is later, and data without an owner."""
    owned, whole = {}, []
    for number in manifest.numbers(folder):
        with suppress(DamagedError):
            owned[number] = manifest.read(folder, number)
        if number <= step and number in owned and manifest.looks_whole(folder, owned[number]):
            whole.append(number)
    oldest = whole[:keep][-1]
    for suffix in (".json", ".safetensors"):
        for path in folder.glob(f"step-*{suffix}"):
            match = manifest.NAME.fullmatch(path.name)
            if match is None:
                continue
            number = int(match[1])
            kept = oldest <= number <= step
            if kept and suffix == ".safetensors":
                owner = owned.get(number)
                kept = manifest.path_of(folder, number).exists() if owner is None else path.name == owner["data"]
            if not kept:
                path.unlink(missing_ok=True)
