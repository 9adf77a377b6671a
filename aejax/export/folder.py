"""Exported nets: a folder with a card, the net in one of the formats, and the file that runs it; or a page."""

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
from aejax.export import hub, onnx, page, program
from aejax.export import net as runner
from aejax.export.actions import Action, Net, actions
from aejax.export.steps import Program
from aejax.files import to_json, write_atomic

FORMATS = ("html", "huggingface", "numpy", "onnx", "stablehlo")
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
        raise UserError(f"{path}: is there already; allowed: a new {'file' if name == 'html' else 'folder'}")
    if not path.absolute().parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}")


def write(net: Net, path: Path, name: str, card: Mapping[str, Any]) -> tuple[str, ...]:
    """Write a net into a new folder, or a page, which is whole or absent.

    Args:
        net: that is exported.
        path: of the folder, or of the page.
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
    columns = [asdict(column) for column in net.columns]
    takes_missing = net.model.takes_missing or net.means is not None
    about = {"format": name, **card, "takes_missing": takes_missing, "columns": columns}
    about["actions"] = _described(every)
    if name == "html":
        write_atomic(path, page.page(net, _traced(every), about))
        return tuple(every)
    files = _FILES[name](every, about) | {"net.py": Path(runner.__file__).read_bytes()}
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


def _traced(every: Mapping[str, Action]) -> dict[str, Program]:
    return {name: program.trace(action.function, action.shape, action.dtype) for name, action in every.items()}


def _numpy(every: Mapping[str, Action], about: Mapping[str, Any]) -> Files:
    """All actions as lists of operations, over one set of arrays."""
    traced = _traced(every)
    text = json.dumps({name: each.record() for name, each in traced.items()}, separators=(",", ":")).encode()
    arrays = {name: array for each in traced.values() for name, array in each.arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, programs=np.frombuffer(text, np.uint8), **arrays)
    return {"net.npz": buffer.getvalue()}


def _onnx(every: Mapping[str, Action], about: Mapping[str, Any]) -> Files:
    """Each action as a model of ONNX."""
    return {
        f"{name}.onnx": onnx.model(each, {"action": name, "card": to_json(about)})
        for name, each in _traced(every).items()
    }


def _stablehlo(every: Mapping[str, Action], about: Mapping[str, Any]) -> Files:
    """Each action as a program of StableHLO, for a CPU, CUDA and TPU."""
    return {f"{name}.bin": _lowered(action) for name, action in every.items()}


def _lowered(action: Action) -> bytes:
    ordered = jax.jit(lambda x: [value for _, value in sorted(action.function(x).items())])
    with jax.enable_x64(True):
        exported = jax.export.export(ordered, platforms=PLATFORMS)(program.symbolic(action.shape, action.dtype))
    return bytes(exported.serialize())


_FILES: dict[str, Callable[..., Files]] = {"numpy": _numpy, "onnx": _onnx, "stablehlo": _stablehlo}
"""By the name of a format, what makes its files."""
