"""The library as a researcher types it: every line of the guide's first page, and what it refuses."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from running import call

import aejax
from aejax import config, losses, models
from aejax.config import components
from aejax.data import corrupt
from aejax.errors import UserError
from aejax.training.step import train

X = np.random.default_rng(0).normal(size=(90, 6)) @ np.random.default_rng(1).normal(size=(6, 6))


@pytest.fixture(scope="module")
def data():
    return aejax.data.from_arrays(X)


@pytest.fixture(scope="module")
def model(data):
    return models.multilayer(data.feature_shape, widths=(5,), code=2, output="linear")


@pytest.fixture(scope="module")
def loss():
    return losses.compose(reconstruction=losses.squared_error(), sparsity=0.3 * losses.l1())


@pytest.fixture(scope="module")
def fitted(model, loss, data):
    return aejax.fit(model, loss, data, optimizer=optax.adam(1e-3), steps=40, batch_size=16, key=jax.random.key(0))


def equal(a, b):
    return all(bool((x == y).all()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


def test_a_bare_term_is_a_loss(model, data):
    terms = losses.squared_error(), losses.squared_error, losses.compose(reconstruction=losses.squared_error)
    fits = [aejax.fit(model, term, data, steps=3) for term in terms]
    assert all(equal(fits[0].params, each.params) for each in fits)
    assert "train_reconstruction" in fits[0].history


def test_what_is_made_is_written_in_one_line(model, data):
    assert repr(
        data
    ) == "<Dataset 'arrays': 65 training, 7 validation, 18 test rows of shape (6,), scaling 'unit', " + (
        "values in [0, 1]>"
    )
    assert repr(model).startswith("<Model dense.multilayer(widths=(5,), code=2, output='linear'): rows of shape (6,)")
    assert len(repr(model)) < 120


def test_x_alone_is_enough():
    fitted = aejax.fit(X, steps=20)
    assert fitted.encode(X).shape == (90, 2)
    assert fitted.reconstruct(X).shape == X.shape
    assert "parameters" in repr(fitted)


def test_a_trained_net_encodes_decodes_and_measures(fitted, model, data):
    codes = fitted.encode(X[:7])
    assert codes.shape == (7, 2)
    np.testing.assert_allclose(fitted.decode(codes), fitted.reconstruct(X[:7]), rtol=1e-5, atol=1e-5)
    scaled = (X[:7].astype(np.float32) - data.shift) * data.scale
    np.testing.assert_allclose(codes, model.encode(fitted.params, scaled), rtol=1e-5, atol=1e-6)
    measured = fitted.loss(X)
    assert measured["loss"] == pytest.approx(measured["reconstruction"] + 0.3 * measured["sparsity"], rel=1e-5)
    assert list(fitted.history["step"]) == [10, 20, 30, 40]
    assert {"train_loss", "train_sparsity", "validation_loss", "validation_mse"} <= set(fitted.history)


def test_the_same_arguments_give_the_same_bits_and_another_key_others(fitted, model, loss, data):
    again = aejax.fit(model, loss, data, optimizer=optax.adam(1e-3), steps=40, batch_size=16)
    other = aejax.fit(model, loss, data, optimizer=optax.adam(1e-3), steps=40, batch_size=16, key=jax.random.key(1))
    assert equal(fitted.params, again.params)
    assert not equal(fitted.params, other.params)


@pytest.mark.parametrize(
    "optimizer",
    [
        {"name": "muon", "learning_rate": 1e-2},
        {"name": "sgd", "learning_rate": 0.1, "schedule": {"name": "cosine"}},
        optax.chain(optax.clip(1.0), optax.lion(1e-3)),
        optax.MultiSteps(optax.adam(1e-3), 2),
    ],
    ids=["muon", "component", "chain", "accumulated"],
)
def test_any_optimiser_trains(optimizer, model, loss, data):
    fitted = aejax.fit(model, loss, data, optimizer=optimizer, steps=12, batch_size=16)
    assert np.isfinite(fitted.history["train_loss"]).all()


def test_callbacks_see_every_chunk_and_every_evaluation(model, loss, data):
    steps, seen = [], []
    chunk = lambda step, history, seconds: steps.append((step, len(history["loss"]), seconds > 0))
    evaluation = lambda step, metrics, params: seen.append((step, metrics["train_loss"], jax.tree.structure(params)))
    fitted = aejax.fit(
        model, loss, data, steps=30, batch_size=16, evaluate_every=15, on_chunk=chunk, on_evaluation=evaluation
    )
    assert sum(count for _, count, _ in steps) == 30
    assert [step for step, *_ in seen] == [15, 30]
    assert [value for _, value, _ in seen] == list(fitted.history["train_loss"])
    assert seen[0][2] == jax.tree.structure(fitted.params)


def test_corruption_patience_and_averages(model, loss, data):
    noise = functools.partial(corrupt.gaussian, scale=0.1)
    fitted = aejax.fit(model, loss, data, corruption=noise, steps=30, batch_size=16, patience=1, evaluate_every=10)
    plain = aejax.fit(model, loss, data, steps=30, batch_size=16)
    averaged = aejax.fit(model, loss, data, steps=30, batch_size=16, average=0.9)
    assert not equal(fitted.params, plain.params)
    assert not equal(averaged.params, plain.params)


def test_batches_of_any_iterator(model, loss):
    random = np.random.default_rng(0)
    fitted = aejax.fit(model, loss, (random.normal(size=(16, 6)) for _ in range(100)), steps=25)
    assert np.isfinite(fitted.history["train_loss"]).all()
    with pytest.raises(UserError, match="ended after 3 batches"):
        aejax.fit(model, loss, (random.normal(size=(16, 6)) for _ in range(3)), steps=25)


def test_a_net_is_saved_and_opened(fitted, tmp_path, capsys):
    folder = fitted.save(tmp_path / "net")
    opened = aejax.open(folder)
    assert equal(opened.params, fitted.params)
    assert (opened.encode(X) == fitted.encode(X)).all()
    assert list(opened.history["step"]) == list(fitted.history["step"])
    assert equal(aejax.open(opened.save(tmp_path / "again")).params, fitted.params)
    np.save(tmp_path / "x.npy", X)
    words = ["apply", str(folder), "encode", "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "code.npy")]
    assert call(words, capsys).code == 0
    np.testing.assert_allclose(np.load(tmp_path / "code.npy"), fitted.encode(X), rtol=1e-5, atol=1e-6)
    with pytest.raises(UserError, match="is not empty"):
        fitted.save(folder)


def test_a_net_of_ones_own_is_opened_with_its_model(fitted, model, tmp_path):
    twice = model._replace(encode=lambda params, x: 2 * model.encode(params, x))
    folder = dataclasses.replace(fitted, model=twice).save(tmp_path / "net")
    with pytest.raises(UserError, match="made in Python"):
        aejax.open(folder)
    assert (aejax.open(folder, model=twice).encode(X) == 2 * fitted.encode(X)).all()


@pytest.mark.parametrize("name", components.available("aejax.models"))
def test_the_models_of_every_constructor_say_how_they_were_made(name):
    shape, function = (8, 8, 1), components.resolve(name, "aejax.models", what="model")
    made = function(shape)
    model, told, arguments = made.made
    assert (model, told, arguments) == (made._replace(made=None), name, ())
    assert hash(made) == hash(made)


def test_a_fit_with_a_folder_reads_what_is_done_and_refuses_other_numbers(model, loss, data, tmp_path, capsys):
    fit = functools.partial(aejax.fit, model, loss, data, steps=20, batch_size=16, evaluate_every=5, folder=tmp_path)
    fitted, seen = fit(), []
    again = fit(on_chunk=lambda *chunk: seen.append(chunk))
    assert equal(fitted.params, again.params)
    assert seen == []
    for name, values in fitted.history.items():
        np.testing.assert_allclose(again.history[name], values, rtol=1e-7)
    assert equal(aejax.open(tmp_path).params, fitted.params)
    assert equal(fitted.params, fit(folder=None).params)
    for changes, line in (
        ({"steps": 30}, r"settings\.steps: 20 -> 30\); allowed: the same config, or another folder"),
        ({"key": jax.random.key(1)}, r"key: .*0, 0.* -> .*0, 1"),
        ({"optimizer": {"name": "adam", "learning_rate": 0.5}}, r"optimizer\.learning_rate: "),
    ):
        with pytest.raises(UserError, match=line):
            fit(**changes)
    with pytest.raises(UserError, match="has changed since this run began"):
        aejax.fit(model, loss, X + 1, steps=20, batch_size=16, evaluate_every=5, folder=tmp_path)
    with pytest.raises(UserError, match="used once"):
        aejax.fit(model, loss, iter([X[:16]]), steps=20, folder=tmp_path / "other")


def test_a_config_runs_from_python(tmp_path):
    changes = {"data.name": "clusters", "data.rows": 60, "model.widths": (3,), "model.code": 2, "batch_size": 16}
    changes |= {"steps": 4, "figures": False}
    run = aejax.run("lecture/multilayer", tmp_path / "run", **changes)
    assert run.summary["metrics"]["test"]["mse"] > 0
    assert equal(aejax.open(tmp_path / "run").params, run.params)
    base = config.base()
    base.train.steps, base.report.figures = 4, False
    other = aejax.run(base, tmp_path / "other", **{"data.name": "clusters", "data.rows": 60, "batch_size": 16})
    assert other.encode(np.zeros((2, 8))).shape == (2, 8)
    with pytest.raises(UserError, match="name: may be"):
        aejax.run("lecture/multilayer", name="other")
    with pytest.raises(UserError, match=r"stps: is no field of the config \(did you mean 'steps'"):
        aejax.run("lecture/multilayer", stps=3)


def test_a_sweep_has_the_table_of_the_command_and_nets_like_fits(model, data):
    loss = losses.compose(reconstruction=losses.squared_error(), sparsity=losses.l1())
    axes = {"sparsity.weight": jnp.array([0.1, 0.5]), "optimizer.learning_rate": [1e-3, 1e-2]}
    nets = aejax.sweep(model, loss, data, axes=axes, seeds=range(2), steps=20, batch_size=16)
    assert len(nets.rows) == 8
    assert list(nets.rows[0])[:4] == ["run", "sparsity.weight", "optimizer.learning_rate", "seed"]
    assert {row["status"] for row in nets.rows} == {"finished"}
    row = nets.rows[5]
    alone = aejax.fit(
        model,
        losses.compose(reconstruction=losses.squared_error(), sparsity=row["sparsity.weight"] * losses.l1()),
        data,
        optimizer={"name": "adam", "learning_rate": row["optimizer.learning_rate"]},
        steps=20,
        batch_size=16,
        key=jax.random.key(row["seed"]),
    )
    for a, b in zip(jax.tree.leaves(alone.params), jax.tree.leaves(nets.fitted(5).params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert row["validation/mse"] == pytest.approx(alone.history["validation_mse"][-1], rel=1e-4)
    assert nets.best().encode(X).shape == (90, 2)


def test_train_is_vmapped_by_hand(model, loss, data):
    settings = aejax.runs.fit.settings_of(data, 5, 16, None, None)
    parts = aejax.runs.fit.parts_of(model, loss, data, optax.adam(1e-3), corrupt.none, settings)
    rows = aejax.training.evaluate.on_device(data.train, data)
    keys = jax.vmap(jax.random.key)(jnp.arange(3))
    one = lambda key: train(parts.run, key, parts.hparams, rows, 5)
    states, history = jax.jit(jax.vmap(one))(keys)
    assert history["loss"].shape == (3, 5)
    assert jax.tree.leaves(states.params)[0].shape[0] == 3


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda m, w, d: aejax.fit(m, w, d, steps=0), r"^steps: expected int >= 1, got 0"),
        (lambda m, w, d: aejax.fit(m, w, X[:, :3]), r"^model: takes rows of shape \(6,\), and the data have \(3,\)"),
        (lambda m, w, d: aejax.fit("net", w, d), r"^model: expected an aejax Model, got 'net'"),
        (
            lambda m, w, d: aejax.fit(m, "mse", d),
            r"^loss: expected a loss.*; allowed: such as aejax.losses.squared_error",
        ),
        (lambda m, w, d: aejax.fit(m, w), r"^fit: there are no data"),
        (
            lambda m, w, d: aejax.fit(m, losses.compose(a=lambda c: c.x.mean(1)), d),
            r"^a: the loss term returned the shape",
        ),
        (lambda m, w, d: aejax.fit(m, w, d, optimizer=optax.adam), r"^optimizer: optax.adam was not called; allowed: "),
        (lambda m, w, d: aejax.fit(m, w, d, optimizer=1e-3), r"^optimizer: got 0.001; allowed: an optax.Gradient"),
        (lambda m, w, d: aejax.fit(m, w, d, average=2.0), r"^average: expected float .* got 2.0"),
        (lambda m, w, d: aejax.fit(m, w, d, outside="cut"), r"^outside: "),
        (lambda m, w, d: aejax.fit(m, w, d, on_chunk="show"), r"^on_chunk: expected a function, got 'show'"),
        (lambda m, w, d: aejax.fit(m, w, d, corruption=0.1), r"^corruption: expected a function, got 0.1"),
        (lambda m, w, d: aejax.fit(m, w, d, folder=3), r"^folder: expected a path, got 3"),
        (
            lambda m, w, d: aejax.fit(m, w, d, folder="/dev/null/net"),
            r"^/dev/null/net: .*; allowed: a folder that can be",
        ),
        (
            lambda m, w, d: aejax.fit(m, w, iter([["a"] * 6] * 9)),
            r"^data: a batch of the iterator is no array of numbers",
        ),
        (
            lambda m, w, d: aejax.sweep(m, w, d, axes={"optimizer.learning_rate": [1.0]}, optimizer=optax.adam(1e-3)),
            r"^axis optimizer.learning_rate: the numbers of an optax optimizer cannot be swept",
        ),
        (
            lambda m, w, d: models.from_nnx(nnx.Linear(6, 6, rngs=nnx.Rngs(0)), feature_shape=(6,)),
            r"^from_nnx: got a Linear; allowed: a class or function of rngs",
        ),
        (
            lambda m, w, d: models.from_nnx(lambda rngs: nnx.Linear(6, 6, rngs=rngs), feature_shape=(6,)),
            r"^from_nnx: Linear has no method encode",
        ),
        (lambda m, w, d: aejax.fit(), r"^fit: there are no data"),
        (lambda m, w, d: aejax.fit(m, w, d, key=0), r"^key: expected one typed key of JAX, got 0; allowed: such as"),
        (lambda m, w, d: aejax.fit(m, w, d, key=jax.random.split(jax.random.key(0))), r"^key: .*array \(2,\) of key"),
        (lambda m, w, d: models.multilayer(6), r"^feature_shape: expected the shape of a row, got 6"),
        (lambda m, w, d: models.multilayer((6,), widths=4), r"^model.widths: expected tuple of int .*, got 4"),
        (lambda m, w, d: models.multilayer((6,), code=0), r"^model.code: expected int .*, got 0"),
        (lambda m, w, d: models.multilayer((6,), width=(4,)), r"^model: unknown 'width' \(did you mean 'widths'"),
        (
            lambda m, w, d: aejax.fit(m, w, aejax.data.from_arrays(X, validation=0), patience=2),
            r"^patience: there are no",
        ),
        (lambda m, w, d: aejax.sweep(m, w, d, axes={"sparsity.wight": [1.0]}), r"did you mean 'weight'"),
        (lambda m, w, d: aejax.sweep(m, w, d, axes={"spars.weight": [1.0]}), r"did you mean 'sparsity'"),
        (lambda m, w, d: aejax.open("/nowhere"), r"^/nowhere: is no folder of a run"),
    ],
)
def test_mistakes_are_told_in_one_line(call, line, model, loss, data):
    with pytest.raises(UserError, match=line) as refused:
        call(model, loss, data)
    assert "\n" not in str(refused.value)


def test_the_table_of_contents():
    assert {"fit", "run", "open", "sweep", "summary", "models", "losses", "data"} <= set(dir(aejax))
    assert {"multilayer", "convolutional", "from_functions", "from_linen", "from_nnx"} <= set(dir(models))
    assert callable(aejax.sweep)


def test_rows_with_holes_go_where_training_had_some():
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    x[::7, 1] = np.nan
    fitted = aejax.fit(models.multilayer((4,), widths=(), code=2, output="linear"), data=x, steps=5)
    whole = np.where(np.isnan(x), fitted.data.means, x)
    np.testing.assert_array_equal(fitted.encode(x), fitted.encode(whole))
    assert np.isfinite(fitted.loss(x)["loss"])
    without = aejax.fit(models.multilayer((4,), widths=(), code=2, output="linear"), data=whole, steps=5)
    with pytest.raises(UserError, match="has missing values, and this net takes none"):
        without.encode(x)
