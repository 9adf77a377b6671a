"""Loss terms as pure functions `(ctx, *, hyperparameters) -> scalar`, and how they add up.

A term is named by its import path: `"sparsity.l1"` inside this package, any `"package.module.function"`
outside it. There is no registry to edit.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from aejax.types import Context

Term = Callable[..., jax.Array]


def compose(
    terms: Mapping[str, Term], schedules: Mapping[str, Callable[..., jax.Array]] | None = None
) -> Callable[..., tuple[jax.Array, dict[str, jax.Array]]]:
    """The weighted sum of named terms: total = Σ_t weight_t · schedule_t(progress) · term_t(ctx).

    Args:
        terms: name of each term -> function of a `Context` and keyword hyperparameters.
        schedules: name of a term -> factor of its weight as a function of the share of the run that is done.

    Returns:
        ``total(ctx, hparams, progress=0.0) -> (weighted sum, {name: unweighted value})``. ``hparams[name]``
        holds the term's ``weight``, its own hyperparameters, and, where it has a schedule, those of the
        schedule under ``schedule``.
    """
    schedules = dict(schedules or {})

    def total(
        ctx: Context, hparams: Mapping[str, Mapping[str, Any]], progress: jax.Array | float = 0.0
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        loss, values = jnp.float32(0.0), {}
        for number, (name, term) in enumerate(terms.items()):
            own = {key: value for key, value in hparams[name].items() if key not in ("weight", "schedule")}
            key = None if ctx.key is None else jax.random.fold_in(ctx.key, number)  # no two terms draw the same
            values[name] = term(ctx._replace(key=key), **own)
            weight = hparams[name]["weight"]
            if name in schedules:
                weight = weight * schedules[name](progress, **hparams[name].get("schedule", {}))
            loss = loss + weight * values[name]
        return loss, values

    return total
