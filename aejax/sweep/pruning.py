"""Giving trials of a search up between chunks of their training, by what their validation rows say."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.sweep.block import Prune
from aejax.sweep.evaluating import losses_together
from aejax.sweep.plan import Block
from aejax.sweep.prepared import Prepared


def judging(trial_of: Mapping[int, Any], metric: str, block: Block, prepared: Prepared) -> Prune:
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
