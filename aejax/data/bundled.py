"""Data sets that come with the installation and need no network."""

import importlib.util
from pathlib import Path

import numpy as np

from aejax.data.splits import Raw
from aejax.types import Split

SATIMAGE_TRAIN = 4435  # rows; the Statlog project trained on these and tested on the other 2000


def digits() -> Raw:
    """Handwritten digits: 1797 images of 8×8 with 17 grey levels, from UCI, as scikit-learn ships them.

    Returns:
        The rows; x is (1797, 8, 8, 1) uint8 in 0…16.
    """
    table = _digits_table()
    x = table[:, :64].astype(np.uint8).reshape(-1, 8, 8, 1)
    return Raw(
        train=Split(x, labels=table[:, 64].astype(np.int32)),
        test=None,
        kind="image",
        licence="CC BY 4.0",
        source="UCI Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, doi 10.24432/C50P49)",
        bounds=(0, 16),
        label_names=tuple(map(str, range(10))),
    )


def _digits_table() -> np.ndarray:
    # Importing scikit-learn takes seconds; reading the file that lies in it takes milliseconds.
    package = importlib.util.find_spec("sklearn")
    if package is not None and package.origin is not None:
        path = Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            return np.loadtxt(path, delimiter=",", dtype=np.float32)
    from sklearn.datasets import load_digits

    found = load_digits()
    return np.column_stack([found.data, found.target])


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
