"""Variational nets: the divergence beside Monte Carlo, bounds beside exact likelihoods, refusals, and runs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import assert_refused, call

from aejax import config, data
from aejax.errors import UserError
from aejax.losses import latent
from aejax.models import variational
from aejax.runs import experiment
from aejax.tasks import likelihood
from aejax.training import build
from aejax.training.evaluate import on_device
from aejax.types import Context, Dataset, Range, Split

RNG = np.random.default_rng(0)


def gaussian_context(mean, log_variance):
    extra = {"mean": jnp.asarray(mean, jnp.float32), "log_variance": jnp.asarray(log_variance, jnp.float32)}
    z = extra["mean"]
    return Context(x=z, x_in=z, code=z, x_hat=z, hidden={"code": z}, log_odds={}, params={}, ranges={}, extra=extra)


def test_the_divergence_is_that_of_monte_carlo():
    mean, log_variance = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
    noise = RNG.normal(size=(400_000, 1, 1))
    z = mean + np.exp(0.5 * log_variance) * noise
    log_q = -0.5 * (noise**2 + log_variance)
    expected = (log_q + 0.5 * z**2).mean(0).sum(-1).mean()
    found = latent.kl_standard_normal(gaussian_context(mean, log_variance), free_bits=0.0)
    assert float(found) == pytest.approx(expected, rel=0.01)
    assert float(latent.kl_standard_normal(gaussian_context(np.zeros((4, 3)), np.zeros((4, 3))))) == 0


def test_free_bits_are_free_and_nothing_pulls_at_their_units():
    mean, log_variance = RNG.normal(size=(5, 2)) * np.array([0.1, 3]), np.zeros((5, 2))
    small, large = (mean**2 / 2).mean(0)
    value = lambda m, bits: latent.kl_standard_normal(gaussian_context(m, log_variance), free_bits=bits)
    assert float(value(mean, 0.5)) == pytest.approx(0.5 + large, rel=1e-5)
    assert float(value(mean, 0.0)) == pytest.approx(small + large, rel=1e-5)
    slope = np.asarray(jax.grad(value)(jnp.asarray(mean, jnp.float32), 0.5))
    np.testing.assert_array_equal(slope[:, 0], 0)
    np.testing.assert_allclose(slope[:, 1], mean[:, 1] / 5, rtol=1e-5)


def test_a_net_that_is_not_variational_is_refused():
    ctx = gaussian_context(np.zeros((2, 2)), np.zeros((2, 2)))._replace(extra={})
    with pytest.raises(UserError, match=r"^kl_standard_normal: the model is not variational; allowed: model.name"):
        latent.kl_standard_normal(ctx)


def test_a_training_pass_decodes_one_draw_of_the_code():
    model = variational.dense((6,), widths=(5,), code=3, activation="tanh")
    params, x = jax.jit(model.init)(jax.random.key(0)), jnp.asarray(RNG.uniform(size=(2000, 6)), jnp.float32)

    @jax.jit
    def of(key):
        ctx = model.apply(params, x, x, key)
        return ctx._replace(ranges={})

    first, other = (of(jax.random.key(seed)) for seed in (1, 2))
    assert not np.array_equal(first.code, other.code)
    np.testing.assert_array_equal(first.code, of(jax.random.key(1)).code)
    np.testing.assert_allclose(first.extra["mean"], model.encode(params, x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(first.x_hat, model.decode(params, first.code), rtol=1e-5, atol=1e-6)
    noise = (first.code - first.extra["mean"]) / jnp.exp(first.extra["log_variance"] / 2)
    assert abs(float(noise.mean())) < 0.05
    assert float(noise.std()) == pytest.approx(1, abs=0.05)


def test_initial_kernels_are_scaled():
    of = lambda scale: variational.dense((6,), widths=(5,), code=3, kernel_scale=scale).init(jax.random.key(0))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, 0.25 * b, rtol=1e-6), of(0.25), of(1.0))


# Likelihoods.


def binary(x):
    one, rows = np.float32(1), Split(x.astype(np.float32))
    return Dataset("bits", rows, Split(x[:0]), rows, x.shape[1:], "table", Range(0, 1), 0 * one, one, (), (), "", "")


@pytest.fixture(scope="module")
def small():
    """A net of three bits and a code of one unit, its parameters, and all eight rows."""
    model = variational.dense((3,), widths=(), code=1)
    params = jax.tree.map(lambda leaf: leaf * 0.7 + 0.1, model.init(jax.random.key(3)))
    params["encoder"]["layer0"]["bias"] = jnp.array([0.1, 1.0])  # wide, so that no weight of the estimate is large
    return model, params, binary(np.array(list(itertools.product([0, 1], repeat=3))))


def test_the_estimate_is_the_integral_over_the_code(small):
    """log p(x) = log ∫ p(x|z) p(z) dz, by a sum over a fine grid of z."""
    model, params, dataset = small
    z = np.linspace(-8, 8, 4001)
    rates = np.asarray(model.decode(params, jnp.asarray(z[:, None], jnp.float32)), np.float64)
    prior = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    x = np.asarray(dataset.test.x, np.float64)
    given = np.exp(x @ np.log(rates).T + (1 - x) @ np.log1p(-rates).T)
    exact = np.log((given * prior).sum(1) * (z[1] - z[0]))
    assert np.exp(exact).sum() == pytest.approx(1, abs=1e-4)
    found = likelihood.bounds(jax.random.key(0), model, params, dataset, 4000)
    assert found["log_likelihood"] == pytest.approx(exact.mean(), abs=0.02)
    assert found["bound"] < exact.mean()


def test_the_bound_is_its_two_terms(small):
    model, params, dataset = small
    x = jnp.asarray(dataset.test.x)
    ctx = model.apply(params, x, x, jax.random.key(0))
    mean, deviation = np.asarray(ctx.extra["mean"]), np.exp(np.asarray(ctx.extra["log_variance"]) / 2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(12)
    expected = -float(latent.kl_standard_normal(ctx))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        rate = np.asarray(model.decode(params, jnp.asarray(mean + deviation * node)), np.float64)
        cost = np.asarray(x) * np.log(rate) + (1 - np.asarray(x)) * np.log1p(-rate)
        expected += weight * cost.sum(-1).mean()
    found = likelihood.bounds(jax.random.key(1), model, params, dataset, 4000)
    assert found["bound"] == pytest.approx(expected, abs=0.02)
    assert found["divergence"] == pytest.approx(float(latent.kl_standard_normal(ctx)), rel=1e-5)
    assert found["active_units"] == int(mean.var(0)[0] > 0.01)


def test_independent_values_by_counting():
    x = np.array([[0, 1], [0, 1], [1, 1]])
    rates = np.array([2 / 5, 4 / 5])
    expected = np.mean([np.log(np.where(row, rates, 1 - rates)).sum() for row in x])
    assert likelihood.independent(binary(x))["log_likelihood"] == pytest.approx(expected)


# Binary data.


def test_pixels_are_drawn_by_their_grey_and_stay_the_same():
    grey, found = data.load("digits"), data.load("binary:digits")
    assert set(np.unique(found.train.x)) == {0, 1}
    np.testing.assert_array_equal(found.train.x, data.load("binary:digits").train.x)
    np.testing.assert_array_equal(found.train.labels, grey.train.labels)
    for level in (0, 4, 12, 16):
        drawn = found.train.x[grey.train.x == level]
        assert drawn.mean() == pytest.approx(level / 16, abs=0.02)
    assert str(found.range) == "[0, 1]"


@pytest.mark.parametrize("name", ["binary:satimage", "binary:swiss_roll"])
def test_what_is_no_image_is_not_binarised(name):
    with pytest.raises(UserError, match=r"^data.name: binary:\w+ would need images"):
        data.load(name)


# Runs.


@pytest.mark.slow
def test_the_bound_of_binary_digits_is_above_independent_pixels_and_below_the_estimate(tmp_path):
    shrunk = ["train.steps=600", "train.evaluate_every=600"]
    summary = experiment.run(config.load("lecture/generation:binary", shrunk), tmp_path)
    test, alone = summary["metrics"]["test"], summary["baselines"]["independent values"]["log_likelihood"]
    assert alone < test["bound"] < test["log_likelihood"] < 0
    assert 0 < test["active_units"] <= 20
    assert 0 < test["divergence"] < -test["bound"]


def test_weight_free_bits_and_warm_up_are_numbers_that_a_sweep_can_take():
    changes = ["terms.divergence.free_bits=0.1", "terms.divergence.schedule={'name': 'linear', 'until': 0.3}"]
    settings = config.load("lecture/generation:binary", changes)
    dataset = build.load_data(settings["data"])
    parts = build.build(settings, dataset)
    swept = parts.hparams["terms"]["divergence"]
    assert float(swept["free_bits"]) == pytest.approx(0.1)
    assert float(swept["schedule"]["until"]) == pytest.approx(0.3)
    assert float(swept["weight"]) == 1
    build.check(parts, on_device(dataset.train, dataset))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (["data.name=digits"], "the values of digits are not all 0 or 1; allowed: data.name=binary:digits"),
        (["data.test=0.0"], "likelihood: binary:digits has no test rows"),
        (["model.output=linear", "terms.reconstruction.name=reconstruction.squared_error"], "gives no probabilities"),
    ],
)
def test_rows_and_nets_without_a_likelihood_are_refused(changes, line, tmp_path, capsys):
    argv = ["run", "lecture/generation:binary", "--workdir", str(tmp_path / "run")]
    assert_refused(call([*argv, *(w for c in changes for w in ("--set", c))], capsys), line)
    assert not (tmp_path / "run").exists()
