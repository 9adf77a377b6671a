"""Makes aejax/data/bundled/satimage.npz from the data frame `Satellite` of the R package mlbench.

    pip install pyreadr
    apt-get download r-cran-mlbench && dpkg -x r-cran-mlbench_*.deb mlbench
    python scripts/make_satimage.py mlbench/usr/lib/R/site-library/mlbench/data/Satellite.rda

The licence and the attribution are in aejax/data/bundled/satimage.txt.
"""

import argparse
from hashlib import sha256
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "aejax" / "data" / "bundled" / "satimage.npz"
CLASSES = ("red soil", "cotton crop", "grey soil", "damp grey soil", "vegetation stubble", "very damp grey soil")


def main() -> None:
    import pyreadr

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rda", type=Path, help="Satellite.rda of the R package mlbench")
    parser.add_argument("--to", type=Path, default=TARGET)
    arguments = parser.parse_args()
    frame = pyreadr.read_r(str(arguments.rda))["Satellite"]
    values = frame.drop(columns="classes").to_numpy()
    labels = np.array([CLASSES.index(name) for name in frame["classes"]], np.uint8)
    x = values.astype(np.uint8)
    if x.shape != (6435, 36) or not np.array_equal(x, values):
        raise SystemExit(f"{arguments.rda}: not the 6435 × 36 whole numbers that were expected")
    np.savez_compressed(arguments.to, x=x, labels=labels, label_names=np.array(CLASSES))
    digest = sha256(x.tobytes() + labels.tobytes()).hexdigest()
    print(f"{arguments.to}: {arguments.to.stat().st_size} bytes, content {digest}")


if __name__ == "__main__":
    main()
