"""One image in a file to pixels of 8 bits: turned as EXIF says, laid on white, and made as large as a row."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple
from warnings import catch_warnings, simplefilter

import numpy as np

from aejax.errors import UserError

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
RULES = {
    "crop": "the largest part in the middle that has these proportions",
    "pad": "the whole image, black beside it",
    "stretch": "the whole image, with other proportions",
}
"""How an image becomes as large as a row."""
_ORIENTATION = 0x0112  # EXIF
_SIDEWAYS = (5, 6, 7, 8)
_GREY = ("1", "L", "LA", "La", "I", "F")


class Header(NamedTuple):
    """What the first bytes of an image say; `is_deep`: of 16 bits for each value, and grey."""

    height: int
    width: int
    is_grey: bool
    is_turned: bool
    is_deep: bool


class Decoded(NamedTuple):
    """Pixels, uint8 (height, width) or (height, width, 3), and what was done to get them."""

    pixels: np.ndarray
    was_deep: bool
    was_transparent: bool


def is_image(path: Path) -> bool:
    """Whether the name of a file is that of an image."""
    return path.suffix.lower() in ENDINGS


@contextmanager
def strict_pillow() -> Iterator[None]:
    """Inside the context images of more pixels than Pillow trusts are refused, and small faults are passed over."""
    from PIL import Image

    with catch_warnings():
        simplefilter("ignore")
        simplefilter("error", Image.DecompressionBombWarning)
        Image.init()  # its plugins are not imported by several threads at once
        yield


def reason(error: Exception) -> str:
    """Why an image cannot be read, in a word or two."""
    from PIL import Image

    if isinstance(error, Image.DecompressionBombWarning | Image.DecompressionBombError | MemoryError):
        return "too many pixels"
    if isinstance(error, FileNotFoundError):
        return "missing"
    if isinstance(error, UserError):
        return str(error)
    return str(error.strerror) if isinstance(error, OSError) and error.strerror else "damaged"


def header(path: Path) -> Header:
    """The size and kind of an image, without decoding it."""
    from PIL import Image

    status = path.stat()
    if not S_ISREG(status.st_mode):
        raise UserError("no file")
    if not status.st_size:
        raise UserError("empty")
    with Image.open(path, formats=FORMATS) as image:
        orientation = _orientation(image)
        sideways = orientation in _SIDEWAYS and image.format != "TIFF"  # whose size is that after turning
        width, height = image.size[::-1] if sideways else image.size
        is_grey = image.mode in _GREY or image.mode.startswith("I;16")
        is_deep = image.mode == "I" or image.mode.startswith("I;16")
        return Header(height, width, is_grey, orientation in range(2, 9), is_deep)


def _orientation(image: Any) -> int:
    """As EXIF has it; 1 where that is missing, damaged, or behind the pixels of a PNG."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # of a damaged EXIF, whose image is sound
        return 1


def decoded(path: Path, size: tuple[int, int], colour: str, fit: str, bits: int = 16) -> Decoded:
    """The pixels of an image.

    Args:
        path: of the file; the first one of several images in it counts.
        size: height and width of the pixels.
        colour: ``"grey"`` or ``"colour"``.
        fit: one of `RULES`.
        bits: of 16 for each value, how many are used; what is above them is as white as can be.

    Raises:
        Exception: whatever Pillow raises of damaged files, see `reason`.
    """
    from PIL import Image

    with Image.open(path, formats=FORMATS) as image:
        is_deep = ";16" in str(image.tile)  # Pillow itself may read 8 bits of it
        image.draft(None, (2 * max(size), 2 * max(size)))  # of a JPEG no more pixels are decoded than are needed
        image = _eight_bits(_turned(image), bits)
    image, was_transparent = _on_white(image)
    image = _fitted(image.convert("L" if colour == "grey" else "RGB"), size, fit)
    return Decoded(np.asarray(image), is_deep, was_transparent)


def _turned(image: Any) -> Any:
    from PIL import ImageOps

    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # of a damaged EXIF, whose image is sound
        return image.copy()


def greatest(path: Path) -> int:
    """The greatest value of an image of 16 bits for each; errors are those of `decoded`."""
    from PIL import Image

    with Image.open(path, formats=FORMATS) as image:
        return int(_whole_numbers(image).max())


def _eight_bits(image: Any, bits: int) -> Any:
    """An image with 8 bits for each value, of one with 16."""
    from PIL import Image

    if image.mode == "F":
        raise UserError("fractions for values")
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    values, most = _whole_numbers(image), 2**bits - 1
    return Image.fromarray(((np.minimum(values, most) * 255 + most // 2) // most).astype(np.uint8))


def _whole_numbers(image: Any) -> np.ndarray:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() >= 2**16:
        raise UserError("32 bits for each value")
    return values


def _on_white(image: Any) -> tuple[Any, bool]:
    """An image laid on white where it is transparent, and whether it is so anywhere."""
    from PIL import Image

    if not image.has_transparency_data:
        return image, False
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB"), image.getextrema()[3][0] < 255


def _fitted(image: Any, size: tuple[int, int], fit: str) -> Any:
    """An image of a size, by a rule of `RULES` and Lanczos' filter."""
    from PIL import Image

    (height, width), resize = size, {"resample": Image.Resampling.LANCZOS, "reducing_gap": 3.0}
    ratios = image.width / width, image.height / height
    if fit == "pad":
        inner = tuple(max(1, round(length / max(ratios))) for length in image.size)
        padded = Image.new(image.mode, (width, height))
        padded.paste(image.resize(inner, **resize), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return padded
    sides = image.size
    if fit == "crop":
        sides = min(width * min(ratios), image.width), min(height * min(ratios), image.height)
    left, top = (image.width - sides[0]) / 2, (image.height - sides[1]) / 2
    return image.resize((width, height), box=(left, top, left + sides[0], top + sides[1]), **resize)
