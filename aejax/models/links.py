"""Outputs of a net as values of the columns of a table: a number, a probability, or probabilities that sum to 1."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from aejax.errors import UserError
from aejax.types import Column, Context, Model, Params, Range


def mixed(model: Model, columns: tuple[Column, ...]) -> Model:
    """A model of a table with categories: its linear outputs z become x̂ by the kind of each column.

    x̂ = z of a number, σ(z) of two categories, softmax(z) of more; z is left in ``extra["natural"]``. A row loses a
    category where the corruption hid the first of its features, and keeps all of them elsewhere.

    Args:
        model: whose outputs are linear.
        columns: of the data.

    Returns:
        The model; itself where there are no columns of categories, or they are not what it reconstructs.
    """
    if not columns or model.target_shape is not None:
        return model

    def apply(params: Params, x: jax.Array, x_in: jax.Array, key: jax.Array) -> Context:
        ctx = model.apply(params, x, whole(columns, x, x_in) if model.takes_missing else x_in, key)
        if ctx.ranges["x_hat"] != Range():
            raise UserError("model.output: a table with categories needs the outputs as they are; allowed: linear")
        extra = {**ctx.extra, "natural": ctx.x_hat}
        return ctx._replace(x_hat=link(columns, ctx.x_hat), extra=extra, columns=columns)

    decode = lambda params, code: link(columns, model.decode(params, code))
    return model._replace(decode=decode, apply=apply)


def link(columns: Sequence[Column], z: jax.Array) -> jax.Array:
    """z of each feature as a value of its column: (m, n) -> (m, n)."""
    parts = []
    for column in columns:
        own = z[:, column.start : column.start + column.size]
        if column.categories:
            own = jax.nn.softmax(own) if column.size > 1 else jax.nn.sigmoid(own)
        parts.append(own)
    return jnp.concatenate(parts, axis=1)


def whole(columns: Sequence[Column], x: jax.Array, x_in: jax.Array) -> jax.Array:
    """The corrupted rows with every category of three or more either hidden or as it was: (m, n)."""
    parts = []
    for column in columns:
        part = slice(column.start, column.start + column.size)
        own = x_in[:, part]
        parts.append(own if column.size == 1 else jnp.where(jnp.isnan(own[:, :1]), jnp.nan, x[:, part]))
    return jnp.concatenate(parts, axis=1)
