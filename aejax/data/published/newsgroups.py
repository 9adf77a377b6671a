"""The 20 newsgroups: from published posts to counts of words, and from those to weighted sparse rows."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.console import complain
from aejax.data import cache
from aejax.data.documents import WORDS, rarity_of, weighted
from aejax.data.published import Family, Options, downloading, save
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

LICENCE = "not stated"
SOURCE = "20 Newsgroups, the bydate version (Lang 1995; Rennie 2008, http://qwone.com/~jason/20Newsgroups/)"
PARTS = ("train", "test")
LONG = {"train": "training", "test": "test"}
TAB_HEADER = 3  # lines that come before the first document: names, types and roles of the columns


Documents = tuple[list[str], list[str]]
"""Texts and the name of each one's newsgroup."""


def _raw(name: str, arrays: cache.Arrays, details: Mapping[str, Any], options: Options) -> Raw:
    """The documents as weighted counts of words; document frequencies are those of the official training documents."""
    counts = {part: _counts(arrays, part, details) for part in PARTS}
    rarity = rarity_of(counts["train"]) if options["weighting"] == "tfidf" else None
    train, test = (Split(weighted(counts[part], rarity), labels=arrays[f"{part}_labels"]) for part in PARTS)
    labels, words = tuple(details["label_names"]), tuple(details["words"])
    return Raw(train, test, "text", LICENCE, SOURCE, label_names=labels, feature_names=words)


def _counts(arrays: cache.Arrays, part: str, details: Mapping[str, Any]) -> Any:
    from scipy.sparse import csr_array

    counts, columns, ends = (np.asarray(arrays[f"{part}_{name}"]) for name in ("counts", "columns", "ends"))
    return csr_array((counts.astype(np.float32), columns, ends), shape=(len(ends) - 1, len(details["words"])))


def _make(name: str, source: Path | None, options: Options, target: Path) -> dict[str, Any]:
    """Counts the words of all documents.

    The words are the most frequent ones of the training documents, two letters or longer, in lower case, without the
    stop words of scikit-learn. Of a post its header is left out, quotes and signatures are kept. Documents without any
    of the words are left out, which is said.

    Args:
        name: of the data set.
        source: folder that holds the official parts: two folders ``…train`` and ``…test`` with a folder for each
            newsgroup and a file for each post, or two files ``…train.tab`` and ``…test.tab`` of the data-mining program
            Orange, already without headers. Downloaded through scikit-learn where None.
        options: not looked at.
        target: the folder to write to.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    documents = _download(target) if source is None else _read_folder(source)
    counter = CountVectorizer(stop_words="english", max_features=WORDS)
    try:
        counter.fit(documents["train"][0])
    except ValueError as error:
        raise UserError("newsgroups: the training documents hold no words") from error
    groups = np.unique(documents["train"][1])
    for part, (texts, group) in documents.items():
        counts, labels = counter.transform(texts), np.searchsorted(groups, group).astype(np.int32)
        with_words = np.diff(counts.indptr) > 0
        if without := int((~with_words).sum()):
            complain(f"newsgroups: {without} {LONG[part]} documents hold none of the words and are left out")
        counts = counts[with_words]
        counts.sort_indices()
        arrays = {"counts": np.minimum(counts.data, 65535).astype(np.uint16), "labels": labels[with_words]}
        arrays |= {"columns": counts.indices.astype(np.int32), "ends": counts.indptr.astype(np.int32)}
        save(target, **{f"{part}_{array}": values for array, values in arrays.items()})
    return {"label_names": groups.tolist(), "words": counter.get_feature_names_out().tolist()}


def _read_folder(folder: Path) -> dict[str, Documents]:
    """The documents of both official parts in a folder, as `_make` describes it.

    Raises:
        UserError: a part is missing, or a file is no such table.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    parts = {part: _read_part(folder, part) for part in PARTS}
    if strange := sorted(set(parts["test"][1]) - set(parts["train"][1])):
        raise UserError(f"{folder}: the newsgroup {strange[0]!r} has test documents and no training ones")
    return parts


def _read_part(folder: Path, part: str) -> Documents:
    trees = [path for path in sorted(folder.glob(f"*{part}")) if path.is_dir()]
    tables = sorted(folder.glob(f"*newsgroups*{part}.tab"))
    if len(trees) + len(tables) != 1:
        raise UserError(
            f"{folder}: has {len(trees) + len(tables)} {part} parts; needed is one folder whose name ends in '{part}'"
            f" with a folder for each newsgroup, or one file '20newsgroups-{part}.tab'"
        )
    documents = _read_tree(trees[0]) if trees else _read_table(tables[0])
    if not documents[0]:
        raise UserError(f"{(trees or tables)[0]}: holds no document")
    return documents


def _read_tree(folder: Path) -> Documents:
    files = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    bodies = [path.read_text(encoding="latin-1").partition("\n\n")[2] for path in files]
    return bodies, [path.parent.name for path in files]


def _read_table(path: Path) -> Documents:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[TAB_HEADER:]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no text in UTF-8 ({error.reason} at byte {error.start})") from error
    cells = [line.split("\t") for line in lines if line]
    for number, row in enumerate(cells, TAB_HEADER + 1):
        if len(row) != 2:
            raise UserError(f"{path}: line {number} has {len(row)} cells; needed are two, the newsgroup and the text")
    return [row[1] for row in cells], [row[0] for row in cells]


def _download(folder: Path) -> dict[str, Documents]:
    from sklearn.datasets import fetch_20newsgroups

    fetch = lambda part, home: fetch_20newsgroups(data_home=home, subset=part, shuffle=False, remove=("headers",))
    with (
        downloading("newsgroups", "20 newsgroups", "the server of scikit-learn"),
        tempfile.TemporaryDirectory(dir=folder) as scratch,
    ):
        parts = {part: fetch(part, scratch) for part in PARTS}
    return {part: (b.data, [b.target_names[label] for label in b.target]) for part, b in parts.items()}


NEWSGROUPS = Family(lambda name, options: "newsgroups-1", _make, _raw, takes=("weighting",))
