"""Data from their files: pictures, tables and photographs, beside the loops that people write; and rows from a disk."""

import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from aejax.bench.fits import timed

IMAGES = "fashion_mnist"


@contextmanager
def _empty_cache() -> Iterator[None]:
    """A folder of cached data in which nothing is."""
    before = os.environ.get("AEJAX_CACHE_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AEJAX_CACHE_DIR"] = folder
        yield
    os.environ.pop("AEJAX_CACHE_DIR")
    os.environ |= {} if before is None else {"AEJAX_CACHE_DIR": before}


def images(threads: int) -> Callable[[], float]:
    """70,000 images that were decoded before."""
    from aejax import data

    return timed(lambda: data.load(IMAGES))


def images_at_first(threads: int) -> Callable[[], float]:
    """70,000 images from their records, decoded and kept."""
    from aejax import data
    from aejax.files import cache_folder

    data.load(IMAGES)
    records = str(cache_folder("tensorflow_datasets"))

    def work() -> None:
        with _empty_cache():
            data.load(IMAGES, data_dir=records)

    return timed(work)


def images_of_numpy(threads: int, suffix: str) -> Callable[[], float]:
    """The same from a file that NumPy wrote, ``.npz``; or from bytes that are compressed, ``.gz``."""
    from aejax.bench.commands import arrays

    source = arrays(IMAGES)
    if suffix == ".npz":
        return timed(lambda: list(np.load(source).values()))
    path = source.with_suffix(suffix)
    if not path.exists():
        path.write_bytes(gzip.compress(b"".join(each.tobytes() for each in np.load(source).values())))
    return timed(lambda: np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(-1, 28, 28).copy())


def table(threads: int, megabytes: int) -> Callable[[], float]:
    """A .csv file of 20 columns."""
    from aejax import data

    path = _table(megabytes)
    return timed(lambda: data.load(f"file:{path}"))


def table_of_pandas(threads: int, megabytes: int) -> Callable[[], float]:
    """The same as float32, by pandas."""
    import pandas as pd

    path = _table(megabytes)
    return timed(lambda: pd.read_csv(path).to_numpy(np.float32))


def _table(megabytes: int) -> Path:
    from aejax.bench.commands import table

    return table(5350 * megabytes, 20)  # of about 187 bytes each


def photographs(threads: int, count: int) -> Callable[[], float]:
    """PNG files of 64 by 64 pixels, decoded and kept."""
    from aejax import data

    folder = _photographs(count)

    def work() -> None:
        with _empty_cache():
            data.load(f"images:{folder}", labels="no")

    return timed(work)


def photographs_of_pillow(threads: int, count: int) -> Callable[[], float]:
    """The same by a loop over Pillow."""
    from PIL import Image

    folder = _photographs(count)
    return timed(lambda: np.stack([np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]))


def _photographs(count: int) -> Path:
    """A folder of coarse patterns in colour; that of an earlier call where there is one."""
    from PIL import Image

    folder = Path(tempfile.gettempdir()) / f"aejax-bench-{count}-photographs"
    if not folder.exists():
        unfinished, random = Path(tempfile.mkdtemp(dir=folder.parent)), np.random.default_rng(0)
        for number in range(count):
            coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(coarse.repeat(4, 0).repeat(4, 1)).save(unfinished / f"{number:06}.png")
        unfinished.rename(folder)
    return folder


def steps(threads: int, streamed: bool) -> Callable[[], float]:
    """Seconds of a step over two epochs of 784-32, batches of 128, of rows that are streamed or lie in memory."""
    from aejax import config as configs
    from aejax import data
    from aejax.bench.steps import rows_of
    from aejax.data.stream import pack
    from aejax.runs.training import train
    from aejax.training import build, windows
    from aejax.training.evaluate import on_device

    x, number = rows_of((784,)), 900
    folder = Path(tempfile.gettempdir()) / f"aejax-bench-{len(x)}-rows"
    if streamed and not folder.exists():
        np.save(folder.with_suffix(".npy"), x)
        pack([folder.with_suffix(".npy")], folder)
    shares: dict[str, Any] = {"test": 0.0, "validation": 0.0, "scaling": "unit"}
    dataset = data.load(f"stream:{folder}", **shares) if streamed else data.from_arrays(x, **shares)
    every = {"train.steps": number, "train.evaluate_every": number, "train.batch_size": 128, "model.code": 32}
    config = configs.varied(configs.load("lecture/vanilla"), every)
    parts = build.build(config, dataset)
    rows = windows.make(dataset, parts.key, 128, number) if streamed else on_device(dataset.train, dataset)
    return lambda: 1 / train(parts, dataset, rows, config["train"]).timing["steps_per_second"]
