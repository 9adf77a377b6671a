"""Jobs of SLURM, through submitit; or processes of this machine, to try the same thing without a cluster.

Jobs work in the folder of the sweep, which all nodes see: one that is queued again goes on from its checkpoint.
"""

import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from aejax.errors import UserError
from aejax.sweep.engines.groups import Needs, TrainGroups, train_with
from aejax.sweep.engines.jobs import Engine, Job, attempt, cores

LOGS = "slurm"
MINUTES = 60
MOST = 1000
"""Jobs of one array; SLURM takes 1001 unless it is told otherwise."""
TIMEOUTS = 20
"""How often a job whose time was up is queued again."""
END_SECONDS = 10.0


@contextmanager
def queue(cluster: str, options: Sequence[str], minutes: int | None, needs: Needs) -> Iterator[TrainGroups]:
    """The engine that hands groups to SLURM as an array of jobs, and waits for them.

    Args:
        cluster: ``"slurm"``, or ``"local"`` for processes of this machine.
        options: ``"key=value"`` of sbatch.
        minutes: that a job may take before it is queued again; None for 60.
        needs: of a job.

    Yields:
        What trains groups.

    Raises:
        UserError: submitit is not installed, there is no SLURM, or it cannot be asked for such jobs.
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
    extra = dict(map(spelled, options))
    if extra and cluster != "slurm":
        raise UserError("--slurm: is for --cluster slurm, not local")
    asks = {
        "name": "aejax-sweep",
        "timeout_min": minutes or MINUTES,
        "cpus_per_task": needs.cpus,
        "gpus_per_node": int(needs.gpus) or None,
        "mem_gb": None if needs.memory is None else needs.memory / 2**30,
        "slurm_additional_parameters": extra or None,
    }
    at_once = MOST if cluster == "slurm" else max(1, cores() // needs.cpus)
    yield partial(train_with, Engine(partial(_submit, submitit, cluster, asks), _poll, _cancel, at_once), needs)


def spelled(text: str) -> tuple[str, str]:
    """The halves of ``KEY=VALUE``."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip("- ") or "\n" in text:
        raise UserError(f"--slurm {text}: expected KEY=VALUE of sbatch, such as partition=gpu")
    return key.strip("- "), value.strip()


def _submit(submitit: Any, cluster: str, asks: dict[str, Any], jobs: Sequence[Job]) -> list[Any]:
    """Hand jobs over as one array, in a folder where no other process can have put results before.

    Submitit takes results from pickles, which are code.
    """
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    folder = jobs[0].folder.resolve()
    logs = folder / LOGS / secrets.token_hex(8)
    executor = submitit.AutoExecutor(folder=logs, cluster=cluster, slurm_max_num_timeout=TIMEOUTS)
    executor.update_parameters(**{name: value for name, value in asks.items() if value is not None})
    try:
        return executor.map_array(attempt, [job._replace(folder=folder) for job in jobs])
    except (FailedSubmissionError, FailedJobError) as error:
        raise UserError(f"--engine slurm: sbatch refused: {' '.join(str(error).split())[-300:]}") from None


def _poll(job: Any) -> str | None:
    if not job.done():
        return None
    error = job.exception()
    failure = job.result() if error is None else f"{type(error).__name__}, {job.state}"
    return failure and f"{failure} ({job.paths.stderr})"


def _cancel(jobs: Sequence[Any]) -> None:
    """Take jobs back, and give them a moment to end."""
    for job in jobs:
        job.cancel(check=False)
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline and not all(job.done() for job in jobs):
        time.sleep(0.1)
