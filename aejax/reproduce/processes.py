"""Worker processes: each trains one experiment, seed after seed, or one sweep, on one thread; several at once.

One thread each: several that share a product of matrices may sum it in another order than one does. And XLA compiles a
program for as many threads as it sees cores, which changes how some sums are cut (those of lecture/ufldl_sparse), so it
is told a number of them. Then the bits do not depend on how many cores a machine has, and two experiments at once use
two cores better than two threads of one.

A worker is this module as a program:

    python -m aejax.reproduce.processes '{"spec": …, "seeds": [0, 1], "folder": …, "cache": true}'

It writes an error to standard output, as one JSON string, and everything else to standard error. It stops when its
standard input ends, that is when its parent closes it or is gone; what was done is saved.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NamedTuple

import aejax
from aejax.errors import UserError
from aejax.training.interruption import InterruptedRunError

POLL_SECONDS, GRACE_SECONDS = 0.1, 60.0
RUN_BYTES = 3 * 2**30
"""Memory that one experiment is assumed to need."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
CORES = "2"
"""The number of cores that programs are compiled for on any machine; XLA reads NPROC."""


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
    """A process, its job, and the runs that have been reported as finished."""

    job: Job
    process: subprocess.Popen
    reported: set[Path]


def runs_of(job: Job) -> list[Path]:
    """The folders of a job's runs."""
    return [job.folder / f"seed-{seed}" for seed in job.seeds] or [job.folder]


def finished(run: Path) -> bool:
    """Whether a run, or a sweep, has its summary."""
    return (run / "summary.json").exists()


def log_of(job: Job) -> Path:
    """The log of a job's process; beside a sweep's folder, as that folder holds the sweep alone."""
    return job.folder / "log.txt" if job.seeds else job.folder.parent / f"{job.folder.name}.log"


def spread(jobs: Sequence[Job], at_once: int) -> list[Job]:
    """Jobs, each split by its seeds where there are fewer jobs than may run at a time."""
    parts = max(1, at_once // max(1, len(jobs)))
    return [
        job._replace(seeds=job.seeds[first::parts])
        for job in jobs
        for first in range(max(1, min(parts, len(job.seeds))))
    ]


def run(jobs: Sequence[Job], at_once: int, stop: Callable[[], bool]) -> Iterator[Event]:
    """Do jobs, the longest first, and yield what becomes of them.

    Args:
        jobs: in any order.
        at_once: how many at a time.
        stop: whether to stop.

    Raises:
        InterruptedRunError: `stop` said so; all processes have saved what was done, and ended.
    """
    waiting = deque(sorted(jobs, key=lambda job: -job.seconds * len(runs_of(job))))
    working: list[Worker] = []
    try:
        while waiting or working:
            while waiting and len(working) < at_once:
                working.append(_start(waiting.popleft()))
            time.sleep(POLL_SECONDS)
            for worker in list(working):
                ended = worker.process.poll() is not None  # before the runs, so that its last run is not overlooked
                for folder in filter(finished, runs_of(worker.job)):
                    if folder not in worker.reported:
                        worker.reported.add(folder)
                        yield Event(worker.job, folder, "")
                if ended:
                    working.remove(worker)
                    yield Event(worker.job, None, _trouble(worker))
            if stop():
                raise InterruptedRunError("stopped")
    finally:
        _stop(working)


def _start(job: Job) -> Worker:
    job.folder.mkdir(parents=True, exist_ok=True)
    reported = {run for run in runs_of(job) if job.seeds and finished(run)}
    request = {"spec": job.spec, "seeds": job.seeds, "folder": str(job.folder), "cache": job.cache}
    with open(log_of(job), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "aejax.reproduce.processes", json.dumps(request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(),
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
    return Worker(job, process, reported)


def environment() -> dict[str, str]:
    """The environment of a process that uses one thread and this package."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    flags = f"{os.environ.get('XLA_FLAGS', '')} {ONE_THREAD}".strip()
    paths = [str(Path(aejax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **threads, "NPROC": CORES, "XLA_FLAGS": flags, "PYTHONPATH": os.pathsep.join(paths)}


def _trouble(worker: Worker) -> str:
    """Why a process that has ended did not do its job; "" if it did."""
    output = worker.process.stdout.read().splitlines()
    _close(worker)
    if output:
        return json.loads(output[-1])
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
    """As many processes as there are cores, and memory for; one where an accelerator is to be shared."""
    if entry_points(group="jax_plugins") and os.environ.get("JAX_PLATFORMS") != "cpu":
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, _free_bytes() // RUN_BYTES))


def _free_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:  # not on this system
        return sys.maxsize
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), sys.maxsize)


def main(request: str) -> int:
    """What a worker process does: the job of a request; returns the exit code."""
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    try:
        with redirect_stdout(sys.stderr):
            work(json.loads(request))
    except (UserError, InterruptedRunError) as error:
        trouble = str(error)
    except Exception as error:  # one experiment that breaks must not stop the others
        traceback.print_exc()
        trouble = f"{type(error).__name__}: {error}".partition("\n")[0]
    else:
        return 0
    print(json.dumps(trouble), flush=True)
    return 1


def work(request: Mapping[str, Any]) -> None:
    """Train an experiment, each seed in a folder of its own; without seeds, the sweep that the config declares."""
    spec, folder = request["spec"], Path(request["folder"])
    if not request["seeds"]:
        return _sweep(spec, folder, cache=request["cache"])
    from aejax import config
    from aejax.runs import experiment
    from aejax.training import compilation

    if request["cache"]:
        compilation.enable_cache()
    settings = config.load(spec)
    for seed in request["seeds"]:
        experiment.run({**settings, "seed": seed}, folder / f"seed-{seed}")


def _sweep(spec: str, folder: Path, *, cache: bool) -> None:
    import argparse

    from aejax.sweep import command

    parser = argparse.ArgumentParser()
    command.add_options(parser)
    words = [spec, "--workdir", str(folder), *([] if cache else ["--no-compile-cache"])]
    if command.run(parser.parse_args(words)):
        raise InterruptedRunError(f"{folder}: the sweep was stopped")


def _stop_at_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
