"""What is said at the end of a reproduction: the table, what held, what was recorded, and what was passed over."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aejax import console
from aejax.reproduce import choice, compare, engine, record
from aejax.reproduce.compare import Line
from aejax.reproduce.engine import Result
from aejax.reproduce.record import Recorded
from aejax.sweep.folder import counted


def table(lines: Sequence[Line], recorded: Mapping[str, Recorded], new: Mapping[str, Recorded]) -> None:
    """Print every number: against the recorded one, and with what is recorded now where that is another tolerance.

    Args:
        lines: of the comparison.
        recorded: what was recorded before.
        new: what is recorded now; nothing without ``--update``.
    """
    changed = changes(recorded, new)
    lines = [line for line in lines if not (line.verdict == compare.UNRECORDED and line.experiment in new)]
    lines += [line for name, own in new.items() for line in compare.added(name, recorded.get(name), own)]
    if lines:
        console.say("")
        rows = [compare.row(line, changed.get((line.experiment, line.metric))) for line in lines]
        console.listing(rows, header=compare.HEADER)


def changes(
    recorded: Mapping[str, Recorded], new: Mapping[str, Recorded]
) -> dict[tuple[str, str], tuple[float, float]]:
    """The tolerances that become others, by experiment and number: before, and now."""
    pairs = {
        (name, metric): (recorded[name].numbers[metric].tolerance, number.tolerance)
        for name, own in new.items()
        for metric, number in own.numbers.items()
        if name in recorded and metric in recorded[name].numbers
    }
    return {key: (before, now) for key, (before, now) in pairs.items() if before != now}


def update(
    folder: Path, recorded: Mapping[str, Recorded], new: Mapping[str, Recorded], lines: Sequence[Line]
) -> Iterator[str]:
    """What an update did to ``expected.json``, in lines: how much it recorded, and what it made less or stricter."""
    numbers = sum(len(own.numbers) for own in new.values())
    yield f"{folder / record.FILE}: {counted(numbers, 'number')} recorded, of {counted(len(new), 'experiment')}"
    seeds = {
        name: (record.seeds(recorded[name]), record.seeds(own)) for name, own in new.items() if _known(name, recorded)
    }
    fewer = [f"{name} (from {before} to {now})" for name, (before, now) in seeds.items() if now < before]
    if fewer:
        yield f"fewer seeds than recorded are kept for {', '.join(fewer)}"
    tighter = sum(now < before for before, now in changes(recorded, new).values())
    if tighter:
        yield f"{counted(tighter, 'tolerance')} tighter than recorded: old -> new in the table"
    spoiled = engine.spoilt(lines)
    if spoiled:
        yield f"not recorded, for a number that is none any more: {', '.join(sorted(spoiled))}"


def _known(name: str, recorded: Mapping[str, Recorded]) -> bool:
    return name in recorded and bool(recorded[name].numbers)


def verdicts(lines: Sequence[Line], new: Mapping[str, Recorded]) -> Iterator[str]:
    """How many numbers held, and how each experiment was checked, in lines.

    Args:
        lines: of the comparison.
        new: what is recorded now; nothing without ``--update``.
    """
    numbers = list(filter(compare.counts, lines))
    if numbers:
        held = len(numbers) - sum(map(compare.fails, numbers))
        yield f"{held} of {counted(len(numbers), 'number')} held"
    of = lambda *kinds: {line.experiment for line in lines if line.verdict in kinds}
    other, nothing = of(compare.OTHER), of(compare.UNRECORDED)
    exact = of(compare.SAME) | other
    within = {line.experiment for line in lines} - exact - nothing
    told = {
        "checked bit for bit, as recorded on such a machine": exact,
        "the parameters have other bits than recorded": other,
        "checked within the tolerance, as recorded on other machines": within,
        "nothing is recorded to compare with": nothing - set(new),
    }
    yield from (f"{what}: {', '.join(sorted(names))}" for what, names in told.items() if names)


def beyond(results: Sequence[Result], recorded: Mapping[str, Recorded]) -> Iterator[str]:
    """The seeds that ran and have nothing recorded, in a line for each range of them."""
    ranges: dict[tuple[int, int], list[str]] = {}
    for result in results:
        known = record.seeds(recorded[result.name]) if _known(result.name, recorded) else len(result.runs)
        if len(result.runs) > known:
            ranges.setdefault((known, len(result.runs) - 1), []).append(result.name)
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
    configs = choice.unrecorded({*recorded, *new}, specs)
    if configs:
        yield f"not recorded: {', '.join(configs)}; record with: {choice.recording(collection, configs)}"
    variants = choice.left_out(new, recorded, specs)
    if variants:
        yield f"variants are recorded where they are named: {choice.recording(collection, variants)}"


def troubles(results: Sequence[Result]) -> Iterator[str]:
    """What was not run and what failed, in lines."""
    missing = [result.name for result in results if result.missing]
    failed = [result.name for result in results if result.trouble and not result.missing]
    if missing:
        yield f"not run, data not at hand: {', '.join(missing)}"
    if failed:
        yield f"failed: {', '.join(failed)}"


def exit_code(lines: Sequence[Line], results: Sequence[Result], *, update: bool) -> int:
    """0 where every number that could be checked held, or was recorded; else 1."""
    failed = any(result.trouble and not result.missing for result in results)
    off = any(map(compare.fails, lines))
    return int(failed or bool(engine.spoilt(lines)) or (off and not update))
