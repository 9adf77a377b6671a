"""The `aejax` command: arguments in, one call out; heavy packages load when a command needs them."""

import argparse
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Any

from aejax import __version__
from aejax.console import complain
from aejax.errors import UserError, first_line

OF_JAX = ("Unable to initialize backend", "Unknown backend", 'Invalid value "', "invalid truth value")
"""What JAX begins with where a variable of the shell, such as `JAX_PLATFORMS`, has a value that it cannot use."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments; None takes those of the process.

    Returns:
        The exit code: 0, 2 after a mistake of the user, 130 when a run was asked to stop.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what a terminal cannot show is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    if argv is None:  # the process is this command's alone
        sys.unraisablehook = _interrupt_again
    try:
        arguments = parser().parse_args(spelled(sys.argv[1:] if argv is None else argv))
        return arguments.command(arguments) or 0
    except UserError as error:
        return complain(str(error))
    except BrokenPipeError:
        sys.stderr.close()  # the reader has left: nothing to tell it
        return 141
    except OSError as error:
        path = f"{error.filename}: " if error.filename else ""
        return complain(f"{path}{error.strerror or error}")
    except (RuntimeError, ValueError) as error:
        if not first_line(error).startswith(OF_JAX):
            raise
        return complain(f"jax: {first_line(error)}")
    except MemoryError as error:
        return complain(f"out of memory: {error}")
    except KeyboardInterrupt:
        return complain("interrupted", 130)
    finally:
        if argv is None:  # all is written: an interruption could only spoil the end of the process
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt_again(raised: Any) -> None:
    """A Ctrl-C that met a callback of the garbage collector, where Python drops it, comes again a moment later."""
    if not issubclass(raised.exc_type, KeyboardInterrupt):
        return sys.__unraisablehook__(raised)
    again = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    return again.start()


class _Parser(argparse.ArgumentParser):
    """Argparse, with its errors in one line, which names the command that they belong to."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:
        parsed, more = super().parse_known_args(args, namespace)
        if more:
            self.error(f"unrecognized arguments: {' '.join(more)}")
        return parsed, more

    def error(self, message: str) -> None:
        raise SystemExit(complain(f"{message} (see {self.prog} --help)"))


def spelled(argv: Sequence[str]) -> list[str]:
    """``--config.path=value`` and ``--config.path value`` are ``--set path=value``."""
    words, out = iter(argv), []
    for word in words:
        if not word.startswith("--config."):
            out.append(word)
            continue
        path, equals, value = word.removeprefix("--config.").partition("=")
        out += ["--set", f"{path}={value if equals else next(words, '')}"]
    return out


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    from aejax.cli import apply, bench, data, export, init, listing, run, show, split, watch
    from aejax.report.page import command as report
    from aejax.reproduce import command as reproduce
    from aejax.sweep import command as sweep

    top = _Parser(prog="aejax", description="Autoencoders on JAX: train, compare, and get the same result again.")
    top.add_argument("--version", action="version", version=f"aejax {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    into = "Train an experiment into a folder."
    layers = "Print the layers of a net with their shapes, its parameters, and the terms of its loss."
    first = "Look at a file of your own and write a first config for it."
    many = "Train an experiment at many settings and seeds as few compiled programs."
    again = "Run the experiments of a collection again and compare every number with the recorded one."
    page = "Write one page, without network, of runs, sweeps or a reproduction."
    halves = "Write the encoder of a run as a file for anyone, and its decoder as one sealed with a passphrase."
    live = "Serve the learning curves of runs to this machine's browser while they train."
    speed = "Measure aejax beside what people would use instead, in turns; the extra 'bench' has the peers."
    leaving = "Write a trained net, with its scaling and what its task does, for use without aejax."
    for name, module, short, about in (
        ("run", run, "train an experiment", into),
        ("init", init, "write a first config for your own file", first),
        ("show", show, "print the net of a config or run", layers),
        ("sweep", sweep, "train many settings at once", many),
        ("reproduce", reproduce, "check recorded numbers", again),
        ("report", report, "write a page of what was run", page),
        ("watch", watch, "look at runs while they train", live),
        ("list", listing, "list the shipped experiments", None),
        ("apply", apply, "use a trained run on new rows", None),
        ("export", export, "write a trained run for use without aejax", leaving),
        ("split", split, "part encoder and decoder, and seal the decoder", halves),
        ("data", data, "list or prepare data sets", None),
        ("bench", bench, "measure speed beside other libraries", speed),
    ):
        command = commands.add_parser(name, help=short, description=about)
        command.set_defaults(command=getattr(module, "run", None))
        if module is not listing:
            module.add_options(command)
    return top
