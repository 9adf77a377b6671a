"""A trained run, or one half of it, on new rows: encode, decode, reconstruct, fill holes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax import artifact, checkpoint, console, workdir
from aejax.artifact import Trained
from aejax.build import build_model
from aejax.config.resolving import component
from aejax.errors import UserError
from aejax.evaluate import BATCH
from aejax.types import Column, Model, Params

ACTIONS = ("encode", "decode", "reconstruct", "fill")
MOST_VALUES = 50_000_000
"""Of the codes of the rows that go through a model together: large images take turns."""


def load(folder: Path, passphrase: Callable[[], str] = lambda: "") -> Trained:
    """The trained net of a run's folder, or the half that a file of `aejax split` holds.

    Args:
        folder: of a finished run, or the file.
        passphrase: asked for a sealed decoder.

    Raises:
        UserError: the folder holds no finished run, its model is damaged, or the file cannot be opened.
    """
    if folder.is_file():
        return artifact.read(folder, passphrase)
    settings = model_settings(folder)
    place = folder / workdir.MODEL
    if not checkpoint.steps(place):
        raise UserError(f"{folder}: its run is not finished; go on with aejax run and --workdir {folder}")
    scaling = checkpoint.restore_flat(place, "scaling", say=console.say)
    info = workdir.read_json(max(place.glob("*.json")))["info"] | {"label_column": _label_column(folder)}
    model = build_model(settings, tuple(info["feature_shape"]), artifact.columns_of(info))
    found = checkpoint.restore(place, jax.eval_shape(model.init, jax.random.key(0)), prefix="params", say=console.say)
    return Trained(model, found.tree, scaling, info, settings, ACTIONS)


def split(folder: Path, encoder: Path, decoder: Path, passphrase: str) -> None:
    """Write the two halves of a run's net as files of their own, both or none.

    Args:
        folder: of a finished run.
        encoder: the file that anyone may use to encode.
        decoder: the file that decodes, sealed.
        passphrase: that opens it.

    Raises:
        UserError: the halves share parameters, the model is not aejax's own, or the passphrase is empty.
    """
    trained = load(folder)
    packed = {kind: artifact.as_bytes(trained, arrays) for kind, arrays in artifact.halves(trained).items()}
    artifact.write_decoder(decoder, packed["sealed decoder"], passphrase)
    artifact.write_encoder(encoder, packed["encoder"])


def check_files(encoder: Path, decoder: Path) -> None:
    """Refuse the files of a split before anything is asked or computed.

    Raises:
        UserError: one file for both, a file that is there already, or a folder that is not.
    """
    if encoder.absolute() == decoder.absolute():
        raise UserError(f"--decoder {decoder}: is the encoder's file; allowed: another file")
    for option, path in (("--encoder", encoder), ("--decoder", decoder)):
        if path.exists():
            raise UserError(f"{option} {path}: is there already; allowed: a new file")
        if not path.absolute().parent.is_dir():
            raise UserError(f"{option} {path}: there is no folder {path.parent}")


def columns(trained: Trained) -> tuple[Column, ...]:
    """The columns of the table that a net was trained on, where some held categories."""
    return artifact.columns_of(trained.info)


def label_column(trained: Trained) -> str | None:
    """The column of labels of the table that a net was trained on; None where there was none, and in old halves."""
    return trained.info.get("label_column")


def _label_column(folder: Path) -> str | None:
    data = workdir.read_json(folder / "config.json").get("data")
    return data.get("label_column") if isinstance(data, dict) else None


def model_settings(folder: Path) -> Mapping[str, Any]:
    """The `model` section of the config of a run's folder."""
    config = workdir.read_json(folder / "config.json")
    if not isinstance(config, dict) or "model" not in config:
        raise UserError(f"{folder / 'config.json'}: is damaged: it holds no config of a run")
    return component(config["model"], "aejax.models", what=f"{folder / 'config.json'}: model")


def resized(settings: Mapping[str, Any], model: Model, params: Params, shape: tuple[int, ...]) -> Model:
    """The model for images of another height and width, where the parameters serve those as well; else as it is."""
    trained = model.feature_shape
    if len(shape) != 3 or len(trained) != 3 or shape == trained or shape[2] != trained[2]:
        return model
    other = build_model(settings, shape)
    shapes = lambda tree: jax.tree.map(jnp.shape, tree)
    return other if shapes(jax.eval_shape(other.init, jax.random.key(0))) == shapes(params) else model


def apply(trained: Trained, action: str, rows: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Codes of rows, or rows in their original units.

    Images to encode or reconstruct may be of another height and width than those that were trained on, where the model
    is all convolutions and all pixels have one scale.

    Args:
        trained: from `load`.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set, or
            ``"fill"`` what is missing of them and leave the rest; ``"decode"`` codes (m, d).
        rows: float or integer values; NaN is a missing one, for a model that is told which are missing.
        names: of the columns of rows, where they have names; of no account for codes.

    Returns:
        float32: (m, d) codes, or (m, *feature_shape) rows.

    Raises:
        UserError: rows of another shape, the training data's columns in another order, missing values that the model
            does not take, none to fill, or a half that cannot do it.
    """
    model, params, scaling, info, settings, actions = trained
    if action not in actions:
        raise UserError(f"{action}: this half of a net cannot do it; allowed: {', '.join(actions)}")
    if action != "decode" and not any(np.ndim(values) for values in scaling.values()):
        model = resized(settings, model, params, rows.shape[1:])
    shift, scale = (np.broadcast_to(scaling[name], model.feature_shape).reshape(-1) for name in ("shift", "scale"))
    wanted = (model.code_size,) if action == "decode" else model.feature_shape
    size = int(np.prod(wanted))
    if rows.shape[1:] not in (wanted, (size,)):
        given = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"input: expected rows of {'x'.join(map(str, wanted))} values, got {given}")
    if action != "decode":
        _check_order(names, info["feature_names"])
    x = rows.reshape(len(rows), size).astype(np.float32)
    _check_missing(x, action, trained, names)
    if action != "decode":
        x = (x - shift) * scale
    functions = {
        "encode": model.encode,
        "decode": model.decode,
        "reconstruct": lambda params, x: model.decode(params, model.encode(params, x)),
    }
    functions["fill"] = functions["reconstruct"]
    function = jax.jit(functions[action])
    batch = max(1, min(BATCH, MOST_VALUES // model.code_size))
    parts = np.array_split(x, -(-len(x) // batch))
    out = np.concatenate([np.asarray(function(params, part)) for part in parts])
    if action == "encode":
        return out
    out = out / scale + shift
    if action == "fill":
        out = np.where(np.isnan(x), out, rows.reshape(len(rows), size))
    return out.reshape(-1, *model.feature_shape).astype(np.float32)


def _check_missing(x: np.ndarray, action: str, trained: Trained, names: Sequence[str]) -> None:
    """Refuse missing values where the net does not take them, and a table without any that is to be filled."""
    missing, model = np.argwhere(np.isnan(x)), trained.model
    takes = model.takes_missing and action != "decode"
    if action == "fill" and not model.takes_missing:
        raise UserError(
            "fill: this net takes no missing values; allowed: a run whose model does, such as masked.residual"
        )
    if action == "fill" and not len(missing):
        raise UserError("input: has no missing values to fill; allowed: a table with empty cells")
    if len(missing) and not takes:
        row, place = missing[0]
        raise UserError(
            f"input: row {row + 1}, {_place_of(int(place), names, columns(trained))} is missing; fill it in, leave the "
            "row out, or train a net that takes missing values (model.name=masked.residual)"
        )


def _place_of(place: int, names: Sequence[str], own: Sequence[Column]) -> str:
    """The column of a value, or its place where the columns have no names."""
    for column in own:
        if column.start <= place < column.start + column.size:
            return f"column {column.name!r}"
    numbered = tuple(names) == tuple(map(str, range(len(names))))
    return f"value {place + 1}" if numbered else f"column {names[place]!r}"


def _check_order(given: Sequence[str], trained: Sequence[str]) -> None:
    """Refuse columns that have the training data's names at other places."""
    if tuple(given) == tuple(map(str, range(len(given)))):  # a table without a line of names
        return
    moved = [(place, name) for place, name in enumerate(given) if name in trained and trained[place] != name]
    if moved:
        place, name = moved[0]
        raise UserError(
            f"input: column {place + 1} is {name!r}, in training it was {trained[place]!r}; "
            "allowed: the columns in the order of the training data"
        )
