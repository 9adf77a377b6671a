"""A sweep in a folder: what is done already, an engine for the groups that are not, and the table at the end."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from aejax import console
from aejax.config.differences import differences, first_of
from aejax.data.inspection import OWN
from aejax.errors import UserError
from aejax.files import to_json, write_json
from aejax.runs import workdir
from aejax.storage import checksums
from aejax.storage.lock import alone
from aejax.sweep import table
from aejax.sweep.block import Options, finished
from aejax.sweep.engines.groups import TrainGroups, cost, local
from aejax.sweep.plan import Plan
from aejax.sweep.prepared import prepare, readable
from aejax.sweep.table import METRIC
from aejax.training.build import load_data
from aejax.training.numerics import fixed


def check_folder(folder: Path, identity: Mapping[str, Any]) -> None:
    """Refuse a folder that holds something else than this sweep.

    Raises:
        UserError: naming what differs.
    """
    if not workdir.is_begun(folder, "sweep.json", "sweep"):
        return
    if changed := differences(workdir.read_json(folder / "sweep.json", dict), identity):
        raise UserError(
            f"{folder}: holds another sweep ({first_of(changed)}); allowed: the same one, or another --workdir"
        )
    checksums.check(folder, "sweep.json", workdir.ENVIRONMENT)
    for name, _ in checksums.differing(folder):
        console.say(f"{folder / name}: is missing or damaged, and is written again")


def begin(folder: Path, identity: dict[str, Any], data: Mapping[str, Any]) -> None:
    """Write down whose folder this is, and of a person's own data which they are, unless that is done.

    Raises:
        UserError: the data have changed since.
    """
    if not (folder / "sweep.json").exists():
        write_json(folder / "sweep.json", identity)
        write_json(folder / "environment.json", workdir.environment())
    if data["name"].startswith(OWN):
        workdir.same_data(folder, load_data(data))


def _identity(plan: Plan, options: Options) -> dict[str, Any]:
    axes = {path: list(values) for axis in plan.axes for path, values in zip(axis.paths, axis.values, strict=True)}
    zipped = [list(axis.paths) for axis in plan.axes if len(axis.paths) > 1]
    return {"axes": axes, "zipped": zipped, "folds": plan.folds, "exact": options.exact, "config": plan.base}


@fixed()
def run(
    plan: Plan,
    folder: Path,
    options: Options,
    metric: str = METRIC,
    *,
    maximise: bool = False,
    bounds: Sequence[table.Bound] = (),
    engine: AbstractContextManager[TrainGroups] | None = None,
) -> dict[str, Any]:
    """Do a sweep in a folder, from where it was left.

    Args:
        plan: from `aejax.sweep.plan.make`.
        folder: of the sweep; made if it is not there.
        options: how.
        metric: the column that chooses the best point, of validation rows.
        maximise: whether more of it is better.
        bounds: what a point has to keep to be the best.
        engine: entered before anything is written, and only where something is to be trained; None for `local`.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: a metric that no run has, a config that does not fit the data, another sweep's folder, a budget that
            is too small, or an engine that cannot be had or was left with groups that failed.
        InterruptedRunError: SIGINT or SIGTERM came; what was done is saved.
    """
    table.check_metric(metric, [group[0].config for group in plan.groups])
    identity = _identity(plan, options)
    check_folder(folder, identity)
    done = finished(folder)
    missing = [tuple(member for member in group if member.id not in done) for group in plan.groups]
    todo = [group for group in missing if group]
    for group in todo:  # before anything is trained
        cost(group, prepare(group[0].config, plan.folds), options)
    with engine if engine and todo else nullcontext(local) as train:
        begin(folder, identity, plan.groups[0][0].config["data"])
        if count := len(plan.members) - sum(map(len, todo)):
            console.say(f"{folder}: {count} of {len(plan.members)} runs are done")
        else:
            console.say(extent(plan))
        train(todo, plan.folds, options, folder)
    done = finished(folder)
    by_number = {member.number: done[member.id] for member in plan.members}
    return conclude(folder, plan, by_number, metric, maximise=maximise, bounds=bounds)


def conclude(
    folder: Path,
    plan: Plan,
    done: Mapping[int, Mapping[str, Any]],
    metric: str,
    *,
    maximise: bool,
    bounds: Sequence[table.Bound] = (),
    search: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the table, the summary and the pictures; returns the summary.

    Args:
        folder: of the sweep.
        plan: its runs.
        done: their results, by number.
        metric: the column that chooses.
        maximise: whether more of it is better.
        bounds: what a point has to keep to be the best.
        search: what the summary says of a search besides.
    """
    rows = table.rows_of(plan, done)
    with alone(folder):  # others may search in this folder
        (folder / checksums.FILE).unlink(missing_ok=True)
        table.write_table(folder / "table.csv", rows)
        for column in (metric, *(bound.metric for bound in bounds)):
            table.check_column(column, rows[0])
        summary = table.summarise(plan, rows, metric, maximise=maximise, bounds=bounds)
        summary |= {"search": search} if search else {}
        if plan.base["report"]["figures"]:
            from aejax.figures import canvas, words
            from aejax.figures import sweep as pictures

            for name, figure in pictures.draw(summary, words.load("en")).items():
                canvas.save_figure(figure, folder / workdir.FIGURES / f"{name}.png")
        patterns = ("sweep.json", workdir.ENVIRONMENT, "table.csv", f"{workdir.FIGURES}/*.png")
        checksums.write(folder, patterns, {workdir.FINISHED: to_json(summary)})
    return summary


def counted(number: int, thing: str) -> str:
    """``"1 run"``, ``"2 runs"``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def extent(plan: Plan) -> str:
    """How many runs there are and why: how many values each axis has, those that the config itself declares too."""
    sizes = [(" and ".join(axis.paths), len(axis)) for axis in plan.axes] + [("folds", plan.folds)] * bool(plan.folds)
    factors = " × ".join(f"{name} ({size})" for name, size in sizes)
    return counted(len(plan.members), "run") + (f": {factors}" if factors else "")


def describe(plan: Plan, options: Options) -> Iterator[str]:
    """What a sweep would do, in lines: runs, groups, compiles and memory."""
    yield f"{extent(plan)}, in {counted(len(plan.groups), 'group')} of equal static setting"
    compiles = 0
    for group in plan.groups:
        blocks, memory = cost(group, prepare(group[0].config, plan.folds), options)
        compiles += len({block.grid.shape for block in blocks})
        same = [path for path in plan.paths if len({repr(member.point[path]) for member in group}) == 1]
        fixed = ", ".join(f"{path}={group[0].point[path]}" for path in same)
        sizes = " + ".join(str(len(block.members)) for block in blocks)
        together = memory.of(1 if options.exact else max(block.grid.size for block in blocks))
        yield f"  {fixed or 'all'}: {sizes} runs, about {together} ({readable(memory.member)} a run)"
    yield f"{compiles} to compile"
