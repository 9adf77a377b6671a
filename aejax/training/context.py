"""What the loss terms see of some rows: scaled, corrupted, and passed through the model."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aejax.errors import UserError, one_of
from aejax.types import Context, Hparams, Model, Range


class Rows(NamedTuple):
    """Rows on the device, as stored, and the numbers that scale them inside the step.

    Attributes:
        x: (rows, n) uint8 or float32; an array, or what hands out rows of one, as `aejax.data.sparse.SparseRows` does.
        mask: (rows, n) bool or None.
        shift: (n,) or ().
        scale: (n,) or ().
        labels: (rows,) int32 or None.
        relations: by name, what is known of each row beforehand; leaves (rows, ...).
        used: how many rows there are, where others that are never drawn stand after them (`aejax.training.members`);
            None where there are none of those.
        first: where the rows are streamed, the step of the first of the batches that `x`, (batches, batch_size, n),
            and `labels` hold; else None.
    """

    x: jax.Array
    mask: jax.Array | None
    shift: jax.Array
    scale: jax.Array
    labels: jax.Array | None = None
    relations: Mapping[str, Any] = {}
    used: jax.Array | None = None
    first: jax.Array | None = None


def scaled(rows: Rows, index: jax.Array | slice) -> tuple[jax.Array, jax.Array | None]:
    """The chosen rows as float32, (x − shift) · scale, and their mask."""
    shift, scale = jnp.atleast_2d(rows.shift), jnp.atleast_2d(rows.scale)
    x = (rows.x[index].astype(jnp.float32) - shift) * scale
    return x, None if rows.mask is None else rows.mask[index]


def one_batch(rows: Rows, step: jax.Array) -> Rows:
    """The batch of a step among those that are held of streamed rows."""
    place = step - rows.first
    return rows._replace(x=rows.x[place], labels=None if rows.labels is None else rows.labels[place])


def clean(rows: Rows, index: jax.Array) -> jax.Array:
    """The chosen rows, scaled: (k,) places -> (k, n)."""
    return scaled(rows, index)[0]


def shown(model: Model, x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """What a model gets to see of rows: NaN where a value is missing, if it takes that, else the column's mean."""
    return jnp.where(mask, x, jnp.nan) if model.takes_missing and mask is not None else x


def outline(model: Model) -> Context:
    """The shapes of what a training pass of one row puts out, and where its values lie; nothing is computed."""
    row = jax.ShapeDtypeStruct((1, prod(model.feature_shape)), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    return jax.eval_shape(model.apply, jax.eval_shape(model.init, key), row, row, key)


def context(
    model: Model,
    corrupt: Callable[..., jax.Array],
    params: Any,
    rows: Rows,
    index: jax.Array | None,
    noise: jax.Array,
    inner: jax.Array,
    own: jax.Array,
    hparams: Hparams,
    data_range: Range,
) -> Context:
    """What the loss terms see of some rows.

    Args:
        model: the autoencoder.
        corrupt: ``(key, x, **hparams["corruption"]) -> x_in``, of rows (m, *feature_shape).
        params: the model's parameters.
        rows: where the rows are taken from.
        index: (m,) which; None for all, in order.
        noise: key of the corruption.
        inner: key of the model's own randomness.
        own: key of the loss terms' randomness.
        hparams: the run's hyperparameters.
        data_range: `Dataset.range`.

    Raises:
        UserError: the model does not put out rows as wide as its input, or codes as long as it says.
    """
    chosen = slice(None) if index is None else index
    x, mask = scaled(rows, chosen)
    folded = shown(model, x, mask).reshape(-1, *model.feature_shape)  # some corruptions are of places in an image
    x_in = shown(model, corrupt(noise, folded, **hparams["corruption"]).reshape(x.shape), mask)
    ctx = model.apply(params, x, x_in, inner)
    _check_shapes(model, ctx, x)
    return ctx._replace(
        hidden=Named("ctx.hidden", ctx.hidden),
        log_odds=Named("ctx.log_odds", ctx.log_odds),
        extra=Named("ctx.extra", ctx.extra),
        ranges=Named("ctx.ranges", {**ctx.ranges, "x": data_range}),
        mask=mask,
        index=jnp.arange(x.shape[0]) if index is None else index,
        labels=None if rows.labels is None else rows.labels[chosen],
        relations=jax.tree.map(lambda leaf: leaf[chosen], dict(rows.relations)),
        encode=partial(model.encode, params),
        rows=partial(clean, rows),
        key=own,
    )


class Named(dict):
    """Arrays by name, of which one that is not there is refused with the names of those that are."""

    def __init__(self, place: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.place = place

    def __missing__(self, name: Any) -> Any:
        raise one_of(name, self, what=self.place)


jax.tree_util.register_pytree_with_keys(
    Named,
    lambda named: ([(jax.tree_util.DictKey(name), named[name]) for name in named], (named.place, tuple(named))),
    lambda form, values: Named(form[0], dict(zip(form[1], values, strict=True))),
)


def _check_shapes(model: Model, ctx: Context, x: jax.Array) -> None:
    """Refuse, when it is traced, a model of other shapes than it should have: arithmetic would spread one over all."""
    wanted = {"x_hat": x.shape, "code": (x.shape[0], model.code_size)}
    for name, shape in wanted.items():
        given = jnp.shape(getattr(ctx, name))
        if given != shape:
            raise UserError(f"model: {name} of {x.shape[0]} rows has the shape {given}; allowed: {shape}")
