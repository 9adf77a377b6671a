"""Figures that runs of any task may have: the loss, codes, maps of codes, and rows beside their reconstructions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, PETROFF, SMALL, TEXT, Names, Tree
from aejax.figures.images import image_lines
from aejax.figures.words import Words

BLUE, GREEN = OKABE_ITO[0], OKABE_ITO[2]
BINS = 60
MOST_PROFILES, MOST_TICKS = 6, 20
STYLES = {"original": ("#000000", "-", 2.2), "autoencoder": (OKABE_ITO[5], "-", 1.6), "pca": (BLUE, "--", 1.4)}


def loss_curves(
    words: Words,
    steps: Any,
    series: Tree,
    validation: tuple[Any, Any] | None = None,
    unit: str = "",
    floor: float | None = None,
) -> Any:
    """The training loss, raw and smoothed, its evaluations, and beside them the terms it is the sum of, as a figure.

    The smooth curve is the mean over a window of 1/40 of the steps around each. The axis of the loss is logarithmic
    where all values are positive and the largest is more than 20 times the smallest; terms are areas on one another,
    on a plain axis that leaves out what is larger than three times the 90 % quantile.

    Args:
        words: of the language; a series that they know is called as they say.
        steps: (n,) the steps of the values.
        series: values (n,) by name. The first is the loss; the others, where there are two or more, are its
            weighted terms, which add up to it, and get a panel of their own.
        validation: steps and losses of the validation rows.
        unit: of the loss, a name under ``loss.units`` of the texts.
        floor: below which the loss cannot fall, drawn as a line.
    """
    loss, *terms = series
    names = [words("loss.of_row")] + [words("loss.terms")] * (len(terms) > 1)
    labels = [(words("loss.step"), words(f"loss.units.{unit}", label=label) if unit else label) for label in names]
    figure, grid = canvas.new_panels(3.6 + 0.12 * len(terms) * (len(names) - 1), words("loss.title"), labels)
    _curve(grid[0], steps, canvas.finite(series[loss]), words.named("terms", loss), OKABE_ITO[0])
    if validation is not None:
        style = {"color": OKABE_ITO[1], "marker": "o", "markersize": 3.5, "linewidth": 1.4, "linestyle": "--"}
        style |= {"label": words.named("terms", "validation"), "markevery": max(1, len(validation[0]) // 40)}
        grid[0].plot(validation[0], canvas.finite(validation[1]), **style)
    if floor is not None:
        grid[0].axhline(floor, color=GREY, linestyle=":", linewidth=1.4, label=words("loss.floor", floor=floor))
    if len(terms) > 1:
        _stack(grid[1], steps, {words.named("terms", name): series[name] for name in terms})
    for axes in grid:
        _scale(axes, words, logarithmic=axes is grid[0])
    return figure


def learning_curves(words: Words, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Any:
    """The validation error of several runs over their steps, on common axes, as a figure.

    Args:
        words: of the language.
        curves: by the name of a run, its steps and the mean squared error at each.
    """
    title, label = words("loss.together"), words.measure("validation/mse")
    figure, (axes,) = canvas.new_panels(3.8, title, [(words("loss.step"), label)])
    lines = ("-", "--", "-.", ":")
    for number, (name, (steps, errors)) in enumerate(curves.items()):
        style = {"color": OKABE_ITO[number % 7], "linestyle": lines[number // 7 % 4], "linewidth": 1.8}
        marker = "o" if len(steps) == 1 else ""
        axes.plot(steps, canvas.finite(np.array(errors)), label=canvas.plain(name), marker=marker, **style)
    _scale(axes, words, logarithmic=True)
    return figure


def _stack(axes: Any, steps: Any, terms: Tree) -> None:
    """Draw terms as areas on one another, those below 0 downwards; their sum is the upper edge where all are above."""
    half = len(steps) // 80
    smoothed = {name: np.nan_to_num(smooth(canvas.finite(values), half)) for name, values in terms.items()}
    colours = [OKABE_ITO[i] for i in (2, 3, 5, 4, 1, 6, 0)]
    for sign in (1, -1):
        parts = [np.maximum(sign * values, 0) * sign for values in smoothed.values()]
        if sign > 0 or any(part.any() for part in parts):
            names = [canvas.plain(name) for name in terms] if sign > 0 else []
            axes.stackplot(steps, parts, labels=names, colors=colours, alpha=0.75, linewidth=0)
    total = sum(np.maximum(values, 0) for values in smoothed.values())
    top = 3 * np.quantile(total, 0.9)
    if 0 < top < total.max():
        axes.set_ylim(top=top)


def _curve(axes: Any, steps: Any, values: np.ndarray, name: str, colour: str) -> None:
    """Draw one curve, light as it is and full as its running mean."""
    half = values.size // 80
    if half:
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
    style = {"color": colour, "linewidth": 1.8, "marker": "o" if np.isfinite(values).sum() == 1 else ""}
    axes.plot(steps, smooth(values, half), label=canvas.plain(name), **style)


def smooth(values: np.ndarray, half: int) -> np.ndarray:
    """The mean of the finite values among the `half` on either side of each value and the value itself."""
    known = np.isfinite(values)
    sums = lambda numbers: np.convolve(numbers, np.ones(2 * half + 1))[half : half + values.size]
    counts = sums(known)
    return np.where(counts > 0, sums(np.where(known, values, 0.0)) / np.maximum(counts, 1), np.nan)


def _scale(axes: Any, words: Words, logarithmic: bool) -> None:
    """Scale the axes of curves, logarithmically if asked for and worth it, and name the curves above them."""
    drawn = np.concatenate([[], *(line.get_ydata() for line in axes.get_lines())])
    values = drawn[np.isfinite(drawn)]
    if logarithmic and values.size == 0:
        axes.text(0.5, 0.5, words("loss.not_finite"), transform=axes.transAxes, ha="center", size=TEXT, color=GREY)
    elif logarithmic and canvas.is_logarithmic(values):
        axes.set_ylabel(words("common.log_scale", label=axes.get_ylabel()))
        axes.set_yscale("log")
        if values.max() < 1000 * values.min():
            axes.yaxis.get_major_locator().set_params(subs=(1, 2, 5))
            axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    axes.locator_params(axis="x", nbins=6, integer=True, min_n_ticks=1)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    canvas.legend_above(axes)


def usage(codes: Any) -> dict[str, Any]:
    """What `code_histogram` shows of codes: a histogram of their values, and the mean activation of each unit.

    Args:
        codes: (m, d) activations of m rows.

    Raises:
        UserError: if no value is finite.
    """
    codes = np.asarray(codes, np.float64)
    finite = np.isfinite(codes)
    values = codes[finite]
    if values.size == 0:
        raise UserError("codes: no value is finite")
    low, high = values.min(), values.max()
    if high - low <= 1e-6 * max(abs(low), abs(high), 1e-30):
        half = max(0.5, abs(low) / 10)
        low, high = low - half, low + half
    counts, edges = np.histogram(values, bins=BINS, range=(low, high))
    means = np.where(finite, codes, 0.0).sum(axis=0) / np.maximum(finite.sum(axis=0), 1)
    shares = {"zeros": np.mean(values == 0), "idle": np.sum(np.all(codes == 0, axis=0))}
    return {"counts": counts, "edges": edges, "means": np.sort(means)[::-1], **shares}


def code_histogram(words: Words, usage: Tree) -> Any:
    """How often each value of the code occurs, and the mean activation of each unit, largest first, as a figure.

    Args:
        words: of the language.
        usage: of the codes; and ``target_rate``, the mean activation that training aimed at, drawn as a line.
    """
    values = words("common.log_scale", label=words("code.values"))
    labels = [(words("code.activation"), values), (words("code.unit"), words("code.mean"))]
    figure, (left, right) = canvas.new_panels(3.5, words("code.title"), labels)
    left.stairs(usage["counts"], usage["edges"], fill=True, color=BLUE)
    left.set_yscale("log")
    left.set_ylim(0.7, 2 * usage["counts"].max())
    zeros = words("code.zeros" if usage["zeros"] else "code.no_zeros", share=usage["zeros"])
    left.set_title(zeros, size=TEXT, color=GREY, loc="left")
    means = usage["means"]
    right.stairs(means, np.arange(means.size + 1) + 0.5, fill=True, color=GREEN, baseline=0)
    right.set_xlim(0.5, means.size + 0.5)
    right.locator_params(axis="x", nbins=6, integer=True, min_n_ticks=1)
    target_rate = usage.get("target_rate")
    if target_rate is not None:
        right.axhline(target_rate, color="black", linestyle="--", linewidth=1.4)
    blanks = {"idle": int(usage["idle"]), "units": means.size, "target": target_rate}
    note = words("code.idle" if target_rate is None else "code.idle_target", **blanks)
    right.set_title(note, size=TEXT, color=GREY, loc="left")
    return figure


def reconstructions(words: Words, content: Tree, features: Names = ()) -> Any:
    """Some rows of a data set above, or behind, what the autoencoder and PCA make of them, as a figure.

    Images become a line for each of them; rows of a table become profiles over the features. As many of
    the first rows are drawn as fit: up to 12 images or 6 profiles.

    Args:
        words: of the language.
        content: ``x``, ``x_hat`` and, where PCA is compared, ``pca_x_hat``, (n, height, width[, 1 or 3]) as bytes or in
            [0, 1], or (n, features), where NaN of x is a missing value, a gap; and ``errors``, the mean squared error
            of ``"autoencoder"`` and of ``"pca"``, where it is to be written.
        features: names of them, of a table, written below the axis where they fit.
    """
    arrays = {"original": "x", "autoencoder": "x_hat", "pca": "pca_x_hat"}
    names = {name: words(f"reconstructions.{name}") for name, array in arrays.items() if array in content}
    for name, error in content.get("errors", {}).items():
        if name in names:
            names[name] += f"\n{words('reconstructions.error', error=error)}"
    rows = [content[arrays[name]] for name in names]
    if rows[0].ndim == 2:
        return _profiles(words, rows, [*names.values()], features)
    return image_lines(rows, [*names.values()], words("reconstructions.title"), large=True)


def error_by_class(words: Words, names: Names, errors: Tree) -> Any:
    """The mean squared error of each class as bars, the largest above, and PCA's beside it as points, as a figure.

    Args:
        words: of the language.
        names: of the classes.
        errors: (classes,) of ``"autoencoder"`` and, where it is compared, of ``"pca"``.
    """
    title, labels = words("errors.by_class"), (words("common.mse"), "")
    figure, (axes,) = canvas.new_panels(1.6 + 0.3 * len(names), title, [labels])
    order = np.argsort(-errors["autoencoder"], kind="stable")
    values = errors["autoencoder"][order]
    texts = [words.number(value, ".4f") for value in values] if "pca" not in errors else ()
    named = [canvas.plain(canvas.cut(names[position], 30)) for position in order]
    canvas.bars(axes, named, values, texts, color=BLUE, label=words("reconstructions.autoencoder"))
    if "pca" in errors:
        style = {"color": OKABE_ITO[1], "marker": "D", "s": 32, "zorder": 3, "label": words("reconstructions.pca")}
        axes.scatter(errors["pca"][order], np.arange(len(order)), **style)
    axes.set_xlim(0, 1.15 * max(each.max() for each in errors.values()))
    canvas.legend_above(axes)
    return figure


def _profiles(words: Words, rows: Sequence[np.ndarray], names: Names, features: Names) -> Any:
    """A figure with a panel for each of the first rows: its values over the features."""
    count, size = rows[0].shape
    count = min(count, MOST_PROFILES)
    across = canvas.side_by_side(min(count, 2))
    down = -(-count // across)
    few, labelled = size <= MOST_TICKS, len(features) == size <= MOST_TICKS
    height = 1.0 + 1.6 * down + 0.6 * labelled + 0.4 * (down == 1)
    axis_names = ("" if labelled else words("common.feature_axis"), words("common.value"))
    figure, grid = canvas.new_panels(height, words("reconstructions.title"), [axis_names] * count, across, shared=True)
    for index, axes in enumerate(grid):
        for name, values, (colour, line, width) in zip(names, rows, STYLES.values(), strict=False):
            profile = canvas.finite(values[index])
            alone = _alone(profile)
            style = {"color": colour, "linestyle": line, "linewidth": width, "markersize": 3.5}
            style |= {"marker": "o" if few or alone.size else "", "markevery": None if few else alone}
            axes.plot(np.arange(1, size + 1), profile, label=canvas.plain(name.replace("\n", ", ")), **style)
        axes.label_outer()
        if labelled:
            aside = {"rotation": 90, "rotation_mode": "anchor", "ha": "right", "va": "center"}
            axes.set_xticks(np.arange(1, size + 1), [canvas.plain(canvas.cut(name, 18)) for name in features], **aside)
        else:
            axes.locator_params(axis="x", integer=True)
    style = {"loc": "outside lower center", "ncols": canvas.side_by_side(4), "frameon": False, "fontsize": TEXT}
    figure.legend(*grid[0].get_legend_handles_labels(), **style)
    return figure


def _alone(values: np.ndarray) -> np.ndarray:
    """The positions of values between two gaps, to which no line leads."""
    known = np.pad(np.isfinite(values), 1)
    return np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:])


def maps(
    words: Words, panels: Tree, names: Names = (), axis_names: Names = (), title: str = "", same_axes: bool = False
) -> Any:
    """Maps of the same data side by side, a point for each row, coloured by class or by a quantity, as a figure.

    Args:
        words: of the language.
        panels: by title, points (n, 2), or (n, 3) in space, and their labels (n,): whole numbers are indices into
            `names` (negative: no label), other numbers are a quantity, None is one colour for all.
        names: a name for each class; for a quantity, its one name.
        axis_names: of the horizontal and the vertical axis, if not just the first and the second; where they are
            empty, no numbers stand along the axes either.
        title: of the figure, if not the usual one.
        same_axes: all maps have the same limits, so that clouds can be compared.

    A few points far outside do not span a map of two dimensions: its limits are those of `near`, and its title says how
    many points lie beyond them.

    Raises:
        UserError: if no point of a map is finite.
    """
    x, y = axis_names or (words("map.first"), words("map.second"))
    drawn = {name: labelled_points(name, *panel) for name, panel in panels.items()}
    labels = np.concatenate([labels for _, labels in drawn.values()])
    quantity = labels.dtype.kind == "f"
    columns = canvas.side_by_side(2 if len(drawn) == 4 else min(len(drawn), 3))
    side = 1.4 if (quantity or labels.max() >= 0) and not canvas.is_narrow() else 0.2
    height = 0.7 + -(-len(drawn) // columns) * min((canvas.full_width() - side) / columns, 4.2)
    last = len(drawn) - columns if same_axes else 0
    axes_labels = [(x if number >= last else "", "" if number % columns else y) for number in range(len(drawn))]
    figure, grid = canvas.new_panels(height, title or words("map.title"), axes_labels, columns, shared=same_axes)
    classes = len(names) or labels.max() + 1
    limits = {name: near(points) for name, (points, _) in drawn.items() if points.shape[1] == 2}
    if same_axes:
        lows, highs = zip(*limits.values(), strict=True)
        limits = dict.fromkeys(limits, (np.min(lows, axis=0), np.max(highs, axis=0)))
    for axes, (name, (points, values)) in zip(grid, drawn.items(), strict=True):
        if not x and not y:
            axes.tick_params(labelbottom=False, labelleft=False)
        axes = _in_space(axes) if points.shape[1] == 3 else axes
        mark = scatter(axes, points, values.astype(labels.dtype), classes, (labels.min(), labels.max()))
        if points.shape[1] == 2:
            low, high = limits[name]
            outside = int((~((low <= points) & (points <= high)).all(1)).sum())
            if outside:
                name = words("map.outside", name=name, outside=outside, points=len(points))
                axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axes.set_title(canvas.plain(name), size=TEXT, loc="left")
    if quantity:
        label = names[0] if names else words("common.value")
        canvas.colour_bar(figure, mark, figure.axes, label, aspect=30)
    else:
        class_legend(words, figure, np.unique(labels).tolist(), names)
    return figure


def near(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Limits of points (m, d), (d,) and (d,), that are not spanned by a few far outside.

    Along each axis they leave, on either side of the middle 96 % of the points, half the length that these take up, and
    no more room than there are points.
    """
    low = np.percentile(points, 2, axis=0, method="higher")  # of few points one at either end does not count
    high = np.percentile(points, 98, axis=0, method="lower")
    half = np.where(high > low, (high - low) / 2, np.inf)
    room = 0.03 * np.ptp(points, axis=0)
    return np.maximum(low - half, points.min(0) - room), np.minimum(high + half, points.max(0) + room)


def _in_space(axes: Any) -> Any:
    """Axes of three dimensions, without numbers, in place of others."""
    figure, cell = axes.figure, axes.get_subplotspec()
    axes.remove()
    axes = figure.add_subplot(cell, projection="3d")
    axes.view_init(elev=12, azim=-72)
    axes.set_box_aspect((1, 1, 1), zoom=1.15)
    axes.set(xticklabels=[], yticklabels=[], zticklabels=[])
    return axes


def labelled_points(name: str, points: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """The finite points of one map and their labels; -1 for all where there are none."""
    points = np.asarray(points, np.float64)
    labels = np.full(len(points), -1) if labels is None else np.asarray(labels)
    known = np.isfinite(points).all(axis=1) & np.isfinite(labels)
    if not known.any():
        raise UserError(f"map {name!r}: no point is finite")
    return points[known], labels[known]


def class_style(label: int, classes: int) -> tuple[str, str]:
    """Colour and marker of a class, the same in every map; grey for no label among labels."""
    if label < 0 or not classes:
        return "#9a9a9a" if classes else BLUE, "o"
    palette = OKABE_ITO if classes <= len(OKABE_ITO) else PETROFF
    return palette[label % len(palette)], "os^Dv*"[label // len(palette) % 6]


def scatter(axes: Any, points: np.ndarray, labels: np.ndarray, classes: int, limits: tuple[float, float]) -> Any:
    """Draw one map, in an order that lets no class cover another; returns what a colour bar needs.

    Args:
        axes: where it goes.
        points: (n, 2) or (n, 3).
        labels: (n,) of classes, or a quantity in floating point.
        classes: how many there are in all maps.
        limits: the least and the largest label of all maps, so that a colour means the same in each.
    """
    size = float(np.clip(12000 / len(points), 5, 28)) / (3 if points.shape[1] == 3 else 1)
    style = {"s": size, "alpha": 0.8, "linewidths": 0, "rasterized": True}
    order = np.random.default_rng(0).permutation(len(points))
    points, labels = points[order], labels[order]
    if labels.dtype.kind == "f":
        return axes.scatter(*points.T, c=labels, cmap="viridis", vmin=limits[0], vmax=limits[1], **style)
    styles = [class_style(int(label), classes) for label in labels]
    for marker in sorted({marker for _, marker in styles}):
        chosen = np.array([mark == marker for _, mark in styles])
        axes.scatter(*points[chosen].T, c=[colour for colour, mark in styles if mark == marker], marker=marker, **style)
    return None


def class_legend(words: Words, figure: Any, used: Sequence[int], names: Names) -> None:
    """The classes that are used at the right of all maps, or below narrow ones; nothing where no point has a label."""
    from matplotlib.lines import Line2D

    if max(used) < 0:
        return
    handles = []
    for label in used:
        colour, marker = class_style(label, len(names) or max(used) + 1)
        name = words("map.no_label") if label < 0 else names[label] if label < len(names) else str(label)
        style = {"linestyle": "", "marker": marker, "markersize": 7, "color": colour}
        handles.append(Line2D([], [], label=canvas.plain(canvas.cut(name, 22)), **style))
    style = {"frameon": False, "handletextpad": 0.2, "columnspacing": 0.8, "ncols": 1 + len(used) // 17}
    style |= {"loc": "outside right center", "fontsize": SMALL if len(used) > 12 else TEXT}
    if canvas.is_narrow():
        columns = max(1, int(40 / (4 + max(len(handle.get_label()) for handle in handles))))
        style |= {"loc": "outside lower left", "ncols": columns}
        figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(handles) // columns))
    figure.legend(handles=handles, **style)
