"""What a trained net says of every row of a file, as tables: for `aejax apply`, and of a run on one's own file."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.config.components import TASKS, resolve
from aejax.data.encoding import as_columns
from aejax.data.files import is_table
from aejax.data.images import FILE
from aejax.data.scaling import original
from aejax.data.splits import with_rows
from aejax.data.tables import AGAIN, are_numbered
from aejax.errors import UserError
from aejax.runs import apply, artifact, pictures, rows
from aejax.runs.artifact import Trained
from aejax.runs.reasons import reasons
from aejax.types import Column, Columns, Dataset, Evaluation

MOST_UNITS = 4096  # of a code that a table has a column for each of
HIGHEST = 8  # images of which it is shown where they are odd
DARK, BRIGHT = 1 / 16, 1.5
"""Of the range of training pixels, where the greatest of new ones lies that are of one unit."""
SAMPLES = 1  # of the seed of a run, what its new rows are drawn by
PLACE, LABEL = ("row", "split"), "label"  # columns of the tables of a run that stand before what the net says


class Answer(NamedTuple):
    """What a net says of the rows of a file.

    Attributes:
        columns: by name, (m,) numbers or text.
        values: (m, …) the numbers of it as an array.
        keys: by the name of a column that names the rows, (m,) text; they are not among `columns`.
        labels: (m,) text, the labels that stand in the file; None without.
        summary: what to say of it, in a few words.
        remarks: lines on how the file was read, and on rows that were not answered.
        of_one_form: whether values are rows in the form of those of the file, such as what stands in their holes.
        pictures: of photographs, ``rows -> (len(rows), height, width, 1 or 3)`` from 0 to 255: images that the net
            gives back, or those that came in, red where they are odd; None where there is nothing to be seen.
    """

    columns: Mapping[str, np.ndarray]
    values: np.ndarray
    keys: Mapping[str, np.ndarray]
    labels: np.ndarray | None
    summary: str
    remarks: tuple[str, ...]
    of_one_form: bool = False
    pictures: Callable[[Any], np.ndarray] | None = None


def answer(
    trained: Trained,
    action: str,
    source: Path,
    *,
    strict: bool = False,
    instead: Callable[[np.ndarray | Columns], np.ndarray | Columns] = lambda out: out,
) -> Answer:
    """What a net says of the rows of a file, in their order; see `aejax.runs.apply.apply`.

    Args:
        trained: the net.
        action: see there.
        source: the file.
        strict: whether a row that cannot be answered refuses all; else it gets no answer, and a remark.
        instead: what `apply` returns of all rows -> what is said in its place.

    Raises:
        UserError: as from `aejax.runs.apply.apply`, or the file cannot be read.
    """
    reading, features = artifact.reading_of(trained.info), trained.info["feature_names"]
    documents = artifact.documents_of(trained.info)
    known = (trained.info.get("label_column"), artifact.columns_of(trained.info), features, reading, documents)
    if action == "decode":  # in a table of a run other columns stand before the codes
        others = (*PLACE, LABEL, f"*{rows.OF_FILE}", *reading.key_names(), *filter(None, known[:1]))
        others = others if is_table(source) else ()
        known = (None, (), (), AGAIN._replace(ignore=others), None)
    faults = None if strict else {}
    file = rows.read(source, *known, faults=faults)
    remarks = [f"{source}: {line}" for line in file.lines]
    if action != "decode" and features and file.names and are_numbered(features) != are_numbered(file.names):
        without = source if are_numbered(file.names) else "the training data"
        remarks.append(f"{source}: columns are taken by their place, since {without} has no names of them")
    if strict:
        out = apply.apply(trained, action, file.x, file.names, source)
    else:
        out, lines = apply.apply_each(trained, action, file.x, file.names, source, faults)
        remarks += lines
    if holes := _holes_of_means(trained, action, file.x):
        remarks.append(f"{source}: {holes} of {len(file.x)} rows have a missing value, taken for the mean in training")
    remarks += [f"{source}: {line}" for line in _other_range(trained, file.x)] if action != "decode" else []
    out = instead(out)
    by_name, keys, labels = _columns(trained, action, file, out, source), file.keys, file.labels
    if isinstance(out, Columns):
        summary = out.summary or f"{len(file.x)} rows of {', '.join(out.values)}"
        numbers = [values for values in out.values.values() if values.dtype != object]
        values = np.stack(numbers, axis=1).astype(np.float32)
        seen = None
        if reading.size and out.reasons is not None:
            shares = out.reasons.shares.reshape(file.x.shape)
            seen = lambda at: pictures.heated(file.x[at], shares[at])
        return Answer(by_name, values, keys, labels, summary, tuple(remarks), pictures=seen)
    size = f"{'x'.join(map(str, out.shape[1:]))} values"
    if action == "fill" and is_table(source):  # whose columns are those of the file, keys and labels among them
        keys, labels, size = {}, None, f"{len(by_name)} columns"
    of_one_form = action not in ("encode", "decode") and out.shape[1:] == file.x.shape[1:]
    if file.x.ndim == out.ndim == 4 and reading.channels == "first":
        out = np.moveaxis(out, 3, 1)
    seen = out.__getitem__ if reading.size and out.ndim == 4 else None
    return Answer(by_name, out, keys, labels, f"{len(out)} rows of {size}", tuple(remarks), of_one_form, seen)


def _other_range(trained: Trained, x: np.ndarray) -> list[str]:
    """A line on images whose pixels have another range than those of training, such as 0 to 255 and not 0 to 1."""
    shift, factor = (np.asarray(trained.scaling[name], np.float64) for name in ("shift", "scale"))
    settings = trained.config.get("data")  # of a folder that anybody may have made
    scaling = settings.get("scaling") if isinstance(settings, Mapping) else None
    least = 0.0 if scaling == "unit" else -1.0 if scaling == "signed" else None
    if x.ndim != 4 or least is None or shift.ndim or factor.ndim or np.isnan(x).all():
        return []
    ends = np.array([np.nanmin(x), np.nanmax(x)], np.float64)
    if ends[0] < ends[1] and DARK < ((ends - shift) * factor - least).max() / (1 - least) < BRIGHT:
        return []
    low, high = (end / factor + shift for end in (least, 1.0))
    said = f"pixels from {ends[0]:g} to {ends[1]:g}, in training they were from {low:g} to {high:g}"
    return [f"{said}: is it another unit?"]


def _holes_of_means(trained: Trained, action: str, x: np.ndarray) -> int:
    """How many rows have holes that a net is not told of, but that hold a mean of the training rows."""
    if action == "decode" or trained.model.takes_missing or artifact.means_of(trained.info) is None:
        return 0
    missing = np.isnan(x.reshape(len(x), -1))
    return int((missing.any(1) & ~missing.all(1)).sum())


def _columns(
    trained: Trained, action: str, file: Any, out: np.ndarray | Columns, source: Path
) -> Mapping[str, np.ndarray]:
    """An answer as columns of a table."""
    features, reading = trained.info["feature_names"], artifact.reading_of(trained.info)
    columns = artifact.columns_of(trained.info) or tuple(Column(name, at) for at, name in enumerate(features))
    if isinstance(out, Columns):
        return {**out.values, **(reasons(out, file.x, columns, reading.dates) if out.reasons and columns else {})}
    if action == "fill" and is_table(source):
        names, lines = rows.filled_table(source, out, columns, reading)
        cells = np.array(lines, object)
        return dict(zip(names or map(str, range(cells.shape[1])), cells.T, strict=True))
    flat = out.reshape(len(out), -1)
    if action != "encode" and flat.shape[1] == len(features):
        return as_columns(flat, columns, reading.dates)
    names = [f"code{unit}" for unit in range(flat.shape[1])] if action == "encode" else features
    names = names if len(names) == flat.shape[1] else list(map(str, range(flat.shape[1])))
    return dict(zip(names, flat.T, strict=True))


def sampled(
    trained: Trained, key: Any, count: int, given: Mapping[str, str] = {}, unique: Sequence[str] = ()
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """New rows that the task of a run draws, as an array and as columns of a table; see `aejax.runs.apply.sample`."""
    made = apply.sample(trained, key, count, given=given, unique=unique)
    features, reading = trained.info["feature_names"], artifact.reading_of(trained.info)
    columns = artifact.columns_of(trained.info) or tuple(Column(name, at) for at, name in enumerate(features))
    return made, as_columns(made.reshape(count, -1), columns, reading.dates)


def of_run(trained: Trained, evaluation: Evaluation, dataset: Dataset, config: Mapping[str, Any], folder: Path) -> dict:
    """Write a table for each result of a run on a file of one's own, with a line for each of its rows.

    Each says, by the columns that name rows or their numbers from 1, in which split a row was, its label, where there
    is one, and what the net says of it.

    Args:
        trained: the net.
        evaluation: of its task.
        dataset: the rows of the file; others have no tables.
        config: of the run.
        folder: of the run.

    Returns:
        By the name of a file, what is in it.
    """
    kind, _, path = config["data"]["name"].partition(":")
    source = Path(config["data"]["name"]) if kind == "images" else Path(path).expanduser()
    task = resolve(config["task"]["name"], TASKS, what="task.name")
    written = {}
    codes = {"codes": "encode"} if trained.model.code_size <= MOST_UNITS else {}  # else as large as the maps of a net
    for name, action in {**codes, **task.results}.items():
        better = evaluation.rows.get(action, {})
        try:
            said = answer(trained, action, source, instead=lambda out, better=better: _with(better, out, dataset))
        except UserError as error:
            what = "is of test rows only" if (folder / f"{name}.csv").exists() else "is not written"
            written[f"{name}.csv"] = f"{what}: {error}"
            continue
        if said.of_one_form and said.pictures is not None:
            written |= _pictures(folder / name, said.values, said.keys[FILE])
            continue
        path = folder / (f"{name}.npy" if said.of_one_form and not is_table(source) else f"{name}.csv")
        before = {} if action == "fill" else _places(said, config["data"].get("label_column"), dataset)
        rows.write(path, said.values, said.columns, before)
        empty = int(np.isnan(said.values.reshape(len(said.values), -1)).all(1).sum())
        why = "they hold none of the words" if dataset.documents else "a value is missing"
        written[path.name] = said.summary + (f"; not answered, since {why}: {empty}" if empty else "")
        if said.pictures is not None:
            highest = np.argsort(-said.values[:, 0], kind="stable")[:HIGHEST]
            written |= _pictures(folder / f"highest_{name}", said.pictures(highest), said.keys[FILE][highest])
    if task.sample is not None and trained.kept is not None:
        count = len(dataset.train.x)
        made, columns = sampled(trained, jax.random.fold_in(jax.random.key(config["seed"]), SAMPLES), count)
        if kind == "images":
            return written | _pictures(folder / "synthetic", made.reshape(count, *dataset.feature_shape))
        path = folder / ("synthetic.csv" if is_table(source) else "synthetic.npy")
        rows.write(path, made, columns)
        written[path.name] = f"{count} new rows, as many as there are training rows"
    return written


def _pictures(folder: Path, images: np.ndarray, names: Sequence[str] = ()) -> dict[str, str]:
    """Write images into a folder of a run, in place of what an evaluation that was stopped left there."""
    shutil.rmtree(folder, ignore_errors=True)
    return {f"{folder.name}/": f"{pictures.write(folder, images, names)} images"}


def _with(better: Mapping[str, Columns], out: np.ndarray | Columns, dataset: Dataset) -> np.ndarray | Columns:
    """What is said of the rows of a file, with what a task says by split in its place."""
    if not better or not isinstance(out, Columns):
        return out
    values, reasons = {name: np.array(column) for name, column in out.values.items()}, out.reasons
    for split, columns in better.items():
        at = with_rows(dataset)[split].source_index
        for name, column in columns.values.items():
            values[name][at] = column
        if reasons is not None and columns.reasons is not None:
            reasons.shares[at] = columns.reasons.shares
            form = dataset.origin.reshape(-1), dataset.log.reshape(-1)
            reasons.expected[at] = original(columns.reasons.expected, *form)
    flags = {name for of_split in better.values() for name, each in of_split.values.items() if each.dtype == bool}
    counts = [f"{np.nansum(values[name]):.0f} of {len(values[name])} rows: {name}" for name in sorted(flags)]
    return Columns(values, ", ".join(counts), reasons)


def _places(said: Answer, label_column: str | None, dataset: Dataset) -> dict[str, np.ndarray]:
    """What tells the rows of a file apart, the split that each of them was in, and their labels."""
    count = len(said.values)
    split, labels = np.full(count, "", object), np.full(count, "", object)
    for name, part in with_rows(dataset).items():
        split[part.source_index] = name
        if part.labels is not None:
            labels[part.source_index] = np.array(dataset.label_names, object)[part.labels]
    of_run = {**({} if said.keys else {PLACE[0]: np.arange(1, count + 1)}), PLACE[1]: split}
    of_arrays = {LABEL: labels} if labels.any() else {}  # of folders of photographs too, and in a file of their own
    of_table = of_arrays if said.labels is None else {label_column: said.labels}
    return {**rows.renamed(said.keys, of_run), **of_run, **rows.renamed(of_table, of_run)}
