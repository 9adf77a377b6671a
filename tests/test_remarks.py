"""What a run says beside its numbers: a collapsed posterior, dead units, an error above that of a baseline."""

import numpy as np
import pytest
from running import TINY, arguments, call

from aejax.data import load
from aejax.models.dense import multilayer
from aejax.models.variational import dense
from aejax.tasks.common import remarks
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
    return list(remarks(model, DATA, Evaluation({"test": {"mse": test}}, measured, {"code": code})))


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
