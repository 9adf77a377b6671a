"""Exported nets as folders: a card, the net in one of the formats, and the file that runs it."""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax.data.cache import whole_folder
from aejax.errors import UserError, first_line, one_of
from aejax.export import hub, onnx, program
from aejax.export import net as runner
from aejax.export.actions import Action, Net, actions
from aejax.files import to_json

CARD = "card.json"
"""What is known of an exported net, and the SHA-256 of the files beside it."""
PLATFORMS = ("cpu", "cuda", "tpu")
NEEDED = {"onnx": ("onnx",), "stablehlo": ("flatbuffers",)}
"""The packages that a format needs beyond those of aejax, in an extra of its name."""

Files = dict[str, bytes]


def check(path: Path, name: str) -> None:
    """Refuse a format or a place before anything is traced.

    Args:
        path: of what is to be written.
        name: of the format, one of `FORMATS`.

    Raises:
        UserError: no such format, a package that it needs is missing, or there is something at the path already.
    """
    if name not in FORMATS:
        raise one_of(name, FORMATS, what="--format")
    for package in NEEDED.get(name, ()):
        if find_spec(package) is None:
            raise UserError(f"--format {name}: {package} is not installed; allowed: pip install 'aejax[{name}]'")
    if path.exists() or path.is_symlink():
        raise UserError(f"{path}: is there already; allowed: a new folder")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")


def write(net: Net, path: Path, name: str, card: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a net into a new folder, which is whole or absent.

    Args:
        net: that is exported.
        path: of the folder.
        name: of the format, one of `FORMATS`.
        card: what is known of the net, JSON-able.

    Returns:
        The actions that were exported.

    Raises:
        UserError: as from `check`, or the net does something that the format has no operation for.
    """
    check(path, name)
    if name == "huggingface":
        _written(path, hub.files(net, card))
        return ("encode", "decode", "reconstruct", *net.apply)
    every = actions(net)
    described = _described(every)
    files = FORMATS[name](every) | {"net.py": Path(runner.__file__).read_bytes()}
    about = {"format": name, **card, "columns": [asdict(column) for column in net.columns], "actions": described}
    about["files"] = {file: hashlib.sha256(content).hexdigest() for file, content in sorted(files.items())}
    _written(path, files | {CARD: to_json(about).encode()})
    return tuple(every)


def _written(path: Path, files: Files) -> None:
    with whole_folder(path) as scratch:
        for name, content in files.items():
            (scratch / name).write_bytes(content)


def _described(every: Mapping[str, Action]) -> dict[str, Any]:
    """By its name, what an action takes and what it answers."""
    return {
        name: {"shape": list(action.shape), "dtype": action.dtype, "answers": sorted(_shapes(action))}
        for name, action in every.items()
    }


def _shapes(action: Action) -> dict[str, jax.ShapeDtypeStruct]:
    try:
        with jax.enable_x64(True):
            return jax.eval_shape(action.function, program.symbolic(action.shape, action.dtype))
    except UserError:
        raise
    except Exception as error:  # of a model that somebody wrote
        line = f"export: the net cannot be traced for any number of rows ({type(error).__name__}: {first_line(error)})"
        raise UserError(f"{line}; allowed: x.shape[0], not len(x)") from error


def _numpy(every: Mapping[str, Action]) -> Files:
    """All actions as lists of operations, over one set of arrays."""
    programs, arrays = {}, {}
    for name, action in every.items():
        traced = program.trace(action.function, action.shape, action.dtype)
        programs[name] = traced.record()
        arrays |= traced.arrays
    text = json.dumps(programs, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    np.savez(buffer, programs=np.frombuffer(text, np.uint8), **arrays)
    return {"net.npz": buffer.getvalue()}


def _onnx(every: Mapping[str, Action]) -> Files:
    """Each action as a model of ONNX."""
    traced = {name: program.trace(action.function, action.shape, action.dtype) for name, action in every.items()}
    return {f"{name}.onnx": onnx.model(each, {"action": name}) for name, each in traced.items()}


def _stablehlo(every: Mapping[str, Action]) -> Files:
    """Each action as a program of StableHLO, for a CPU, CUDA and TPU."""
    return {f"{name}.bin": _lowered(action) for name, action in every.items()}


def _lowered(action: Action) -> bytes:
    ordered = jax.jit(lambda x: [value for _, value in sorted(action.function(x).items())])
    with jax.enable_x64(True):
        exported = jax.export.export(ordered, platforms=PLATFORMS)(program.symbolic(action.shape, action.dtype))
    return bytes(exported.serialize())


FORMATS: dict[str, Callable[..., Files]] = {
    "huggingface": hub.files,
    "numpy": _numpy,
    "onnx": _onnx,
    "stablehlo": _stablehlo,
}
"""By name, what makes the files of a format."""
