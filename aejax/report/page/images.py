"""Pictures as part of a page: a figure as SVG, or a PNG file no wider than is seen and of few colours."""

import base64
import re
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from warnings import catch_warnings

import numpy as np

from aejax.errors import UserError
from aejax.figures import vector

COLOURS = 256
SMALL = 30_000  # letters of an image inside an SVG, that all its colours may take
PIXELS = 100  # to an inch: a figure of nine inches is as wide as a page
INSIDE = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=]+)")


class Picture(NamedTuple):
    """A picture as a data URI, and its width and height in pixels."""

    source: str
    width: int
    height: int


def of_figure(figure: Any, widest: int) -> Picture:
    """A figure of matplotlib as SVG, to be put into a page.

    Args:
        figure: whose layout is fixed afterwards.
        widest: in pixels; clouds of points and images inside the figure are no finer than that.
    """
    wide, high = figure.get_size_inches()
    text = quote(INSIDE.sub(_lighter, vector.svg(figure, widest / wide)), safe=" /:;,=+()@!*$?[]-._~")
    return Picture(f"data:image/svg+xml,{text}", round(PIXELS * wide), round(PIXELS * high))


def of_file(path: Path, widest: int) -> Picture:
    """A PNG file, to be put into a page.

    Args:
        path: of the file.
        widest: in pixels; a wider picture is made smaller.

    Raises:
        UserError: it is no picture.
    """
    from PIL import Image

    try:  # more pixels than Pillow trusts are refused before they are there
        with catch_warnings(action="error", category=Image.DecompressionBombWarning), Image.open(path) as file:
            image = file.convert("RGB")
    except Exception as error:  # damaged pictures raise whatever their parsers do
        raise UserError(f"{path}: is damaged: no picture can be read from it ({type(error).__name__})") from None
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    return Picture(f"data:image/png;base64,{_few_colours(image)}", image.width, image.height)


def _lighter(inside: re.Match) -> str:
    """A large image inside an SVG, with few colours."""
    from PIL import Image

    if len(inside[1]) <= SMALL:
        return inside[0]
    return f"data:image/png;base64,{_few_colours(Image.open(BytesIO(base64.b64decode(inside[1]))))}"


def _few_colours(image: Any) -> str:
    """A picture of at most 256 colours, as PNG in base64: its most frequent ones, or of many others much like them."""
    from PIL import Image

    rgba = image.convert("RGBA")
    pixels = np.asarray(rgba).view(np.uint32)[..., 0]
    colours, inverse, counts = np.unique(pixels, return_inverse=True, return_counts=True)
    if len(colours) <= 2 * COLOURS:
        palette = np.argsort(-counts, kind="stable")[:COLOURS]
        parts = colours.view(np.uint8).reshape(-1, 4).astype(int)
        nearest = ((parts[:, None] - parts[palette]) ** 2).sum(-1).argmin(1)
        few = Image.fromarray(nearest[inverse].reshape(pixels.shape).astype(np.uint8), "P")
        few.putpalette(colours[palette].tobytes(), "RGBA")
    else:  # fast octree keeps the flat colours of a plot, and the grey ramps of images, without speckles
        clear = rgba.getextrema()[3][0] < 255
        dither = Image.Dither.NONE if clear else Image.Dither.FLOYDSTEINBERG
        few = (rgba if clear else image.convert("RGB")).quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=dither)
    out = BytesIO()
    few.save(out, format="PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()
