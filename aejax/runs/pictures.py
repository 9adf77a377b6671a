"""Folders of PNG files: images that a net gives back or makes, and where an image is odd."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from aejax.data.cache import whole_folder
from aejax.errors import UserError

OPAQUE = 0.85  # of the red where an image is oddest


def check_folder(path: Path, source: Path | None = None) -> None:
    """Refuse a folder of images before anything is computed; its own source is never empty.

    Raises:
        UserError: it is there and not empty, or the folder that is to hold it is not.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"--output {path}: is there already; allowed: a new folder, or an empty one")
    if not path.absolute().parent.is_dir():
        raise UserError(f"--output {path}: there is no folder {path.parent}")


def write(folder: Path, images: np.ndarray, names: Sequence[str] = ()) -> int:
    """Write images as PNG files into a new folder, all of them or none.

    Args:
        folder: that is made; an empty one may be there.
        images: (m, height, width, 1 or 3), from 0 to 255; one with NaN is left out.
        names: paths that say how the files are called, which end in .png then; numbers from 1 without names.

    Returns:
        How many were written.

    Raises:
        OSError: the folder cannot be written.
    """
    from PIL import Image

    written = 0
    with whole_folder(folder) as scratch:
        for image, name in zip(images, _file_names(names, len(images)), strict=True):
            if np.isnan(image).any():
                continue
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            values = np.clip(np.round(image), 0, 255).astype(np.uint8)
            Image.fromarray(values[..., 0] if values.shape[2] == 1 else values).save(path)
            written += 1
    return written


def _file_names(names: Sequence[str], count: int) -> list[str]:
    """The paths of PNG files below a folder, each another one."""
    numbers = [f"{number:0{len(str(count))}d}" for number in range(1, count + 1)]
    if not len(names):
        return [f"{number}.png" for number in numbers]
    below = [PurePosixPath(*(part for part in PurePosixPath(name).parts if part not in ("/", ".."))) for name in names]
    for paths in (
        [path.with_suffix(".png") for path in below],
        [path.with_name(f"{path.name}.png") for path in below],
        [path.with_name(f"{path.stem} {number}.png") for path, number in zip(below, numbers, strict=True)],
    ):
        if len({str(path).casefold() for path in paths}) == count:
            break
    return [str(path) for path in paths]


def heated(images: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Grey images, red where they are odd.

    Args:
        images: (m, height, width, channels), from 0 to 255.
        shares: of the same shape, how much each value has to do with what is said of its image, 0 or above.

    Returns:
        (m, height, width, 3) from 0 to 255; the pixel with the largest share of its image is reddest.
    """
    grey, share = images.mean(-1, keepdims=True), shares.mean(-1, keepdims=True)
    heat = OPAQUE * share / np.maximum(share.max((1, 2), keepdims=True), np.finfo(np.float64).tiny)
    return grey * (1 - heat) + heat * np.array([255.0, 0.0, 0.0])
