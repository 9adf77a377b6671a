"""A trained run on new rows: encode, decode, reconstruct, fill holes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import checkpoint, console, workdir
from aejax import config as configs
from aejax.build import build_model
from aejax.errors import UserError
from aejax.evaluate import BATCH
from aejax.types import Column, Model, Params

ACTIONS = ("encode", "decode", "reconstruct", "fill")


def load(folder: Path) -> tuple[Model, Params, Mapping[str, np.ndarray], Mapping[str, Any]]:
    """The trained model of a run's folder: model, parameters, scaling (shift, scale), info.

    Raises:
        UserError: the folder holds no finished run, or its model is damaged.
    """
    settings = _model_settings(folder)
    place = folder / workdir.MODEL
    if not checkpoint.steps(place):
        raise UserError(f"{folder}: its run is not finished; go on with aejax run and --workdir {folder}")
    scaling = checkpoint.restore_flat(place, "scaling", say=console.say)
    info = workdir.read_json(max(place.glob("*.json")))["info"]
    model = build_model(settings, tuple(info["feature_shape"]), columns_of(info))
    found = checkpoint.restore(place, jax.eval_shape(model.init, jax.random.key(0)), prefix="params", say=console.say)
    return model, found.tree, scaling, info


def columns_of(info: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of the table that a model was trained on, where some held categories."""
    return tuple(
        Column(name, start, size, tuple(categories)) for name, start, size, categories in info.get("columns", ())
    )


def columns(folder: Path) -> tuple[Column, ...]:
    """`columns_of` a run's folder; none where its run is not finished."""
    found = sorted((folder / workdir.MODEL).glob("*.json"))
    return columns_of(workdir.read_json(found[-1])["info"]) if found else ()


def label_column(folder: Path) -> str | None:
    """The column of labels of the table that a run was trained on; None where it named none."""
    config = workdir.read_json(folder / "config.json")
    data = config.get("data") if isinstance(config, dict) else None
    return data.get("label_column") if isinstance(data, dict) else None


def _model_settings(folder: Path) -> Mapping[str, Any]:
    config = workdir.read_json(folder / "config.json")
    if not isinstance(config, dict) or "model" not in config:
        raise UserError(f"{folder / 'config.json'}: is damaged: it holds no config of a run")
    return configs.component(config["model"], "aejax.models", what=f"{folder / 'config.json'}: model")


def apply(folder: Path, action: str, rows: np.ndarray, names: Sequence[str] = ()) -> np.ndarray:
    """Codes of rows, or rows in their original units.

    Args:
        folder: of a finished run.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set, or
            ``"fill"`` what is missing of them and leave the rest; ``"decode"`` codes (m, d).
        rows: float or integer values, NaN where one is missing.
        names: of the columns of rows, where they have names; of no account for codes.

    Returns:
        float32: (m, d) codes, or (m, *feature_shape) rows.

    Raises:
        UserError: rows of another shape, the training data's columns in another order, missing values that the net
            does not take, or none to fill.
    """
    model, params, scaling, info = load(folder)
    shift, scale = (np.broadcast_to(scaling[name], model.feature_shape).reshape(-1) for name in ("shift", "scale"))
    wanted = (model.code_size,) if action == "decode" else model.feature_shape
    size = int(np.prod(wanted))
    if rows.shape[1:] not in (wanted, (size,)):
        given = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"input: expected rows of {'x'.join(map(str, wanted))} values, got {given}")
    if action != "decode":
        _check_order(names, info["feature_names"])
    x = rows.reshape(len(rows), size).astype(np.float32)
    _check_missing(x, action, model)
    if action != "decode":
        x = (x - shift) * scale
    functions = {
        "encode": model.encode,
        "decode": model.decode,
        "reconstruct": lambda params, x: model.decode(params, model.encode(params, x)),
    }
    functions["fill"] = functions["reconstruct"]
    function = jax.jit(functions[action])
    parts = np.array_split(x, -(-len(x) // BATCH))
    out = np.concatenate([np.asarray(function(params, part)) for part in parts])
    if action == "encode":
        return out
    out = out / scale + shift
    if action == "fill":
        out = np.where(np.isnan(x), out, rows.reshape(len(rows), size))
    return out.reshape(-1, *model.feature_shape).astype(np.float32)


def _check_missing(x: np.ndarray, action: str, model: Model) -> None:
    """Refuse missing values where the net does not take them, and a table without any that is to be filled."""
    missing = np.argwhere(np.isnan(x))
    takes = model.takes_missing and action != "decode"
    if action == "fill" and not model.takes_missing:
        raise UserError("fill: this net takes no missing values; allowed: a run with model.name=masked.residual")
    if action == "fill" and not len(missing):
        raise UserError("input: has no missing values to fill; allowed: a table with empty cells")
    if len(missing) and not takes:
        row, place = missing[0]
        raise UserError(
            f"input: row {row + 1}, value {place + 1} is missing; "
            "allowed: rows without missing values, or a run with model.name=masked.residual"
        )


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
