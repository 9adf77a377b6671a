"""Documents as rows: how often each holds the most frequent words. From a column of text, a folder of files, a list."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data.files import FileRows, is_table, table_of
from aejax.data.images import FILE, NO, classes_of, in_folder, left_out_line, line_on_classes, parts_of
from aejax.data.labels import Labels, as_labels, separate
from aejax.data.sparse import SparseRows, from_csr
from aejax.data.splits import Raw, official_parts
from aejax.data.table_files import decoded
from aejax.data.tables import AGAIN, Reading, expanded, texts, value_of
from aejax.errors import UserError, one_of
from aejax.types import Split

WORDS = 2000  # the most frequent ones
SPLIT = "split"  # the column of a table that names the official parts
WEIGHTINGS = {"log": "log(1 + count)", "tfidf": "TF-IDF, each document to length 1"}
_ENDING, _TEXT = ".txt", "text"
_NAMED = 3  # documents that a line names
_WHOLE_TABLE = ("categories", "dates", "log", "decimal", "labels")  # options of tables of numbers


class Documents(NamedTuple):
    """How documents became rows; their words are the names of the features.

    Attributes:
        column: of the table that holds them; empty of a folder or a list.
        weighting: a key of `WEIGHTINGS`.
        rarity: of each word, what its weight is multiplied with; empty where that is nothing.
    """

    column: str
    weighting: str
    rarity: tuple[float, ...] = ()


class Texts(NamedTuple):
    """Documents that were read.

    Attributes:
        texts: (m,) of all of them, empty ones too.
        is_test: (m,) bool, those of the official test part.
        labels: of all of them; None without.
        keys: by the name of a column that names them, (m,) text.
        lines: on how they were read.
    """

    texts: Sequence[str]
    is_test: np.ndarray
    labels: Labels | None = None
    keys: Mapping[str, np.ndarray] = {}
    lines: tuple[str, ...] = ()


def is_texts(values: Any) -> bool:
    """Whether values in memory are documents: one text each."""
    if isinstance(values, str) or hasattr(values, "tocsr") or getattr(values, "ndim", 1) != 1:
        return False
    listed = list(values) if hasattr(values, "__len__") and not hasattr(values, "columns") else []
    return bool(listed) and all(isinstance(each, str) for each in listed)


def load_documents(name: str, settings: Mapping[str, Any], reading: Reading) -> Raw:
    """The data set of the documents in a column of a table, or of the files in a folder.

    Args:
        name: ``file:PATH`` or ``texts:DIR``, as in `aejax.data.load`.
        settings: its options; `text`, `label_column`, `labels` and `weighting` are looked at, and those of tables of
            numbers are refused.
        reading: how the table is read.

    Raises:
        UserError: there is no such file, folder or column, or it holds no words.
    """
    kind, _, path = name.partition(":")
    for option in _WHOLE_TABLE if kind == "file" else ():
        if settings[option] not in (None, ()):
            raise UserError(f"data.{option}: is not taken beside data.text, whose words are the columns; allowed: None")
    if kind == "file":
        read = _of_table(Path(path).expanduser(), settings["text"], settings["label_column"], reading)
        source, same = f"the file {path}", AGAIN._replace(**reading._replace(key=tuple(read.keys))._asdict())
    else:
        if settings["labels"] not in (None, NO):
            raise UserError(f"data.labels: {settings['labels']!r}; allowed: {NO}, where folders are no classes")
        read = _of_folder(Path(path).expanduser())
        read = read._replace(labels=None) if settings["labels"] == NO else read
        source, same = f"the texts of {path}", AGAIN._replace(key=(FILE,))
    raw = counted(read, settings["weighting"] or "log", settings["text"] or "", name)
    return raw._replace(source=source, reading=same)


def counted(read: Texts, weighting: str, column: str, where: object) -> Raw:
    """Documents as weighted counts of their words.

    The words are the 2000 most frequent ones of the training documents, of all where there is no official test part:
    two letters or longer, in lower case, without the English stop words of scikit-learn. Documents that hold none of
    them are left out.

    Args:
        read: the documents.
        weighting: a key of `WEIGHTINGS`.
        column: as in `Documents`.
        where: what they are from, for messages.

    Raises:
        UserError: a part holds no words.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(stop_words="english", max_features=WORDS)
    try:
        counter.fit([text for text, test in zip(read.texts, read.is_test, strict=True) if not test])
    except ValueError as error:
        raise UserError(f"{where}: the training documents hold no words; allowed: text with words") from error
    counts = counter.transform(read.texts)
    counts.sort_indices()
    sizes = np.diff(counts.indptr)
    rows = {name: np.flatnonzero((sizes > 0) & (read.is_test == test)) for name, test in (("train", 0), ("test", 1))}
    if read.is_test.any() and not len(rows["test"]):
        raise UserError(f"{where}: the test documents hold none of the words; allowed: text with words")
    rarity = rarity_of(counts[rows["train"]]) if weighting == "tfidf" else None
    numbers = None if read.labels is None else read.labels.values
    parts = {
        name: Split(weighted(counts[at], rarity), labels=None if numbers is None else numbers[at], source_index=at)
        for name, at in rows.items()
    }
    return Raw(
        parts["train"],
        parts["test"] if read.is_test.any() else None,
        "text",
        label_names=read.labels.names if read.labels else (),
        feature_names=tuple(counter.get_feature_names_out()),
        understood=(*read.lines, *_lines_on(sizes, counts.shape[1], read, weighting)),
        documents=Documents(column, weighting, () if rarity is None else tuple(rarity.tolist())),
    )


def _lines_on(sizes: np.ndarray, words: int, read: Texts, weighting: str) -> list[str]:
    """Lines on documents with so many different words each."""
    of = "the training documents" if read.is_test.any() else "all documents, test ones too"
    filled, without = sizes[sizes > 0], np.flatnonzero(sizes == 0)
    lines = [
        f"{len(sizes)} documents as the {words} most frequent words of {of}, without English stop words; a document "
        f"holds {filled.min()} to {filled.max()} of them, half of the documents {np.median(filled):g} or more",
        f"a word counts for {WEIGHTINGS[weighting]}",
    ]
    if len(without):
        names = next(iter(read.keys.values()), np.arange(1, len(sizes) + 1).astype(str))
        more = ", …" if len(without) > _NAMED else ""
        named = f"{', '.join(names[without[:_NAMED]])}{more}"
        lines.append(f"left out: {len(without)} documents that hold none of the words ({named})")
    return lines


def rarity_of(counts: Any) -> np.ndarray:
    """log((1 + documents) / (1 + documents with the word)) + 1 of each word: (m, n) counts of scipy -> (n,) float32."""
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    return np.log((1 + counts.shape[0]) / (1 + frequency)).astype(np.float32) + 1


def weighted(counts: Any, rarity: np.ndarray | None) -> SparseRows:
    """log(1 + count); where the rarity of each word is given, times that, and each document to length 1."""
    from scipy.sparse import csr_array, diags_array

    weights = csr_array(counts, dtype=np.float32).log1p()
    if rarity is not None:
        weights = weights @ diags_array(rarity)
        lengths = np.sqrt(weights.multiply(weights).sum(1))
        weights = diags_array(1 / np.where(lengths > 0, lengths, 1)) @ weights
    return from_csr(weights.tocsr())


def new_rows(documents: Sequence[str], words: Sequence[str], form: Documents) -> np.ndarray:
    """New documents as rows like those of training, zero where they hold none of the words: (m, n) float32."""
    from sklearn.feature_extraction.text import CountVectorizer

    counts = CountVectorizer(vocabulary=list(words)).transform(documents)
    return weighted(counts, np.array(form.rarity, np.float32) if form.rarity else None)[:]


def read_documents(
    path: Path,
    form: Documents,
    words: Sequence[str],
    label_column: str | None,
    reading: Reading,
    faults: dict[int, str] | None,
) -> FileRows:
    """The rows of new documents: of a table, of the files in a folder, or of a text file.

    Args:
        path: of them.
        form: how documents became rows in training.
        words: of the features.
        label_column: of the table, where it has it.
        reading: how the table of the training documents was read.
        faults: comes to hold why a document is no row, which is NaN then; None refuses it.

    Raises:
        UserError: they cannot be read, or hold no words.
    """
    if path.is_dir():
        read = _of_folder(path, again=True)
    elif not path.is_file():
        raise UserError(f"{path}: there is no such file or folder")
    elif is_table(path) and (form.column or path.suffix.lower() != _ENDING):
        read = _of_table(path, form.column or _TEXT, label_column, reading, again=True)
    else:
        read = Texts([decoded(path)], np.zeros(1, bool), keys={FILE: np.array([path.name], object)})
    x = new_rows(read.texts, words, form)
    without = np.flatnonzero(~x.any(1))
    why = [f"document {row + 1} holds none of the words" for row in without]
    if len(without) and faults is None:
        raise UserError(f"{path}: {why[0]}")
    x[without] = np.nan
    (faults if faults is not None else {}).update(zip(without.tolist(), why, strict=True))
    if path.is_dir() or read.labels is None:
        return FileRows(x, tuple(words), read.keys, lines=read.lines if path.is_dir() else ())
    return FileRows(x, tuple(words), read.keys, np.array(read.labels.names, object)[read.labels.values])


def _of_table(path: Path, column: str, label_column: str | None, reading: Reading, *, again: bool = False) -> Texts:
    """The documents in a column of a table; its column `SPLIT` may name the official parts, train and test."""
    if not is_table(path) or not path.is_file():
        raise UserError(f"{path}: is no table; allowed: a table with a column of text, or data.name=texts:DIR")
    table = table_of(path, (), label_column, reading)
    label_column = None if again and label_column not in table.columns else label_column
    columns, labels = separate(table.columns, label_column, path)
    if column not in columns:
        raise one_of(column, columns, what=f"data.text, a column of {path}")
    cells = columns[column]
    if cells.values.dtype != object or all(value_of(cell) is not None for cell in cells.values[~cells.missing]):
        raise UserError(f"data.text: column {column!r} of {path} holds numbers; allowed: a column of text")
    keys = [name for name in expanded(reading.key_names(), columns) if name in columns and name != column]
    words = [str(each) for each in columns[SPLIT].values] if SPLIT in columns else [""] * len(cells.values)
    is_test, lines = official_parts(words, f"column {SPLIT!r} names")
    lines = [*table.understood, *lines]
    used = (column, *keys, *([SPLIT] if is_test.any() else []))
    if others := [name for name in columns if name not in used]:
        lines.append(f"columns that are not read: {', '.join(map(repr, others))}")
    documents = np.where(cells.missing, "", cells.values).tolist()
    return Texts(documents, is_test, labels, {name: texts(columns[name]) for name in keys}, tuple(lines))


def _of_folder(folder: Path, *, again: bool = False) -> Texts:
    """The .txt files below a folder; its classes are its subfolders, or those of its two parts train and test."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    files = in_folder(folder, lambda path: path.suffix.lower() == _ENDING, "no .txt")
    left_out = dict(files.left_out)
    documents = {}
    for name in files.names:
        try:
            documents[name] = decoded(folder / name)
        except (UserError, OSError):
            left_out[name] = "no text"
    if not documents:
        raise UserError(f"{folder}: holds no {_ENDING} file that can be read; allowed: a folder of some")
    names = tuple(documents)
    is_test, below, line = (np.zeros(len(names), bool), names, []) if again else parts_of(names)
    labels, lines = classes_of(below), [left_out_line(left_out)] if left_out else []
    lines += line
    keys = {FILE: np.array(names, object)}
    return Texts(list(documents.values()), is_test, labels, keys, (*lines, *line_on_classes(labels, folder)))


def of_list(documents: Sequence[str], labels: Sequence[Any] | None = None) -> Texts:
    """Documents in memory, and their labels where there are some."""
    if not is_texts(documents):
        raise UserError("texts: are no list of texts; allowed: one text or more, one for each document")
    numbers = None if labels is None else as_labels(np.asarray(labels), "y")
    if numbers is not None and len(numbers.values) != len(documents):
        raise UserError(f"y: {len(numbers.values)} labels for {len(documents)} documents")
    return Texts(list(documents), np.zeros(len(documents), bool), numbers)
