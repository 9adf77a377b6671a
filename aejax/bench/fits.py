"""Estimators in one process, from the second fit on, beside those that people know; and codes of many rows."""

import itertools
import time
from collections.abc import Callable

import numpy as np


def timed(work: Callable[[], object]) -> Callable[[], float]:
    """A turn that does some work, and returns its seconds."""

    def turn() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return turn


def _table(rows: int, columns: int) -> np.ndarray:
    random = np.random.default_rng(0)
    return random.normal(size=(rows, 4)) @ random.normal(size=(4, columns)) + random.normal(size=(rows, columns)) / 4


def _with_holes() -> np.ndarray:
    x = _table(500, 10)
    x[np.random.default_rng(1).random(x.shape) < 0.2] = np.nan
    return x


def detector(threads: int) -> Callable[[], float]:
    """A fit of `AutoencoderDetector`."""
    from aejax.estimators import AutoencoderDetector

    x = _table(1000, 20)
    return timed(lambda: AutoencoderDetector(random_state=0).fit(x))


def detector_of_pyod(threads: int) -> Callable[[], float]:
    """A fit of PyOD's AutoEncoder."""
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    torch.set_num_threads(threads)
    x = _table(1000, 20)
    return timed(lambda: AutoEncoder(random_state=0, verbose=0).fit(x))


def detector_of_other_rows(threads: int) -> Callable[[], float]:
    """A fit of `AutoencoderDetector` to one row more in each turn, as the folds of a table differ."""
    from aejax.estimators import AutoencoderDetector

    x, rows = _table(1100, 20), itertools.count(1000)
    return timed(lambda: AutoencoderDetector(random_state=0).fit(x[: next(rows)]))


def imputer(threads: int) -> Callable[[], float]:
    """A fit of `AutoencoderImputer`, and the holes filled."""
    from aejax.estimators import AutoencoderImputer

    x = _with_holes()
    return timed(lambda: AutoencoderImputer(random_state=0).fit_transform(x))


def imputer_of_sklearn(threads: int) -> Callable[[], float]:
    """The same by scikit-learn's IterativeImputer with extra trees."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    x = _with_holes()
    trees = lambda: ExtraTreesRegressor(100, random_state=0, n_jobs=threads)
    return timed(lambda: IterativeImputer(trees(), max_iter=10, tol=0.0, random_state=0).fit_transform(x))


def encode(threads: int) -> Callable[[], float]:
    """Codes by `aejax.Fitted.encode`."""
    import aejax
    from aejax.bench.steps import rows_of

    x = rows_of((784,)).astype(np.float32) / 255
    model = aejax.models.multilayer((784,), widths=(512, 256), code=32, activation="relu")
    fitted = aejax.fit(model, data=x[:1000], steps=1, batch_size=100)
    return timed(lambda: fitted.encode(x))


def encode_of_torch(threads: int) -> Callable[[], float]:
    """Codes by PyTorch without gradients, a thousand rows at a time."""
    import torch

    from aejax.bench.steps import model_of_torch, rows_of

    torch.set_num_threads(threads)
    x = torch.from_numpy(rows_of((784,)).astype(np.float32) / 255)
    encoder = model_of_torch((784,), 32, (512, 256))[:5]

    def work() -> None:
        with torch.no_grad():
            torch.cat([encoder(part) for part in x.split(1000)]).numpy()

    return timed(work)
