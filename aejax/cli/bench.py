"""`aejax bench`: speed beside what people would use instead."""

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax bench`."""
    add = parser.add_argument
    add("--only", nargs="+", metavar="ROW", help="these rows; --list names them")
    add("--list", action="store_true", help="print the rows and what each one times")
    add("--threads", nargs="+", type=int, metavar="N", help="processor cores; else one and two, where it matters")
    add("--turns", type=int, metavar="N", help="of each side that are timed, after one that is not")
    add("--against", metavar="COMMIT", help="beside an earlier aejax of this git checkout, in place of the peers")
    add("--json", type=Path, metavar="FILE", help="also write the results there")
    add("--picture", type=Path, metavar="FILE", help="also draw the ratios, as PNG")


def run(arguments: argparse.Namespace) -> int:
    """Measure row by row, and print each as soon as it is known; 1 where one misses its line, 2 where one failed."""
    from contextlib import nullcontext

    from aejax import console
    from aejax.bench import ROWS, measure
    from aejax.errors import UserError, one_of
    from aejax.files import write_json

    if arguments.list:
        console.listing([(name, row.about, ", ".join([*row.ways][1:])) for name, row in ROWS.items()])
        return 0
    names = arguments.only or [name for name, row in ROWS.items() if not row.long]
    for name in names:
        if name not in ROWS:
            raise one_of(name, ROWS, what="--only")
    if arguments.turns is not None and arguments.turns < 1:
        raise UserError(f"--turns: {arguments.turns}; allowed: 1 or more")
    if arguments.against is None:
        measure.check(names)
    results, left_out = [], []
    with measure.tree_of(arguments.against) if arguments.against else nullcontext() as tree:
        console.say(measure.machine())
        for name in names:
            for threads in measure.threads_of(ROWS[name], arguments.threads):
                try:
                    results.append(measure.measure(name, threads, arguments.turns, tree))
                    console.say(measure.line(results[-1]))
                except UserError as error:  # the rows that were measured are kept
                    left_out.append(name)
                    console.complain(f"{error}; the row is left out")
                if arguments.json:
                    write_json(arguments.json, [result._asdict() for result in results])
    if arguments.picture and results:
        from aejax.figures.speed import ratios
        from aejax.figures.words import load

        console.say(str(ratios(results, load("en"), arguments.picture)))
    misses = arguments.against is None and any(each.misses for each in results)
    return 2 if left_out else int(misses)
