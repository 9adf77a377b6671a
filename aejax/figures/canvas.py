"""What figures share: sizes, colours, axes with labels, legends, bars, lines of text, and how one becomes a PNG."""

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from io import BytesIO
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from aejax.figures.words import Words
from aejax.files import write_atomic
from aejax.types import Figures, Kept

Tree = Mapping[str, Any]  # arrays, numbers or texts by name, in nested mappings
Names = Sequence[str]
WIDTH, NARROW = 9.0, 4.4  # inches; shown 900 pixels wide, or as wide as a phone, a point of type is 1.4 pixels
DPI = 150
TEXT, SMALL, TITLE = 10, 9, 13
GREY = "#6b6b6b"
PALE = "#d9d9d9"

# Okabe and Ito (2008), Color Universal Design: told apart with any kind of colour vision.
OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#F0E442")
# Petroff (2021), Accessible Color Sequences for Data Visualization, arXiv 2107.02270: the set of ten.
PETROFF = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")


_WIDTH = ContextVar("width", default=WIDTH)


@contextmanager
def as_wide_as(width: float) -> Iterator[None]:
    """Meanwhile, a figure may be that wide, `WIDTH` or `NARROW`: then panels stand below each other."""
    before = _WIDTH.set(width)
    try:
        yield
    finally:
        _WIDTH.reset(before)


def full_width() -> float:
    """How wide a figure may be, in inches."""
    return _WIDTH.get()


def is_narrow() -> bool:
    """Whether figures are as wide as a phone."""
    return full_width() == NARROW


def side_by_side(most: int) -> int:
    """How many panels may stand beside each other, of those that fit a wide figure."""
    return 1 if is_narrow() else most


def new_figure(height: float, title: str, *, width: float = 0) -> Any:
    """A white figure with its title at the upper left; sizes in inches, and 0 is the full width."""
    from matplotlib.figure import Figure

    width = width or full_width()
    wrapped = fill(plain(title), int(width * (9 if width > NARROW else 7.5)))
    height += 0.24 * wrapped.count("\n") if width <= NARROW else 0
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
    if title:
        figure.suptitle(wrapped, x=0.1 / width, ha="left", size=TITLE, weight="bold")
    return figure


def new_panels(
    height: float, title: str, labels: Sequence[Any], columns: int = 0, width: float = 0, shared: bool = False
) -> tuple[Any, list[Any]]:
    """A figure of panels with quiet axes, and these.

    Args:
        height: in inches.
        title: of the figure.
        labels: of the horizontal and the vertical axis, for each panel.
        columns: panels in a row; 0 for all of them, or, where a figure is narrow and they have axes, one.
        width: in inches; the full one if 0.
        shared: all panels have the same limits.
    """
    if not columns:
        columns = side_by_side(len(labels)) if any(map(any, labels)) else len(labels)
        lines = -(-len(labels) // columns)
        height *= 1 if lines == 1 else 0.85 * lines
    figure = new_figure(height, title, width=width)
    grid = figure.subplots(-(-len(labels) // columns), columns, squeeze=False, sharex=shared, sharey=shared).ravel()
    for axes, (x, y) in zip(grid, labels, strict=False):
        quiet(axes, x=x, y=y)
    for empty in grid[len(labels) :]:
        empty.set_visible(False)
    return figure, list(grid[: len(labels)])


def figures(keep: Callable[..., Kept], **table: tuple[str, Callable[..., Any]]) -> Figures:
    """The figures of a task.

    Args:
        keep: what they show.
        table: by the name of a figure, the part of what is kept without which it is not drawn, and what draws it:
            ``(tree, info, words) -> figure``.
    """
    return Figures(keep, partial(_draw, table))


def _draw(table: Mapping[str, tuple[str, Callable[..., Any]]], content: Kept, words: Words) -> dict[str, Any]:
    tree, info = content
    return {name: draw(tree, info, words) for name, (part, draw) in table.items() if part in tree or part in info}


def text_lines(title: str, count: float, cells: Iterable[tuple[float, float, str, Mapping[str, Any]]]) -> Any:
    """A figure of lines of text.

    Args:
        title: of the figure.
        count: how many lines there are.
        cells: at which line and how far to the right in [0, 1] a text begins, the text, and its style.
    """
    figure, (axes,) = new_panels(0.7 + 0.24 * count, title, [("", "")], width=WIDTH)
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(count, 0))
    for line, x, text, style in cells:
        axes.text(x, line + 0.5, plain(text), size=SMALL, va="center", **style)
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
    return write_atomic(path, rendered(figure, format="png", dpi=DPI, metadata={"Software": None}))


def rendered(figure: Any, **options: Any) -> bytes:
    """The bytes of a file of the figure; `options` are those of matplotlib's ``savefig``."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, facecolor="white", **options)
    return buffer.getvalue()


def plain(text: object) -> str:
    """Text as it is: dollar signs set no formulas, and a leading underscore hides nothing from a legend."""
    text = str(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def cut(text: object, most: int) -> str:
    """Text of at most so many letters, with an ellipsis for the end that is lost."""
    text = str(text)
    return text if len(text) <= most else text[: most - 1] + "…"


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


def legend_above(axes: Any) -> None:
    """A legend between title and axes, where no curve can run through it, as wide as the axes."""
    width = axes.figure.get_figwidth() / axes.get_subplotspec().get_gridspec().ncols - 0.9
    columns = max(1, int(width / (0.5 + 0.09 * max(map(len, axes.get_legend_handles_labels()[1])))))
    style = {"frameon": False, "fontsize": TEXT, "borderaxespad": 0.2, "handlelength": 1.4, "columnspacing": 1.2}
    legend = axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, **style)
    _make_room(axes.figure, len(legend.get_texts()) // columns - 1)


def legend_right(axes: Any, title: str | None = None) -> None:
    """A legend at the right of the axes; above them where the figure is narrow, which it makes higher."""
    style = {"frameon": False, "fontsize": SMALL, "title": title, "title_fontsize": SMALL}
    if not is_narrow():
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), **style)
    else:
        legend = axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), alignment="left", **style)
        _make_room(axes.figure, len(legend.get_texts()) + (title is not None))


def _make_room(figure: Any, lines: int) -> None:
    """Make a narrow figure higher by lines of a legend."""
    if is_narrow():
        figure.set_figheight(figure.get_figheight() + 0.18 * max(0, lines))


def colour_bar(figure: Any, mark: Any, axes: Any, label: str, **style: Any) -> None:
    """A bar at the right of some axes that says which values the colours of a mark stand for."""
    bar = figure.colorbar(mark, ax=axes, pad=0.01, **style)
    bar.set_label(plain(label), size=TEXT)
    bar.ax.tick_params(labelsize=SMALL, color=PALE)
    bar.outline.set_visible(False)
    bar.solids.set_alpha(1.0)


def bars(axes: Any, names: Sequence[str], values: Sequence[float], texts: Sequence[str] = (), **style: Any) -> None:
    """Bars from left to right, the first above, each with its name at the left and a text at its end.

    Args:
        axes: already labelled.
        names: of the bars.
        values: their lengths.
        texts: what stands at their ends, if anything does.
        style: of the bars, such as ``color``.
    """
    drawn = axes.barh(range(len(values)), values, height=0.7, **style)
    if texts:
        axes.bar_label(drawn, texts, padding=3, size=SMALL)
    axes.set_yticks(range(len(values)), names)
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


def is_logarithmic(values: Any) -> bool:
    """Whether an axis is better read in factors: the values are above 0 and span more than a factor of 20."""
    return len(values) > 0 and min(values) > 0 and max(values) > 20 * min(values)


def finite(values: np.ndarray) -> np.ndarray:
    """The values, with a gap (nan) where one is infinite."""
    return np.where(np.isfinite(values), values, np.nan)
