"""Sweeps in processes of their own: several devices, and one that is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from running import environment, table

WORDS = (
    *("sweep", "lecture/sparse_l1", "--axis", "terms.sparsity.weight=[0.01,0.3,1.0]", "--axis", "seed=0:2"),
    *("--set", "data.name=bars", "--set", "data.rows=120", "--set", "model.code=3", "--set", "report.figures=false"),
    *("--set", "train.batch_size=16", "--set", "train.evaluate_every=20"),
)
SHORT = ("--set", "train.steps=60", "--set", "train.checkpoint_every=1000")


def begin(folder, *options):
    variables = {name: value for name, value in environment().items() if name != "XLA_FLAGS"}
    words = [sys.executable, "-m", "aejax", *WORDS, "--workdir", str(folder), *options]
    return subprocess.Popen(words, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    said, _ = process.communicate(timeout=500)
    assert process.returncode == 0, said
    return said


def markers(folder):
    return [json.loads(path.read_text()) for path in folder.glob("parts/*/done.json")]


@pytest.mark.slow
def test_two_devices_find_what_one_finds(tmp_path):
    finish(begin(tmp_path / "one", *SHORT, "--devices", "1", "--strategy", "vmap"))
    finish(begin(tmp_path / "two", *SHORT, "--devices", "2", "--strategy", "map"))
    assert [marker["timing"]["devices"] for marker in markers(tmp_path / "two")] == [2]
    for name in ("validation/mse", "train/loss", "test/mse"):
        one, two = (np.array([float(row[name]) for row in table(tmp_path / side)]) for side in ("one", "two"))
        np.testing.assert_allclose(two, one, rtol=1e-5)
        assert np.ptp(one) > 1e-3


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_killed_sweep_goes_on_where_it_was(tmp_path):
    codes = ("--axis", "model.code=[2,3]", "--strategy", "vmap")
    long = (*codes, "--set", "train.steps=2000", "--set", "train.checkpoint_every=50")
    killed = begin(tmp_path / "killed", *long)
    deadline = time.monotonic() + 300
    # one group is done and the other has begun
    while not markers(tmp_path / "killed") or len(list(tmp_path.glob("killed/parts/*/strategy.json"))) < 2:
        assert killed.poll() is None, killed.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    assert not (tmp_path / "killed" / "table.csv").exists()
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("killed/parts/*/done.json")}
    assert len(first) == 1
    assert "6 of 12 runs are done" in finish(begin(tmp_path / "killed", *long))
    assert {path: path.stat().st_mtime_ns for path in first} == first
    finish(begin(tmp_path / "straight", *long))
    assert table(tmp_path / "killed") == table(tmp_path / "straight")
