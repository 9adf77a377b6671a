"""What the table says of the members of a block: validation losses and the task's metrics, of many nets at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from aejax.config.components import configured_task
from aejax.sweep.plan import Member
from aejax.sweep.prepared import Prepared, hparams_of
from aejax.training.loop import Outcome
from aejax.training.retrain import retrainer
from aejax.training.step import EVALUATION_STREAM
from aejax.types import Params


def metrics_together(
    members: Sequence[Member], outcomes: Sequence[Outcome], prepared: Prepared, params: Params
) -> list[dict[str, float]]:
    """The metrics of each member: means in training, validation losses, and what the task finds.

    Args:
        members: of one group.
        outcomes: of their training.
        prepared: of the group.
        params: those that were kept, leaves (members, ...).
    """
    done = zip(members, outcomes, strict=True)
    progress = np.array([outcome.step / member.config["train"]["steps"] for member, outcome in done])
    columns = losses_together(members, prepared, params, progress)
    by_task = _task_of_members(members[0].config["task"])
    if by_task is None:
        by_member = [task_metrics(m, outcome.params, prepared) for m, outcome in zip(members, outcomes, strict=True)]
    else:
        by_member = [{} for _ in members]
        columns |= _by_fold(members, params, lambda fold, places, part: by_task(prepared, fold, part))
    rows = []
    for index, outcome in enumerate(outcomes):
        metrics = {f"train/{name}": value for name, value in outcome.means.items()}
        metrics |= {name: float(values[index]) for name, values in columns.items()}
        rows.append(metrics | by_member[index])
    return rows


def metrics_alone(member: Member, outcome: Outcome, prepared: Prepared) -> dict[str, float]:
    """The same of one member, to the bit as `aejax run` finds them."""
    metrics = {f"train/{name}": value for name, value in outcome.means.items()}
    metrics |= measured(member, prepared, outcome.params, outcome.step / member.config["train"]["steps"])
    return metrics | task_metrics(member, outcome.params, prepared)


def losses_together(
    members: Sequence[Member], prepared: Prepared, params: Params, progress: np.ndarray
) -> dict[str, np.ndarray]:
    """The losses of the members' validation rows, (members,) each; none where there are no rows."""
    if prepared.validation[0] is None:
        return {}

    def of_fold(fold: int, places: np.ndarray, part: Params) -> dict[str, np.ndarray]:
        chosen = [members[index] for index in places]
        keys = jax.vmap(_key)(np.array([member.config["seed"] for member in chosen], np.uint32))
        hparams = jax.tree.map(lambda *values: np.stack(values), *(hparams_of(member, prepared) for member in chosen))
        arguments = (part, keys, hparams, prepared.validation[fold], progress[places].astype(np.float32))
        losses = prepared.member_losses(*arguments, prepared.together)
        return {f"validation/{name}": values for name, values in losses.items()}

    return _by_fold(members, params, of_fold)


def measured(member: Member, prepared: Prepared, params: Params, progress: float) -> dict[str, float]:
    """The losses of a member's validation rows; none where there are no rows."""
    rows = prepared.validation[member.fold or 0]
    if rows is None:
        return {}
    losses = prepared.losses(params, _key(member.config["seed"]), hparams_of(member, prepared), rows, progress)
    return {f"validation/{name}": value for name, value in losses.items()}


def task_metrics(member: Member, params: Params, prepared: Prepared) -> dict[str, float]:
    """What the task finds of one member."""
    (task, options), dataset = configured_task(member.config["task"]), prepared.datasets[member.fold or 0]
    key, retrain = _key(member.config["seed"]), retrainer(member.config, dataset)
    by_split = task.evaluate(key, prepared.parts.model, params, dataset, retrain, options).metrics
    metrics = {f"{split}/{name}": value for split, named in by_split.items() for name, value in named.items()}
    return {name: float(value) for name, value in metrics.items() if isinstance(value, int | float)}


def _key(seed: Any) -> jax.Array:
    return jax.random.fold_in(jax.random.key(seed), EVALUATION_STREAM)


def _task_of_members(settings: Mapping[str, Any]) -> Callable[[Prepared, int, Params], dict[str, np.ndarray]] | None:
    """The metrics of the task for many nets; None where it looks at them one by one."""
    task, options = configured_task(settings)
    if task.members is None:
        return None

    def metrics(prepared: Prepared, fold: int, params: Params) -> dict[str, np.ndarray]:
        by_split = task.members(prepared.parts.model, params, prepared.datasets[fold], options, prepared.together)
        return {f"{split}/{name}": values for split, named in by_split.items() for name, values in named.items()}

    return metrics


def _by_fold(
    members: Sequence[Member], params: Params, function: Callable[[int, np.ndarray, Params], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """Columns (members,) of what ``function(fold, places, params of those)`` says of the members of each fold."""
    folds = np.array([member.fold or 0 for member in members])
    columns: dict[str, np.ndarray] = {}
    for fold in np.unique(folds):
        places = np.flatnonzero(folds == fold)
        part = jax.tree.map(lambda leaf, at=places: leaf[at], params)
        for name, values in function(int(fold), places, part).items():
            columns.setdefault(name, np.full(len(members), np.nan))[places] = values
    return columns
