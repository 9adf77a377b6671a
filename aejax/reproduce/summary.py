"""What is printed: a line for each finished run with the time left, and at the end the table and a summary of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from aejax import console
from aejax.reproduce import compare, record
from aejax.reproduce.compare import Comparison, Result
from aejax.reproduce.processes import Event, Job, finished, runs_of
from aejax.reproduce.record import Recorded
from aejax.runs import workdir
from aejax.sweep.folder import counted

TIMING = {"timing": workdir.SUMMARY["timing"]}
"""The form of ``summary.json``, as far as the time left depends on it."""


def progress(jobs: Sequence[Job], at_once: int) -> Callable[[Event], None]:
    """A function that prints what became of a run or a job, and the time left.

    Args:
        jobs: all that are to be done.
        at_once: how many of them at a time.
    """
    total = sum(len(runs_of(job)) for job in jobs)
    left = {job: [run for run in runs_of(job) if not (job.seeds and finished(run))] for job in jobs}
    seconds = {job.name: job.seconds for job in jobs}
    spent = {"measured": 0.0, "recorded": 0.0}

    def report(event: Event) -> None:
        job, run = event.job, event.run
        if run is not None:
            left[job].remove(run)
            text = job.name
            if job.seeds:
                measured = record.seconds_of(workdir.read_json(run / "summary.json", TIMING))
                spent["measured"] += measured
                spent["recorded"] += job.seconds or measured
                seconds[job.name] = seconds[job.name] or measured
                text = f"{job.name}, seed {run.name.removeprefix('seed-')}: {measured:.1f} s"
        elif event.trouble:
            left[job] = []
            text = f"{job.name}: failed: {event.trouble}"
        else:
            return
        done = total - sum(map(len, left.values()))
        console.say(f"[{done}/{total}] {text}{_time_left(left, seconds, spent, at_once)}")

    if total:
        text = f"{counted(total, 'run')}, {min(at_once, len(jobs))} at a time"
        console.say(text + _time_left(left, seconds, spent, at_once))
    return report


def _time_left(
    left: Mapping[Job, Sequence[Any]], seconds: Mapping[str, float], spent: Mapping[str, float], at_once: int
) -> str:
    """``"; about 12 min left"``: recorded times, at the pace of the runs so far; unknown ones at the mean of others.

    The longest job is a bound too: its runs come one after the other.
    """
    known = [value for value in seconds.values() if value]
    if not known or not any(left.values()):
        return ""
    pace = spent["measured"] / spent["recorded"] if spent["recorded"] else 1.0
    mean = sum(known) / len(known)
    times = [len(runs) * (seconds[job.name] or mean) * pace for job, runs in left.items()]
    total = max(sum(times) / at_once, max(times))
    return f"; about {total / 60:.0f} min left" if total >= 90 else f"; about {total:.0f} s left"


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


def _changed_tolerances(
    recorded: Mapping[str, Recorded], new: Mapping[str, Recorded]
) -> dict[tuple[str, str], tuple[float, float]]:
    """The tolerances that an update changes, by experiment and number: before, and now."""
    return {
        (name, metric): (old[metric].tolerance, number.tolerance)
        for name, entry in new.items()
        if name in recorded and (old := recorded[name].numbers)
        for metric, number in entry.numbers.items()
        if metric in old and old[metric].tolerance != number.tolerance
    }


def update(
    folder: Path, recorded: Mapping[str, Recorded], new: Mapping[str, Recorded], lines: Sequence[Comparison]
) -> Iterator[str]:
    """What an update did to ``expected.json``, in lines: how much it recorded, and what it made less or stricter."""
    numbers = sum(len(entry.numbers) for entry in new.values())
    yield f"{folder / record.FILE}: {counted(numbers, 'number')} recorded, of {counted(len(new), 'experiment')}"
    seeds = {
        name: (record.seeds(recorded[name]), record.seeds(entry))
        for name, entry in new.items()
        if _has_numbers(name, recorded)
    }
    fewer = [f"{name} (from {before} to {now})" for name, (before, now) in seeds.items() if now < before]
    if fewer:
        yield f"fewer seeds than recorded are kept for {', '.join(fewer)}"
    tighter = sum(now < before for before, now in _changed_tolerances(recorded, new).values())
    if tighter:
        yield f"{counted(tighter, 'tolerance')} tighter than recorded: old -> new in the table"
    if refused := compare.with_nan(lines):
        yield f"not recorded, for a number that is none any more: {', '.join(sorted(refused))}"


def _has_numbers(name: str, recorded: Mapping[str, Recorded]) -> bool:
    return name in recorded and bool(recorded[name].numbers)


def verdicts(lines: Sequence[Comparison], new: Mapping[str, Recorded]) -> Iterator[str]:
    """How many numbers held, and how each experiment was checked, in lines.

    Args:
        lines: the comparisons.
        new: what is recorded now; nothing without ``--update``.
    """
    numbers = [line for line in lines if line.expected is not None]
    if numbers:
        yield f"{sum(not line.fails for line in numbers)} of {counted(len(numbers), 'number')} held"
    having = lambda *kinds: {line.experiment for line in lines if line.verdict in kinds}
    other, nothing = having(compare.OTHER), having(compare.UNRECORDED)
    exact = having(compare.SAME) | other
    within = {line.experiment for line in lines} - exact - nothing
    groups = {
        "checked bit for bit, as recorded on such a machine": exact,
        "the parameters have other bits than recorded": other,
        "checked within the tolerance, as recorded on other machines": within,
        "nothing is recorded to compare with": nothing - set(new),
    }
    yield from (f"{what}: {', '.join(sorted(names))}" for what, names in groups.items() if names)


def seeds_beyond(results: Sequence[Result], recorded: Mapping[str, Recorded]) -> Iterator[str]:
    """The seeds that ran and have nothing recorded, in a line for each range of them."""
    ranges: dict[tuple[int, int], list[str]] = {}
    for result in results:
        count = record.seeds(recorded[result.name]) if _has_numbers(result.name, recorded) else len(result.runs)
        if len(result.runs) > count:
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
    configs = record.unrecorded({*recorded, *new}, specs)
    if configs:
        yield f"not recorded: {', '.join(configs)}; record with: {record.update_command(collection, configs)}"
    variants = record.unrecorded_variants(new, recorded, specs)
    if variants:
        yield f"variants are recorded where they are named: {record.update_command(collection, variants)}"


def troubles(results: Sequence[Result]) -> Iterator[str]:
    """What was not run and what failed, in lines."""
    missing = [result.name for result in results if result.missing]
    failed = [result.name for result in results if result.trouble and not result.missing]
    if missing:
        yield f"not run, data not at hand: {', '.join(missing)}"
    if failed:
        yield f"failed: {', '.join(failed)}"


def exit_code(lines: Sequence[Comparison], results: Sequence[Result], *, update: bool) -> int:
    """0 where every number that could be checked held, or was recorded; else 1."""
    failed = any(result.trouble and not result.missing for result in results)
    wrong = any(line.fails for line in lines) and not update
    return int(failed or wrong or bool(compare.with_nan(lines)))
