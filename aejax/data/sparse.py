"""Rows that are mostly zeros, kept without them, and handed out whole when a batch of them is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@jax.tree_util.register_dataclass
@dataclass(eq=False)
class SparseRows:
    """Compressed sparse rows: the entries of one row after the other; what `Split.x` and `Rows.x` need of an array.

    Its leaves are arrays of NumPy or of JAX, and so are the dense rows that it hands out.

    Attributes:
        starts: (rows,) int32, where each row's first entry stands.
        counts: (rows,) int32, the entries of each row.
        columns: (entries,) int32.
        values: (entries,) float32.
        features: n, the columns there are.
        width: the most entries of a row; static, so that a batch has a shape before its rows are known.
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    starts: Any
    counts: Any
    columns: Any
    values: Any
    features: int = field(metadata={"static": True})
    width: int = field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, features), that of the dense rows."""
        return self.starts.shape[0], self.features

    def __len__(self) -> int:
        return self.starts.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """The rows at a slice or at (m,) indices, which may be traced: (m, features) float32, dense."""
        if isinstance(self.values, np.ndarray):
            return to_csr(self)[rows].toarray()
        starts, counts = self.starts[rows], self.counts[rows]
        within = jnp.arange(self.width, dtype=np.int32)[None]
        filled = within < counts[:, None]
        entry = jnp.where(filled, starts[:, None] + within, 0)
        values = jnp.where(filled, self.values[entry], 0)  # what is no entry of the row adds nothing
        row = jnp.broadcast_to(jnp.arange(starts.shape[0])[:, None], entry.shape)
        dense = jnp.zeros((starts.shape[0], self.features), np.float32)
        return dense.at[row, self.columns[entry]].add(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows, dense, for what cannot do with less."""
        return to_csr(self).toarray().astype(dtype or np.float32, copy=False)

    def times(self, factor: Any) -> "SparseRows":
        """All values times a number."""
        return replace(self, values=self.values * factor)

    def take(self, rows: np.ndarray, axis: int = 0) -> "SparseRows":
        """The rows at these indices, sparse; named as NumPy's."""
        return from_csr(to_csr(self)[rows])


def is_sparse(rows: Any) -> bool:
    """Whether rows are kept without their zeros."""
    return isinstance(rows, SparseRows)


def from_csr(matrix: Any) -> SparseRows:
    """A matrix of scipy in compressed sparse rows, (rows, n), as rows of their own."""
    counts = np.diff(matrix.indptr).astype(np.int32)
    return SparseRows(
        matrix.indptr[:-1].astype(np.int32),
        counts,
        matrix.indices.astype(np.int32),
        matrix.data.astype(np.float32),
        matrix.shape[1],
        max(1, int(counts.max(initial=0))),
    )


def to_csr(rows: Any) -> Any:
    """Rows, sparse or dense, as scipy's compressed sparse rows: (rows, n) float32."""
    from scipy.sparse import csr_array

    if not is_sparse(rows):
        return csr_array(np.asarray(rows, np.float32))
    ends = np.append(rows.starts, rows.starts[-1:] + rows.counts[-1:] if len(rows) else 0)
    return csr_array((np.asarray(rows.values), np.asarray(rows.columns), ends), shape=rows.shape)


def concatenate(parts: Sequence[Any]) -> Any:
    """Rows one after the other; sparse where they are."""
    if not is_sparse(parts[0]):
        return np.concatenate(parts)
    from scipy.sparse import vstack

    return from_csr(vstack([to_csr(part) for part in parts], format="csr"))
