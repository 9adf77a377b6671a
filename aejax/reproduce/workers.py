"""Experiments in processes of their own, several at once, each on one thread; a stop reaches all of them.

One thread each: several that share a product of matrices may sum it in another order than one does. And XLA compiles a
program for as many threads as it sees cores, which changes how some sums are cut (those of lecture/ufldl_sparse), so it
is told a number of them. Then the bits do not depend on how many cores a machine has, and two experiments at once use
two cores better than two threads of one.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import aejax
from aejax.training.interruption import InterruptedRunError

POLL_SECONDS, GRACE_SECONDS = 0.1, 60.0
RUN_BYTES = 3 * 2**30
"""Memory that one experiment is thought to need."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
CORES = "2"
"""That programs are compiled for, however many there are; XLA reads NPROC."""


class Job(NamedTuple):
    """One experiment or some of its seeds, or one sweep.

    Attributes:
        name: of it.
        spec: the config, as `aejax run` takes it.
        seeds: one for each run; none for the sweep that the config declares.
        folder: of it.
        seconds: that one run takes, where that is known; else 0.
        cache: whether compiled programs are kept.
    """

    name: str
    spec: str
    seeds: tuple[int, ...]
    folder: Path
    seconds: float
    cache: bool


class Event(NamedTuple):
    """A run of a job is finished, or the job has ended.

    Attributes:
        job: which.
        run: folder of the run that is finished; None where the job has ended.
        trouble: why a job ended before its runs were finished, in one line; else "".
    """

    job: Job
    run: Path | None
    trouble: str


class Worker(NamedTuple):
    """A job at work, and the runs that have been told as finished."""

    job: Job
    process: subprocess.Popen
    told: set[Path]


def runs_of(job: Job) -> list[Path]:
    """The folders of a job's runs."""
    return [job.folder / f"seed-{seed}" for seed in job.seeds] or [job.folder]


def finished(run: Path) -> bool:
    """Whether a run, or a sweep, has its summary."""
    return (run / "summary.json").exists()


def spread(jobs: Sequence[Job], at_once: int) -> list[Job]:
    """Jobs, each split by its seeds where there are fewer jobs than may run at a time."""
    parts = max(1, at_once // max(1, len(jobs)))
    return [
        job._replace(seeds=job.seeds[first::parts])
        for job in jobs
        for first in range(max(1, min(parts, len(job.seeds))))
    ]


def run(jobs: Sequence[Job], at_once: int, asked: Callable[[], bool]) -> Iterator[Event]:
    """Do jobs, the longest first, and tell what becomes of them.

    Args:
        jobs: in any order.
        at_once: how many at a time.
        asked: whether to stop.

    Raises:
        InterruptedRunError: `asked` said so; all processes have saved what was done, and ended.
    """
    waiting = deque(sorted(jobs, key=lambda job: -job.seconds * len(runs_of(job))))
    working: list[Worker] = []
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                working.append(_start(waiting.popleft()))
            time.sleep(POLL_SECONDS)
            for worker in list(working):
                ended = worker.process.poll() is not None  # asked first, so that its last run is not overlooked
                for done in filter(finished, runs_of(worker.job)):
                    if done not in worker.told:
                        worker.told.add(done)
                        yield Event(worker.job, done, "")
                if ended:
                    working.remove(worker)
                    yield Event(worker.job, None, _trouble(worker))
            if asked():
                raise InterruptedRunError("stopped")
    finally:
        _stop(working)


def _start(job: Job) -> Worker:
    job.folder.mkdir(parents=True, exist_ok=True)
    told = {run for run in runs_of(job) if job.seeds and finished(run)}
    words = {"spec": job.spec, "seeds": job.seeds, "folder": str(job.folder), "cache": job.cache}
    with open(log_of(job), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "aejax.reproduce.worker", json.dumps(words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
    return Worker(job, process, told)


def log_of(job: Job) -> Path:
    """Where a job's process writes what it has to say; beside a sweep's folder, which is the sweep's alone."""
    return job.folder / "log.txt" if job.seeds else job.folder.parent / f"{job.folder.name}.log"


def environment() -> dict[str, str]:
    """Of a process that uses one thread and this package."""
    own = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own["NPROC"] = CORES
    own["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
    paths = [str(Path(aejax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return os.environ | own | {"PYTHONPATH": os.pathsep.join(paths)}


def _trouble(worker: Worker) -> str:
    told = worker.process.stdout.read().splitlines()
    _close(worker)
    if told:
        return json.loads(told[-1])
    code = worker.process.returncode
    if not code:
        return ""
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"its process was ended {how}; see {log_of(worker.job)}"


def _close(worker: Worker) -> None:
    worker.process.stdin.close()
    worker.process.stdout.close()


def _stop(working: Sequence[Worker]) -> None:
    """Let processes save and end; kill those that do not."""
    for worker in working:
        worker.process.stdin.close()
    deadline = time.monotonic() + GRACE_SECONDS
    for worker in working:
        try:
            worker.process.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()
        _close(worker)


def most_at_once() -> int:
    """As many as there are cores, and memory for; one where an accelerator is to be shared."""
    if entry_points(group="jax_plugins") and os.environ.get("JAX_PLATFORMS") != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _free_bytes() // RUN_BYTES))


def _free_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not on this system
        return sys.maxsize
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else sys.maxsize
