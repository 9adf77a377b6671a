"""Tables of the UCI repository: from any of the files in which they are published to the same arrays in the cache."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data import cache
from aejax.data.published import downloading, downloads
from aejax.data.published.uci_catalogue import LICENCE, TABLES, Table
from aejax.data.splits import Raw, permutation
from aejax.data.tables import BLANKS, decoded, number, read_cells
from aejax.errors import UserError
from aejax.storage import records
from aejax.types import Split

OPENML = "https://www.openml.org/api/v1/json/data/{}"
DESCRIPTION = {"data_set_description": {"url": str, "md5_checksum": str}}
"""The form of what lies there."""

VERSION = 1  # of the arrays in the cache
_R_ENDINGS = (".rda", ".rdata")
_LABEL_NAMES = ("class", "classes", "lettr", "type", "label", "target")  # what the published headers call the label
_COMMENTS = ("@", "%", ";")  # begin the lines of KEEL, ARFF and UCI that hold no row

Arrays = tuple[np.ndarray, np.ndarray]


class Cells(NamedTuple):
    """Text of shape (rows, columns), and a name for each column where the file holds names."""

    names: tuple[str, ...] | None
    rows: np.ndarray


def table_key(name: str) -> str:
    """The name of the cache entry."""
    return f"table-{name}-{VERSION}"


def load_table(name: str) -> Raw:
    """The rows of a published table: from the cache, else from the internet.

    Args:
        name: a key of `TABLES`.

    Returns:
        The rows, float32. Official parts are pooled, since most forms of the tables do not tell them apart.

    Raises:
        UserError: it is not prepared and there is no internet.
    """
    arrays, _ = cache.made(table_key(name), lambda: prepare_table(name, None))
    table = TABLES[name]
    return Raw(
        train=Split(arrays["x"], labels=arrays["labels"]),
        test=None,
        kind="table",
        licence=LICENCE,
        source=table.citation,
        label_names=tuple(c.name for c in table.classes),
        feature_names=table.features,
    )


def prepare_table(name: str, source: str | None) -> Path:
    """Writes a published table into the cache.

    Args:
        name: a key of `TABLES`.
        source: a file, or a folder with the files of one of the published forms; files that belong together, such as
            ``optdigits.tra`` and ``optdigits.tes``, are pooled, also where one of them is named. It is downloaded where
            None and where nothing is prepared.

    Returns:
        The folder of the cache that holds it.

    Raises:
        UserError: the files are missing or hold something else, or there is no internet; what was prepared stays.
    """
    key = table_key(name)
    if source is not None or cache.read(key) is None:
        path = None if source is None else Path(source).expanduser()
        table = TABLES[name]
        if path is None:
            x, labels = _download(name)
        else:
            parts = [to_arrays(_read(file), file, table) for file in _files(path, name, table)]
            x, labels = map(np.concatenate, zip(*parts, strict=True))
        _check_rows(x, labels, name, path)
        x, labels = _in_order(x, labels)
        cache.drop(key)
        cache.build(key, lambda target: _write(target, x, labels))
    return cache.root() / key


def _write(target: Path, x: np.ndarray, labels: np.ndarray) -> Mapping[str, Any]:
    np.save(target / "x.npy", x)
    np.save(target / "labels.npy", labels)
    return {}


def _check_rows(x: np.ndarray, labels: np.ndarray, name: str, path: Path | None) -> None:
    table, where = TABLES[name], path or "what was downloaded"
    if len(x) != table.rows:
        raise UserError(f"{where}: has {len(x)} rows; {name} has {table.rows}")
    for label, known in enumerate(table.classes):
        count = int(np.sum(labels == label))
        if count != known.rows:
            raise UserError(f"{where}: has {count} rows of class {known.name!r}; {name} has {known.rows}")


def _in_order(x: np.ndarray, labels: np.ndarray) -> Arrays:
    """Sorted and then shuffled once and for all, so that splits do not depend on the order of the source."""
    order = np.lexsort((labels, *x.T[::-1]))[permutation(0, len(x))]
    return x[order], labels[order]


def _download(name: str) -> Arrays:
    table = TABLES[name]
    server = "openml.org" if table.url is None else table.url
    forms = ", or ".join(" and ".join(form) for form in table.files)
    with downloading(name, f"{name} ({table.title})", server, f"the files at hand ({forms}, or {name}.csv)", "PATH"):
        cells = _from_openml(table) if table.url is None else _from_url(table.url)
    return to_arrays(cells, server, table)


def _from_openml(table: Table) -> Cells:
    where = OPENML.format(table.openml)
    described = records.check(records.parse(downloads.fetch(where), where), DESCRIPTION, where)["data_set_description"]
    url = described["url"].replace("http://", "https://", 1)
    content = downloads.fetch(url)
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != described["md5_checksum"]:
        raise UserError(f"{url}: was cut short or changed; try again")
    return _split(content.decode("utf-8-sig"), url)


def _from_url(url: str) -> Cells:
    return _split(downloads.fetch(url).decode("utf-8-sig"), url)


def _files(path: Path, name: str, table: Table) -> list[Path]:
    """The files of the first published form that is whole."""
    forms = (*table.files, (f"{name}.csv",), (f"{name}.dat",))
    if path.is_file():
        folder, forms = path.parent, [f for f in table.files if path.name in f] or [(path.name,)]
    elif path.is_dir():
        folder = path
    else:
        raise UserError(f"{path}: there is no such file or folder")
    for form in forms:
        if all((folder / file).is_file() for file in form):
            return [folder / file for file in form]
    for form in forms:
        missing = [file for file in form if not (folder / file).is_file()]
        if len(missing) < len(form):
            (other,) = set(form) - set(missing)
            raise UserError(f"{folder}: the file {missing[0]} is missing beside {other}")
    raise UserError(f"{folder}: holds none of {', or '.join(' and '.join(form) for form in forms)}")


def _read(path: Path) -> Cells:
    try:
        return _read_r(path) if path.suffix.lower() in _R_ENDINGS else _split(decoded(path), path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_r(path: Path) -> Cells:
    try:
        import pyreadr
    except ImportError as error:
        raise UserError(f"{path}: reading .rda needs pyreadr: pip install 'aejax[r]'") from error
    try:
        frames = list(pyreadr.read_r(str(path)).values())
    except (pyreadr.LibrdataError, pyreadr.PyreadrError) as error:
        raise UserError(f"{path}: not a readable file of R: {str(error).strip()}") from error
    if len(frames) != 1 or frames[0] is None:
        raise UserError(f"{path}: holds {len(frames)} tables; expected one")
    return Cells(tuple(map(str, frames[0].columns)), frames[0].astype(str).to_numpy().astype(str))


def _split(text: str, where: Path | str) -> Cells:
    """Cells between commas, or else between blanks; the line before the first with a number may hold names."""
    separator = "," if "," in text else BLANKS
    lines = ["" if line.startswith(_COMMENTS) else line for line in text.splitlines()]
    split = lambda line: [cell.strip(" \t\"'") for cell in line.split(None if separator == BLANKS else separator)]
    start = next((at for at, line in enumerate(lines) if any(map(_is_number, split(line)))), None)
    if start is None:
        raise UserError(f"{where}: there is no row of numbers")
    rows = np.char.strip(read_cells("\n" * start + "\n".join(lines[start:]), separator, where).astype(str), " \t\"'")
    names = next((split(line) for line in reversed(lines[:start]) if line.strip()), ())
    return Cells(tuple(names) if len(names) == rows.shape[1] else None, rows)


def to_arrays(cells: Cells, path: Path | str, table: Table) -> Arrays:
    """Numbers and class numbers of cells of text.

    The label is the column with a name for it; without names the one with text, else the last.

    Args:
        cells: of a file.
        path: for messages.
        table: what is known of it.

    Returns:
        x (rows, features) float32, labels (rows,) int32.

    Raises:
        UserError: there are more or fewer columns, a cell is no number, or a label is no class of the table.
    """
    names, rows = cells
    if rows.shape[1] == len(table.features) + 1 + table.keys:
        names, rows = names and names[table.keys :], rows[:, table.keys :]
    if rows.shape[1] != len(table.features) + 1:
        raise UserError(f"{path}: has {rows.shape[1]} columns; expected {len(table.features)} features and one label")
    label = next((at for at, name in enumerate(names or ()) if name.lower() in _LABEL_NAMES), None)
    if label is None:
        label = next((at for at, cell in enumerate(rows[0]) if number(cell) is None), len(rows[0]) - 1)
    return _numbers(np.delete(rows, label, axis=1), path), _class_numbers(rows[:, label], path, table)


def _is_number(cell: str) -> bool:
    value = number(cell)
    return value is not None and bool(np.isfinite(value))


def _numbers(cells: np.ndarray, path: Path | str) -> np.ndarray:
    try:
        values = cells.astype(np.float64)
        if np.isfinite(values).all():
            return values.astype(np.float32)
    except ValueError:
        pass  # the cell is named below
    row, column = next(at for at in np.ndindex(cells.shape) if not _is_number(cells[at]))
    raise UserError(f"{path}: row {row + 1} holds {str(cells[row, column])!r} as feature {column + 1}; not a number")


def _class_numbers(cells: np.ndarray, path: Path | str, table: Table) -> np.ndarray:
    number_of = {_plain(s): i for i, c in enumerate(table.classes) for s in (c.name, *c.spellings)}
    spellings, inverse = np.unique(cells, return_inverse=True)
    for cell in spellings:
        if _plain(cell) not in number_of:
            raise UserError(
                f"{path}: holds the label {str(cell)!r}; expected {', '.join(c.name for c in table.classes)}"
            )
    return np.asarray([number_of[_plain(cell)] for cell in spellings], np.int32)[inverse]


def _plain(label: str) -> str:
    """A label without what the published files disagree in: ``Rad.Flow`` and ``1.`` are ``rad flow`` and ``1``."""
    return f"{float(label):g}" if _is_number(label) else label.strip().lower().replace(".", " ")
