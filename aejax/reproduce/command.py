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
    add("--quick", action="store_true", help="the quick experiments, one seed of each")
    add("--seeds", type=int, metavar="N", help="seeds 0 to N-1; else as many as are recorded")
    add("--update", action="store_true", help="record what comes out, and show what it changes")
    add("--workdir", type=Path, metavar="DIR", help="folder of the runs; that of a stopped reproduction continues it")
    pages.add_language(parser)
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code: 0 where every number that could be checked held, else 1."""
    if arguments.seeds is not None and arguments.seeds < 1:
        raise UserError(f"--seeds {arguments.seeds}: allowed: 1 or more")
    language = pages.check_language(arguments.lang)
    from aejax import compilation, console, interruption, workdir
    from aejax.reproduce import compare, engine, record

    folder = record.collection(arguments.collection)
    recorded = _known(folder, missing_is_empty=arguments.update)
    names = chosen(recorded, record.specs(folder), arguments.only, quick=arguments.quick, update=arguments.update)
    seeds = arguments.seeds or (1 if arguments.quick else most_seeds(recorded, names))
    if not arguments.no_compile_cache:
        compilation.enable_cache()
    place = arguments.workdir or workdir.fresh(f"reproduce-{folder.resolve().name}")
    machine = record.fingerprint()
    try:
        results = engine.run_all(folder, names, seeds, place, {name: own.seconds for name, own in recorded.items()})
    except interruption.InterruptedRunError:
        print(f"aejax: stopped; go on with the same command and --workdir {place}", file=sys.stderr, flush=True)
        return 130
    new = {r.name: engine.updated(recorded.get(r.name), r.runs, machine) for r in results if r.runs}
    judged = [result for result in results if result.name in recorded]
    lines = engine.judge(judged, recorded, machine)
    console.say("")
    console.listing([compare.row(line) for line in lines], header=compare.HEADER)
    report = engine.write_report(place, folder, lines, results, machine)
    if arguments.update:
        record.write(folder, {**recorded, **new})
        console.say(f"{folder / record.FILE}: {len(new)} experiments recorded on {machine}")
    code = _conclude(lines, results, report, update=arguments.update)
    console.say(str(pages.write_reproduction(place, folder, language)))
    return code


def _known(folder: Path, *, missing_is_empty: bool) -> Mapping[str, Recorded]:
    from aejax.reproduce import record

    if missing_is_empty and not (folder / record.FILE).exists():
        return {}
    return record.read(folder)


def most_seeds(recorded: Mapping[str, Recorded], names: Sequence[str]) -> int:
    """How many seeds are recorded of these experiments; five where none is."""
    own = [recorded[name] for name in names if name in recorded]
    return max((len(number.values) for each in own for number in each.numbers.values()), default=5)


def chosen(
    recorded: Mapping[str, Recorded], specs: Sequence[str], only: Sequence[str] | None, *, quick: bool, update: bool
) -> list[str]:
    """Which experiments to run: those that are recorded, or, to record them, any of the collection.

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
    names = list(dict.fromkeys(only)) if only else known
    if quick:
        names = [name for name in names if name not in recorded or recorded[name].quick]
    if not names:
        raise UserError("there is no experiment to run; allowed: another --only, or without --quick")
    return names


def _conclude(lines: Sequence[Line], results: Sequence[Result], report: Path, *, update: bool) -> int:
    from aejax import console
    from aejax.reproduce import compare

    missing = [result.name for result in results if result.missing]
    failed = [result.name for result in results if result.trouble and not result.missing]
    off = sum(map(compare.fails, lines))
    bits = sum(line.verdict == compare.SAME for line in lines)
    console.say("")
    console.say(f"{len(lines) - off} of {len(lines)} held, {bits} of them bit for bit")
    if missing:
        console.say(f"not run, data not at hand: {', '.join(missing)}")
    if failed:
        console.say(f"failed: {', '.join(failed)}")
    console.say(str(report))
    return int(bool(failed) or (bool(off) and not update))
