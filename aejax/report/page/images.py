"""Pictures as part of a page: a PNG no wider than is seen and of few colours, or an SVG as it is."""

import base64
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from aejax.errors import UserError

COLOURS = 256


class Picture(NamedTuple):
    """A picture as a data URI, and its width and height in pixels; 0 where it has none of its own."""

    source: str
    width: int
    height: int


def embedded(path: Path, widest: int) -> Picture:
    """A picture to be put into a page.

    Args:
        path: of a PNG or SVG file.
        widest: in pixels; a wider PNG is made smaller.

    Raises:
        UserError: it is no picture.
    """
    if path.suffix.lower() == ".svg":
        return Picture(_uri(path.read_bytes(), "svg+xml"), 0, 0)
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (UnidentifiedImageError, SyntaxError, OSError) as error:
        raise UserError(f"{path}: is damaged: no picture can be read from it ({type(error).__name__})") from None
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    # fast octree keeps the flat colours of a plot, and the grey ramps of images, without speckles
    few = image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG)
    out = BytesIO()
    few.save(out, format="PNG", optimize=True)
    return Picture(_uri(out.getvalue(), "png"), image.width, image.height)


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
