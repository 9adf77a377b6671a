"""Tables of the UCI repository: from any of the files in which they are published to the same arrays."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data import cache
from aejax.data.published import Family, Options, downloading, fetch, save
from aejax.data.splits import Raw, permutation
from aejax.data.table_files import decoded, read_cells
from aejax.data.tables import BLANKS, number
from aejax.errors import UserError, first_line
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


Cells = tuple[Sequence[str] | None, np.ndarray]
"""A name for each column, where the file holds names, and text of shape (rows, columns)."""


class Class(NamedTuple):
    """One class: its name, how many rows it has, and how else the published files spell it."""

    name: str
    rows: int
    spellings: tuple[str, ...] = ()


class Table(NamedTuple):
    """One published table of numbers with one label for each row.

    Attributes:
        title: for people.
        features: one name for each.
        classes: in the order of their numbers.
        files: the forms in which it is published, each a set of files whose rows are pooled.
        citation: in one line.
        openml: its number at openml.org, or None.
        url: of a CSV file with a header, where it is not taken from openml.org.
        keys: how many columns of names may stand before the features; they are left out.
    """

    title: str
    features: tuple[str, ...]
    classes: tuple[Class, ...]
    files: tuple[tuple[str, ...], ...]
    citation: str
    openml: int | None = None
    url: str | None = None
    keys: int = 0

    @property
    def rows(self) -> int:
        """How many, in all classes together."""
        return sum(c.rows for c in self.classes)


LICENCE = "CC BY 4.0"  # that of the UCI Machine Learning Repository, from which all of them come


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _digits(*rows: int) -> tuple[Class, ...]:
    return tuple(Class(str(digit), count) for digit, count in enumerate(rows))


def _numbered(names: tuple[str, ...], *rows: int) -> tuple[Class, ...]:
    """Classes that some files give by numbers from 1 on."""
    return tuple(Class(name, rows[i], (str(i + 1),)) for i, name in enumerate(names))


_POSITIONS = ("Rad Flow", "Fpv Close", "Fpv Open", "High", "Bypass", "Bpv Close", "Bpv Open")
_LETTER_ROWS = (
    *(789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792),
    *(783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734),
)
_WORDS = _names(
    "make address all 3d our over remove internet order mail receive will people report addresses free business email"
    " you credit your font 000 money hp hpl george 650 lab labs telnet 857 data 415 85 technology 1999 parts pm direct"
    " cs meeting original project re edu table conference"
)
_SEGMENT = _names(
    "region-centroid-col region-centroid-row region-pixel-count short-line-density-5 short-line-density-2 vedge-mean"
    " vedge-sd hedge-mean hedge-sd intensity-mean rawred-mean rawblue-mean rawgreen-mean exred-mean exblue-mean"
    " exgreen-mean value-mean saturation-mean hue-mean"
)

TABLES = {
    "letter": Table(
        title="printed capital letters by 16 moments and counts",
        features=_names(
            "x-box y-box width high onpix x-bar y-bar x2bar y2bar xybar x2ybr xy2br x-ege xegvy y-ege yegvx"
        ),
        classes=tuple(Class(chr(65 + i), rows) for i, rows in enumerate(_LETTER_ROWS)),
        files=(("letter-recognition.data",), ("LetterRecognition.rda",)),
        citation="UCI Letter Recognition (Slate 1991, doi 10.24432/C5ZP40)",
        openml=6,
    ),
    "shuttle": Table(
        title="positions of radiators in the Space Shuttle",
        features=("time", *(f"sensor {i}" for i in range(2, 10))),
        classes=_numbered(_POSITIONS, 45_586, 50, 171, 8903, 3267, 10, 13),
        files=(("shuttle.trn", "shuttle.tst"), ("Shuttle.rda",)),
        citation="UCI Statlog (Shuttle) (Catlett, doi 10.24432/C5WS31)",
        openml=40_685,
    ),
    "ionosphere": Table(
        title="radar returns from the ionosphere",
        features=tuple(f"pulse {p} {part}" for p in range(1, 18) for part in ("real", "imaginary")),
        classes=(Class("bad", 126, ("b",)), Class("good", 225, ("g",))),
        files=(("ionosphere.data",), ("Ionosphere.rda",)),
        citation="UCI Ionosphere (Sigillito, Wing, Hutton and Baker 1989, doi 10.24432/C5W01B)",
        openml=59,
    ),
    "spambase": Table(
        title="word and character frequencies of e-mails",
        features=(
            *(f"word_freq_{word}" for word in _WORDS),
            *(f"char_freq_{char}" for char in ";([!$#"),
            *(f"capital_run_length_{what}" for what in ("average", "longest", "total")),
        ),
        classes=(Class("nonspam", 2788, ("0",)), Class("spam", 1813, ("1",))),
        files=(("spambase.data",), ("spam.rda",)),
        citation="UCI Spambase (Hopkins, Reeber, Forman and Suermondt 1999, doi 10.24432/C53G6X)",
        openml=44,
    ),
    "musk": Table(
        title="shapes of molecules, musk or not (version 1)",
        features=tuple(f"f{i}" for i in range(1, 167)),
        classes=(Class("non-musk", 269, ("0",)), Class("musk", 207, ("1",))),
        files=(("clean1.data",), ("musk.rda",)),
        citation="UCI Musk (Version 1) (Chapman and Jain 1994, doi 10.24432/C5ZK5B)",
        url="https://archive.ics.uci.edu/static/public/74/data.csv",
        keys=2,
    ),
    "segment": Table(
        title="3×3 pixels of outdoor images",
        features=_SEGMENT,
        classes=_numbered(("brickface", "sky", "foliage", "cement", "window", "path", "grass"), *[330] * 7),
        files=(("segmentation.data", "segmentation.test"),),
        citation="UCI Image Segmentation (1990, doi 10.24432/C5GP4N)",
        openml=36,
    ),
    "optdigits": Table(
        title="handwritten digits of 43 people, 8×8 counts",
        features=tuple(f"row {r} column {c}" for r in range(1, 9) for c in range(1, 9)),
        classes=_digits(554, 571, 557, 572, 568, 558, 558, 566, 554, 562),
        files=(("optdigits.tra", "optdigits.tes"),),
        citation="UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, doi 10.24432/C50P49)",
        openml=28,
    ),
    "penbased": Table(
        title="handwritten digits as 8 points of a pen",
        features=tuple(f"{axis}{i}" for i in range(1, 9) for axis in "xy"),
        classes=_digits(1143, 1143, 1144, 1055, 1144, 1055, 1056, 1142, 1055, 1055),
        files=(("pendigits.tra", "pendigits.tes"),),
        citation="UCI Pen-Based Recognition of Handwritten Digits (Alpaydin and Alimoglu 1996, doi 10.24432/C5MG6K)",
        openml=32,
    ),
}


def _raw(name: str, arrays: cache.Arrays, details: Mapping[str, Any], options: Options) -> Raw:
    """The rows, float32. Official parts are pooled, since most forms of the tables do not tell them apart."""
    table, rows = TABLES[name], Split(arrays["x"], labels=arrays["labels"])
    labels = tuple(c.name for c in table.classes)
    return Raw(rows, None, "table", LICENCE, table.citation, label_names=labels, feature_names=table.features)


def _make(name: str, source: Path | None, options: Options, target: Path) -> Mapping[str, Any]:
    """Writes the rows of a table.

    Args:
        name: a key of `TABLES`.
        source: a file, or a folder with the files of one of the published forms; files that belong together, such as
            ``optdigits.tra`` and ``optdigits.tes``, are pooled, also where one of them is named. Downloaded where None.
        options: none.
        target: the folder to write to.

    Raises:
        UserError: the files are missing or hold something else, or there is no internet.
    """
    table = TABLES[name]
    if source is None:
        parts = [_download(name, table)]
    else:
        parts = [_to_arrays(_read(file), file, table) for file in _files(source, name, table)]
    x, labels = map(np.concatenate, zip(*parts, strict=True))
    where = source or "what was downloaded"
    if len(x) != table.rows:
        raise UserError(f"{where}: has {len(x)} rows; {name} has {table.rows}")
    for label, known in enumerate(table.classes):
        count = int(np.sum(labels == label))
        if count != known.rows:
            raise UserError(f"{where}: has {count} rows of class {known.name!r}; {name} has {known.rows}")
    order = np.lexsort((labels, *x.T[::-1]))[permutation(0, len(x))]  # splits do not depend on that of the source
    save(target, x=x[order], labels=labels[order])
    return {}


def _download(name: str, table: Table) -> Arrays:
    server = table.url or "openml.org"
    forms = ", or ".join(" and ".join(form) for form in table.files)
    with downloading(name, f"{name} ({table.title})", server, f"the files at hand ({forms}, or {name}.csv)", "PATH"):
        url = table.url or OPENML.format(table.openml)
        content = fetch(url)
        if table.url is None:
            described = records.check(records.parse(content, url), DESCRIPTION, url)["data_set_description"]
            url = described["url"].replace("http://", "https://", 1)
            content = fetch(url)
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != described["md5_checksum"]:
                raise UserError(f"{url}: was cut short or changed; try again")
        cells = _split(content.decode("utf-8-sig"), url)
    return _to_arrays(cells, server, table)


def _files(path: Path, name: str, table: Table) -> list[Path]:
    """The files of the first published form that is whole."""
    forms, folder = (*table.files, (f"{name}.csv",), (f"{name}.dat",)), path
    if path.is_file():
        folder, forms = path.parent, [f for f in table.files if path.name in f] or [(path.name,)]
    elif not path.is_dir():
        raise UserError(f"{path}: there is no such file or folder")
    missing = {form: [file for file in form if not (folder / file).is_file()] for form in forms}
    for form in forms:
        if not missing[form]:
            return [folder / file for file in form]
    for form in forms:
        if len(missing[form]) < len(form):
            (other,) = set(form) - set(missing[form])
            raise UserError(f"{folder}: the file {missing[form][0]} is missing beside {other}")
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
    except Exception as error:  # damaged files raise whatever their parsers do
        raise UserError(f"{path}: not a readable file of R: {first_line(error)}") from error
    if len(frames) != 1 or frames[0] is None:
        raise UserError(f"{path}: holds {len(frames)} tables; expected one")
    return tuple(map(str, frames[0].columns)), frames[0].astype(str).to_numpy().astype(str)


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
    return names if len(names) == rows.shape[1] else None, rows


def _to_arrays(cells: Cells, path: Path | str, table: Table) -> Arrays:
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
    values = np.array([[number(cell) for cell in row] for row in cells], np.float64)  # text is NaN
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        cell = str(cells[row, column])
        raise UserError(f"{path}: row {row + 1} holds {cell!r} as feature {column + 1}; not a number")
    return values.astype(np.float32)


def _class_numbers(cells: np.ndarray, path: Path | str, table: Table) -> np.ndarray:
    number_of = {_plain(s): i for i, c in enumerate(table.classes) for s in (c.name, *c.spellings)}
    for cell in cells:
        if _plain(cell) not in number_of:
            expected = ", ".join(c.name for c in table.classes)
            raise UserError(f"{path}: holds the label {str(cell)!r}; expected {expected}")
    return np.array([number_of[_plain(cell)] for cell in cells], np.int32)


def _plain(label: str) -> str:
    """A label without what the published files disagree in: ``Rad.Flow`` and ``1.`` are ``rad flow`` and ``1``."""
    return f"{float(label):g}" if _is_number(label) else label.strip().lower().replace(".", " ")


UCI = Family(lambda name, options: f"table-{name}-{VERSION}", _make, _raw)
