"""Kills and signals in the middle of a run, a second process in its folder, and what a killed command leaves behind."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from running import TINY, arguments, call

import aejax
from aejax.cli import main
from aejax.runs.workdir import read_metrics

RUN = {**TINY, "train.steps": "12", "train.evaluate_every": "2", "train.checkpoint_every": "3", "train.keep": "100"}


# The table of evaluations, which grows by a line at a time.


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(arguments(RUN, workdir=folder)) == 0
    return folder


def test_an_evaluation_is_added_to_the_table_and_the_table_not_written_again(tmp_path):
    seen = []

    def look(step, metrics, params):
        path = tmp_path / "metrics.csv"
        seen.append((path.stat().st_ino, path.read_text()))

    x = np.random.default_rng(0).normal(size=(40, 4))
    aejax.fit(x, steps=5, evaluate_every=1, folder=tmp_path, on_evaluation=look)
    files, texts = zip(*seen, strict=True)
    assert len(set(files)) == 1
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    assert [text.count("\n") for text in texts] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize("left", ["", "7", "8,", "8,0.25", "all of it but its end"])
def test_a_half_written_line_of_the_table_is_cut(left, whole, tmp_path, capsys):
    folder = shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("summary.json", "model"))
    for path in (folder / "checkpoints").iterdir():
        if int(path.name.split("-")[1].partition(".")[0]) > 6:
            path.unlink()
    lines = (whole / "metrics.csv").read_text().splitlines(keepends=True)
    end = lines[4][:-1] if left.startswith("all") else left
    (folder / "metrics.csv").write_text("".join(lines[:4]) + end)
    assert [row["step"] for row in read_metrics(folder)] == [2, 4, 6]
    assert call(arguments(RUN, workdir=folder), capsys).code == 0
    assert (folder / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
