"""One config gives the same bits in any process, with any number of threads, with and without a compile cache.

The cheap cases, of a few steps; scripts/check_determinism.py has longer ones. That a killed run goes on to the same
bits is tests/test_resume.py's.
"""

import subprocess
import sys

import pytest
from running import TINY, digest, environment

from aejax.reproduce.workers import ONE_THREAD

CONVOLUTIONAL = {
    "train.steps": "3",
    "train.evaluate_every": "3",
    "train.checkpoint_every": "3",
    "model.channels": "(4, 4)",
    "report.figures": "false",
}
SETTINGS = {"lecture/multilayer": TINY, "lecture/convolutional": CONVOLUTIONAL}
RUNS = """
import sys
from pathlib import Path
from aejax import compilation, config, experiment
name, *settings = sys.argv[1].split(";")
compilation.enable_cache()
for folder in sys.argv[2:]:
    experiment.run(config.load(name, settings), Path(folder))
"""


def runs(config, *folders, seed=0, **changes):
    """One run in each folder, all in one process."""
    words = ";".join([config, f"seed={seed}", *(f"{path}={value}" for path, value in SETTINGS[config].items())])
    command = [sys.executable, "-c", RUNS, words, *map(str, folders)]
    subprocess.run(command, env=environment(**changes), check=True, capture_output=True)
    return [digest(folder) for folder in folders]


@pytest.mark.parametrize("config", SETTINGS)
def test_the_bits_depend_on_nothing_but_the_config(config, tmp_path):
    folders = [tmp_path / str(number) for number in range(6)]
    alone = {"XLA_FLAGS": ONE_THREAD, "AEJAX_COMPILE_CACHE": "off"}
    cached = {"XLA_FLAGS": ONE_THREAD, "AEJAX_CACHE_DIR": str(tmp_path / "cache")}
    found = {
        "same process": runs(config, *folders[:2], **alone),
        "cold cache": runs(config, folders[2], **cached),
        "warm cache": runs(config, folders[3], **cached),
        "all threads": runs(config, folders[4], XLA_FLAGS="", AEJAX_COMPILE_CACHE="off"),
    }
    assert list((tmp_path / "cache").rglob("*-cache")), "something was kept"
    assert len({value for values in found.values() for value in values}) == 1, found
    assert runs(config, folders[5], seed=1, **alone)[0] != found["same process"][0], "another seed has other bits"
