"""A block's runs trained together: compiled in the form that suits them best, and trained as that one program."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from aejax.sweep import evaluating, strategies
from aejax.sweep.journal import Outcome
from aejax.sweep.plan import Block
from aejax.sweep.prepared import Prepared
from aejax.sweep.programs import Program, Swept, compile_block
from aejax.sweep.training import Members, Prune, train_block
from aejax.types import Params


def compile_fastest(
    block: Block, prepared: Prepared, swept: Swept, forms: Sequence[strategies.Form], devices: Sequence[Any]
) -> strategies.Choice:
    """The program of a block, in the fastest of some forms.

    Args:
        block: whose seeds and folds count.
        prepared: of its group.
        swept: the members' hyperparameters, from `aejax.sweep.programs.stack_hparams`.
        forms: that it may have, the likeliest first.
        devices: over which it is spread.
    """
    keys = jax.vmap(jax.random.key)(np.array([seed for seed, _ in block.streams], np.uint32))
    data = prepared.data([fold or 0 for _, fold in block.streams])
    shape = block.places.shape

    def compile_form(form: strategies.Form) -> Program:
        return compile_block(prepared.parts.run, keys, swept, data, **form._asdict(), devices=devices, shape=shape)

    return strategies.choose(compile_form, forms, block.members[0].config["train"]["steps"])


def train_program(
    program: Program,
    block: Block,
    prepared: Prepared,
    settings: Mapping[str, Any],
    folder: Path,
    asked: Callable[[], bool],
    show: Callable[[int, float], None],
    prune: Prune | None = None,
) -> tuple[list[Outcome], float]:
    """What became of each member of a block, trained by its program, and the seconds that this took; see `train_block`.

    Args:
        program: of the block.
        block: to train.
        prepared: of its group.
        settings: the config's `train` section.
        folder: of the block's checkpoints.
        asked: whether to stop now.
        show: takes the step and the median loss after each chunk.
        prune: which members to give up, if any.
    """
    return train_block(
        program,
        Members(block.places),
        settings,
        ("loss", *prepared.parts.hparams["terms"]),
        validation_losses(block, prepared),
        folder=folder,
        asked=asked,
        show=show,
        prune=prune,
    )


def validation_losses(block: Block, prepared: Prepared) -> Callable[[Params, float], np.ndarray]:
    """``(params, progress) -> (members,)``: the validation losses of a block's members, leaves (members, ...)."""

    def losses(params: Params, progress: float) -> np.ndarray:
        share = np.full(len(block.members), progress)
        return evaluating.losses_together(block.members, prepared, params, share)["validation/loss"]

    return losses
