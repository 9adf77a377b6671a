"""Patches of natural photographs, whitened as for the sparse autoencoder of the UFLDL tutorial."""

from pathlib import Path

import numpy as np

from aejax.data.splits import Raw
from aejax.types import Split

SIDE, PATCHES, SEED = 8, 10_000, 0
CUT = 0.3  # f₀, in cycles per pixel; the highest frequency there is has 0.5 along a side


def natural_patches() -> Raw:
    """10,000 patches of 8×8 from the two photographs that scikit-learn ships, whitened, in [0.1, 0.9].

    Each photograph is made grey and half as large (which averages the blocks of its JPEG away), whitened by the
    filter f·exp(−(f/f₀)⁴) and cut at random places; of each patch its own mean is subtracted; values are clipped at
    ±3 standard deviations of all and mapped to [0.1, 0.9].

    Returns:
        The rows; x is (10000, 8, 8, 1) float32.

    References:
        Olshausen & Field 1997, Sparse coding with an overcomplete basis set, Methods (the filter). UFLDL tutorial,
        exercise "Sparse autoencoder", ``sampleIMAGES`` (patches, clipping, range).
    """
    images = [whiten(image) for image in _photographs()]
    random = np.random.Generator(np.random.Philox(SEED))
    patches = np.empty((PATCHES, SIDE, SIDE, 1), np.float32)
    for index in range(PATCHES):
        image = images[index % len(images)]
        row, column = (int(random.random() * (length - SIDE + 1)) for length in image.shape)
        patches[index, ..., 0] = image[row : row + SIDE, column : column + SIDE]
    patches -= patches.mean((1, 2, 3), keepdims=True)
    limit = 3 * patches.std()
    return Raw(
        train=Split((np.clip(patches / limit, -1, 1) + 1) * 0.4 + 0.1),
        test=None,
        kind="image",
        licence="CC BY 2.0",
        source="patches of china.jpg (danielbuechele) and flower.jpg (vultilion), flickr.com, from scikit-learn",
        bounds=(0, 1),
    )


def whiten(image: np.ndarray) -> np.ndarray:
    """Flatten the spectrum of a photograph, which falls as 1/f, and cut its noisy end: times f·exp(−(f/f₀)⁴).

    Args:
        image: (height, width).

    Returns:
        (height, width), mean 0, standard deviation 1.
    """
    down, across = np.meshgrid(*(np.fft.fftfreq(length) for length in image.shape), indexing="ij")
    frequency = np.hypot(down, across)
    flat = np.fft.ifft2(np.fft.fft2(image) * frequency * np.exp(-((frequency / CUT) ** 4))).real
    return flat / flat.std()


def _photographs() -> list[np.ndarray]:
    from importlib.util import find_spec

    from PIL import Image

    folder = Path(find_spec("sklearn").origin).parent / "datasets" / "images"
    images = []
    for name in ("china.jpg", "flower.jpg"):
        with Image.open(folder / name) as image:
            images.append(np.asarray(image.convert("L").reduce(2), np.float64))
    return images
