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
from dataclasses import astuple
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config import components
from aejax.config.resolving import component
from aejax.data.documents import WEIGHTINGS, Documents
from aejax.data.tables import AGAIN, Reading
from aejax.errors import UserError, one_of, shown
from aejax.files import write_atomic
from aejax.models.architecture import leaves_read
from aejax.storage import checkpoint, records
from aejax.storage.checkpoint import LEAVES
from aejax.storage.records import Either, Fields, Many, Whole, Word
from aejax.storage.trees import describe, named_arrays, pack, path_name, unpack
from aejax.training.build import build_model
from aejax.types import Column, Dataset, Kept, Model, Params

FORMAT = 1
ACTIONS = {"encoder": "encode", "sealed decoder": "decode"}
"""What each kind of file can do."""

SALT, NONCE, DIGEST = 16, 12, 32  # bytes
SCRYPT = {"n": 2**17, "r": 8, "p": 1}  # 128 MiB and about half a second for each guess
MOST_FEATURES, LEAST_SIZE, LEAST_LAYERS = 2**26, 4096, 32
"""Of stored nets, where what is stored does not allow more: values of a row, a size of the model, sizes in a list."""

INFO = Fields(
    {"feature_shape": Many(Whole(1, 2**31 - 1), 1, 3), "feature_names": Many(str)},
    {
        "columns": Many((str, Whole(), Whole(1), Many(str))),
        "label_column": Either((str, None)),
        "linked": bool,
        "origin": Many(float),
        "log": Many(Whole()),
        "means": Many(float),
        "documents": (str, Word("|".join(WEIGHTINGS)), Many(float)),
        "reading": Fields(
            {},
            {
                "separator": Word(r"[^\w\s.\"]|\t|\\s\+"),
                "decimal": Word(r"[.,]"),
                "missing_words": Many(str),
                "dates": Many(str),
                "ignore": Many(str),
                "key": Many(str),
                "channels": Word("first|last"),
                "size": Many(Whole(1, 4096), 2, 2),
                "fit": Word("crop|pad|stretch"),
                "colour": Word("grey|colour"),
                "bits": Whole(8, 16),
                "units": Many(Word(r"(?s).*=[%$€£¥]")),
            },
        ),
    },
)
HALF = {"model": {"name": str}, "info": INFO, "leaves": LEAVES}
"""The form of the JSON text of a half."""

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
        config: of its run; empty of a half.
        kept: what its task left for new rows, of a net in memory; of a run it is read from the folder.
    """

    model: Model
    params: Params
    scaling: Mapping[str, np.ndarray]
    info: Mapping[str, Any]
    settings: Mapping[str, Any]
    actions: tuple[str, ...]
    folder: Path | None = None
    config: Mapping[str, Any] = {}
    kept: Kept | None = None


def columns_of(info: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of the table that a model was trained on, where some held categories."""
    return tuple(
        Column(name, start, size, tuple(categories)) for name, start, size, categories in info.get("columns", ())
    )


def info_of(dataset: Dataset) -> dict[str, Any]:
    """What is saved of a data set for its net: the shape of a row, the names of its features, and its columns."""
    return {
        "feature_shape": list(dataset.feature_shape),
        "feature_names": list(dataset.feature_names),
        "columns": [astuple(column) for column in dataset.columns],
        **({"origin": dataset.origin.reshape(-1).tolist()} if np.any(dataset.origin) else {}),
        **({"log": np.flatnonzero(dataset.log).tolist()} if np.any(dataset.log) else {}),
        **({} if dataset.means is None else {"means": dataset.means.reshape(-1).tolist()}),
        **({"reading": reading} if (reading := _reading_info(dataset.reading)) else {}),
        **({"documents": [*dataset.documents[:2], list(dataset.documents.rarity)]} if dataset.documents else {}),
    }


def means_of(info: Mapping[str, Any]) -> np.ndarray | None:
    """`Dataset.means` of the training data, float32 of the shape of a row."""
    if not info.get("means"):
        return None
    if len(info["means"]) != prod(info["feature_shape"]):
        raise UserError("the net is damaged: its means are not one for each value of a row")
    return np.asarray(info["means"], np.float32).reshape(tuple(info["feature_shape"]))


def _reading_info(reading: Reading | None) -> dict[str, Any]:
    """What is not as in a reading of which nothing is known."""
    if reading is None:
        return {}
    values = reading._replace(key=reading.key or None)._asdict()
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v != Reading._field_defaults[k]}


def reading_of(info: Mapping[str, Any]) -> Reading:
    """How the table was read that a model was trained on, for new rows."""
    known = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in info.get("reading", {}).items()}
    return AGAIN._replace(**known)


def origin_of(info: Mapping[str, Any]) -> np.ndarray:
    """What values of the training data are counted from, float64 of the shape of a row; () of 0."""
    values = np.asarray(info.get("origin", 0.0), np.float64)
    return values.reshape(tuple(info["feature_shape"])) if values.any() else np.zeros(())


def log_of(info: Mapping[str, Any]) -> np.ndarray:
    """Of which columns of the training data the logarithm was taken, bool of the shape of a row; () of none."""
    if not info.get("log"):
        return np.zeros((), bool)
    return np.isin(np.arange(prod(info["feature_shape"])), info["log"]).reshape(tuple(info["feature_shape"]))


def documents_of(info: Mapping[str, Any]) -> Documents | None:
    """How documents became rows, for new ones; None of other training data."""
    if not info.get("documents"):
        return None
    column, weighting, rarity = info["documents"]
    return Documents(column, weighting, tuple(rarity))


def save(
    folder: Path,
    params: Params,
    dataset: Dataset,
    settings: Mapping[str, Any] | None = None,
    *,
    linked: bool = False,
) -> None:
    """Save what new rows need of a trained net: its parameters, the scaling of its data, and `info_of` them.

    Args:
        folder: for the checkpoint.
        params: of the net.
        dataset: that it was trained on.
        settings: the component of aejax that makes the model, where no config beside it says so.
        linked: whether its outputs are values of the columns of a table with categories then.
    """
    tree = {"params": params, "scaling": {"shift": dataset.shift, "scale": dataset.scale}}
    info = info_of(dataset) | ({"model": settings, "linked": linked} if settings else {})
    checkpoint.save(folder, 0, tree, keep=1, info=info)


def _named(params: Params) -> list[tuple[str, Any]]:
    return [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_flatten_with_path(params)[0]]


def halves(trained: Trained) -> dict[str, dict[str, np.ndarray]]:
    """The parameters of the encoder and of the decoder, apart.

    Args:
        trained: a whole net.

    Raises:
        UserError: the halves share parameters, as with tied weights: the encoder would give the decoder away.
    """
    params, read = trained.params, _read_by(trained.model, trained.params)
    both = sorted(read["encoder"] & read["sealed decoder"])
    if both:
        name, more = trained.settings["name"], ", …" if len(both) > 1 else ""
        raise UserError(
            f"split: encoder and decoder of {name} share {both[0]}{more}, so the encoder would give the decoder away; "
            "allowed: a net of two separate halves (model.tied=false)"
        )
    arrays = named_arrays(params)
    return {kind: {leaf: arrays[leaf] for leaf in sorted(leaves)} for kind, leaves in read.items()}


def _read_by(model: Model, params: Params) -> dict[str, set[str]]:
    """The names of the parameters that each half reads; `params` may be their shapes."""
    rows = jax.ShapeDtypeStruct((1, prod(model.feature_shape)), jnp.float32)
    codes = jax.ShapeDtypeStruct((1, model.code_size), jnp.float32)
    functions = {"encoder": (model.encode, rows), "sealed decoder": (model.decode, codes)}
    read = lambda function, rows: set(map(path_name, leaves_read(function, params, rows)))
    return {kind: read(*function) for kind, function in functions.items()}


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
    own_settings(trained.settings, "a half")
    scaling = {name: np.asarray(values) for name, values in trained.scaling.items()}
    stored = {f"params/{name}": array for name, array in arrays.items()}
    stored |= {f"scaling/{name}": array for name, array in scaling.items()}
    leaves = {name: [array.dtype.name, list(array.shape)] for name, array in stored.items()}
    text = json.dumps({"model": dict(trained.settings), "info": dict(trained.info), "leaves": leaves}).encode()
    return len(text).to_bytes(4, "big") + text + pack(stored)


def own_settings(settings: Mapping[str, Any], where: object) -> dict[str, Any]:
    """A `model` that a file names, resolved; what is no component of aejax is not imported for it.

    Raises:
        UserError: the model is none of aejax's own, or cannot have these settings.
    """
    names, name = components.available("aejax.models"), records.check(settings, {"name": str}, where, "model")["name"]
    if name not in names:
        raise one_of(name, names, what=f"model.name of {where}")
    return component(settings, "aejax.models", what=f"model of {where}")


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
    line = FIRST_LINE.match(content)
    if line is None:
        raise UserError(f"{path}: is no folder of a run and no half that `aejax split` wrote")
    kind, number = line[1].decode(), int(line[2])
    if number != FORMAT:
        raise UserError(f"{path}: is of format {number}, this version reads {FORMAT}")
    rest = content[line.end() :]
    half = _opened(path, content, line.end(), passphrase()) if kind == "sealed decoder" else rest[DIGEST:]
    if kind == "encoder" and hashlib.sha256(half).digest() != rest[:DIGEST]:
        raise UserError(f"{path}: is damaged: its contents do not have the SHA-256 that it names")
    return _from_bytes(half, kind, path)


def _opened(path: Path, content: bytes, start: int, passphrase: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    end = start + SALT + NONCE
    key = _key(passphrase, content[start : start + SALT])
    try:
        return AESGCM(key).decrypt(content[start + SALT : end], content[end:], content[:end])
    except (InvalidTag, ValueError):  # ValueError: so short that it holds no tag
        raise UserError(f"{path}: cannot be opened: the passphrase is wrong, or the file was changed") from None


def _from_bytes(half: bytes, kind: str, path: Path) -> Trained:
    size = 4 + int.from_bytes(half[:4], "big")
    record = records.check(records.parse(half[4:size], path), HALF, path)
    settings = own_settings(record["model"], "a half")
    arrays = unpack(half[size:], record["leaves"], path)
    model, shapes = model_of(settings, record["info"], arrays, path)
    read = _read_by(model, shapes)[kind]
    leaf = lambda name, like: _half_leaf(arrays.get(f"params/{name}"), like, f"{path}: {name}", needed=name in read)
    params = jax.tree.structure(shapes).unflatten([leaf(name, like) for name, like in _named(shapes)])
    return Trained(model, params, scaling_of(arrays, model, path), record["info"], settings, (ACTIONS[kind],))


def _half_leaf(array: np.ndarray | None, like: jax.ShapeDtypeStruct, where: str, *, needed: bool) -> Any:
    """A parameter that the file holds; of the other half a zero that takes no memory."""
    if array is None and not needed:
        return np.broadcast_to(np.zeros((), like.dtype), like.shape)
    if array is None or (array.shape, array.dtype) != (like.shape, like.dtype):
        there = "absent" if array is None else describe("", array)
        raise UserError(f"{where} is damaged: it is {there}, and the model needs {describe('', like)}")
    return jnp.asarray(array)


def model_of(
    settings: Mapping[str, Any], info: Mapping[str, Any], arrays: Mapping[str, Any], where: object
) -> tuple[Model, Params]:
    """The model of stored parameters, and the shapes that it needs; no more is allocated than what is stored allows.

    Args:
        settings: a resolved `model`.
        info: as `Trained.info`; from a file that somebody else may have written.
        arrays: what is stored: arrays or shapes, by name.
        where: the file, for errors.

    Raises:
        UserError: the info is damaged, or the model is larger than what is stored, or cannot be made for such rows.
    """
    records.check(info, INFO, where, "info")
    shape, values = tuple(info["feature_shape"]), sum(map(np.size, arrays.values()))
    n, columns = prod(shape), columns_of(info)
    if n > max(values, MOST_FEATURES):
        raise UserError(f"{where}: is damaged: rows of {'x'.join(map(str, shape))} values are too large")
    ends = list(accumulate((column.size for column in columns), initial=0))
    if max(info.get("log", ()), default=0) >= n:
        raise UserError(f"{where}: is damaged: its logarithms are not those of rows of {n} values")
    if len(info.get("origin", ())) not in (0, n):
        raise UserError(f"{where}: is damaged: its origin is none of rows of {n} values")
    rarity = (documents_of(info) or Documents("", "log")).rarity
    if "documents" in info and (len(info["feature_names"]) != n or len(rarity) not in (0, n)):
        raise UserError(f"{where}: is damaged: its words are not those of rows of {n} values")
    if len(info["feature_names"]) not in (0, n) or (columns and [*(c.start for c in columns), n] != ends):
        raise UserError(f"{where}: is damaged: its columns are not those of rows of {n} values")
    is_ours = settings["name"] in components.available("aejax.models")
    most, layers = max(values, LEAST_SIZE), max(len(arrays), LEAST_LAYERS)
    for key, value in settings.items() if is_ours else ():
        sizes = value if isinstance(value, tuple) else (value,)
        if len(sizes) > layers or any(isinstance(size, int) and size > most for size in sizes):
            raise UserError(f"{where}: is damaged: model.{key}={shown(value)} is larger than what is stored")
    try:
        model = build_model(settings, shape, columns)
        return model, jax.eval_shape(model.init, jax.random.key(0))
    except UserError:
        raise
    except Exception as error:  # sizes that no data could have led to end in errors of whatever library sees them
        raise UserError(f"{where}: is damaged: its model cannot be made ({type(error).__name__})") from None


def scaling_of(arrays: Mapping[str, np.ndarray], model: Model, where: object) -> dict[str, np.ndarray]:
    """The ``shift`` and ``scale`` of the data, among stored arrays.

    Raises:
        UserError: one is missing, or is not of the shape of a row or of a part of it that repeats.
    """
    scaling = {name: arrays.get(f"scaling/{name}") for name in ("shift", "scale")}
    for name, array in scaling.items():
        fits = array is not None and array.dtype.kind == "f" and array.ndim <= len(model.feature_shape)
        ends = zip(array.shape[::-1], model.feature_shape[::-1], strict=False) if fits else ()
        if not fits or any(size not in (1, whole) for size, whole in ends):
            raise UserError(f"{where}: is damaged: its {name} is none of rows of {model.feature_shape} values")
    return scaling
