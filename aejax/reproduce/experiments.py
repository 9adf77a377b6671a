"""The experiments of a reproduction as jobs, each in a process of its own on one thread.

One thread each: several that share a product of matrices may sum it in another order than one does. And XLA compiles a
program for as many threads as it sees cores, which changes how some sums are cut (those of lecture/ufldl_sparse), so it
is told a number of them. Then the bits do not depend on how many cores a machine has, and two experiments at once use
two cores better than two threads of one.

And one instruction set: XLA, OpenBLAS and NumPy would each use what the processor has, which sums in another order with
AVX-512 than with AVX2. So all are held to AVX2. XLA also calls YNNPACK and oneDNN for products of matrices and for
convolutions, which choose by the processor and heed no flag of XLA; Eigen, which is compiled for one instruction set,
takes their place. And 1/√x begins with an instruction of which each processor has its own approximation; XLA is told to
divide. Then processors with AVX2 agree bit for bit, but for sums that Eigen cuts by the size of the first-level cache;
docs/guide/reproducing.md has what was measured.
"""

import argparse
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

import aejax
from aejax import config, console
from aejax.config import files as config_files
from aejax.data import catalogue
from aejax.errors import UserError
from aejax.reproduce import record
from aejax.reproduce.record import Recorded, Result, read_run, seconds_of
from aejax.runs import experiment, workdir
from aejax.sweep import command
from aejax.sweep.engines import jobs
from aejax.sweep.engines.jobs import Job
from aejax.sweep.folder import counted
from aejax.training import numerics
from aejax.training.interruption import InterruptedRunError

SWEEPS = "sweeps"
RUN_BYTES = 3 * 2**30
"""Memory that one experiment is assumed to need."""
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
PORTABLE = (ONE_THREAD, "--xla_cpu_max_isa=AVX2", record.PORTABLE_MATH, "--xla_cpu_experimental_ynn_fusion_type=")
"""Flags of XLA for bits that are the same on every x86-64 processor with AVX2."""
CORES = "2"
"""The number of cores that programs are compiled for on any machine; XLA reads NPROC."""


def sweeps_of(folder: Path, names: Sequence[str]) -> list[str]:
    """The sweeps that the configs of some experiments declare, not those of their variants: ``"sweeps/sparse_l1"``."""
    files = {name: folder / f"{name}.py" for name in names if ":" not in name}
    return [f"{SWEEPS}/{name}" for name, path in files.items() if hasattr(config_files.execute(path), "sweep")]


def run_all(
    folder: Path, seeds: Mapping[str, int], root: Path, recorded: Mapping[str, Recorded], *, at_once: int, cache: bool
) -> list[Result]:
    """Run experiments and the sweeps that their configs declare, from where they were left.

    Args:
        folder: of the collection.
        seeds: how many of each experiment, from 0; 0 of ``sweeps/NAME`` for the sweep of one.
        root: the folder of the reproduction, in which each experiment has a folder with one for each run.
        recorded: the content of ``expected.json``; for the time left.
        at_once: how many experiments run at a time, or seeds where there are fewer experiments.
        cache: whether compiled programs are kept.

    Raises:
        InterruptedRunError: it was asked to stop; all that was done is saved.
    """
    absent = {row.name for row in catalogue.table() if row.status == "needs download"}
    homes = {name: root / name.replace(":", "-") for name in seeds}
    runs = {name: [home / f"seed-{seed}" for seed in range(seeds[name])] for name, home in homes.items()}
    results, todo = {}, []
    for name, home in homes.items():
        stem, colon, variant = name.rpartition("/")[2].partition(":")
        spec = f"{folder / stem}.py{colon}{variant}"
        left = [seed for seed, run in enumerate(runs[name]) if not finished(run)]
        results[name] = obstacle = _obstacle(name, spec, runs[name], absent)
        if obstacle:
            console.say(f"{name}: {'not run' if obstacle.missing else 'failed'}: {obstacle.trouble}")
        elif left or not runs[name]:
            arguments = {"spec": spec, "seeds": tuple(left)}
            todo.append(Job(name, f"{__name__}:{work.__name__}", arguments, home, environment(), cache))
    seconds = {name: recorded[name].seconds if name in recorded else 0.0 for name in seeds}
    todo = spread(todo, at_once)
    todo.sort(key=lambda job: -seconds[job.name] * len(job.arguments["seeds"]))
    report = progress(todo, seconds, at_once)
    for job, failure in jobs.run(todo, jobs.processes(at_once), report):
        report(job, failure)
        if failure:
            results[job.name] = Result(job.name, (), failure)
    return [result or _read(name, runs[name]) for name, result in results.items()]


def _obstacle(name: str, spec: str, runs: Sequence[Path], absent: Collection[str]) -> Result | None:
    """What keeps an experiment from being run, if anything does."""
    try:
        settings = config.load(spec)
        for seed, run in enumerate(runs):
            workdir.check(run, {**settings, "seed": seed})
    except UserError as error:
        return Result(name, (), str(error))
    data = settings["data"]["name"].removeprefix("binary:")
    if data in absent:
        return Result(name, (), f"{data} is not at hand; get it with: aejax data prepare {data}", missing=True)
    kind, _, path = data.partition(":")
    file = Path(path).expanduser().absolute()
    done = bool(runs) and all(map(finished, runs))
    if kind in ("file", "stream") and path and not file.exists() and not done:
        return Result(name, (), f"{data}: there is no {file}; paths of data start at the current folder")
    return None


def _read(name: str, runs: Sequence[Path]) -> Result:
    """The finished runs of an experiment."""
    try:
        return Result(name, tuple(map(read_run, runs)))
    except UserError as error:
        return Result(name, (), str(error))


def finished(run: Path) -> bool:
    """Whether a run has its summary."""
    return (run / "summary.json").exists()


def spread(todo: Sequence[Job], at_once: int) -> list[Job]:
    """Jobs, each split by its seeds where there are fewer jobs than may run at a time."""
    parts = max(1, at_once // max(1, len(todo)))
    return [
        job._replace(arguments={**job.arguments, "seeds": job.arguments["seeds"][first::parts]})
        for job in todo
        for first in range(max(1, min(parts, len(job.arguments["seeds"]))))
    ]


def work(folder: Path, spec: str, seeds: Sequence[int]) -> None:
    """Train an experiment, each seed in a folder of its own; without seeds, the sweep that the config declares."""
    if not seeds:
        parser = argparse.ArgumentParser()
        command.add_options(parser)
        words = [spec, "--workdir", str(folder), "--no-compile-cache"]  # the job has enabled it, or is to have none
        if command.run(parser.parse_args(words)):
            raise InterruptedRunError(f"{folder}: the sweep was stopped")
        return
    settings = config.load(spec)
    for seed in seeds:
        experiment.run({**settings, "seed": seed}, folder / f"seed-{seed}")


def environment() -> dict[str, str]:
    """The variables of a process that uses this package, one thread and, on x86-64, no instructions beyond AVX2."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    paths = [str(Path(aejax.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**threads, "NPROC": CORES, "XLA_FLAGS": ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    available = {*simd.get("baseline", ()), *simd.get("found", ())}
    if not available & {"AVX2", "X86_V3"}:
        return variables
    beyond = sorted(name for name in available if "512" in name or name == "X86_V4")
    variables |= {"XLA_FLAGS": " ".join(PORTABLE), numerics.ONEDNN: "false", "OPENBLAS_CORETYPE": "Haswell"}
    return variables | ({"NPY_DISABLE_CPU_FEATURES": ",".join(beyond)} if beyond else {})


def most_at_once() -> int:
    """As many processes as there are cores, and memory for; one where an accelerator is to be shared."""
    if entry_points(group="jax_plugins") and os.environ.get("JAX_PLATFORMS") != "cpu":
        return 1
    meminfo = Path("/proc/meminfo")  # of Linux
    free = re.search(r"MemAvailable: *(\d+)", meminfo.read_text()) if meminfo.exists() else None
    return max(1, min(jobs.cores(), int(free[1]) * 1024 // RUN_BYTES)) if free else jobs.cores()


def progress(todo: Sequence[Job], recorded: Mapping[str, float], at_once: int) -> Callable[..., None]:
    """A function that prints the runs that have been finished since its last call, and the time left.

    With a job that has ended and why it failed, it prints that too. The time left is that of the recorded times, at the
    pace of the runs so far; unknown ones take the mean of the others. The longest job is a bound too: its runs come one
    after the other.

    Args:
        todo: the jobs.
        recorded: seconds that one run of each experiment takes; 0 where that is not known.
        at_once: how many jobs at a time.
    """
    left = [[job.folder / f"seed-{seed}" for seed in job.arguments["seeds"]] or [job.folder] for job in todo]
    total, seconds, measured, expected = sum(map(len, left)), dict(recorded), [], []

    def say(text: str) -> None:
        known = [seconds[job.name] for job in todo if seconds[job.name]]
        if known and any(left):
            mean, pace = sum(known) / len(known), sum(measured) / sum(expected) if sum(expected) else 1.0
            times = [len(runs) * (seconds[job.name] or mean) * pace for job, runs in zip(todo, left, strict=True)]
            rest = max(sum(times) / at_once, max(times))
            text += f"; about {rest / 60:.0f} min left" if rest >= 90 else f"; about {rest:.0f} s left"
        console.say(text)

    def report(ended: Job | None = None, failure: str = "") -> None:
        count = lambda: f"[{total - sum(map(len, left))}/{total}]"
        for job, runs in zip(todo, left, strict=True):
            for run in [run for run in runs if job.arguments["seeds"] and finished(run)]:
                runs.remove(run)
                measured.append(seconds_of(workdir.read_json(run / "summary.json")))
                expected.append(seconds[job.name] or measured[-1])
                seconds[job.name] = expected[-1]
                say(f"{count()} {job.name}, seed {run.name.removeprefix('seed-')}: {measured[-1]:.1f} s")
            if job is ended and runs:  # a sweep that is done, or what failed
                runs.clear()
                say(f"{count()} {job.name}" + (f": failed: {failure}" if failure else ""))

    if total:
        say(f"{counted(total, 'run')}, {min(at_once, len(todo))} at a time")
    return report
