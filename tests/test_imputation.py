"""The task of imputation: its measures beside brute force, its refusals, runs of it, and holes filled from a file."""

import csv

import jax
import numpy as np
import pytest
import tasking
from looking import run_figures
from running import assert_refused, call
from tasking import evaluate, needs, start

from aejax import config
from aejax.metrics import imputation as metrics
from aejax.models import masked
from aejax.runs import experiment
from aejax.tasks import imputation
from aejax.tasks.imputation import settled
from aejax.types import Column, Rows

RNG = np.random.default_rng


def test_rmse_counts_the_hidden_values_only():
    truth, filled = RNG(0).normal(size=(2, 7, 4))
    holes = RNG(1).random((7, 4)) < 0.4
    expected = np.sqrt(np.mean([(truth[i, j] - filled[i, j]) ** 2 for i in range(7) for j in range(4) if holes[i, j]]))
    assert metrics.rmse(truth, filled, holes) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(metrics.rmse(truth, filled, np.zeros((7, 4), bool)))


def test_nearest_residuals_by_looking_around_in_order():
    predicted, new = RNG(2).normal(size=40), np.array([-9.0, -0.2, 0.3, 9.0])
    residuals = RNG(3).normal(size=40)
    found = metrics.nearest_residuals(predicted, residuals, new, neighbours=6)
    pairs = sorted(zip(predicted, residuals, strict=True))
    for value, near in zip(new, found, strict=True):
        below = sum(p < value for p, _ in pairs)
        start = min(max(below - 3, 0), 34)
        np.testing.assert_array_equal(near, [r for _, r in pairs[start : start + 6]])
    assert metrics.nearest_residuals(predicted[:3], residuals[:3], new, neighbours=6).shape == (4, 3)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_what_they_say_of_noise_that_differs_from_place_to_place(level):
    made = lambda seed, m: (p := RNG(seed).uniform(0.1, 2, m), p + p * RNG(seed + 1).exponential(size=m))
    predicted, truth = made(4, 4000)
    new, new_truth = made(6, 4000)
    near = metrics.nearest_residuals(predicted, truth - predicted, new, neighbours=100)
    low, high = metrics.interval(new, near, level=level)
    assert metrics.coverage(new_truth, low, high) == pytest.approx(level, abs=0.02)
    for part in (new < 0.5, new > 1.5):
        assert metrics.coverage(new_truth[part], low[part], high[part]) == pytest.approx(level, abs=0.05)
    assert metrics.coverage(np.array([1.0, 2, 3, 4]), np.full(4, 2.0), np.full(4, 3.0)) == 0.5


def test_held_out_predictions_never_see_their_value():
    x = RNG(8).normal(size=(50, 6))
    x[RNG(9).random(x.shape) < 0.2] = np.nan
    columns = (Column("a", 0), Column("b", 1), Column("c", 2, 3, ("p", "q", "r")), Column("d", 5))
    x[:, 2:5] = np.where(np.isnan(x[:, 2:3]), np.nan, np.eye(3)[0])
    calls = []

    def predict(given):
        calls.append(np.isnan(given))
        return np.where(np.isnan(given), 7.0, given)

    found = imputation.hold_out(predict, x, columns, RNG(0))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(x))
    np.testing.assert_array_equal(found[~np.isnan(x)], 7.0)
    assert all((gone[:, 2] == gone[:, place]).all() for gone in calls for place in (3, 4))


def test_several_fills_spread_as_the_truth_does():
    columns = (Column("a", 0), Column("b", 1, 1, ("x", "y")), Column("c", 2, 3, ("p", "q", "r")))
    m = 3000
    centre = RNG(0).normal(size=m)
    truth = np.column_stack([centre + RNG(1).normal(size=m), np.zeros((m, 4))])
    predicted = np.column_stack([centre, np.full(m, 0.3), np.tile([0.2, 0.5, 0.3], (m, 1))])
    x = truth[: m // 2].copy()
    x[:] = np.nan
    validated = truth[m // 2 :], predicted[m // 2 :]
    drawn, ends = imputation.impute(
        (x, predicted[: m // 2]), validated, columns, RNG(2), draws=20, residuals=80, levels=(0.8,)
    )
    assert drawn.shape == (20, m // 2, 5)
    assert np.isfinite(drawn).all()
    assert drawn[..., 0].std() == pytest.approx(truth[:, 0].std(), rel=0.05)
    assert drawn[..., 1].mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_allclose(drawn[..., 2:].mean((0, 1)), [0.2, 0.5, 0.3], atol=0.01)
    np.testing.assert_array_equal(drawn[..., 2:].sum(-1), 1)
    low, high = ends[0.8]
    assert metrics.coverage(truth[: m // 2, 0], low[:, 0], high[:, 0]) == pytest.approx(0.8, abs=0.03)
    assert np.isnan(low[:, 1:]).all()


def test_a_settled_category_is_the_most_likely_one():
    columns = (Column("a", 0), Column("b", 1, 1, ("x", "y")), Column("c", 2, 3, ("p", "q", "r")))
    found = settled(np.array([[0.4, 0.6, 0.2, 0.5, 0.3], [0.4, 0.4, 0.9, 0.0, 0.1]]), columns)
    np.testing.assert_array_equal(found, [[0.4, 1, 0, 1, 0], [0.4, 0, 1, 0, 0]])


# Runs.

SHRUNK = (
    "train.steps=400",
    "train.evaluate_every=400",
    "train.batch_size=128",
    "model.width=32",
    "model.blocks=1",
    "model.code=24",
    "model.frequencies=2",
)


@pytest.mark.slow
def test_the_shipped_config_runs_and_reports_beside_what_one_would_try_first(tmp_path):
    quick = ["data.name=clusters", "data.rows=1200", "task.trees=3", "task.level=0.8"]
    summary = experiment.run(config.load("lecture/imputation", [*SHRUNK, *quick]), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert set(baselines) == {"fill", "mean", "knn", "mice", "forest", "complete"}
    assert baselines["fill"]["rmse"] < 1.02 * min(test["rmse"], baselines["mice"]["rmse"])
    assert set(test) - set(baselines["knn"]) == {"coverage", "width", "draw_spread"}
    assert test["rmse"] < 0.7 * baselines["mean"]["rmse"]
    assert baselines["mean"]["spread"] == pytest.approx(0, abs=1e-9)
    assert test["coverage"] == pytest.approx(0.8, abs=0.06)
    assert test["draw_spread"] == pytest.approx(1, abs=0.15)
    assert baselines["mean"]["class_accuracy"] < test["class_accuracy"] <= 1
    assert summary["metrics"]["validation"]["rmse"] == pytest.approx(test["rmse"], rel=0.3)
    assert summary["metrics"]["train"]["rmse"] == pytest.approx(test["rmse"], rel=0.3)
    assert (tmp_path / "figures" / "imputation.png").stat().st_size > 10_000
    assert "imputation" in run_figures(tmp_path)


@pytest.mark.slow
def test_images_with_missing_squares_get_a_picture(tmp_path):
    summary = experiment.run(config.load("lecture/imputation:digits", [*SHRUNK, "train.steps=40"]), tmp_path)
    assert (tmp_path / "figures" / "fills.png").stat().st_size > 10_000
    assert "imputation" in run_figures(tmp_path)
    assert np.isfinite(summary["metrics"]["test"]["rmse"])


# A person's own table.


def own_table(path, rows=300, *, holes=True):
    """Numbers that follow from each other, two kinds of category, and empty cells."""
    rng = RNG(5)
    kind, size = rng.integers(0, 3, rows), rng.normal(size=rows)
    lines = [["size", "twice", "kind", "big", "label"]]
    for i in range(rows):
        cells = [f"{size[i]:.3f}", f"{2 * size[i]:.3f}", "pqr"[kind[i]], "yes" if size[i] > 0 else "no"]
        gone = rng.random(4) < 0.15 * holes
        lines.append(["" if g and not gone.all() else c for c, g in zip(cells, gone, strict=True)] + [f"c{kind[i]}"])
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(lines)
    return lines


@pytest.fixture(scope="module")
def own_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    lines = own_table(folder / "rows.csv")
    words = [f"data.name=file:{folder / 'rows.csv'}", "data.label_column=label", "data.categories=('kind', 'big')"]
    words += ["data.missing={'name': 'none'}", "train.batch_size=64", "train.steps=300", "train.evaluate_every=300"]
    summary = experiment.run(config.load("lecture/imputation", [*SHRUNK, *words]), folder / "run")
    return folder, lines, summary


@pytest.mark.slow
def test_a_table_with_holes_of_its_own_is_judged_by_hiding_some_more(own_run):
    folder, _, summary = own_run
    test, mean = summary["metrics"]["test"], summary["baselines"]["mean"]
    assert test["rmse"] < 0.8 * mean["rmse"]
    assert test["accuracy"] > mean["accuracy"]
    assert "train" not in summary["metrics"]
    assert "complete" not in summary["baselines"]
    assert (folder / "run" / "figures" / "imputation.png").exists()
    assert "imputation" in run_figures(folder / "run")


def fill(folder, source, target, capsys, *options):
    return call(
        ["apply", str(folder / "run"), "fill", "--input", str(source), "--output", str(target), *options], capsys
    )


def test_holes_of_a_file_are_filled_and_the_rest_stays_as_it_is(own_run, tmp_path, capsys):
    folder, lines, _ = own_run
    assert fill(folder, folder / "rows.csv", tmp_path / "out.csv", capsys).code == 0
    with open(tmp_path / "out.csv", newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == lines[0]
    assert len(found) == len(lines)
    right = []
    for before, after in zip(lines[1:], found[1:], strict=True):
        assert all(a == b or b == "" for a, b in zip(after, before, strict=True))
        assert "" not in after
        assert after[2] in "pqr"
        assert after[3] in ("yes", "no")
        if before[3] == "" and before[0] and abs(float(before[0])) > 0.5:
            right.append(after[3] == ("yes" if float(before[0]) > 0 else "no"))
    assert len(right) > 5
    assert np.mean(right) > 0.9
    (tmp_path / "new.csv").write_text("size,twice,kind,big\n1.5,,p,\n")
    answer = fill(folder, tmp_path / "new.csv", tmp_path / "one.csv", capsys)
    assert (answer.code, answer.out) == (0, f"{tmp_path / 'one.csv'}: 1 rows of 4 columns\n")
    assert (tmp_path / "one.csv").read_text().splitlines()[1].endswith(",p,yes")
    (tmp_path / "moved.csv").write_text("big,kind,twice,size\n,p,,1.5\n")
    assert fill(folder, tmp_path / "moved.csv", tmp_path / "back.csv", capsys).code == 0
    lines = [(tmp_path / name).read_text().splitlines() for name in ("one.csv", "back.csv")]
    assert [line.split(",")[::-1] for line in lines[1]] == [line.split(",") for line in lines[0]]
    assert fill(folder, tmp_path / "new.csv", tmp_path / "one.npy", capsys).code == 0
    assert np.load(tmp_path / "one.npy").shape == (1, 6)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("size,twice,kind,big\n1,2,p,yes\n", "has no missing values to fill; allowed: a table with empty"),
        ("size,twice,kind,big\n1,2,s,\n", "row 1: 's' of column 'kind' was not seen in training; allowed: p, q, r"),
        ("size,twice,kind,big\n1,2,p,yes\n,,,\n", "every value of row 2 is missing; drop the row"),
    ],
)
def test_a_file_that_cannot_be_filled_is_refused(text, fragment, own_run, tmp_path, capsys):
    (tmp_path / "new.csv").write_text(text)
    answer = fill(own_run[0], tmp_path / "new.csv", tmp_path / "out.csv", capsys, "--strict")
    assert_refused(answer, fragment)
    assert not (tmp_path / "out.csv").exists()


# What it refuses.


def data():
    """Sixty rows: thirty to train on, ten to validate, twenty to test."""
    x = RNG(0).normal(size=(60, 3)).astype(np.float32)
    return tasking.dataset(x, (30, 40, 60), names=(), mask=RNG(1).random(x.shape) < 0.8)


def test_few_rows_without_labels_are_served():
    dataset = data()
    needs(imputation, dataset, neighbours=30)
    model = masked.residual((3,), width=8, blocks=1, code=4)
    found = evaluate(imputation, jax.random.key(0), model, start(model), dataset)
    assert set(found.metrics) == {"validation", "test"}
    assert "class_accuracy" not in found.metrics["test"]
    assert all(np.isfinite(value) for value in found.metrics["test"].values())


def test_the_fills_of_new_rows_are_judged_as_they_are_handed_back():
    dataset, model = data(), masked.residual((3,), width=8, blocks=1, code=4)
    params = start(model)
    found = evaluate(imputation, jax.random.key(0), model, params, dataset)
    assert found.baselines["fill"]["rmse"] != found.metrics["test"]["rmse"]
    low, span = imputation.value_range(dataset)
    x = np.where(dataset.test.mask, dataset.test.x, np.nan)
    hidden = np.isnan(found.arrays["truth"]) | found.arrays["hidden"]
    rows = Rows(np.where(hidden, np.nan, x), ~hidden, dataset.shift, dataset.scale)
    filled = imputation.new_rows.fill(model, params, rows, found.kept)
    np.testing.assert_allclose(found.arrays["filled"]["fill"], (filled - low) / span, atol=1e-5)


def test_the_energy_score_is_that_of_its_formula_and_is_least_for_the_distribution_of_the_values():
    holes = np.array([[True, True], [True, False], [False, False]])
    truth, draws = np.array([[0.0, 0.0], [1.0, 9.0], [9.0, 9.0]]), np.zeros((2, 3, 2))
    draws[:, 0], draws[:, 1, 0] = [[3.0, 4.0], [0.0, 0.0]], [2.0, 4.0]
    first, second = (5 + 0) / 2 - 5 / 2, (1 + 3) / 2 - 2 / 2
    assert metrics.energy_score(truth, draws, holes) == pytest.approx((first + second) / 2)
    assert np.isnan(metrics.energy_score(truth, draws, np.zeros_like(holes)))
    random, every = np.random.default_rng(0), np.ones((20_000, 2), bool)
    correlated = lambda count, r: random.normal(size=(count, 20_000, 2)) @ np.linalg.cholesky([[1, r], [r, 1]]).T
    values = correlated(1, 0.8)[0]
    scores = {r: metrics.energy_score(values, correlated(5, r), every) for r in (0.0, 0.8)}
    wide = metrics.energy_score(values, 1.5 * correlated(5, 0.8), every)
    assert scores[0.8] < min(scores[0.0], wide), "draws that do not know of each other, or are too wide, have more"
