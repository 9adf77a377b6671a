"""Manifold learning: geodesics beside Floyd and Warshall, R² beside scikit-learn, and runs of the task."""

import json

import numpy as np
import pytest

from aejax import config, data, metrics
from aejax.errors import UserError
from aejax.relations import graph
from aejax.runs import experiment


def floyd_warshall(x, neighbours):
    """Shortest paths by brute force in float64; infinite between pieces."""
    apart = np.sqrt(np.square(x[:, None].astype(np.float64) - x[None]).sum(-1))
    paths = np.full(apart.shape, np.inf)
    for i, row in enumerate(apart):
        for j in [j for j in np.argsort(row, kind="stable") if j != i][:neighbours]:
            paths[i, j] = paths[j, i] = row[j]
    np.fill_diagonal(paths, 0)
    for k in range(len(x)):
        paths = np.minimum(paths, paths[:, k, None] + paths[None, k])
    return paths, apart


@pytest.mark.parametrize(("rows", "neighbours"), [(40, 4), (5, 10), (2, 1)])
def test_geodesics_are_shortest_paths(rows, neighbours):
    x = np.random.default_rng(rows).normal(size=(rows, 2)).astype(np.float32)
    found = graph.geodesics(x, neighbours=neighbours)["distance"]
    expected, apart = floyd_warshall(x, neighbours)
    assert np.isfinite(expected).all()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (found >= apart - 1e-5).all()


def test_geodesics_follow_a_circle():
    angle = 2 * np.pi * np.arange(100) / 100
    x = np.stack([np.cos(angle), np.sin(angle)], 1).astype(np.float32)
    found = graph.geodesics(x, neighbours=2)["distance"]
    assert found[0, 50] == pytest.approx(np.pi, rel=1e-3)
    assert np.linalg.norm(x[0] - x[50]) == pytest.approx(2)


def test_pieces_are_joined_by_the_shortest_edges_that_make_them_whole():
    rng = np.random.default_rng(0)
    middles = np.array([[0.0, 0], [10, 0], [25, 0]])
    x = (middles[:, None] + rng.uniform(-1, 1, (3, 8, 2))).reshape(-1, 2).astype(np.float32)
    pieces, apart = floyd_warshall(x, 5)
    assert np.isinf(pieces[0, 8])
    assert np.isinf(pieces[8, 16])
    for a, b in ((0, 1), (1, 2)):  # the third pair is the farthest and stays unjoined
        part = apart[8 * a : 8 * a + 8, 8 * b : 8 * b + 8]
        i, j = np.unravel_index(part.argmin(), part.shape)
        pieces[8 * a + i, 8 * b + j] = pieces[8 * b + j, 8 * a + i] = part.min()
    for k in range(24):
        pieces = np.minimum(pieces, pieces[:, k, None] + pieces[None, k])
    np.testing.assert_allclose(graph.geodesics(x, neighbours=5)["distance"], pieces, rtol=1e-5)


def test_rows_in_one_place_have_no_distance():
    x = np.repeat(np.random.default_rng(0).normal(size=(5, 3)), 4, axis=0).astype(np.float32)
    found = graph.geodesics(x, neighbours=3)["distance"]
    assert np.isfinite(found).all()
    assert found[0, 3] == 0
    assert found[0, 4] > 0
    assert graph.geodesics(x[:1])["distance"].shape == (1, 1)


def test_too_many_rows_are_refused():
    with pytest.raises(
        UserError, match=r"^graph\.geodesics: 20001 rows have too many distances; allowed: at most 20000"
    ):
        graph.geodesics(np.zeros((20001, 1), np.float32))


def test_linear_r2_is_that_of_scikit_learn():
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    rng = np.random.default_rng(0)
    code, new = rng.normal(size=(50, 3)) + 7, rng.normal(size=(20, 3)) + 7
    mix = rng.normal(size=(3, 2))
    y, new_y = (v @ mix + rng.normal(size=(len(v), 2)) for v in (code, new))
    expected = r2_score(new_y, LinearRegression().fit(code, y).predict(new), multioutput="raw_values")
    np.testing.assert_allclose(metrics.linear_r2(code, y, new, new_y), expected, rtol=1e-9)
    assert 0.1 < expected.min() < expected.max() < 0.99


@pytest.mark.parametrize("name", ["swiss_roll", "s_curve"])
def test_coordinates_are_lengths_along_the_sheet_and_stay_with_their_rows(name):
    dataset = data.load(name, scaling="none", rows=1500, noise=0.0)
    for split in (dataset.train, dataset.validation, dataset.test):
        assert split.coordinates.shape == (len(split.x), 2)
        assert split.coordinates.dtype == np.float32
        np.testing.assert_array_equal(split.coordinates[:, 1], split.x[:, 1])
    x, flat = dataset.train.x.astype(np.float64), dataset.train.coordinates.astype(np.float64)
    space, sheet = (np.linalg.norm(v[:, None] - v[None], axis=-1) for v in (x, flat))
    near = (sheet < np.ptp(flat[:, 1]) / 15) & (sheet > 0)
    assert near.sum() > 500
    assert (space <= sheet * (1 + 1e-5) + 1e-5).all()
    assert (space[near] / sheet[near]).min() > 0.99


def test_data_without_a_sheet_have_no_coordinates():
    for name in ("digits", "bars"):
        assert data.load(name).train.coordinates is None


SHRUNK = ("data.rows=900", "data.noise=0.0", "train.steps=800", "train.evaluate_every=800", "task.plain_steps=100")


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "least"), [("", 0.5), (":s_curve", 0.95)])  # a short run is half unrolled
def test_the_shipped_config_unrolls_the_sheet(variant, least, tmp_path):
    figures = f"report.figures={variant == ''}"
    summary = experiment.run(config.load("lecture/manifold" + variant, [*SHRUNK, figures]), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert set(baselines) == {"pca", "isomap", "lle", "plain"}
    names = {"r2_coordinate0", "r2_coordinate1", "trustworthiness", "continuity"}
    assert all(set(found) == names for found in baselines.values())
    assert set(test) == names | {"mse"}
    assert test["r2_coordinate0"] > least
    assert baselines["isomap"]["r2_coordinate0"] > least
    assert min(baselines["pca"].values()) < 0.9
    assert baselines["plain"]["r2_coordinate0"] < test["r2_coordinate0"]
    assert (tmp_path / "figures" / "maps.png").is_file() == (variant == "")
    json.dumps(summary)
