"""The leaves of a tree under names: as arrays on the host, as bytes, and as one digest."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path

from aejax.errors import UserError

# What safetensors' NumPy interface reads back. Other types are stored as unsigned words of the same bits.
_WHOLE = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_NATIVE = {*_WHOLE, "float16", "float32", "float64", "complex64"}


def digest(tree: Any) -> str:
    """SHA-256 over the names, types, shapes and bytes of the leaves, in the order of their names.

    The same for jax and NumPy arrays, on any device and in any process; it tells 0.0 from -0.0.

    Args:
        tree: any pytree of arrays and Python numbers.

    Returns:
        64 hexadecimal digits.

    Raises:
        UserError: for a leaf that has no stored form.
    """
    total = hashlib.sha256()
    for name, array in named_arrays(tree).items():
        total.update(json.dumps([name, array.dtype.name, array.shape]).encode() + b"\n")
        total.update(array.reshape(-1).view(np.uint8))
    return total.hexdigest()


def path_name(path: tuple) -> str:
    """The path of a leaf as text, one to one: a slash or percent sign inside a key is escaped."""
    parts = [keystr((entry,), simple=True) for entry in path]
    name = "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)
    return "%5F_metadata__" if name == "__metadata__" else name  # safetensors keeps that name for itself


def nested(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """A tree of dicts whose leaves have these paths, as `path_name` writes them.

    Raises:
        UserError: a path that goes on after a leaf.
    """
    tree: dict[str, Any] = {}
    for name, array in arrays.items():
        *parts, last = (part.replace("%2F", "/").replace("%25", "%") for part in name.split("/"))
        branch = tree
        for part in parts:
            branch = branch.setdefault(part, {})
            if not isinstance(branch, dict):
                raise UserError(f"checkpoint is damaged: the path {name!r} goes on after a leaf")
        branch[last] = array
    return tree


def named_arrays(tree: Any) -> dict[str, np.ndarray]:
    """The leaves as contiguous little-endian arrays on the host, in the order of their names."""
    arrays = {}
    for path, leaf in tree_flatten_with_path(tree)[0]:
        name = path_name(path)
        describe(name, leaf)
        array = np.asarray(leaf)
        if name in arrays:
            raise UserError(f"checkpoint: two leaves have the path {name!r}")
        arrays[name] = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    return dict(sorted(arrays.items()))


def describe(name: str, leaf: Any) -> str:
    """The type and shape of a leaf in words, or an error if it has no stored form."""
    dtype = leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype
    if jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key):
        raise UserError(f"checkpoint: {name!r} is a typed key; save jax.random.key_data of it instead")
    kind = np.dtype(dtype).name
    if not _is_stored(kind):
        raise UserError(f"checkpoint: {name!r} is of type {kind}; only arrays of numbers can be saved")
    return f"{kind} {tuple(np.shape(leaf))}"


def pack(arrays: Mapping[str, np.ndarray]) -> bytes:
    """A safetensors file of the arrays; bfloat16 as uint16 of the same bits, and the like."""
    from safetensors.numpy import save as to_bytes

    stored = {}
    for name, array in arrays.items():
        if array.dtype.name not in _NATIVE:
            words = array.reshape(-1).view(f"<u{min(array.dtype.itemsize, 8)}")
            array = words.reshape(array.shape) if words.size == array.size else words
        stored[name] = array
    return to_bytes(stored)


def unpack(data: bytes, leaves: Mapping[str, Any], where: object = "its data") -> dict[str, np.ndarray]:
    """What `pack` packed, in the type and shape that `leaves` has for each name.

    Args:
        data: a safetensors file.
        leaves: by name, ``(type, shape)``; no array is larger than the file.
        where: the file, for errors.

    Raises:
        UserError: the file is none, or does not hold these arrays.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        arrays = from_bytes(data)
        return {name: _shaped(arrays[name], kind, shape) for name, (kind, shape) in leaves.items()}
    except (SafetensorError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise UserError(f"{where}: is damaged: not the arrays that it names ({type(error).__name__})") from None


def _shaped(array: np.ndarray, kind: str, shape: Sequence[int]) -> np.ndarray:
    """A stored array in its own type and shape."""
    if not _is_stored(kind):
        raise TypeError
    return array.reshape(-1).view(np.dtype(kind)).reshape(shape).copy()


def _is_stored(kind: str) -> bool:
    return kind in _NATIVE or kind in ("bfloat16", "complex128") or kind.startswith("float8_")


def shaped(arrays: Mapping[str, np.ndarray], like: Any, *, prefix: str, what: str) -> Any:
    """The arrays whose names begin with a prefix as a tree of the structure of `like`.

    Args:
        arrays: by the paths of their leaves.
        like: a pytree of arrays or `jax.ShapeDtypeStruct`.
        prefix: the path below which the leaves of the tree are; empty where all are.
        what: what holds the arrays, for the error.

    Raises:
        UserError: names, shapes or types differ from `like`, naming the first leaf that does.
    """
    start = f"{prefix}/" if prefix else ""
    named, structure = tree_flatten_with_path(like)
    wanted = {start + path_name(path): leaf for path, leaf in named}
    stored = {name: array for name, array in arrays.items() if name.startswith(start)}
    for name in sorted({*stored, *wanted}):
        there, here = (describe(name, tree[name]) if name in tree else "absent" for tree in (stored, wanted))
        if there != here:
            raise UserError(
                f"{what} does not fit: {name or 'the only leaf'} is {there} in the checkpoint and {here} in the run"
            )
    return structure.unflatten([_placed(stored[name], leaf) for name, leaf in wanted.items()])


def _placed(array: np.ndarray, like: Any) -> Any:
    """The array as `like` is: a jax array on its devices, or as it stands where `like` is no such thing."""
    narrowed = jax.dtypes.canonicalize_dtype(array.dtype) != array.dtype
    if narrowed or not isinstance(like, jax.Array | jax.ShapeDtypeStruct):
        return array
    if like.sharding is None or not getattr(like, "committed", True):
        return jax.device_put(array)
    return jax.make_array_from_callback(array.shape, like.sharding, array.__getitem__)
