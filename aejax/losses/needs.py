"""What terms need of a context, refused in one line where it is not there."""

import jax

from aejax.errors import UserError, one_of
from aejax.types import Context


def activations(ctx: Context, layer: str) -> jax.Array:
    """The named activation as (m, units); every place and channel of a convolutional layer is a unit.

    Raises:
        UserError: the model has no layer of that name; the line lists those it has.
    """
    if layer not in ctx.hidden:
        raise one_of(layer, ctx.hidden, what="layer of a loss term")
    values = ctx.hidden[layer]
    return values.reshape(values.shape[0], -1)


def shares(ctx: Context, layer: str, term: str, allowed: str = "such as the code of binary.noisy") -> jax.Array:
    """`activations`, of a layer in [0, 1].

    Raises:
        UserError: they lie elsewhere.
    """
    values = activations(ctx, layer)
    if not ctx.ranges[layer].within(0.0, 1.0):
        raise UserError(
            f"{term}: layer {layer!r} has activations in {ctx.ranges[layer]}; allowed: a layer in [0, 1], {allowed}"
        )
    return values


def extra(ctx: Context, name: str, term: str, lack: str, allowed: str) -> jax.Array:
    """What a family of models adds to the context.

    Raises:
        UserError: the model is of another family.
    """
    if name not in ctx.extra:
        raise UserError(f"{term}: the model {lack}; allowed: model.name={allowed}")
    return ctx.extra[name]


def gaussian(ctx: Context, term: str) -> tuple[jax.Array, jax.Array]:
    """The mean and the log-variance of the code of a variational net, (m, d) each.

    Raises:
        UserError: the model is none.
    """
    allowed = "variational.dense, variational.convolutional or vamp.dense"
    log_variance = extra(ctx, "log_variance", term, "is not variational", allowed)
    return ctx.extra["mean"], log_variance


def relation(ctx: Context, name: str, part: str, term: str, lack: str) -> jax.Array:
    """A part of a relation between the rows.

    Raises:
        UserError: the config has no such relation, or it holds something else.
    """
    if name not in ctx.relations:
        raise one_of(name, ctx.relations, what=f"{term}: relation")
    if part not in ctx.relations[name]:
        raise UserError(f"{term}: relation {name!r} holds no {lack}")
    return ctx.relations[name][part]
