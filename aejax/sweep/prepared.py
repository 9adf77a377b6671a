"""What the runs of one group have in common: their data, the parts of a run, and how they are evaluated."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from aejax.errors import UserError
from aejax.runs.experiment import check_task
from aejax.sweep import folds, memory
from aejax.sweep.plan import Member
from aejax.sweep.programs import Data
from aejax.training.build import Parts, build, check, load_data
from aejax.training.context import Rows
from aejax.training.evaluate import BATCH, make_losses, make_member_losses, on_device, target_range
from aejax.types import Dataset

MOST_TOGETHER = 16
LOOKING = 2**28
"""Bytes that members which look at a batch of rows together may take."""


class Prepared(NamedTuple):
    """What the blocks of one group have in common.

    Attributes:
        datasets: one, or one for each fold.
        parts: of a run.
        data: the training rows of streams, from the fold of each (0 without cross-validation).
        validation: the validation rows of each data set; None where it has none.
        losses: from `aejax.training.evaluate.make_losses`.
        member_losses: from `aejax.training.evaluate.make_member_losses`.
        together: how many members look at a batch of 1000 rows at once.
    """

    datasets: list[Dataset]
    parts: Parts
    data: Callable[[list[int]], Data]
    validation: list[Rows | None]
    losses: Callable[..., Mapping[str, float]]
    member_losses: Callable[..., Mapping[str, np.ndarray]]
    together: int


def prepare(config: Mapping[str, Any], count: int | None) -> Prepared:
    """Load the data of a group and build its run.

    Args:
        config: of any of its members.
        count: number of folds, or None.

    Raises:
        UserError: the config does not fit the data, or spreads one run over devices.
    """
    if config["devices"]["data"] not in (None, 1) or config["devices"]["code"] != 1:
        raise UserError(
            "devices: in a sweep each device has runs of its own; allowed: devices.data=null and devices.code=1"
        )
    settings = config["data"]
    if settings["name"].startswith("stream:"):
        raise UserError("data.name: a sweep holds its rows in memory; allowed: data that are not streamed")
    whole = load_data(settings if count is None else {**settings, "validation": 0.0})
    cut = None if count is None else folds.cut(whole, count, settings["split_seed"])
    datasets = [whole] if cut is None else cut.datasets
    first = datasets[0]
    check_task(config, first)
    parts = build(config, first)
    check(parts, on_device(first.train, first, parts.relations))
    whole_data = partial(folds.shared, first, parts.relations, config["train"]["batch_size"])
    data = whole_data if cut is None else partial(folds.stacked, cut, parts.relations)
    validation = [on_device(d.validation, d, parts.relations) if len(d.validation.x) else None for d in datasets]
    given = (parts.model, parts.objective, parts.corrupt, target_range(first))
    together = int(np.clip(LOOKING // memory.of_pass(parts, first, BATCH), 1, MOST_TOGETHER))
    return Prepared(datasets, parts, data, validation, make_losses(*given), make_member_losses(*given), together)


def size_of(parts: Parts) -> int:
    """The number of parameters of a net."""
    return sum(leaf.size for leaf in jax.tree.leaves(jax.eval_shape(parts.run.init, parts.key, parts.hparams).params))


def hparams_of(member: Member, prepared: Prepared) -> Any:
    """The hyperparameters of a member, in the structure of its group's run."""
    return _floats(prepared.parts.hparams, member.config)


def _floats(like: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _floats(v, own[k]) if isinstance(v, Mapping) else np.float32(own[k]) for k, v in like.items()}
