"""Sweeps as jobs of submitit: tasks that fail, a machine that goes down, a task done twice, and what sbatch is told."""

import io
import json
import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from multiprocessing import get_context

import pytest
from running import assert_refused, call, environment, table

from aejax.files import write_atomic
from aejax.sweep import axes, plan
from aejax.sweep.block import Options, finished
from aejax.sweep.engines import groups, jobs

pytest.importorskip("submitit", reason="pip install 'aejax[slurm]'")

CONFIG = """
from aejax.config import base


def get_config():
    config = base()
    config.data.name, config.data.rows = "bars", 120
    config.model = {"name": "dense.vanilla", "code": 2}
    config.terms.peaks = {"name": "terms_of_mine.peaks", "weight": 0.1}
    config.train.steps, config.train.batch_size, config.train.checkpoint_every = 4000, 16, 100
    config.report.figures = False
    return config


def sweep():
    return {"seed": "0:2", "model.code": [2, 3]}
"""
TERM = '''
import os


def peaks(ctx):
    """The mean square of the code's largest unit; broken in jobs of one kind while there is a file of that name."""
    if ctx.code.shape[-1] == 3 and "SUBMITIT_EXECUTOR" in os.environ and os.path.exists("broken"):
        raise RuntimeError("out of order")
    return (ctx.code.max(-1) ** 2).mean()
'''


@pytest.fixture
def experiment(tmp_path):
    (tmp_path / "bars.py").write_text(CONFIG)
    (tmp_path / "terms_of_mine.py").write_text(TERM)
    return tmp_path


def begin(folder, workdir, *options, **changes):
    words = [sys.executable, "-m", "aejax", "sweep", str(folder / "bars.py"), "--workdir", str(workdir), *options]
    variables = {name: value for name, value in environment(**changes).items() if name != "XLA_FLAGS"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [*words, "--strategy", "vmap"], env=variables, cwd=folder, text=True, start_new_session=True, **pipes
    )


def finish(process, code=0):
    out, err = process.communicate(timeout=300)
    assert process.returncode == code, out + err
    return out, err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_tasks_that_fail_or_are_killed_are_done_by_the_same_command(experiment):
    jobs = ("--engine", "slurm", "--cluster", "local")
    (experiment / "broken").touch()
    out, err = finish(begin(experiment, experiment / "jobs", *jobs), code=2)
    assert "task 1 of 2 (2 runs): done" in out
    assert "1 of 2 tasks failed, the first of them task 2 of 2 (2 runs): " in err
    assert "RuntimeError: out of order" in err
    assert err.count("\n") == 1
    assert not (experiment / "jobs" / "table.csv").exists()
    (first,) = experiment.glob("jobs/parts/*/done.json")
    before = first.stat().st_mtime_ns
    (experiment / "broken").unlink()

    killed, deadline = begin(experiment, experiment / "jobs", *jobs), time.monotonic() + 200
    while not list(experiment.glob("jobs/parts/*/checkpoints/*.json")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)  # the sweep, and with it the jobs
    killed.communicate()

    out, err = finish(begin(experiment, experiment / "jobs", *jobs))
    assert "2 of 4 runs are done" in out
    assert err == ""
    assert first.stat().st_mtime_ns == before
    assert begun_at(experiment / "jobs" / "slurm") > 0
    finish(begin(experiment, experiment / "local", "--devices", "1"))
    assert table(experiment / "jobs") == table(experiment / "local")
    assert len({row["parameters_digest"] for row in table(experiment / "jobs")}) == 4


def begun_at(folder):
    """The step that the last job began at, from the steps and the seconds that the first line of its log tells."""
    log = max(folder.rglob("*_log.out"), key=lambda path: path.stat().st_mtime_ns).read_text()
    steps = [line.split()[1] for line in log.splitlines() if line.startswith("step ")]
    return int(steps[0].partition("/")[0])


SBATCH = """#!{python}
# What stands in for SLURM: the jobs of an array, one after the other, on this machine.
import os, pathlib, subprocess, sys
script = pathlib.Path(__file__).parent / "script"
if sys.argv[-1] == "later":
    (array,) = [line for line in script.read_text().splitlines() if line.startswith("#SBATCH --array=")]
    first, last = array.partition("=")[2].partition("%")[0].split("-")
    for index in range(int(first), int(last) + 1):
        job = {{"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": str(index), "SLURM_JOB_ID": str(8 + index)}}
        subprocess.run(["bash", script], env=os.environ | job)
else:
    script.write_text(pathlib.Path(sys.argv[-1]).read_text())
    nothing = {{name: subprocess.DEVNULL for name in ("stdin", "stdout", "stderr")}}
    subprocess.Popen([__file__, "later"], **nothing)
    print("Submitted batch job 7")
"""
SACCT = """#!/bin/bash
echo "JobID|State|NodeList"
"""
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do case $1 in --output|--error) shift 2;; *) shift;; esac; done
exec "$@" > /dev/null 2> /dev/null
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="scripts of POSIX")
def test_sbatch_is_told_what_was_asked_for_and_gets_one_array(experiment):
    binaries = experiment / "bin"
    binaries.mkdir()
    for name, text in {"sbatch": SBATCH.format(python=sys.executable), "srun": SRUN, "sacct": SACCT}.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(stat.S_IRWXU)
    asks = ("--slurm", "partition=long", "--slurm", "account=us", "--task-minutes", "90", "--task-memory", "2GiB")
    short = ("--set", "train.steps=50", "--task-cpus", "2")
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    _, err = finish(begin(experiment, experiment / "jobs", "--engine", "slurm", *asks, *short, PATH=path))
    assert err == ""
    assert len(table(experiment / "jobs")) == 4
    timing = [json.loads(path.read_text())["timing"] for path in experiment.glob("jobs/parts/*/done.json")]
    assert [each["devices"] for each in timing] == [2, 2]
    script = (binaries / "script").read_text().splitlines()
    wanted = {"partition=long", "account=us", "time=90", "mem=2GB", "cpus-per-task=2", "array=0-1%2"}
    assert {f"#SBATCH --{option}" for option in wanted} <= set(script)


def the_job(folder, needs=None):
    overrides = ("data.name=bars", "data.rows=120", "model.code=3", "train.steps=1000", "report.figures=false")
    made = plan.make("lecture/sparse_l1", overrides, axes.collect({}, ["seed=0:2"]))
    (job,) = groups.split(made.groups, None, Options(strategy="vmap"), folder, needs or groups.Needs())
    return job


def said_by(job):
    said = io.StringIO()
    with redirect_stdout(said):
        assert jobs.attempt(job) == ""
    return said.getvalue()


@pytest.mark.slow
def test_a_job_that_is_done_twice_at_once_is_trained_once(tmp_path):
    job = the_job(tmp_path / "sweep")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        said = list(pool.map(said_by, [job, job]))
    assert sorted("step 1000/1000" in text for text in said) == [False, True]
    (part,) = (tmp_path / "sweep" / "parts").iterdir()
    marker = (part / "done.json").read_bytes()
    before = (part / "done.json").stat().st_mtime_ns
    assert jobs.attempt(job) == ""
    assert (part / "done.json").stat().st_mtime_ns == before
    failure, files = jobs.attempt_apart(job)
    assert failure == ""
    assert list(files)[-1] == f"parts/{part.name}/done.json"
    for path, content in files.items():
        write_atomic(tmp_path / "back" / path, content)
    assert set(finished(tmp_path / "back")) == set(finished(tmp_path / "sweep"))
    digests = lambda text: [result["parameters_digest"] for result in json.loads(text)["results"]]
    assert digests(files[f"parts/{part.name}/done.json"]) == digests(marker)


def test_a_job_keeps_to_what_was_asked_for(tmp_path):
    job = the_job(tmp_path, groups.Needs(cpus=3, memory=8 * 10**9))
    assert job.arguments["options"]["budget"] == 4 * 10**9
    assert job.environment["OMP_NUM_THREADS"] == "3"
    assert job.environment["JAX_PLATFORMS"] == "cpu"
    assert "device_count=3 " in job.environment["XLA_FLAGS"]
    shared = the_job(tmp_path, groups.Needs(gpus=0.25, memory=8 * 10**9))
    assert shared.arguments["options"]["budget"] is None
    assert shared.environment == {"OMP_NUM_THREADS": "1", "XLA_PYTHON_CLIENT_MEM_FRACTION": "0.225"}


def test_a_job_refuses_other_data(tmp_path):
    job = the_job(tmp_path / "sweep")
    failure = jobs.attempt(job._replace(arguments={**job.arguments, "data": "0" * 64}))
    assert "data.name: bars on " in failure
    assert "differs from that of the sweep" in failure
    assert not (tmp_path / "sweep").exists()


ENGINES = {"ray": "Ray", "slurm": "submitit"}


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_without_its_extra_names_it(tmp_path, capsys, monkeypatch, engine):
    monkeypatch.setitem(sys.modules, ENGINES[engine].lower(), None)
    words = ["sweep", "lecture/sparse_l1", "--axis", "seed=0:2", "--workdir", str(tmp_path / "s"), "--engine", engine]
    assert_refused(call(words, capsys), f"{ENGINES[engine]} is not installed", f"pip install 'aejax[{engine}]'")
    assert not (tmp_path / "s").exists()


WRONG = {
    "--address: is for --engine ray, not local": ["--address", "here:1"],
    "--task-cpus: is for --engine ray or slurm, not local": ["--task-cpus", "2"],
    "--devices: is for --engine local, not ray": ["--engine", "ray", "--devices", "2"],
    "--task-cpus 0: allowed: 1 or more": ["--engine", "ray", "--task-cpus", "0"],
    "--task-gpus nan: allowed: 0 or more": ["--engine", "ray", "--task-gpus", "nan"],
    "--task-memory much: expected an amount": ["--engine", "ray", "--task-memory", "much"],
    "there is no srun on this machine": ["--engine", "slurm"],
    "--slurm: is for --cluster slurm": ["--engine", "slurm", "--cluster", "local", "--slurm", "partition=x"],
    "--slurm long: expected KEY=VALUE": ["--engine", "slurm", "--cluster", "local", "--slurm", "long"],
    "a whole number": ["--engine", "slurm", "--cluster", "local", "--task-gpus", "0.5"],
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_told_in_one_line_and_nothing_is_begun(tmp_path, capsys, monkeypatch, words):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = ["sweep", "lecture/sparse_l1", "--axis", "seed=0:2", "--workdir", str(tmp_path / "s"), *WRONG[words]]
    assert_refused(call(line, capsys), words)
    assert not (tmp_path / "s").exists()
