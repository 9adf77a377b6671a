"""A trained run, or one half of it, on new rows: encode, decode, reconstruct, fill holes, score."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax import console
from aejax.config.resolving import component
from aejax.errors import UserError
from aejax.runs import artifact, workdir
from aejax.runs.artifact import Trained
from aejax.runs.rows import check_order, laid_flat, refuse_missing
from aejax.storage import checkpoint
from aejax.tasks import scoring
from aejax.tasks.scoring import Scorer
from aejax.training.build import build_model
from aejax.training.context import Rows
from aejax.training.evaluate import BATCH
from aejax.types import Column, Model, Params

ACTIONS = ("encode", "decode", "reconstruct", "fill")
TASK = "anomaly.evaluate"  # whose runs give scores
MOST_VALUES = 50_000_000
"""Of the codes of the rows that go through a model together: large images take turns."""


class Scored(NamedTuple):
    """How odd rows are.

    Attributes:
        scores: (m,) float64, larger where a row is odder.
        alarms: (m,) bool, whether the score lies above the threshold.
    """

    scores: np.ndarray
    alarms: np.ndarray


def load(folder: Path, passphrase: Callable[[], str] = lambda: "", *, trust: bool = False) -> Trained:
    """The trained net of a run's folder, or the half that a file of `aejax split` holds.

    Args:
        folder: of a finished run, or the file.
        passphrase: asked for a sealed decoder.
        trust: whether the folder may name a model from outside aejax, where no run of this user left it.

    Raises:
        UserError: the folder holds no finished run, its model is damaged or not to be trusted, or the file cannot be
            opened.
    """
    if folder.is_file():
        return artifact.read(folder, passphrase)
    config, place = workdir.read_config(folder, trust=trust), folder / workdir.MODEL
    if "model" not in config:
        raise UserError(f"{folder / 'config.json'}: is damaged: it holds no config of a run")
    settings = component(config["model"], "aejax.models", what=f"{folder / 'config.json'}: model")
    if not checkpoint.steps(place):
        raise UserError(f"{folder}: its run is not finished; go on with aejax run and --workdir {folder}")
    record, arrays = checkpoint.read(place, say=console.say)
    data = config.get("data")
    info = record["info"] | {"label_column": data.get("label_column") if isinstance(data, dict) else None}
    model, shapes = artifact.model_of(settings, info, arrays, place)
    params = checkpoint.restore(place, shapes, step=record["step"], prefix="params", say=console.say).tree
    return Trained(model, params, artifact.scaling_of(arrays, model, place), info, settings, ACTIONS)


def split(trained: Trained, encoder: Path, decoder: Path, passphrase: str) -> None:
    """Write the two halves of a run's net as files of their own, both or none.

    Args:
        trained: the net of a finished run, from `load`.
        encoder: the file that anyone may use to encode.
        decoder: the file that decodes, sealed.
        passphrase: that opens it.

    Raises:
        UserError: it is a half already, the halves share parameters, the model is not aejax's own, or the passphrase is
            empty.
    """
    if trained.actions != ACTIONS:
        raise UserError("split: is half of a net already; allowed: the folder of a run")
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


def resized(settings: Mapping[str, Any], model: Model, params: Params, shape: tuple[int, ...]) -> Model:
    """The model for images of another height and width, where the parameters serve those as well; else as it is."""
    trained = model.feature_shape
    if len(shape) != 3 or len(trained) != 3 or shape == trained or shape[2] != trained[2]:
        return model
    other = build_model(settings, shape)
    shapes = lambda tree: jax.tree.map(jnp.shape, tree)
    return other if shapes(jax.eval_shape(other.init, jax.random.key(0))) == shapes(params) else model


def load_scorer(folder: Path, *, trust: bool = False) -> tuple[Trained, Scorer]:
    """The net of a run that looked for anomalies, and what the run left in its folder so that new rows get scores.

    Args:
        folder: of a finished run.
        trust: as of `load`.

    Raises:
        UserError: a half of a net, a run that is not finished, kept nothing or has another task, or damage.
    """
    if folder.is_file():
        raise UserError(f"score: {folder} is a file, and half of a net gives no scores; allowed: the folder of a run")
    trained = load(folder, trust=trust)
    if checkpoint.steps(folder / workdir.KEPT):
        return trained, scoring.read(folder / workdir.KEPT, trained.model)
    task = workdir.read_config(folder, trust=trust).get("task")
    if not isinstance(task, dict) or task.get("name") != TASK:
        raise UserError(f"score: the task of {folder} gives no scores; allowed: a run of {TASK} (lecture/anomaly)")
    if not (folder / "summary.json").exists():
        raise UserError(f"{folder}: its run is not finished; go on with aejax run and --workdir {folder}")
    raise UserError(
        f"{folder}: its run is older than the scoring of new rows and kept nothing for it; "
        f"train it again: aejax run {folder / 'config.json'}"
    )


def score(
    trained: Trained, scorer: Scorer, rows: np.ndarray, names: Sequence[str] = (), where: object = "input"
) -> Scored:
    """The scores of new rows, as the run itself gave them to its test rows, and which of them are alarms.

    They must be new: a row that was trained on finds itself among those that it is compared with, and looks normal.

    Args:
        trained: from `load_scorer`.
        scorer: from it as well.
        rows: (m, *feature_shape) or (m, n) in the units of the data set; NaN is a missing value, for a model that is
            told which are missing.
        names: of the columns of rows, where they have names.
        where: what the rows are from, for messages.

    Raises:
        UserError: rows of another shape, columns in another order, or missing values that the model does not take.
    """
    x = laid_flat(rows, trained.model.feature_shape, where)
    check_order(names, trained.info["feature_names"], where)
    missing = np.isnan(x)
    if scorer.mean is None:
        refuse_missing(missing, names, columns(trained), where)
    mask = ~missing if missing.any() else None
    x = x if mask is None else np.where(mask, x, scorer.mean)
    found = scoring.scored(trained.model, scorer, jax.tree.map(jnp.asarray, Rows(x, mask, *_scaling(trained))))
    return Scored(found, found > scorer.threshold)


def apply(
    trained: Trained, action: str, rows: np.ndarray, names: Sequence[str] = (), where: object = "input"
) -> np.ndarray:
    """Codes of rows, or rows in their original units.

    Images to encode or reconstruct may be of another height and width than those that were trained on, where the model
    is all convolutions and all pixels have one scale.

    Args:
        trained: from `load`.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set, or
            ``"fill"`` what is missing of them and leave the rest; ``"decode"`` codes (m, d).
        rows: float or integer values; NaN is a missing one, for a model that is told which are missing.
        names: of the columns of rows, where they have names; of no account for codes.
        where: what the rows are from, for messages.

    Returns:
        float32: (m, d) codes, or (m, *feature_shape) rows.

    Raises:
        UserError: rows of another shape, the training data's columns in another order, missing values that the model
            does not take, none to fill, or a half that cannot do it.
    """
    if action not in trained.actions:
        raise UserError(f"{action}: this half of a net cannot do it; allowed: {', '.join(trained.actions)}")
    model, params, scaling = trained.model, trained.params, trained.scaling
    if action != "decode" and not any(np.ndim(values) for values in scaling.values()):
        model = resized(trained.settings, model, params, rows.shape[1:])
    x = laid_flat(rows, (model.code_size,) if action == "decode" else model.feature_shape, where)
    if action != "decode":
        check_order(names, trained.info["feature_names"], where)
    _check_missing(x, action, trained, names, where)
    shift, scale = _scaling(trained._replace(model=model))
    given = x if action == "decode" else (x - shift) * scale
    functions = {
        "encode": model.encode,
        "decode": model.decode,
        "reconstruct": lambda params, x: model.decode(params, model.encode(params, x)),
    }
    functions["fill"] = functions["reconstruct"]
    function = jax.jit(functions[action])
    batch = max(1, min(BATCH, MOST_VALUES // model.code_size))
    parts = np.array_split(given, -(-len(given) // batch))
    out = np.concatenate([np.asarray(function(params, part)) for part in parts])
    if action == "encode":
        return out
    out = out / scale + shift
    if action == "fill":
        out = np.where(np.isnan(x), out, rows.reshape(x.shape))
    return out.reshape(-1, *model.feature_shape).astype(np.float32)


def _scaling(trained: Trained) -> tuple[np.ndarray, np.ndarray]:
    """What is subtracted from each feature of a flat row, and what it is then multiplied with: (n,) each."""
    flat = lambda name: np.broadcast_to(trained.scaling[name], trained.model.feature_shape).reshape(-1)
    return flat("shift"), flat("scale")


def _check_missing(x: np.ndarray, action: str, trained: Trained, names: Sequence[str], where: object) -> None:
    """Refuse missing values where the net does not take them, and a table without any that is to be filled."""
    missing, model = np.isnan(x), trained.model
    if action == "fill" and not model.takes_missing:
        raise UserError(
            "fill: this net takes no missing values; allowed: a run whose model does, such as masked.residual"
        )
    if action == "fill" and not missing.any():
        raise UserError(f"{where}: has no missing values to fill; allowed: a table with empty cells")
    if action == "decode" or not model.takes_missing:
        refuse_missing(missing, names, columns(trained), where)
