"""`aejax reproduce`: its options, and the reproduction from start to end."""

import argparse
import os
import sys
from pathlib import Path

from aejax.errors import UserError
from aejax.report.page import command as pages
from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax reproduce`."""
    add = parser.add_argument
    add("collection", metavar="COLLECTION", help="such as `lecture`, or a folder of configs with expected.json")
    add("--only", nargs="+", metavar="NAME", help="these experiments, such as vanilla or vanilla:fashion_mnist")
    add("--quick", action="store_true", help="the quick experiments, one seed of each, and no sweeps")
    add("--seeds", type=int, metavar="N", help="seeds 0 to N-1; else as many as are recorded")
    add("--update", action="store_true", help="record what comes out, and show what it changes")
    add("--update-runs", action="store_true", help="record the runs too, as far as a page shows them, in `recorded`")
    add("--workdir", type=Path, metavar="DIR", help="folder of the runs; that of a stopped reproduction continues it")
    add("--jobs", type=int, metavar="N", help="experiments or seeds at a time, one thread each; else one for each core")
    add("--verbose", action="store_true", help="list every number, not only those that do not hold")
    pages.add_languages(parser)
    add_option(parser)
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")


def run(arguments: argparse.Namespace) -> int:
    """Reproduce a collection; the exit code is 0 where every number that could be checked held, else 1."""
    for option in ("seeds", "jobs"):
        if (value := getattr(arguments, option)) is not None and value < 1:
            raise UserError(f"--{option} {value}: allowed: 1 or more")
    languages = pages.languages(arguments.lang)
    from aejax import console
    from aejax.reproduce import compare, experiments, record, runs, summary
    from aejax.runs import workdir
    from aejax.training import interruption

    arguments.update |= arguments.update_runs
    folder, update = record.collection(arguments.collection), arguments.update
    recorded = record.read(folder) if not update or (folder / record.FILE).exists() else {}
    specs = record.specs(folder)
    names = record.choose(recorded, specs, arguments)
    standard = lambda name: 1 if arguments.quick and not update else record.seeds(recorded.get(name)) or record.SEEDS
    seeds = {name: arguments.seeds or standard(name) for name in names}
    if not arguments.quick:
        seeds |= dict.fromkeys(experiments.sweeps_of(folder, names), 0)
    root = arguments.workdir or workdir.fresh(f"reproduce-{folder.resolve().name}")
    summary.begin(root)
    if update and not os.access(folder, os.W_OK):
        raise UserError(f"{folder}: cannot be written")
    try:
        how = {"at_once": arguments.jobs or experiments.most_at_once(), "cache": not arguments.no_compile_cache}
        results = experiments.run_all(folder, seeds, root, recorded, **how)
    except interruption.InterruptedRunError:
        print(f"aejax: stopped; go on with the same command and --workdir {root}", file=sys.stderr, flush=True)
        return 130
    lines = compare.compare_all(results, recorded)
    new = compare.to_record(results, recorded, lines) if update else {}
    shown = [line for line in lines if line.fails or update or arguments.verbose]
    summary.table(shown, recorded, new)
    judged = compare.compare_all(results, {**recorded, **new}) if new else lines
    report = summary.write(root, folder, judged, results)
    console.say("")
    if new:
        record.write(folder, {**recorded, **new})
    if arguments.update_runs:
        console.say(f"{runs.write(root, folder)}: the runs")
    said = list(summary.verdicts(lines, results, new))
    said += summary.elsewhere(results, recorded, lines)
    said += summary.update(folder, recorded, new, lines) if update else summary.seeds_beyond(results, recorded)
    said += [] if arguments.only else summary.unrecorded(arguments.collection, recorded, new, specs)
    for line in (*said, str(report), "drawing the page"):
        console.say(line)
    for path in pages.write([root], None, languages, trust=arguments.trust):
        console.say(str(path))
    return summary.exit_code(lines, results, update=update)
