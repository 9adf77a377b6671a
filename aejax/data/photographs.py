"""Patches of photographs: whitened as for the sparse autoencoder of the UFLDL tutorial, and as they are."""

from pathlib import Path

import numpy as np

from aejax.data.splits import Raw
from aejax.types import Split

SIDE, PATCHES, SEED = 8, 10_000, 0
GREY_SIDE, GREY_TRAIN, GREY_TEST = 32, 6000, 500
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
        patches[index, ..., 0] = _cut(images[index % len(images)], SIDE, random)
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


def photographs() -> Raw:
    """6500 grey patches of 32×32 of eight photographs; those of two of them are the test rows.

    Patches lie at random places and may overlap; the photographs take turns, in the training rows and in the test rows.

    Returns:
        The rows; x is (6000, 32, 32, 1) uint8 of the six photographs to train on, and (500, 32, 32, 1) of the others.
    """
    from importlib.util import find_spec

    package = lambda name: Path(find_spec(name).origin).parent
    first, second = package("skimage") / "data", package("sklearn") / "datasets" / "images"
    train = [first / name for name in ("astronaut.png", "coffee.png", "coins.png", "rocket.jpg")]
    train += [second / name for name in ("china.jpg", "flower.jpg")]
    test = [first / name for name in ("camera.png", "chelsea.png")]
    random = np.random.Generator(np.random.Philox(SEED))
    return Raw(
        train=Split(_grey_patches(train, GREY_TRAIN, random)),
        test=Split(_grey_patches(test, GREY_TEST, random)),
        kind="image",
        licence="public domain, CC BY 2.0",
        source="patches of photographs that scikit-image and scikit-learn ship: to train on astronaut, coffee, coins, "
        "rocket, china.jpg (danielbuechele) and flower.jpg (vultilion); to test on camera and chelsea",
        bounds=(0, 255),
    )


def _grey_patches(paths: list[Path], count: int, random: np.random.Generator) -> np.ndarray:
    """Patches of photographs in turn, (count, 32, 32, 1) uint8."""
    from PIL import Image

    images = []
    for path in paths:
        with Image.open(path) as image:
            images.append(np.asarray(image.convert("L")))
    turns = [images[index % len(images)] for index in range(count)]
    return np.stack([_cut(image, GREY_SIDE, random) for image in turns])[..., None]


def _cut(image: np.ndarray, side: int, random: np.random.Generator) -> np.ndarray:
    """A square of an image at a random place."""
    row, column = (int(random.random() * (length - side + 1)) for length in image.shape)
    return image[row : row + side, column : column + side]


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
