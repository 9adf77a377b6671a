"""The two halves of a trained net as files: an encoder that anyone may use, and a decoder sealed with a passphrase.

A file is a line that names its kind and format, and then

- of an encoder the SHA-256 of the rest, and the half;
- of a decoder a salt (16 bytes), a nonce (12 bytes), and the half encrypted with AES-256-GCM, whose tag also vouches
  for what stands before it. The key is scrypt of the passphrase.

A half is the length of a JSON text (4 bytes, big-endian), that text, and a safetensors file of the parameters.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config import components
from aejax.config.resolving import component
from aejax.errors import UserError, one_of
from aejax.files import write_atomic
from aejax.models.architecture import leaves_read
from aejax.storage.trees import named_arrays, pack, path_name, unpack
from aejax.training.build import build_model
from aejax.types import Column, Model, Params

FORMAT = 1
ACTIONS = {"encoder": "encode", "sealed decoder": "decode"}
"""What each kind of file can do."""

SALT, NONCE, DIGEST = 16, 12, 32  # bytes
SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and about half a second for each guess
FIRST_LINE = re.compile(rb"aejax (encoder|sealed decoder) (\d{1,6})\n")


class Trained(NamedTuple):
    """A trained net, or one half of it.

    Attributes:
        model: the autoencoder; of a half only the functions of `actions` mean something.
        params: its parameters; zeros for those of the other half.
        scaling: ``shift`` and ``scale`` of the data.
        info: ``feature_shape``, ``feature_names``, ``columns``, and ``label_column`` of a table with labels, else None.
        settings: the config's `model`.
        actions: what can be done with it, whatever its task is.
        folder: of its run; None of a half.
    """

    model: Model
    params: Params
    scaling: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    settings: Mapping[str, Any]
    actions: tuple[str, ...]
    folder: Path | None = None


def columns_of(info: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of the table that a model was trained on, where some held categories."""
    return tuple(
        Column(name, start, size, tuple(categories)) for name, start, size, categories in info.get("columns", ())
    )


def _named(params: Params) -> list[tuple[str, Any]]:
    return [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]]


def halves(trained: Trained) -> dict[str, dict[str, np.ndarray]]:
    """The parameters of the encoder and of the decoder, apart.

    Args:
        trained: a whole net.

    Raises:
        UserError: the halves share parameters, as with tied weights: the encoder would give the decoder away.
    """
    model, params = trained.model, trained.params
    rows = jax.ShapeDtypeStruct((1, int(np.prod(model.feature_shape))), jnp.float32)
    codes = jax.ShapeDtypeStruct((1, model.code_size), jnp.float32)
    read = {
        "encoder": set(map(path_name, leaves_read(model.encode, params, rows))),
        "sealed decoder": set(map(path_name, leaves_read(model.decode, params, codes))),
    }
    both = sorted(read["encoder"] & read["sealed decoder"])
    if both:
        name, more = trained.settings["name"], ", …" if len(both) > 1 else ""
        raise UserError(
            f"split: encoder and decoder of {name} share {both[0]}{more}, so the encoder would give the decoder away; "
            "allowed: a net of two separate halves (model.tied=false)"
        )
    arrays = named_arrays(params)
    return {kind: {leaf: arrays[leaf] for leaf in sorted(leaves)} for kind, leaves in read.items()}


def write_encoder(path: Path, half: bytes) -> None:
    """Write an encoder's file."""
    write_atomic(path, _first_line("encoder") + hashlib.sha256(half).digest() + half)


def write_decoder(path: Path, half: bytes, passphrase: str) -> None:
    """Write a decoder's file, sealed.

    Raises:
        UserError: the passphrase is empty.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(SALT), secrets.token_bytes(NONCE)
    start = _first_line("sealed decoder") + salt + nonce
    write_atomic(path, start + AESGCM(_key(passphrase, salt)).encrypt(nonce, half, start))


def _first_line(kind: str) -> bytes:
    return f"aejax {kind} {FORMAT}\n".encode()


def _key(passphrase: str, salt: bytes) -> bytes:
    """scrypt of a passphrase (RFC 7914), 32 bytes."""
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    if not passphrase:
        raise UserError("passphrase: is empty; allowed: one letter or more, and better many")
    return Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase.encode())


def as_bytes(trained: Trained, arrays: Mapping[str, np.ndarray]) -> bytes:
    """A half as bytes.

    Args:
        trained: the net; scaling and info go with either half.
        arrays: the parameters of the half, by name.

    Raises:
        UserError: the model is not one of aejax's own, so that a file from elsewhere could name any function.
    """
    _own_model(trained.settings)
    scaling = {name: np.asarray(values) for name, values in trained.scaling.items()}
    stored = {f"params/{name}": array for name, array in arrays.items()}
    stored |= {f"scaling/{name}": array for name, array in scaling.items()}
    leaves = {name: [array.dtype.name, list(array.shape)] for name, array in stored.items()}
    text = json.dumps({"model": dict(trained.settings), "info": dict(trained.info), "leaves": leaves}).encode()
    return len(text).to_bytes(4, "big") + text + pack(stored)


def _own_model(settings: Mapping[str, Any]) -> None:
    known = components.available("aejax.models")
    if settings.get("name") not in known:
        raise one_of(settings.get("name"), known, what="model.name of a half")


def read(path: Path, passphrase: Callable[[], str]) -> Trained:
    """The half that a file holds.

    Args:
        path: of an encoder, or of a sealed decoder.
        passphrase: asked for a sealed one.

    Raises:
        UserError: no such file, another format, a changed byte, or the wrong passphrase; nothing of a sealed decoder is
            given away.
    """
    content = path.read_bytes()
    found = FIRST_LINE.match(content)
    if found is None:
        raise UserError(f"{path}: is no folder of a run and no half that `aejax split` wrote")
    kind, number = found[1].decode(), int(found[2])
    if number != FORMAT:
        raise UserError(f"{path}: is of format {number}, this version reads {FORMAT}")
    rest = content[found.end() :]
    half = _opened(path, content, found.end(), passphrase()) if kind == "sealed decoder" else rest[DIGEST:]
    if kind == "encoder" and hashlib.sha256(half).digest() != rest[:DIGEST]:
        raise UserError(f"{path}: is damaged: its contents do not have the SHA-256 that it names")
    return _from_bytes(half, ACTIONS[kind])


def _opened(path: Path, content: bytes, start: int, passphrase: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    end = start + SALT + NONCE
    key = _key(passphrase, content[start : start + SALT])
    try:
        return AESGCM(key).decrypt(content[start + SALT : end], content[end:], content[:end])
    except (InvalidTag, ValueError):  # ValueError: so short that it holds no tag
        raise UserError(f"{path}: cannot be opened: the passphrase is wrong, or the file was changed") from None


def _from_bytes(half: bytes, action: str) -> Trained:
    size = 4 + int.from_bytes(half[:4], "big")
    told = json.loads(half[4:size])
    _own_model(told["model"])
    arrays = unpack(half[size:], told["leaves"])
    settings = component(told["model"], "aejax.models", what="model of a half")
    model = build_model(settings, tuple(map(int, told["info"]["feature_shape"])), columns_of(told["info"]))
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    zeros = lambda name, leaf: jnp.asarray(arrays.get(f"params/{name}", np.zeros(leaf.shape, leaf.dtype)))
    params = jax.tree.structure(shapes).unflatten([zeros(name, leaf) for name, leaf in _named(shapes)])
    scaling = {name: arrays[f"scaling/{name}"] for name in ("shift", "scale")}
    return Trained(model, params, scaling, told["info"], settings, (action,))
