"""The experiments of a collection, one after the other; what cannot run or fails is told, and the others go on."""

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax import config as configs
from aejax import config_files, console, experiment, workdir
from aejax.data import catalogue
from aejax.errors import UserError
from aejax.files import write_json
from aejax.interruption import InterruptedRunError
from aejax.reproduce import compare, record
from aejax.reproduce.compare import Got, Line
from aejax.reproduce.record import Recorded


class Result(NamedTuple):
    """What became of an experiment.

    Attributes:
        name: of it.
        runs: of seeds 0, 1, …; empty where it was not run or failed.
        trouble: why there are none, in one line.
        missing: whether the trouble is data that are not at hand.
    """

    name: str
    runs: tuple[Got, ...]
    trouble: str = ""
    missing: bool = False


def run_all(folder: Path, names: Sequence[str], seeds: int, place: Path, seconds: Mapping[str, float]) -> list[Result]:
    """Run experiments, from where they were left.

    Args:
        folder: of the collection.
        names: of the experiments.
        seeds: how many, from 0.
        place: where each run has a folder.
        seconds: that one seed of an experiment takes, where known; for the time left.

    Raises:
        InterruptedRunError: a run was asked to stop.
    """
    at_hand = {row.name: row.status for row in catalogue.table()}
    found = []
    for number, name in enumerate(names):
        left = seeds * sum(seconds.get(other, 0.0) for other in names[number:])
        about = f", about {left / 60:.0f} min left" if left >= 60 else f", about {left:.0f} s left" if left else ""
        console.say(f"[{number + 1}/{len(names)}] {name}{about}")
        found.append(_run_one(folder, name, seeds, place, at_hand))
        if found[-1].trouble:
            console.say(f"  {'not run' if found[-1].missing else 'failed'}: {found[-1].trouble}")
    return found


def _run_one(folder: Path, name: str, seeds: int, place: Path, at_hand: Mapping[str, str]) -> Result:
    stem, _, variant = name.partition(":")
    spec = f"{folder / f'{stem}.py'}:{variant}" if variant else str(folder / f"{stem}.py")
    try:
        config = configs.load(spec)
        data = config["data"]["name"]
        if at_hand.get(data) == "needs download":
            return Result(name, (), f"{data} is not at hand; get it with: aejax data prepare {data}", missing=True)
        return Result(name, tuple(_seed(config, seed, place / name.replace(":", "-")) for seed in range(seeds)))
    except (InterruptedRunError, KeyboardInterrupt):
        raise
    except UserError as error:
        return Result(name, (), str(error))
    except Exception as error:  # one experiment that breaks must not keep the others from being told
        return Result(name, (), f"{type(error).__name__}: {error}".partition("\n")[0])


def _seed(config: Mapping[str, Any], seed: int, place: Path) -> Got:
    folder = place / f"seed-{seed}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with open(place / f"seed-{seed}.log", "a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        summary = experiment.run({**config, "seed": seed}, folder)
    return Got(record.numbers_of(summary), summary["parameters_digest"], time.perf_counter() - started)


def judge(results: Sequence[Result], recorded: Mapping[str, Recorded], machine: str) -> list[Line]:
    """The lines of all experiments that were run."""
    return [
        line
        for result in results
        if result.runs
        for line in compare.compare(result.name, recorded[result.name], result.runs, machine)
    ]


def updated(old: Recorded | None, runs: Sequence[Got], machine: str) -> Recorded:
    """What is to be recorded after a run: new numbers, and this machine's digests beside those of others.

    Digests of other machines are kept only where this machine's have not changed: if these have, so have those.
    """
    # some numbers are there for some seeds only, such as PCA with as many components as a sparse code has active units
    names = [name for name in runs[0].numbers if all(name in run.numbers for run in runs)]
    numbers = {name: record.number([run.numbers[name] for run in runs]) for name in names}
    digests = tuple(run.digest for run in runs)
    before = dict(old.digests) if old else {}
    unchanged = machine not in before or before[machine][: len(digests)] == digests[: len(before[machine])]
    seconds = max(run.seconds for run in runs)
    quick = old.quick if old else seconds <= QUICK_SECONDS
    return Recorded(quick, seconds, numbers, (before if unchanged else {}) | {machine: digests})


QUICK_SECONDS = 10.0


def write_report(place: Path, folder: Path, lines: Sequence[Line], results: Sequence[Result], machine: str) -> Path:
    """Write ``reproduce.json``: the lines, what was not run and what failed, and where."""
    trouble = {result.name: result.trouble for result in results if result.trouble}
    return write_json(
        place / "reproduce.json",
        {
            "collection": folder.name if folder.parent == config_files.experiments_folder() else str(folder.resolve()),
            "machine": machine,
            "environment": workdir.environment(),
            "lines": [line._asdict() for line in lines],
            "not_run": {result.name: trouble[result.name] for result in results if result.missing},
            "failed": {name: why for name, why in trouble.items() if not _missing(results, name)},
        },
    )


def _missing(results: Sequence[Result], name: str) -> bool:
    return any(result.missing for result in results if result.name == name)
