"""What the loss terms see of some rows: scaled, corrupted, and passed through the model."""

from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from aejax.errors import UserError, one_of
from aejax.types import Context, Model, Params, Range, Rows


def scaled(rows: Rows, index: jax.Array | slice) -> tuple[jax.Array, jax.Array | None]:
    """The chosen rows as float32, (x − shift) · scale, and their mask."""
    shift, scale = jnp.atleast_2d(rows.shift), jnp.atleast_2d(rows.scale)
    x = (rows.x[index].astype(jnp.float32) - shift) * scale
    return x, None if rows.mask is None else rows.mask[index]


def clean(rows: Rows, index: jax.Array) -> jax.Array:
    """The chosen rows, scaled: (k,) places -> (k, n)."""
    return scaled(rows, index)[0]


def shown(model: Model, x: jax.Array, mask: jax.Array | None) -> jax.Array:
    """What a model gets to see of rows: NaN where a value is missing, if it takes that, else the column's mean."""
    return jnp.where(mask, x, jnp.nan) if model.takes_missing and mask is not None else x


def outline(model: Model) -> Context:
    """The shapes of what a training pass of one row puts out, and where its values lie; nothing is computed."""
    row = lambda shape: jax.ShapeDtypeStruct((1, prod(shape)), jnp.float32)
    key, target_shape = jax.eval_shape(lambda: jax.random.key(0)), model.target_shape or model.feature_shape
    params = jax.eval_shape(model.init, key)
    return jax.eval_shape(model.apply, params, row(target_shape), row(model.feature_shape), key)


Corruption = Callable[..., jax.Array | tuple[jax.Array, jax.Array]]
"""``(key, x, **hyperparameters) -> x_in``, of rows (m, *feature_shape); an augmentation returns ``(x, x_in)``."""
Objective = Callable[..., tuple[jax.Array, dict[str, jax.Array]]]
"""``(ctx, hyperparameters of the terms, progress) -> (loss, {term: value})``."""


class Forward(NamedTuple):
    """What turns rows into a context, the same for a whole run.

    Attributes:
        model: the autoencoder.
        corrupt: a `Corruption`.
        data_range: `Dataset.range`.
    """

    model: Model
    corrupt: Corruption
    data_range: Range


class Keys(NamedTuple):
    """The randomness of one training pass: of the corruption, of the model, and of the loss terms."""

    corruption: jax.Array
    model: jax.Array
    terms: jax.Array


class Batch(NamedTuple):
    """The rows of one training pass, scaled; the fields are those of `Context`.

    Where `target`, (m, t), is not None, it is what is to be reconstructed, and x is only what the model sees.
    """

    x: jax.Array
    mask: jax.Array | None = None
    target: jax.Array | None = None
    index: jax.Array | None = None
    labels: jax.Array | None = None
    relations: Mapping[str, Any] = {}
    rows: Callable[[jax.Array], jax.Array] | None = None


def batch_of(rows: Rows, index: jax.Array | None) -> Batch:
    """The rows at the places `index`, (m,); all of them, in order, for None."""
    chosen = slice(None) if index is None else index
    x, mask = scaled(rows, chosen)
    parts = {"target": rows.target, "labels": rows.labels, "relations": dict(rows.relations)}
    if index is None:
        index = jnp.arange(x.shape[0])
    return Batch(x, mask, index=index, rows=partial(clean, rows), **jax.tree.map(lambda leaf: leaf[chosen], parts))


def streamed_batch(rows: Rows, step: jax.Array) -> Batch:
    """The batch of a step among those that are held of streamed rows, which have no places."""
    number = step - rows.first
    held = rows._replace(x=rows.x[number], labels=None if rows.labels is None else rows.labels[number])
    return batch_of(held, None)._replace(index=None, rows=None)


def context(
    forward: Forward,
    params: Params,
    batch: Batch,
    keys: Keys,
    corruption: Mapping[str, jax.Array],
    progress: jax.Array | float = 0.0,
) -> Context:
    """What the loss terms see of some rows.

    Args:
        forward: the model and what its input goes through.
        params: the model's parameters.
        batch: the rows.
        keys: of this pass.
        corruption: the hyperparameters of ``forward.corrupt``.
        progress: the share of the run that is done.

    Raises:
        UserError: the model does not put out rows as wide as its target, or codes as long as it says.
    """
    model, x, target = forward.model, batch.x, batch.x if batch.target is None else batch.target
    folded = shown(model, x, batch.mask).reshape(-1, *model.feature_shape)  # some corruptions are of places in an image
    x_in = forward.corrupt(keys.corruption, folded, **corruption)
    if isinstance(x_in, tuple):
        if batch.target is not None or batch.mask is not None:
            raise UserError("corruption.name: an augmentation needs whole images that are their own target")
        target, x_in = x_in[0].reshape(x.shape), x_in[1]
    x_in = shown(model, x_in.reshape(x.shape), batch.mask)

    def again(key: jax.Array, params: Params = params) -> Context:
        ctx = model.apply(params, target, x_in, key)
        _check_shapes(model, ctx, target)
        return ctx._replace(
            hidden=Named("ctx.hidden", ctx.hidden),
            log_odds=Named("ctx.log_odds", ctx.log_odds),
            extra=Named("ctx.extra", ctx.extra),
            ranges=Named("ctx.ranges", {**ctx.ranges, "x": forward.data_range}),
            mask=batch.mask if batch.target is None else None,
            index=batch.index,
            labels=batch.labels,
            relations=batch.relations,
            progress=progress,
        )

    return again(keys.model)._replace(
        encode=partial(model.encode, params),
        decode=partial(model.decode, params),
        again=again,
        rows=batch.rows,
        key=keys.terms,
    )


class Named(dict):
    """Arrays by name, of which one that is not there is refused with the names of those that are."""

    def __init__(self, field: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.field = field

    def __missing__(self, name: Any) -> Any:
        raise one_of(name, self, what=self.field)


jax.tree_util.register_pytree_with_keys(
    Named,
    lambda named: ([(jax.tree_util.DictKey(name), named[name]) for name in named], (named.field, tuple(named))),
    lambda form, values: Named(form[0], dict(zip(form[1], values, strict=True))),
)


def _check_shapes(model: Model, ctx: Context, x: jax.Array) -> None:
    """Refuse, when it is traced, a model of other shapes than it should have: arithmetic would spread one over all."""
    for name, allowed in {"x_hat": x.shape, "code": (x.shape[0], model.code_size)}.items():
        shape = jnp.shape(getattr(ctx, name))
        if shape != allowed:
            raise UserError(f"model: {name} of {x.shape[0]} rows has the shape {shape}; allowed: {allowed}")
