"""A batch of proposed settings, trained as blocks of one shape: what was prepared and compiled for one serves the next.

All batches of a static setting have the same shape and use the same compiled program. Trials that are worse than others
were at that step are frozen between chunks, as the members of a sweep that stop early are.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from aejax import console
from aejax.storage.trees import path_name
from aejax.sweep import pruning, spaces, strategies, studies
from aejax.sweep.journal import Outcome
from aejax.sweep.markers import PARTS, alone, finished
from aejax.sweep.plan import Block, Member, filled, static_of
from aejax.sweep.prepared import Prepared, hparams_of, prepare, size_of
from aejax.sweep.programs import Program, stack_hparams
from aejax.sweep.spaces import Space
from aejax.sweep.together import compile_fastest, train_program
from aejax.sweep.training import Prune, StoppedSweepError
from aejax.sweep.work import Options, member_id, work


class Kept(NamedTuple):
    """What stays from batch to batch, for one static setting.

    Attributes:
        prepared: of its runs.
        program: by its strategy, once it is compiled.
    """

    prepared: Prepared
    program: dict[str, Program]


def train_batch(
    trials: Sequence[Any],
    space: Space,
    kept: dict[str, Kept],
    folder: Path,
    options: Options,
    asked: Callable[[], bool],
    *,
    batch: int,
    prune_by: str | None,
) -> None:
    """Train the runs of trials that no marker vouches for yet, and note the results with each trial.

    Args:
        trials: that a study proposed.
        space: that they are of.
        kept: by static setting, from earlier batches; what is missing is added.
        folder: of the search.
        options: of the programs.
        asked: whether to stop now.
        batch: how many trials the programs are made for.
        prune_by: column of validation rows by which trials are given up; None for not at all.

    Raises:
        StoppedSweepError: `asked` said so; what was done is saved.
    """
    planned = spaces.planned(space, [trial.params for trial in trials])
    trial_of = {member.number: trials[member.number // space.streams] for member in planned.members}
    done = finished(folder)
    missing = {trial_of[member.number].number for member in planned.members if member_id(member) not in done}
    for whole in planned.groups:
        group = [member for member in whole if trial_of[member.number].number in missing]
        if not group:
            continue
        static = static_of(group[0].config)
        if static not in kept:
            kept[static] = Kept(prepare(group[0].config, space.folds), {})
        prepared = kept[static].prepared
        block = laid_out(group, batch, len(jax.devices()[: options.devices]))

        def train(*given: Any, static: str = static) -> tuple[list[Outcome], dict[str, Any]]:
            prune = pruning.judging(trial_of, prune_by) if prune_by else None
            return _train(kept[static].program, space, prune, *given)

        place = folder / PARTS / block.id
        with alone(place), console.progress(group[0].config["train"]["steps"], 0) as show:
            found = work(block, prepared, options, place, asked, show, train)
        done |= {result["id"]: result for result in found}
        if asked():
            raise StoppedSweepError
    for trial in trials:
        own = [done[member_id(member)] for member in planned.members if trial_of[member.number] is trial]
        trial.set_user_attr(studies.RESULTS, own)


def laid_out(group: Sequence[Member], batch: int, devices: int) -> Block:
    """The members of a static setting as a block of a shape that is the same for every batch."""
    streams: dict[tuple[int, int | None], list[Member]] = {}
    for member in group:
        streams.setdefault((member.config["seed"], member.fold), []).append(member)
    return filled(list(streams.items()), len(streams), batch, devices)


def _train(
    programs: dict[str, Program],
    space: Space,
    prune: Callable[[Block, Prepared], Prune] | None,
    block: Block,
    prepared: Prepared,
    options: Options,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
) -> tuple[list[Outcome], dict[str, Any]]:
    """In place of a sweep's own training: with the program of an earlier batch, and pruning."""
    devices = jax.devices()[: options.devices]
    leaves = jax.tree_util.tree_leaves_with_path(prepared.parts.hparams)
    own = {str(i) for i, (path, _) in enumerate(leaves) if path_name(path).replace("/", ".") in space.traced}
    swept = stack_hparams([hparams_of(member, prepared) for member in block.members], block.places, own)
    compiled = 0.0
    if not programs:
        forms = strategies.forms(options.strategy, size_of(prepared.parts))
        choice = compile_fastest(block, prepared, swept, forms, devices)
        programs[choice.form.strategy], compiled = choice.program, choice.compile_seconds
    ((strategy, program),) = programs.items()
    judge = prune and prune(block, prepared)
    outcomes, seconds = train_program(program.bound(swept.own), block, prepared, settings, folder, asked, show, judge)
    timing = {"strategy": strategy, "devices": len(devices), "compile_seconds": compiled, "train_seconds": seconds}
    return outcomes, timing
