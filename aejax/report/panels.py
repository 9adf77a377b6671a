"""The parts that figures are put together from: a curve, a mosaic, profiles, a map and its legend."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.report import canvas
from aejax.report.canvas import GREY, OKABE_ITO, PETROFF, SMALL, TEXT, WIDTH

MOST_IMAGES, MOST_PROFILES, MOST_TICKS = 12, 6, 20


def finite(values: np.ndarray) -> np.ndarray:
    """The values, with a gap (nan) where one is infinite."""
    return np.where(np.isfinite(values), values, np.nan)


def smooth(values: np.ndarray, half: int) -> np.ndarray:
    """The mean of the finite values among the `half` on either side of each value and the value itself."""
    known = np.isfinite(values)
    totals = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(known)])
    stop = np.minimum(np.arange(values.size) + half + 1, values.size)
    start = np.maximum(np.arange(values.size) - half, 0)
    number = counts[stop] - counts[start]
    return np.where(number > 0, (totals[stop] - totals[start]) / np.maximum(number, 1), np.nan)


def curve(axes: Any, steps: np.ndarray, values: np.ndarray, name: str, colour: str) -> np.ndarray:
    """Draw one curve, light as it is and full as its running mean; returns what was drawn."""
    values, half = finite(values), values.size // 80
    style = {"color": colour, "linewidth": 1.8, "label": canvas.plain(name)}
    if np.isfinite(values).sum() == 1:
        style["marker"] = "o"
    if half:
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
        axes.plot(steps, smooth(values, half), **style)
    else:
        axes.plot(steps, values, **style)
    return values


def evaluated(name: str, steps: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """The steps and values of an evaluation, of equal number."""
    steps, values = canvas.numbers(steps, f"steps of {name!r}", [1]), canvas.numbers(values, f"{name!r}", [1])
    if steps.shape != values.shape:
        raise UserError(f"evaluation {name!r}: has {values.size} values for {steps.size} steps")
    return steps, values


def dots(axes: Any, steps: np.ndarray, values: np.ndarray, name: str, colour: str) -> np.ndarray:
    """Draw values that were found now and then, in the legend if they have a name; returns what was drawn."""
    style = {"color": colour, "marker": "o", "markersize": 3.5, "linewidth": 1.4, "linestyle": "--"}
    axes.plot(
        steps,
        finite(values),
        label=canvas.plain(name) if name else "_hidden",
        markevery=max(1, values.size // 40),
        **style,
    )
    return values


def finish_curves(axes: Any, drawn: Sequence[np.ndarray], label: str, width: float) -> None:
    """Scale and label the axes of curves, and name the curves above them."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

    together = np.concatenate([values[np.isfinite(values)] for values in drawn])
    if together.size == 0:
        axes.text(0.5, 0.5, "no value is finite", transform=axes.transAxes, ha="center", size=TEXT, color=GREY)
    logarithmic = together.size > 0 and together.min() > 0 and together.max() > 20 * together.min()
    canvas.quiet(axes, x="step", y=f"{label} (log scale)" if logarithmic else label)
    if logarithmic:
        axes.set_yscale("log")
        narrow = together.max() < 1000 * together.min()
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
        if narrow:
            axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    canvas.legend_above(axes, width)


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
            axes.plot(np.arange(1, size + 1), finite(values[index]), label=label, **style)
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


def labelled_points(name: str, points: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The finite points of one map and their labels; -1 for all where there are none."""
    points = canvas.numbers(points, f"map {name!r}", [2])
    if points.shape[1] != 2:
        raise UserError(f"map {name!r}: points have 2 coordinates, got shape {points.shape}")
    labels = np.full(len(points), -1) if labels is None else np.asarray(labels)
    if labels.shape != (len(points),) or labels.dtype.kind not in "biuf":
        raise UserError(f"map {name!r}: {len(points)} points need as many labels that are numbers, or none")
    known = np.isfinite(points).all(axis=1) & np.isfinite(labels)
    if not known.any():
        raise UserError(f"map {name!r}: no point is finite")
    return points[known], labels[known]


def class_style(label: int, classes: int) -> tuple[str, str]:
    """Colour and marker of a class, the same in every map; grey for no label among labels."""
    if label < 0 or not classes:
        return "#9a9a9a" if classes else OKABE_ITO[0], "o"
    palette = OKABE_ITO if classes <= len(OKABE_ITO) else PETROFF
    return palette[label % len(palette)], "os^Dv*"[label // len(palette) % 6]


def limits(labels: Sequence[np.ndarray]) -> tuple[float, float]:
    """The smallest and the largest label of all maps, so that a colour means the same in each."""
    return min(float(array.min()) for array in labels), max(float(array.max()) for array in labels)


def scatter(axes: Any, points: np.ndarray, labels: np.ndarray, classes: int, within: tuple[float, float]) -> Any:
    """Draw one map, in an order that lets no class cover another; returns what a colour bar needs."""
    size = float(np.clip(12000 / max(len(points), 1), 5, 28))
    style = {"s": size, "alpha": 0.8, "linewidths": 0, "rasterized": True}
    order = np.random.default_rng(0).permutation(len(points))
    points, labels = points[order], labels[order]
    if labels.dtype.kind == "f":
        return axes.scatter(*points.T, c=labels, cmap="viridis", vmin=within[0], vmax=within[1], **style)
    styles = [class_style(int(label), classes) for label in labels]
    for marker in sorted({marker for _, marker in styles}):
        chosen = np.array([mark == marker for _, mark in styles])
        colours = [colour for colour, mark in styles if mark == marker]
        axes.scatter(*points[chosen].T, c=colours, marker=marker, **style)
    return None


def class_legend(figure: Any, used: Sequence[int], names: Sequence[str]) -> None:
    """The classes at the right of all maps."""
    from matplotlib.lines import Line2D

    handles = []
    for label in used:
        colour, marker = class_style(label, len(names) or max(used) + 1)
        name = "no label" if label < 0 else names[label] if label < len(names) else str(label)
        style = {"linestyle": "", "marker": marker, "markersize": 7, "color": colour}
        handles.append(Line2D([], [], label=canvas.short(name, 22), **style))
    figure.legend(
        handles=handles,
        loc="outside right center",
        frameon=False,
        fontsize=SMALL if len(used) > 12 else TEXT,
        ncols=1 + len(used) // 17,
        handletextpad=0.2,
        columnspacing=0.8,
    )
