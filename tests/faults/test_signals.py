"""Kills and signals in the middle of a run, a second process in its folder, and what a killed command leaves behind."""

import os
import platform
import pty
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from running import TINY, arguments, assert_refused, begin, call, command, digest, environment, execute

import aejax
from aejax import files
from aejax.cli import main
from aejax.errors import UserError
from aejax.files import TEMPORARY
from aejax.runs import workdir
from aejax.runs.workdir import read_metrics
from aejax.storage import checkpoint
from aejax.storage.lock import LOCK, alone
from aejax.training.interruption import asked_to_stop

RUN = {**TINY, "train.steps": "12", "train.evaluate_every": "2", "train.checkpoint_every": "3", "train.keep": "100"}

NAPS = '''"""Steps that take as long as the environment says, and note that they have begun."""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config import base


def nap(ctx):
    """Nothing, after a while."""

    def sleep(x):
        with open(os.environ["NAPS"], "a") as file:
            file.write(".")
        time.sleep(float(os.environ["NAP"]))
        return np.float32(0)

    x = jax.lax.stop_gradient(ctx.x[0, 0])
    return jax.lax.stop_gradient(jax.pure_callback(sleep, jax.ShapeDtypeStruct((), jnp.float32), x))


def get_config():
    config = base()
    config.data.name = "clusters"
    config.data.rows = 60
    config.model = {"name": "dense.multilayer", "widths": (3,), "code": 2}
    names = {"error": "reconstruction.squared_error", "nap": "naps.nap"}
    config.terms = {term: {"name": name, "weight": 1.0} for term, name in names.items()}
    config.train.steps, config.train.batch_size = 8, 16
    config.train.evaluate_every = config.train.checkpoint_every = 8
    config.report.figures = False
    return config
'''

posix = pytest.mark.skipif(os.name != "posix", reason="signals and locks of POSIX")


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


# Signals, in real processes.


@pytest.fixture
def slow(tmp_path):
    """``(folder, seconds) -> (words, variables, naps)``: a run of slow steps, and a file of a dot for each."""
    (tmp_path / "naps.py").write_text(NAPS)

    def run(folder: Path, seconds: float):
        naps = Path(f"{folder}.naps")
        words = ["run", tmp_path / "naps.py", "--workdir", folder]
        return words, {"NAPS": str(naps), "NAP": str(seconds)}, naps

    return run


def wait_for(what, process, seconds: float = 120):
    """Until that is so; a test that waits for long, or for a process that has ended, fails."""
    deadline = time.monotonic() + seconds
    while not what():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_answered_at_once_and_the_first_step_is_saved_however_many_come(number, slow, tmp_path):
    folder = tmp_path / "run"
    words, variables, naps = slow(folder, 3)
    process = begin(words, **variables)
    wait_for(naps.exists, process)
    said = Path(process.output, "err")
    process.send_signal(number)
    wait_for(lambda: "aejax: stopping: the steps that run now" in said.read_text(), process, seconds=1.5)
    for _ in range(10):
        process.send_signal(number)
        time.sleep(0.05)
    assert f"kill -9 {process.pid} would end it at once" in said.read_text()
    assert not checkpoint.steps(folder / "checkpoints")  # all of it within the first step
    _, error = process.communicate()
    assert (process.returncode, naps.read_text()) == (130, ".")
    assert checkpoint.steps(folder / "checkpoints") == [1]
    assert error.splitlines()[2:] == [
        f"aejax: stopped at step 1; go on with the same command and --workdir {folder}",
    ]
    if number != signal.SIGINT:
        return
    for each in (folder, tmp_path / "whole"):
        words, variables, _ = slow(each, 0)
        answer = execute(words, **variables)
        assert (answer.code, answer.err) == (0, "")
    assert digest(folder) == digest(tmp_path / "whole")
    assert (folder / "metrics.csv").read_bytes() == (tmp_path / "whole" / "metrics.csv").read_bytes()


@posix
def test_a_run_whose_terminal_is_closed_is_saved(slow, tmp_path):
    folder = tmp_path / "run"
    words, variables, naps = slow(folder, 2)
    ours, theirs = pty.openpty()
    take = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", take, *command(words)],
        env=environment(**variables),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    try:
        while not naps.exists():
            assert process.poll() is None
            try:
                os.read(ours, 10_000)
            except BlockingIOError:
                time.sleep(0.01)
    finally:
        os.close(ours)
    assert process.wait(60) == 130
    assert checkpoint.steps(folder / "checkpoints") == [1]


@posix
def test_a_signal_that_is_ignored_stays_so_and_handlers_are_put_back(capfd):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    hangup = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does
    try:
        with asked_to_stop() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked()
            os.kill(os.getpid(), signal.SIGTERM)
            assert asked()
    finally:
        signal.signal(signal.SIGHUP, hangup)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capfd.readouterr().err.count("aejax: stopping") == 1


# A second process in the folder of a run.


@posix
def test_a_second_process_is_refused_and_the_lock_of_a_dead_one_is_not_in_the_way(slow, tmp_path):
    folder = tmp_path / "run"
    words, variables, naps = slow(folder, 30)
    process = begin(words, **variables)
    wait_for(naps.exists, process)
    assert_refused(execute(words, **variables), f"{folder}: process {process.pid} on {platform.node()} works in it")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (folder / LOCK).exists()
    words, variables, _ = slow(folder, 0)
    assert execute(words, **variables).code == 0
    assert not (folder / LOCK).exists()


@posix
def test_a_fit_is_refused_too_and_a_lock_that_nobody_holds_is_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(workdir, "WAIT_SECONDS", 0.0)
    x = np.random.default_rng(0).normal(size=(40, 4))
    with alone(tmp_path), pytest.raises(UserError, match=f"process {os.getpid()} on .* works in it; allowed: "):
        aejax.fit(x, steps=5, folder=tmp_path)
    (tmp_path / LOCK).write_text("process 1 on another-machine")
    aejax.fit(x, steps=5, folder=tmp_path)
    assert not (tmp_path / LOCK).exists()


@posix
def test_a_lock_is_not_written_through_a_link(tmp_path):
    (tmp_path / "letter").write_text("dear")
    (tmp_path / LOCK).symlink_to(tmp_path / "letter")
    with pytest.raises(OSError), alone(tmp_path):
        pass
    assert (tmp_path / "letter").read_text() == "dear"


# What a killed command leaves behind.


@posix
def test_what_a_killed_apply_left_is_swept_by_the_next(whole, tmp_path, capsys):
    rows, output = tmp_path / "rows.npy", tmp_path / "out" / "codes.npy"
    output.parent.mkdir()
    np.save(rows, np.zeros((4, 8), np.float32))
    words = ["apply", str(whole), "encode", "--input", str(rows), "--output", str(output)]
    program = "import os, sys; from aejax import cli, files; files.os.fsync = lambda file: os._exit(9); cli.main({})"
    assert subprocess.run([sys.executable, "-c", program.format(words)], env=environment()).returncode == 9
    assert [path.name[: len(TEMPORARY)] for path in output.parent.iterdir()] == [TEMPORARY]
    with files.unfinished(output.parent) as living:
        assert call(words, capsys).code == 0
        assert {path.name for path in output.parent.iterdir()} == {"codes.npy", living.name}


def test_a_kill_between_data_and_manifest_reads_as_unfinished(whole, tmp_path, capsys):
    folder = shutil.copytree(whole, tmp_path / "run", ignore=shutil.ignore_patterns("summary.json", "model"))
    (folder / "checkpoints" / "step-00000012.json").unlink()
    answer = call(arguments(RUN, workdir=folder), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert "its manifest is missing, as after a kill while it was saved; trying step 9" in answer.out
    assert "damage" not in answer.out
    assert digest(folder) == digest(whole)


@posix
def test_an_interruption_that_meets_a_callback_still_stops_the_command(tmp_path):
    """Python drops what is raised inside a callback of the garbage collector, as JAX's is."""
    script = """
import os, signal, time, weakref
from aejax import cli
from aejax.cli import listing

class Thing: pass

def run(arguments):
    thing = Thing()
    watched = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
    del thing
    for _ in range(1000):
        time.sleep(0.01)
    return 0

listing.run = run
raise SystemExit(cli.main())
"""
    ended = subprocess.run([sys.executable, "-c", script, "list"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (130, "aejax: interrupted\n")
