"""Groups of a sweep: trained in this process one by one, or as jobs that an engine has done train_with.

A group is cut into blocks that fit the memory, each of them an idempotent task with a folder of its own.
"""

import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from aejax import console
from aejax.errors import UserError
from aejax.runs.workdir import fingerprint
from aejax.sweep.block import Options, Stop, finished, run_block
from aejax.sweep.engines import jobs
from aejax.sweep.engines.jobs import Engine, Job
from aejax.sweep.plan import Block, Member, blocks
from aejax.sweep.prepared import Memory, Prepared, memory_of, prepare
from aejax.training import compilation
from aejax.training.interruption import asked_to_stop
from aejax.training.numerics import fixed

Group = tuple[Member, ...]
"""Members of equal static setting."""

FORGET_EVERY = 8
"""Groups after which what JAX keeps of earlier ones is given back; what all share is then traced again."""

TrainGroups = Callable[[Sequence[Group], int | None, Options, Path], None]
"""``(groups, folds, options, folder) -> None``: trains the groups, so that `finished` finds them in the folder.

It raises `InterruptedRunError` when it was asked to stop, and `UserError` where a group failed; the others are done.
"""


class Needs(NamedTuple):
    """What a scheduler is asked for, for one job.

    Attributes:
        cpus: processor cores.
        gpus: graphics processors; less than 1 where jobs share one.
        memory: bytes; None where nothing is asked for.
        runs: most runs of a job; None leaves it to the engine.
        home: folder of the config file, where modules of the user's own lie.
    """

    cpus: int = 1
    gpus: float = 0
    memory: int | None = None
    runs: int | None = None
    home: Path | None = None


def cost(group: Group, prepared: Prepared, options: Options) -> tuple[list[Block], Memory]:
    """A group cut into blocks that fit the budget, and what its runs take.

    Raises:
        UserError: the budget is too small for one member.
    """
    memory = memory_of(prepared, group[0].config["train"]["batch_size"])
    if options.exact:
        return blocks(group, len(group)), memory
    return blocks(group, memory.most(options.budget), len(jax.devices()[: options.devices])), memory


def train(
    group: Group, prepared: Prepared, options: Options, folder: Path, asked: Stop = lambda: False, name: str = "group"
) -> None:
    """Train the blocks of a group, each in its own part of a folder, unless a marker there says that it is done.

    Args:
        group: what to train.
        prepared: of the group.
        options: how.
        folder: of the sweep.
        asked: whether to stop now.
        name: of the group, for the progress.

    Raises:
        InterruptedRunError: `asked` said so; what was done is saved.
    """
    for block in cost(group, prepared, options)[0]:
        console.say(f"{name}: {len(block.members)} runs")
        run_block(block, prepared, options, folder, asked)


def local(groups: Sequence[Group], folds: int | None, options: Options, folder: Path) -> None:
    """Train the groups in this process, one after the other."""
    with asked_to_stop() as asked:
        for number, group in enumerate(groups):
            name = f"group {number + 1} of {len(groups)}"
            train(group, prepare(group[0].config, folds), options, folder, asked, name)
            if number % FORGET_EVERY == FORGET_EVERY - 1:
                compilation.forget()


def train_with(
    engine: Engine, needs: Needs, groups: Sequence[Group], folds: int | None, options: Options, folder: Path
) -> None:
    """Have an engine train the groups.

    Raises:
        UserError: jobs failed; it tells how many, and why the first did.
    """
    todo, failures = split(groups, folds, options, folder, needs), []
    for job, failure in jobs.run(todo, engine):
        console.say(f"{job.name}: {failure or 'done'}")
        failures += [f"{job.name}: {failure}"] if failure else []
    if failures:
        raise UserError(
            f"{len(failures)} of {len(todo)} tasks failed, the first of them {failures[0]}; "
            f"what others did is kept: the same command with --workdir {folder} does the rest"
        )


def split(groups: Sequence[Group], folds: int | None, options: Options, folder: Path, needs: Needs) -> list[Job]:
    """The groups as jobs, of at most as many runs as `needs` says."""
    if needs.memory and not needs.gpus and options.budget is None:
        options = options._replace(budget=needs.memory // 2)  # what is free on its node is not what a job may take
    parts = []
    for group in groups:
        data = fingerprint(prepare(group[0].config, folds).datasets[0])
        parts += [(block.members, data) for block in blocks(group, needs.runs or len(group))]
    about = {
        "environment": environment(needs, exact=options.exact),
        "cache": jax.config.jax_compilation_cache_dir is not None,
        "cwd": os.getcwd(),
        "modules": {} if needs.home is None else own_modules(needs.home),
    }
    todo = []
    for number, (members, data) in enumerate(parts, 1):
        arguments = {"members": members, "folds": folds, "options": options._asdict(), "data": data}
        name = f"task {number} of {len(parts)} ({len(members)} runs)"
        todo.append(Job(name, f"{__name__}:{train_members.__name__}", arguments, folder, **about))
    return todo


@fixed()
def train_members(folder: Path, members: Group, data: str, folds: int | None, options: Mapping[str, Any]) -> None:
    """Train what a folder does not hold yet of some members: the function of a job.

    Args:
        folder: of the sweep.
        members: of equal static setting.
        data: SHA-256 of the rows as the sweep's own process loads them.
        folds: of the cross-validation, or None.
        options: `Options` as a dict.

    Raises:
        UserError: the data of this machine are not those of the sweep, or too big for it.
    """
    done = finished(folder)
    members = tuple(member for member in members if member.id not in done)
    if not members:
        return
    prepared = prepare(members[0].config, folds)
    if fingerprint(prepared.datasets[0]) != data:
        name = members[0].config["data"]["name"]
        raise UserError(f"data.name: {name} on {platform.node()} differs from that of the sweep; allowed: the same")
    train(members, prepared, Options(**options), folder)


def environment(needs: Needs, *, exact: bool) -> dict[str, str]:
    """The variables that keep JAX, and other libraries, to what the scheduler gave.

    On processors JAX sees one device for each core, unless members are to be what `aejax run` trains, bit for bit.
    """
    variables = {"OMP_NUM_THREADS": str(needs.cpus)}
    if not needs.gpus:
        variables["JAX_PLATFORMS"] = "cpu"
        if not exact:
            count = f"--xla_force_host_platform_device_count={needs.cpus}"
            variables["XLA_FLAGS"] = f"{count} --xla_cpu_multi_thread_eigen=false"
    elif needs.gpus < 1:
        variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * needs.gpus:.3f}"
    return variables


def own_modules(home: Path) -> dict[str, str]:
    """The text of the modules that were imported from a folder, by their path in it; of aejax itself none."""
    texts, home = {}, home.resolve()
    for name, module in list(sys.modules.items()):
        path, stem = Path(getattr(module, "__file__", None) or "").resolve(), home / name.replace(".", "/")
        if path in (stem.with_suffix(".py"), stem / "__init__.py") and name.partition(".")[0] != "aejax":
            texts[path.relative_to(home).as_posix()] = path.read_text(encoding="utf-8")
    return texts
