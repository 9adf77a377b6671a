"""What stands beside the net in imputation, against scikit-learn and by brute force; what older runs kept is read."""

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from aejax.data.splits import permutation
from aejax.errors import UserError
from aejax.tasks.imputation import methods, new_rows
from aejax.types import Column, Kept

RNG = np.random.default_rng
ROWS, FEATURES = 60, 4


@pytest.fixture(scope="module")
def rows():
    """Rows with holes and without, and methods fitted to them by a net that says 0."""
    random = RNG(0)
    truth = random.normal(size=(ROWS, 1)) * [1.0, 2.0, -1.0, 0.5] + 0.3 * random.normal(size=(ROWS, FEATURES))
    x = np.where(random.random(truth.shape) < 0.2, np.nan, truth)
    return truth, x, methods.fitted(x, np.zeros_like(x), (), seed=3)


def test_the_trees_are_those_of_scikit_learn(rows):
    _, x, fitted = rows
    line = methods.conditional(x, fitted.mean, fitted.covariance)[0]
    start = np.where(np.isnan(x), line / 2, x).astype(np.float32)
    order = permutation(3, ROWS)
    for column in range(FEATURES):
        others, seen = np.delete(start, column, axis=1), ~np.isnan(x[order, column])
        trees = ExtraTreesRegressor(methods.TREES, min_samples_leaf=2, max_depth=methods.DEPTH, random_state=3)
        expected = trees.fit(others[order][seen], start[order][seen, column]).predict(others)
        said = methods.predictions(x, np.zeros_like(x), (), fitted)[2, :, column]
        np.testing.assert_allclose(said, expected, rtol=1e-5, atol=1e-5)


def test_neighbours_are_the_nearest_donors_that_observed_the_value(rows):
    truth, _, fitted = rows
    new = truth[:5] + 0.01
    near = methods.predictions(new, np.zeros_like(new), (), fitted)[3]
    for row, said in zip(new, near, strict=True):
        apart = np.square((fitted.donors - row) / fitted.unit).sum(1)
        chosen = np.argsort(apart)[: methods.NEIGHBOURS]
        weight = fitted.observed[chosen] / apart[chosen, None]
        np.testing.assert_allclose(said, (weight * fitted.donors[chosen]).sum(0) / weight.sum(0), rtol=1e-6)


def test_a_row_that_was_fitted_to_learns_nothing_of_its_holes_from_itself(rows):
    _, x, fitted = rows
    said = methods.predictions(x, np.zeros_like(x), (), fitted)
    holes = np.isnan(x)
    assert np.abs(said[3] - said[2])[holes].min() > 0


def test_shares_go_to_the_method_that_is_right_and_few_values_follow_the_others():
    truth = RNG(1).normal(size=(400, 3))
    truth[3:, 2] = np.nan
    noise = RNG(2).normal(size=(4, *truth.shape)) * np.array([0.1, 2.0, 1.0, 2.0])[:, None, None]
    weight = methods.shares(truth, truth + noise)
    np.testing.assert_allclose(weight.sum(0), 1)
    assert (weight[0] >= 0.9).all()
    two = (Column("a", 0), Column("b", 1, 2, ("p", "q")))
    weight = methods.shares(truth, truth + noise[[1, 0, 2, 3]], two)
    assert weight[1, 0] >= 0.9
    assert not weight[1, 1:].any()
    np.testing.assert_array_equal(weight[:, 1], weight[:, 2])
    nothing = methods.shares(truth[:0], noise[:, :0])
    assert nothing.max() < 0.5


def kept_of(fitted, rows, **changes):
    _, x, _ = rows
    info = {"level": 0.9, "residuals": 20}
    info["columns"] = [{"name": str(at), "start": at, "size": 1, "categories": []} for at in range(FEATURES)]
    ends = {"low": np.full(FEATURES, -9.0), "high": np.full(FEATURES, 9.0), "whole": np.zeros(FEATURES, bool)}
    form = {"origin": np.zeros(FEATURES), "log": np.zeros(FEATURES, bool)}
    tree = {"truth": x, "predicted": x, "weight": np.full((4, FEATURES), 0.25), **ends, **form, **fitted}
    return Kept(tree | changes, info)


def test_an_older_run_is_filled_by_its_net_and_its_gaussian(rows):
    _, x, fitted = rows
    line = {"mean": fitted.mean, "covariance": fitted.covariance}
    guide = new_rows.read(kept_of(line, rows, weight=np.full(FEATURES, 0.3)))
    expected = 0.3 * 0.5 + 0.7 * methods.conditional(x, *line.values())[0]
    np.testing.assert_allclose(new_rows.blended(x, np.full_like(x, 0.5), guide)[np.isnan(x)], expected[np.isnan(x)])


@pytest.mark.parametrize("name", ["left", "feature", "roots", "donors", "value"])
def test_damaged_arrays_are_refused(name, rows):
    fitted = rows[2]._asdict()
    assert new_rows.read(kept_of(fitted, rows)).methods.value.size
    wrong = fitted[name][:-1] if name in ("donors", "value") else np.full_like(fitted[name], 10**6)
    with pytest.raises(UserError, match="is damaged"):
        new_rows.read(kept_of(fitted, rows, **{name: wrong}))
