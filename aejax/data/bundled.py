"""Data sets that come with the installation and need no network, and images of two levels made of others."""

import importlib.util
from pathlib import Path

import numpy as np

from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

SIDE, PATCHES, SEED = 8, 10_000, 0
GREY_SIDE, GREY_TRAIN, GREY_TEST = 32, 6000, 500
CUT = 0.3  # f₀, in cycles per pixel; the highest frequency there is has 0.5 along a side
BINARY_SEED, BLOCK = 0, 4096
FASHION_SIDE, FASHION_TRAIN, FASHION_ACROSS = 28, 4000, 100  # pixels, training images, images in a row of the sheet
SATIMAGE_TRAIN = 4435  # rows; the Statlog project trained on these and tested on the other 2000


def digits() -> Raw:
    """Handwritten digits: 1797 images of 8×8 with 17 grey levels, from UCI, as scikit-learn ships them.

    Returns:
        The rows; x is (1797, 8, 8, 1) uint8 in 0…16.
    """
    # Importing scikit-learn takes seconds; reading the file that lies in it takes milliseconds.
    table = np.loadtxt(_shipped("sklearn") / "data" / "digits.csv.gz", delimiter=",", dtype=np.float32)
    x = table[:, :64].astype(np.uint8).reshape(-1, 8, 8, 1)
    return Raw(
        train=Split(x, labels=table[:, 64].astype(np.int32)),
        kind="image",
        licence="CC BY 4.0",
        source="UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, doi 10.24432/C50P49)",
        bounds=(0, 16),
        label_names=tuple(map(str, range(10))),
    )


def _shipped(package: str) -> Path:
    """The folder of the data that scikit-learn or scikit-image ships."""
    folder = Path(importlib.util.find_spec(package).origin).parent
    return folder / "data" if package == "skimage" else folder / "datasets"


def satimage() -> Raw:
    """Landsat pixels: 6435 neighbourhoods of 3×3 pixels in 4 spectral bands, and the ground in the middle.

    Returns:
        The rows in the order of the Statlog project, whose last 2000 are the test rows; x is float32 in 27…157.
    """
    with np.load(Path(__file__).parent / "bundled" / "satimage.npz") as file:
        x, labels, names = file["x"].astype(np.float32), file["labels"].astype(np.int32), file["label_names"]
    return Raw(
        train=Split(x[:SATIMAGE_TRAIN], labels=labels[:SATIMAGE_TRAIN]),
        test=Split(x[SATIMAGE_TRAIN:], labels=labels[SATIMAGE_TRAIN:]),
        kind="table",
        licence="CC BY 4.0",
        source="UCI Statlog (Landsat Satellite) (Srinivasan 1993, doi 10.24432/C55887)",
        label_names=tuple(map(str, names)),
        feature_names=tuple(f"pixel {p} band {b}" for p in range(1, 10) for b in range(1, 5)),
    )


def fashion() -> Raw:
    """Pictures of clothes: 5000 grey images of 28×28 in ten classes, a part of Fashion-MNIST.

    Returns:
        The first 4000 to train on, 400 of each class, and 1000 test images, 100 of each, in the parts that
        Fashion-MNIST has them in; x is uint8 in 0…255.
    """
    from PIL import Image

    from aejax.data.published.mnist import PUBLISHED

    clothes, side = PUBLISHED["fashion_mnist"], FASHION_SIDE
    with Image.open(Path(__file__).parent / "bundled" / "fashion.png") as sheet:
        x = np.asarray(sheet).reshape(-1, side, FASHION_ACROSS, side).swapaxes(1, 2).reshape(-1, side, side, 1)
    labels = np.arange(len(x), dtype=np.int32) % len(clothes.label_names)
    return Raw(
        train=Split(x[:FASHION_TRAIN], labels=labels[:FASHION_TRAIN]),
        test=Split(x[FASHION_TRAIN:], labels=labels[FASHION_TRAIN:]),
        kind="image",
        licence=clothes.licence,
        source=f"5000 images of Fashion-MNIST ({clothes.citation})",
        bounds=(0, 255),
        label_names=clothes.label_names,
    )


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
    paths = [_shipped("sklearn") / "images" / name for name in ("china.jpg", "flower.jpg")]
    images = [whiten(_grey(path, 2).astype(np.float64)) for path in paths]
    random = np.random.Generator(np.random.Philox(SEED))
    patches = _patches(images, PATCHES, SIDE, random).astype(np.float32)
    patches -= patches.mean((1, 2, 3), keepdims=True)
    limit = 3 * patches.std()
    return Raw(
        train=Split((np.clip(patches / limit, -1, 1) + 1) * 0.4 + 0.1),
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
    first, second = _shipped("skimage"), _shipped("sklearn") / "images"
    train = [first / name for name in ("astronaut.png", "coffee.png", "coins.png", "rocket.jpg")]
    train += [second / name for name in ("china.jpg", "flower.jpg")]
    test = [first / name for name in ("camera.png", "chelsea.png")]
    random = np.random.Generator(np.random.Philox(SEED))
    return Raw(
        train=Split(_patches(list(map(_grey, train)), GREY_TRAIN, GREY_SIDE, random)),
        test=Split(_patches(list(map(_grey, test)), GREY_TEST, GREY_SIDE, random)),
        kind="image",
        licence="public domain, CC BY 2.0",
        source="patches of photographs that scikit-image and scikit-learn ship: to train on astronaut, coffee, coins, "
        "rocket, china.jpg (danielbuechele) and flower.jpg (vultilion); to test on camera and chelsea",
        bounds=(0, 255),
    )


def _patches(images: list[np.ndarray], count: int, side: int, random: np.random.Generator) -> np.ndarray:
    """Squares at random places of images in turn, (count, side, side, 1)."""
    patches = []
    for index in range(count):
        image = images[index % len(images)]
        row, column = (int(random.random() * (length - side + 1)) for length in image.shape)
        patches.append(image[row : row + side, column : column + side, None])
    return np.stack(patches)


def _grey(path: Path, factor: int = 1) -> np.ndarray:
    """A photograph in levels of grey, uint8, its sides divided by a factor."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L").reduce(factor))


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


def binarised(raw: Raw, name: str) -> Raw:
    """Each value becomes 1 with the probability (x − low) / (high − low), else 0; drawn once, the same each time.

    Args:
        raw: images whose least and greatest possible value are known.
        name: of the data, for the error.

    Returns:
        The same rows as uint8 values 0 and 1.

    Raises:
        UserError: no images, or of unknown range.

    References:
        Salakhutdinov & Murray 2008, On the quantitative analysis of deep belief networks, section 6 (digits).
    """
    if raw.kind != "image" or raw.bounds is None:
        raise UserError(f"data.name: binary:{name} would need images whose range is known; allowed: binary:digits")
    random = np.random.Generator(np.random.Philox(BINARY_SEED))
    low, high = raw.bounds

    def draw(split: Split) -> Split:
        x = np.empty(split.x.shape, np.uint8)
        for start in range(0, len(x), BLOCK):
            share = (np.asarray(split.x[start : start + BLOCK], np.float32) - low) / (high - low)
            x[start : start + BLOCK] = random.random(share.shape, np.float32) < share
        return split._replace(x=x)

    train = draw(raw.train)
    test = None if raw.test is None else draw(raw.test)
    return raw._replace(train=train, test=test, bounds=(0, 1), reading=None, source=f"{raw.source}, binarised")
