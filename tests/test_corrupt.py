"""Every corruption: purity, traced hyperparameters, and its distribution against closed forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from aejax import fit, losses
from aejax.data import corrupt
from aejax.errors import UserError
from aejax.models.unet import unet

key = lambda: jax.random.key(11)  # a new one for each use: no key is used twice
X = jax.random.uniform(jax.random.key(12), (200, 8, 8, 1), minval=0.1, maxval=0.9)
MEMBERS = {
    "none": (corrupt.none, {}),
    "gaussian": (corrupt.gaussian, {"scale": 0.3}),
    "masking": (corrupt.masking, {"probability": 0.3}),
    "salt_and_pepper": (corrupt.salt_and_pepper, {"probability": 0.3}),
    "dropout": (corrupt.dropout, {"probability": 0.3}),
    "missing": (corrupt.missing, {"probability": 0.3}),
    "patches": (corrupt.patches, {"share": 0.3}),
    "missing_patches": (corrupt.missing_patches, {"share": 0.3}),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_pure_traced_and_of_the_same_shape_and_type(name):
    function, hyperparameters = MEMBERS[name]
    eager = function(key(), X, **hyperparameters)
    jitted = jax.jit(function)(key(), X, **{k: jnp.float32(v) for k, v in hyperparameters.items()})
    np.testing.assert_allclose(eager, jitted, rtol=1e-6, atol=1e-6)
    assert eager.shape == X.shape
    assert eager.dtype == X.dtype
    half = function(key(), X.astype(jnp.bfloat16), **hyperparameters)
    assert half.dtype == jnp.bfloat16


@pytest.mark.parametrize("name", [n for n in MEMBERS if n != "none"])
def test_swept_by_vmap_equals_a_loop_and_zero_leaves_the_rows_alone(name):
    function, hyperparameters = MEMBERS[name]
    (argument,) = hyperparameters
    values = jnp.array([0.0, 0.2, 0.7])
    together = jax.vmap(lambda v: function(key(), X, **{argument: v}))(values)
    for value, found in zip(values, together, strict=True):
        np.testing.assert_allclose(found, function(key(), X, **{argument: value}), rtol=1e-6)
    np.testing.assert_array_equal(together[0], X)
    assert not np.array_equal(together[1], function(jax.random.key(13), X, **{argument: 0.2}))


def test_none_is_the_identity():
    np.testing.assert_array_equal(corrupt.none(key(), X), X)


def test_gaussian_noise_has_its_deviation_and_no_mean():
    noise = np.asarray(corrupt.gaussian(key(), X, scale=0.3) - X, np.float64)
    n = noise.size
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(n)
    assert noise.std() == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(2 * n))
    assert len(np.unique(noise.round(7))) > 0.9 * n


def test_gaussian_noise_between_two_strengths_has_one_of_its_own_in_each_row():
    x = jnp.zeros((400, 16, 16, 1))
    drawn = jax.jit(corrupt.gaussian_between)(key(), x, least=jnp.float32(0.1), most=jnp.float32(0.3))
    strengths = np.asarray(drawn, np.float64).reshape(400, -1).std(1)
    expected = np.linspace(0.1, 0.3, 400)  # the quantiles of a uniform distribution
    np.testing.assert_allclose(np.sort(strengths), expected, atol=0.03)
    assert np.abs(np.asarray(drawn, np.float64).mean()) < 4 * 0.3 / np.sqrt(drawn.size)
    one = corrupt.gaussian_between(key(), X, least=0.3, most=0.3)
    assert np.asarray(one - X, np.float64).std() == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(2 * X.size))
    np.testing.assert_array_equal(corrupt.gaussian_between(key(), X, least=0.0, most=0.0), X)
    assert corrupt.gaussian_between(key(), X.astype(jnp.bfloat16)).dtype == jnp.bfloat16


def test_masking_sets_values_to_zero_and_leaves_the_others():
    found = np.asarray(corrupt.masking(key(), X, probability=0.3))
    gone = found == 0
    np.testing.assert_array_equal(found[~gone], np.asarray(X)[~gone])
    assert gone.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / gone.size))
    assert gone.reshape(200, -1).mean(1).std() > 0  # values, not whole rows


def test_salt_and_pepper_are_equally_frequent():
    found = np.asarray(corrupt.salt_and_pepper(key(), X, probability=0.3))
    for extreme in (0, 1):
        assert (found == extreme).mean() == pytest.approx(0.15, abs=0.02)
    rest = (found != 0) & (found != 1)
    np.testing.assert_array_equal(found[rest], np.asarray(X)[rest])
    signed = np.asarray(corrupt.salt_and_pepper(key(), X, probability=1.0, low=-1.0, high=2.0))
    assert set(np.unique(signed).tolist()) == {-1.0, 2.0}


def test_dropout_keeps_the_mean():
    found = np.asarray(corrupt.dropout(key(), X, probability=0.5))
    kept = found != 0
    np.testing.assert_allclose(found[kept], 2 * np.asarray(X)[kept], rtol=1e-6)
    assert found.mean() == pytest.approx(float(X.mean()), rel=0.05)


@pytest.mark.parametrize("function", [corrupt.masking, corrupt.dropout])
def test_probability_one_leaves_nothing_and_no_nan(function):
    for run in (function, jax.jit(function)):
        np.testing.assert_array_equal(run(key(), X, probability=1.0), jnp.zeros_like(X))


@pytest.mark.parametrize("name", [n for n in MEMBERS if n not in ("none", "gaussian")])
def test_gradients_with_respect_to_the_rows_are_finite(name):
    function, hyperparameters = MEMBERS[name]
    gradient = jax.grad(lambda x: partial(function, **hyperparameters)(key(), x).sum())(X)
    assert bool(jnp.isfinite(gradient).all())


AUGMENTATIONS = {
    "flip": (corrupt.flip, {"probability": 1.0}),
    "rotate": (corrupt.rotate, {"degrees": 20.0}),
    "translate": (corrupt.translate, {"pixels": 2.0}),
    "augment": (corrupt.augment, {"flip": 1.0, "degrees": 20.0, "pixels": 2.0, "noise": 0.1}),
}


def test_every_augmentation_is_named_as_one():
    assert set(AUGMENTATIONS) == set(corrupt.AUGMENTING)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmentations_give_the_target_and_the_input(name):
    function, hyperparameters = AUGMENTATIONS[name]
    x, x_in = function(key(), X, **hyperparameters)
    traced, _ = jax.jit(function)(key(), X, **{k: jnp.float32(v) for k, v in hyperparameters.items()})
    np.testing.assert_allclose(x, traced, atol=1e-4)
    assert x.shape == x_in.shape == X.shape
    assert x.dtype == x_in.dtype == X.dtype
    assert x.min() >= 0.1
    assert x.max() <= 0.9
    assert (np.asarray(x) != np.asarray(X)).mean() > 0.5
    np.testing.assert_array_equal(function(key(), X, **dict.fromkeys(hyperparameters, 0.0))[0], X)
    assert (name == "augment") == (np.asarray(x) != np.asarray(x_in)).any()
    with pytest.raises(UserError, match=f"{name} is of images, and these rows are 64"):
        function(key(), X.reshape(-1, 64), **hyperparameters)


def test_an_image_is_mirrored_turned_and_moved_as_scipy_does():
    from scipy import ndimage

    np.testing.assert_array_equal(corrupt.flip(key(), X, probability=1.0)[0], X[:, :, ::-1])
    share = np.asarray(jax.random.uniform(key(), (3, len(X)), minval=-1.0, maxval=1.0), np.float64)
    turned, moved = corrupt.rotate(key(), X, degrees=30.0)[0], corrupt.translate(key(), X, pixels=2.0)[0]
    for row in range(5):
        image = np.asarray(X[row, ..., 0], np.float64)
        by_scipy = ndimage.rotate(image, 30 * share[0, row], reshape=False, order=1, mode="nearest")
        np.testing.assert_allclose(turned[row, ..., 0], by_scipy, atol=1e-4)
        by_scipy = ndimage.shift(image, 2 * share[1:, row], order=1, mode="nearest")
        np.testing.assert_allclose(moved[row, ..., 0], by_scipy, atol=1e-4)


def test_the_loss_of_an_augmented_image_is_that_of_what_it_became():
    """A net that gives its input back has no error though the images are mirrored, as it has of another target."""
    model = unet((8, 8, 1), channels=(4,), patch=1)  # begins near the identity
    mirrored = partial(corrupt.flip, probability=1.0)
    errors = {}
    for name, corruption in {"both": mirrored, "input": lambda key, x: mirrored(key, x)[1]}.items():
        fitted = fit(model, losses.squared_error(), np.asarray(X), corruption=corruption, steps=1)
        errors[name] = float(fitted.history["train_loss"][0])
        assert float(fitted.history["validation_mse"][0]) < 0.01, "of the images as they are"
    assert errors["both"] < 0.05 * errors["input"]


def test_an_augmentation_needs_whole_images():
    x = np.where(np.asarray(X) > 0.85, np.nan, X)
    model = unet((8, 8, 1), channels=(4,), patch=1, holes=True)
    with pytest.raises(UserError, match="an augmentation needs whole images that are their own target"):
        fit(model, losses.squared_error(), x, corruption=corrupt.flip, steps=1)
