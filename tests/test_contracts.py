"""The contracts of a model and its context, by a tiny family: chunks, runs, kills, sweeps, devices and tasks."""

import json
import shutil
import signal
import subprocess
import time
from functools import cache, partial
from pathlib import Path

import family
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from modelling import numbers, run_of
from running import assert_refused, begin, call, command, digest, execute, table, virtual

from aejax import config as configs
from aejax import data
from aejax.errors import UserError
from aejax.losses import reconstruction
from aejax.storage import checkpoint
from aejax.training import step as training
from aejax.training.build import build, build_model, check
from aejax.training.context import Rows
from aejax.training.evaluate import encode_and_reconstruct, make_losses, on_device, target_range
from aejax.training.loop import compile_advance
from aejax.training.retrain import retrainer

X = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
ROWS = Rows(jnp.asarray(X), None, jnp.float32(0), jnp.float32(1))
HPARAMS = numbers({"reconstruction": 1.0, "bound": 0.5}, {"learning_rate": 0.05, "weight_decay": 0.1})


def a_run(model=None, **changes):
    """Eight steps of the family, by Adam with weight decay."""
    terms = {"reconstruction": reconstruction.squared_error, "bound": family.bound}
    return run_of(family.linear((5,)) if model is None else model, terms, **{"steps": 8, "batch_size": 6} | changes)


@cache
def trained(steps=8, seed=0, **changes):
    run = a_run(**changes)
    whole = jax.jit(partial(training.train, run, steps=steps))
    return jax.device_get(whole(jax.random.key(seed), HPARAMS, ROWS))


def assert_equal(found, expected):
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_a_model_settles_after_every_update_and_the_optimiser_leaves_what_is_kept_alone():
    state, history = trained()
    kept = state.params["kept"]
    assert kept["steps"] == 8
    assert 1 < kept["drawn"] < 7, "eight draws of [0, 1), of eight keys"
    assert np.abs(kept["mean"]).max() > 1e-3
    np.testing.assert_array_equal(kept["kernel"], 1)  # weight decay shrinks every other leaf of that name
    np.testing.assert_allclose(np.linalg.norm(state.params["decoder"]["kernel"], axis=1), 1, rtol=1e-6)
    names = [str(path) for path, _ in jax.tree_util.tree_leaves_with_path(state.opt_state)]
    assert any("encoder" in name for name in names)
    assert not any("kept" in name for name in names), "no moments of what is not trained"
    assert np.isfinite(history["bound"]).all()


def test_what_is_kept_is_the_moving_average_of_the_steps():
    run, means, state = a_run(), np.zeros(3), None
    advance = jax.jit(partial(run.advance, n=1))
    state = run.init(jax.random.key(0), HPARAMS)
    for step in range(3):
        keys = training.streams(jax.random.key(0))
        places = training.batch_rows(keys["data"], jnp.int32(step), 6, 24, 24)
        code = X[np.asarray(places)] @ np.asarray(state.params["encoder"]["kernel"]) - means
        means = 0.9 * means + 0.1 * code.mean(0)
        state, _ = advance(state, jax.random.key(0), HPARAMS, ROWS)
        np.testing.assert_allclose(state.params["kept"]["mean"], means, rtol=1e-4, atol=1e-6)


def test_chunks_of_any_length_and_members_together_are_the_run():
    run, key = a_run(), jax.random.key(0)
    advance = compile_advance(run, run.init(key, HPARAMS), key, HPARAMS, ROWS)
    after = {}
    for lengths in ((8,), (3, 1, 4)):
        state = run.init(key, HPARAMS)
        for n in lengths:
            state, _ = advance(state, key, HPARAMS, ROWS, jnp.int32(n))
        after[lengths] = state.params
    assert_equal(after[3, 1, 4], after[(8,)])
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    together, _ = jax.jit(jax.vmap(partial(training.train, run, steps=8), (0, None, None)))(keys, HPARAMS, ROWS)
    for seed in (0, 1):
        member = jax.tree.map(lambda leaf, seed=seed: leaf[seed], together.params)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), member, trained(seed=seed)[0].params)


def test_terms_see_other_passes_of_the_same_rows():
    seen = {}

    def look(ctx):
        keys = jax.random.split(ctx.key, 3)
        again = jax.vmap(ctx.again)(keys)
        other = {**ctx.params, "decoder": jax.tree.map(jnp.zeros_like, ctx.params["decoder"])}
        seen["shapes"] = again.code.shape, again.x.shape, again.extra["mean"].shape
        seen["missing"] = again.encode, again.rows, again.again
        values = (
            jnp.abs(again.x - ctx.x[None]).max(),
            jnp.abs(again.code[0] - again.code[1]).min(),
            jnp.abs(again.code[2] - ctx.again(keys[2]).code).max(),
            jnp.abs(ctx.again(keys[0], params=other).x_hat).max(),
            jnp.abs(ctx.decode(ctx.code) - ctx.x_hat).max(),
            ctx.progress,
        )
        jax.debug.callback(lambda *found: seen.setdefault("values", []).append(found), *values)
        return jnp.float32(0)

    terms = {"reconstruction": reconstruction.squared_error, "bound": look}
    run = run_of(family.linear((5,)), terms, "sgd", steps=4, batch_size=6)
    with jax.debug_key_reuse(False):  # the same pass twice, to compare
        jax.block_until_ready(jax.jit(partial(training.train, run, steps=2))(jax.random.key(0), HPARAMS, ROWS))
    jax.effects_barrier()
    assert seen["shapes"] == ((3, 6, 3), (3, 6, 5), (3, 3))
    assert seen["missing"] == (None, None, None)
    for same, differ, as_alone, zeros, decoded, _ in seen["values"]:
        assert (same, zeros) == (0, 0)
        assert differ > 0
        assert max(as_alone, decoded) < 1e-5
    assert sorted({float(found[5]) for found in seen["values"]}) == [0, 0.25]


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        (lambda params: {**params, "kept": {}}, r"^model: settle changes the shape or type of kept/drawn, kept/kernel"),
        (
            lambda params: {**params, "decoder": {"kernel": jnp.zeros((3, 4))}},
            r"^model: settle changes the shape or type of decoder/kernel; allowed: arrays like those it was given",
        ),
    ],
)
def test_a_settle_that_changes_shapes_is_refused(wrong, line):
    model = family.linear((5,))
    run = a_run(model._replace(settle=lambda params, extra, key: wrong(params)))
    with pytest.raises(UserError, match=line):
        jax.eval_shape(partial(training.train, run, steps=1), jax.random.key(0), HPARAMS, ROWS)


# Averaged weights.


def test_averaged_weights_are_the_average_of_every_step():
    run, key = a_run(average=0.8), jax.random.key(0)
    advance, state = jax.jit(partial(run.advance, n=1)), run.init(key, HPARAMS)
    mean = state.params["encoder"]["kernel"]
    for step in range(8):
        state, _ = advance(state, key, HPARAMS, ROWS)
        decay = min(0.8, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * state.params["encoder"]["kernel"]
    read = training.weights(state)
    np.testing.assert_allclose(read["encoder"]["kernel"], mean, rtol=1e-5)
    assert_equal(read["kept"], state.params["kept"])
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), state.params, trained()[0].params)
    assert training.weights(trained()[0]) is trained()[0].params


# Targets.


@cache
def with_targets():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 5)).astype(np.float32)
    return data.from_arrays(x, target=x @ rng.normal(size=(5, 1)), scaling="standard", validation=0.2, test=0.2)


def settings(**changes):
    config = configs.base()
    config.model = {"name": "family.linear", "targets": True}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.train.steps, config.train.batch_size = 400, 16
    config.optimizer.learning_rate = 0.02
    return configs.varied(configs.resolve(config.to_dict()), changes)


def test_targets_of_another_shape_are_reconstructed():
    dataset, config = with_targets(), settings()
    parts = build(config, dataset)
    rows = on_device(dataset.train, dataset)
    check(parts, rows)
    state, history = jax.jit(partial(training.train, parts.run, steps=400))(parts.key, parts.hparams, rows)
    assert history["loss"][-50:].mean() < 0.2 * history["loss"][:10].mean()
    losses = make_losses(parts.model, parts.objective, parts.corrupt, target_range(dataset))
    values = losses(state.params, parts.key, parts.hparams, on_device(dataset.validation, dataset), 1.0)
    target, code, x_hat = encode_and_reconstruct(parts.model, state.params, on_device(dataset.validation, dataset))
    assert target.shape == x_hat.shape == (10, 1)
    assert code.shape == (10, 3)
    np.testing.assert_array_equal(target, dataset.validation.target)
    assert values["mse"] == pytest.approx(np.square(target - x_hat).mean(), rel=1e-5)
    assert values["mse"] < 0.2 * dataset.validation.target.var()
    again = retrainer({**config, "train": {**config["train"], "steps": 4}}, dataset)
    keys = jnp.stack([jax.random.key(seed) for seed in (0, 1)])
    assert jax.tree.leaves(again(keys).params)[0].shape[0] == 2


def test_targets_and_models_that_do_not_fit_are_refused():
    plain = data.from_arrays(X)
    with pytest.raises(
        UserError, match=r"^model.name: family.linear reconstructs targets of shape \(1,\), and arrays "
    ):
        build(settings(), plain)
    with pytest.raises(
        UserError, match=r"^model.name: family.linear reconstructs its input, and arrays has targets of"
    ):
        build(settings(**{"model.targets": False}), with_targets())
    with pytest.raises(UserError, match=r"^target: has the shape \(24,\); allowed: \(24, …\), finite, one target"):
        data.from_arrays(X, target=X[:, 0])
    with pytest.raises(UserError, match=r"^target: held-out rows of your own have none; allowed: validation and test"):
        data.from_arrays(X, target=X, test=X)


def test_the_contract_holds_for_targets_and_priors():
    assert build_model({"name": "family.linear", "targets": True}, (5,)).target_shape == (1,)
    with pytest.raises(
        UserError, match=r"^family.short: prior returned float32\[2,3\] for 3 rows; allowed: float32\[3,3"
    ):
        build_model({"name": "family.short"}, (5,))


# Runs, kills, sweeps and devices, by the command line.

CONFIG = """
from aejax.config import base


def get_config():
    config = base()
    config.data.name, config.data.rows, config.data.scaling = "clusters", 60, "standard"
    config.model = {"name": "family.linear", "code": 4}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.terms.bound = {"name": "family.bound", "weight": 0.1}
    config.train.steps, config.train.batch_size = 8, 16
    config.train.evaluate_every, config.train.checkpoint_every = 4, 2
    config.report.figures = False
    return config
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    """A config beside the file of its family."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(Path(family.__file__), folder)
    (folder / "own.py").write_text(CONFIG)
    return folder / "own.py"


@pytest.fixture(scope="module")
def whole(spec):
    """The folder of a run without interruption."""
    folder = spec.parent / "whole"
    answer = execute(["run", spec, "--workdir", folder])
    assert (answer.code, answer.err) == (0, "")
    return folder


@pytest.mark.slow
def test_a_killed_run_of_a_model_that_settles_goes_on_bit_for_bit(spec, whole, tmp_path):
    folder = tmp_path / "killed"
    words = ["run", spec, "--workdir", folder, "--set", "train.steps=200000"]
    running = begin(words)
    while running.poll() is None and not checkpoint.steps(folder / "checkpoints"):
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    killed = checkpoint.steps(folder / "checkpoints")[-1]
    # the same run, that was killed after its last checkpoint of 2 steps
    folder = tmp_path / "stopped"
    shutil.copytree(whole, folder, ignore=shutil.ignore_patterns("summary.json", "model", "*-0000000[468]*"))
    answer = execute(["run", spec, "--workdir", folder])
    assert answer.code == 0
    assert digest(folder) == digest(whole)
    assert killed % 2 == 0


def test_members_of_a_sweep_are_their_runs(spec, whole, tmp_path):
    words = ["sweep", spec, "--axis", "seed=range(0,2)", "--axis", "terms.bound.weight=[0.1,0.3]"]
    assert execute([*words, "--workdir", tmp_path / "vmap", "--strategy", "vmap"]).code == 0
    assert execute([*words, "--workdir", tmp_path / "exact", "--exact"]).code == 0
    together, exact = table(tmp_path / "vmap"), table(tmp_path / "exact")
    assert len(together) == 4
    same = [row for row in exact if (row["seed"], row["terms.bound.weight"]) == ("0", "0.1")]
    assert [row["parameters_digest"] for row in same] == [digest(whole)]
    for one, other in zip(together, exact, strict=True):
        assert one["status"] == other["status"] == "finished"
        assert float(one["validation/mse"]) == pytest.approx(float(other["validation/mse"]), rel=1e-3)


def test_four_devices_agree_with_one(spec, whole, tmp_path):
    words = command(["run", spec, "--workdir", tmp_path / "four", "--set", "devices.data=4"])
    subprocess.run(words, env=virtual(4), check=True, capture_output=True)
    one, four = (checkpoint.restore_flat(folder / "model", "params") for folder in (whole, tmp_path / "four"))
    assert set(one) == set(four)
    for name in one:
        np.testing.assert_allclose(four[name], one[name], rtol=1e-4, atol=1e-5, err_msg=name)


def test_lbfgs_and_settle_exclude_each_other(spec, capsys):
    words = ["run", str(spec), "--set", "optimizer={'name': 'lbfgs'}", "--set", "train.batch_size=null"]
    line = "optimizer.name: lbfgs searches along a line, and family.linear changes its parameters after each update"
    assert_refused(call(words, capsys), line)


# Options of training.


def of_options(**options):
    """The loss and the parameters of eight steps of the family with options of `in_training`."""
    run = a_run(training.in_training(family.linear((5,)), **options))
    return jax.jit(partial(training.train, run, steps=8)), (jax.random.key(0), HPARAMS, ROWS)


def test_activations_that_are_computed_again_change_nothing():
    whole, arguments = of_options(remat=True)
    state, _ = whole(*arguments)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), state.params, trained()[0].params)
    assert "remat" in str(jax.make_jaxpr(lambda: whole(*arguments))())


@pytest.mark.parametrize(("precision", "words"), [("bfloat16", "lhs_precision_type = bf16"), ("float32", "HIGHEST")])
def test_matrix_products_are_of_the_precision_asked_for_forward_and_backward(precision, words):
    whole, arguments = of_options(precision=precision)
    products = [line for line in whole.lower(*arguments).as_text().splitlines() if "dot_general" in line]
    plain = [line for line in of_options()[0].lower(*arguments).as_text().splitlines() if "dot_general" in line]
    assert len(products) == len(plain)
    assert sum(words in line for line in products) == len(products)
    assert not any(words in line for line in plain)
    assert {leaf.dtype for leaf in jax.tree.leaves(jax.eval_shape(whole, *arguments)[0].params)} == {
        np.dtype("float32")
    }


def test_options_at_their_defaults_are_in_no_config_and_change_no_program():
    config = settings(**{"model": {"name": "dense.vanilla", "code": 2}})
    assert not {"average", "accumulate", "precision", "remat"} & set(config["train"])
    chosen = {"train.average": 0.9, "train.accumulate": 2, "train.precision": "bfloat16", "train.remat": True}
    varied = configs.varied(config, chosen)
    assert [varied["train"][path.partition(".")[2]] for path in chosen] == list(chosen.values())
    assert configs.varied(varied, dict(zip(chosen, (None, 1, None, False), strict=True))) == config
    assert configs.resolve(varied) == varied
    dataset = data.from_arrays(X, scaling="standard")
    rows, programs = on_device(dataset.train, dataset), []
    for settled in (config, varied):
        parts = build(settled, dataset)
        state = jax.eval_shape(parts.run.init, parts.key, parts.hparams)
        lowered = jax.jit(partial(parts.run.advance, n=1)).lower(state, parts.key, parts.hparams, rows)
        programs.append(lowered.as_text())
    assert "bf16" in programs[1]
    assert not any(word in programs[0] for word in ("bf16", "optimization_barrier"))
    with pytest.raises(
        UserError, match=r"^train.precision: expected one of bfloat16, tensorfloat32, float32 or None, got"
    ):
        configs.varied(config, {"train.precision": "half"})
    with pytest.raises(UserError, match=r"^train.average: expected "):
        configs.varied(config, {"train.average": 1.0})
    lbfgs = {"optimizer": {"name": "lbfgs"}, "train.batch_size": None, "train.accumulate": 2}
    with pytest.raises(UserError, match=r"^optimizer.name: lbfgs searches along a line, and train.accumulate takes"):
        build(configs.varied(config, lbfgs), dataset)


def test_a_run_with_every_option_keeps_the_averaged_weights_and_its_options(spec, tmp_path, capsys):
    options = {"train.average": "0.9", "train.accumulate": "2", "train.precision": "bfloat16", "train.remat": "true"}
    options |= {"optimizer": "{'name': 'muon', 'learning_rate': 0.01, 'ns_steps': 2}"}
    words = ["run", str(spec), *(word for item in options.items() for word in ("--set", "=".join(item)))]
    folder = tmp_path / "options"
    assert call([*words, "--workdir", str(folder)], capsys).code == 0
    train = json.loads((folder / "config.json").read_text())["train"]
    assert (train["average"], train["accumulate"], train["precision"], train["remat"]) == (0.9, 2, "bfloat16", True)
    last, kept = (
        checkpoint.restore_flat(folder / place, prefix)
        for place, prefix in (("checkpoints", "state/params"), ("model", "params"))
    )
    assert set(last) == set(kept)
    assert not np.array_equal(last["encoder/kernel"], kept["encoder/kernel"])
    np.testing.assert_array_equal(last["kept/mean"], kept["kept/mean"])
    answer = call(["run", str(spec), "--workdir", str(folder)], capsys)
    assert_refused(answer, "holds a run of another config")
