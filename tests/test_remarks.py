"""What a run says beside its numbers: a collapsed posterior, dead units, an error above that of a baseline."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from running import TINY, arguments, call

from aejax.data import load, scale
from aejax.models.dense import multilayer
from aejax.models.variational import dense
from aejax.tasks.common import REMARKS, posterior, remarks
from aejax.types import Evaluation

ROWS = 200
DATA = load("clusters", rows=60)
VARIATIONAL = {
    "model.name": "variational.dense",
    "terms.reconstruction.name": "reconstruction.squared_error",
    "terms.divergence": '{"name": "latent.kl_standard_normal", "weight": 100.0}',
    "train.steps": "300",
    "train.evaluate_every": "100",
    "optimizer.learning_rate": "1e-2",
}


def said(model, code, test=0.1, **baselines):
    measured = {name: {"mse": value} for name, value in {"mean": 1.0, "pca": 0.5, **baselines}.items()}
    made = remarks(model, DATA, Evaluation({"test": {"mse": test}}, measured, {"code": code}))
    return [REMARKS[kind].format(**numbers) for kind, numbers in made.items()]


@pytest.mark.parametrize(("spread", "active"), [(1.0, 2), (0.0, 1)])
def test_units_of_a_variational_net_are_active_by_the_variance_of_their_mean(spread, active):
    code = np.random.default_rng(0).normal(size=(ROWS, 2)) * [1.0, spread]
    (line,) = said(dense(DATA.feature_shape, widths=(3,), code=2), code)
    assert line.startswith(f"{active} of 2 units of the code are active")


def test_a_collapsed_posterior_is_told():
    code = 0.09 * np.random.default_rng(0).normal(size=(ROWS, 2))
    (line,) = said(dense(DATA.feature_shape, widths=(3,), code=2), code)
    assert "the posterior has collapsed" in line
    assert "0 of 2" in line


def test_dead_units_are_told():
    code = np.random.default_rng(0).normal(size=(ROWS, 2)) * [0.0, 0.01]
    model = multilayer(DATA.feature_shape, widths=(3,), code=2)
    (line,) = said(model, code)
    assert line.startswith("1 of 2 units of the code are dead")
    assert said(model, code[:, 1:].repeat(2, 1)) == []


@pytest.mark.parametrize(("error", "baseline"), [(2.0, "the mean row, 1"), (0.7, "PCA with as many components, 0.5")])
def test_an_error_above_that_of_a_baseline_is_told(error, baseline):
    code = np.random.default_rng(0).normal(size=(ROWS, 2))
    (line,) = said(multilayer(DATA.feature_shape, widths=(3,), code=2), code, error)
    assert f"is above that of {baseline}" in line


def test_a_code_as_long_as_a_row_is_not_held_against_pca():
    (size,) = DATA.feature_shape
    code = np.random.default_rng(0).normal(size=(ROWS, size))
    assert said(multilayer(DATA.feature_shape, widths=(3,), code=size), code, 0.7, pca=0.0) == []


def test_a_run_says_so(tmp_path, capsys):
    answer = call(arguments(TINY | VARIATIONAL, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0, answer.err
    assert "the posterior has collapsed" in answer.out + answer.err
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["metrics"]["test"]["active_units"] == 0
    assert 0 <= summary["metrics"]["test"]["kl_per_unit"] < 0.01
    assert call(["report", str(tmp_path / "run")], capsys).code == 0
    page = (tmp_path / "run" / "report.html").read_text()
    assert "the posterior has collapsed, and the code tells nothing of a row: 0 of 2 units are active" in page
    assert "KL divergence of a unit" in page


def test_the_divergence_of_a_unit_is_that_of_its_normal_distribution():
    model = dense(DATA.feature_shape, widths=(3,), code=2)
    params = model.init(jax.random.key(0))
    x = jnp.asarray(scale(DATA.test.x, DATA.shift, DATA.scale))
    extra = model.apply(params, x, x, jax.random.key(1)).extra
    mean, deviation = np.asarray(extra["mean"], np.float64), np.exp(0.5 * np.asarray(extra["log_variance"], np.float64))
    expected = (0.5 * (mean**2 + deviation**2 - 1) - np.log(deviation)).mean()
    numbers = posterior(model, params, DATA)
    assert numbers["kl_per_unit"] == pytest.approx(expected, rel=1e-5)
    assert numbers["active_units"] == (mean.var(0) > 0.01).sum()
    assert posterior(multilayer(DATA.feature_shape, widths=(3,), code=2), None, DATA) == {}
