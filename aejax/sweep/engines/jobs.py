"""Jobs for other processes: what a job is, the loop that has jobs done by an engine, and processes of this machine.

A process of this machine is this module as a program, with the job as JSON:

    python -m aejax.sweep.engines.jobs '{"name": …, "function": …, "arguments": …, "folder": …}'

It writes why it failed to standard output, as one JSON string, and everything else to the log beside the job's folder.
It stops when its standard input ends, that is when its parent closes it or is gone; what was done is saved. Nothing
here imports jax before the process is set up for it.
"""

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import UserError
from aejax.files import write_atomic
from aejax.training.interruption import InterruptedRunError, asked_to_stop

POLL_SECONDS, GRACE_SECONDS = 0.1, 60.0


class Job(NamedTuple):
    """A call for another process, idempotent: what the folder holds is not done again.

    Attributes:
        name: of the job, for the console.
        function: ``"module:name"`` of a function of aejax, ``(folder, **arguments) -> None``.
        arguments: of that function; those of a process of this machine are plain values, as in JSON.
        folder: where the function leaves what it makes.
        environment: variables to set before anything else.
        cache: whether compiled programs are kept.
        cwd: folder that relative paths begin at, where it exists.
        modules: text of the user's own modules, by path.
    """

    name: str
    function: str
    arguments: Mapping[str, Any]
    folder: Path
    environment: Mapping[str, str] = {}
    cache: bool = False
    cwd: str = ""
    modules: Mapping[str, str] = {}


class Engine(NamedTuple):
    """Where jobs are done.

    Attributes:
        start: begins jobs and returns a handle for each.
        poll: of a handle: None while its job is being done, "" once it is done, or in one line why it failed.
        stop: ends the jobs of handles, and gives them time to save what was done.
        at_once: how many jobs are begun at a time.
    """

    start: Callable[[Sequence[Job]], Sequence[Any]]
    poll: Callable[[Any], str | None]
    stop: Callable[[Sequence[Any]], None]
    at_once: int = sys.maxsize


def run(jobs: Sequence[Job], engine: Engine, on_poll: Callable[[], None] = lambda: None) -> Iterator[tuple[Job, str]]:
    """Have jobs done, the first ones first, and yield each that has ended with why it failed, "" where it is done.

    Args:
        jobs: in the order to begin them.
        engine: that does them.
        on_poll: called before the engine is asked how far it is.

    Raises:
        InterruptedRunError: SIGINT or SIGTERM came; the jobs that had begun were stopped.
    """
    waiting, running = list(jobs), []
    with asked_to_stop() as asked:
        try:
            while waiting or running:
                if asked():
                    raise InterruptedRunError("stopped")
                free = engine.at_once - len(running)
                begun, waiting = waiting[:free], waiting[free:]
                running += zip(engine.start(begun) if begun else (), begun, strict=True)
                time.sleep(POLL_SECONDS)
                on_poll()
                for handle, job in list(running):
                    if (failure := engine.poll(handle)) is not None:
                        running.remove((handle, job))
                        yield job, failure
        finally:
            engine.stop([handle for handle, _ in running])


def attempt(job: Job) -> str:
    """Do a job in this process; why it failed, in one line, and "" where it is done."""
    try:
        set_up(job)
        module, _, name = job.function.partition(":")
        getattr(import_module(module), name)(Path(job.folder), **job.arguments)
    except (UserError, InterruptedRunError) as error:
        return str(error) or type(error).__name__
    except Exception as error:  # one job that breaks must not stop the others
        traceback.print_exc()
        return f"{type(error).__name__}: {error}".partition("\n")[0]
    return ""


def _again(job: Job) -> Any:
    from submitit.helpers import DelayedSubmission

    return DelayedSubmission(attempt, job)


attempt.checkpoint = _again  # submitit asks for it when the time of a job is up, and queues what it returns


def attempt_apart(job: Job) -> tuple[str, dict[str, bytes]]:
    """Do a job in a folder of its own, for a machine that shares no file system.

    Returns:
        Why it failed, "" where it is done; and the files that it then left, by path, those that say so last.
    """
    with tempfile.TemporaryDirectory(prefix="aejax-task-") as folder:
        failure = attempt(job._replace(folder=folder))
        paths = [path for path in Path(folder).rglob("*") if path.is_file() and not failure]
        paths.sort(key=lambda path: path.name == "done.json")
        return failure, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def set_up(job: Job) -> None:
    """Make this process one that does a job; variables that it has, such as `XLA_FLAGS`, stay as they are."""
    for name, value in job.environment.items():
        os.environ.setdefault(name, value)
    if os.path.isdir(job.cwd):
        os.chdir(job.cwd)
    if job.modules:
        folder = tempfile.mkdtemp(prefix="aejax-modules-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for path, text in job.modules.items():
            write_atomic(Path(folder) / path, text)
        sys.path.append(folder)
    if job.cache:
        from aejax.training import compilation

        compilation.enable_cache()


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(at_once: int) -> Engine:
    """The engine that gives each job a process of this machine, so many at a time."""
    return Engine(lambda jobs: list(map(_start, jobs)), _poll, _stop, at_once)


def _start(job: Job) -> tuple[subprocess.Popen, Path]:
    log = Path(f"{job.folder}.log")
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, json.dumps(job._asdict(), default=str)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            env={**os.environ, **job.environment},
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
    return process, log


def _poll(handle: tuple[subprocess.Popen, Path]) -> str | None:
    process, log = handle
    if process.poll() is None:
        return None
    with process:
        output = process.stdout.read()
    if output:
        return json.loads(output.splitlines()[-1])
    code = process.returncode
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    return f"its process was ended {how}; see {log}"


def _stop(handles: Sequence[tuple[subprocess.Popen, Path]]) -> None:
    """Let processes save and end; kill those that do not."""
    for process, _ in handles:
        process.stdin.close()
    deadline = time.monotonic() + GRACE_SECONDS
    for process, _ in handles:
        with process:
            try:
                process.wait(max(deadline - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()


def _stop_at_end_of_input() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    with redirect_stdout(sys.stderr):
        failure = attempt(Job(**json.loads(sys.argv[1])))
    print(json.dumps(failure), flush=True)
