"""Semantic hashing: rows as a few bits, which say by exclusive-or and a count which rows are alike."""

from dataclasses import dataclass
from typing import Any, Self
from warnings import warn

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from aejax.data import from_texts
from aejax.data.documents import is_texts, new_rows
from aejax.errors import UserError
from aejax.estimators.base import Estimator
from aejax.metrics import hamming
from aejax.types import Dataset

OF_DOCUMENTS = 1e-3  # weight of the reconstruction, as in lecture/hashing:newsgroups


@dataclass(kw_only=True, repr=False, eq=False)
class SemanticHasher(ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """Rows or documents as bits, of which those of a kind share most; see `aejax.tasks.hashing`.

    A bit is 1 where a unit of the code is above its median over the rows that were trained on.

    >>> import numpy as np
    >>> from aejax.estimators import SemanticHasher
    >>> x = np.random.default_rng(0).normal(size=(100, 6))
    >>> hasher = SemanticHasher(bits=16, steps=30, random_state=0).fit(x)
    >>> hasher.transform(x[:3]).shape
    (3, 2)
    >>> distances, index = hasher.kneighbors(x[:3], n_neighbors=5)
    >>> index.shape
    (3, 5)

    Documents are a list of texts. They become TF-IDF of their 2000 most frequent words (`aejax.data.from_texts`).

    >>> texts = ["the cat sat", "a cat and a dog", "stocks fell", "stocks and bonds rose"] * 5
    >>> hasher = SemanticHasher(bits=8, steps=30, random_state=0).fit(texts)
    >>> hasher.transform(["a cat", "bonds"]).shape
    (2, 1)

    Hyperparameters beside those of `aejax.estimators.base.Estimator`:
        bits: b, units of the code, at most 256.

    Attributes:
        codes_: (rows, ⌈b/8⌉) uint8, the bits of the rows that it was fitted to, as of `transform`.

    References:
        Salakhutdinov & Hinton 2009, Semantic hashing.
    """

    config: Any = "lecture/hashing"
    bits: int = 32

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # whatever goes in, bits come out
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X, (m, n), sparse ones among them, or on texts, and hash all of them; y is passed over."""
        self._train(X, **{"model.code": self.bits})
        self.codes_ = self.transform(X)
        return self

    def _sizes(self, dataset: Dataset) -> dict[str, Any]:
        return {"terms.reconstruction.weight": OF_DOCUMENTS} if dataset.kind == "text" else {}

    def _dataset(self, x: Any, y: Any, seed: int, weight: np.ndarray | None) -> Dataset:
        if not is_texts(x):
            return super()._dataset(x, y, seed, weight)
        share = float(self.validation_fraction)
        drawn = {"validation": share, "seed": seed} if int(len(x) * share) >= 1 else {"validation": 0.0}
        dataset = from_texts(x, test=0.0, **drawn)
        self.n_features_in_, self.fill_ = dataset.feature_shape[0], np.zeros(dataset.feature_shape)
        return dataset

    def _values(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        form = self.fitted_.data.documents
        if form is None or not is_texts(x):
            return super()._values(x)
        rows = new_rows(x, self.fitted_.data.feature_names, form)
        if without := int((~rows.any(1)).sum()):
            warn(f"{without} of {len(rows)} documents hold none of the words; their bits say nothing", stacklevel=3)
        return rows

    @property
    def _n_features_out(self) -> int:
        return -(-self.fitted_.model.code_size // 8)

    def transform(self, X: Any) -> np.ndarray:
        """The bits of rows, or of texts, eight to a byte, the first is the lowest: (m, n) -> (m, ⌈b/8⌉) uint8."""
        bits = self._apply("hash", X).values
        return np.packbits(np.stack(list(bits.values()), axis=1), axis=1, bitorder="little")

    def kneighbors(self, X: Any = None, n_neighbors: int = 5, return_distance: bool = True) -> Any:
        """The rows that it was fitted to whose bits are nearest.

        Args:
            X: (m, n) rows, or m texts; None: those that it was fitted to, each without itself.
            n_neighbors: k, how many.
            return_distance: whether distances are wanted, too.

        Returns:
            (m, k) Hamming distances, in bits, and (m, k) places of the rows, the nearest first; or the places alone.

        Raises:
            UserError: there are fewer rows.
        """
        check_is_fitted(self)
        known, itself = _words(self.codes_), X is None
        if not 1 <= n_neighbors <= len(known) - itself:
            raise UserError(f"n_neighbors: {n_neighbors}; allowed: 1 to {len(known) - itself}, the rows of fit")
        queries = known if itself else _words(self.transform(X))
        distances, index = hamming.neighbours(queries, known, n_neighbors + itself)
        if itself:
            distances, index = _without_itself(distances, index)
        return (distances, index) if return_distance else index


def _words(codes: np.ndarray) -> np.ndarray:
    """Bytes, (m, b), as `aejax.metrics.hamming.pack` packs bits: (m, ⌈b/8⌉) uint64."""
    padded = np.zeros((len(codes), -(-codes.shape[1] // 8) * 8), np.uint8)
    padded[:, : codes.shape[1]] = codes
    return padded.view(np.uint64)


def _without_itself(distances: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of row i, (m, k + 1), without row i, or the last one where it is not there: (m, k) each."""
    others = index != np.arange(len(index))[:, None]
    others[others.all(1), -1] = False
    return tuple(values[others].reshape(len(index), -1) for values in (distances, index))
