"""The Olivetti faces, from a file at hand or through scikit-learn's loader, decoded into the cache."""

import tempfile
import zipfile
from pathlib import Path

import numpy as np

from aejax.data import cache
from aejax.data.published import downloading
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

KEY = "faces-1"
SHAPE, PEOPLE, LEVELS = (400, 64, 64), 40, 242
SOURCE = "Olivetti faces, AT&T Laboratories Cambridge (Samaria and Harter 1994)"


def load_faces() -> Raw:
    """400 faces of 40 people, ten each, 64×64 in 243 levels of grey; the labels are the people.

    Returns:
        The rows; x is (400, 64, 64, 1) uint8, memory-mapped.

    Raises:
        UserError: they are not prepared and there is no internet.
    """
    arrays, _ = cache.made(KEY, lambda: prepare_faces(None))
    return Raw(
        train=Split(arrays["x"], labels=np.asarray(arrays["labels"])),
        test=None,
        kind="image",
        licence="research use",
        source=SOURCE,
        bounds=(0, LEVELS),
        label_names=tuple(f"person {number + 1}" for number in range(PEOPLE)),
    )


def prepare_faces(source: str | None) -> Path:
    """Writes the faces into the cache.

    Args:
        source: an .npz file that holds images, uint8 (400, 64, 64), and the person of each, 0 to 39, under any names; a
            folder with one such file does as well. Where None, scikit-learn's loader fetches them.

    Returns:
        The folder of the cache entry.

    Raises:
        UserError: the file is missing, damaged or something else, or there is no internet.
    """
    images, people = _fetch() if source is None else _read(Path(source).expanduser())

    def make(scratch: Path) -> dict[str, int]:
        np.save(scratch / "x.npy", images[..., None])
        np.save(scratch / "labels.npy", people.astype(np.int32))
        return {"rows": len(images)}

    cache.drop(KEY)
    cache.build(KEY, make)
    return cache.root() / KEY


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if path.is_dir():
        files = sorted(path.glob("*.npz"))
        if len(files) != 1:
            raise UserError(f"{path}: holds {len(files)} .npz files; expected one, or the path of the file")
        (path,) = files
    if not path.is_file():
        raise UserError(f"{path}: there is no such file; expected an .npz file with the images and the person of each")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in file.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read as an .npz file: {error}") from error
    images = [array for array in arrays if array.shape == SHAPE and array.dtype == np.uint8]
    people = [array for array in arrays if array.shape == SHAPE[:1] and array.dtype.kind in "iu"]
    if len(images) != 1 or len(people) != 1 or not 0 <= people[0].min() <= people[0].max() < PEOPLE:
        raise UserError(f"{path}: expected images, uint8 (400, 64, 64), and whole numbers (400,) from 0 to 39")
    return images[0], people[0]


def _fetch() -> tuple[np.ndarray, np.ndarray]:
    from sklearn.datasets import fetch_olivetti_faces

    with (
        downloading("faces", "the Olivetti faces", "the server of scikit-learn", "a file at hand", "FILE.npz"),
        tempfile.TemporaryDirectory(prefix="aejax-") as scratch,  # it loads pickles from there
    ):
        faces = fetch_olivetti_faces(data_home=scratch)
    # scikit-learn divides the 243 levels by the greatest of them
    return np.round(faces.images * LEVELS).astype(np.uint8), faces.target
