"""Rows that stand for something: images in lines, rows of a table as profiles, documents by their heaviest words."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, SMALL, TEXT, WIDTH
from aejax.figures.words import Words
from aejax.types import Dataset

SHOWN = 10  # rows of a data set
MOST_IMAGES, MOST_PROFILES, MOST_TICKS = 12, 6, 20
SHOWN_WORDS, LETTERS = 7, 76  # of a document, in a line
WRONG = canvas.channels(OKABE_ITO[5])
STYLES = {"original": ("#000000", "-", 2.2), "autoencoder": (OKABE_ITO[5], "-", 1.6), "pca": (OKABE_ITO[0], "--", 1.4)}


def choose(labels: np.ndarray | None, rows: int) -> np.ndarray:
    """The rows to show: the first of each class in turn, or the first ones."""
    if labels is None:
        return np.arange(min(SHOWN, rows))
    firsts = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    turns = [places[turn] for turn in range(SHOWN) for places in firsts if turn < len(places)]
    return np.array(sorted(turns[:SHOWN], key=lambda row: labels[row]))


def are_images(dataset: Dataset) -> bool:
    """Whether rows can be shown as images: grey ones, or of three colours."""
    return dataset.kind == "image" and dataset.feature_shape[-1] in (1, 3)


def as_images(arrays: Sequence[np.ndarray], dataset: Dataset) -> list[np.ndarray]:
    """Scaled rows as images in [0, 1], black and white where the original values are smallest and largest."""
    shift, scale = (np.broadcast_to(v, dataset.feature_shape).reshape(-1) for v in (dataset.shift, dataset.scale))
    raw = [values / scale + shift for values in arrays]
    low, high = raw[0].min(), raw[0].max()
    fold = lambda values: np.clip((values - low) / max(high - low, 1e-12), 0, 1).reshape(-1, *dataset.feature_shape)
    return [fold(values) for values in raw]


def as_strips(strips: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Lines of scaled rows (lines, columns, n), cut off at the ends of the data's range, as images in [0, 1]."""
    inside = np.clip(strips, dataset.range.low, dataset.range.high).reshape(-1, strips.shape[-1])
    return as_images([inside], dataset)[0].reshape(*strips.shape[:2], *dataset.feature_shape)


def feature(words: Words, names: Sequence[str], number: int, most: int) -> str:
    """The name of a feature, at most so many letters of it."""
    return canvas.cut(names[number] if len(names) else words("common.feature", number=number + 1), most)


def words_of(dataset: Dataset, row: np.ndarray, most: int = SHOWN_WORDS) -> str:
    """The heaviest words of a document: the features with the largest values above 0, largest first."""
    order = np.argsort(-row, kind="stable")[:most]
    named = [dataset.feature_names[i] if dataset.feature_names else str(i + 1) for i in order if row[i] > 0]
    return canvas.cut(", ".join(named) or "–", LETTERS)


def reconstructions(
    words: Words,
    originals: Any,
    reconstructions: Any,
    baseline: Any,
    *,
    errors: Mapping[str, float],
    feature_names: Sequence[str] = (),
) -> Any:
    """Some rows of a data set above, or behind, what the autoencoder and PCA make of them, as a figure.

    Images become a line for each of the three; rows of a table become profiles over the features. As many of
    the first rows are drawn as fit: up to 12 images or 6 profiles.

    Args:
        words: of the language.
        originals: (n, height, width[, 1 or 3]) in [0, 1], or (n, features); NaN of these is a missing value, a gap.
        reconstructions: the same shape.
        baseline: the same shape.
        errors: the mean squared error of ``"autoencoder"`` and of ``"pca"``, where it is to be written.
        feature_names: of a table, written below the axis where they fit.

    Raises:
        UserError: if there is nothing to draw or shapes differ.
    """
    originals = canvas.numbers(originals, "originals", [2, 3, 4])
    rows = {"original": originals, "autoencoder": reconstructions, "pca": baseline}
    rows = {name: canvas.numbers(values, name, [originals.ndim]) for name, values in rows.items()}
    for name, values in rows.items():
        if values.shape != originals.shape:
            raise UserError(f"{name}: shape {values.shape}, but the originals have {originals.shape}")
    names = {name: words(f"reconstructions.{name}") for name in rows}
    names |= {name: f"{names[name]}\n{words('reconstructions.error', error=error)}" for name, error in errors.items()}
    if originals.ndim == 2:
        return profiles(words, rows, names, feature_names)
    return image_rows(rows, names, words("reconstructions.title"))


def image_rows(rows: Mapping[str, np.ndarray], names: Mapping[str, str], title: str) -> Any:
    """A figure of lines of images (n, height, width[, channels]), as many columns as leave two lines of text a place.

    Args:
        rows: by name.
        names: what is written at the left, by the same names.
        title: of the figure.
    """
    tiles = np.stack([canvas.colours(images, name) for name, images in rows.items()])
    left = [names[name] for name in rows]
    shape = tiles.shape[2] / tiles.shape[3]
    count = max(1, min(tiles.shape[1], MOST_IMAGES, int((WIDTH - _beside(left)) * shape / 0.45)))
    return image_lines(tiles[:, :count], left, title, size=max(1.2, 0.45 / shape))


def _beside(names: Sequence[str]) -> float:
    """The width in inches that names beside lines of images take."""
    return 0.45 + 0.085 * max(len(line) for name in names for line in name.split("\n"))


def image_lines(
    tiles: np.ndarray,
    left: Sequence[str],
    title: str,
    *,
    right: Sequence[str] = (),
    below: Sequence[str] = (),
    size: float = 0.65,
) -> Any:
    """A figure of images in lines, with texts beside them.

    Args:
        tiles: (lines, columns, height, width, 3) in [0, 1].
        left: what stands at the left of each line.
        title: of the figure.
        right: what stands at its right, if anything does.
        below: what stands below each column, if anything does.
        size: the most width of an image, in inches.
    """
    lines, columns, height, width, _ = tiles.shape
    left, right = ([fill_lines(text, 34) for text in side] for side in (left, right))
    beside = _beside(left) + (_beside(right) - 0.3 if any(right) else 0.0)
    gap = max(1, round(min(height, width) / 14))
    wide = columns * min((WIDTH - beside) / columns, size, 3.0 * width / height)
    picture = canvas.mosaic(tiles, gap=gap, between=1.0)
    high = wide * picture.shape[0] / picture.shape[1] + 0.5 + 0.3 * any(below)
    figure = canvas.new_figure(high, title, width=canvas.fitting(wide + beside, title))
    axes = figure.subplots()
    axes.set_anchor("W")
    axes.imshow(picture)
    axes.set_yticks(canvas.middles(lines, height, gap), [canvas.plain(name) for name in left], size=TEXT)
    axes.set_xticks(canvas.middles(len(below), width, gap), [fill(canvas.plain(text), 8) for text in below], size=SMALL)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if any(right):
        side = axes.secondary_yaxis("right")
        side.set_yticks(canvas.middles(lines, height, gap), right, size=TEXT)
        side.tick_params(length=0)
        side.spines[:].set_visible(False)
    return figure


def fill_lines(text: str, most: int) -> str:
    """A text whose lines are broken so that each has at most so many letters, if its words allow."""
    return "\n".join(fill(line, most, break_long_words=False) for line in text.split("\n"))


def framed(tiles: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Images (lines, columns, height, width, 3) with a frame around those that are not right: (lines, columns) bool."""
    edge = max(1, round(min(tiles.shape[2:4]) / 14))
    padded = np.pad(tiles, ((0, 0), (0, 0), (edge, edge), (edge, edge), (0, 0)), constant_values=1.0)
    inside = np.zeros(padded.shape[2:4], bool)
    inside[edge:-edge, edge:-edge] = True
    return np.where(right[:, :, None, None, None] | inside[None, None, :, :, None], padded, np.array(WRONG))


def stretched(rows: np.ndarray) -> np.ndarray:
    """Unscaled images of any shape in [0, 1], from black at their least value to white at their greatest."""
    low, high = float(rows.min()), float(rows.max())
    return (rows.astype(np.float64) - low) / max(high - low, 1e-12)


def pixels(images: np.ndarray) -> np.ndarray:
    """Images in [0, 1] as bytes, to be kept."""
    return np.round(255 * np.clip(np.nan_to_num(images), 0, 1)).astype(np.uint8)


def tiles_of(pixels: np.ndarray) -> np.ndarray:
    """Lines of images (lines, columns, height, width, 1 or 3) that were kept as bytes, in three colours in [0, 1]."""
    images = pixels.reshape(-1, *pixels.shape[2:]) / 255
    return canvas.colours(images, "images").reshape(*pixels.shape[:-1], 3)


def profiles(words: Words, rows: Mapping[str, np.ndarray], names: Mapping[str, str], features: Sequence[str]) -> Any:
    """A figure with a panel for each of the first rows: its values over the features."""
    count, size = next(iter(rows.values())).shape
    count = min(count, MOST_PROFILES)
    across = 1 if count == 1 else 2
    down = -(-count // across)
    labelled = len(features) == size <= MOST_TICKS
    figure = canvas.new_figure(1.0 + 1.6 * down + 0.6 * labelled + 0.4 * (down == 1), words("reconstructions.title"))
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[count:]:
        axes.set_visible(False)
    for index, axes in enumerate(grid[:count]):
        for name, values in rows.items():
            colour, line, width = STYLES[name]
            style = {"color": colour, "linestyle": line, "linewidth": width, "markersize": 3.5}
            profile = canvas.finite(values[index])
            lonely = _alone(profile)
            style["marker"] = "o" if size <= MOST_TICKS or lonely.size else ""
            style["markevery"] = None if size <= MOST_TICKS else lonely
            label = canvas.plain(names[name].replace("\n", ", "))
            axes.plot(np.arange(1, size + 1), profile, label=label, **style)
        canvas.quiet(axes, x="" if labelled else words("common.feature_axis"), y=words("common.value"))
        axes.label_outer()
        if labelled:
            aside = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
            axes.set_xticks(np.arange(1, size + 1), [canvas.short(name, 18) for name in features], **aside)
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
    handles, texts = grid[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False, fontsize=TEXT)
    return figure


def _alone(values: np.ndarray) -> np.ndarray:
    """The places of values between two gaps, to which no line leads."""
    there = np.pad(np.isfinite(values), 1)
    return np.flatnonzero(there[1:-1] & ~there[:-2] & ~there[2:])
