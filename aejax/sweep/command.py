"""`aejax sweep`: what its options mean. Nothing here imports jax before it is known how many devices it shall have."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aejax.errors import UserError

ONLY_WITH = {
    "address": ("ray",),
    "cluster": ("slurm",),
    "slurm": ("slurm",),
    "task_minutes": ("slurm",),
    "task_cpus": ("ray", "slurm"),
    "task_gpus": ("ray", "slurm"),
    "task_memory": ("ray", "slurm"),
    "task_runs": ("ray", "slurm"),
    "devices": ("local",),
}
"""Options that mean nothing to the other engines."""

ONLY_IN_SEARCH = ("trials", "batch", "storage", "study", "no_pruning")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax sweep`."""
    add = parser.add_argument
    add("config", metavar="CONFIG[:VARIANT]", help="as for `aejax run`")
    add(
        "--axis",
        action="append",
        default=[],
        metavar="PATH=SPEC",
        help="values of a field: [1,2], range(5), 'geomspace(1e-4,1,9)'",
    )
    add("--zip", action="append", nargs="+", default=[], metavar="PATH=SPEC", help="axes that change together")
    add("--set", action="append", default=[], metavar="PATH=VALUE", help="change a field; may be repeated")
    add("--workdir", type=Path, metavar="DIR", help="folder of the sweep; that of an unfinished one continues it")
    add("--folds", type=int, metavar="K", help="cross-validate: K folds of the training and validation rows")
    add("--metric", default="validation/mse", metavar="NAME", help="column that chooses the best point")
    add("--maximize", action="store_true", help="more of the metric is better")
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
    add(
        "--task-runs",
        type=int,
        metavar="N",
        help="most runs of a task; else a group, or its share of a Ray cluster",
    )
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
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = f"--xla_force_host_platform_device_count={devices or cores} --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = flags


def stay_on_processor() -> None:
    """Leave the accelerators to the tasks: this process only plans and gathers."""
    if "jax" not in sys.modules:
        import jax

        jax.config.update("jax_platforms", "cpu")


def check_engine(arguments: argparse.Namespace) -> None:
    """Refuse options of one engine beside another, and needs that no task has.

    Raises:
        UserError: naming the option.
    """
    for name, engines in ONLY_WITH.items():
        if getattr(arguments, name) is not None and arguments.engine not in engines:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option}: is for --engine {' or '.join(engines)}, not {arguments.engine}")
    for name in ONLY_IN_SEARCH:
        if getattr(arguments, name) is not None and not arguments.search:
            raise UserError(f"--{name.replace('_', '-')}: is for --search optuna")
    if arguments.search and (arguments.engine != "local" or arguments.exact):
        other = "--exact" if arguments.exact else f"--engine {arguments.engine}"
        raise UserError(f"--search: not with {other}; allowed: several processes on one study, with --storage")
    for option, value, least in (
        ("--task-cpus", arguments.task_cpus, 1),
        ("--task-runs", arguments.task_runs, 1),
        ("--task-minutes", arguments.task_minutes, 1),
        ("--task-gpus", arguments.task_gpus, 0),
        ("--trials", arguments.trials, 1),
        ("--batch", arguments.batch, 1),
    ):
        if value is not None and not least <= value < 1e6:
            raise UserError(f"{option} {value}: allowed: {least} or more")


def engine(arguments: argparse.Namespace, home: Path) -> AbstractContextManager[Any] | None:
    """The engine that was asked for; None for this process.

    Args:
        arguments: of the command.
        home: of the config file.
    """
    if arguments.engine == "local":
        return None
    from aejax.sweep import memory
    from aejax.sweep.engines import groups

    size = None if arguments.task_memory is None else memory.parse_budget(arguments.task_memory, "--task-memory")
    cpus, gpus = arguments.task_cpus or 1, arguments.task_gpus or 0
    needs = groups.Needs(cpus, gpus, size, arguments.task_runs, home)
    if arguments.engine == "ray":
        from aejax.sweep.engines import ray

        return ray.cluster(arguments.address, needs)
    from aejax.sweep.engines import slurm

    return slurm.queue(arguments.cluster or "slurm", arguments.slurm or [], arguments.task_minutes, needs)


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    if arguments.devices is not None and arguments.devices < 1:
        raise UserError(f"--devices {arguments.devices}: allowed: 1 or more")
    check_engine(arguments)
    if arguments.exact and (arguments.strategy != "auto" or (arguments.devices or 1) > 1):
        raise UserError("--exact: trains one after the other on one device; allowed: without --strategy and --devices")
    if arguments.engine != "local":
        stay_on_processor()
    elif not arguments.exact:
        split_processor(arguments.devices)
    from aejax import console
    from aejax.config import files as config_files
    from aejax.runs import workdir
    from aejax.sweep import axes, block, memory, table
    from aejax.training import compilation, interruption

    path = config_files.find(arguments.config)[0]
    if path.suffix == ".json":
        raise UserError(f"{path}: a sweep is of a config in Python; allowed: a .py file")
    module = config_files.execute(path)
    declared = config_files.call(module, "sweep", path) if hasattr(module, "sweep") else {}
    asked = axes.collect(declared, arguments.axis, arguments.zip)
    budget = None if arguments.memory_budget is None else memory.parse_budget(arguments.memory_budget)
    options = block.Options(arguments.exact, arguments.strategy, arguments.devices, budget)
    begin = searching if arguments.search else sweeping
    lines, do = begin(arguments, path, asked, options)
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
    for picture in sorted((folder / workdir.FIGURES).glob("*.png")):
        console.say(str(picture))
    console.say(str(folder / "table.csv"))
    console.say(str(folder / "summary.json"))
    return 0


Begun = tuple[Callable[[], Iterable[str]], Callable[[Path], dict[str, Any]]]
"""What a dry run says, and the doing in a folder, which returns the summary."""


def sweeping(arguments: argparse.Namespace, path: Path, asked: Sequence[Any], options: Any) -> Begun:
    """A sweep over all combinations of the axes."""
    from aejax.sweep import folder as folders
    from aejax.sweep import metric, plan

    made = plan.make(arguments.config, arguments.set, asked, arguments.folds)
    metric.check_metric(arguments.metric, [group[0].config for group in made.groups])
    metric.warn(arguments.metric, metric.incomparable(arguments.metric, asked, made.base["terms"]))

    def do(folder: Path) -> dict[str, Any]:
        chosen = engine(arguments, path.parent)
        return folders.run(made, folder, options, arguments.metric, maximise=arguments.maximize, engine=chosen)

    return lambda: folders.describe(made, options), do


def searching(arguments: argparse.Namespace, path: Path, asked: Sequence[Any], options: Any) -> Begun:
    """A search within the axes."""
    from aejax.sweep import metric
    from aejax.sweep.search import bayesian, spaces

    space = spaces.make(arguments.config, arguments.set, asked, arguments.folds)
    metric.check_metric(arguments.metric, space.configs)
    metric.warn(arguments.metric, metric.incomparable(arguments.metric, asked, space.base["terms"]))
    numbers = {"trials": arguments.trials, "batch": arguments.batch, "storage": arguments.storage}
    numbers = {name: value for name, value in numbers.items() if value is not None}
    wanted = bayesian.Search(study=arguments.study or path.stem, prune=not arguments.no_pruning, **numbers)
    do = lambda folder: bayesian.run(space, wanted, folder, options, arguments.metric, maximise=arguments.maximize)
    return lambda: bayesian.describe(space, wanted, options), do
