"""The local engine: the blocks of a plan, one after the other, in this process; the table at the end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax

from aejax import config as configs
from aejax import console, workdir
from aejax.errors import UserError
from aejax.files import write_json
from aejax.interruption import asked_to_stop
from aejax.sweep import memory, results
from aejax.sweep.markers import PARTS, finished
from aejax.sweep.plan import Block, Member, Plan, blocks
from aejax.sweep.training import StoppedSweepError
from aejax.sweep.work import Options, Prepared, member_id, prepare, work


class Cost(NamedTuple):
    """What a group will take.

    Attributes:
        blocks: how it is cut.
        member: bytes that one run adds.
        shared: bytes of the data.
    """

    blocks: list[Block]
    member: int
    shared: int


def cost(group: tuple[Member, ...], prepared: Prepared, options: Options) -> Cost:
    """Cut a group into blocks that fit the budget.

    Raises:
        UserError: the budget is too small for one member.
    """
    rows = prepared.data([0]).common
    shared = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(rows))
    member = memory.of_member(prepared.parts, prepared.datasets[0], group[0].config["train"]["batch_size"])
    if options.exact:
        return Cost(blocks(group, len(group)), member, shared)
    budget = options.budget or memory.available()
    most = memory.members_that_fit(budget, member, shared, "one run")
    return Cost(blocks(group, most, len(jax.devices()[: options.devices])), member, shared)


def check_folder(folder: Path, plan: Plan, options: Options) -> None:
    """Refuse a folder that holds something else than this sweep.

    Raises:
        UserError: naming what differs.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file, not a folder; allowed: another --workdir")
    if not (folder / "sweep.json").exists():
        if folder.exists() and any(folder.iterdir()):
            raise UserError(f"{folder}: is not empty and holds no sweep; allowed: a new folder, or that of a sweep")
        return
    changed = configs.differences(workdir.read_json(folder / "sweep.json"), _identity(plan, options))
    if changed:
        raise UserError(
            f"{folder}: holds another sweep ({changed[0]}{', …' if len(changed) > 1 else ''}); "
            "allowed: the same one, or another --workdir"
        )


def _identity(plan: Plan, options: Options) -> dict[str, Any]:
    axes = {path: list(own) for axis in plan.axes for path, own in zip(axis.paths, axis.values, strict=True)}
    zipped = [list(axis.paths) for axis in plan.axes if len(axis.paths) > 1]
    return {"config": plan.base, "axes": axes, "zipped": zipped, "folds": plan.folds, "exact": options.exact}


def run(
    plan: Plan, folder: Path, options: Options, metric: str = results.METRIC, *, maximise: bool = False
) -> dict[str, Any]:
    """Do a sweep in a folder, from where it was left.

    Args:
        plan: from `aejax.sweep.plan.make`.
        folder: of the sweep; made if it is not there.
        options: how.
        metric: the column that chooses the best point, of validation rows.
        maximise: whether more of it is better.

    Returns:
        What ``summary.json`` holds.

    Raises:
        UserError: a config that does not fit the data, another sweep's folder, a budget that is too small.
        StoppedSweepError: SIGINT or SIGTERM came; what was done is saved.
    """
    results.check_metric(metric)
    check_folder(folder, plan, options)
    done = finished(folder)
    missing = [[member for member in group if member_id(member) not in done] for group in plan.groups]
    groups = [tuple(group) for group in missing if group]
    for group in groups:  # before anything is trained
        cost(group, prepare(group[0].config, plan.folds), options)
    if not (folder / "sweep.json").exists():
        write_json(folder / "environment.json", workdir.environment())
        write_json(folder / "sweep.json", _identity(plan, options))
    if len(plan.members) > sum(map(len, groups)):
        console.say(f"{folder}: {len(plan.members) - sum(map(len, groups))} of {len(plan.members)} runs are done")
    with asked_to_stop() as asked:
        for number, group in enumerate(groups):
            prepared = prepare(group[0].config, plan.folds)
            for block in cost(group, prepared, options).blocks:
                console.say(f"group {number + 1} of {len(groups)}: {len(block.members)} runs")
                with console.progress(group[0].config["train"]["steps"], 0) as show:
                    found = work(block, prepared, options, folder / PARTS / block.id, asked, show)
                done |= {result["id"]: result for result in found}
                if asked():
                    raise StoppedSweepError
    by_number = {member.number: done[member_id(member)] for member in plan.members}
    summary = results.write(folder, plan, by_number, metric, maximise=maximise)
    if plan.base["report"]["figures"]:
        from aejax.report import sweep as pictures

        pictures.draw(folder / workdir.FIGURES, summary)
    return summary


def counted(number: int, thing: str) -> str:
    """``"1 run"``, ``"2 runs"``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def describe(plan: Plan, options: Options) -> Iterator[str]:
    """What a sweep would do, in lines: runs, groups, compiles and memory."""
    axes = [path for axis in plan.axes for path in axis.paths]
    yield f"{counted(len(plan.members), 'run')} in {counted(len(plan.groups), 'group')} of equal static setting"
    compiles = 0
    for group in plan.groups:
        prepared = prepare(group[0].config, plan.folds)
        found = cost(group, prepared, options)
        compiles += len({block.places.shape for block in found.blocks})
        same = {path for path in axes if len({repr(member.point[path]) for member in group}) == 1}
        fixed = ", ".join(f"{path}={group[0].point[path]}" for path in axes if path in same)
        sizes = " + ".join(str(len(block.members)) for block in found.blocks)
        most = max(block.places.size for block in found.blocks)
        together = memory.readable(found.shared + found.member * (1 if options.exact else most))
        yield f"  {fixed or 'all'}: {sizes} runs, about {together} ({memory.readable(found.member)} a run)"
    yield f"{compiles} to compile"
