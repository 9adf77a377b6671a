"""A batch of proposed settings, trained as blocks of one shape: what was prepared and compiled for one serves the next.

All batches of a static setting have the same shape and use the same compiled program. Trials that are worse than others
were at that step are frozen between chunks, as the members of a sweep that stop early are.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax import console
from aejax.storage.trees import path_name
from aejax.sweep.block import Options, Prune, compile_fastest, member_id, run_block
from aejax.sweep.evaluation import losses_together
from aejax.sweep.markers import PARTS, alone, finished
from aejax.sweep.plan import Block, Member, filled, static_of
from aejax.sweep.prepared import Prepared, hparams_of, prepare, size_of
from aejax.sweep.program import Program, forms, stack_hparams
from aejax.sweep.search import spaces, studies
from aejax.sweep.search.spaces import Space
from aejax.training.interruption import InterruptedRunError


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
        InterruptedRunError: `asked` said so; what was done is saved.
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
        program = partial(_program, kept[static].program, space)
        prune = pruning_by(trial_of, prune_by, block, prepared) if prune_by else None
        part = folder / PARTS / block.id
        with alone(part), console.progress(group[0].config["train"]["steps"], 0) as show:
            results = run_block(block, prepared, options, part, asked, show, program, prune)
        done |= {result["id"]: result for result in results}
        if asked():
            raise InterruptedRunError
    for trial in trials:
        own = [done[member_id(member)] for member in planned.members if trial_of[member.number] is trial]
        trial.set_user_attr(studies.RESULTS, own)


def laid_out(group: Sequence[Member], batch: int, devices: int) -> Block:
    """The members of a static setting as a block of a shape that is the same for every batch."""
    streams: dict[tuple[int, int | None], list[Member]] = {}
    for member in group:
        streams.setdefault((member.config["seed"], member.fold), []).append(member)
    return filled(list(streams.items()), len(streams), batch, devices)


def _program(
    programs: dict[str, Program], space: Space, block: Block, prepared: Prepared, options: Options, _: Path
) -> tuple[Program, dict[str, Any]]:
    """The program of an earlier batch with the settings of this one, or a new one, and its part of the timing."""
    leaves = jax.tree_util.tree_leaves_with_path(prepared.parts.hparams)
    traced = {str(i) for i, (path, _) in enumerate(leaves) if path_name(path).replace("/", ".") in space.traced}
    swept = stack_hparams([hparams_of(member, prepared) for member in block.members], block.places, traced)
    seconds = 0.0
    if not programs:
        possible = forms(options.strategy, size_of(prepared.parts))
        choice = compile_fastest(block, prepared, swept, possible, options)
        programs[choice.form.strategy], seconds = choice.program, choice.compile_seconds
    ((strategy, program),) = programs.items()
    return program.bound(swept.varied), {"strategy": strategy, "compile_seconds": seconds}


def pruning_by(trial_of: Mapping[int, Any], metric: str, block: Block, prepared: Prepared) -> Prune:
    """How the members of a block are judged between chunks: by the metric where it is cheap, or the validation loss.

    The value of a trial is the mean over its members that are finite; a trial that is given up is so with all of them.

    Args:
        trial_of: by the number of a member.
        metric: of the search.
        block: whose members they are.
        prepared: of its group.
    """
    indices: dict[int, list[int]] = {}
    for index, member in enumerate(block.members):
        indices.setdefault(trial_of[member.number].number, []).append(index)
    trials = {trial.number: trial for trial in trial_of.values()}
    steps = block.members[0].config["train"]["steps"]

    def prune(step: int, params: Any, going_on: np.ndarray) -> np.ndarray:
        hopeless = np.zeros_like(going_on)
        losses = losses_together(block.members, prepared, params, np.full(len(block.members), step / steps))
        values = losses.get(metric, losses["validation/loss"])
        for number, members in indices.items():
            alive = [index for index in members if going_on[index]]
            if alive and np.isfinite(values[alive]).all():
                report(trials[number], float(np.mean(values[alive])), step)
        for number, members in indices.items():
            hopeless[members] = going_on[members] & trials[number].should_prune()
        return hopeless

    return prune


def report(trial: Any, value: float, step: int) -> None:
    """Tell a value between chunks, once."""
    if step not in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, step)
