"""Whole processes, from their start to the files that they leave: aejax's commands, and scripts that do the same."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError


def _process(words: Sequence[str]) -> float:
    """The seconds that a process takes.

    Raises:
        UserError: it fails.
    """
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise UserError(f"{' '.join(words[:4])}: {''.join(done.stderr.strip().splitlines()[-1:])}")
    return seconds


def _run(name: str, *settings: str) -> Callable[[], float]:
    """``aejax run NAME`` into a new folder."""
    changes = [word for setting in settings for word in ("--set", setting)]

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _process(["-m", "aejax", "run", name, *changes, "--workdir", f"{folder}/run"])

    return turn


def lecture(threads: int, name: str) -> Callable[[], float]:
    """An experiment of the lecture."""
    return _run(f"lecture/{name}")


def epoch(threads: int) -> Callable[[], float]:
    """An epoch of fashion_mnist, with neither validation nor figures."""
    once = ("train.steps=468", "train.evaluate_every=468", "data.validation=0.0", "report.figures=False")
    return _run("lecture/vanilla:fashion_mnist", *once)


def own_table(threads: int, rows: int, columns: int) -> Callable[[], float]:
    """Scores of the rows of a table without labels."""
    path = table(rows, columns)
    settings = (f"data.name=file:{path}", "data.normal=None", "data.test=0.0", "report.figures=False")
    return _run("lecture/anomaly", *settings)


def reproduce(threads: int) -> Callable[[], float]:
    """All experiments of the lecture, each with its seeds."""

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _process(["-m", "aejax", "reproduce", "lecture", "--jobs", str(threads), "--workdir", f"{folder}/r"])

    return turn


def script(
    threads: int, function: str, arguments: Mapping[str, Any] = {}, rows: int = 0, columns: int = 0
) -> Callable[[], float]:
    """A function of `aejax.bench.peers`, which imports nothing of aejax, as a script."""
    data = _DATA[function](rows, columns)
    here, words = Path(__file__).with_name("peers.py"), [function, str(data), json.dumps(dict(arguments)), str(threads)]

    def turn() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return _process([str(here), *words, folder])

    return turn


def table(rows: int, columns: int) -> Path:
    """A .csv file of correlated columns; the file of an earlier call where there is one."""
    path = Path(tempfile.gettempdir()) / f"aejax-bench-{rows}x{columns}.csv"
    if not path.exists():
        random = np.random.default_rng(0)
        x = random.normal(size=(rows, 5)) @ random.normal(size=(5, columns)) + random.normal(size=(rows, columns)) / 4
        names = ",".join(f"column_{number}" for number in range(columns))
        np.savetxt(path, x, delimiter=",", header=names, comments="", fmt="%.6f")
    return path


def arrays(name: str) -> Path:
    """The rows of a data set as a .npz that NumPy reads, written by a process, whose memory is not that of this one."""
    path = Path(tempfile.gettempdir()) / f"aejax-bench-{name}.npz"
    if not path.exists():
        _process(["-c", f"from aejax.bench.commands import write_arrays; write_arrays({name!r}, {str(path)!r})"])
    return path


def write_arrays(name: str, path: str) -> None:
    """Write the rows of a data set by split."""
    from aejax import data

    dataset = data.load(name)
    np.savez(path, **{part: np.asarray(getattr(dataset, part).x) for part in ("train", "validation", "test")})


_DATA = {
    "lecture": lambda rows, columns: arrays("digits"),
    "epoch": lambda rows, columns: arrays("fashion_mnist"),
    "detector": table,
}
