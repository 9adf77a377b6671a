"""Pictures as part of a page: an SVG in the page's language, or a PNG no wider than is seen and of few colours."""

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from aejax.errors import UserError
from aejax.report.page import vectors
from aejax.report.page.words import Words

COLOURS = 256
SMALL = 30_000  # letters of a picture inside an SVG, that all its colours may take
MORE = 1.2  # times the pixels that are seen, that an image may have
PIXELS = 100 / 72  # to a point: a figure of nine inches is as wide as a page
SPACES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
LINK = f"{{{SPACES['xlink']}}}href"

for _prefix, _space in SPACES.items():
    ElementTree.register_namespace(_prefix, _space)


class Picture(NamedTuple):
    """A picture as a data URI, and its width and height in pixels."""

    source: str
    width: int
    height: int


def embedded(path: Path, widest: int, words: Words) -> Picture:
    """A picture to be put into a page.

    Args:
        path: of a PNG or SVG file.
        widest: in pixels; a wider PNG is made smaller, and so are images and clouds of points inside an SVG.
        words: the catalogue; where it has texts of figures, those of an SVG are replaced by them.

    Raises:
        UserError: it is no picture.
    """
    return _vector(path, widest, words) if path.suffix.lower() == ".svg" else _pixels(path, widest)


def _vector(path: Path, widest: int, words: Words) -> Picture:
    try:
        root = ElementTree.fromstring(path.read_bytes())
        points = vectors.size(root)[2]
        for inside in root.iter(f"{vectors.SVG}image"):
            _shrink(inside, widest / points)
    except (SyntaxError, AttributeError, ValueError, OSError) as error:
        raise UserError(f"{path}: is damaged: no picture can be read from it ({type(error).__name__})") from None
    if "figures" in words:
        vectors.translate(root, words)
    _, _, wide, high = vectors.size(root)
    text = quote(ElementTree.tostring(root, encoding="unicode"), safe=" /:;,=+()'@!*$?[]-._~")
    return Picture(f"data:image/svg+xml,{text}", round(PIXELS * wide), round(PIXELS * high))


def _shrink(inside: Any, density: float) -> None:
    """Leave a large image inside an SVG few colours, and no more pixels than are seen, so many to a point."""
    from PIL import Image

    start, _, data = inside.get(LINK, "").partition("base64,")
    if len(data) <= SMALL:
        return
    image = Image.open(BytesIO(base64.b64decode(data)))
    scale = re.match(r"matrix\((\S+)", inside.get("transform", ""))
    seen = round(density * float(inside.get("width")) * float(scale[1] if scale else 1))
    if image.width > MORE * seen:
        image = image.resize((seen, max(1, round(image.height * seen / image.width))), Image.Resampling.LANCZOS)
        inside.set("preserveAspectRatio", "none")
    inside.set(LINK, f"{start}base64,{_few_colours(image)}")


def _pixels(path: Path, widest: int) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except (UnidentifiedImageError, SyntaxError, OSError) as error:
        raise UserError(f"{path}: is damaged: no picture can be read from it ({type(error).__name__})") from None
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    return Picture(f"data:image/png;base64,{_few_colours(image)}", image.width, image.height)


def _few_colours(image: Any) -> str:
    """A picture of at most 256 colours, as PNG in base64: its most frequent ones, or of many others much like them."""
    from PIL import Image

    rgba = image.convert("RGBA")
    pixels = np.asarray(rgba).view(np.uint32)[..., 0]
    colours, places, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    if len(colours) <= 2 * COLOURS:
        kept = np.argsort(-counts, kind="stable")[:COLOURS]
        parts = colours.view(np.uint8).reshape(-1, 4).astype(int)
        nearest = ((parts[:, None] - parts[kept]) ** 2).sum(-1).argmin(1)
        few = Image.fromarray(nearest[places].reshape(pixels.shape).astype(np.uint8), "P")
        few.putpalette(colours[kept].tobytes(), "RGBA")
    else:  # fast octree keeps the flat colours of a plot, and the grey ramps of images, without speckles
        clear = rgba.getextrema()[3][0] < 255
        dither = Image.Dither.NONE if clear else Image.Dither.FLOYDSTEINBERG
        few = (rgba if clear else image.convert("RGB")).quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=dither)
    out = BytesIO()
    few.save(out, format="PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
