"""What a reproduction prints at its end, the table and a summary of it, and writes: ``reproduce.json``."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aejax import console
from aejax.config import files as config_files
from aejax.errors import UserError
from aejax.files import is_used, write_atomic, write_json
from aejax.reproduce import compare, record
from aejax.reproduce.compare import Comparison
from aejax.reproduce.record import Recorded, Result
from aejax.runs import workdir
from aejax.storage import checksums
from aejax.sweep.folder import counted

REPORT = "reproduce.json"


def begin(root: Path) -> None:
    """Make the folder of a reproduction, and refuse one that cannot be written or holds something else.

    Raises:
        UserError: naming the folder.
    """
    if (root / REPORT).exists():
        return
    if root.is_dir() and is_used(root):
        raise UserError(f"{root}: is not empty and holds no reproduction; allowed: a new folder, or that of one")
    try:
        write_json(root / REPORT, {"machine": "", "environment": {}, "lines": [], "not_run": {}, "failed": {}})
    except OSError as error:
        raise UserError(f"{root}: cannot be written: {error.strerror}") from None


def write(root: Path, folder: Path, lines: Sequence[Comparison], results: Sequence[Result]) -> Path:
    """Write ``reproduce.json``: the lines, how each experiment was checked, what was not run and what failed."""
    exact = _experiments(lines, compare.SAME, compare.OTHER)
    environment = workdir.environment()
    content = {
        "collection": folder.name if folder.parent == config_files.experiments_folder() else str(folder.resolve()),
        "machine": record.fingerprint(environment),
        "environment": environment,
        "lines": [line._asdict() for line in lines],
        "checked": {line.experiment: "bits" if line.experiment in exact else "tolerance" for line in lines},
        "not_run": {result.name: result.trouble for result in results if result.missing},
        "failed": {result.name: result.trouble for result in results if result.failed},
    }
    return write_atomic(root / REPORT, checksums.sealed(content))


def table(lines: Sequence[Comparison], recorded: Mapping[str, Recorded], new: Mapping[str, Recorded]) -> None:
    """Print every number beside the recorded one, and the tolerances that an update changes.

    Args:
        lines: the comparisons.
        recorded: what was recorded before.
        new: what is recorded now; nothing without ``--update``.
    """
    changes = _changed_tolerances(recorded, new)
    lines = [line for line in lines if not (line.verdict == compare.UNRECORDED and line.experiment in new)]
    lines += [line for name, entry in new.items() for line in compare.added(name, recorded.get(name), entry)]
    if lines:
        console.say("")
        rows = [compare.row(line, changes.get((line.experiment, line.metric))) for line in lines]
        console.listing(rows, header=compare.HEADER)


def verdicts(lines: Sequence[Comparison], results: Sequence[Result], new: Mapping[str, Recorded]) -> Iterator[str]:
    """How many numbers held, how each experiment was checked, what was not run and what failed, in lines.

    Args:
        lines: the comparisons.
        results: of all experiments.
        new: what is recorded now; nothing without ``--update``.
    """
    numbers = [line for line in lines if line.expected is not None]
    if numbers:
        yield f"{sum(not line.fails for line in numbers)} of {counted(len(numbers), 'number')} held"
    other, nothing = _experiments(lines, compare.OTHER), _experiments(lines, compare.UNRECORDED)
    exact = _experiments(lines, compare.SAME) | other
    groups = {
        "checked bit for bit, as recorded on such a machine": exact,
        "the parameters have other bits than recorded": other,
        "checked within the tolerance, as recorded on other machines": {x.experiment for x in lines} - exact - nothing,
        "nothing is recorded to compare with": nothing - set(new),
        "not run, data not at hand": {result.name for result in results if result.missing},
        "failed": {result.name for result in results if result.failed},
    }
    yield from (f"{what}: {', '.join(sorted(names))}" for what, names in groups.items() if names)


LOCKED = "requirements/lock-3.11.txt"
"""The packages that bits were recorded with, by their hashes, in the checkout."""


def elsewhere(
    results: Sequence[Result], recorded: Mapping[str, Recorded], lines: Sequence[Comparison]
) -> Iterator[str]:
    """What differs between this machine and the nearest whose bits are recorded, in a line.

    Nothing is said where bits agree.
    """
    machines = sorted({machine for entry in recorded.values() for machine in entry.digests})
    exact = _experiments(lines, compare.SAME, compare.OTHER)
    here = {run.machine for result in results if result.name not in exact for run in result.runs}
    for machine in sorted(here - set(machines)):
        if machines:
            names, now = ("backend", "processor", "jaxlib"), record.parts(machine)
            nearest = max(map(record.parts, machines), key=lambda parts: sum(map(str.__eq__, parts, now)))
            pairs = zip(names, now, nearest, strict=True)
            yield "no bits are recorded on such a machine: " + "; ".join(
                f"{name} {new}, recorded {old}" + (f" (pip install -r {LOCKED})" if name == "jaxlib" else "")
                for name, new, old in pairs
                if new != old
            )


def update(
    folder: Path, recorded: Mapping[str, Recorded], new: Mapping[str, Recorded], lines: Sequence[Comparison]
) -> Iterator[str]:
    """What an update did to ``expected.json``, in lines: how much it recorded, and what it made less or stricter."""
    numbers = sum(len(entry.metrics) for entry in new.values())
    yield f"{folder / record.FILE}: {counted(numbers, 'number')} recorded, of {counted(len(new), 'experiment')}"
    seeds = {name: (record.seeds(recorded.get(name)), record.seeds(entry)) for name, entry in new.items()}
    fewer = [f"{name} (from {before} to {now})" for name, (before, now) in seeds.items() if now < before]
    if fewer:
        yield f"fewer seeds than recorded are kept for {', '.join(fewer)}"
    tighter = sum(now < before for before, now in _changed_tolerances(recorded, new).values())
    if tighter:
        yield f"{counted(tighter, 'tolerance')} tighter than recorded: old -> new in the table"
    if refused := _experiments(lines, compare.NAN):
        yield f"not recorded, for a number that is none any more: {', '.join(sorted(refused))}"


def _changed_tolerances(
    recorded: Mapping[str, Recorded], new: Mapping[str, Recorded]
) -> dict[tuple[str, str], tuple[float, float]]:
    """The tolerances that an update changes, by experiment and number: before, and now."""
    before, now = (
        {(name, metric): number.tolerance for name, entry in each.items() for metric, number in entry.metrics.items()}
        for each in (recorded, new)
    )
    return {key: (before[key], value) for key, value in now.items() if before.get(key, value) != value}


def _experiments(lines: Sequence[Comparison], *verdicts: str) -> set[str]:
    """The experiments that have one of some verdicts."""
    return {line.experiment for line in lines if line.verdict in verdicts}


def seeds_beyond(results: Sequence[Result], recorded: Mapping[str, Recorded]) -> Iterator[str]:
    """The seeds that ran and have nothing recorded, in a line for each range of them."""
    ranges: dict[tuple[int, int], list[str]] = {}
    for result in results:
        count = record.seeds(recorded.get(result.name))
        if 0 < count < len(result.runs):
            ranges.setdefault((count, len(result.runs) - 1), []).append(result.name)
    for (first, last), names in ranges.items():
        seeds, have = (f"seed {first}", "has") if first == last else (f"seeds {first}–{last}", "have")
        yield f"{seeds} of {', '.join(names)} {have} nothing recorded"


def unrecorded(
    collection: str, recorded: Mapping[str, Recorded], new: Mapping[str, Recorded], specs: Sequence[str]
) -> Iterator[str]:
    """The configs that are not recorded, and the variants of those that now are, with the command that records them.

    Args:
        collection: as the person named it.
        recorded: what was recorded before.
        new: what is recorded now; nothing without ``--update``.
        specs: the experiments that the collection has, variants too.
    """
    if configs := record.unrecorded({*recorded, *new}, specs):
        yield f"not recorded: {', '.join(configs)}; record with: {record.update_command(collection, configs)}"
    if variants := record.unrecorded_variants(new, recorded, specs):
        yield f"variants are recorded where they are named: {record.update_command(collection, variants)}"


def exit_code(lines: Sequence[Comparison], results: Sequence[Result], *, update: bool) -> int:
    """0 where every number that could be checked held, or was recorded; else 1."""
    wrong = any(line.fails and (not update or line.verdict == compare.NAN) for line in lines)
    return int(wrong or any(result.failed for result in results))
