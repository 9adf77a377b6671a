"""A task as tests ask it: its needs and its evaluation, with options by their names."""

import jax
import pytest

from aejax.errors import UserError


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
