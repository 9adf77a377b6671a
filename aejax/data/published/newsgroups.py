"""The 20 newsgroups: from published posts to counts of words in the cache, and from those to weighted sparse rows."""

import tempfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from aejax.data import cache, sparse
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

KEY = "newsgroups-1"
WORDS = 2000
LICENCE = "not stated"
SOURCE = "20 Newsgroups, the bydate version (Lang 1995; Rennie 2008, http://qwone.com/~jason/20Newsgroups/)"
PARTS = ("train", "test")
LONG = {"train": "training", "test": "test"}
TAB_HEADER = 3  # lines that come before the first document: names, types and roles of the columns


class Documents(NamedTuple):
    """Texts and the name of each one's newsgroup."""

    texts: list[str]
    groups: list[str]


def load_newsgroups(weighting: str) -> Raw:
    """The documents as weighted counts of words: from the cache, else from the internet.

    Args:
        weighting: ``"log"`` or ``"tfidf"``, as `aejax.data.load` explains; document frequencies are those of the
            official training documents.

    Returns:
        The rows; x is sparse, (documents, words) float32.

    Raises:
        UserError: nothing is prepared and there is no internet.
    """
    if cache.read(KEY) is None:
        prepare_newsgroups(None)
    arrays, details = cache.read(KEY)
    weigh = _weigher(_matrix(arrays, "train", details), weighting)
    train, test = (Split(weigh(_matrix(arrays, part, details)), labels=arrays[f"{part}_labels"]) for part in PARTS)
    return Raw(
        train=train,
        test=test,
        kind="text",
        licence=LICENCE,
        source=SOURCE,
        label_names=tuple(details["label_names"]),
        feature_names=tuple(details["words"]),
    )


def _matrix(arrays: cache.Arrays, part: str, details: Mapping[str, Any]) -> Any:
    from scipy.sparse import csr_array

    parts = [np.asarray(arrays[f"{part}_{name}"]) for name in ("counts", "columns", "ends")]
    return csr_array((parts[0].astype(np.float32), *parts[1:]), shape=(len(parts[2]) - 1, len(details["words"])))


def _weigher(train: Any, weighting: str) -> Any:
    """``counts -> SparseRows``."""
    from scipy.sparse import diags_array

    documents, frequency = train.shape[0], np.bincount(train.indices, minlength=train.shape[1])
    rarity = np.log((1 + documents) / (1 + frequency)).astype(np.float32) + 1

    def weigh(counts: Any) -> sparse.SparseRows:
        found = counts.log1p()
        if weighting == "tfidf":
            found = found @ diags_array(rarity)
            length = np.sqrt(found.multiply(found).sum(1))
            found = diags_array(1 / length) @ found
        return sparse.from_csr(found.tocsr())

    return weigh


def prepare_newsgroups(source_dir: str | None) -> Path:
    """Counts the words of all documents into the cache.

    The words are the most frequent ones of the training documents, two letters or longer, in lower case, without the
    stop words of scikit-learn. Of a post its header is left out, quotes and signatures are kept. Documents without any
    of the words are left out, which is said.

    Args:
        source_dir: folder that holds the official parts: two folders ``…train`` and ``…test`` with a folder for each
            newsgroup and a file for each post, or two files ``…train.tab`` and ``…test.tab`` of the data-mining program
            Orange, already without headers. Downloaded through scikit-learn where None.

    Returns:
        The folder of the cache entry.

    Raises:
        UserError: the folder holds something else, or there is no internet.
    """
    if source_dir is None and cache.exists(KEY):
        return cache.root() / KEY
    documents = _download() if source_dir is None else read_folder(Path(source_dir).expanduser())
    cache.drop(KEY)
    cache.build(KEY, lambda target: _count(documents, target))
    return cache.root() / KEY


def _count(documents: Mapping[str, Documents], target: Path) -> dict[str, Any]:
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(stop_words="english", max_features=WORDS)
    try:
        counter.fit(documents["train"].texts)
    except ValueError as error:
        raise UserError("newsgroups: the training documents hold no words") from error
    names = sorted(set(documents["train"].groups))
    for part, (texts, groups) in documents.items():
        found, labels = counter.transform(texts), np.array([names.index(group) for group in groups], np.int32)
        kept = np.diff(found.indptr) > 0
        if not kept.all():
            cache.say(f"newsgroups: {(~kept).sum()} {LONG[part]} documents hold none of the words and are left out")
        found = found[kept]
        found.sort_indices()
        np.save(target / f"{part}_counts.npy", np.minimum(found.data, 65535).astype(np.uint16))
        np.save(target / f"{part}_columns.npy", found.indices.astype(np.int32))
        np.save(target / f"{part}_ends.npy", found.indptr.astype(np.int32))
        np.save(target / f"{part}_labels.npy", labels[kept])
    return {"label_names": names, "words": counter.get_feature_names_out().tolist()}


def read_folder(folder: Path) -> dict[str, Documents]:
    """The documents of both official parts in a folder, as `prepare_newsgroups` describes it.

    Raises:
        UserError: a part is missing, or a file is no such table.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    found = {part: _read_part(folder, part) for part in PARTS}
    strange = sorted(set(found["test"].groups) - set(found["train"].groups))
    if strange:
        raise UserError(f"{folder}: the newsgroup {strange[0]!r} has test documents and no training ones")
    return found


def _read_part(folder: Path, part: str) -> Documents:
    trees = [path for path in sorted(folder.glob(f"*{part}")) if path.is_dir()]
    tables = sorted(folder.glob(f"*newsgroups*{part}.tab"))
    if len(trees) + len(tables) != 1:
        raise UserError(
            f"{folder}: has {len(trees) + len(tables)} {part} parts; needed is one folder whose name ends in '{part}'"
            f" with a folder for each newsgroup, or one file '20newsgroups-{part}.tab'"
        )
    found = _read_tree(trees[0]) if trees else _read_table(tables[0])
    if not found.texts:
        raise UserError(f"{(trees or tables)[0]}: holds no document")
    return found


def _read_tree(folder: Path) -> Documents:
    files = [path for path in sorted(folder.glob("*/*")) if path.is_file()]
    bodies = [path.read_text(encoding="latin-1").partition("\n\n")[2] for path in files]
    return Documents(bodies, [path.parent.name for path in files])


def _read_table(path: Path) -> Documents:
    lines = path.read_text(encoding="utf-8").split("\n")[TAB_HEADER:]
    cells = [line.split("\t") for line in lines if line]
    for number, row in enumerate(cells, TAB_HEADER + 1):
        if len(row) != 2:
            raise UserError(f"{path}: line {number} has {len(row)} cells; needed are two, the newsgroup and the text")
    return Documents([row[1] for row in cells], [row[0] for row in cells])


def _download() -> dict[str, Documents]:
    from sklearn.datasets import fetch_20newsgroups

    cache.say("downloading 20 newsgroups through scikit-learn")
    try:
        with tempfile.TemporaryDirectory(prefix="aejax-") as scratch:
            fetch = lambda part: fetch_20newsgroups(data_home=scratch, subset=part, shuffle=False, remove=("headers",))
            found = {part: fetch(part) for part in PARTS}
    except (OSError, HTTPException) as error:
        raise UserError(
            f"newsgroups: not prepared, and its server does not answer ({getattr(error, 'reason', error)}); with the "
            "files at hand: aejax data prepare newsgroups --from DIR"
        ) from error
    return {part: Documents(b.data, [b.target_names[label] for label in b.target]) for part, b in found.items()}
