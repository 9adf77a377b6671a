"""Training a config's net again: members beside runs of their own, shared and own rows, both forms, refusals."""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import config
from aejax.errors import UserError
from aejax.training import compilation, retrain
from aejax.training import step as train
from aejax.training.build import build, load_data
from aejax.training.evaluate import on_device
from aejax.types import Split

SHRUNK = ("data.name=clusters", "data.rows=60", "data.scaling=standard", "model.widths=(3,)", "model.code=2")
SHRUNK += ("model.output=linear", "terms.reconstruction.name=reconstruction.squared_error")
SHRUNK += ("train.steps=30", "train.batch_size=16", "corruption.name=gaussian", "corruption.scale=0.1")


@pytest.fixture(scope="module")
def given():
    resolved = config.load("lecture/multilayer", SHRUNK)
    return resolved, load_data(resolved["data"])


def alone(resolved, dataset, key):
    """The parameters of one member, trained by itself."""
    parts = build(resolved, dataset)
    rows = on_device(dataset.train, dataset)
    state, _ = jax.jit(lambda: train.train(parts.run, key, parts.hparams, rows, resolved["train"]["steps"]))()
    return state.params


def close(a, b):
    return jax.tree.all(jax.tree.map(lambda x, y: np.allclose(x, y, rtol=2e-4, atol=2e-5), a, b))


@pytest.mark.parametrize("big", [0, 10**9], ids=["in turn", "vmap"])
def test_members_are_runs_of_their_own_keys(given, big, monkeypatch):
    monkeypatch.setattr(retrain, "BIG_LAYER", big)
    keys = jax.random.split(jax.random.key(3), 3)
    trained = retrain.retrainer(*given)(keys)
    found = [retrain.member(trained, number) for number in range(3)]
    assert not close(found[0], found[1])
    for number, params in enumerate(found):
        assert close(params, alone(*given, keys[number]))


@pytest.mark.parametrize("big", [0, 10**9], ids=["in turn", "vmap"])
def test_members_with_data_of_their_own(given, big, monkeypatch):
    monkeypatch.setattr(retrain, "BIG_LAYER", big)
    resolved, dataset = given
    keys, own = jax.random.split(jax.random.key(0)), []
    for number in range(2):
        half = dataset.train.x[number::2][:20]
        own.append(dataset._replace(train=Split(half), shift=half.mean(0), scale=1 / half.std(0)))
    trained = retrain.retrainer(resolved, dataset)(keys, datasets=own)
    for number in range(2):
        assert close(retrain.member(trained, number), alone(resolved, own[number], keys[number]))


def test_data_sets_of_almost_equal_size_are_one_program_and_train_as_alone(given, caplog):
    resolved, dataset = given
    compilation.compiled.cache_clear()
    keys, sizes = jax.random.split(jax.random.key(0)), [(40, 37), (36, 45), (33, 33)]
    parts = lambda sizes: [dataset._replace(train=Split(dataset.train.x[:size])) for size in sizes]
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        trained = [retrain.retrainer(resolved, dataset)(keys, datasets=parts(each)) for each in sizes]
    messages = [record.getMessage() for record in caplog.records]
    assert sum("Finished XLA compilation of jit(advance)" in message for message in messages) == 1
    for number, own in enumerate(parts(sizes[0])):
        assert close(retrain.member(trained[0], number), alone(resolved, own, keys[number]))
    with pytest.raises(UserError, match="data sets have 37 to 40"):
        retrain.retrainer(resolved, dataset)(keys, {"train.batch_size": None}, parts(sizes[0]))


def test_changes_are_those_of_a_variant(given):
    resolved, dataset = given
    again = retrain.retrainer(resolved, dataset)
    keys = jax.random.split(jax.random.key(0), 1)
    trained = again(keys, {"model.code": 5, "corruption": {"name": "none"}, "train.steps": 3})
    assert trained.model.code_size == 5
    changed = config.resolve(
        resolved
        | {"model": resolved["model"] | {"code": 5}, "corruption": {"name": "none"}}
        | {"train": resolved["train"] | {"steps": 3}}
    )
    assert close(retrain.member(trained, 0), alone(changed, dataset, keys[0]))
    assert resolved["model"]["code"] == 2, "the config itself stays as it was"
    with pytest.raises(UserError, match=r"unknown 'cod'"):
        again(keys, {"model.cod": 5})


def test_a_member_that_is_not_finite_is_refused(given):
    again = retrain.retrainer(*given)
    with pytest.raises(UserError, match=r"^training stopped at step \d+: "):
        again(jax.random.split(jax.random.key(0)), {"optimizer.learning_rate": 1e30})


def test_the_same_keys_give_the_same_bits(given):
    keys = jax.random.split(jax.random.key(7), 2)
    first, second = (retrain.retrainer(*given)(keys).params for _ in range(2))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(jnp.array_equal(a, b)), first, second))
