"""Classical filters for noisy images, each with the settings of which training images choose one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


class Filter(NamedTuple):
    """A way to restore one image.

    Attributes:
        restore: ``(image, setting) -> image``, (height, width, channels) in [0, 1] but for the noise.
        settings: as ``restore`` takes them, for noise of a root mean square of 1 where `scaled`.
        scaled: whether a setting's first number is in units of the noise.
    """

    restore: Callable[[np.ndarray, Any], np.ndarray]
    settings: Sequence[tuple[float, ...]]
    scaled: bool


def median(image: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """The median of a square window."""
    from scipy.ndimage import median_filter

    return median_filter(image, size=(int(setting[0]), int(setting[0]), 1), mode="reflect")


def total_variation(image: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """The image with the least total variation near this one (Chambolle 2004)."""
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=setting[0], channel_axis=-1)


def non_local_means(image: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """Means of pixels weighted by how alike their surroundings are but for the noise (Buades, Coll & Morel 2005)."""
    from skimage.restoration import denoise_nl_means

    noise, share, size, distance, even = setting
    options = {"patch_size": int(size), "patch_distance": int(distance), "fast_mode": bool(even), "channel_axis": -1}
    return denoise_nl_means(image, h=share * noise, sigma=noise, **options)


EVEN = [(1.0, h, *sizes, True) for sizes in ((3, 6), (5, 6), (5, 11)) for h in (0.4, 0.55, 0.7, 0.85)]
CENTRED = [(noise, h, size, 6, False) for noise, h in ((1, 0.7), (1.15, 0.7), (1.25, 0.5)) for size in (3, 5, 7)]
"""Settings of `non_local_means`: the noise it is told, h as a share of that, the side of a patch, how far it looks, and
whether all pixels of a patch count the same (scikit-image's fast mode) or the middle ones more."""

FILTERS = {
    "median": Filter(median, [(3,), (5,)], scaled=False),
    "total_variation": Filter(total_variation, [(0.3,), (0.5,), (0.7,), (0.9,), (1.2,), (1.6,)], scaled=True),
    "non_local_means": Filter(non_local_means, EVEN + CENTRED, scaled=True),
}


def tuned(name: str, clean: np.ndarray, noisy: np.ndarray) -> tuple[float, ...]:
    """The setting of a filter with the lowest squared error on some images.

    Args:
        name: of `FILTERS`.
        clean: (m, height, width, channels).
        noisy: the same shape.
    """
    chosen = FILTERS[name]
    size = float(np.sqrt(np.square(noisy - clean).mean())) if chosen.scaled else 1.0
    settings = [(first * max(size, 1e-6), *rest) for first, *rest in chosen.settings]
    return min(settings, key=lambda setting: float(np.square(restored(name, noisy, setting) - clean).sum()))


def restored(name: str, noisy: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """Every image through a filter: (m, height, width, channels)."""
    return np.stack([FILTERS[name].restore(image, setting).reshape(image.shape) for image in noisy])


def inpainted(images: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Missing values filled by the biharmonic equation, Δ²u = 0 (Damelin & Hoang 2018); the others as they are.

    Args:
        images: (m, height, width, channels); of no account where missing.
        missing: the same shape, bool; a channel that has nothing else stays as it is.
    """
    from skimage.restoration import inpaint_biharmonic

    filled = images.copy()
    for image, gone in zip(filled, missing, strict=True):
        for channel in range(image.shape[-1]):
            if gone[..., channel].any() and not gone[..., channel].all():
                image[..., channel] = inpaint_biharmonic(image[..., channel], gone[..., channel])
    return filled
