"""Synthetic data against float64 formulas and against what is known of the distributions."""

import jax
import numpy as np
import pytest

from aejax.data import synthetic
from aejax.errors import UserError

key = lambda: jax.random.key(3)  # a new one for each use: no key is used twice
MAKERS = [synthetic.swiss_roll, synthetic.s_curve, synthetic.bars, synthetic.clusters]


@pytest.mark.parametrize("make", MAKERS)
def test_jitted_equals_eager_and_the_key_is_all_that_matters(make):
    x, second = make(key(), 50)
    again, _ = jax.jit(make, static_argnums=1)(key(), 50)
    other, _ = make(jax.random.key(4), 50)
    np.testing.assert_allclose(x, again, atol=1e-5)
    assert not np.array_equal(x, other)
    assert len(x) == len(second) == 50
    assert x.dtype == np.float32


def test_swiss_roll_lies_on_its_sheet():
    x, coordinates = map(np.asarray, synthetic.swiss_roll(key(), 500))
    t, h = coordinates.astype(np.float64).T
    np.testing.assert_allclose(x, np.stack([t * np.cos(t), h, t * np.sin(t)], 1), atol=1e-4)
    assert 1.5 * np.pi <= t.min() < 1.6 * np.pi
    assert 4.4 * np.pi < t.max() <= 4.5 * np.pi
    assert 0 <= h.min() < 1
    assert 20 < h.max() <= 21


def test_s_curve_lies_on_its_sheet():
    x, coordinates = map(np.asarray, synthetic.s_curve(key(), 500))
    t, h = coordinates.astype(np.float64).T
    np.testing.assert_allclose(x, np.stack([np.sin(t), h, np.sign(t) * (np.cos(t) - 1)], 1), atol=1e-5)
    # Two circles of radius 1 that touch in the origin: centres (0, -1) and (0, 1).
    radius = np.hypot(x[:, 0], x[:, 2] + np.sign(t))
    np.testing.assert_allclose(radius, 1, atol=1e-5)
    assert t.min() < -1.4 * np.pi
    assert t.max() > 1.4 * np.pi


@pytest.mark.parametrize("make", [synthetic.swiss_roll, synthetic.s_curve])
def test_noise_is_added_to_the_same_points(make):
    clean, a = make(key(), 4000)
    noisy, b = make(key(), 4000, noise=0.3)
    np.testing.assert_array_equal(a, b)
    difference = np.asarray(noisy - clean, np.float64)
    np.testing.assert_allclose(difference.std(0), 0.3, rtol=0.05)
    np.testing.assert_allclose(difference.mean(0), 0, atol=0.02)


def test_bars_are_drawn_where_they_are_said_to_be():
    x, there = map(np.asarray, synthetic.bars(key(), 200, size=5, probability=0.3))
    for image, bars in zip(x[..., 0], there, strict=True):
        expected = np.zeros((5, 5))
        for i in range(5):
            if bars[i]:
                expected[i, :] = 1
            if bars[5 + i]:
                expected[:, i] = 1
        np.testing.assert_array_equal(image, expected)
    assert there.mean() == pytest.approx(0.3, abs=0.04)


def test_two_bars_on_average():
    _, there = synthetic.bars(key(), 4000, size=8)
    assert np.asarray(there).sum(1).mean() == pytest.approx(2, abs=0.1)


def test_clusters_are_round_and_of_equal_size_on_average():
    x, label = map(np.asarray, synthetic.clusters(key(), 8000, classes=3, features=2, noise=0.2))
    assert set(label.tolist()) == {0, 1, 2}
    for c in range(3):
        members = x[label == c].astype(np.float64)
        assert len(members) == pytest.approx(8000 / 3, rel=0.1)
        np.testing.assert_allclose(np.cov(members.T), 0.04 * np.eye(2), atol=0.004)
        assert np.abs(members.mean(0)).max() < 1.02


def test_the_path_of_lorenz_is_that_of_another_integrator():
    from scipy.integrate import solve_ivp

    start = np.array([1.5, 1.2, 25.3])
    flow = lambda _, p: [10 * (p[1] - p[0]), p[0] * (28 - p[2]) - p[1], p[0] * p[1] - 8 / 3 * p[2]]
    expected = solve_ivp(flow, (0, 1), start, t_eval=np.arange(101) / 100, rtol=1e-11, atol=1e-11).y.T
    np.testing.assert_allclose(synthetic.lorenz_path(start, 101), expected, atol=2e-4)


def test_a_tenth_of_the_series_of_lorenz_is_shuffled():
    x, odd = synthetic.lorenz(key(), 400)
    assert np.flatnonzero(odd).tolist() == list(range(320, 360))
    assert np.linalg.matrix_rank(x, tol=1e-3) == 3
    jumps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    assert np.median(jumps[320:359]) > 1.5 * np.median(jumps[:320])
    noisy, _ = synthetic.lorenz(key(), 400, noise=0.5)
    assert (noisy - x).std() == pytest.approx(0.5, rel=0.05)


def test_a_series_is_trained_on_from_its_beginning():
    raw = synthetic.load_synthetic("lorenz", 200, None)
    whole, _ = synthetic.lorenz(jax.random.key(0), 200)
    np.testing.assert_array_equal(np.concatenate([raw.train.x, raw.test.x]), whole)
    assert len(raw.train.x) == 140
    assert raw.train.labels.sum() == 0
    assert raw.test.labels.sum() == 20
    with pytest.raises(UserError, match=r"^data.rows: 19 rows are no series; allowed for lorenz: 20 or more$"):
        synthetic.load_synthetic("lorenz", 19, None)
