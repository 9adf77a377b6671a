"""A reproduction: choose the experiments, train them or say what keeps them from it, and what to record of them."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from aejax import config as configs
from aejax import console
from aejax.config import files as config_files
from aejax.data import catalogue
from aejax.errors import UserError, one_of
from aejax.files import write_json
from aejax.reproduce import compare, processes, record, summary
from aejax.reproduce.compare import Comparison, Result, Run
from aejax.reproduce.processes import Job
from aejax.reproduce.record import FILE, Recorded
from aejax.runs import workdir
from aejax.storage.records import Many
from aejax.training.interruption import asked_to_stop

REPORT, SWEEPS = "reproduce.json", "sweeps"
QUICK_SECONDS = 10.0
"""An experiment that is recorded for the first time is a quick one if a run takes no longer."""
ENVIRONMENT = {"backend": str, "devices": Many(str, 1), "processor": str, "packages": {"jaxlib": str}}
"""The form of ``environment.json``, as far as the bits of a result depend on it."""


def choose(
    recorded: Mapping[str, Recorded],
    specs: Sequence[str],
    only: Sequence[str] | None,
    collection: str,
    *,
    quick: bool,
    update: bool,
) -> list[str]:
    """The experiments to run: those that `only` names; else all recorded ones and, to record them, all new configs.

    Args:
        recorded: the content of ``expected.json``.
        specs: the experiments that the collection has, variants too.
        only: of ``--only``.
        collection: as the person named it.
        quick: whether only those that are marked as quick.
        update: whether what comes out is recorded.

    Raises:
        UserError: an experiment that does not exist or is not recorded, or none at all.
    """
    for name in recorded:
        if name not in specs:
            raise UserError(f"{FILE}: records {name!r}, and there is no such experiment; allowed: take it out")
    allowed, command = specs if update else recorded, record.update_command
    for name in only or ():
        if name in specs and name not in allowed:
            raise UserError(f"--only: {name!r} is not recorded; record it with {command(collection, [name])}")
        if name not in allowed:
            raise one_of(name, allowed, what="--only")
    names = list(dict.fromkeys(only or [*recorded, *(record.unrecorded(recorded, specs) if update else ())]))
    if not names:
        why = f"nothing is recorded; record it with {command(collection)}" if specs else "the folder has no config"
        raise UserError(f"there is no experiment to run: {why}")
    if quick:
        names = [name for name in names if name not in recorded or recorded[name].quick]
    if not names:
        remedy = f'"quick": true for an experiment in {FILE}, or no --quick'
        raise UserError(f"--quick: there is no experiment to run, as none of them is quick; allowed: {remedy}")
    return names


def begin(root: Path) -> None:
    """Make the folder of a reproduction, and refuse one that cannot be written or holds something else.

    Raises:
        UserError: naming the folder.
    """
    if root.is_dir() and not (root / REPORT).exists() and any(root.iterdir()):
        raise UserError(f"{root}: is not empty and holds no reproduction; allowed: a new folder, or that of one")
    check_writable(root)
    if not (root / REPORT).exists():
        write_json(root / REPORT, {"machine": "", "environment": {}, "lines": [], "not_run": {}, "failed": {}})


def check_writable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written.

    Raises:
        UserError: naming it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}") from None


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
    status = {row.name: row.status for row in catalogue.table()}
    results, jobs = {}, []
    for name, count in seeds.items():
        seconds = recorded[name].seconds if name in recorded else 0.0
        job = Job(name, spec_of(folder, name), tuple(range(count)), root / name.replace(":", "-"), seconds, cache)
        results[name] = result = _obstacle(job, status)
        if result:
            console.say(f"{name}: {'not run' if result.missing else 'failed'}: {result.trouble}")
        elif not (count and _finished(job)):
            jobs.append(job)
    jobs = processes.spread(jobs, at_once)
    report = summary.progress(jobs, at_once)
    with asked_to_stop() as stop:
        for event in processes.run(jobs, at_once, stop):
            report(event)
            if event.trouble:
                results[event.job.name] = Result(event.job.name, (), event.trouble)
    return [result or _read(root, name, seeds[name]) for name, result in results.items()]


def spec_of(folder: Path, name: str) -> str:
    """The config of an experiment, as `aejax run` takes it."""
    stem, colon, variant = name.rpartition("/")[2].partition(":")
    return f"{folder / f'{stem}.py'}{colon}{variant}"


def sweeps_of(folder: Path, names: Sequence[str]) -> list[str]:
    """The sweeps that the configs of some experiments declare, not those of their variants: ``"sweeps/sparse_l1"``."""
    files = {name: folder / f"{name}.py" for name in names if ":" not in name}
    return [f"{SWEEPS}/{name}" for name, path in files.items() if hasattr(config_files.execute(path), "sweep")]


def _obstacle(job: Job, status: Mapping[str, str]) -> Result | None:
    """Why a job cannot begin, if it cannot."""
    try:
        config = configs.load(job.spec)
        for seed in job.seeds:
            workdir.check(job.folder / f"seed-{seed}", {**config, "seed": seed})
    except UserError as error:
        return Result(job.name, (), str(error))
    data = config["data"]["name"].removeprefix("binary:")
    if status.get(data) == "needs download":
        return Result(job.name, (), f"{data} is not at hand; get it with: aejax data prepare {data}", missing=True)
    kind, colon, path = data.partition(":")
    if colon and kind in ("file", "stream") and not _finished(job) and not Path(path).expanduser().exists():
        tried = Path(path).expanduser().absolute()
        return Result(job.name, (), f"{data}: there is no {tried}; paths of data start at the current folder")
    return None


def _finished(job: Job) -> bool:
    return all(map(processes.finished, processes.runs_of(job)))


def _read(root: Path, name: str, seeds: int) -> Result:
    """The finished runs of an experiment."""
    folders = [root / name.replace(":", "-") / f"seed-{seed}" for seed in range(seeds)]
    try:
        return Result(name, tuple(map(read_run, folders)))
    except UserError as error:
        return Result(name, (), str(error))


def read_run(folder: Path) -> Run:
    """The outcome of a finished run, from its folder.

    Raises:
        UserError: a file of it is damaged.
    """
    content = workdir.read_json(folder / "summary.json", workdir.SUMMARY)
    environment = workdir.read_json(folder / "environment.json", ENVIRONMENT)
    numbers, digest = record.numbers_of(content), content["parameters_digest"]
    return Run(numbers, digest, record.seconds_of(content), record.fingerprint(environment))


def updated(old: Recorded | None, runs: Sequence[Run]) -> Recorded:
    """What to record after runs: new numbers, and this machine's digests beside those of others.

    Digests of other machines are kept only where this machine's have not changed: if these have, so have those.
    """
    # some numbers are there for some seeds only, such as PCA with as many components as a sparse code has active units
    names = [name for name in runs[0].numbers if all(name in run.numbers for run in runs)]
    numbers = {name: record.number([run.numbers[name] for run in runs]) for name in names}
    machine, new = runs[0].machine, tuple(run.digest for run in runs)
    digests = dict(old.digests) if old else {}
    before = digests.get(machine, ())
    if before[: len(new)] != new[: len(before)]:
        digests = {}
    if all(run.machine == machine for run in runs):
        digests[machine] = new
    seconds = sum(run.seconds for run in runs) / len(runs)
    return Recorded(old.quick if old else seconds <= QUICK_SECONDS, seconds, numbers, digests)


def update(
    results: Sequence[Result], recorded: Mapping[str, Recorded], lines: Sequence[Comparison]
) -> dict[str, Recorded]:
    """What to record of the experiments that ran, except those in which a number has become NaN."""
    refused = compare.with_nan(lines)
    ran = [result for result in results if result.runs and result.name not in refused]
    return {result.name: updated(recorded.get(result.name), result.runs) for result in ran}


def write_report(root: Path, folder: Path, lines: Sequence[Comparison], results: Sequence[Result]) -> Path:
    """Write ``reproduce.json``: the lines, how each experiment was checked, what was not run and what failed."""
    exact = {line.experiment for line in lines if line.verdict in (compare.SAME, compare.OTHER)}
    environment = workdir.environment()
    return write_json(
        root / REPORT,
        {
            "collection": folder.name if folder.parent == config_files.experiments_folder() else str(folder.resolve()),
            "machine": record.fingerprint(environment),
            "environment": environment,
            "lines": [line._asdict() for line in lines],
            "checked": {line.experiment: "bits" if line.experiment in exact else "tolerance" for line in lines},
            "not_run": {result.name: result.trouble for result in results if result.missing},
            "failed": {result.name: result.trouble for result in results if result.trouble and not result.missing},
        },
    )
