"""Some rows beside what was made of them: images as a mosaic, rows of a table as profiles."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO, TEXT, WIDTH

MOST_IMAGES, MOST_PROFILES, MOST_TICKS = 12, 6, 20
TITLE = "Originals and their reconstructions"


def reconstructions(
    path: str | os.PathLike,
    originals: Any,
    reconstructions: Any,
    baseline: Any,
    *,
    errors: Mapping[str, str],
    feature_names: Sequence[str] = (),
) -> Path:
    """Draw some rows of a data set above, or behind, what the autoencoder and PCA make of them.

    Images become a mosaic with a row for each; rows of a table become profiles over the features. As many of
    the first rows are drawn as fit: up to 12 images or 6 profiles.

    Args:
        path: the PNG file to write.
        originals: (n, height, width[, 1 or 3]) in [0, 1], or (n, features); NaN of these is a missing value, a gap.
        reconstructions: the same shape.
        baseline: the same shape.
        errors: a short text below the name of a row: ``{"autoencoder": "MSE 0.012", "PCA": "MSE 0.015"}``.
        feature_names: of a table, written below the axis where they fit.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw or shapes differ.
    """
    originals = canvas.numbers(originals, "originals", [2, 3, 4])
    given = {"original": originals, "autoencoder": reconstructions, "PCA": baseline}
    rows = {name: canvas.numbers(values, name, [originals.ndim]) for name, values in given.items()}
    for name, values in rows.items():
        if values.shape != originals.shape:
            raise UserError(f"{name}: shape {values.shape}, but the originals have {originals.shape}")
    names = {name: f"{name}\n{errors[name]}" if name in errors else name for name in rows}
    figure = profiles(rows, names, feature_names) if originals.ndim == 2 else image_rows(rows, names, TITLE)
    return canvas.save_figure(figure, path)


def image_rows(rows: Mapping[str, np.ndarray], names: Mapping[str, str], title: str) -> Any:
    """A figure of image rows, named at the left."""
    pictures = [canvas.colours(images, name) for name, images in rows.items()]
    count, height, width, _channels = pictures[0].shape
    shape = height / width
    # A row is high enough for two lines of text, and a column no wider than it needs to be.
    beside = 0.45 + 0.085 * max(len(line) for name in names.values() for line in name.split("\n"))
    count = max(1, min(count, MOST_IMAGES, int((WIDTH - beside) * shape / 0.45)))
    wide = min((WIDTH - beside) / count, max(1.2, 0.45 / shape), 3.0 / shape)
    gap = max(1, round(min(height, width) / 14))
    picture = canvas.mosaic(np.stack([images[:count] for images in pictures]), gap=gap, between=1.0)
    high = len(rows) * wide * shape + 0.5
    figure = canvas.new_figure(high, title, width=canvas.fitting(count * wide + beside, title))
    axes = figure.subplots()
    axes.set_anchor("W")
    canvas.show_lines(axes, picture, [canvas.plain(names[name]) for name in rows], height=height, gap=gap)
    return figure


def profiles(rows: Mapping[str, np.ndarray], names: Mapping[str, str], features: Sequence[str]) -> Any:
    """A figure with a panel for each of the first rows: its values over the features."""
    count, size = next(iter(rows.values())).shape
    count = min(count, MOST_PROFILES)
    across = 1 if count == 1 else 2
    down = -(-count // across)
    labelled = len(features) == size <= MOST_TICKS
    figure = canvas.new_figure(1.0 + 1.6 * down + 0.6 * labelled + 0.4 * (down == 1), TITLE)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    styles = {
        "original": ("#000000", "-", 2.2),
        "autoencoder": (OKABE_ITO[5], "-", 1.6),
        "PCA": (OKABE_ITO[0], "--", 1.4),
    }
    for index, axes in enumerate(grid):
        if index >= count:
            axes.set_visible(False)
            continue
        for name, values in rows.items():
            colour, line, width = styles[name]
            style = {"color": colour, "linestyle": line, "linewidth": width, "markersize": 3.5}
            own = canvas.finite(values[index])
            lonely = _alone(own)
            style["marker"] = "o" if size <= MOST_TICKS or lonely.size else ""
            style["markevery"] = None if size <= MOST_TICKS else lonely
            label = canvas.plain(names[name].replace("\n", ", "))
            axes.plot(np.arange(1, size + 1), own, label=label, **style)
        canvas.quiet(axes, x="" if labelled else "feature", y="value")
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
