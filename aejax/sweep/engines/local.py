"""The engine of this process: each group is cut into blocks that fit the memory, which are trained one by one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from aejax import console
from aejax.sweep import memory
from aejax.sweep.block import Options, run_block
from aejax.sweep.markers import PARTS, alone
from aejax.sweep.plan import Block, Member, blocks
from aejax.sweep.prepared import Prepared, prepare
from aejax.training.interruption import InterruptedRunError, asked_to_stop

Engine = Callable[[Sequence[tuple[Member, ...]], int | None, Options, Path], None]
"""``(groups, folds, options, folder) -> None``: trains the groups, so that `finished` finds them in the folder.

It raises `InterruptedRunError` when it was asked to stop, and `UserError` where a group failed; the others are done.
"""


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


def train(
    group: tuple[Member, ...],
    prepared: Prepared,
    options: Options,
    folder: Path,
    asked: Callable[[], bool] = lambda: False,
    *,
    name: str = "group",
) -> None:
    """Train the blocks of a group, each in its own part of a folder, unless a marker there says that it is done.

    Args:
        group: members of equal static setting.
        prepared: of the group.
        options: how.
        folder: of the sweep.
        asked: whether to stop now.
        name: of the group, for the progress.

    Raises:
        InterruptedRunError: `asked` said so; what was done is saved.
    """
    for block in cost(group, prepared, options).blocks:
        console.say(f"{name}: {len(block.members)} runs")
        place = folder / PARTS / block.id
        with alone(place), console.progress(group[0].config["train"]["steps"], 0) as show:
            run_block(block, prepared, options, place, asked, show)
        if asked():
            raise InterruptedRunError


def local(todo: Sequence[tuple[Member, ...]], folds: int | None, options: Options, folder: Path) -> None:
    """The engine of this process: one group after the other."""
    with asked_to_stop() as asked:
        for number, group in enumerate(todo):
            prepared = prepare(group[0].config, folds)
            train(group, prepared, options, folder, asked, name=f"group {number + 1} of {len(todo)}")
