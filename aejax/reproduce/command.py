"""`aejax reproduce`: what its options mean."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from aejax.errors import UserError
from aejax.report.page import command as pages
from aejax.storage.trust import add_option

if TYPE_CHECKING:  # for annotations: what they come from imports jax
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
    add("--jobs", type=int, metavar="N", help="experiments or seeds at a time, one thread each; else one for each core")
    pages.add_language(parser)
    add_option(parser)
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code: 0 where every number that could be checked held, else 1."""
    for option in ("seeds", "jobs"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            raise UserError(f"--{option} {value}: allowed: 1 or more")
    language = pages.check_language(arguments.lang)
    from aejax import console
    from aejax.reproduce import choice, engine, record, telling, workers
    from aejax.runs import workdir
    from aejax.training import interruption

    folder = record.collection(arguments.collection)
    recorded, specs = _known(folder, missing_is_empty=arguments.update), record.specs(folder)
    how = {"quick": arguments.quick, "update": arguments.update, "collection": arguments.collection}
    names = choice.chosen(recorded, specs, arguments.only, **how)
    one = arguments.quick and not arguments.update
    seeds = {name: arguments.seeds or (1 if one else record.seeds(recorded.get(name))) for name in names}
    if not arguments.quick:
        seeds |= dict.fromkeys(engine.sweeps_of(folder, names), 0)
    place = arguments.workdir or workdir.fresh(f"reproduce-{folder.resolve().name}")
    engine.begin(place)
    if arguments.update:
        engine.check_writable(folder)
    try:
        how_run = {"at_once": arguments.jobs or workers.most_at_once(), "cache": not arguments.no_compile_cache}
        results = engine.run_all(folder, seeds, place, recorded, **how_run)
    except interruption.InterruptedRunError:
        print(f"aejax: stopped; go on with the same command and --workdir {place}", file=sys.stderr, flush=True)
        return 130
    lines = engine.judge(results, recorded)
    new = engine.renewed(results, recorded, lines) if arguments.update else {}
    telling.table(lines, recorded, new)
    report = engine.write_report(place, folder, lines, results, record.fingerprint(workdir.environment()))
    console.say("")
    if new:
        record.write(folder, {**recorded, **new})
    said = [*telling.verdicts(lines, new), *telling.troubles(results)]
    said += telling.update(folder, recorded, new, lines) if arguments.update else telling.beyond(results, recorded)
    said += [] if arguments.only else telling.unrecorded(arguments.collection, recorded, new, specs)
    page = pages.write_reproduction(place, folder, language, trust=arguments.trust)
    for line in (*said, str(report), str(page)):
        console.say(line)
    return telling.exit_code(lines, results, update=arguments.update)


def _known(folder: Path, *, missing_is_empty: bool) -> Mapping[str, Recorded]:
    from aejax.reproduce import record

    if missing_is_empty and not (folder / record.FILE).exists():
        return {}
    return record.read(folder)
