"""What the figures share: sizes, colours, quiet axes, mosaics of images, and how a figure becomes a PNG file."""

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures.words import Words
from aejax.files import write_atomic

WIDTH = 9.0  # inches; shown 900 pixels wide, a point of type is 1.4 pixels
DPI = 150
TEXT, SMALL, TITLE = 10, 9, 13
GREY = "#6b6b6b"
PALE = "#d9d9d9"

# Okabe and Ito (2008), Color Universal Design: told apart with any kind of colour vision.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
# Petroff (2021), Accessible Color Sequences for Data Visualization, arXiv 2107.02270: the set of ten.
PETROFF = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)


def channels(colour: str) -> tuple[float, float, float]:
    """Red, green and blue of a colour such as ``"#0072B2"``, in [0, 1]."""
    red, green, blue = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def new_figure(height: float, title: str, *, width: float = WIDTH) -> Any:
    """A white figure with its title at the upper left; sizes in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    if title:
        wrapped = fill(plain(title), int(width * 9))
        figure.suptitle(wrapped, x=0.1 / width, ha="left", size=TITLE, weight="bold")
    return figure


def finish(figure: Any, words: Words) -> Any:
    """The figure, the numbers on its axes as the language writes them, and labels in lines that have room.

    Args:
        figure: drawn, its layout not yet fixed.
        words: of the language.
    """
    from matplotlib.axis import Axis
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    formatters = {id(each): each for each in (axis.get_major_formatter() for axis in figure.findobj(Axis))}
    texts = FixedFormatter | FuncFormatter  # as of ticks that were given names
    for formatter in (each for each in formatters.values() if not isinstance(each, texts)):
        ticks = formatter.format_ticks
        formatter.format_ticks = lambda values, ticks=ticks: [words.marked(text) for text in ticks(values)]
    lay_out(figure)
    for axes in figure.axes:
        for text, room, length in _labels(figure, axes):
            lines = text.get_text().split("\n")
            if length > room:
                most = max(8, round(1.12 * max(map(len, lines)) / math.ceil(length / (0.92 * room))))
                text.set_text("\n".join(fill(line, most, break_long_words=False) for line in lines))
    return figure


def _labels(figure: Any, axes: Any) -> Iterator[tuple[Any, float, float]]:
    """The titles and labels of axes: each with the room between the axes beside them, and its length, in pixels."""
    from matplotlib.text import Text

    page, box = figure.bbox, axes.get_window_extent()
    others = [other.get_window_extent() for other in figure.axes if other is not axes and other.get_visible()]
    level = [other for other in others if other.y0 < box.y1 and box.y0 < other.y1]
    before = max((other.x1 for other in level if other.x1 <= box.x0), default=page.x0)
    after = min((other.x0 for other in level if other.x0 >= box.x1), default=page.x1)
    titles = [text for text in axes.get_children() if isinstance(text, Text) and text not in axes.texts]
    for text in titles:
        extent = text.get_window_extent()
        yield text, (after - extent.x0 if text.get_ha() == "left" else after - before), extent.width
    middle = (box.x0 + box.x1) / 2
    left = before if before == page.x0 else (before + box.x0) / 2
    right = after if after == page.x1 else (after + box.x1) / 2
    yield axes.xaxis.label, 2 * min(middle - left, right - middle), axes.xaxis.label.get_window_extent().width
    yield axes.yaxis.label, 1.15 * box.height, axes.yaxis.label.get_window_extent().height


def lay_out(figure: Any) -> None:
    """Let everything take its place, as it does when a figure is drawn."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # letters of a name that the font lacks are drawn as boxes
        warnings.filterwarnings("ignore", "constrained_layout not applied")  # labels whose lines are yet too long
        figure.draw_without_rendering()


def save_figure(figure: Any, path: str | os.PathLike) -> Path:
    """Write the figure as a whole PNG file, with the same bytes each time.

    Args:
        figure: of matplotlib.
        path: of the file.
    """
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return write_atomic(path, buffer.getvalue())


def plain(text: object) -> str:
    """Text as it is: dollar signs set no formulas, and a leading underscore hides nothing from a legend."""
    text = str(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def short(text: object, most: int) -> str:
    """Text as it is, with its end cut off where it is longer than `most` letters."""
    return plain(cut(str(text), most))


def cut(text: str, most: int) -> str:
    """Text of at most so many letters, with an ellipsis for the end that is lost."""
    return text if len(text) <= most else text[: most - 1] + "…"


def fitting(width: float, title: str) -> float:
    """A width, in inches, for contents that are `width` wide: a little more where the title is longer."""
    return min(WIDTH, max(width, 3.0, 0.125 * len(title) + 0.3))


def quiet(axes: Any, *, x: str, y: str) -> None:
    """Label the axes, with a pale grid behind the data and no box around them."""
    axes.set_xlabel(plain(x), size=TEXT)
    axes.set_ylabel(plain(y), size=TEXT)
    axes.tick_params(which="both", labelsize=SMALL, color=PALE)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GREY)


def over_labels(figure: Any, titles: Mapping[Any, str]) -> None:
    """Titles that begin over the labels at the left of their axes, not over the axes, which may be narrow.

    Args:
        figure: with all that takes room beside the axes.
        titles: by axes.
    """
    from matplotlib.transforms import blended_transform_factory

    texts = {axes: axes.set_title(title, size=TEXT, loc="left") for axes, title in titles.items()}
    lay_out(figure)
    for axes, text in texts.items():
        text.set_x(axes.get_tightbbox(for_layout_only=True).x0 / figure.bbox.width)
        text.set_transform(blended_transform_factory(figure.transFigure, axes.transAxes) + axes.titleOffsetTrans)


def legend_above(axes: Any, width: float) -> None:
    """A legend between title and axes, where no curve can run through it; `width` in inches is there for it."""
    longest = max(len(text) for text in axes.get_legend_handles_labels()[1])
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=max(1, int(width / (0.5 + 0.09 * longest))),
        frameon=False,
        fontsize=TEXT,
        borderaxespad=0.2,
        handlelength=1.4,
        columnspacing=1.2,
    )


def finite(values: np.ndarray) -> np.ndarray:
    """The values, with a gap (nan) where one is infinite."""
    return np.where(np.isfinite(values), values, np.nan)


def numbers(array: Any, name: str, dimensions: Sequence[int]) -> np.ndarray:
    """The array in float64, or an error if it is empty or has another number of dimensions."""
    array = np.asarray(array, dtype=np.float64)
    if array.ndim not in dimensions or array.size == 0:
        wanted = " or ".join(map(str, dimensions))
        raise UserError(f"{name}: needs {wanted} dimensions and at least one value, got shape {array.shape}")
    return array


def colours(images: np.ndarray, name: str) -> np.ndarray:
    """Images (n, height, width[, 1 or 3]) in [0, 1] as (n, height, width, 3)."""
    if images.ndim == 3:
        images = images[..., None]
    if images.shape[-1] not in (1, 3):
        raise UserError(f"{name}: images have 1 or 3 channels, got shape {images.shape}")
    clipped = np.clip(np.nan_to_num(images), 0.0, 1.0)
    return np.broadcast_to(clipped, (*images.shape[:3], 3))


def mosaic(tiles: np.ndarray, *, gap: int, between: float) -> np.ndarray:
    """Tiles (rows, columns, height, width, 3) as one picture, set apart by `gap` pixels of grey `between`."""
    padded = np.pad(tiles, ((0, 0), (0, 0), (gap, 0), (gap, 0), (0, 0)), constant_values=between)
    rows, columns, height, width, _ = padded.shape
    picture = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    return np.pad(picture, ((0, gap), (0, gap), (0, 0)), constant_values=between)


def middles(count: int, size: int, gap: int) -> np.ndarray:
    """Where the middles of the tiles of a `mosaic` lie along one side, in pixels."""
    return gap + (size - 1) / 2 + (size + gap) * np.arange(count)


def grid_columns(count: int, ratio: float) -> int:
    """How many columns make a grid of `count` tiles about `ratio` times as wide as high, with few left empty."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        return abs(math.log(columns / rows / ratio)) + 4 * (rows * columns - count) / (rows * columns)

    return min(range(1, count + 1), key=cost)
