"""Images in figures: rows of a data set as images, lines of them with texts beside, and filters as small pictures."""

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, SMALL, TEXT, Names, full_width
from aejax.figures.words import Words
from aejax.types import Dataset

SHOWN = 10  # rows of a data set
MOST_IMAGES, MOST_FILTERS = 12, 100
FIELDS, THUMBNAIL = 16, 32  # along a side of a map of images; the most pixels of each


def choose(labels: np.ndarray | None, rows: int) -> np.ndarray:
    """The rows to show: the first of each class in turn, or the first ones."""
    if labels is None:
        return np.arange(min(SHOWN, rows))
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    turns = [rows[turn] for turn in range(SHOWN) for rows in members if turn < len(rows)]
    return np.array(sorted(turns[:SHOWN], key=lambda row: labels[row]))


def are_images(dataset: Dataset) -> bool:
    """Whether rows can be shown as images: grey ones, or of three colours."""
    return dataset.kind == "image" and dataset.feature_shape[-1] in (1, 3)


def pixels(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as bytes, to be kept."""
    return np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)


def as_images(arrays: Sequence[np.ndarray], dataset: Dataset) -> list[np.ndarray]:
    """Scaled rows (..., n) as images in bytes, black and white where the values of the first array are least and most.

    Args:
        arrays: to be shown together.
        dataset: whose scaling is undone.
    """
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    raw = [values / scale + shift for values in arrays]
    low, high = raw[0].min(), raw[0].max()
    shape = dataset.feature_shape
    return [pixels((values - low) / max(high - low, 1e-12)).reshape(*values.shape[:-1], *shape) for values in raw]


def as_strips(strips: Sequence[np.ndarray], dataset: Dataset) -> np.ndarray:
    """Lines of scaled rows (columns, n), cut off at the ends of the data's range, as images in bytes."""
    return as_images([np.clip(np.stack(strips), dataset.range.low, dataset.range.high)], dataset)[0]


def stretched(images: np.ndarray) -> np.ndarray:
    """Unscaled images of any shape in bytes, from black at their least value to white at their greatest."""
    low, high = float(images.min()), float(images.max())
    return pixels((images.astype(np.float64) - low) / max(high - low, 1e-12))


def colours(images: Any, name: str = "images") -> np.ndarray:
    """Images in three colours in [0, 1].

    Args:
        images: (n, height, width), or (..., height, width, 1 or 3), as bytes or in [0, 1].
        name: of them, for an error.
    """
    images = np.asarray(images)
    images = images[..., None] if images.ndim == 3 else images
    if images.shape[-1] not in (1, 3):
        raise UserError(f"{name}: images have 1 or 3 channels, got shape {images.shape}")
    values = images / 255 if images.dtype == np.uint8 else np.clip(np.nan_to_num(images), 0.0, 1.0)
    return np.broadcast_to(values, (*images.shape[:-1], 3))


def mosaic(tiles: np.ndarray, *, gap: int, between: float) -> np.ndarray:
    """Tiles (rows, columns, height, width, 3) as one picture, set apart by `gap` pixels of grey `between`."""
    padded = np.pad(tiles, ((0, 0), (0, 0), (gap, 0), (gap, 0), (0, 0)), constant_values=between)
    rows, columns, height, width, _ = padded.shape
    picture = padded.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    return np.pad(picture, ((0, gap), (0, gap), (0, 0)), constant_values=between)


def grid_columns(count: int, ratio: float) -> int:
    """How many columns make a grid of `count` tiles about `ratio` times as wide as high, with few left empty."""

    def cost(columns: int) -> float:
        rows = -(-count // columns)
        return abs(math.log(columns / rows / ratio)) + 4 * (rows * columns - count) / (rows * columns)

    return min(range(1, count + 1), key=cost)


def picture_figure(picture: np.ndarray, title: str, *, wide: float, beside: float, above: float) -> tuple[Any, Any]:
    """A figure of one picture and its axes.

    Args:
        picture: (height, width, 3) in [0, 1].
        title: of the figure, which is made wider if that is long.
        wide: the width of the picture, in inches.
        beside: of what stands at its sides.
        above: the height of what stands above and below.
    """
    high = wide * picture.shape[0] / picture.shape[1] + above
    width = min(full_width(), max(wide + beside, 3.0, 0.125 * len(title) + 0.3))
    figure, (axes,) = canvas.new_panels(high, title, [("", "")], width=width)
    axes.grid(visible=False)
    axes.set_anchor("W")
    axes.imshow(picture)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure, axes


def image_lines(
    lines: Sequence[Any], left: Names, title: str, right: Names = (), below: Names = (), large: bool = False
) -> Any:
    """A figure of lines of images, with texts beside them.

    Args:
        lines: of equally many images (columns, height, width[, 1 or 3]), as bytes or in [0, 1].
        left: what stands at the left of each line.
        title: of the figure.
        right: what stands at its right, if anything does.
        below: what stands below each column, if anything does.
        large: up to 12 columns, as many as leave two lines of text their height; else all, and each is small.
    """
    tiles = np.stack([colours(line, name) for line, name in zip(lines, left, strict=True)])
    wide = not canvas.is_narrow()
    if not wide and not large:  # no column can be left out
        with canvas.as_wide_as(canvas.WIDTH):
            return image_lines(lines, left, title, right, below)
    left, right = ([_broken(text, 34 if wide else 16) for text in side] for side in (left, right))
    beside = _width_of(left) + (_width_of(right) - 0.3 if any(right) else 0.0)
    shape = tiles.shape[2] / tiles.shape[3]
    high = 0.45 if wide else 0.12 + 0.17 * max(text.count("\n") + 1 for text in (*left, *right))
    if large:
        least = max(high / shape, 0 if wide or not below else 1.3)
        tiles = tiles[:, : max(1, min(MOST_IMAGES, int((full_width() - beside) / least)))]
    count, columns, height, width, _ = tiles.shape
    one = min((full_width() - beside) / columns, max(1.2, high / shape) if large else 0.65, 3.0 / shape)
    gap = max(1, round(min(height, width) / 14))
    picture = mosaic(tiles, gap=gap, between=1.0)
    below = [_broken(text, int(12.4 * one)) for text in below[:columns]]
    above = 0.5 + 0.15 * max((text.count("\n") + 1 for text in below), default=0)
    figure, axes = picture_figure(picture, title, wide=columns * one, beside=beside, above=above)
    middles = lambda number, size: gap + (size - 1) / 2 + (size + gap) * np.arange(number)
    axes.set_yticks(middles(count, height), left, size=TEXT)
    axes.set_xticks(middles(len(below), width), below, size=SMALL)
    if any(right):
        side = axes.secondary_yaxis("right")
        side.set_yticks(middles(count, height), right, size=TEXT)
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    return figure


def laid_out(code: np.ndarray, images: np.ndarray) -> dict[str, np.ndarray]:
    """Images where their codes lie: in each field of a square the one nearest to its middle.

    Args:
        code: (m, d), of which the two principal components are taken where d is not 2.
        images: (m, height, width, channels) bytes, of which every n-th pixel is taken where a side is long.

    Returns:
        ``tiles``, (k, height', width', channels), and ``fields``, (k, 2), the row and column of each.
    """
    middle = code - code.mean(0, dtype=np.float64)
    points = middle if code.shape[1] == 2 else middle @ np.linalg.svd(middle, full_matrices=False)[2][:2].T
    points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    low, high = points.min(0), points.max(0)
    places = (points - low) / np.where(high > low, high - low, 1) * FIELDS
    fields = np.minimum(places.astype(int), FIELDS - 1)
    apart = np.square(places - fields - 0.5).sum(1)
    order = np.lexsort((apart, fields[:, 0], fields[:, 1]))
    _, first = np.unique(fields[order], axis=0, return_index=True)
    chosen = order[first]
    step = -(-max(images.shape[1:3]) // THUMBNAIL)
    return {"tiles": images[chosen, ::step, ::step], "fields": fields[chosen][:, ::-1] * [-1, 1] + [FIELDS - 1, 0]}


def thumbnails(words: Words, content: Any) -> Any:
    """What `laid_out` keeps, as a figure."""
    tiles = colours(content["tiles"])
    grid = np.ones((FIELDS, FIELDS, *tiles.shape[1:]))
    grid[tuple(content["fields"].T)] = tiles
    picture = mosaic(grid, gap=1, between=1.0)
    figure, axes = picture_figure(picture, words("thumbnails.title"), wide=full_width() - 0.6, beside=0.6, above=0.6)
    axes.set_axis_off()
    return figure


def _width_of(names: Names) -> float:
    """The width in inches that names beside lines of images take."""
    return 0.45 + 0.085 * max(len(line) for name in names for line in name.split("\n"))


def _broken(text: str, most: int) -> str:
    """A text in lines of at most so many letters."""
    return canvas.plain("\n".join(fill(line, most) for line in text.split("\n")))


def framed(images: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Images (lines, columns, height, width, 1 or 3) with a frame around those that are not right: (lines, columns)."""
    from matplotlib.colors import to_rgb

    edge = max(1, round(min(images.shape[2:4]) / 14))
    around = ((0, 0), (0, 0), (edge, edge), (edge, edge), (0, 0))
    inside = np.pad(np.ones((1, 1, *images.shape[2:4], 1), bool), around)
    padded = np.pad(colours(images), around, constant_values=1.0)
    return np.where(right[:, :, None, None, None] | inside, padded, to_rgb(OKABE_ITO[5]))


def filters(words: Words, kernels: Any, units: int | None = None, dead: int = 0) -> Any:
    """Filters as a grid of small pictures, as a figure.

    Args:
        words: of the language.
        kernels: (units, height, width[, 1 or 3]) weights times the spread of their pixels; of more than 100 the first
            are drawn, as the title then says.
        units: how many units there are, where not all of them are passed.
        dead: how many of them do nothing and are not passed.

    Raises:
        UserError: if there is nothing to draw, or for another number of channels.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    units = len(kernels) if units is None else int(units)
    title = words("filters.title" if units <= MOST_FILTERS else "filters.title_first", shown=MOST_FILTERS, units=units)
    title += words("filters.dead", dead=int(dead), units=units) if dead else ""
    signed = kernels.ndim == 3 or kernels.shape[-1] == 1
    picture = filter_grid(kernels[:MOST_FILTERS], 1.9)
    beside = 1.0 if signed else 0.3
    wide = min(full_width() - beside, 1.2 / 52 * picture.shape[1])
    above = max(0.5, 2.5 - wide * picture.shape[0] / picture.shape[1])
    figure, axes = picture_figure(picture, title, wide=wide, beside=beside, above=above)
    axes.set_axis_off()
    if signed:
        mark = ScalarMappable(Normalize(-1, 1), "RdBu_r")
        canvas.colour_bar(figure, mark, axes, words("filters.scale"), aspect=30, ticks=[-1, 0, 1])
    return figure


def filter_grid(kernels: np.ndarray, ratio: float) -> np.ndarray:
    """Filters in rows as one picture, each scaled by its own largest magnitude.

    One channel: zero is white, positive weights are red and negative ones blue. Three channels: zero is grey.

    Args:
        kernels: (units, height, width[, 1 or 3]).
        ratio: of the width of the grid to its height.
    """
    from matplotlib import colormaps

    kernels = np.nan_to_num(kernels)
    largest = np.abs(kernels).max(axis=tuple(range(1, kernels.ndim)), keepdims=True)
    tiles = colours(0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1.0), "kernels")
    if kernels.ndim == 3 or kernels.shape[-1] == 1:
        tiles = colormaps["RdBu_r"](tiles[..., 0])[..., :3]
    height, width = tiles.shape[1:3]
    columns = grid_columns(len(tiles), ratio * height / width)
    empty = -len(tiles) % columns
    tiles = np.concatenate([tiles, np.ones((empty, height, width, 3))]).reshape(-1, columns, height, width, 3)
    scale = max(1, round(48 / max(height, width)))  # enlarged, so that the lines between small filters are thin
    picture = mosaic(tiles.repeat(scale, axis=2).repeat(scale, axis=3), gap=4, between=0.6)
    if empty:
        picture[-(height * scale + 4) :, -empty * (width * scale + 4) :] = 1.0
    return picture
