"""The table of a sweep: its form, which point is best, intervals beside SciPy's, and what counts as a repetition."""

import csv
import functools
import math

import numpy as np
import pytest
import scipy.stats

from aejax.sweep import axes, plan, table

VALUES = [0.3, 0.1, 0.7, 0.2]
FINISHED = ["finished"] * 4


@functools.cache
def planned(seeds, folds=None):
    specs = ["terms.sparsity.weight=[0.1,0.2]", f"seed=0:{seeds}"]
    return plan.make("lecture/sparse_l1", [], axes.collect({}, specs), folds)


def rows_of(made, metrics, statuses=FINISHED):
    """The rows of a sweep whose members came out so."""
    results = [
        {"status": status, "step": 5, "parameters_digest": "0", "metrics": each}
        for each, status in zip(metrics, statuses, strict=True)
    ]
    return table.rows_of(made, dict(enumerate(results)))


def made_rows(errors, statuses=FINISHED):
    """Those of two weights and two seeds."""
    return rows_of(planned(2), [{"test/mse": 1 - error, "validation/mse": error} for error in errors], statuses)


def summarised(rows, *, maximise=False):
    return table.summarise(planned(2), rows, "validation/mse", maximise=maximise)


def test_the_best_point_has_the_best_mean_and_no_broken_run():
    rows = made_rows([0.1, 0.2, 0.3, 0.1])
    assert summarised(rows)["best"] == 0
    assert summarised(rows, maximise=True)["best"] == 1
    statuses = ["finished", "not finite", "finished", "stopped early"]
    summary = summarised(made_rows([0.1, math.nan, 0.3, 0.1], statuses))
    assert summary["best"] == 1
    assert [(p["runs"], p["finite"], p["finished"]) for p in summary["points"]] == [(2, 1, 1), (2, 2, 1)]
    assert summary["points"][0]["metrics"]["validation/mse"] == table.interval([0.1])


def test_a_table_has_all_digits_in_the_order_of_its_columns(tmp_path):
    rows = made_rows([0.1, 1 / 3, math.pi, 1e-30])
    table.write_table(tmp_path / "table.csv", rows)
    with open(tmp_path / "table.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == [
        *("run", "terms.sparsity.weight", "seed", "validation/mse", "test/mse"),
        *("status", "step", "parameters_digest"),
    ]
    assert [{name: type(rows[0][name])(text) for name, text in row.items()} for row in written] == rows


def test_without_validation_rows_nothing_is_chosen_and_one_line_says_so(capsys):
    rows = [{name: v for name, v in row.items() if name != "validation/mse"} for row in made_rows(VALUES)]
    table.check_column("validation/mse", rows[0])
    summary = summarised(rows)
    assert summary["best"] is None
    assert summary["points"][0]["metrics"]["test/mse"]["n"] == 2
    table.say(summary)
    printed = capsys.readouterr().out.strip()
    assert printed.startswith("no point is chosen: there are no validation rows")
    assert printed.count("\n") == 0


def test_metrics_of_other_rows_stand_behind_those_of_the_splits():
    metrics = {"all/accuracy": 0.5, "test/mse": 0.2, "train/loss": 0.3, "validation/mse": 0.1}
    columns = list(rows_of(planned(2), [metrics] * 4)[0])
    assert columns[3:7] == ["validation/mse", "train/loss", "test/mse", "all/accuracy"]


def test_the_interval_is_students():
    summary = table.interval(VALUES)
    wanted = scipy.stats.t.interval(0.95, 3, loc=np.mean(VALUES), scale=scipy.stats.sem(VALUES))
    assert (summary["low"], summary["high"]) == pytest.approx(wanted, rel=1e-12)
    assert (summary["mean"], summary["sd"], summary["n"]) == pytest.approx((0.325, np.std(VALUES, ddof=1), 4))


def test_one_value_has_a_mean_and_no_spread_and_none_has_neither():
    assert table.interval([2.0, math.nan]) == {"n": 1, "mean": 2.0, "sd": None, "low": None, "high": None}
    assert table.interval([math.inf])["mean"] is None


def statistics(errors, statuses=None, metric="validation/mse"):
    """Of one setting, from (seeds, folds) errors."""
    rows = [
        {"seed": seed, "fold": fold, metric: error, "status": (statuses or {}).get((seed, fold), "finished")}
        for seed, of_seed in enumerate(errors)
        for fold, error in enumerate(of_seed)
    ]
    return table.statistics(rows, metric, len(errors[0]))


def test_with_several_seeds_each_counts_once_by_the_mean_over_its_folds():
    errors = np.random.default_rng(0).normal(size=(3, 5))
    summary, means = statistics(errors.tolist()), errors.mean(1)
    wanted = scipy.stats.t.interval(0.95, 2, loc=means.mean(), scale=scipy.stats.sem(means))
    assert (summary["low"], summary["high"]) == pytest.approx(wanted, rel=1e-12)
    assert (summary["n"], summary["sd"]) == (3, pytest.approx(means.std(ddof=1)))


def test_the_folds_of_one_seed_have_the_corrected_interval():
    """By SciPy, with the published scale: the root of (1/k + n_test / n_train) times the variance over the folds."""
    summary = statistics([VALUES])
    scale = math.sqrt((1 / 4 + 25 / 75) * scipy.stats.tvar(VALUES))
    wanted = scipy.stats.t.interval(0.95, 3, loc=0.325, scale=scale)
    assert (summary["low"], summary["high"]) == pytest.approx(wanted, rel=1e-12)
    assert summary["n"] == 4


def test_the_corrected_interval_holds_the_truth_in_95_of_100_cross_validations():
    """Of folds that correlate as Nadeau & Bengio suppose, by the share of rows that are judged on: 1 / K."""
    folds, times = 5, 4000
    random = np.random.default_rng(3)
    shared, apart = random.normal(size=(times, 1)), random.normal(size=(times, folds))
    errors = np.sqrt(1 / folds) * shared + np.sqrt(1 - 1 / folds) * apart
    holds = lambda summary: summary["low"] < 0 < summary["high"]
    corrected = [holds(statistics([each])) for each in errors.tolist()]
    assert 0.94 < np.mean(corrected) < 0.96
    assert np.mean([holds(table.interval(each)) for each in errors.tolist()]) < 0.88


def test_folds_that_are_judged_on_the_same_rows_have_no_interval():
    summary = statistics([VALUES], metric="test/mse")
    assert (summary["low"], summary["high"]) == (None, None)
    assert (summary["mean"], summary["sd"]) == pytest.approx((0.325, np.std(VALUES, ddof=1)))


def test_a_seed_with_a_broken_fold_is_left_out_unless_there_is_no_other():
    errors, broken = [[0.1, 0.3], [5.0, 9.0]], {(1, 1): "not finite"}
    assert statistics(errors, broken) == table.interval([0.2])
    alone = statistics(errors, broken | {(0, 0): "not finite"})
    assert (alone["mean"], alone["sd"], alone["low"]) == (pytest.approx((0.3 + 5.0) / 2), None, None)
    assert statistics(errors[1:], {(0, 1): "not finite"})["mean"] == 5.0


@pytest.mark.parametrize(("seeds", "over", "header"), [(1, "folds", "95 %, folds"), (2, "seeds", "95 %  ")])
def test_a_table_says_what_its_intervals_are_over(capsys, seeds, over, header):
    made = planned(seeds, 3)
    errors = np.random.default_rng(1).uniform(size=len(made.members))
    rows = rows_of(made, [{"validation/mse": float(error)} for error in errors], ["finished"] * len(errors))
    summary = table.summarise(made, rows, "validation/mse", maximise=False)
    assert [point["over"] for point in summary["points"]] == [over, over]
    assert [point["metrics"]["validation/mse"]["n"] for point in summary["points"]] == [3 if seeds == 1 else 2] * 2
    table.say(summary)
    assert header in capsys.readouterr().out


def test_points_whose_loss_was_not_finite_are_named():
    point = lambda rate, finite: {"axes": {"optimizer.learning_rate": rate}, "runs": 2, "finite": finite}
    assert table.broken([point(1e-3, 2)]) is None
    assert table.broken([point(1e-3, 2), point(1e18, 0), point(0.1, 1)]) == (
        "the loss of runs was not finite at optimizer.learning_rate=1e+18 (2 of 2); "
        "optimizer.learning_rate=0.1 (1 of 2)"
    )
    assert table.broken([point(float(10 + n), 0) for n in range(12)]).endswith("and 2 more points")
