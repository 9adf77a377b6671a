"""Many runs as one program: vmap or map over them, frozen members, and rows padded so that programs are shared.

A padded row is never drawn: the sampler of batches knows how many rows there are as a number that the program takes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.sparse import is_sparse
from aejax.errors import UserError
from aejax.training.loop import CAPACITY, GOING_ON
from aejax.types import Hparams, Rows, Run, State

BIG_LAYER = 20_000
"""Parameters above which a batch fills a processor core by itself: members take turns, and full optimisation pays."""
FEWEST = 64
MOST = 20_000
"""Rows above which a table is not padded: copying it costs more than compiling for it."""


def likely_form(parameters: int) -> str:
    """The faster form of a program over members, from the size of a model: ``"vmap"`` or ``"map"``."""
    return "map" if jax.default_backend() == "cpu" and parameters > BIG_LAYER else "vmap"


def likely_level(parameters: int) -> int | None:
    """How much such a program is optimised: the `level` of `aejax.training.compilation.quick_compile`."""
    return None if parameters > BIG_LAYER else 1


def over_members(function: Callable[..., Any], form: str, own: Sequence[bool]) -> Callable[..., Any]:
    """A function of one member as one of M members.

    Args:
        function: its arguments are trees of arrays.
        form: ``"vmap"``, all at once, or ``"map"``, one after the other.
        own: of each argument, whether each member has another, leaves (M, ...), or all share one.
    """
    if form == "vmap":
        return jax.vmap(function, in_axes=tuple(0 if each else None for each in own))

    def in_turn(*arguments: Any) -> Any:
        def one(part: tuple[Any, ...]) -> Any:
            parts = iter(part)
            return function(*(next(parts) if each else a for each, a in zip(own, arguments, strict=True)))

        return jax.lax.map(one, tuple(a for each, a in zip(own, arguments, strict=True) if each))

    return in_turn


class Carry(NamedTuple):
    """What the next step of a member needs that may be frozen.

    Attributes:
        params: of the model.
        opt_state: of the optimiser.
        stopped: the step that it was frozen at; `GOING_ON` while it is not.
    """

    params: Any
    opt_state: Any
    stopped: jax.Array


def advance_member(
    run: Run, carry: Carry, step: jax.Array, key: jax.Array, hparams: Hparams, rows: Rows, n: jax.Array
) -> tuple[Carry, dict[str, jax.Array]]:
    """Up to n steps of one member, which is frozen before the first that is not finite.

    A step is not finite if its loss, a term of it, or a parameter after it is not; it is then undone, and the member's
    `stopped` names it. The counter of steps is no part of the carry: it is the same for all members, so that they draw
    the same batches and these are gathered once.
    """
    one = lambda params, opt_state, i: run.advance(State(params, opt_state, step + i), key, hparams, rows, 1)
    record = jax.eval_shape(one, carry.params, carry.opt_state, jnp.int32(0))[1]

    def body(i: jax.Array, inner: tuple[Carry, dict[str, jax.Array]]) -> tuple[Carry, dict[str, jax.Array]]:
        (params, opt_state, stopped), history = inner
        new, values = one(params, opt_state, i)
        history = {name: history[name].at[i].set(value[0]) for name, value in values.items()}
        # 0·v is 0 where v is finite and nan elsewhere, and unlike v the sum of it cannot overflow.
        trace = sum((0 * leaf).sum() for leaf in jax.tree.leaves((values, new.params)))
        going_on = stopped == GOING_ON
        keep = going_on & jnp.isfinite(trace)
        pick = partial(jax.tree.map, partial(jnp.where, keep))
        stopped = jnp.where(going_on & ~keep, step + i, stopped)
        return Carry(pick(new.params, params), pick(new.opt_state, opt_state), stopped), history

    empty = {name: jnp.zeros((CAPACITY,), leaf.dtype) for name, leaf in record.items()}
    return jax.lax.fori_loop(0, n, body, (carry, empty))


def padded_size(count: int) -> int:
    """The next of 64, 96, 128, 192, …: powers of two and what lies in the middle between two of them."""
    power = 1 << (max(count, FEWEST) - 1).bit_length()
    return power * 3 // 4 if max(count, FEWEST) <= power * 3 // 4 else power


def pad(rows: Rows, size: int) -> Rows:
    """Rows with zeros after them, `size` in all, that know how many they are."""
    count = rows.x.shape[0]
    # by NumPy, for which nothing is compiled
    longer = lambda leaf: jnp.asarray(np.pad(np.asarray(leaf), [(0, size - count), *[(0, 0)] * (leaf.ndim - 1)]))
    padded = jax.tree.map(
        longer, {name: getattr(rows, name) for name in ("x", "mask", "labels", "relations", "target")}
    )
    ends = None if rows.ends is None else jnp.pad(rows.ends, (0, size - count), constant_values=jnp.inf)
    return rows._replace(**padded, used=jnp.int32(count), ends=ends)


def few_shapes(rows: Rows, batch_size: int | None) -> Rows:
    """Rows padded to the next of the few sizes; as they are where a step takes all, or they are many, or sparse."""
    count = rows.x.shape[0]
    return rows if batch_size is None or count > MOST or is_sparse(rows.x) else pad(rows, padded_size(count))


def stacked(parts: Sequence[Rows], batch_size: int | None) -> Rows:
    """Rows of several data sets as one, leaves (data sets, rows, ...), padded so that all have the same number.

    Args:
        parts: the rows of each.
        batch_size: rows in a step; None for all of them.

    Raises:
        UserError: a step takes all rows, and the data sets have different numbers of them.
    """
    counts = [part.x.shape[0] for part in parts]
    most = max(counts)
    if batch_size is None and min(counts) < most:
        raise UserError(
            f"train.batch_size: none, so a step takes all rows, and the data sets have {min(counts)} to {most}; "
            "allowed: a batch size, or equally many rows"
        )
    if batch_size is not None and not is_sparse(parts[0].x):
        size = padded_size(most) if most <= MOST else most
        parts = [pad(part, size) for part in parts]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *parts)
