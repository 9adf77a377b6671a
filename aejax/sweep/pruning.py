"""Giving trials of a search up between chunks of their training, by what their validation rows say."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aejax.sweep.evaluating import losses_together
from aejax.sweep.plan import Block
from aejax.sweep.prepared import Prepared
from aejax.sweep.training import Prune


def judging(trial_of: Mapping[int, Any], metric: str) -> Callable[[Block, Prepared], Prune]:
    """How members are judged between chunks: by the metric itself where it is cheap, else by the validation loss.

    The value of a trial is the mean over its members that are finite; a trial that is given up is so with all of them.

    Args:
        trial_of: by the number of a member.
        metric: of the search.
    """

    def of_block(block: Block, prepared: Prepared) -> Prune:
        places: dict[int, list[int]] = {}
        trials = {}
        for place, member in enumerate(block.members):
            trial = trial_of[member.number]
            trials[trial.number] = trial
            places.setdefault(trial.number, []).append(place)
        steps = block.members[0].config["train"]["steps"]

        def prune(step: int, params: Any, going_on: np.ndarray) -> np.ndarray:
            out = np.zeros_like(going_on)
            found = losses_together(block.members, prepared, params, np.full(len(block.members), step / steps))
            values = found.get(metric, found["validation/loss"])
            for number, own in places.items():
                alive = [place for place in own if going_on[place]]
                if alive and np.isfinite(values[alive]).all():
                    report(trials[number], float(np.mean(values[alive])), step)
            for number, own in places.items():
                out[own] = going_on[own] & trials[number].should_prune()
            return out

        return prune

    return of_block


def report(trial: Any, value: float, step: int) -> None:
    """Tell a value between chunks, once."""
    if step not in trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values:
        trial.report(value, step)
