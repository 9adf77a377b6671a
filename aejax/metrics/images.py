"""Metrics of restored images: peak signal-to-noise ratio, structural similarity, share of the error removed."""

import chex
import numpy as np


def psnr(x: np.ndarray, x_hat: np.ndarray, *, peak: float = 1.0) -> float:
    """Peak signal-to-noise ratio from the error of all images together: 10 log₁₀(peak² / mean (x − x̂)²).

    Args:
        x: (m, …) clean images.
        x_hat: the same shape; values are not clipped.
        peak: the largest possible value less the smallest.

    Returns:
        Decibels; infinite where there is no error.
    """
    error = _mean_square(x, x_hat)
    return float(10 * np.log10(peak**2 / error)) if error else float("inf")


def ssim(x: np.ndarray, x_hat: np.ndarray, *, peak: float = 1.0) -> float:
    """Mean structural similarity of images, scikit-image's with its window of 7×7.

    Args:
        x: (m, height, width, channels) clean images, of 7×7 pixels or more.
        x_hat: the same shape.
        peak: the largest possible value less the smallest.

    Returns:
        At most 1, where the images are the same.

    References:
        Wang et al. 2004, Image quality assessment, equation 13.
    """
    from skimage.metrics import structural_similarity

    x, x_hat = x.astype(np.float64), x_hat.astype(np.float64)
    pairs = zip(x, x_hat, strict=True)
    return float(np.mean([structural_similarity(a, b, data_range=peak, channel_axis=-1) for a, b in pairs]))


def error_removed(x: np.ndarray, noisy: np.ndarray, x_hat: np.ndarray) -> float:
    """The share of the noise's squared error that is gone: 1 − Σ (x − x̂)² / Σ (x − noisy)².

    Args:
        x: (m, …) clean images.
        noisy: the same shape.
        x_hat: the same shape.

    Returns:
        At most 1; negative where more error was made than removed; nan where there was none.
    """
    before = _mean_square(x, noisy)
    return float(1 - _mean_square(x, x_hat) / before) if before else float("nan")


def spread_outside(kernel: np.ndarray, still: np.ndarray) -> float:
    """How much filters vary over the pixels that never change, beside how much they vary over all pixels.

    Of each filter the standard deviation of its weights over those pixels, divided by that over all. The median over
    the filters: those of units that saturate at the beginning are never learned.

    Args:
        kernel: (n, units) weights of a first layer.
        still: (n,) bool, the pixels that are the same in all images.

    Returns:
        0 where the filters are constant there; near 1 where their weights are as random there as elsewhere; nan where
        fewer than two pixels are still.
    """
    if still.sum() < 2:
        return float("nan")
    kernel = kernel.astype(np.float64)
    return float(np.median(kernel[still].std(0) / np.maximum(kernel.std(0), 1e-300)))


def _mean_square(a: np.ndarray, b: np.ndarray) -> float:
    chex.assert_equal_shape([a, b])
    return float(np.square(a.astype(np.float64) - b.astype(np.float64)).mean())
