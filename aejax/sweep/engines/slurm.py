"""Groups as jobs of SLURM, through submitit; or as processes of this machine, to try the same thing without a cluster.

Tasks work in the folder of the sweep, which all nodes see: one that is queued again goes on from its checkpoint.
"""

import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError
from aejax.sweep.block import Options
from aejax.sweep.engines import task as tasks
from aejax.sweep.engines.local import Engine
from aejax.sweep.engines.task import Needs
from aejax.sweep.plan import Member
from aejax.training.interruption import InterruptedRunError, asked_to_stop

LOGS = "slurm"
MINUTES = 60
MOST = 1000
"""Jobs of one array; SLURM takes 1001 unless it is told otherwise."""
TIMEOUTS = 20
"""How often a task whose time was up is queued again."""
POLL_SECONDS = 0.5
END_SECONDS = 10.0


@contextmanager
def queue(cluster: str, options: Sequence[str], minutes: int | None, needs: Needs) -> Iterator[Engine]:
    """The engine that hands groups to SLURM as an array of jobs, and waits for them.

    Args:
        cluster: ``"slurm"``, or ``"local"`` for processes of this machine.
        options: ``"key=value"`` of sbatch.
        minutes: that a task may take before it is queued again; None for 60.
        needs: of a task.

    Yields:
        The engine.

    Raises:
        UserError: submitit is not installed, there is no SLURM, or it cannot be asked for such tasks.
    """
    try:
        import submitit
    except ImportError:
        raise UserError("--engine slurm: submitit is not installed; allowed: pip install 'aejax[slurm]'") from None
    if cluster == "slurm" and not shutil.which("srun"):
        raise UserError(
            "--engine slurm: there is no srun on this machine; allowed: a login node of a SLURM cluster, or "
            "--cluster local for processes of this machine"
        )
    if needs.gpus != int(needs.gpus):
        raise UserError(f"--task-gpus {needs.gpus:g}: allowed with --engine slurm: a whole number")
    own = dict(map(spelled, options))
    if own and cluster != "slurm":
        raise UserError("--slurm: is for --cluster slurm, not local")
    asks = {
        "name": "aejax-sweep",
        "timeout_min": minutes or MINUTES,
        "cpus_per_task": needs.cpus,
        "gpus_per_node": int(needs.gpus) or None,
        "mem_gb": None if needs.memory is None else needs.memory / 2**30,
        "slurm_additional_parameters": own or None,
    }
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    at_once = MOST if cluster == "slurm" else max(1, cores // needs.cpus)
    yield partial(_train, partial(executor, submitit, cluster, asks), at_once, needs)


def spelled(text: str) -> tuple[str, str]:
    """The halves of ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip("- ") or "\n" in text:
        raise UserError(f"--slurm {text}: expected KEY=VALUE of sbatch, such as partition=gpu")
    return key.strip("- "), value.strip()


def executor(submitit: Any, cluster: str, asks: dict[str, Any], folder: Path) -> Any:
    """Submitit's executor, its files in the folder of the sweep, where no other process can have put results before.

    Submitit takes results from pickles, which are code.
    """
    logs = folder.resolve() / LOGS / secrets.token_hex(8)
    made = submitit.AutoExecutor(folder=logs, cluster=cluster, slurm_max_num_timeout=TIMEOUTS)
    made.update_parameters(**{name: value for name, value in asks.items() if value is not None})
    return made


def _train(
    make_executor: Any,
    at_once: int,
    needs: Needs,
    groups: Sequence[tuple[Member, ...]],
    folds: int | None,
    options: Options,
    folder: Path,
) -> None:
    """The engine."""
    todo = tasks.split(groups, folds, options._asdict(), needs, needs.runs)
    queue, waiting, running, failed = make_executor(folder), list(range(len(todo))), {}, []
    with asked_to_stop() as asked:
        while (waiting or running) and not asked():
            now, waiting = waiting[: at_once - len(running)], waiting[at_once - len(running) :]
            running |= dict(zip(now, _submit(queue, [todo[place] for place in now], folder), strict=True))
            time.sleep(POLL_SECONDS)
            for place in [place for place, job in running.items() if job.done()]:
                name = f"task {place + 1} of {len(todo)} ({len(todo[place].members)} runs)"
                told = outcome(running.pop(place))
                console.say(f"{name}: {told or 'done'}")
                failed += [f"{name}: {told}"] if told else []
        if asked():
            cancel(list(running.values()))
            raise InterruptedRunError
    if failed:
        raise UserError(tasks.failures(folder, failed, len(todo)))


def _submit(queue: Any, todo: list[tasks.Task], folder: Path) -> list[Any]:
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    if not todo:
        return []
    try:
        return queue.map_array(tasks.do_or_tell, todo, [folder.resolve()] * len(todo))
    except (FailedSubmissionError, FailedJobError) as error:
        raise UserError(f"--engine slurm: sbatch refused: {' '.join(str(error).split())[-300:]}") from None


def outcome(job: Any) -> str | None:
    """Why a job failed, in one line that names its log; None where it is done."""
    error = job.exception()
    if error is None:
        told = job.result()
        return told and f"{told}"
    lines = [line for line in str(error).splitlines() if line[:1].isalpha() and "Error" in line.partition(":")[0]]
    return f"{(lines or [type(error).__name__])[-1]} ({job.paths.stderr})"


def cancel(jobs: list[Any]) -> None:
    """Take jobs back, and give them a moment to end."""
    for job in jobs:
        job.cancel(check=False)
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(0.1)
