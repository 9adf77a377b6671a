"""Nets in folders that `aejax.export.hub` wrote, of whoever sent them: digests are checked, and nothing is executed."""

import hashlib
from pathlib import Path

from aejax.config.components import check_own
from aejax.errors import UserError
from aejax.export import hub
from aejax.runs import artifact
from aejax.runs.artifact import Trained
from aejax.storage import checksums
from aejax.storage.checkpoint import LEAVES
from aejax.storage.records import Either, Fields, Whole
from aejax.storage.trees import nested, shaped, unpack
from aejax.training.build import build_model
from aejax.types import Kept, Model

RECORD = {
    "library_name": str,
    "format": Whole(),
    "model": Fields({"name": str}, {}),
    "config": Either((dict, None)),
    "info": artifact.INFO,
    "kept": Either((dict, None)),
    "leaves": LEAVES,
    "sha256": str,
    "card": dict,
}
"""The form of ``config.json``."""


def is_hub(folder: Path) -> bool:
    """Whether a folder holds the weights of `aejax.export.hub`, or the config that belongs to them."""
    config = folder / hub.CONFIG
    return (folder / hub.WEIGHTS).is_file() or (config.is_file() and b'"library_name"' in config.read_bytes()[:100])


def read(folder: Path, actions: tuple[str, ...], *, trust: bool = False, model: Model | None = None) -> Trained:
    """The net of a folder.

    Args:
        folder: that was exported.
        actions: what every net can do.
        trust: whether its config may name a task or terms from outside aejax.
        model: of the net, where a person says so.

    Raises:
        UserError: it is damaged, or names what is no component of aejax.
    """
    path, weights = folder / hub.CONFIG, folder / hub.WEIGHTS
    for file in (path, weights):
        if not file.is_file():
            raise UserError(f"{file}: is missing; allowed: the folder as it was exported")
    record = checksums.unsealed(path.read_bytes(), RECORD, path)
    if record["format"] != hub.FORMAT:
        raise UserError(f"{path}: is of format {record['format']}, this version reads {hub.FORMAT}")
    config, info = record["config"] or {}, record["info"]
    if config and not trust:
        check_own(config, path)
    content = weights.read_bytes()
    if hashlib.sha256(content).hexdigest() != record["sha256"]:
        raise UserError(f"{weights}: is damaged: it does not have the SHA-256 that {hub.CONFIG} names")
    arrays = unpack(content, record["leaves"], weights)
    settings = artifact.own_settings(record["model"], path)
    made, shapes = artifact.model_of(settings, info, arrays, path)
    if not info.get("linked"):
        made = build_model(settings, made.feature_shape)
    params = shaped(arrays, shapes, prefix="params", what=str(weights))
    scaling = artifact.scaling_of(arrays, made, path)
    tree = {name.removeprefix("kept/"): array for name, array in arrays.items() if name.startswith("kept/")}
    kept = None if record["kept"] is None else Kept(nested(tree), record["kept"])
    return Trained(model or made, params, scaling, info, settings, actions, config=config, kept=kept)
