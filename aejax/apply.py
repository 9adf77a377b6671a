"""A trained run, or one half of it, on new rows: encode, decode, reconstruct."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import artifact, checkpoint, console, workdir
from aejax import config as configs
from aejax.artifact import Trained
from aejax.build import build_model
from aejax.errors import UserError
from aejax.evaluate import BATCH

ACTIONS = ("encode", "decode", "reconstruct")


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
    info = workdir.read_json(max(place.glob("*.json")))["info"]
    model = build_model(settings, tuple(info["feature_shape"]))
    found = checkpoint.restore(place, jax.eval_shape(model.init, jax.random.key(0)), prefix="params", say=console.say)
    return Trained(model, found.tree, scaling, info, ACTIONS)


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
    trained, settings = load(folder), model_settings(folder)
    parts = artifact.halves(trained, settings["name"])
    packed = {kind: artifact.as_bytes(trained, settings, arrays) for kind, arrays in parts.items()}
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


def label_column(folder: Path) -> str | None:
    """The column of labels of the table that a run was trained on; None where it named none, and for a half."""
    if folder.is_file():
        return None
    config = workdir.read_json(folder / "config.json")
    data = config.get("data") if isinstance(config, dict) else None
    return data.get("label_column") if isinstance(data, dict) else None


def model_settings(folder: Path) -> Mapping[str, Any]:
    """The `model` section of the config of a run's folder."""
    config = workdir.read_json(folder / "config.json")
    if not isinstance(config, dict) or "model" not in config:
        raise UserError(f"{folder / 'config.json'}: is damaged: it holds no config of a run")
    return configs.component(config["model"], "aejax.models", what=f"{folder / 'config.json'}: model")


def apply(trained: Trained, action: str, rows: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Codes of rows, or rows in their original units.

    Args:
        trained: from `load`.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set;
            ``"decode"`` codes (m, d).
        rows: float or integer values.
        names: of the columns of rows, where they have names; of no account for codes.

    Returns:
        float32: (m, d) codes, or (m, *feature_shape) rows.

    Raises:
        UserError: rows of another shape, the training data's columns in another order, or a half that cannot do it.
    """
    model, params, scaling, info, actions = trained
    if action not in actions:
        raise UserError(f"{action}: this half of a net cannot do it; allowed: {', '.join(actions)}")
    shift, scale = (np.broadcast_to(scaling[name], model.feature_shape).reshape(-1) for name in ("shift", "scale"))
    wanted = (model.code_size,) if action == "decode" else model.feature_shape
    size = int(np.prod(wanted))
    if rows.shape[1:] not in (wanted, (size,)):
        given = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"input: expected rows of {'x'.join(map(str, wanted))} values, got {given}")
    if action != "decode":
        _check_order(names, info["feature_names"])
    x = rows.reshape(len(rows), size).astype(np.float32)
    if action != "decode":
        x = (x - shift) * scale
    functions = {
        "encode": model.encode,
        "decode": model.decode,
        "reconstruct": lambda params, x: model.decode(params, model.encode(params, x)),
    }
    function = jax.jit(functions[action])
    parts = np.array_split(x, -(-len(x) // BATCH))
    out = np.concatenate([np.asarray(function(params, part)) for part in parts])
    if action == "encode":
        return out
    return (out / scale + shift).reshape(-1, *model.feature_shape).astype(np.float32)


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
