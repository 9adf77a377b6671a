"""Makes aejax/data/bundled/fashion.png, one sheet of 5000 images, from the four files of Fashion-MNIST.

    apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion
    python scripts/make_fashion.py fashion/usr/share/datasets/fashion-mnist

The licence and the attribution are in aejax/data/bundled/fashion.txt.
"""

import argparse
import gzip
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from aejax.data.bundled import FASHION_ACROSS, FASHION_SIDE, FASHION_TRAIN

CLASSES, TEST = 10, 1000
TARGET = Path(__file__).parents[1] / "aejax" / "data" / "bundled" / "fashion.png"


def first_of_each(folder: Path, part: str, count: int) -> np.ndarray:
    """The first images of each class in turn, (count, 28, 28): image i is of class i % 10."""
    read = lambda name, skip: np.frombuffer(gzip.decompress((folder / name).read_bytes()), np.uint8)[skip:]
    x = read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, FASHION_SIDE, FASHION_SIDE)
    labels = read(f"{part}-labels-idx1-ubyte.gz", 8)
    indices = np.stack([np.flatnonzero(labels == label)[: count // CLASSES] for label in range(CLASSES)], 1)
    return x[indices.reshape(-1)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="of the four IDX files")
    parser.add_argument("--to", type=Path, default=TARGET)
    arguments = parser.parse_args()
    parts = {"train": FASHION_TRAIN, "t10k": TEST}
    x = np.concatenate([first_of_each(arguments.folder, part, count) for part, count in parts.items()])
    rows = x.reshape(-1, FASHION_ACROSS, FASHION_SIDE, FASHION_SIDE).swapaxes(1, 2)
    Image.fromarray(rows.reshape(-1, FASHION_ACROSS * FASHION_SIDE)).save(arguments.to, optimize=True)
    print(f"{arguments.to}: {arguments.to.stat().st_size} bytes, content {sha256(x.tobytes()).hexdigest()}")


if __name__ == "__main__":
    main()
