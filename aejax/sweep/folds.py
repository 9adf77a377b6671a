"""Cross-validation: every row is a validation row of one fold, and all folds have equally many training rows."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.data.splits import permutation, rescaled, take
from aejax.errors import UserError
from aejax.sweep.program import Data
from aejax.training.context import Rows
from aejax.training.evaluate import on_device
from aejax.training.members import few_shapes
from aejax.types import Dataset, Range, Split


class Folds(NamedTuple):
    """The folds of a cross-validation.

    Attributes:
        datasets: one for each fold.
        whole: all rows that folds are cut from.
        chosen: (folds, rows) which of them each fold trains on.
    """

    datasets: list[Dataset]
    whole: Split
    chosen: np.ndarray


def cut(dataset: Dataset, folds: int, seed: int) -> Folds:
    """The folds of a cross-validation.

    Fold f validates on the rows at places f, f + K, … of a permutation. Where K does not divide the number of rows,
    some folds have one validation row less than others; these leave one of their training rows out, so that all
    train on equally many rows and are one program. Scaling and the filling of gaps come from each fold's own training
    rows; the scaling of images, which is that of their pixels, is the same for all.

    Args:
        dataset: loaded without validation rows.
        folds: K, 2 or more.
        seed: the config's ``data.split_seed``.

    Raises:
        UserError: there are fewer rows than folds.
    """
    count = len(dataset.train.x)
    if folds > count:
        raise UserError(f"--folds {folds}: there are {count} rows to train on; allowed: 2 to {count}")
    order, most = permutation(seed, count), -(-count // folds)
    datasets, chosen = [], []
    for fold in range(folds):
        out = np.arange(count) % folds == fold
        chosen.append(np.sort(order[~out][: count - most]))
        train, validation = take(dataset.train, chosen[-1]), take(dataset.train, order[out])
        datasets.append(rescaled(dataset._replace(train=train, validation=validation)))
    together = Range(min(d.range.low for d in datasets), max(d.range.high for d in datasets))
    return Folds([d._replace(range=together) for d in datasets], dataset.train, np.stack(chosen))


def shared(dataset: Dataset, relations: Mapping[str, Any], batch_size: int | None, streams: Sequence[int]) -> Data:
    """The training rows of streams without cross-validation: the same for all, padded to one of few sizes."""
    del streams
    rows = few_shapes(on_device(dataset.train, dataset, relations), batch_size)
    return Data(rows, (), lambda rows, _: rows)


def stacked(folds: Folds, relations: Mapping[str, Any], streams: Sequence[int]) -> Data:
    """The training rows of the streams of a cross-validation.

    All rows are on the device once and each stream has the places of its own; only of rows with gaps, which each fold
    fills with a mean of its own, there is a copy for each fold.

    Args:
        folds: from `cut`.
        relations: of the config.
        streams: the fold of each stream.
    """
    rows = [on_device(dataset.train, dataset, relations) for dataset in folds.datasets]
    if rows[0].mask is None:
        whole, index = on_device(folds.whole, folds.datasets[0]), folds.chosen
    else:
        one_after_the_other = lambda *leaves: np.concatenate(leaves)
        whole = rows[0]._replace(
            x=one_after_the_other(*(r.x for r in rows)),
            mask=one_after_the_other(*(r.mask for r in rows)),
            labels=None if rows[0].labels is None else one_after_the_other(*(r.labels for r in rows)),
            target=None if rows[0].target is None else one_after_the_other(*(r.target for r in rows)),
        )
        index = np.arange(folds.chosen.size).reshape(folds.chosen.shape)
    by_fold = {"shift": [r.shift for r in rows], "scale": [r.scale for r in rows]}
    by_fold = {name: np.stack(leaves) for name, leaves in by_fold.items()}
    by_fold |= {
        "index": index.astype(np.int32),
        "relations": jax.tree.map(lambda *v: np.stack(v), *(r.relations for r in rows)),
    }
    chosen = np.array(streams)
    return Data(whole, jax.tree.map(lambda leaf: leaf[chosen], by_fold), _of_stream)


def _of_stream(whole: Rows, stream: Mapping[str, Any]) -> Rows:
    view = lambda leaf: None if leaf is None else Chosen(leaf, stream["index"])
    return whole._replace(
        x=view(whole.x),
        mask=view(whole.mask),
        labels=view(whole.labels),
        target=view(whole.target),
        shift=stream["shift"],
        scale=stream["scale"],
        relations=stream["relations"],
    )


@jax.tree_util.register_pytree_node_class
class Chosen:
    """Chosen rows of an array, looked up when a batch of them is asked for; what `Rows` needs of an array."""

    def __init__(self, whole: jax.Array, index: jax.Array) -> None:
        self.whole, self.index = whole, index

    @property
    def shape(self) -> tuple[int, ...]:
        """As the chosen rows would have as an array."""
        return (self.index.shape[0], *self.whole.shape[1:])

    def __getitem__(self, places: Any) -> jax.Array:
        """Rows of the chosen ones."""
        return self.whole[self.index[places]]

    def tree_flatten(self) -> tuple[tuple[jax.Array, jax.Array], None]:
        """For JAX."""
        return (self.whole, self.index), None

    @classmethod
    def tree_unflatten(cls, _: None, leaves: tuple[jax.Array, jax.Array]) -> "Chosen":
        """For JAX."""
        return cls(*leaves)
