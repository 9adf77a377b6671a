"""What is recorded of a collection: numbers by seed with their tolerance and its reason, and digests by machine.

``expected.json`` is also the list of what a reproduction runs: an experiment may stand there without numbers, to be
recorded. All of it is of single runs on one thread, as `aejax run` does them: members of a sweep over seeds agree with
those only up to rounding, so that their bits would be nobody else's.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax.config import files as config_files
from aejax.errors import UserError, one_of
from aejax.files import write_json
from aejax.reproduce import reading
from aejax.reproduce.reading import FORMAT, Number, Recorded

FILE = "expected.json"
SEEDS = 5
"""How many are recorded of an experiment, unless it is said."""
DIGITS = 7
"""Significant ones of a recorded value: what float32 holds."""
NOTHING = 1e-12
"""What rounding leaves of 0."""
SPREAD = 4.0  # two single runs of other rounding differ by √2 deviations: this is beyond 99 of 100 of them
LEAST = 1e-3  # of the number itself, where seeds do not spread
TIMES = ("second", "time", "speed")
"""Words in the names of numbers that depend on the machine's load; they are not recorded."""


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
    found = []
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_"):
            found += [path.stem, *(f"{path.stem}:{variant}" for variant in config_files.variants(path))]
    return found


def read(folder: Path) -> dict[str, Recorded]:
    """What a collection's ``expected.json`` holds.

    Raises:
        UserError: it is missing, damaged, or of another format.
    """
    path = folder / FILE
    try:
        return reading.experiments(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; record it with aejax reproduce {folder} --update") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is damaged: is not text in UTF-8") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def seeds(recorded: Recorded | None) -> int:
    """How many seeds are recorded of an experiment; of one that is not recorded yet, how many are to be."""
    counts = [len(number.values) for number in recorded.numbers.values()] if recorded else []
    return max(counts, default=SEEDS)


def write(folder: Path, recorded: Mapping[str, Recorded]) -> Path:
    """Write ``expected.json``, experiments in the order of their names."""
    experiments = {
        name: {
            "quick": own.quick,
            "seconds": round(own.seconds, 1),
            "metrics": {metric: number._asdict() for metric, number in own.numbers.items()},
            "digests": own.digests,
        }
        for name, own in sorted(recorded.items())
    }
    return write_json(folder / FILE, {"format": FORMAT, "experiments": experiments})


def numbers_of(summary: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a run that are worth recording: those of test rows, of all rows, and of the baselines."""
    parts = {name: values for name, values in summary["metrics"].items() if name in ("test", "all")}
    parts |= {f"baselines/{name}": values for name, values in summary["baselines"].items()}
    found = {f"{part}/{name}": value for part, values in parts.items() for name, value in values.items()}
    return {
        name: float(value)
        for name, value in found.items()
        if (isinstance(value, int | float) or value in ("nan", "inf", "-inf"))
        and not any(word in name for word in TIMES)
    }


def rounded(value: float) -> float:
    """A value to as many digits as are recorded."""
    return 0.0 if abs(value) < NOTHING else float(f"{value:.{DIGITS}g}")


def number(values: Sequence[float]) -> Number:
    """A number to be recorded, with the tolerance that its spread over seeds suggests."""
    mean = sum(values) / len(values)
    spread = statistics.stdev(values) if len(values) > 1 and math.isfinite(mean) else 0.0
    least, kept = LEAST * abs(mean), tuple(map(rounded, values))
    if not math.isfinite(mean) or SPREAD * spread <= least:
        return Number(kept, float(f"{least:.2g}") if math.isfinite(least) else 0.0, "a thousandth of it")
    return Number(kept, float(f"{SPREAD * spread:.2g}"), f"{SPREAD:g} standard deviations over {len(values)} seeds")


def fingerprint(environment: Mapping[str, Any]) -> str:
    """What the bits of a result depend on beside the program: processor or accelerator, and jaxlib.

    Args:
        environment: from `aejax.runs.workdir.environment`, or ``environment.json`` of a run.
    """
    backend, device = environment["backend"], environment["devices"][0].partition(" ")[2]
    what = environment["processor"] if backend == "cpu" else device
    return f"{backend}, {what}, jaxlib {environment['packages']['jaxlib']}"
