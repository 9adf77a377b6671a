"""The experiments of a collection; what cannot run or fails is told, and the others go on."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from aejax import config as configs
from aejax import console
from aejax.config import files as config_files
from aejax.data import catalogue
from aejax.errors import UserError
from aejax.files import write_json
from aejax.reproduce import compare, progress, record, workers
from aejax.reproduce.compare import Got, Line
from aejax.reproduce.record import Recorded
from aejax.reproduce.workers import Job
from aejax.runs import workdir
from aejax.storage.records import Many
from aejax.training.interruption import asked_to_stop

ENVIRONMENT = {"backend": str, "devices": Many(str, 1), "processor": str, "packages": {"jaxlib": str}}
"""The form of ``environment.json``, as far as the bits of a result depend on it."""

REPORT, SWEEPS = "reproduce.json", "sweeps"
QUICK_SECONDS = 10.0
"""An experiment that is recorded for the first time is a quick one if a run takes no longer."""


class Result(NamedTuple):
    """What became of an experiment, or of a sweep.

    Attributes:
        name: of it; ``"sweeps/sparse_l1"`` for a sweep.
        runs: of seeds 0, 1, …; empty where it was not run or failed, and for a sweep.
        trouble: why there are none, in one line.
        missing: whether the trouble is data that are not at hand.
    """

    name: str
    runs: tuple[Got, ...]
    trouble: str = ""
    missing: bool = False


def begin(place: Path) -> None:
    """Make the folder of a reproduction, and refuse one that cannot be written or holds something else.

    Raises:
        UserError: naming the folder.
    """
    if place.is_dir() and not (place / REPORT).exists() and any(place.iterdir()):
        raise UserError(f"{place}: is not empty and holds no reproduction; allowed: a new folder, or that of one")
    check_writable(place)
    if not (place / REPORT).exists():
        write_json(place / REPORT, {"machine": "", "environment": {}, "lines": [], "not_run": {}, "failed": {}})


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
    folder: Path, seeds: Mapping[str, int], place: Path, known: Mapping[str, Recorded], *, at_once: int, cache: bool
) -> list[Result]:
    """Run experiments and the sweeps that their configs declare, from where they were left.

    Args:
        folder: of the collection.
        seeds: how many of each experiment, from 0; 0 of ``sweeps/NAME`` for the sweep of one.
        place: where each experiment has a folder with one for each run.
        known: what is recorded; for the time left.
        at_once: how many experiments run at a time, or seeds where there are fewer experiments.
        cache: whether compiled programs are kept.

    Raises:
        InterruptedRunError: it was asked to stop; all that was done is saved.
    """
    at_hand = {row.name: row.status for row in catalogue.table()}
    results, jobs = {}, []
    for name, count in seeds.items():
        seconds = known[name].seconds if name in known else 0.0
        job = Job(name, spec_of(folder, name), tuple(range(count)), place / name.replace(":", "-"), seconds, cache)
        results[name] = _obstacle(job, at_hand)
        if results[name] is None and not (count and _finished(job)):
            jobs.append(job)
    jobs = workers.spread(jobs, at_once)
    tell = progress.teller(jobs, at_once)
    for result in filter(None, results.values()):
        console.say(f"{result.name}: {_told(result)}")
    with asked_to_stop() as asked:
        for event in workers.run(jobs, at_once, asked):
            tell(event)
            if event.trouble:
                results[event.job.name] = Result(event.job.name, (), event.trouble)
    return [result or _read(place, name, seeds[name]) for name, result in results.items()]


def spec_of(folder: Path, name: str) -> str:
    """The config of an experiment, as `aejax run` takes it."""
    stem, _, variant = name.rpartition("/")[2].partition(":")
    path = folder / f"{stem}.py"
    return f"{path}:{variant}" if variant else str(path)


def sweeps_of(folder: Path, names: Sequence[str]) -> list[str]:
    """The sweeps that the configs of some experiments declare, not those of their variants: ``"sweeps/sparse_l1"``."""
    files = {name: folder / f"{name}.py" for name in names if ":" not in name}
    return [f"{SWEEPS}/{name}" for name, path in files.items() if hasattr(config_files.execute(path), "sweep")]


def _obstacle(job: Job, at_hand: Mapping[str, str]) -> Result | None:
    """Why a job cannot begin, if it cannot."""
    try:
        config = configs.load(job.spec)
        for seed in job.seeds:
            workdir.check(job.folder / f"seed-{seed}", {**config, "seed": seed})
    except UserError as error:
        return Result(job.name, (), str(error))
    data = config["data"]["name"].removeprefix("binary:")
    if at_hand.get(data) == "needs download":
        return Result(job.name, (), f"{data} is not at hand; get it with: aejax data prepare {data}", missing=True)
    kind, colon, path = data.partition(":")
    if colon and kind in ("file", "stream") and not _finished(job) and not Path(path).expanduser().exists():
        tried = Path(path).expanduser().absolute()
        return Result(job.name, (), f"{data}: there is no {tried}; paths of data start at the current folder")
    return None


def _finished(job: Job) -> bool:
    return all(map(workers.finished, workers.runs_of(job)))


def _told(result: Result) -> str:
    return f"{'not run' if result.missing else 'failed'}: {result.trouble}"


def _read(place: Path, name: str, seeds: int) -> Result:
    """The finished runs of an experiment."""
    folders = [place / name.replace(":", "-") / f"seed-{seed}" for seed in range(seeds)]
    try:
        return Result(name, tuple(map(got, folders)))
    except UserError as error:
        return Result(name, (), str(error))


def got(folder: Path) -> Got:
    """What a finished run came to, from what it left.

    Raises:
        UserError: a file of it is damaged.
    """
    summary = workdir.read_json(folder / "summary.json", workdir.SUMMARY)
    environment = workdir.read_json(folder / "environment.json", ENVIRONMENT)
    numbers, digest = record.numbers_of(summary), summary["parameters_digest"]
    return Got(numbers, digest, progress.seconds_of(summary), record.fingerprint(environment))


def judge(results: Sequence[Result], recorded: Mapping[str, Recorded]) -> list[Line]:
    """The lines of all experiments that were run and are known."""
    return [
        line
        for result in results
        if result.runs and result.name in recorded
        for line in compare.compare(result.name, recorded[result.name], result.runs)
    ]


def updated(old: Recorded | None, runs: Sequence[Got]) -> Recorded:
    """What is to be recorded after a run: new numbers, and this machine's digests beside those of others.

    Digests of other machines are kept only where this machine's have not changed: if these have, so have those.
    """
    # some numbers are there for some seeds only, such as PCA with as many components as a sparse code has active units
    names = [name for name in runs[0].numbers if all(name in run.numbers for run in runs)]
    numbers = {name: record.number([run.numbers[name] for run in runs]) for name in names}
    machine, digests = runs[0].machine, tuple(run.digest for run in runs)
    before = dict(old.digests) if old else {}
    unchanged = machine not in before or before[machine][: len(digests)] == digests[: len(before[machine])]
    one_machine = all(run.machine == machine for run in runs)
    seconds = sum(run.seconds for run in runs) / len(runs)
    quick = old.quick if old else seconds <= QUICK_SECONDS
    return Recorded(
        quick, seconds, numbers, (before if unchanged else {}) | ({machine: digests} if one_machine else {})
    )


def renewed(results: Sequence[Result], recorded: Mapping[str, Recorded], lines: Sequence[Line]) -> dict[str, Recorded]:
    """What is to be recorded of the experiments that ran, but for those in which a number is none any more."""
    spoiled = spoilt(lines)
    ran = [result for result in results if result.runs and result.name not in spoiled]
    return {result.name: updated(recorded.get(result.name), result.runs) for result in ran}


def spoilt(lines: Sequence[Line]) -> set[str]:
    """The experiments in which a number is none any more."""
    return {line.experiment for line in lines if line.verdict == compare.NAN}


def write_report(place: Path, folder: Path, lines: Sequence[Line], results: Sequence[Result], machine: str) -> Path:
    """Write ``reproduce.json``: the lines, how each experiment was checked, what was not run and what failed."""
    exact = {line.experiment for line in lines if line.verdict in (compare.SAME, compare.OTHER)}
    return write_json(
        place / REPORT,
        {
            "collection": folder.name if folder.parent == config_files.experiments_folder() else str(folder.resolve()),
            "machine": machine,
            "environment": workdir.environment(),
            "lines": [line._asdict() for line in lines],
            "checked": {line.experiment: "bits" if line.experiment in exact else "tolerance" for line in lines},
            "not_run": {result.name: result.trouble for result in results if result.missing},
            "failed": {result.name: result.trouble for result in results if result.trouble and not result.missing},
        },
    )
