"""Intervals beside SciPy's and in simulated repetitions, and what counts as a repetition in a cross-validation."""

import math

import numpy as np
import pytest
import scipy.stats

from aejax.sweep import axes, plan, table

VALUES = [0.3, 0.1, 0.7, 0.2]


def test_the_interval_is_students():
    found = table.interval(VALUES)
    wanted = scipy.stats.t.interval(0.95, 3, loc=np.mean(VALUES), scale=scipy.stats.sem(VALUES))
    assert (found["low"], found["high"]) == pytest.approx(wanted, rel=1e-12)
    assert (found["mean"], found["sd"], found["n"]) == pytest.approx((0.325, np.std(VALUES, ddof=1), 4))


def test_one_value_has_a_mean_and_no_spread_and_none_has_neither():
    assert table.interval([2.0, math.nan]) == {"n": 1, "mean": 2.0, "sd": None, "low": None, "high": None}
    assert table.interval([math.inf])["mean"] is None


def rows(errors, statuses=None, metric="validation/mse"):
    """Of one setting, from (seeds, folds) errors."""
    return [
        {"seed": seed, "fold": fold, metric: error, "status": (statuses or {}).get((seed, fold), "finished")}
        for seed, own in enumerate(errors)
        for fold, error in enumerate(own)
    ]


def test_with_several_seeds_each_counts_once_by_the_mean_over_its_folds():
    errors = np.random.default_rng(0).normal(size=(3, 5))
    found = table.statistics(rows(errors.tolist()), "validation/mse", 5)
    means = errors.mean(1)
    wanted = scipy.stats.t.interval(0.95, 2, loc=means.mean(), scale=scipy.stats.sem(means))
    assert (found["low"], found["high"]) == pytest.approx(wanted, rel=1e-12)
    assert (found["n"], found["sd"]) == (3, pytest.approx(means.std(ddof=1)))


def test_the_folds_of_one_seed_have_the_corrected_interval():
    """By SciPy, with the published scale: the root of (1/k + n_test / n_train) times the variance over the folds."""
    found = table.statistics(rows([VALUES]), "validation/mse", 4)
    scale = math.sqrt((1 / 4 + 25 / 75) * scipy.stats.tvar(VALUES))
    wanted = scipy.stats.t.interval(0.95, 3, loc=0.325, scale=scale)
    assert (found["low"], found["high"]) == pytest.approx(wanted, rel=1e-12)
    assert found["n"] == 4


def test_the_corrected_interval_holds_the_truth_in_95_of_100_cross_validations():
    """Of folds that correlate as Nadeau & Bengio suppose, by the share of rows that are judged on: 1 / K."""
    folds, times = 5, 4000
    random = np.random.default_rng(3)
    shared, own = random.normal(size=(times, 1)), random.normal(size=(times, folds))
    errors = np.sqrt(1 / folds) * shared + np.sqrt(1 - 1 / folds) * own
    holds = lambda found: found["low"] < 0 < found["high"]
    corrected = [holds(table.statistics(rows([each]), "validation/mse", folds)) for each in errors.tolist()]
    assert 0.94 < np.mean(corrected) < 0.96
    assert np.mean([holds(table.interval(each)) for each in errors.tolist()]) < 0.88


def test_folds_that_are_judged_on_the_same_rows_have_no_interval():
    found = table.statistics(rows([VALUES], metric="test/mse"), "test/mse", 4)
    assert (found["low"], found["high"]) == (None, None)
    assert (found["mean"], found["sd"]) == pytest.approx((0.325, np.std(VALUES, ddof=1)))


def test_a_seed_with_a_broken_fold_is_left_out_unless_there_is_no_other():
    errors, broken = [[0.1, 0.3], [5.0, 9.0]], {(1, 1): "not finite"}
    point = lambda broken: table.statistics(rows(errors, broken), "validation/mse", 2)
    assert point(broken) == table.interval([0.2])
    alone = point(broken | {(0, 0): "not finite"})
    assert (alone["mean"], alone["sd"], alone["low"]) == (pytest.approx((0.3 + 5.0) / 2), None, None)
    assert table.statistics(rows(errors[1:], {(0, 1): "not finite"}), "validation/mse", 2)["mean"] == 5.0


@pytest.mark.parametrize(("seeds", "over", "header"), [(1, "folds", "95 %, folds"), (2, "seeds", "95 %  ")])
def test_a_table_says_what_its_intervals_are_over(capsys, seeds, over, header):
    asked = axes.collect({}, ["terms.sparsity.weight=[0.1,0.2]", f"seed=0:{seeds}"])
    made = plan.make("lecture/sparse_l1", [], asked, 3)
    errors = np.random.default_rng(1).uniform(size=len(made.members))
    done = {
        number: {
            "status": "finished",
            "step": 5,
            "parameters_digest": "0",
            "metrics": {"validation/mse": float(error)},
        }
        for number, error in enumerate(errors)
    }
    summary = table.summarise(made, table.rows_of(made, done), "validation/mse", maximise=False)
    assert [point["over"] for point in summary["points"]] == [over, over]
    assert [point["metrics"]["validation/mse"]["n"] for point in summary["points"]] == [3 if seeds == 1 else 2] * 2
    table.say(summary)
    assert header in capsys.readouterr().out
