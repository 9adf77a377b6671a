"""The Olivetti faces, from a file at hand or through scikit-learn's loader."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.data import cache
from aejax.data.array_files import load_arrays
from aejax.data.published import Family, Options, downloading, save
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

SHAPE, PEOPLE, LEVELS = (400, 64, 64), 40, 242
SOURCE = "Olivetti faces, AT&T Laboratories Cambridge (Samaria and Harter 1994)"


def _raw(name: str, arrays: cache.Arrays, details: Mapping[str, Any], options: Options) -> Raw:
    """400 faces of 40 people, ten each, 64×64 in 243 levels of grey; the labels are the people."""
    return Raw(
        train=Split(arrays["x"], labels=np.asarray(arrays["labels"])),
        kind="image",
        licence="research use",
        source=SOURCE,
        bounds=(0, LEVELS),
        label_names=tuple(f"person {number + 1}" for number in range(PEOPLE)),
    )


def _make(name: str, source: Path | None, options: Options, target: Path) -> Mapping[str, Any]:
    """Writes the faces.

    Args:
        name: of the data set.
        source: an .npz file that holds images, uint8 (400, 64, 64), and the person of each, 0 to 39, under any names; a
            folder with one such file does as well. Where None, scikit-learn's loader fetches them.
        options: none.
        target: the folder to write to.
    """
    images, people = _fetch(target) if source is None else _read(source)
    save(target, x=images[..., None], labels=people.astype(np.int32))
    return {"rows": len(images)}


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if len(files) != 1:
            raise UserError(f"{path}: holds {len(files)} .npz files; expected one, or the path of the file")
        (path,) = files
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected an .npz file with the images and the person of each")
    content = load_arrays(path)
    arrays = list(content.values()) if isinstance(content, dict) else []
    images = [array for array in arrays if array.shape == SHAPE and array.dtype == np.uint8]
    people = [array for array in arrays if array.shape == SHAPE[:1] and array.dtype.kind in "iu"]
    if len(images) != 1 or len(people) != 1 or not 0 <= people[0].min() <= people[0].max() < PEOPLE:
        raise UserError(f"{path}: expected images, uint8 (400, 64, 64), and whole numbers (400,) from 0 to 39")
    return images[0], people[0]


def _fetch(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_olivetti_faces

    with (
        downloading("faces", "the Olivetti faces", "the server of scikit-learn", "a file at hand", "FILE.npz"),
        tempfile.TemporaryDirectory(dir=folder) as scratch,  # it loads pickles from there
    ):
        faces = fetch_olivetti_faces(data_home=scratch)
    # scikit-learn divides the 243 levels by the greatest of them
    return np.round(faces.images * LEVELS).astype(np.uint8), faces.target


FACES = Family(lambda name, options: "faces-1", _make, _raw)
