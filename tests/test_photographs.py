import numpy as np

from aejax.data import load
from aejax.data.bundled import whiten


def test_patches_lie_in_the_range_and_have_no_mean_of_their_own():
    dataset = load("natural_patches")
    rows = np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x]).reshape(10_000, 64)
    np.testing.assert_allclose([rows.min(), rows.max()], [0.1, 0.9], rtol=1e-6)
    # the mean of a patch is 0.5 but for the few values that were clipped
    assert np.abs(rows.mean(1) - 0.5).max() < 0.1
    assert abs(rows.mean() - 0.5) < 1e-3


def test_patches_are_the_same_every_time():
    first, second = (load("natural_patches").train.x for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_whitening_flattens_a_spectrum_that_falls_as_one_over_f():
    random = np.random.default_rng(0)
    down, across = np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij")
    frequency = np.hypot(down, across)
    pink = np.fft.ifft2(np.fft.fft2(random.normal(size=(128, 128))) / np.maximum(frequency, 1e-3)).real
    power = np.abs(np.fft.fft2(whiten(pink))) ** 2
    low = power[(frequency > 0.02) & (frequency < 0.08)].mean()
    middle = power[(frequency > 0.1) & (frequency < 0.14)].mean()
    before = np.abs(np.fft.fft2(pink)) ** 2
    assert low / middle < 1.5
    assert (
        before[(frequency > 0.02) & (frequency < 0.08)].mean() / before[(frequency > 0.1) & (frequency < 0.14)].mean()
        > 4
    )
