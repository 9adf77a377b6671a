"""A task as tests ask it: its needs and its evaluation, with options by their names."""

from itertools import pairwise

import jax
import numpy as np
import pytest

from aejax.errors import UserError
from aejax.types import Dataset, Range, Split


def dataset(x, ends, *, name="rows", kind="table", names=("a", "b"), **columns):
    """Rows as they are, and what else is known of them, cut at `ends` into training, validation and test rows."""
    part = lambda a, b: {key: None if values is None else values[a:b] for key, values in columns.items()}
    splits = [Split(x[a:b], **part(a, b)) for a, b in pairwise((0, *ends))]
    one = np.float32(1)
    return Dataset(name, *splits, x.shape[1:], kind, Range(), 0 * one, one, names, (), "", "")


def start(model, seed=0, count=None):
    """What a net begins with, compiled, as op by op it takes seconds; of `count` nets, leaves (count, ...)."""
    key = jax.random.key(seed)
    return jax.jit(jax.vmap(model.init))(jax.random.split(key, count)) if count else jax.jit(model.init)(key)


def needs(module, dataset, model=None, config=None, **options):
    """Raise what the task of a module refuses."""
    module.TASK.needs(dataset, model, config, module.Options(**options))


def refused(module, message, dataset, model=None, config=None, **options):
    """Hold the task of a module to refusing something in one line."""
    with pytest.raises(UserError, match=message) as caught:
        needs(module, dataset, model, config, **options)
    assert "\n" not in str(caught.value)


def evaluate(module, key, model, params, dataset, retrain=None, **options):
    """What the task of a module finds."""
    return module.TASK.evaluate(key, model, params, dataset, retrain, module.Options(**options))
