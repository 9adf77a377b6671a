"""`aejax run`: its options, and what they make of a config or of the folder of a run that goes on."""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aejax import console
from aejax.errors import UserError
from aejax.storage.trust import add_option


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax run`."""
    add = parser.add_argument
    what = "a name that `aejax list` prints, or the path of a config; may be left out with --workdir"
    add("config", nargs="?", metavar="CONFIG[:VARIANT]", help=what)
    add("--workdir", type=Path, metavar="DIR", help="folder of the run; that of an unfinished one continues it")
    add("--set", action="append", default=[], metavar="PATH=VALUE", help="change a field; may be repeated")
    add("--seed", type=int, metavar="N", help="the same as --set seed=N")
    add("--print-config", action="store_true", help="print the resolved config and stop")
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")
    add("--profile", action="store_true", help="also trace it, for Perfetto, and print where the time went")
    add_option(parser)
    about = "one run of several processes, on one host or many; SLURM and TPUs need the first only"
    add = parser.add_argument_group(about).add_argument
    add("--distributed", action="store_true", help="this is one process of them; needs --workdir")
    add("--coordinator", metavar="HOST:PORT", help="of process 0; else JAX_COORDINATOR_ADDRESS")
    add("--processes", type=int, metavar="N", help="how many there are; else JAX_NUM_PROCESSES")
    add("--process-id", type=int, metavar="I", help="which this is, from 0; else JAX_PROCESS_ID")


def run(arguments: argparse.Namespace) -> int:
    """Train, or print the resolved config; the exit code."""
    started = time.perf_counter()
    from aejax import config as configs
    from aejax.training import distributed

    config = settings(arguments)
    if arguments.print_config:
        print(configs.dumps(config), end="", flush=True)
        return 0
    with distributed.joined(distributed.this_process(arguments), arguments.workdir):
        return train(arguments, config, started)


def train(arguments: argparse.Namespace, config: dict[str, Any], started: float) -> int:
    """Train a config, in this process or in this and others; the command began at `started`."""
    from aejax.config import files as config_files
    from aejax.runs import experiment, workdir
    from aejax.training import compilation, interruption

    if not arguments.no_compile_cache:
        compilation.enable_cache()
    folder = arguments.workdir or workdir.fresh(config_files.find(arguments.config)[0].stem)
    try:
        with _profiled(arguments, folder, config["train"]["steps"], started):
            summary = experiment.run(config, folder)
    except interruption.InterruptedRunError as stop:
        return console.complain(str(stop), 130)
    if not summary:  # in a process that does not write
        return 0
    console.results(summary)
    console.say("")
    for picture in sorted((folder / workdir.FIGURES).glob("*.png")):
        console.say(str(picture))
    console.say(str(folder / "summary.json"))
    for name, what in summary.get("tables", {}).items():
        console.say(f"{folder / name}: {what}")
    console.say(f"a page of it: aejax report {folder}")
    return 0


@contextmanager
def _profiled(arguments: argparse.Namespace, folder: Path, steps: int, started: float) -> Iterator[None]:
    """Where ``--profile`` asks for it, a trace and a table of a run that still has to train."""
    if not arguments.profile:
        yield
        return
    from aejax.runs import profile, workdir

    if arguments.distributed:
        raise UserError("--profile: traces one process; allowed: without --distributed")
    if (folder / workdir.FINISHED).exists():
        raise UserError(f"--profile: the run in {folder} is finished; allowed: another --workdir")
    with profile.profiled(folder, steps):
        profile.passed("import", time.perf_counter() - started)
        yield


def settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """The config that was named; without one, that of the run in the folder."""
    from aejax import config as configs

    if arguments.config is not None:
        return configs.load(arguments.config, arguments.set, seed=arguments.seed, trust=arguments.trust)
    if arguments.workdir is None:
        raise UserError("run: name a config, or give the --workdir of a run to go on with it")
    from aejax.config import differences
    from aejax.runs import workdir

    written = workdir.read_config(arguments.workdir, trust=arguments.trust)
    begun = configs.resolve(written)
    path = str(arguments.workdir / workdir.CONFIG)  # it may go on with more or fewer devices
    config = configs.load(path, arguments.set, seed=arguments.seed, trust=arguments.trust)
    workdir.check(arguments.workdir, written)
    if changed := differences.changed(begun, config):
        option = "--seed" if arguments.seed is not None and not arguments.set else "--set"
        raise UserError(
            f"run: {option} changes the run in {arguments.workdir} ({differences.first_of(changed)}), which goes on as "
            "it was begun; allowed: --set devices.…=N, or a config by name and another --workdir"
        )
    return config
