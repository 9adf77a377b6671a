"""What a sweep is decided by: names that no run has are refused before anything is trained."""

import json

import jax
import pytest
from running import SMALL, assert_refused, call
from tasking import evaluate

from aejax import config
from aejax.config.components import available
from aejax.errors import UserError
from aejax.sweep import axes, table
from aejax.sweep.table import check_metric, incomparable
from aejax.tasks import clustering
from aejax.training import build

TASKS = sorted(available("aejax.tasks"))

OWN = '''"""A task of one's own."""

from aejax.types import Evaluation


def evaluate(key, model, params, dataset, retrain=None):
    return Evaluation({"validation": {"liking": 1.0}, "test": {"liking": 2.0}}, {}, {})
'''


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(SMALL, encoding="utf-8")
    return path


def sweep(path, *options):
    axis = ("--axis", "optimizer.learning_rate=[0.01,0.02]")
    return ["sweep", str(path), *axis, "--workdir", str(path.parent / "s"), *options]


@pytest.mark.parametrize("more", [(), ("--dry-run",), ("--search", "optuna"), ("--folds", "2")])
def test_a_metric_that_no_run_has_is_refused_before_anything_is_written(small, capsys, more):
    message = "unknown 'validation/msse' (did you mean 'validation/mse'?); allowed: validation/active_fraction, "
    answer = call(sweep(small, "--metric", "validation/msse", *more), capsys)
    assert_refused(answer, message, "validation/loss", "validation/reconstruction")
    assert answer.out == ""
    assert not (small.parent / "s").exists()


@pytest.mark.parametrize("metric", ["test/mse", "mse"])
def test_nothing_is_chosen_on_other_rows(small, capsys, metric):
    answer = call(sweep(small, "--metric", metric), capsys)
    assert_refused(answer, "chosen on validation rows alone; allowed: validation/loss, validation/reconstruction")


def test_a_metric_that_some_of_the_runs_have_is_allowed():
    configs = [config.load("lecture/multilayer", [f"task.name={task}"]) for task in TASKS[-2:]]
    assert TASKS[-2:] == ["reduction", "walk"]
    check_metric("validation/mse", configs)
    with pytest.raises(ValueError, match="unknown 'validation/precision'"):
        check_metric("validation/precision", configs)
    check_metric("validation/precision", [*configs, config.load("lecture/hashing")])


def test_clusters_are_judged_on_validation_rows_by_what_is_declared():
    settings = config.load("lecture/clustering", ["data.validation=0.2", "data.test=0.2"])
    dataset = build.load_data(settings["data"])
    model = build.build_model(settings["model"], dataset.feature_shape)
    params = jax.jit(model.init)(jax.random.key(0))
    evaluation = evaluate(clustering, jax.random.key(1), model, params, dataset, restarts=1, spectral_rows=0)
    assert set(evaluation.metrics["validation"]) == set(clustering.TASK.validated)


def test_a_task_that_does_not_say_is_asked_afterwards_and_nothing_is_trained_again(small, capsys, monkeypatch):
    (small.parent / "own_liking.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(small.parent)
    line = sweep(small, "--set", "task.name=own_liking.evaluate", "--set", "train.steps=2", "--metric")
    assert_refused(call([*line, "liking"], capsys), "validation/mse, validation/… that own_liking.evaluate finds")
    assert not (small.parent / "s").exists()
    assert_refused(call([*line, "validation/linking"], capsys), "did you mean 'validation/liking'?")
    answer = call([*line, "validation/liking"], capsys)
    assert answer.code == 0
    assert "2 of 2 runs are done" in answer.out


SQUARED = ("--set", "terms.reconstruction.name=reconstruction.squared_error", "--set", "model.output=linear")
TERMS = ("reconstruction", "sparsity")
INCOMPARABLE = [
    ("mse", "data.scaling=[unit,standard]", {"units": ["data.scaling"]}),
    ("mse", "data.scaling=[unit]", {}),
    ("mse", "data.split_seed=0:3", {"rows": ["data.split_seed"]}),
    ("mse", "terms.sparsity.weight=[0.1,0.2]", {}),
    ("mse", "corruption.scale=[0.1,0.2]", {}),
    ("mse", "model.code=[2,3]", {}),
    ("precision", "data.scaling=[unit,standard]", {}),
    ("precision", "data.name=[bars,digits]", {"rows": ["data.name"]}),
    ("loss", "terms.sparsity.weight=[0.1,0.2]", {"objective": ["terms.sparsity.weight"]}),
    ("loss", "corruption.scale=[0.1,0.2]", {"objective": ["corruption.scale"]}),
    ("loss", "optimizer.learning_rate=[0.1,0.2]", {}),
    ("sparsity", "terms.sparsity.weight=[0.1,0.2]", {}),
    ("sparsity", "terms.sparsity.target_rate=[0.1,0.2]", {"objective": ["terms.sparsity.target_rate"]}),
    ("sparsity", "terms.reconstruction.weight=[0.1,0.2]", {}),
    ("sparsity", "data.scaling=[unit,standard]", {"units": ["data.scaling"]}),
]


@pytest.mark.parametrize(("metric", "spec", "wanted"), INCOMPARABLE)
def test_what_a_metric_does_not_compare(metric, spec, wanted):
    asked = axes.collect({}, [spec, "seed=0:2"])
    assert incomparable(f"validation/{metric}", asked, TERMS) == wanted


@pytest.mark.parametrize("more", [(), ("--search", "optuna", "--trials", "6", "--batch", "6")])
def test_settings_in_other_units_are_not_ranked_without_a_word(small, capsys, more):
    line = sweep(small, "--axis", "data.scaling=[unit,standard]", "--set", "train.steps=2", *SQUARED, *more)
    warning = "warning: validation/mse is in other units at each data.scaling; "
    assert warning in call([*line, "--dry-run"], capsys).out
    answer = call(line, capsys)
    assert answer.code == 0
    before, _, after = answer.out.partition("─────")
    assert warning in before, "before it trains"
    assert warning in after, "under the table"
    assert call(["report", str(small.parent / "s"), "--output", str(small.parent / "page.html")], capsys).code == 0
    text = (small.parent / "page.html").read_text(encoding="utf-8")
    assert "is in other units at each data.scaling" in text


def point(weight, error, active, finite=2):
    means = {"validation/mse": error, "validation/active_fraction": active}
    statistics = {name: {"mean": mean, "sd": None, "low": None, "high": None} for name, mean in means.items()}
    axes = {"terms.sparsity.weight": weight}
    return {"axes": axes, "runs": 2, "finite": finite, "over": "seeds", "metrics": statistics}


POINTS = [point(0.1, 1.0, 0.9), point(1.0, 2.0, 0.5), point(10.0, 3.0, 0.1)]


def test_the_best_keeps_the_bounds_and_what_breaks_one_comes_last():
    bound = table.bound_of("validation/active_fraction <= 0.5")
    assert bound == ("validation/active_fraction", False, 0.5)
    assert not table.bound_of("validation/mse>=2").allows(POINTS[0])
    points = [each | {"allowed": bound.allows(each)} for each in POINTS]
    assert table.best(points, "validation/mse", maximise=False) == 1
    assert table.ranked(points, "validation/mse", maximise=False) == [1, 2, 0]
    none = [each | {"allowed": False} for each in POINTS]
    assert table.best(none, "validation/mse", maximise=False) is None


@pytest.mark.parametrize("text", ["validation/mse", "validation/mse<0.3", "validation/mse<=x", "test/mse<=0.3", "<=1"])
def test_what_is_no_bound_is_refused(text):
    with pytest.raises(UserError, match=r"^--subject-to .*: allowed: a column of validation rows, <= or >=, a number"):
        table.bound_of(text)


def test_an_error_alone_takes_the_least_weight_and_it_is_said():
    path = "terms.sparsity.weight"
    assert table.unregularised(POINTS, POINTS[0], "validation/mse") == [path]
    assert table.unregularised(POINTS, POINTS[1], "validation/mse") == []
    assert table.unregularised(POINTS, POINTS[0], "validation/sparsity") == [], "its own weight changes that term"


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_bound_on_what_no_run_has_is_refused_before_anything_is_written(small, capsys, more):
    answer = call(sweep(small, "--subject-to", "validation/msse<=1", *more), capsys)
    assert_refused(answer, "--subject-to: unknown 'validation/msse' (did you mean 'validation/mse'?)")
    assert not (small.parent / "s").exists()


def test_a_finished_sweep_chooses_again_under_bounds_without_training(small, capsys):
    assert call(sweep(small), capsys).code == 0
    points = json.loads((small.parent / "s" / "summary.json").read_text())["points"]
    errors = [each["metrics"]["validation/mse"]["mean"] for each in points]
    worse = errors.index(max(errors))
    answer = call(sweep(small, "--subject-to", f"validation/mse>={max(errors)}"), capsys)
    summary = json.loads((small.parent / "s" / "summary.json").read_text())
    assert "2 of 2 runs are done" in answer.out
    assert "breaks a bound" in answer.out
    assert summary["best"] == worse
    assert [each["allowed"] for each in summary["points"]] == [number == worse for number in range(2)]
    assert call(sweep(small, "--subject-to", "validation/mse<=0"), capsys).out.count("no point is best") == 1
