"""Walks between images: beside loops and known lines, and a run of the shipped config."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from tasking import evaluate, needs

from aejax import config
from aejax.runs import experiment
from aejax.tasks import walk
from aejax.types import Model

POINTS = np.array([[0.0, 0, 5], [2, 0, 5], [0, 4, 5], [9, 9, 9]], np.float32)


def test_between_goes_in_equal_steps_from_end_to_end():
    way = walk.between(POINTS, np.array([[0, 1], [2, 0]]), 5)
    assert way.dtype == np.float32
    np.testing.assert_allclose(way[0], [[0, 0, 5], [0.5, 0, 5], [1, 0, 5], [1.5, 0, 5], [2, 0, 5]])
    np.testing.assert_allclose(way[1], [[0, 4, 5], [0, 3, 5], [0, 2, 5], [0, 1, 5], [0, 0, 5]])


def test_pairs_are_of_two_classes():
    labels = np.array([0, 0, 0, 1, 2])
    found = walk.pairs(np.random.default_rng(0), labels, 5, 300)
    assert found.shape == (300, 2)
    assert (labels[found[:, 0]] != labels[found[:, 1]]).all()
    assert set(found.ravel()) == set(range(5))
    alone = walk.pairs(np.random.default_rng(0), None, 2, 20)
    assert (alone.sum(1) == 1).all()


def circle(angles):
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def test_a_walk_along_the_code_of_a_circle_stays_on_it_and_one_along_the_pixels_does_not():
    """The code is the angle, between 0 and π: the middle of a chord is off the circle by 1 − cos of half its angle."""
    model = Model(
        init=lambda key: {},
        encode=lambda params, x: jnp.arctan2(x[:, 1], x[:, 0])[:, None],
        decode=lambda params, code: jnp.concatenate([jnp.cos(code), jnp.sin(code)], 1),
        apply=None,
        feature_shape=(2,),
        code_size=1,
    )
    train, test = circle(np.linspace(0, np.pi, 2001)), circle(np.linspace(0.1, 3, 8))
    dataset = tasking.dataset(np.concatenate([train, test]), (2001, 2001, 2009), name="arc", names=())
    needs(walk, dataset)
    found = evaluate(walk, jax.random.key(0), model, {}, dataset, walks=30, steps=3)
    assert found.metrics["test"]["distance"] < 1e-3
    assert found.baselines["test rows"]["distance"] < 1e-3
    angles = np.linspace(0.1, 3, 8)[found.arrays["ends"]]
    off = 1 - np.cos((angles[:, 1] - angles[:, 0]) / 2)
    np.testing.assert_allclose(found.arrays["pixel_distances"][:, 1], off, atol=1e-3)
    for number in ("distance", "middle"):
        assert found.baselines["pixels"][number] == pytest.approx(off.mean(), abs=1e-3)
    np.testing.assert_allclose(found.arrays["pixel_distances"][:, [0, 2]], 0, atol=1e-3)


@pytest.mark.slow
def test_the_shipped_config_walks_nearer_to_real_digits_than_pixels_do(tmp_path):
    shrunk = ["train.steps=600", "train.evaluate_every=600", "task.walks=60"]
    summary = experiment.run(config.load("lecture/manifold:digits", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert 0 < test["distance"] < baselines["pixels"]["distance"]
    assert test["distance"] < test["middle"] < baselines["pixels"]["middle"]
    assert (tmp_path / "figures" / "walks.png").stat().st_size > 10_000
