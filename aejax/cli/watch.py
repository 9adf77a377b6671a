"""`aejax watch`: the learning curves of runs while they train, on a page that renews itself."""

import argparse
from pathlib import Path

from aejax.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax watch`."""
    from aejax.report.page.command import add_language

    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of a run, or one with many of them")
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="of this machine; 0 takes a free one")
    parser.add_argument("--every", type=int, default=5, metavar="SECONDS", help="between two looks at the files")
    add_language(parser)


def run(arguments: argparse.Namespace) -> None:
    """Serve the page until Ctrl-C."""
    from aejax.report.page import watch
    from aejax.report.words import catalogue

    if not 0 <= arguments.port < 2**16:
        raise UserError(f"--port {arguments.port}: allowed: 0 to 65535")
    if arguments.every < 1:
        raise UserError(f"--every {arguments.every}: allowed: 1 or more")
    watch.serve(arguments.folder, arguments.port, arguments.every, catalogue(arguments.lang))
