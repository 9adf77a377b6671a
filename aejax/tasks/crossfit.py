"""An ensemble of nets, each trained without one fold of the training rows, so that every row is new to one of them."""

from typing import NamedTuple

import jax
import numpy as np

from aejax.data.splits import permutation, take
from aejax.training.context import Rows
from aejax.training.evaluate import encode_and_reconstruct
from aejax.types import Dataset, Model, Params, Retrain


class Ensemble(NamedTuple):
    """Nets of one config, each trained without one fold of the training rows.

    Attributes:
        params: leaves (members, ...).
        fold: (rows,) the net that was trained without this row.
    """

    params: Params
    fold: np.ndarray


class Seen(NamedTuple):
    """Rows as an ensemble sees them.

    Attributes:
        x: (m, n) scaled.
        residuals: (members, m, n) x − x̂; 0 where a value is missing.
        codes: (members, m, d).
        share: (m,) of the values of a row that were observed.
        fold: (m,) of training rows, the net that was trained without them; None of rows that no net was trained on.
    """

    x: np.ndarray
    residuals: np.ndarray
    codes: np.ndarray
    share: np.ndarray
    fold: np.ndarray | None


def train(key: jax.Array, dataset: Dataset, retrain: Retrain, members: int) -> Ensemble:
    """Train nets of different seeds as one program, each without one of as many folds of the training rows."""
    seed, folds = jax.random.split(key)
    rows = len(dataset.train.x)
    order = permutation(int(jax.random.bits(folds, dtype=np.uint32)), rows)
    fold = np.empty(rows, int)
    fold[order] = np.arange(rows) % members
    kept = [order[fold[order] != number][: rows - -(-rows // members)] for number in range(members)]
    datasets = [dataset._replace(train=take(dataset.train, places)) for places in kept]
    return Ensemble(retrain(jax.random.split(seed, members), datasets=datasets).params, fold)


def look(model: Model, nets: Params, rows: Rows) -> Seen:
    """Rows, unscaled, as they are seen by nets, leaves (members, ...), none of which was trained on them."""
    observed = np.ones((rows.x.shape[0], 1), bool) if rows.mask is None else np.asarray(rows.mask)
    residuals, codes = [], []
    for number in range(jax.tree.leaves(nets)[0].shape[0]):
        x, code, x_hat = encode_and_reconstruct(model, jax.tree.map(lambda leaf, n=number: leaf[n], nets), rows)
        residuals.append(np.where(observed, x - x_hat, 0))
        codes.append(code)
    return Seen(x, np.stack(residuals), np.stack(codes), np.maximum(observed.mean(1), 1 / x.shape[1]), None)


def unseen(values: np.ndarray, seen: Seen) -> np.ndarray:
    """Of (members, m, ...), what the one net says of a row that was trained without it, or the mean over all nets."""
    return values.mean(0) if seen.fold is None else values[seen.fold, np.arange(len(seen.fold))]


def errors(seen: Seen) -> np.ndarray:
    """Squared errors summed over features, as large as if every value had been observed: (members, m)."""
    return np.square(seen.residuals).sum(2) / seen.share[None]
