"""The latent space: ways around a circle, a grid, moves between heaps, refusals, and a run of the shipped config."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from tasking import evaluate, needs

from aejax import config
from aejax.runs import experiment
from aejax.tasks import latent
from aejax.types import Model

ENDS = np.array([[0, 1], [1, 0], [0, 2], [0, 0]])


def test_spherical_ways_turn_at_a_constant_rate_and_keep_to_their_circle():
    centre = np.array([5.0, -2])
    points = (centre + 3 * np.array([[1, 0], [0, 1], [-1, 0]])).astype(np.float32)
    ways = latent.spherical(points, ENDS, 4, centre=centre)
    angles = np.array([0, 30, 60, 90]) * np.pi / 180
    np.testing.assert_allclose(ways[0], centre + 3 * np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-5)
    np.testing.assert_allclose(ways[1], ways[0][::-1], atol=1e-5)
    straight = centre + 3 * np.array([[1, 0], [1 / 3, 0], [-1 / 3, 0], [-1, 0]])
    np.testing.assert_allclose(ways[2], straight, atol=1e-5)
    np.testing.assert_allclose(ways[3], np.tile(points[0], (4, 1)), atol=1e-5)


def test_lengths_of_spherical_ways_go_from_one_to_the_other():
    points = np.array([[2.0, 0, 0], [0, 8, 0]], np.float32)
    (way,) = latent.spherical(points, ENDS[:1], 3, centre=np.zeros(3))
    np.testing.assert_allclose(way, [[2, 0, 0], [2**0.5, 8 / 2**0.5, 0], [0, 8, 0]], atol=1e-5)


def test_a_grid_spans_the_middle_of_the_codes():
    codes = np.random.default_rng(0).uniform([0, 10], [1, 12], (5000, 2)).astype(np.float32)
    found = latent.grid(codes, 3).reshape(3, 3, 2)
    np.testing.assert_allclose(found[0, 0], [0.02, 11.96], atol=0.02)
    np.testing.assert_allclose(found[2, 2], [0.98, 10.04], atol=0.02)
    np.testing.assert_allclose(found[1, 1], [0.5, 11], atol=0.02)


def test_a_grid_of_a_wider_code_lies_in_its_leading_plane():
    rng = np.random.default_rng(0)
    codes = (rng.normal(size=(500, 2)) @ np.array([[3.0, 0, 4, 0], [0, 2, 0, 0]]) + 1).astype(np.float32)
    found = latent.grid(codes, 5) - 1
    np.testing.assert_allclose(found[:, 3], 0, atol=1e-5)
    np.testing.assert_allclose(found[:, 0] * 4, found[:, 2] * 3, atol=1e-4)


def heaps(rows, shift=0.0):
    """Two classes on two circles of radius 1 around (−5, 0) and (5, 0); the code is the place itself."""
    labels, angles = np.arange(rows) % 2, np.linspace(0, 20, rows) + shift
    return np.stack([np.cos(angles) + 10 * labels - 5, np.sin(angles)], 1).astype(np.float32), labels.astype(np.int32)


@pytest.mark.parametrize("labels", [True, False])
def test_moves_between_two_heaps_arrive(labels):
    same = lambda params, values: jnp.asarray(values)
    model = Model(lambda key: {}, same, same, None, (2,), 2)
    x, classes = map(np.concatenate, zip(heaps(400), heaps(30, 0.1), strict=True))
    dataset = tasking.dataset(x, (400, 400, 430), name="heaps", labels=classes if labels else None)
    needs(latent, dataset, model)
    found = evaluate(latent, jax.random.key(0), model, {}, dataset, walks=20, steps=5, side=4)
    test, baselines = found.metrics["test"], found.baselines
    assert test["distance"] == pytest.approx(baselines["pixels"]["distance"], rel=1e-5)
    assert baselines["test rows"]["distance"] == baselines["decoded test rows"]["distance"] < 0.1
    assert baselines["random points"]["distance"] > 1
    assert found.arrays["grid"].shape == (4, 4, 2)
    if labels:
        assert test["moved"] == baselines["pixels"]["moved"] == baselines["decoded test rows"]["moved"] == 1
        assert test["distance"] > 1
    else:
        assert set(test) == {"distance"}
        assert "moved" not in found.arrays


@pytest.mark.slow
def test_the_shipped_config_runs_and_draws(tmp_path):
    shrunk = ["train.steps=600", "train.evaluate_every=600", "task.walks=50"]
    summary = experiment.run(config.load("lecture/latent", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert 0 < test["distance"] < baselines["pixels"]["distance"]
    assert test["moved"] > 0.4
    for picture in ("grid", "walks", "random", "moved"):
        assert (tmp_path / "figures" / f"{picture}.png").stat().st_size > 10_000
