"""``expected.json``: the recorded numbers of a collection's experiments, and digests of their parameters.

What is recorded, which experiments are run for it, and what new runs make of it.

Numbers are recorded by seed, with a tolerance and the reason for it, and the machine that they are of; digests by
machine. The file also lists what a
reproduction runs: an experiment may stand there without numbers, to be recorded. Everything recorded comes from single
runs on one thread, as `aejax run` does them; members of a sweep agree with those only up to rounding.
"""

import argparse
import math
import shlex
import statistics
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from aejax import console
from aejax.config import files as config_files
from aejax.errors import UserError, one_of
from aejax.files import write_atomic
from aejax.runs import workdir
from aejax.storage import checksums, records
from aejax.storage.records import NOT_FINITE, Fields, Many, Named, Whole

FILE, FORMAT = "expected.json", 1
SEEDS = 5
"""How many seeds are recorded of an experiment by default."""
DIGITS = 7
"""Significant digits of a recorded value: what float32 holds."""
ZERO = 1e-12
"""A value this small is the rounding error of 0."""
SPREAD = 4.0
"""Standard deviations to a tolerance: two runs with other rounding differ by √2 of them, so 99 of 100 are within."""
RELATIVE = 1e-3
"""The least tolerance, relative to the number, where seeds do not spread."""
TIMES = ("second", "time", "speed")
"""Words in the names of numbers that depend on the machine's load; these are not recorded."""
QUICK_SECONDS = 10.0
"""An experiment that is recorded for the first time is a quick one if a run takes no longer."""

NUMBER = {"values": Many(float, 1), "tolerance": float, "why": str}
EXPERIMENT = Fields(
    {"quick": bool, "seconds": float, "metrics": Named(NUMBER), "digests": Named(Many(str))}, {"machine": str}
)
"""The form of an experiment in ``expected.json``."""
ENVIRONMENT = Fields(
    {"backend": str, "devices": Many(str, 1), "processor": str, "packages": {"jaxlib": str}}, {"xla_flags": str}
)
"""The form of a run's ``environment.json``, as far as the bits of a result depend on it."""


PORTABLE_MATH = "--xla_cpu_enable_platform_dependent_math=false"
"""The flag of XLA that forbids approximations by the processor; only reproductions have it, beside one that forbids
instructions beyond AVX2."""


class Run(NamedTuple):
    """The outcome of a finished run.

    Attributes:
        numbers: by name.
        digest: of its parameters.
        seconds: that it took when it was run.
        machine: the fingerprint of the machine that it was run on.
    """

    numbers: Mapping[str, float]
    digest: str
    seconds: float
    machine: str


class Result(NamedTuple):
    """The outcome of an experiment, or of a sweep.

    Attributes:
        name: of it; ``"sweeps/sparse_l1"`` for a sweep.
        runs: of seeds 0, 1, …; empty where it was not run or failed, and for a sweep.
        trouble: why there are none, in one line.
        missing: whether the trouble is data that are not at hand.
    """

    name: str
    runs: tuple[Run, ...]
    trouble: str = ""
    missing: bool = False

    @property
    def failed(self) -> bool:
        """Whether there is trouble that is not for want of data."""
        return bool(self.trouble) and not self.missing


class Number(NamedTuple):
    """A recorded number.

    Attributes:
        values: for seeds 0, 1, ….
        tolerance: how far the mean of other runs may be from theirs.
        why: the reason for that tolerance.
    """

    values: tuple[float, ...]
    tolerance: float
    why: str


class Recorded(NamedTuple):
    """What is recorded of an experiment.

    Attributes:
        quick: whether ``--quick`` runs it.
        seconds: that one seed took when it was recorded, on one thread.
        metrics: by name, such as ``"test/mse"`` or ``"baselines/pca/mse"``; none before it is recorded.
        digests: of the parameters for seeds 0, 1, …, by fingerprint of the machine.
        machine: the fingerprint of the one that the metrics are of; empty before there are any.
    """

    quick: bool
    seconds: float
    metrics: Mapping[str, Number]
    digests: Mapping[str, tuple[str, ...]]
    machine: str = ""


def collection(name: str) -> Path:
    """The folder of a collection: a shipped one by its name, or any folder of configs.

    Raises:
        UserError: there is no such folder.
    """
    shipped = config_files.experiments_folder()
    if (shipped / name).is_dir() and name not in ("", ".", ".."):
        return shipped / name
    if Path(name).is_dir():
        return Path(name)
    known = sorted(path.parent.name for path in shipped.glob(f"*/{FILE}"))
    raise UserError(f"{one_of(name, known, what='collection')}, or the path of a folder of your own configs")


def specs(folder: Path) -> list[str]:
    """The experiments of a collection, variants too: ``"vanilla"``, ``"vanilla:tied"``."""
    paths = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
    variants = {path: ["", *(f":{variant}" for variant in config_files.variants(path))] for path in paths}
    return [path.stem + variant for path in paths for variant in variants[path]]


def choose(recorded: Mapping[str, Recorded], specs: Sequence[str], arguments: argparse.Namespace) -> list[str]:
    """The experiments to run: those of ``--only``; else all recorded ones and, to record them, all new configs.

    Args:
        recorded: the content of ``expected.json``.
        specs: the experiments that the collection has, variants too.
        arguments: of the command: `collection`, `only`, `quick` and `update`.

    Raises:
        UserError: an experiment that does not exist or is not recorded, or none at all.
    """
    only, update = arguments.only or (), arguments.update
    for name in recorded:
        if name not in specs:
            raise UserError(f"{FILE}: records {name!r}, and there is no such experiment; allowed: take it out")
    allowed, command = specs if update else recorded, partial(update_command, arguments.collection)
    for name in only:
        if name in specs and name not in allowed:
            raise UserError(f"--only: {name!r} is not recorded; record it with {command([name])}")
        if name not in allowed:
            raise one_of(name, allowed, what="--only")
    names = list(dict.fromkeys(only or [*recorded, *(unrecorded(recorded, specs) if update else ())]))
    if not names:
        why = f"nothing is recorded; record it with {command()}" if specs else "the folder has no config"
        raise UserError(f"there is no experiment to run: {why}")
    names = [name for name in names if not arguments.quick or name not in recorded or recorded[name].quick]
    if not names:
        remedy = f'"quick": true for an experiment in {FILE}, or no --quick'
        raise UserError(f"--quick: there is no experiment to run, as none of them is quick; allowed: {remedy}")
    return names


def unrecorded(recorded: Collection[str], specs: Sequence[str]) -> list[str]:
    """The configs of which nothing is recorded, not even a variant."""
    configs = {config_of(name) for name in recorded}
    return [name for name in specs if name not in configs and name == config_of(name)]


def unrecorded_variants(names: Collection[str], recorded: Collection[str], specs: Sequence[str]) -> list[str]:
    """The variants of configs that are recorded for the first time; only ``--only`` records variants."""
    new = {name for name in names if name not in recorded and name == config_of(name)}
    return [spec for spec in specs if spec not in names and config_of(spec) in new]


def config_of(name: str) -> str:
    """The config of an experiment that may be a variant of it."""
    return name.partition(":")[0]


def update_command(collection: str, names: Sequence[str] = ()) -> str:
    """The command that records some experiments, or all new configs."""
    return shlex.join(["aejax", "reproduce", collection, "--update", *(["--only", *names] if names else [])])


def read(folder: Path) -> dict[str, Recorded]:
    """The content of a collection's ``expected.json``, by the name of the experiment.

    People may edit the file, which is said where it then does not have the digest that ``--update`` wrote at its end.

    Raises:
        UserError: it is missing, damaged, which is said with the place, or of another format.
    """
    path = folder / FILE
    try:
        content = records.read(path, Fields({"format": Whole()}, {"seal": str}))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; record it with aejax reproduce {folder} --update") from None
    if content["format"] != FORMAT:
        raise UserError(f"{path}: is of format {content['format']}, this version reads {FORMAT}")
    if content.pop("seal", None) not in (None, checksums.seal_of(content)):
        console.say(f"{path}: was edited by hand since --update wrote it")
    experiments = records.check(content, {"experiments": Named(EXPERIMENT)}, path)["experiments"]
    return {name: _recorded(fields, f"{path}: is damaged: experiments.{name}") for name, fields in experiments.items()}


def _recorded(fields: Mapping[str, Any], where: str) -> Recorded:
    numbers = {
        metric: Number(tuple(map(float, each["values"])), float(each["tolerance"]), each["why"])
        for metric, each in fields["metrics"].items()
    }
    for metric, number in numbers.items():
        if not number.tolerance >= 0:
            raise UserError(f"{where}.metrics.{metric}.tolerance: expected 0 or more, got {number.tolerance:g}")
    digests = {machine: tuple(each) for machine, each in fields["digests"].items()}
    machine = fields.get("machine", next(iter(digests), ""))  # older files do not say
    return Recorded(fields["quick"], float(fields["seconds"]), numbers, digests, machine)


def write(folder: Path, recorded: Mapping[str, Recorded]) -> Path:
    """Write ``expected.json``, experiments in the order of their names."""
    experiments = {name: each._asdict() for name, each in sorted(recorded.items())}
    for fields in experiments.values():
        fields["seconds"] = round(fields["seconds"], 1)
        fields["metrics"] = {metric: number._asdict() for metric, number in fields["metrics"].items()}
    return write_atomic(folder / FILE, checksums.sealed({"format": FORMAT, "experiments": experiments}))


def seeds(recorded: Recorded | None) -> int:
    """How many seeds are recorded of an experiment; 0 where nothing is recorded yet."""
    return max((len(number.values) for number in recorded.metrics.values()), default=0) if recorded else 0


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a run's ``summary.json`` to record: those of test rows, of all rows, and of the baselines."""
    parts = {name: values for name, values in summary["metrics"].items() if name in ("test", "all")}
    parts |= {f"baselines/{name}": values for name, values in summary["baselines"].items()}
    values = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    numbers = {name: float(x) for name, x in values.items() if isinstance(x, int | float) or x in NOT_FINITE}
    return {name: value for name, value in numbers.items() if not any(word in name for word in TIMES)}


def seconds_of(summary: Mapping[str, Any]) -> float:
    """How long a run took, over all processes that worked on it."""
    return sum(float(value) for name, value in summary["timing"].items() if name.endswith("_seconds"))


def rounded(value: float) -> float:
    """A value to as many digits as are recorded."""
    return 0.0 if abs(value) < ZERO else float(f"{value:.{DIGITS}g}")


def number(values: Sequence[float]) -> Number:
    """A number to be recorded; its tolerance follows from its spread over the seeds."""
    mean = sum(values) / len(values)
    spread = statistics.stdev(values) if len(values) > 1 and math.isfinite(mean) else 0.0
    least, digits = RELATIVE * abs(mean), tuple(map(rounded, values))
    if not math.isfinite(mean) or SPREAD * spread <= least:
        return Number(digits, float(f"{least:.2g}") if math.isfinite(least) else 0.0, "a thousandth of it")
    return Number(digits, float(f"{SPREAD * spread:.2g}"), f"{SPREAD:g} standard deviations over {len(values)} seeds")


def fingerprint(environment: Mapping[str, Any]) -> str:
    """The machine as far as bits depend on it: processor or accelerator, and jaxlib.

    Args:
        environment: from `aejax.runs.workdir.environment`, or ``environment.json`` of a run.
    """
    backend, device = environment["backend"], environment["devices"][0].partition(" ")[2]
    what = environment["processor"] if backend == "cpu" else device
    if PORTABLE_MATH in environment.get("xla_flags", ""):
        what = what.replace(", avx512f", ", avx2")  # which it has as well
    return f"{backend}, {what}, jaxlib {environment['packages']['jaxlib']}"


def parts(machine: str) -> tuple[str, str, str]:
    """The backend, the processor and the version of jaxlib in a `fingerprint`."""
    backend, _, rest = machine.partition(", ")
    processor, _, jaxlib = rest.rpartition(", jaxlib ")
    return backend, processor, jaxlib


def alike(recorded: Recorded, machine: str) -> list[tuple[str, ...]]:
    """The digests of other processors with the same instructions and jaxlib: these should be equal, and need not be."""
    backend, processor, jaxlib = parts(machine)
    kind = (backend, processor.rpartition(", ")[2], jaxlib)
    if kind[:2] != ("cpu", "avx2"):
        return []
    kinds = {other: parts(other) for other in recorded.digests if other != machine}
    return [recorded.digests[other] for other, (a, b, c) in kinds.items() if (a, b.rpartition(", ")[2], c) == kind]


def read_run(folder: Path) -> Run:
    """The outcome of a finished run, from its folder.

    Raises:
        UserError: a file of it is damaged.
    """
    content = workdir.read_json(folder / workdir.FINISHED, workdir.SUMMARY)
    environment = workdir.read_json(folder / workdir.ENVIRONMENT, ENVIRONMENT)
    checksums.check(folder, workdir.CONFIG, workdir.FINISHED, workdir.ENVIRONMENT)
    return Run(numbers_of(content), content["parameters_digest"], seconds_of(content), fingerprint(environment))


def updated(old: Recorded | None, runs: Sequence[Run], *, hold: bool) -> Recorded:
    """What to record after runs: new numbers, and this machine's digests beside those of others.

    Numbers of another machine stay where they hold, and the digests of as many seeds as were run stand beside them.
    Digests of other machines are kept only where this machine's have not changed: if these have, so have those.

    Args:
        old: what was recorded.
        runs: of the seeds 0, 1, ….
        hold: whether all recorded numbers hold, within their tolerances.
    """
    machine, new = runs[0].machine, tuple(run.digest for run in runs)
    digests = dict(old.digests) if old else {}
    before = digests.get(machine, ())
    if before[: len(new)] != new[: len(before)]:
        digests = {}
    if all(run.machine == machine for run in runs):
        digests[machine] = new
    if old and hold and old.machine in set(digests) - {machine}:
        return old._replace(digests=digests)
    # some numbers are there for some seeds only, such as PCA with as many components as a sparse code has active units
    numbers = {name: [run.numbers[name] for run in runs if name in run.numbers] for name in runs[0].numbers}
    metrics = {name: number(values) for name, values in numbers.items() if len(values) == len(runs)}
    seconds = sum(run.seconds for run in runs) / len(runs)
    return Recorded(old.quick if old else seconds <= QUICK_SECONDS, seconds, metrics, digests, machine)
