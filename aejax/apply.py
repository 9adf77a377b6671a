"""A trained run on new rows: encode, decode, reconstruct."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import checkpoint, console, workdir
from aejax.build import build_model
from aejax.errors import UserError
from aejax.evaluate import BATCH
from aejax.types import Model, Params

ACTIONS = ("encode", "decode", "reconstruct")


def load(folder: Path) -> tuple[Model, Params, Mapping[str, np.ndarray], Mapping[str, Any]]:
    """The trained model of a run's folder: model, parameters, scaling (shift, scale), info.

    Raises:
        UserError: the folder holds no finished run, or its model is damaged.
    """
    config = workdir.read_json(folder / "config.json")
    place = folder / workdir.MODEL
    if not checkpoint.steps(place):
        raise UserError(f"{folder}: its run is not finished; go on with aejax run and --workdir {folder}")
    scaling = checkpoint.restore_flat(place, "scaling", say=console.say)
    info = workdir.read_json(max(place.glob("*.json")))["info"]
    model = build_model(config["model"], tuple(info["feature_shape"]))
    found = checkpoint.restore(place, jax.eval_shape(model.init, jax.random.key(0)), prefix="params", say=console.say)
    return model, found.tree, scaling, info


def apply(folder: Path, action: str, rows: np.ndarray) -> np.ndarray:
    """Codes of rows, or rows in their original units.

    Args:
        folder: of a finished run.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set;
            ``"decode"`` codes (m, d).
        rows: float or integer values.

    Returns:
        float32: (m, d) codes, or (m, *feature_shape) rows.

    Raises:
        UserError: rows of another shape.
    """
    model, params, scaling, _ = load(folder)
    shift, scale = (np.broadcast_to(scaling[name], model.feature_shape).reshape(-1) for name in ("shift", "scale"))
    wanted = (model.code_size,) if action == "decode" else model.feature_shape
    size = int(np.prod(wanted))
    if rows.shape[1:] not in (wanted, (size,)):
        given = "x".join(map(str, rows.shape[1:])) or "single values"
        raise UserError(f"input: expected rows of {'x'.join(map(str, wanted))} values, got {given}")
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
