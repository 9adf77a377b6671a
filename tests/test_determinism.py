"""One config gives the same bits in any process, with any number of threads, with and without a compile cache.

The cheap cases, of a few steps; scripts/check_determinism.py has longer ones. That a killed run goes on to the same
bits is tests/faults/test_resume.py's.
"""

import os
import platform
import subprocess
import sys

import pytest
from running import TINY, digest, environment

from aejax.reproduce import experiments
from aejax.reproduce.experiments import ONE_THREAD

CONVOLUTIONAL = {
    "train.steps": "3",
    "train.evaluate_every": "3",
    "train.checkpoint_every": "3",
    "model.channels": "(4, 4)",
    "report.figures": "false",
}
SETTINGS = {"lecture/multilayer": TINY, "lecture/convolutional": CONVOLUTIONAL}
ON_CORES = """
import os
import sys
os.sched_setaffinity(0, map(int, sys.argv[1].split(",")))
from pathlib import Path
from aejax import config
from aejax.runs import experiment
settings = ["train.steps=20", "train.evaluate_every=20", "report.figures=false"]
experiment.run(config.load("lecture/ufldl_sparse", settings), Path(sys.argv[2]))
"""
RUNS = """
import sys
from pathlib import Path
from aejax import config
from aejax.runs import experiment
from aejax.training import compilation
name, *settings = sys.argv[1].split(";")
compilation.enable_cache()
for folder in sys.argv[2:]:
    experiment.run(config.load(name, settings), Path(folder))
"""

DEFINED = """
import jax
import numpy as np
draw = np.random.default_rng(0).standard_normal
a, b = draw((15, 256)).astype(np.float32), draw((256, 32)).astype(np.float32)
total = np.zeros((15, 32), np.float32)
for term in range(256):
    total += a[:, term : term + 1] * b[term]
if jax.__version_info__[:2] == (0, 10):  # Eigen of 0.12 multiplies and adds at once
    assert np.array_equal(jax.jit(jax.numpy.matmul)(a, b), total), "products"
x = np.abs(a)
assert np.array_equal(jax.jit(jax.lax.rsqrt)(x), np.float32(1) / np.sqrt(x)), "roots"
"""


def runs(config, *folders, seed=0, **changes):
    """One run in each folder, all in one process."""
    words = ";".join([config, f"seed={seed}", *(f"{path}={value}" for path, value in SETTINGS[config].items())])
    command = [sys.executable, "-c", RUNS, words, *map(str, folders)]
    subprocess.run(command, env=environment(**changes), check=True, capture_output=True)
    return [digest(folder) for folder in folders]


ALONE = {"XLA_FLAGS": ONE_THREAD, "AEJAX_COMPILE_CACHE": "off"}


@pytest.mark.slow
@pytest.mark.parametrize("config", SETTINGS)
def test_the_bits_depend_on_neither_process_nor_threads(config, tmp_path):
    first, second = runs(config, tmp_path / "first", tmp_path / "second", **ALONE)
    assert first == second
    assert runs(config, tmp_path / "third", XLA_FLAGS="", AEJAX_COMPILE_CACHE="off") == [first]


@pytest.mark.slow
def test_the_bits_do_not_depend_on_the_compile_cache(tmp_path):
    config, cached = "lecture/multilayer", {"XLA_FLAGS": ONE_THREAD, "AEJAX_CACHE_DIR": str(tmp_path / "cache")}
    (alone,) = runs(config, tmp_path / "alone", **ALONE)
    assert runs(config, tmp_path / "cold", **cached) == [alone]
    assert list((tmp_path / "cache").rglob("*-cache")), "something was kept"
    assert runs(config, tmp_path / "warm", tmp_path / "other", **cached) == [alone, alone]
    assert runs(config, tmp_path / "seed", seed=1, **cached) != [alone], "another seed has other bits"


@pytest.mark.slow
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core")
def test_the_bits_of_a_reproduction_do_not_depend_on_cores(tmp_path):
    both = sorted(os.sched_getaffinity(0))[:2]
    for name, cores in {"one": both[:1], "two": both}.items():
        command = [sys.executable, "-c", ON_CORES, ",".join(map(str, cores)), str(tmp_path / name)]
        subprocess.run(command, env=os.environ | experiments.environment(), check=True, capture_output=True)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the settings are those of x86-64")
def test_a_reproduction_sums_from_first_to_last_and_divides_by_roots_on_any_processor():
    done = subprocess.run(
        [sys.executable, "-c", DEFINED], env=os.environ | experiments.environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
