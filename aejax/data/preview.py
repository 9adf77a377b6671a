"""A file as it is understood, before anything is trained on it: what `aejax data show` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from aejax.data.arrays import dataset_of
from aejax.data.columns import Understood, understand
from aejax.data.documents import load_documents
from aejax.data.encoding import as_raw
from aejax.data.files import checked, is_table, labels_beside, load_file, table_of
from aejax.data.images import load_images, path_of, read_images
from aejax.data.inspection import constant_columns, copied_columns, copies
from aejax.data.labels import separate
from aejax.data.scaling import original
from aejax.data.splits import Raw, split
from aejax.data.tables import AS_SEEN, Cells, Reading, expanded
from aejax.errors import UserError

FACTS = ("column", "holds", "least", "greatest", "missing", "different")
"""What is said of each column."""


class Preview(NamedTuple):
    """A file as it is understood.

    Attributes:
        lines: on the whole of it.
        columns: a line of words for each column, under `FACTS`; empty of images.
        names: of the columns, or what is said of an image.
        rows: the first ones, in words.
    """

    lines: tuple[str, ...]
    columns: list[tuple[str, ...]]
    names: tuple[str, ...]
    rows: list[tuple[str, ...]]


def preview(
    path: Path,
    label_column: str | None = None,
    categories: Sequence[str] = (),
    reading: Reading = AS_SEEN,
    first: int = 5,
    labels: str | None = None,
    text: str | None = None,
    log: Sequence[str] = (),
) -> Preview:
    """A file as it is understood, without a word on how it would have to be said otherwise.

    Args:
        path: of the file; a folder or an image, or images:PATH, of photographs.
        label_column: as in `load_file`.
        categories: as in `load_file`.
        reading: as in `load_file`.
        first: how many rows are shown.
        labels: as in `load_file`.
        text: the column that holds documents; texts:PATH of a folder needs none.
        log: as in `load_file`.

    Raises:
        UserError: it cannot be read.
    """
    if text is not None or str(path).startswith("texts:"):
        settings = {"text": text, "label_column": label_column, "labels": labels, "weighting": None}
        settings |= {"categories": categories, "dates": reading.dates, "log": None, "decimal": reading.decimal}
        name = str(path) if text is None else f"file:{path}"
        return _of_documents(load_documents(name, settings, reading), first)
    if photographs := path_of(path):
        names = read_images(photographs, label_column, reading).names
        shown = _of_arrays(load_images(photographs, label_column, reading, labels), first)
        rows = [(name, *row[1:]) for name, row in zip(names, shown.rows, strict=False)]
        return shown._replace(rows=rows)
    if not is_table(checked(path, categories, reading)):
        raw = load_file(str(path), label_column, categories, reading, labels, log)
        shown = _of_arrays(raw, first)
        return shown._replace(lines=_of_values(raw, path)) if raw.train.x.ndim == 2 else shown
    table = table_of(path, (), label_column, reading)
    if labels:
        rows, columns = len(next(iter(table.columns.values())).values), table.columns
        classes, line = labels_beside(Path(labels), label_column, rows)
        table = table._replace(understood=(*table.understood, line))
    else:
        columns, classes = separate(table.columns, label_column, path)
    categories = expanded(categories, columns)
    meaning = understand(columns, categories, reading, path, lenient=True)
    facts, cells = [], {}
    for name in table.columns:
        if name not in meaning.columns:
            facts.append((name, "labels" if name not in columns else "is left out", "", "", "", ""))
    if classes:
        cells[f"labels of {labels}" if labels else str(label_column)] = [
            classes.names[at] for at in classes.values[:first]
        ]
    for name, column in meaning.columns.items():
        facts.append(_facts(name, column, name in categories))
        cells[name] = list(map(_word, column.values[:first], column.missing[:first]))
    rows = list(zip(*cells.values(), strict=True))
    lines = dict.fromkeys([*table.understood, *meaning.lines, *_of_readable(meaning, categories, path, log)])
    return Preview(tuple(lines), facts, tuple(cells), rows)


def _of_readable(meaning: Understood, categories: Sequence[str], path: Path, log: Sequence[str]) -> Sequence[str]:
    """As `_of_values`, or why a run would refuse the columns; of text that is to be named nothing is known yet.

    Raises:
        UserError: as from `as_raw`, where logarithms are asked for.
    """
    columns = {n: each for n, each in meaning.columns.items() if each.values.dtype != object or n in categories}
    reading, is_whole = meaning.reading._replace(ignore=(), dates=(), key=()), len(columns) == len(meaning.columns)
    try:
        raw = as_raw(columns, None, categories, path, source=str(path), reading=reading, log=log)
    except UserError as error:
        if log:
            raise
        return [f"a run would refuse it: {str(error).removeprefix(f'{path}: ')}"] if is_whole else []
    return _of_values(raw, path, is_whole=is_whole)


def _of_values(raw: Raw, path: Path, *, is_whole: bool = True) -> tuple[str, ...]:
    """What a run says of the values of a table, besides their range and scaling; of its rows only of a whole one."""
    dataset = dataset_of(f"file:{path}", raw, split(raw, validation=0.0, test=0.0, seed=0), "standard")
    others = (copies(dataset) if is_whole else None, constant_columns(dataset), copied_columns(dataset))
    return (*dataset.understood, *(line.removeprefix(f"{dataset.name}: ") for line in others if line))


def _facts(name: str, column: Cells, is_category: bool) -> tuple[str, ...]:
    values = column.values[~column.missing]
    share = f"{np.mean(column.missing):.1%}"
    if not len(values):
        return name, "nothing; data.ignore is to name it", "", "", share, "0"
    if column.values.dtype == object:
        holds = "categories" if is_category else "text; data.categories or data.ignore is to name it"
        return name, holds, "", "", share, str(len(set(values)))
    return name, "numbers", f"{values.min():.9g}", f"{values.max():.9g}", share, str(len(np.unique(values)))


def _word(value: object, missing: bool) -> str:
    return "(missing)" if missing else value if isinstance(value, str) else f"{value:.9g}"


def _of_documents(raw: Raw, first: int) -> Preview:
    """The first documents by their words that count for most."""
    x, words = raw.train.x[:first], np.array(raw.feature_names, object)
    rows = [
        (str(at), ", ".join(words[np.argsort(-row, kind="stable")[: min(first, (row > 0).sum())]]))
        for at, row in zip(raw.train.source_index + 1, x, strict=False)
    ]
    return Preview(raw.understood, [], ("document", "words"), rows)


def _of_arrays(raw: Raw, first: int) -> Preview:
    x, labels = raw.train.x, raw.train.labels
    label = [()] * first if labels is None else [(raw.label_names[at],) for at in labels[:first]]
    heads = () if labels is None else ("label",)
    if x.ndim == 2:
        missing, x = np.isnan(x), original(x.astype(np.float64), raw.origin, raw.log)
        columns = [Cells(x[:, at], missing[:, at]) for at in range(x.shape[1])]
        facts = [_facts(name, column, False) for name, column in zip(raw.feature_names, columns, strict=True)]
        cells = [list(map(_word, column.values[:first], column.missing[:first])) for column in columns]
        rows = [(*each, *row) for each, row in zip(label, zip(*cells, strict=True), strict=False)]
        return Preview(raw.understood, facts, (*heads, *raw.feature_names), rows)
    numbers = [(f"{np.nanmin(image):g}", f"{np.nanmean(image):.4g}", f"{np.nanmax(image):g}") for image in x[:first]]
    rows = [(str(at), *each, *row) for at, (each, row) in enumerate(zip(label, numbers, strict=False), 1)]
    return Preview(raw.understood, [], ("image", *heads, "least", "mean", "greatest"), rows)
