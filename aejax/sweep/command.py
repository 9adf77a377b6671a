"""`aejax sweep`: what its options mean. Nothing here imports jax before it is known how many devices it shall have."""

import argparse
import os
import sys
from pathlib import Path

from aejax.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `aejax sweep`."""
    add = parser.add_argument
    add("config", metavar="CONFIG[:VARIANT]", help="as for `aejax run`")
    add(
        "--axis",
        action="append",
        default=[],
        metavar="PATH=SPEC",
        help="values of a field: [1,2], 0:5, 'log(1e-4,1,9)'",
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


def split_processor(devices: int | None) -> None:
    """Make JAX see one device for each processor core, and let each use one thread, unless the user set `XLA_FLAGS`.

    With threads of its own XLA would run the devices one after the other. Without effect where jax has started.
    """
    if "XLA_FLAGS" in os.environ or "jax" in sys.modules:
        return
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = f"--xla_force_host_platform_device_count={devices or cores} --xla_cpu_multi_thread_eigen=false"
    os.environ["XLA_FLAGS"] = flags


def run(arguments: argparse.Namespace) -> int:
    """Do what the options say; the exit code."""
    if arguments.devices is not None and arguments.devices < 1:
        raise UserError(f"--devices {arguments.devices}: allowed: 1 or more")
    if arguments.exact and (arguments.strategy != "auto" or (arguments.devices or 1) > 1):
        raise UserError("--exact: trains one after the other on one device; allowed: without --strategy and --devices")
    if not arguments.exact:
        split_processor(arguments.devices)
    from aejax import compilation, config_files, console, workdir
    from aejax.sweep import axes, engines, memory, plan, results

    results.check_metric(arguments.metric)

    path = config_files.find(arguments.config)[0]
    module = config_files.execute(path)
    declared = config_files.call(module, "sweep", path) if hasattr(module, "sweep") else {}
    asked = axes.collect(declared, arguments.axis, arguments.zip)
    made = plan.make(arguments.config, arguments.set, asked, arguments.folds)
    budget = None if arguments.memory_budget is None else memory.parse_budget(arguments.memory_budget)
    options = engines.Options(arguments.exact, arguments.strategy, arguments.devices, budget)
    if arguments.dry_run:
        for line in engines.describe(made, options):
            console.say(line)
        return 0
    if not arguments.no_compile_cache:
        compilation.enable_cache()
    folder = arguments.workdir or workdir.fresh(f"{path.stem}-sweep")
    try:
        summary = engines.run(made, folder, options, arguments.metric, maximise=arguments.maximize)
    except engines.StoppedSweepError:
        print(f"aejax: stopped; go on with the same command and --workdir {folder}", file=sys.stderr, flush=True)
        return 130
    results.say(summary)
    for picture in sorted((folder / workdir.FIGURES).glob("*")):
        console.say(str(picture))
    console.say(str(folder / "table.csv"))
    console.say(str(folder / "summary.json"))
    return 0
