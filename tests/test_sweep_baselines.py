"""A sweep stands beside PCA and the mean row on the rows that decide it, in its table and on its page."""

import csv
import json

import numpy as np
import pytest
from running import SMALL, call
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from aejax import config as configs
from aejax.runs import experiment
from aejax.sweep import table as tables
from aejax.sweep.evaluation import baselines_of
from aejax.sweep.plan import Member
from aejax.sweep.prepared import prepare
from aejax.tasks import common, hashing, imputation
from aejax.training import build
from aejax.training.evaluate import host_rows

PCA_COLUMN, MEAN_COLUMN = "baseline/pca/validation/mse", "baseline/mean/validation/mse"


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(SMALL, encoding="utf-8")
    return path


def table(folder):
    with open(folder / "table.csv", newline="") as file:
        return list(csv.DictReader(file))


def by_hand(dataset, components):
    """PCA's error on the validation rows, by scikit-learn alone; by the mean row for no component."""
    train, rows = (host_rows(split, dataset).astype(float) for split in (dataset.train, dataset.validation))
    if not components:
        return np.square(rows - train.mean(0)).mean()
    pca = PCA(components).fit(train)
    return np.square(rows - pca.inverse_transform(pca.transform(rows))).mean()


def test_every_run_stands_beside_pca_of_its_code_size_and_the_mean_row(small, capsys):
    folder = small.parent / "s"
    line = ["sweep", str(small), "--workdir", str(folder), "--axis", "model.code=[2,3]", "--axis", "seed=0:2"]
    answer = call([*line, "--set", "train.steps=2"], capsys)
    assert answer.code == 0
    dataset = build.load_data(configs.load(str(small))["data"])
    for row in table(folder):
        assert float(row[PCA_COLUMN]) == pytest.approx(by_hand(dataset, int(row["model.code"])), rel=1e-4)
        assert float(row[MEAN_COLUMN]) == pytest.approx(by_hand(dataset, 0), rel=1e-5)
    assert "baseline pca" in answer.out
    for code in (2, 3):
        (shown,) = (line for line in answer.out.splitlines() if line.startswith(f"code={code} "))
        assert f"{by_hand(dataset, code):.4g}"[:5] in shown
    page = small.parent / "page.html"
    assert call(["report", str(folder), "--output", str(page)], capsys).code == 0
    text = page.read_text(encoding="utf-8")
    assert "PCA, validation rows" in text
    assert "Beside it, PCA: " in text
    assert "PCA has as many components as the code has units" in text


def test_each_fold_has_a_baseline_of_its_own(small, capsys):
    folder = small.parent / "s"
    line = ["sweep", str(small), "--workdir", str(folder), "--axis", "optimizer.learning_rate=[0.01,0.02]"]
    assert call([*line, "--folds", "3", "--set", "train.steps=2"], capsys).code == 0
    config = configs.load(str(small), ["data.validation=0.0"])
    datasets = prepare(config, 3).datasets
    wanted = [by_hand(dataset, 2) for dataset in datasets]
    assert len({round(value, 6) for value in wanted}) == 3
    assert [float(row[PCA_COLUMN]) for row in table(folder)] == pytest.approx(wanted * 2, rel=1e-4)
    (first, second) = json.loads((folder / "summary.json").read_text())["points"]
    assert first["metrics"][PCA_COLUMN]["mean"] == pytest.approx(np.mean(wanted), rel=1e-4)
    assert second["metrics"][PCA_COLUMN]["mean"] == pytest.approx(np.mean(wanted), rel=1e-4)


@pytest.mark.parametrize(
    ("share", "units", "wanted"), [(1.0, 8, 8), (0.5, 8, 8), (0.25, 8, 2), (0.001, 128, 0), (0.0, 1, 1)]
)
def test_a_sparse_code_spends_as_many_numbers_as_it_has_active_units(share, units, wanted):
    assert common.active_units(share, units) == wanted


@pytest.mark.slow
def test_the_baseline_of_a_sparse_code_is_that_of_its_run(tmp_path):
    """Test rows and validation rows change places, so that the run's own baseline is of the same rows."""
    sets = ["train.steps=2500", "terms.sparsity.weight=1.0", "report.figures=false", "train.evaluate_every=500"]
    config = configs.load("lecture/sparse_l1", sets)
    run = experiment.run(config, tmp_path / "run")
    (name,) = (name for name in run["baselines"] if name.startswith("pca_"))
    prepared = prepare(config, None)
    dataset = prepared.datasets[0]
    swapped = prepared._replace(datasets=[dataset._replace(validation=dataset.test, test=dataset.validation)])
    member = Member(0, {}, config)
    active = {"validation/active_fraction": run["metrics"]["test"]["active_fraction"]}
    (columns,) = baselines_of([member], [active], swapped)
    assert columns[PCA_COLUMN] == pytest.approx(run["baselines"][name]["mse"], rel=1e-4)
    assert columns[MEAN_COLUMN] == pytest.approx(run["baselines"]["mean"]["mse"], rel=1e-5)


def test_the_baselines_beside_a_metric_are_those_of_that_metric():
    columns = ["validation/mse", PCA_COLUMN, MEAN_COLUMN, "baseline/cosine/validation/precision"]
    assert tables.baselines_of("validation/mse", columns) == ["pca", "mean"]
    assert tables.baselines_of("validation/loss", columns) == []


def test_hashing_stands_beside_neighbours_by_cosine():
    config = configs.load("lecture/hashing", ["task.retrieved=20", "data.validation=0.2"])
    dataset = build.load_data(config["data"])
    precision = hashing.TASK.baselines(dataset, hashing.Options(retrieved=20))["precision"]["cosine"]
    train, rows = (host_rows(split, dataset) for split in (dataset.train, dataset.validation))
    near = NearestNeighbors(n_neighbors=20, metric="cosine").fit(train).kneighbors(rows, return_distance=False)
    right = dataset.train.labels[near] == dataset.validation.labels[:, None]
    assert precision == pytest.approx(right.mean(), abs=1e-3)
    prepared = prepare(config, None)
    (columns,) = baselines_of([Member(0, {}, config)], [{}], prepared)
    assert columns["baseline/cosine/validation/precision"] == precision


def test_imputation_stands_beside_the_mean_of_the_column():
    config = configs.load("lecture/imputation")
    dataset = build.load_data(config["data"])
    baselines = imputation.TASK.baselines(dataset, imputation.Options())
    known = lambda split: np.where(split.mask, split.x, np.nan).astype(float)
    everything = np.concatenate([split.truth for split in (dataset.train, dataset.validation, dataset.test)])
    span = np.nanmax(everything, 0) - np.nanmin(everything, 0)
    wrong = (known(dataset.validation) - np.nanmean(known(dataset.train), 0)) / span
    assert baselines == {"rmse": {"mean": pytest.approx(np.sqrt(np.nanmean(np.square(wrong))), rel=1e-5)}}
