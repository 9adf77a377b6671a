"""Nets of Flax and plain functions as models: dropout, running means, kills, sweeps; and what a net looks like."""

import doctest
import shutil
import signal
import sys
import time
from pathlib import Path

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import own_nets
import pytest
from forks import Forked
from modelling import CASES, built
from running import assert_refused, call, digest, environment, execute, table

import aejax
from aejax import models
from aejax.config import components
from aejax.losses import latent
from aejax.models import adapters, architecture
from aejax.models.contract import checked
from aejax.storage import checkpoint

X = jnp.asarray(np.random.default_rng(0).normal(size=(64, 20)), jnp.float32)
NETS = {"nnx": own_nets.nnx_net, "linen": own_nets.linen_net}
each = pytest.mark.parametrize("make", NETS.values(), ids=NETS)


@pytest.mark.parametrize("module", [models, adapters, architecture])
def test_examples_of_docstrings(module):
    assert doctest.testmod(module).failed == 0


def with_params(make, **arguments):
    model = make((5, 4), **arguments)
    return checked(model, "net", (5, 4)), jax.jit(model.init)(jax.random.key(0))


@each
def test_what_is_random_and_what_is_kept(make):
    model, params = with_params(make, dropout=0.5)
    one, again, other = (jax.jit(model.apply)(params, X, X, jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.code, again.code)
    assert 0.3 < float((one.code == 0).mean()) < 0.7
    assert bool((one.code != other.code).any())
    np.testing.assert_array_equal(model.encode(params, X), model.encode(params, X))
    assert bool((model.encode(params, X) != 0).all())
    kept = jax.tree.leaves(params["kept"])
    assert [leaf.shape for leaf in kept] == [(3,), (3,)]
    settled = model.settle(params, one.extra, jax.random.key(2))
    z = X @ (params["down"] if "down" in params else params["encoder"]["down"])["kernel"]
    mean = jax.tree.leaves(settled["kept"])[0]
    np.testing.assert_allclose(mean, 0.01 * z.mean(0), rtol=1e-3, atol=1e-5)  # momentum 0.99, from 0
    assert jax.tree.structure(settled) == jax.tree.structure(params)
    if make is own_nets.linen_net:
        np.testing.assert_allclose(one.hidden["normal"].mean(0), 0, atol=1e-5)


@each
def test_initialisers_and_passes_are_mapped_over_keys(make):
    model = make((5, 4))
    keys = jax.random.split(jax.random.key(0), 3)
    several = jax.jit(jax.vmap(model.init))(keys)
    codes = jax.jit(jax.vmap(model.encode, (0, None)))(several, X)
    assert codes.shape == (3, 64, 3)
    alone = model.encode(jax.jit(model.init)(keys[1]), X)
    np.testing.assert_allclose(codes[1], alone, rtol=1e-5, atol=1e-5)


def test_a_linen_pair_is_the_multilayer_net_of_the_same_numbers():
    ours, params, x = built("multilayer")
    stack = lambda *layers: nn.Sequential([part for units, f in layers for part in (nn.Dense(units), f)])
    same = lambda z: z
    encoder = stack((7, nn.sigmoid), (6, nn.sigmoid), (3, same))
    decoder = stack((6, nn.sigmoid), (7, nn.sigmoid), (12, nn.sigmoid))
    theirs = models.from_linen(encoder, decoder, feature_shape=(12,))
    renamed = {half: {f"layers_{2 * index}": params[half][f"layer{index}"] for index in range(3)} for half in params}
    shapes = lambda tree: jax.tree.map(jnp.shape, tree)
    assert shapes(jax.eval_shape(theirs.init, jax.random.key(0))) == shapes(renamed)
    assert theirs.settle is None
    one, other = (
        jax.jit(model.apply)(tree, x, x, jax.random.key(0)) for model, tree in ((ours, params), (theirs, renamed))
    )
    np.testing.assert_allclose(other.x_hat, one.x_hat, rtol=1e-6)
    np.testing.assert_allclose(other.code, one.code, rtol=1e-6)
    np.testing.assert_allclose(theirs.encode(renamed, x), ours.encode(params, x), rtol=1e-6)


def test_one_linen_module_with_a_gaussian_code_and_maps():
    class Gaussian(nn.Module):
        def setup(self):
            self.down, self.up = nn.Conv(4, (3, 3)), nn.Conv(1, (3, 3))

        def encode(self, x, train=False):
            mean, log_variance = jnp.split(self.down(x), 2, axis=3)
            noise = jax.random.normal(self.make_rng("sample"), mean.shape) if train else 0.0
            flat = lambda values: values.reshape(len(values), -1)
            return mean + jnp.exp(0.5 * log_variance) * noise, {"mean": flat(mean), "log_variance": flat(log_variance)}

        def decode(self, code):
            return nn.sigmoid(self.up(code))

    model = checked(models.from_linen(Gaussian(), feature_shape=(5, 4, 1)), "net", (5, 4, 1))
    params = jax.jit(model.init)(jax.random.key(0))
    ctx = jax.jit(model.apply)(params, X, X, jax.random.key(0))
    assert (model.code_size, ctx.code.shape, ctx.x_hat.shape) == (40, (64, 40), (64, 20))
    np.testing.assert_allclose(ctx.extra["mean"], model.encode(params, X), rtol=1e-5, atol=1e-6)
    assert float(jnp.abs(ctx.code - ctx.extra["mean"]).max()) > 0.5
    assert float(latent.kl_standard_normal(ctx)) > 0


def test_functions_with_a_training_pass_of_their_own():
    encode, decode = (lambda params, x: x @ params), (lambda params, code: code @ params.T)

    def apply(params, x_in, key):
        code = encode(params, x_in) + jax.random.normal(key, (len(x_in), 2))
        return {"code": code, "x_hat": decode(params, code), "square": code**2}, {"sum": code.sum(1)}

    init = lambda key: jax.random.normal(key, (20, 2))
    model = models.from_functions(init, encode, decode, feature_shape=(20,), code_size=2, apply=apply)
    params = init(jax.random.key(0))
    ctx = checked(model, "net", (20,)).apply(params, X, X, jax.random.key(1))
    assert set(ctx.hidden) == {"code", "square"}
    assert bool((ctx.code != model.encode(params, X)).all())
    assert ctx.extra["sum"].shape == (64,)


# By the command line: a run, a kill, a sweep.

CONFIG = """
from aejax.config import base


def get_config():
    config = base()
    config.data.name, config.data.rows = "clusters", 60
    config.model = {"name": "own_nets.nnx_net", "code": 2}
    config.terms.reconstruction.name = "reconstruction.squared_error"
    config.train.steps, config.train.batch_size = 6, 16
    config.train.evaluate_every, config.train.checkpoint_every = 2, 2
    config.report.figures = False
    return config
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    shutil.copy(Path(own_nets.__file__), folder)
    (folder / "own.py").write_text(CONFIG)
    return folder / "own.py"


@pytest.fixture(scope="module")
def whole(spec):
    answer = execute(["run", spec, "--workdir", spec.parent / "whole"])
    assert (answer.code, answer.err) == (0, "")
    assert "code    2" in answer.out
    assert "loss: reconstruction (reconstruction.squared_error)" in answer.out
    return spec.parent / "whole"


def test_a_run_that_was_killed_after_a_checkpoint_goes_on_to_the_same_bits(spec, whole, tmp_path):
    left = tmp_path / "killed"
    shutil.copytree(whole, left, ignore=shutil.ignore_patterns("summary.json", "model", "*-00000006*"))
    assert checkpoint.steps(left / "checkpoints")[-1] == 4
    assert execute(["run", spec, "--workdir", left]).code == 0
    assert digest(left) == digest(whole)
    means = checkpoint.restore_flat(whole / "model", "params")
    assert np.abs(means["kept/norm/mean"]).max() > 1e-3


FIT = """
import sys

import numpy as np
import optax
import own_nets

import aejax

data = aejax.data.from_arrays(np.random.default_rng(0).normal(size=(60, 8)))
model = own_nets.nnx_net((8,), code=2)
numbers = {"steps": 30_000, "batch_size": 16, "evaluate_every": 500, "patience": 1000}
aejax.fit(model, None, data, optimizer=optax.adam(1e-3), folder=sys.argv[1], **numbers)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_fit_in_python_that_is_killed_goes_on_to_the_same_bits(spec, tmp_path):
    (spec.parent / "fit.py").write_text(FIT)
    start = lambda name: Forked([str(spec.parent / "fit.py"), str(tmp_path / name)], environment())
    whole = start("whole")
    assert whole.communicate()[1] == ""
    for step in (500, 2500):
        process = start("killed")
        while process.poll() is None and max(checkpoint.steps(tmp_path / "killed" / "checkpoints"), default=0) < step:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert not (tmp_path / "killed" / "model").exists()
    out, err = (last := start("killed")).communicate()
    assert (last.returncode, err) == (0, "")
    assert "going on from step" in out
    whole, killed = (tmp_path / name for name in ("whole", "killed"))
    params = [checkpoint.restore_flat(folder / "model", "params") for folder in (whole, killed)]
    assert checkpoint.digest(params[0]) == checkpoint.digest(params[1])
    assert np.abs(params[0]["kept/norm/mean"]).max() > 1e-3
    assert (whole / "metrics.csv").read_bytes() == (killed / "metrics.csv").read_bytes()


def test_members_of_a_sweep_are_their_runs(spec, whole, tmp_path):
    words = ["sweep", spec, "--axis", "seed=range(0,2)", "--axis", "optimizer.learning_rate=[0.001,0.01]"]
    assert execute([*words, "--workdir", tmp_path / "vmap", "--strategy", "vmap"]).code == 0
    assert execute([*words, "--workdir", tmp_path / "exact", "--exact"]).code == 0
    together, exact = table(tmp_path / "vmap"), table(tmp_path / "exact")
    assert len(together) == 4
    same = [row for row in exact if (row["seed"], float(row["optimizer.learning_rate"])) == ("0", 0.001)]
    assert [row["parameters_digest"] for row in same] == [digest(whole)]
    for one, other in zip(together, exact, strict=True):
        assert float(one["validation/mse"]) == pytest.approx(float(other["validation/mse"]), rel=1e-3)


# What a net looks like.

NO_LAYER_READS = {
    "dictionary": {"kept/silent"},
    "vector": {"kept/uses", "kept/total"},
    "vamp": {"prior/centres"},
    "clustered": {"centres"},
}
"""Counts of a model's use, the prior of its code and the centres of clusters; layers read all else."""


@pytest.mark.parametrize("case", CASES)
def test_layers_have_the_shapes_of_the_training_pass_and_every_parameter_once(case):
    model, params, x = built(case)
    layers = models.layers(model)
    ctx = jax.eval_shape(model.apply, params, x, x, jax.random.key(0))
    assert [layer.name for layer in layers] == ["input", *CASES[case][3], "output"]
    assert layers[0].shape == layers[-1].shape == model.feature_shape
    assert {layer.name: layer.shape for layer in layers[1:-1]} == {n: a.shape[1:] for n, a in ctx.hidden.items()}
    paths = [path for layer in layers for path in layer.parameters]
    assert len(paths) == len(set(paths))
    sizes = {path: leaf.size for path, leaf in jax.tree_util.tree_leaves_with_path(params)}
    assert set(paths) <= sizes.keys()
    beside = {path: sizes[path] for path in sizes.keys() - set(paths)}
    assert {"/".join(entry.key for entry in path) for path in beside} == NO_LAYER_READS.get(case, set())
    others = [line.split() for line in aejax.summary(model).splitlines() if line.startswith("other ")]
    assert others == ([["other", f"{sum(beside.values()):,}"]] if beside else [])
    total = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert aejax.summary(model).endswith(f" {total:,}")
    assert aejax.summary(model, params) == aejax.summary(model)


def test_the_net_of_a_config_and_of_a_folder_are_shown_alike(spec, whole, capsys):
    by_config, by_folder = (call(["show", str(source)], capsys) for source in (spec, whole))
    assert by_config.code == by_folder.code == 0, by_config.err
    assert by_config.out == by_folder.out
    assert "input   8\n" in by_config.out
    assert_refused(call(["show", "lecture/nothing"], capsys), "lecture/nothing")


def test_the_table_of_contents_has_every_model_of_a_config():
    for name in components.available("aejax.models"):
        module, _, function = name.partition(".")
        home = getattr(models, module) if module in models.__all__ else models
        assert callable(getattr(home, function))
    assert set(dir(models)) == set(models.__all__)
