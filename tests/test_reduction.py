"""The task of dimension reduction: its metrics beside scikit-learn and brute force, its refusals, and a run of it."""

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA

from aejax import config, metrics, models
from aejax.data import from_arrays, scale
from aejax.runs import experiment
from aejax.tasks import reduction


@pytest.mark.parametrize(("m", "k"), [(30, 5), (30, 14), (600, 7)])
def test_trustworthiness_is_that_of_scikit_learn(m, k):
    from sklearn.manifold import trustworthiness

    rng = np.random.default_rng(m + k)
    x = rng.normal(size=(m, 5)).astype(np.float32) + 100
    code = (x[:, :2] + 0.5 * rng.normal(size=(m, 2))).astype(np.float32)
    for a, b in ((x, code), (code, x)):
        expected = trustworthiness(a.astype(np.float64), b.astype(np.float64), n_neighbors=k)
        assert metrics.trustworthiness(a, b, neighbours=k) == pytest.approx(expected, abs=1e-9)
    assert metrics.trustworthiness(x, 3 * x - 1, neighbours=k) == 1


def test_trustworthiness_by_counting():
    x, code = np.array([[0.0], [1], [2.1], [3.3], [4.6], [6]]), np.array([[0.0], [5], [1.1], [2.3], [4.2], [9]])
    near = lambda points, i: sorted((j for j in range(6) if j != i), key=lambda j: abs(points[j, 0] - points[i, 0]))
    cost = sum(max(near(x, i).index(j) + 1 - 2, 0) for i in range(6) for j in near(code, i)[:2])
    assert cost > 0
    assert metrics.trustworthiness(x, code, neighbours=2) == pytest.approx(1 - 2 * cost / (6 * 2 * (12 - 6 - 1)))


def test_knn_accuracy_by_brute_force():
    from sklearn.model_selection import StratifiedKFold

    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 60)
    points = rng.normal(size=(60, 2)) + labels[:, None]
    right = []
    for train, test in StratifiedKFold(4, shuffle=True, random_state=7).split(points, labels):
        hits = 0
        for i in test:
            near = sorted(train, key=lambda j, i=i: float(np.square(points[i] - points[j]).sum()))[:3]
            votes = [sum(labels[j] == label for j in near) for label in range(3)]
            hits += votes.index(max(votes)) == labels[i]
        right.append(hits / len(test))
    found = reduction.knn_accuracy(points, labels, neighbours=3, folds=4, seed=7)
    assert 0.4 < found < 1
    assert found == pytest.approx(np.mean(right), abs=1e-12)


def test_classes_of_held_out_points_by_those_of_training_points():
    train, known = np.array([[0.0], [1], [10], [11]]), np.array([0, 0, 1, 1])
    assert reduction.held_out_accuracy(train, known, np.array([[0.4], [10.6], [9.0]]), np.array([0, 1, 0]), 1) == 2 / 3


def test_a_net_with_a_shortcut_becomes_principal_components_where_these_have_the_lower_error():
    mixing = np.random.default_rng(0).normal(size=(2, 6))
    x = np.random.default_rng(1).normal(size=(80, 2)) @ mixing + 3
    dataset = from_arrays(x, scaling="standard", validation=0.2, test=0.1)
    model = models.shortcut((6,), widths=(5,), code=2)
    params = model.init(jax.random.key(0))
    better = reduction.better_pca(model, params, dataset)
    z = scale(dataset.test.x, dataset.shift, dataset.scale)
    pca = PCA(2).fit(scale(dataset.train.x, dataset.shift, dataset.scale))
    np.testing.assert_allclose(model.encode(better, z), pca.transform(z), atol=1e-5)
    np.testing.assert_allclose(model.decode(better, model.encode(better, z)), z, atol=1e-5)
    assert reduction.better_pca(model, better, dataset) is None, "it is as good already"
    plain = models.multilayer((6,), code=2, output="linear")
    assert reduction.better_pca(plain, plain.init(jax.random.key(0)), dataset) is None


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "figures"), [("", True), (":contractive", False)])
def test_the_shipped_config_runs_and_reports_beside_pca(variant, figures, tmp_path):
    shrunk = ["train.steps=300", "train.evaluate_every=300", f"report.figures={figures}"]
    summary = experiment.run(config.load("lecture/reduction" + variant, shrunk), tmp_path)
    test, pca = summary["metrics"]["test"], summary["baselines"]["pca"]
    of_test = {"mse", "trustworthiness", "continuity", "held_out_accuracy"}
    assert set(test) == of_test == set(pca) - {"knn_accuracy"}
    assert 0.5 < test["held_out_accuracy"] < 0.9
    assert pca["mse"] == pytest.approx(0.15, abs=0.01)
    assert pca["knn_accuracy"] == pytest.approx(0.82, abs=0.02)
    assert summary["baselines"]["all features"]["knn_accuracy"] == pytest.approx(0.905, abs=0.01)
    assert 0.05 < test["mse"] < 0.5
    assert 0.5 < summary["metrics"]["all"]["knn_accuracy"] < 0.9
    assert min(test["trustworthiness"], test["continuity"]) > 0.7
    assert not figures or (tmp_path / "figures" / "maps.png").stat().st_size > 10_000
