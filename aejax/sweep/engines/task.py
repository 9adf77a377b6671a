"""A group of a sweep as a task for another process, or another machine: all that it needs, and the doing of it.

A task is idempotent: what its folder vouches for is not trained again. Nothing here imports jax before the process is
set up for it.
"""

import atexit
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from aejax.errors import UserError
from aejax.files import write_atomic
from aejax.sweep.plan import Member, blocks

PARTS = "parts"


class Needs(NamedTuple):
    """What a scheduler is asked for, for one task.

    Attributes:
        cpus: processor cores.
        gpus: graphics processors; less than 1 where tasks share one.
        memory: bytes; None where nothing is asked for.
        runs: most runs of a task; None leaves it to the engine.
        home: folder of the config file, where modules of the user's own lie.
    """

    cpus: int = 1
    gpus: float = 0
    memory: int | None = None
    runs: int | None = None
    home: Path | None = None


class Task(NamedTuple):
    """Members of equal static setting, and what a process needs to train them.

    Attributes:
        members: what to train.
        folds: of the cross-validation, or None.
        options: `aejax.sweep.block.Options` as a dict.
        data: SHA-256 of the rows as the sweep's own process loads them.
        environment: variables to set, unless the process has them.
        cwd: folder that relative paths begin at, where it is there.
        modules: text of the user's own modules, by path.
        compile_cache: whether compiled programs are kept.
    """

    members: tuple[Member, ...]
    folds: int | None
    options: Mapping[str, Any]
    data: str
    environment: Mapping[str, str]
    cwd: str
    modules: Mapping[str, str]
    compile_cache: bool


def split(
    groups: Sequence[tuple[Member, ...]], folds: int | None, options: Mapping[str, Any], needs: Needs, most: int | None
) -> list[Task]:
    """The tasks of groups, of at most so many runs."""
    import jax

    from aejax.runs.workdir import fingerprint
    from aejax.sweep.prepared import prepare

    if needs.memory and not needs.gpus and options["budget"] is None:
        options = {**options, "budget": needs.memory // 2}  # what is free on its node is not what a task may take
    parts = []
    for group in groups:
        data = fingerprint(prepare(group[0].config, folds).datasets[0])
        for block in blocks(group, most or len(group)):
            parts.append([block.members, data])
    shared = {
        "folds": folds,
        "options": options,
        "environment": environment(needs, exact=options["exact"]),
        "cwd": os.getcwd(),
        "modules": {} if needs.home is None else own_modules(needs.home),
        "compile_cache": jax.config.jax_compilation_cache_dir is not None,
    }
    return [Task(members=members, data=data, **shared) for members, data in parts]


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
        file = getattr(module, "__file__", None)
        if not file or not file.endswith(".py") or name.partition(".")[0] == "aejax":
            continue
        stem = name.replace(".", "/")
        for path in (f"{stem}.py", f"{stem}/__init__.py"):
            if Path(file).resolve() == home / path:
                texts[path] = (home / path).read_text(encoding="utf-8")
    return texts


def set_up(task: Task) -> None:
    """Make this process one that trains a task; what it has of its own, such as `XLA_FLAGS`, stays."""
    for name, value in task.environment.items():
        os.environ.setdefault(name, value)
    if os.path.isdir(task.cwd):
        os.chdir(task.cwd)
    if task.modules:
        folder = tempfile.mkdtemp(prefix="aejax-modules-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        for path, text in task.modules.items():
            write_atomic(Path(folder) / path, text)
        sys.path.append(folder)
    if task.compile_cache:
        from aejax.training import compilation

        compilation.enable_cache()


def do(task: Task, folder: Path) -> None:
    """Train what a folder does not hold yet of a task.

    Raises:
        UserError: the data of this machine are not those of the sweep, or too big for it.
    """
    set_up(task)
    from aejax.runs.workdir import fingerprint
    from aejax.sweep.block import Options, finished
    from aejax.sweep.engines.local import train
    from aejax.sweep.prepared import prepare

    done = finished(folder)
    members = tuple(member for member in task.members if member.id not in done)
    if not members:
        return
    prepared = prepare(members[0].config, task.folds)
    if fingerprint(prepared.datasets[0]) != task.data:
        name = members[0].config["data"]["name"]
        raise UserError(f"data.name: {name} on {platform.node()} differs from that of the sweep; allowed: the same")
    train(members, prepared, Options(**task.options), folder)


def do_or_tell(task: Task, folder: Path) -> str | None:
    """Do a task; why it could not be done, in one line, where that is for its user to mend."""
    try:
        do(task, folder)
    except UserError as error:
        return str(error)
    return None


def _again(task: Task, folder: Path) -> Any:
    from submitit.helpers import DelayedSubmission

    return DelayedSubmission(do_or_tell, task, folder)


do_or_tell.checkpoint = _again  # submitit asks for it when the time of a job is up, and queues what it returns


def do_apart(task: Task) -> dict[str, bytes]:
    """Do a task in a folder of its own: what it leaves there, by path, for a machine that shares no file system."""
    with tempfile.TemporaryDirectory(prefix="aejax-task-") as folder:
        do(task, Path(folder))
        parts = sorted(path for path in Path(folder, PARTS).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in parts}


def keep(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put what `do_apart` returned into the folder of the sweep, the markers last."""
    for path in sorted(files, key=lambda path: path.endswith("done.json")):
        write_atomic(folder / path, files[path])


def failures(folder: Path, failed: Sequence[str], count: int) -> str:
    """The line that tells of tasks that failed: how many, why the first did, and that the others are kept."""
    return (
        f"{len(failed)} of {count} tasks failed, the first of them {failed[0]}; "
        f"what others did is kept: the same command with --workdir {folder} does the rest"
    )
