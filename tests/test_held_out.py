"""Validation and test rows beyond the range of the training rows are counted and named, cut to it, or refused."""

import csv

import numpy as np
import pytest
from running import TINY, arguments, assert_refused, call

import aejax
from aejax import config as configs
from aejax.data import load
from aejax.errors import UserError
from aejax.runs import workdir
from aejax.training.held_out import clipped, outside, outside_of

SQUARED = {"terms.reconstruction.name": "reconstruction.squared_error"}


@pytest.fixture
def table(tmp_path):
    """A table in [0, 1] whose column f reaches 3 in one validation row, and the settings of a run on it."""
    rows = np.random.default_rng(2).random((400, 6))
    rows[:, 5] *= 0.01
    path = tmp_path / "table.csv"
    write = lambda: np.savetxt(path, rows, delimiter=",", header="a,b,c,d,e,f", comments="", fmt="%.6f")
    write()
    validation = load(f"file:{path}").validation.x
    (row,) = (n for n, each in enumerate(rows.round(6)) if np.allclose(each, validation[0], rtol=1e-5))
    rows[row, 5] = 3.0
    write()
    return {name: value for name, value in TINY.items() if name != "data.rows"} | {"data.name": f"file:{path}"}


def validation_losses(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [float(row["validation_loss"]) for row in csv.DictReader(file)]


def test_cross_entropy_sees_such_values_cut_and_says_so(table, tmp_path, capsys):
    answer = call(arguments(table, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0
    said = answer.out + answer.err
    assert "the farthest 3 in 'f'" in said
    assert "they are cut to it, which the loss needs" in said
    assert min(validation_losses(tmp_path / "run")) > 0
    workdir.same_data(tmp_path / "run", load(table["data.name"]))  # what is written down are the data as they are


def test_squared_error_sees_them_as_they_are_and_says_so(table, tmp_path, capsys):
    answer = call(arguments(table | SQUARED, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0
    said = answer.out + answer.err
    assert "beyond the range of the training rows, the farthest 3 in 'f'" in said
    assert "cut" not in said
    assert max(validation_losses(tmp_path / "run")) > 1000, "the value is 300 times the greatest training value"


@pytest.mark.parametrize(("how", "settings"), [("refuse", SQUARED), ("keep", {})])
def test_they_are_refused(table, how, settings, tmp_path, capsys):
    answer = call(arguments(table | settings | {"train.outside": how}, workdir=tmp_path / "run"), capsys)
    assert_refused(answer, "the farthest 3 in 'f'", "train.outside=clip")
    assert not (tmp_path / "run").exists()


def test_they_are_cut_where_one_asks_for_it(table, tmp_path, capsys):
    answer = call(arguments(table | SQUARED | {"train.outside": "clip"}, workdir=tmp_path / "run"), capsys)
    assert answer.code == 0
    assert "they are cut to it" in answer.out + answer.err
    assert max(validation_losses(tmp_path / "run")) < 100


def test_anomalies_are_not_cut_unasked():
    config = configs.load("lecture/anomaly")
    assert outside_of(config) == "keep"
    assert outside_of(configs.varied(config, {"train.outside": "clip"})) == "clip"
    assert outside_of(configs.load("lecture/multilayer")) is None


def test_each_column_is_cut_to_the_range_of_its_training_values():
    x = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    data = aejax.data.from_arrays(x, test=x + 5, scaling="unit")
    assert "values of" in outside(data)
    cut = clipped(data)
    assert np.allclose(cut.test.x, np.clip(x + 5, data.train.x.min(0), data.train.x.max(0)), atol=1e-5)
    assert np.array_equal(cut.train.x, data.train.x)


def test_a_sweep_does_what_a_run_does(table, tmp_path, capsys):
    words = arguments(table, workdir=tmp_path / "sweep")
    answer = call(["sweep", *words[1:], "--axis", "seed=0:2"], capsys)
    assert answer.code == 0
    assert "they are cut to it" in answer.out + answer.err


def test_fit_warns(table):
    data = load(table["data.name"])
    model = aejax.models.multilayer(data.feature_shape, widths=(3,), code=2)
    loss = aejax.losses.compose(reconstruction=aejax.losses.cross_entropy())
    with pytest.warns(UserWarning, match="cut to it, which the loss needs"):
        fitted = aejax.fit(model, loss, data, steps=4)
    assert fitted.history["validation_loss"].min() > 0
    with pytest.raises(UserError, match="the farthest 3 in 'f'"):
        aejax.fit(model, loss, data, steps=4, outside="refuse")


def test_data_within_the_range_are_left_alone():
    digits = load("digits")
    assert outside(digits) is None
