"""A trained run, or one half of it, on new rows: encode, decode, reconstruct, and what its task does with them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax import console
from aejax.config.components import TASKS, resolve
from aejax.config.resolving import component
from aejax.data.dates import calendar_parts
from aejax.data.encoding import NONE, observed, refuse_no_logarithm
from aejax.data.scaling import original, stored
from aejax.data.tables import value_of
from aejax.errors import UserError, one_of
from aejax.runs import artifact, constraints, hub, workdir
from aejax.runs.artifact import Trained
from aejax.runs.rows import answerable, check_order, laid_flat, refuse_missing
from aejax.storage import checkpoint, checksums, records
from aejax.storage.trees import named_arrays, shaped
from aejax.training.build import build_model
from aejax.training.compilation import compiled_once
from aejax.training.evaluate import at_once
from aejax.training.numerics import fixed
from aejax.types import Column, Columns, Kept, Model, Params, Reasons, Rows

ACTIONS = ("encode", "decode", "reconstruct")
"""What every net can do; the actions of a task come beside them (`aejax.types.Task.apply`)."""


@fixed()
def load(
    folder: Path, passphrase: Callable[[], str] = lambda: "", *, trust: bool = False, model: Model | None = None
) -> Trained:
    """The trained net of a run's folder or of one that `Fitted.save` wrote, or the half that a file holds.

    Args:
        folder: of a finished run, or the file.
        passphrase: asked for a sealed decoder.
        trust: whether the folder may name a model from outside aejax, where no run of this user left it.
        model: of the net, where it was made in Python by something else than a constructor of aejax.

    Raises:
        UserError: the folder holds no finished run, its model is damaged or not to be trusted, or the file cannot be
            opened.
    """
    if folder.is_file():
        return artifact.read(folder, passphrase)
    if hub.is_hub(folder):
        return hub.read(folder, ACTIONS, trust=trust, model=model)
    saved, path, config = folder / workdir.MODEL, folder / workdir.CONFIG, {}
    of_fit = (folder / workdir.FIT).exists()
    if model is None and (path.exists() or not (checkpoint.steps(saved) or of_fit)):
        config = workdir.read_config(folder, trust=trust)
        if "model" not in config:
            raise UserError(f"{path}: is damaged: it holds no config of a run")
    settings = component(config["model"], "aejax.models", what=f"{path}: model") if config else {}
    again = f"; go on with aejax run and --workdir {folder}" if config else ""
    again = "; go on with the same fit and its folder" if of_fit else again
    if not checkpoint.steps(saved):
        what = "its model is missing or damaged" if (folder / workdir.FINISHED).exists() else "its run is not finished"
        raise UserError(f"{folder}: {what}{again}")
    checksums.check(folder, *([workdir.CONFIG] if config else []), f"{workdir.MODEL}/*.json")
    try:
        restored, data = checkpoint.read(saved, say=console.say), config.get("data")
    except UserError as error:
        raise UserError(f"{error}{again}") from None
    beside = not isinstance(data, dict) or data.get("labels")  # new rows have no labels among their columns
    info = restored.info | {"label_column": None if beside else data.get("label_column")}
    if config:
        model, shapes = artifact.model_of(settings, info, restored.tree, saved)
    elif model is None:
        if "model" not in info:
            line = "is no folder of a run; its net was made in Python; allowed: aejax.open(folder, model=that model)"
            raise UserError(f"{folder}: {line}")
        settings = artifact.own_settings(info["model"], folder)
        model, shapes = artifact.model_of(settings, info, restored.tree, saved)
        checksums.check(folder, workdir.CONFIG)  # it may have been there
        if not info.get("linked"):  # a fit in Python may leave outputs as they are
            model = build_model(settings, model.feature_shape)
    else:
        records.check(info, artifact.INFO, saved, "info")
        shapes = jax.eval_shape(model.init, jax.random.key(0))
    params = shaped(restored.tree, shapes, prefix="params", what=f"checkpoint of step {restored.step} in {saved}")
    scaling = artifact.scaling_of(restored.tree, model, saved)
    return Trained(model, params, scaling, info, settings, ACTIONS, folder, config)


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
    try:
        artifact.write_encoder(encoder, packed["encoder"])
    except BaseException:
        decoder.unlink(missing_ok=True)
        raise


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


def resized(settings: Mapping[str, Any], model: Model, params: Params, shape: tuple[int, ...]) -> Model:
    """The model for images of another height and width, where the parameters serve those as well; else as it is."""
    trained = model.feature_shape
    if not settings or len(shape) != 3 or len(trained) != 3 or shape == trained or shape[2] != trained[2]:
        return model
    other = build_model(settings, shape)
    shapes = lambda tree: jax.tree.map(np.shape, tree)
    return other if shapes(jax.eval_shape(other.init, jax.random.key(0))) == shapes(params) else model


@fixed()
def apply(
    trained: Trained, action: str, rows: np.ndarray, names: Sequence[str] = (), where: object = "input"
) -> np.ndarray | Columns:
    """Codes of rows, rows in their original units, or what an action of the run's task returns.

    Images to encode or reconstruct may be of another height and width than those that were trained on, where the model
    is all convolutions and all pixels have one scale.

    Args:
        trained: from `load`.
        action: ``"encode"`` or ``"reconstruct"`` rows (m, *feature_shape) or (m, n) in the units of the data set;
            ``"decode"`` codes (m, d); or one that the task has, such as ``"fill"`` or ``"score"``.
        rows: float or integer values; NaN is a missing one, which a model is told, or which is the mean of its feature,
            as in training, where some training row had one.
        names: of the columns of rows, where they have names; of no account for codes.
        where: what the rows are from, for messages.

    Returns:
        (m, d) codes, float32, or (m, *feature_shape) rows, float64 where float32 could not hold their values, such as
        of columns far from 0 or of which the logarithm was taken; or
        `Columns`. What is filled holds the values that were observed as they are.

    Raises:
        UserError: rows of another shape, the training data's columns in another order, missing values that the model
            does not take, an action that there is not, or one that refuses.
    """
    of_task = task_action(trained, action)
    model, params, scaling = trained.model, trained.params, trained.scaling
    if action != "decode" and not any(np.ndim(values) for values in scaling.values()):
        model = resized(trained.settings, model, params, rows.shape[1:])
    flat = laid_flat(rows, (model.code_size,) if action == "decode" else model.feature_shape, where)
    missing, is_log = np.isnan(flat), artifact.log_of(trained.info).reshape(-1)
    form = (artifact.origin_of(trained.info).reshape(-1), is_log)
    if action != "decode":
        check_order(names, trained.info["feature_names"], where)
        refuse_no_logarithm(flat, is_log, names, where)
    x = (flat if action == "decode" else stored(flat, *form)).astype(np.float32)
    if action != "decode" and not model.takes_missing and (means := artifact.means_of(trained.info)) is not None:
        x = np.where(missing, means.reshape(-1), x)
    elif action == "decode" or not model.takes_missing:
        refuse_missing(missing, names, artifact.columns_of(trained.info), where)
    shift, scale = (np.broadcast_to(scaling[name], model.feature_shape).reshape(-1) for name in ("shift", "scale"))
    if of_task is not None:
        out = of_task(model, params, Rows(x, ~missing if missing.any() else None, shift, scale), kept_of(trained))
        if isinstance(out, Columns):
            reasons = out.reasons and out.reasons._replace(expected=original(out.reasons.expected, *form))
            return out._replace(reasons=reasons)
        out = original(out.astype(np.float32), *form)
        exact = np.result_type(out, flat) if action == "fill" else out.dtype
        out = np.where(missing, out, flat).astype(exact) if action == "fill" else out
        return out.reshape(-1, *model.feature_shape)
    functions = {
        "encode": model.encode,
        "decode": model.decode,
        "reconstruct": lambda params, x: model.decode(params, model.encode(params, x)),
    }
    function = compiled_once(functions[action])
    values = x if action == "decode" else (x - shift) * scale
    parts = np.array_split(values, max(1, -(-len(values) // at_once(model))))
    out = np.concatenate([np.asarray(function(params, part)) for part in parts])
    if action == "encode":
        return out
    if model.target_shape is not None:  # targets are not scaled
        return out.reshape(-1, *model.target_shape)
    out = original((out / scale + shift).astype(np.float32), *form)
    return out.reshape(-1, *model.feature_shape)


def apply_each(
    trained: Trained,
    action: str,
    rows: np.ndarray,
    names: Sequence[str] = (),
    where: object = "input",
    faults: Mapping[int, str] = {},
) -> tuple[np.ndarray | Columns, tuple[str, ...]]:
    """As `apply`, row by row: what a row that cannot be answered gets is NaN, and the others are answered.

    Args:
        trained: as in `apply`, as all down to `where`.
        action: see there.
        rows: see there; NaN where a cell cannot be read.
        names: see there.
        where: see there.
        faults: by the number of a row, why a cell of it cannot be read, which counts as missing.

    Returns:
        What `apply` does, and lines on the rows that were not answered, or only without such cells.

    Raises:
        UserError: as from `apply`, or no row can be answered.
    """
    has_means = artifact.means_of(trained.info) is not None
    takes_missing = (trained.model.takes_missing or has_means) and action != "decode"
    fits = answerable(rows, takes_missing=takes_missing)
    if action != "decode" and (is_log := artifact.log_of(trained.info)).any():
        fits &= ~((rows <= 0) & is_log).any(1)
    lines, unread = [], [row for row in faults if fits[row]]
    if unread:
        why = f"{len(unread)} of {len(rows)} rows have a cell that cannot be read and is taken as missing"
        lines.append(f"{where}: {why}: {faults[min(unread)]}; --strict refuses them")
    if fits.all():
        return apply(trained, action, rows, names, where), tuple(lines)
    first = int(np.argmin(fits))
    reason = f"{where}: {faults[first]}" if first in faults else ""
    reason = reason or _why_not(trained, action, rows[: first + 1], names, where)
    if not fits.any():
        raise UserError(reason)
    lines.append(f"{len(rows) - fits.sum()} of {len(rows)} rows are not answered: {reason}; --strict refuses them")
    out = apply(trained, action, rows[fits], names, where)
    if isinstance(out, Columns):
        values = {name: _at(fits, np.asarray(each)) for name, each in out.values.items()}
        reasons = out.reasons and Reasons(*(_at(fits, each) for each in out.reasons))
        return out._replace(values=values, reasons=reasons), tuple(lines)
    return _at(fits, out), tuple(lines)


def _why_not(trained: Trained, action: str, rows: np.ndarray, names: Sequence[str], where: object) -> str:
    """Why the last of some rows cannot be answered, where the others can."""
    names, columns = ((), ()) if action == "decode" else (names, artifact.columns_of(trained.info))
    try:
        observed(rows, names, where)
        refuse_no_logarithm(rows, artifact.log_of(trained.info) if action != "decode" else NONE, names, where)
        refuse_missing(np.isnan(rows).reshape(len(rows), -1), names, columns, where)
    except UserError as error:
        return str(error)
    return f"{where}: row {len(rows)}"


def _at(fits: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values of the rows that fit, where these stand; elsewhere NaN, or empty text."""
    none = "" if values.dtype == object else np.nan
    out = np.full((len(fits), *values.shape[1:]), none, np.result_type(values.dtype, np.float32))
    out[fits] = values
    return out


def task_action(trained: Trained, action: str) -> Callable[..., Any] | None:
    """What the task of a run does with new rows under that name; None of what every net can do.

    Raises:
        UserError: there is no such action, or the run is not finished.
    """
    if action in trained.actions:
        return None
    if trained.actions != ACTIONS:
        raise UserError(f"{action}: this half of a net cannot do it; allowed: {', '.join(trained.actions)}")
    task = trained.config.get("task")
    of_task = resolve(task["name"], TASKS, what="task.name").apply if isinstance(task, dict) and "name" in task else {}
    if action not in of_task:
        raise one_of(action, [*trained.actions, *of_task], what=f"{trained.folder or 'this net'}: action")
    whole = (workdir.FINISHED, workdir.HISTORY)  # of a run, and of a net that was saved from memory
    if trained.folder is not None and not any((trained.folder / name).exists() for name in whole):
        raise UserError(f"{trained.folder}: its run is not finished; go on with aejax run --workdir {trained.folder}")
    return of_task[action]


@fixed()
def sample(
    trained: Trained,
    key: jax.Array,
    count: int,
    *,
    given: Mapping[str, Any] = {},
    noise: float | None = None,
    unique: Sequence[str] = (),
) -> np.ndarray:
    """New rows, (count, *feature_shape) in the units of the data, that the task of a run draws.

    Rows outside of a range that is given, or with a value of a unique column that an earlier row has, are drawn again.

    Args:
        trained: from `load`.
        key: of what is drawn.
        count: how many rows.
        given: by the name of a column, the number or category that every row has there; or a pair, or ``"LOW..HIGH"``,
            between which its numbers lie, where one of the two may be left out.
        noise: how much of what the decoder misses is added; None: all of it to tables, nothing to images.
        unique: names of columns in which no two rows are alike.

    Raises:
        UserError: its task draws none, the run kept nothing to draw them by, a given value is none of its column, or
            there are not so many rows of this kind among many that were drawn.
    """
    task = trained.config.get("task") or {}
    drawn = resolve(task["name"], TASKS, what="task.name").sample if "name" in task else None
    if drawn is None:
        name = task.get("name", "none").partition(".")[0]
        raise UserError(f"sample: the task, {name}, draws no new rows; allowed: a net of the task generation")
    if count < 1:
        raise UserError(f"sample: {count} rows; allowed: 1 or more")
    shape = tuple(trained.info["feature_shape"])
    noise = float(len(shape) == 1) if noise is None else noise
    held_to, values = constraints.read(given, unique, _columns_of(trained), artifact.reading_of(trained.info))
    about = {"given": _features_of(values, trained) if values else None, "noise": noise}
    scaling = [np.broadcast_to(trained.scaling[name], shape).reshape(-1) for name in ("shift", "scale")]
    draw = lambda key, count: drawn(key, trained.model, trained.params, scaling, kept_of(trained), count, **about)
    if not held_to.names:
        return draw(key, count).reshape(-1, *shape)
    rows = constraints.held(lambda number, size: draw(jax.random.fold_in(key, number), size), count, held_to)
    return rows.reshape(-1, *shape)


def _columns_of(trained: Trained) -> tuple[Column, ...]:
    """The columns of the rows, those of numbers alone too."""
    features = trained.info["feature_names"]
    return artifact.columns_of(trained.info) or tuple(Column(name, at) for at, name in enumerate(features))


def _features_of(given: Mapping[str, str], trained: Trained) -> np.ndarray:
    """Given values of columns as a row that is stored, (n,) float64, NaN elsewhere."""
    features, by_name = trained.info["feature_names"], {column.name: column for column in _columns_of(trained)}
    reading = artifact.reading_of(trained.info)
    row, is_log = (
        np.full(len(features), np.nan),
        np.broadcast_to(artifact.log_of(trained.info).reshape(-1), len(features)),
    )
    dated = {date.partition("=")[0] for date in reading.dates}
    allowed = [name for name in by_name if name not in dated | calendar_parts(dated)]
    for name, value in given.items():
        if name in dated:
            raise UserError(f"given: {name} holds dates, which cannot be given; allowed: {', '.join(allowed)}")
        if name not in allowed:
            raise one_of(name, allowed, what="given: a column")
        text = str(value)
        column, number = by_name[name], value_of(text.replace(",", ".") if reading.decimal == "," else text)
        if column.categories and text not in column.categories:
            raise one_of(text, column.categories, what=f"given: a category of {name}")
        if not column.categories and (
            number is None or not np.isfinite(number) or (is_log[column.start] and number <= 0)
        ):
            raise UserError(f"given: {name}={value}; allowed: a number in the range of the column")
        level = column.categories.index(text) if column.categories else number
        one_hot = np.arange(column.size) == level
        row[column.start : column.start + column.size] = level if column.size == 1 else one_hot
    form = (artifact.origin_of(trained.info).reshape(-1), artifact.log_of(trained.info).reshape(-1))
    return stored(row, *form)


def kept_of(trained: Trained) -> Kept | None:
    """What the task left, in memory or in the folder of the run: arrays by their paths."""
    if trained.kept is not None:
        return Kept(named_arrays(trained.kept.tree), trained.kept.info)
    folder = trained.folder
    if folder is None:
        return None
    checksums.check(folder, f"{workdir.KEPT}/*.json")
    if not checkpoint.steps(folder / workdir.KEPT):
        return None
    restored = checkpoint.read(folder / workdir.KEPT, say=console.say)
    return Kept(restored.tree, restored.info)
