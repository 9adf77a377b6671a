"""``expected.json``: the recorded numbers of a collection's experiments, and digests of their parameters.

Numbers are recorded by seed, with a tolerance and the reason for it; digests by machine. The file also lists what a
reproduction runs: an experiment may stand there without numbers, to be recorded. Everything recorded comes from single
runs on one thread, as `aejax run` does them; members of a sweep agree with those only up to rounding.
"""

import json
import math
import shlex
import statistics
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.config import files as config_files
from aejax.errors import UserError, one_of, shown
from aejax.files import write_json

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
NOT_FINITE = ("nan", "inf", "-inf")
"""How these are written; JSON has no numbers for them."""

KINDS = {dict: "an object", list: "a list", str: "a text", bool: "true or false", float: "a number"}
NUMBER = {"values": [float], "tolerance": float, "why": str}
EXPERIMENT = {"quick": bool, "seconds": float, "metrics": {str: NUMBER}, "digests": {str: [str]}}
"""The form of an experiment in ``expected.json``; ``{str: …}`` is an object with any names."""


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
        numbers: by name, such as ``"test/mse"`` or ``"baselines/pca/mse"``; none before it is recorded.
        digests: of the parameters for seeds 0, 1, …, by fingerprint of the machine.
    """

    quick: bool
    seconds: float
    numbers: Mapping[str, Number]
    digests: Mapping[str, tuple[str, ...]]


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

    Raises:
        UserError: it is missing, damaged, or of another format.
    """
    path = folder / FILE
    try:
        return parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; record it with aejax reproduce {folder} --update") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is damaged: is not text in UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def parse(text: str) -> dict[str, Recorded]:
    """The content of the text of an ``expected.json``, which people edit.

    Raises:
        UserError: it is damaged, which names the place, or of another format.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"is damaged: line {error.lineno}, column {error.colno}: is not JSON") from None
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        raise UserError("is damaged: is not JSON that can be read") from None
    version = _check(content, {"format": object})["format"]
    if version != FORMAT or isinstance(version, bool):
        raise UserError(f"is of format {shown(version)}, this version reads {FORMAT}")
    experiments = _check(content, {"experiments": {str: EXPERIMENT}})["experiments"]
    return {name: _recorded(fields, ("experiments", name)) for name, fields in experiments.items()}


def _recorded(fields: Mapping[str, Any], path: tuple[str, ...]) -> Recorded:
    numbers = {
        name: Number(tuple(each["values"]), each["tolerance"], each["why"]) for name, each in fields["metrics"].items()
    }
    for name, number in numbers.items():
        if not number.values:
            raise _damage((*path, "metrics", name, "values"), "is a list without a value")
        if not number.tolerance >= 0:
            raise _damage((*path, "metrics", name, "tolerance"), f"expected 0 or more, got {number.tolerance:g}")
    digests = {machine: tuple(each) for machine, each in fields["digests"].items()}
    return Recorded(fields["quick"], fields["seconds"], numbers, digests)


def _check(value: Any, form: Any, path: tuple[str, ...] = ()) -> Any:
    """The fields of a form, numbers as floats; refuses a value that does not have the form."""
    kind = form if isinstance(form, type) else type(form)
    number = kind is float and (type(value) in (int, float) or value in NOT_FINITE)
    if not (number or isinstance(value, kind)):
        written = KINDS[type(value)] if isinstance(value, dict | list) else json.dumps(value, ensure_ascii=False)[:100]
        raise _damage(path, f"expected {KINDS[kind]}, got {written}")
    if number:
        try:
            return float(value)
        except OverflowError:
            raise _damage(path, "expected a number, got one that is too large") from None
    if kind is list:
        return [_check(each, form[0], path) for each in value]
    if kind is not dict:
        return value
    names = value if str in form else form
    for name in names:
        if name not in value:
            raise _damage(path, f"has no {name!r}")
    return {name: _check(value[name], form.get(str, form.get(name)), (*path, name)) for name in names}


def _damage(path: Sequence[str], what: str) -> UserError:
    return UserError(f"is damaged: {' > '.join(path)}{': ' if path else ''}{what}")


def write(folder: Path, recorded: Mapping[str, Recorded]) -> Path:
    """Write ``expected.json``, experiments in the order of their names."""
    experiments = {
        name: {
            "quick": experiment.quick,
            "seconds": round(experiment.seconds, 1),
            "metrics": {metric: number._asdict() for metric, number in experiment.numbers.items()},
            "digests": experiment.digests,
        }
        for name, experiment in sorted(recorded.items())
    }
    return write_json(folder / FILE, {"format": FORMAT, "experiments": experiments})


def seeds(recorded: Recorded | None) -> int:
    """How many seeds are recorded of an experiment; `SEEDS` where nothing is recorded yet."""
    counts = [len(number.values) for number in recorded.numbers.values()] if recorded else []
    return max(counts, default=SEEDS)


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a run's ``summary.json`` to record: those of test rows, of all rows, and of the baselines."""
    parts = {name: values for name, values in summary["metrics"].items() if name in ("test", "all")}
    parts |= {f"baselines/{name}": values for name, values in summary["baselines"].items()}
    values = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    return {
        name: float(value)
        for name, value in values.items()
        if (isinstance(value, int | float) or value in NOT_FINITE) and not any(word in name for word in TIMES)
    }


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
    return f"{backend}, {what}, jaxlib {environment['packages']['jaxlib']}"
