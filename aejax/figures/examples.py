"""Rows that stand for something: images side by side, documents by their heaviest words, tables by columns."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import OKABE_ITO
from aejax.types import Dataset

SHOWN_WORDS, LETTERS = 7, 76  # of a document, in a line
SHOWN_COLUMNS = 3
WRONG = canvas.channels(OKABE_ITO[5])


def words_of(dataset: Dataset, row: np.ndarray, most: int = SHOWN_WORDS) -> str:
    """The features of a row with the largest values above 0, largest first: of a document, its heaviest words."""
    order = np.argsort(-row, kind="stable")[:most]
    names = names_of(dataset, len(row))
    return canvas.short(", ".join(names[place] for place in order if row[place] > 0) or "–", LETTERS)


def names_of(dataset: Dataset, features: int) -> Sequence[str]:
    """The names of the features, or their numbers where they have none."""
    return dataset.feature_names or [f"feature {place + 1}" for place in range(features)]


def apart(dataset: Dataset, own: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> str:
    """What tells a group of rows of a table from the others, in a few columns: "proline +1.8 sd": it is large in them.

    Args:
        dataset: with the names of its columns.
        own: (n,) the means of the group.
        mean: (n,) those of all rows.
        deviation: (n,) the standard deviations of all rows.
    """
    size = np.where(deviation > 0, (own - mean) / np.where(deviation > 0, deviation, 1), 0)
    names = names_of(dataset, len(size))
    order = [place for place in np.argsort(-np.abs(size), kind="stable")[:SHOWN_COLUMNS] if abs(size[place]) >= 0.05]
    signed = lambda value: f"{value:+.1f}".replace("-", "−")
    parts = [f"{canvas.cut(names[place], 26)} {signed(size[place])} sd" for place in order]
    return canvas.plain(", ".join(parts) or "like all rows")


def pictured(path: Path, rows: np.ndarray, names: Sequence[str], title: str, right: np.ndarray) -> Path:
    """Draw a line of images for each name; what is not right has a frame.

    Args:
        path: the PNG file to write.
        rows: (lines, columns, height, width, channels), unscaled.
        names: one for each line.
        title: what there is to see.
        right: (lines, columns) bool.
    """
    low, high = float(rows.min()), float(rows.max())
    flat = (rows.reshape(-1, *rows.shape[2:]).astype(np.float64) - low) / max(high - low, 1e-12)
    tiles = canvas.colours(flat, "images").reshape(*rows.shape[:2], *flat.shape[1:3], 3)
    edge = max(1, round(min(rows.shape[2:4]) / 14))
    framed = np.pad(tiles, ((0, 0), (0, 0), (edge, edge), (edge, edge), (0, 0)), constant_values=1.0)
    inside = np.zeros(framed.shape[2:4], bool)
    inside[edge:-edge, edge:-edge] = True
    framed = np.where(right[:, :, None, None, None] | inside[None, None, :, :, None], framed, np.array(WRONG))
    picture = canvas.mosaic(framed, gap=1, between=1.0)
    wide = min(0.7 * rows.shape[1], canvas.WIDTH - 2.2)
    if not right.all():
        title += "; framed: of another class"
    figure = canvas.new_figure(wide * picture.shape[0] / picture.shape[1] + 0.9, title)
    lines = [canvas.short(name, 24) for name in names]
    canvas.show_lines(figure.subplots(), picture, lines, height=framed.shape[2], gap=1)
    return canvas.save_figure(figure, path)
