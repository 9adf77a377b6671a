"""Speed beside what people would use instead, measured in turns, on the machine at hand.

Each row of the table is a piece of work, and the ways to do it: aejax's first, then those of its peers. Every way has a
process of its own (`aejax.bench.worker`), and all do the work once each before any does it again, so that whatever else
the machine does falls on all alike. A ratio is taken turn by turn, the peer's seconds over aejax's, and the median over
the turns is reported: above 1, aejax is faster.

A new row is a `Row` in `ROWS`, of the module that has its ways.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Row(NamedTuple):
    """A piece of work.

    Attributes:
        about: what is timed.
        ways: the ways to do it by their names, ``aejax`` first: each names a function of ``aejax.bench``, as
            ``"module.function"``, and its keyword arguments. It is called as ``function(threads, **arguments)`` and
            returns ``turn``, which does the work and returns its seconds; the first call is not counted, but where
            one turn is all.
        least: the ratio that aejax is meant to reach beside the fastest of the peers.
        threads: how many processor cores the ways may use, a measurement for each.
        turns: of each way that are timed.
        within: the seconds that aejax may take at most.
        long: whether it takes so long that it is measured only where it is named.
    """

    about: str
    ways: Mapping[str, tuple[str, Mapping[str, object]]]
    least: float
    threads: tuple[int, ...] = (1, 2)
    turns: int = 9
    within: float = math.inf
    long: bool = False


def _steps(about: str, least: float, shape: tuple[int, ...], batch: int, **net: object) -> Row:
    arguments = {"shape": shape, "batch": batch, **net}
    ways = {"aejax": ("steps.of_aejax", arguments), "PyTorch": ("steps.of_torch", arguments)}
    return Row(f"training steps, {about}", ways, least)


def _lecture(name: str, widths: tuple[int, ...], activation: str, rate: float) -> Row:
    peer = {"widths": widths, "activation": activation, "rate": rate}
    ways = {
        "aejax": ("commands.lecture", {"name": name}),
        "PyTorch and matplotlib": ("commands.script", {"function": "lecture", "arguments": peer}),
    }
    return Row(f"aejax run lecture/{name}, a process, from the second on", ways, 2.0, (2,), 5)


def _table(rows: int) -> Row:
    peer = {"function": "detector", "rows": rows, "columns": 20}
    ways = {"aejax": ("commands.own_table", {"rows": rows, "columns": 20}), "PyOD": ("commands.script", peer)}
    return Row(f"odd rows of a table of {rows:,}, from the file to its scores, a process", ways, 3.0, (2,), 3)


def _sweep(net: str, least: float) -> Row:
    ways = {"aejax": ("sweeps.of_aejax", {"net": net}), "PyTorch": ("sweeps.of_torch", {"net": net})}
    return Row(f"64 learning rates of {net}, with a cold compile", ways, least, (2,), 3)


def _csv(megabytes: int, **of_row: object) -> Row:
    size = {"megabytes": megabytes}
    ways = {"aejax": ("loads.table", size), "pandas": ("loads.table_of_pandas", size)}
    return Row(f"a .csv file of {megabytes:,} MB, 20 columns of numbers", ways, 1.0, (2,), 3, **of_row)


UNET = {"name": "unet.unet", "residual": False, "output": "sigmoid"}
ROWS: Mapping[str, Row] = {
    "vanilla": _lecture("vanilla", (), "sigmoid", 1e-2),
    "multilayer": _lecture("multilayer", (64, 32), "silu", 3e-3),
    "epoch": Row(
        "first epoch of fashion_mnist by a 784-32 net, a process",
        {"aejax": ("commands.epoch", {}), "PyTorch": ("commands.script", {"function": "epoch"})},
        1.5,
        (2,),
        5,
    ),
    "table-2200": _table(2200),
    "table-103": _table(103),
    "detector": Row(
        "fit of 1,000 rows of 20 columns in one process, from the second on",
        {"aejax": ("fits.detector", {}), "PyOD": ("fits.detector_of_pyod", {})},
        10.0,
        (2,),
        3,
    ),
    "imputer": Row(
        "fit and filling of 500 rows of 10 columns, 20 % missing, in one process, from the second on",
        {"aejax": ("fits.imputer", {}), "IterativeImputer, extra trees": ("fits.imputer_of_sklearn", {})},
        5.0,
        (2,),
        3,
    ),
    "encode": Row(
        "codes of 60,000 rows by 784-512-256-32 in one process",
        {"aejax": ("fits.encode", {}), "PyTorch": ("fits.encode_of_torch", {})},
        1.2,
    ),
    "dense": _steps("784-32-784, batches of 128", 2.5, (784,), 128, code=32),
    "deep-128": _steps("784-512-256-32, batches of 128", 1.05, (784,), 128, widths=(512, 256), code=32),
    "deep-1024": _steps("784-512-256-32, batches of 1,024", 1.05, (784,), 1024, widths=(512, 256), code=32),
    "conv-28": _steps("convolutional 28×28×1", 1.3, (28, 28, 1), 128, channels=(16, 32), code=32),
    "conv-32": _steps("convolutional 32×32×3", 1.3, (32, 32, 3), 64, channels=(32, 64), code=128),
    "conv-64": _steps("convolutional 64×64×3", 1.3, (64, 64, 3), 64, channels=(16, 32, 64), code=128),
    "unet": _steps("U-Net, 32×32×3", 1.3, (32, 32, 3), 64, channels=(32, 64), **UNET),
    "sweep-36": _sweep("36-16-2", 20.0),
    "sweep-784": _sweep("784-32", 3.5),
    "load-first": Row(
        "fashion_mnist, 70,000 images, loaded for the first time",
        {"aejax": ("loads.images_at_first", {}), "gzip": ("loads.images_of_numpy", {"suffix": ".gz"})},
        0.0,
        (2,),
        3,
    ),
    "load": Row(
        "fashion_mnist, 70,000 images, loaded again",
        {"aejax": ("loads.images", {}), "NumPy, .npz": ("loads.images_of_numpy", {"suffix": ".npz"})},
        0.0,
        (2,),
        within=0.1,
    ),
    "csv": _csv(100),
    "csv-1000": _csv(1000, long=True),
    "photographs": Row(
        "10,000 PNG files of 64 by 64 pixels, loaded for the first time",
        {
            "aejax": ("loads.photographs", {"count": 10_000}),
            "Pillow": ("loads.photographs_of_pillow", {"count": 10_000}),
        },
        1.0,
        (2,),
        3,
    ),
    "stream": Row(
        "training steps of 784-32 in batches of 128, rows from a disk",
        {"aejax": ("loads.steps", {"streamed": True}), "in memory": ("loads.steps", {"streamed": False})},
        1 / 1.1,
        (2,),
        5,
    ),
    "compile": Row(
        "trace and compile of a deep dense net, in each turn of another width",
        {"aejax": ("steps.compiled", {})},
        1.0,
        (1,),
        5,
        within=1.0,
    ),
    "compile-rows": Row(
        "fit of a detector to one row more in each turn, in one process",
        {"aejax": ("fits.detector_of_other_rows", {})},
        1.0,
        (1,),
        5,
    ),
    "reproduce": Row(
        "the whole of aejax reproduce lecture, a process",
        {"aejax": ("commands.reproduce", {})},
        2.0,
        (1,),
        1,
        long=True,
    ),
}
"""By name, in the order in which they are measured."""
