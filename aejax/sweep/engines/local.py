"""The engine of this process: each group is cut into blocks that fit the memory, which are trained one by one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from aejax import console
from aejax.sweep.block import Options, run_block
from aejax.sweep.plan import Block, Member, blocks
from aejax.sweep.prepared import Memory, Prepared, memory_of, prepare
from aejax.training.interruption import asked_to_stop

Engine = Callable[[Sequence[tuple[Member, ...]], int | None, Options, Path], None]
"""``(groups, folds, options, folder) -> None``: trains the groups, so that `finished` finds them in the folder.

It raises `InterruptedRunError` when it was asked to stop, and `UserError` where a group failed; the others are done.
"""


def cost(group: tuple[Member, ...], prepared: Prepared, options: Options) -> tuple[list[Block], Memory]:
    """A group cut into blocks that fit the budget, and what its runs take.

    Raises:
        UserError: the budget is too small for one member.
    """
    memory = memory_of(prepared, group[0].config["train"]["batch_size"])
    if options.exact:
        return blocks(group, len(group)), memory
    return blocks(group, memory.most(options.budget), len(jax.devices()[: options.devices])), memory


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
    for block in cost(group, prepared, options)[0]:
        console.say(f"{name}: {len(block.members)} runs")
        run_block(block, prepared, options, folder, asked)


def local(todo: Sequence[tuple[Member, ...]], folds: int | None, options: Options, folder: Path) -> None:
    """The engine of this process: one group after the other."""
    with asked_to_stop() as asked:
        for number, group in enumerate(todo):
            prepared = prepare(group[0].config, folds)
            train(group, prepared, options, folder, asked, name=f"group {number + 1} of {len(todo)}")
