"""Some rows beside what was made of them: images as a mosaic, rows of a table as profiles."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.report import canvas
from aejax.report.canvas import GREY, OKABE_ITO, TEXT, WIDTH

MOST_IMAGES, MOST_PROFILES, MOST_TICKS = 12, 6, 20


def reconstructions(
    path: str | os.PathLike,
    originals: Any,
    reconstructions: Any,
    baseline: Any = None,
    *,
    inputs: Any = None,
    labels: Sequence[str] | None = None,
    errors: Mapping[str, str] | None = None,
    baseline_name: str = "PCA",
    feature_names: Sequence[str] = (),
    title: str = "Originals and their reconstructions",
) -> Path:
    """Draw some rows of a data set above, or behind, what the autoencoder and the baseline make of them.

    Images become a mosaic with a row for each; rows of a table become profiles over the features. As many of
    the first rows are drawn as fit: up to 12 images or 6 profiles.

    Args:
        path: the PNG file to write.
        originals: (n, height, width[, 1 or 3]) in [0, 1], or (n, features).
        reconstructions: the same shape.
        baseline: the same shape; drawn if given.
        inputs: the same shape: what the encoder saw, where that is not the original.
        labels: n short texts, one above each example.
        errors: a short text below the name of a row: ``{"autoencoder": "MSE 0.012"}``.
        baseline_name: what to call the baseline.
        feature_names: of a table, written below the axis where they fit.
        title: what there is to see.

    Returns:
        The path of the picture.

    Raises:
        UserError: if there is nothing to draw or shapes differ.
    """
    originals = canvas.numbers(originals, "originals", [2, 3, 4])
    given = {"original": originals, "input": inputs, "autoencoder": reconstructions, baseline_name: baseline}
    rows = {}
    for name, values in given.items():
        if values is not None:
            rows[name] = canvas.numbers(values, name, [originals.ndim])
            if rows[name].shape != originals.shape:
                raise UserError(f"{name}: shape {rows[name].shape}, but the originals have {originals.shape}")
    names = {name: "\n".join([name, *filter(None, [(errors or {}).get(name)])]) for name in rows}
    columns = [""] * len(originals) if labels is None else [str(label) for label in labels]
    draw = profiles if originals.ndim == 2 else image_rows
    return canvas.save_figure(draw(rows, names, columns, title, list(feature_names)), path)


def image_rows(
    rows: Mapping[str, np.ndarray], names: Mapping[str, str], columns: Sequence[str], title: str, _: Sequence[str]
) -> Any:
    """A figure of image rows, named at the left, with a text above each column."""
    pictures = [canvas.colours(images, name) for name, images in rows.items()]
    count, height, width, _channels = pictures[0].shape
    shape = height / width
    # A row is high enough for two lines of text, and a column no wider than it needs to be.
    beside = 0.45 + 0.085 * max(len(line) for name in names.values() for line in name.split("\n"))
    count = max(1, min(count, MOST_IMAGES, int((WIDTH - beside) * shape / 0.45)))
    wide = min((WIDTH - beside) / count, max(1.2, 0.45 / shape), 3.0 / shape)
    gap = max(1, round(min(height, width) / 14))
    picture = canvas.mosaic(np.stack([images[:count] for images in pictures]), gap=gap, between=1.0)
    captions = any(columns[:count])
    high = len(rows) * wide * shape + 0.5 + 0.25 * captions
    figure = canvas.new_figure(high, title, width=canvas.fitting(count * wide + beside, title))
    axes = figure.subplots()
    axes.set_anchor("W")
    axes.imshow(picture)
    axes.set_yticks(
        gap + (height - 1) / 2 + (height + gap) * np.arange(len(rows)),
        [canvas.plain(names[name]) for name in rows],
        size=TEXT,
    )
    middles = gap + (width - 1) / 2 + (width + gap) * np.arange(count)
    axes.set_xticks(middles, [canvas.plain(text) for text in columns[:count]], size=TEXT)
    axes.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axes.spines[:].set_visible(False)
    return figure


def profiles(
    rows: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    columns: Sequence[str],
    title: str,
    features: Sequence[str],
) -> Any:
    """A figure with a panel for each of the first rows: its values over the features."""
    count, size = next(iter(rows.values())).shape
    count = min(count, MOST_PROFILES)
    across = 1 if count == 1 else 2
    down = -(-count // across)
    labelled = len(features) == size <= MOST_TICKS
    figure = canvas.new_figure(1.0 + 1.6 * down + 0.6 * labelled + 0.4 * (down == 1), title)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    styles = {"original": ("#000000", "-", 2.2), "input": (GREY, ":", 1.4), "autoencoder": (OKABE_ITO[5], "-", 1.6)}
    for index, axes in enumerate(grid):
        if index >= count:
            axes.set_visible(False)
            continue
        for name, values in rows.items():
            colour, line, width = styles.get(name, (OKABE_ITO[0], "--", 1.4))
            style = {"color": colour, "linestyle": line, "linewidth": width, "markersize": 3.5}
            style["marker"] = "o" if size <= MOST_TICKS else ""
            label = canvas.plain(names[name].replace("\n", ", "))
            axes.plot(np.arange(1, size + 1), canvas.finite(values[index]), label=label, **style)
        canvas.quiet(axes, x="" if labelled else "feature", y="value")
        axes.label_outer()
        axes.set_title(canvas.plain(columns[index]), size=TEXT, loc="left", pad=3)
        if labelled:
            aside = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
            axes.set_xticks(np.arange(1, size + 1), [canvas.short(name, 18) for name in features], **aside)
        else:
            axes.xaxis.get_major_locator().set_params(integer=True)
    handles, texts = grid[0].get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=4, frameon=False, fontsize=TEXT)
    return figure
