"""Columns with one value only: a run says so once, and nothing is odd in them."""

import numpy as np
import pytest
from looking import task_figures
from running import TINY, arguments, call

from aejax.data import load
from aejax.data.inspection import constant_columns, constant_features
from aejax.figures.tasks.anomaly import ANOMALY
from aejax.types import Evaluation

CATEGORIES = np.array(["left", "right"])


def table(path, fixed=("5",), gaps=False, kinds=False):
    """Forty rows of two numbers and of as many constant columns as asked for."""
    rows = np.random.default_rng(0).normal(size=(40, 2)).round(4).astype(str).tolist()
    head = ["a", "b", *(f"fixed{n}" for n in range(len(fixed)))] + ["kind"] * kinds
    lines = [[*row, *("" if gaps and n % 3 == 0 else value for value in fixed)] for n, row in enumerate(rows)]
    lines = [[*line, CATEGORIES[n % 2]] for n, line in enumerate(lines)] if kinds else lines
    path.write_text("\n".join(",".join(line) for line in [head, *lines]) + "\n")
    return f"file:{path}"


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("kinds", [False, True])
@pytest.mark.parametrize("scaling", ["none", "standard", "unit"])
def test_a_constant_column_is_named(tmp_path, gaps, kinds, scaling):
    name = table(tmp_path / "rows.csv", gaps=gaps, kinds=kinds)
    dataset = load(name, scaling=scaling, categories="kind" if kinds else None)
    assert constant_features(dataset).tolist() == [False, False, True] + [False] * kinds
    assert constant_columns(dataset) == f"{name}: column 'fixed0' has one value only: it tells nothing"


def test_several_are_one_line_and_none_is_no_line(tmp_path):
    name = table(tmp_path / "many.csv", fixed=[str(n) for n in range(7)])
    listed = ", ".join(f"'fixed{n}'" for n in range(5))
    assert constant_columns(load(name)) == (
        f"{name}: columns {listed} and 2 more have one value only: they tell nothing"
    )
    assert constant_columns(load(table(tmp_path / "none.csv", fixed=()))) is None
    digits = load("digits")
    assert constant_features(digits).any()
    assert constant_columns(digits) is None


def test_one_that_differs_in_a_test_row_is_not_constant(tmp_path):
    dataset = load(table(tmp_path / "rows.csv"))
    x = dataset.test.x.copy()
    x[0, 2] += 1
    assert not constant_features(dataset._replace(test=dataset.test._replace(x=x))).any()


def test_a_run_says_so_once(tmp_path, capsys):
    name = table(tmp_path / "rows.csv")
    settings = {**TINY, "data.name": name, "data.rows": "none"}
    answer = call(arguments(settings, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.count("column 'fixed0' has one value only: it tells nothing") == 1


def test_nothing_is_odd_in_a_constant_column(tmp_path):
    dataset = load(table(tmp_path / "rows.csv"))
    x = dataset.test.x[:4]
    arrays = {"scores": {"error": np.arange(8.0)}, "score": "error", "labels": None, "worst": np.arange(4)}
    arrays |= {"worst_x": x, "worst_x_hat": x - 1, "worst_residual": np.array([[0.5, -1.0, 4.0]] * 4)}
    arrays["train_scores"] = np.arange(8.0)
    evaluation = Evaluation({"test": {"threshold": 5.0}}, {}, arrays)
    figure = task_figures(ANOMALY, evaluation, dataset)["worst_rows"]
    for axes in figure.axes:
        said = [label.get_text().partition(":")[0] for label in axes.get_yticklabels()]
        assert said == ["b", "a"]  # from above, the oddest first
