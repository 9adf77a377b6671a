"""`aejax sweep`: what its options mean. Nothing here imports jax before it is known how many devices it shall have."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aejax.errors import UserError

ENGINES = {
    ("local",): ("devices",),
    ("ray",): ("address",),
    ("slurm",): ("cluster", "slurm", "task_minutes"),
    ("ray", "slurm"): ("task_cpus", "task_gpus", "task_memory", "task_runs"),
}
"""Options that mean nothing to other engines than these."""

ONLY_IN_SEARCH = ("trials", "batch", "storage", "study", "no_pruning")
LEAST = {"devices": 1, "task_cpus": 1, "task_runs": 1, "task_minutes": 1, "task_gpus": 0, "trials": 1, "batch": 1}
BYTES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax sweep`."""
    add = parser.add_argument
    add("config", metavar="CONFIG[:VARIANT]", help="as for `aejax run`")
    axes = {"action": "append", "default": [], "metavar": "PATH=SPEC"}
    add("--axis", **axes, help="values of a field: [1,2], range(5), 'geomspace(1e-4,1,9)'")
    add("--zip", **axes, nargs="+", help="axes that change together")
    add("--set", action="append", default=[], metavar="PATH=VALUE", help="change a field; may be repeated")
    add("--workdir", type=Path, metavar="DIR", help="folder of the sweep; that of an unfinished one continues it")
    add("--folds", type=int, metavar="K", help="cross-validate: K folds of the training and validation rows")
    add("--metric", default="validation/mse", metavar="NAME", help="column that chooses the best point")
    add("--maximize", action="store_true", help="more of the metric is better")
    bound = {"action": "append", "default": [], "metavar": "NAME<=VALUE"}
    add(
        "--subject-to", **bound, help="what a point has to keep to be the best, such as validation/active_fraction<=0.3"
    )
    add("--dry-run", action="store_true", help="print runs, groups, compiles and memory, and stop")
    add("--exact", action="store_true", help="train one after the other, bit for bit as `aejax run` does")
    add("--strategy", choices=("auto", "vmap", "map"), default="auto", help="form of the compiled program")
    add("--devices", type=int, metavar="N", help="devices to use; on a CPU, cores")
    add("--memory-budget", metavar="SIZE", help="for one program, such as 2GB; else half of what is free")
    add("--no-compile-cache", action="store_true", help="compile afresh, and keep nothing compiled")
    add = parser.add_argument_group("beyond this process").add_argument
    add("--engine", choices=("local", "ray", "slurm"), default="local", help="where groups are trained")
    add("--address", metavar="HOST:PORT", help="a Ray cluster, or auto; else one is started here for the sweep")
    add("--task-cpus", type=int, metavar="N", help="processor cores of a task; else 1")
    add("--task-gpus", type=float, metavar="X", help="graphics processors of a task; less than 1 shares one; else 0")
    add("--task-memory", metavar="SIZE", help="memory of a task, such as 4GB")
    add("--task-runs", type=int, metavar="N", help="most runs of a task; else a group, or its share of a cluster")
    add("--task-minutes", type=int, metavar="N", help="time limit of a task, which then goes on; else 60")
    add("--cluster", choices=("slurm", "local"), help="slurm, which is the default, or processes of this machine")
    add("--slurm", action="append", metavar="KEY=VALUE", help="an option of sbatch, such as partition=gpu")
    add = parser.add_argument_group("search").add_argument
    add("--search", choices=("optuna",), help="propose settings within the axes, in place of all their combinations")
    add("--trials", type=int, metavar="N", help="settings to try; else 64")
    add("--batch", type=int, metavar="B", help="settings that are tried together; else 16")
    add("--storage", metavar="URL", help="database of the study, such as postgresql://…; else a file in the workdir")
    add("--study", metavar="NAME", help="of the study in that database; else that of the config")
    add("--no-pruning", action="store_true", default=None, help="train every setting to the end")


def split_processor(devices: int | None) -> None:
    """Make JAX see one device for each processor core, and let each use one thread, unless the user set `XLA_FLAGS`.

    With threads of its own XLA would run the devices one after the other. Without effect where jax has started.
    """
    if "XLA_FLAGS" in os.environ or "jax" in sys.modules:
        return
    from aejax.sweep.engines.jobs import cores

    flags = f"--xla_force_host_platform_device_count={devices or cores()} --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = flags


def stay_on_processor() -> None:
    """Leave the accelerators to the tasks: this process only plans and gathers."""
    if "jax" not in sys.modules:
        import jax

        jax.config.update("jax_platforms", "cpu")


def parse_budget(text: str, option: str = "--memory-budget") -> int:
    """Bytes: ``"2GB"``, ``"500 MiB"``, ``"1e9"``.

    Raises:
        UserError: no amount, or not above 0.
    """
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][0-9]+)?)\s*([A-Za-z]*)\s*", text)
    try:
        amount = int(float(match[1]) * BYTES[match[2].upper()])
    except (TypeError, KeyError, ValueError, OverflowError):
        amount = 0
    if amount < 1:
        raise UserError(f"{option} {text}: expected an amount such as 500MB or 2GiB")
    return amount


def check_options(arguments: argparse.Namespace) -> None:
    """Refuse options of one engine beside another, and needs that no task has.

    Raises:
        UserError: naming the option.
    """
    option = lambda name: f"--{name.replace('_', '-')}"
    for name, engines in ((name, engines) for engines, names in ENGINES.items() for name in names):
        if getattr(arguments, name) is not None and arguments.engine not in engines:
            raise UserError(f"{option(name)}: is for --engine {' or '.join(engines)}, not {arguments.engine}")
    for name in ONLY_IN_SEARCH:
        if getattr(arguments, name) is not None and not arguments.search:
            raise UserError(f"{option(name)}: is for --search optuna")
    if arguments.search and (arguments.engine != "local" or arguments.exact):
        other = "--exact" if arguments.exact else f"--engine {arguments.engine}"
        raise UserError(f"--search: not with {other}; allowed: several processes on one study, with --storage")
    if arguments.search and arguments.subject_to:
        raise UserError("--subject-to: not with --search, which looks for the best by --metric; allowed: of a grid")
    for name, least in LEAST.items():
        value = getattr(arguments, name)
        if value is not None and not least <= value < 1e6:
            raise UserError(f"{option(name)} {value}: allowed: {least} or more")
    if arguments.exact and (arguments.strategy != "auto" or (arguments.devices or 1) > 1):
        raise UserError("--exact: trains one after the other on one device; allowed: without --strategy and --devices")


def engine(arguments: argparse.Namespace, home: Path) -> AbstractContextManager[Any] | None:
    """The engine that was asked for; None for this process.

    Args:
        arguments: of the command.
        home: of the config file.
    """
    if arguments.engine == "local":
        return None
    from aejax.sweep.engines import groups

    size = None if arguments.task_memory is None else parse_budget(arguments.task_memory, "--task-memory")
    cpus, gpus = arguments.task_cpus or 1, arguments.task_gpus or 0
    needs = groups.Needs(cpus, gpus, size, arguments.task_runs, home)
    if arguments.engine == "ray":
        from aejax.sweep.engines import ray

        return ray.cluster(arguments.address, needs)
    from aejax.sweep.engines import slurm

    return slurm.queue(arguments.cluster or "slurm", arguments.slurm or [], arguments.task_minutes, needs)


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    check_options(arguments)
    if arguments.engine != "local":
        stay_on_processor()
    elif not arguments.exact:
        split_processor(arguments.devices)
    from aejax import console
    from aejax.config import files as config_files
    from aejax.runs import workdir
    from aejax.sweep import axes, table
    from aejax.training import compilation, interruption

    path = config_files.find(arguments.config)[0]
    if path.suffix == ".json":
        raise UserError(f"{path}: a sweep is of a config in Python; allowed: a .py file")
    module = config_files.execute(path)
    declared = config_files.call(module, "sweep", path) if hasattr(module, "sweep") else {}
    lines, do = _planned(arguments, path, axes.collect(declared, arguments.axis, arguments.zip))
    if arguments.dry_run:
        for line in lines():
            console.say(line)
        return 0
    if not arguments.no_compile_cache:
        compilation.enable_cache()
    folder = arguments.workdir or workdir.fresh(f"{path.stem}-sweep")
    try:
        summary = do(folder)
    except interruption.InterruptedRunError:
        print(f"aejax: stopped; go on with the same command and --workdir {folder}", file=sys.stderr, flush=True)
        return 130
    table.say(summary)
    pictures = sorted((folder / workdir.FIGURES).glob("*.png"))
    for written in (*pictures, folder / "table.csv", folder / "summary.json"):
        console.say(str(written))
    return 0


def _planned(
    arguments: argparse.Namespace, path: Path, axes: Sequence[Any]
) -> tuple[Callable[[], Iterable[str]], Callable[[Path], dict[str, Any]]]:
    """What a dry run says of a sweep, or of a search, and the doing in a folder, which returns the summary."""
    from aejax.sweep import folder as folders
    from aejax.sweep import plan, search, studies, table
    from aejax.sweep.block import Options

    budget = None if arguments.memory_budget is None else parse_budget(arguments.memory_budget)
    options = Options(arguments.exact, arguments.strategy, arguments.devices, budget)
    words = (arguments.config, arguments.set, axes, arguments.folds)
    space = search.space_of(*words) if arguments.search else None
    made = None if space else plan.make(*words)
    metric, home = arguments.metric, path.parent
    bounds = [table.bound_of(text) for text in arguments.subject_to]
    configs = space.configs if space else [group[0].config for group in made.groups]
    for option, name in (("--metric", metric), *(("--subject-to", bound.metric) for bound in bounds)):
        table.check_metric(name, configs, option)
    table.warn(metric, table.incomparable(metric, axes, (space or made).base["terms"]))
    if space:
        numbers = {name: getattr(arguments, name) for name in ("trials", "batch", "storage")}
        numbers = {name: value for name, value in numbers.items() if value is not None}
        asked = studies.Search(metric, arguments.maximize, study=arguments.study or path.stem, **numbers)
        asked = asked._replace(prune=not arguments.no_pruning)
        return lambda: search.describe(space, asked, options), lambda folder: search.run(space, asked, folder, options)
    how = {"maximise": arguments.maximize, "bounds": bounds, "engine": engine(arguments, home)}
    return lambda: folders.describe(made, options), lambda folder: folders.run(made, folder, options, metric, **how)
