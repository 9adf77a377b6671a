"""`aejax reproduce`: what its options mean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from aejax.errors import UserError, one_of
from aejax.report.page import command as pages

if TYPE_CHECKING:  # for annotations: what they come from imports jax
    from aejax.reproduce.compare import Line
    from aejax.reproduce.engine import Result
    from aejax.reproduce.record import Recorded


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax reproduce`."""
    add = parser.add_argument
    add("collection", metavar="COLLECTION", help="such as `lecture`, or a folder of configs with expected.json")
    add("--only", nargs="+", metavar="NAME", help="these experiments, such as vanilla or vanilla:fashion_mnist")
    add("--quick", action="store_true", help="the quick experiments, one seed of each, and no sweeps")
    add("--seeds", type=int, metavar="N", help="seeds 0 to N-1; else as many as are recorded")
    add("--update", action="store_true", help="record what comes out, and show what it changes")
    add("--workdir", type=Path, metavar="DIR", help="folder of the runs; that of a stopped reproduction continues it")
    add("--jobs", type=int, metavar="N", help="experiments at a time, one thread each; else one for each core")
    pages.add_language(parser)
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code: 0 where every number that could be checked held, else 1."""
    for option in ("seeds", "jobs"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            raise UserError(f"--{option} {value}: allowed: 1 or more")
    language = pages.check_language(arguments.lang)
    from aejax import console, interruption, workdir
    from aejax.reproduce import compare, engine, record, workers

    folder = record.collection(arguments.collection)
    recorded = _known(folder, missing_is_empty=arguments.update)
    names = chosen(recorded, record.specs(folder), arguments.only, quick=arguments.quick, update=arguments.update)
    one = arguments.quick and not arguments.update
    seeds = {name: arguments.seeds or (1 if one else record.seeds(recorded.get(name))) for name in names}
    if not arguments.quick:
        seeds |= dict.fromkeys(engine.sweeps_of(folder, names), 0)
    place = arguments.workdir or workdir.fresh(f"reproduce-{folder.resolve().name}")
    engine.begin(place)
    if arguments.update:
        engine.check_writable(folder)
    try:
        results = engine.run_all(
            folder,
            seeds,
            place,
            recorded,
            at_once=arguments.jobs or workers.most_at_once(),
            cache=not arguments.no_compile_cache,
        )
    except interruption.InterruptedRunError:
        print(f"aejax: stopped; go on with the same command and --workdir {place}", file=sys.stderr, flush=True)
        return 130
    machine = record.fingerprint(workdir.environment())
    lines = engine.judge(results, recorded)
    console.say("")
    console.listing([compare.row(line) for line in lines], header=compare.HEADER)
    report = engine.write_report(place, folder, lines, results, machine)
    if arguments.update:
        _record(folder, recorded, lines, results)
    code = _conclude(lines, results, report, update=arguments.update)
    console.say(str(pages.write_reproduction(place, folder, language)))
    return code


def _known(folder: Path, *, missing_is_empty: bool) -> Mapping[str, Recorded]:
    from aejax.reproduce import record

    if missing_is_empty and not (folder / record.FILE).exists():
        return {}
    return record.read(folder)


def chosen(
    recorded: Mapping[str, Recorded], specs: Sequence[str], only: Sequence[str] | None, *, quick: bool, update: bool
) -> list[str]:
    """Which experiments to run: those of ``expected.json``; to record them, `only` may name any of the collection.

    Where there is no ``expected.json`` yet, all of them.

    Raises:
        UserError: an experiment that does not exist or is not recorded, or none at all.
    """
    gone = [name for name in recorded if name not in specs]
    if gone:
        raise UserError(f"expected.json: records {gone[0]!r}, and there is no such experiment; allowed: take it out")
    known = list(specs) if update else list(recorded)
    for name in only or ():
        if name not in known:
            raise one_of(name, known, what="--only")
    names = list(dict.fromkeys(only)) if only else list(recorded) or known
    if quick:
        names = [name for name in names if name not in recorded or recorded[name].quick]
    if not names:
        raise UserError("there is no experiment to run; allowed: another --only, or without --quick")
    return names


def _record(folder: Path, recorded: Mapping[str, Recorded], lines: Sequence[Line], results: Sequence[Result]) -> None:
    """Write down what came out, but for experiments in which a number is none any more."""
    from aejax import console
    from aejax.reproduce import compare, engine, record

    spoiled = {line.experiment for line in lines if line.verdict == compare.NAN}
    new = {r.name: engine.updated(recorded.get(r.name), r.runs) for r in results if r.runs and r.name not in spoiled}
    record.write(folder, {**recorded, **new})
    console.say("")
    console.say(f"{folder / record.FILE}: {len(new)} experiments recorded")
    if spoiled:
        console.say(f"not recorded, for a number that is none any more: {', '.join(sorted(spoiled))}")


def _conclude(lines: Sequence[Line], results: Sequence[Result], report: Path, *, update: bool) -> int:
    from aejax import console
    from aejax.reproduce import compare

    missing = [result.name for result in results if result.missing]
    failed = [result.name for result in results if result.trouble and not result.missing]
    off = sum(map(compare.fails, lines))
    exact = {line.experiment for line in lines if line.verdict in (compare.SAME, compare.OTHER)}
    others = {line.experiment for line in lines} - exact
    console.say("")
    console.say(f"{len(lines) - off} of {len(lines)} held")
    if exact:
        console.say(f"checked bit for bit, as recorded on such a machine: {', '.join(sorted(exact))}")
    if others:
        console.say(f"checked within the tolerance, as recorded on other machines: {', '.join(sorted(others))}")
    if missing:
        console.say(f"not run, data not at hand: {', '.join(missing)}")
    if failed:
        console.say(f"failed: {', '.join(failed)}")
    console.say(str(report))
    spoiled = any(line.verdict == compare.NAN for line in lines)
    return int(bool(failed) or spoiled or (bool(off) and not update))
