"""The latent space, to touch: a plane of a code of two units, or a slider for each unit of another."""

import numpy as np

from aejax.figures.images import SHOWN
from aejax.figures.panels import near
from aejax.report.explorer import chart
from aejax.report.explorer.source import Fragment, Source, data_of, drawn, profile, sample, texts_of
from aejax.report.words import Words

PLOT = {"left": 56, "right": 392, "top": 8, "bottom": 354}
MOST_SLIDERS, MOST_CLASSES = 12, 30
NEIGHBOURS = 5


def errors_of(source: Source) -> np.ndarray:
    """The mean squared error of each test row, (m,)."""
    return np.square(source.x - source.x_hat).mean(1)


def best(source: Source) -> np.ndarray:
    """The rows to start from: of each class in turn the one with the least error, or those with the least of all."""
    order, labels = np.argsort(errors_of(source), kind="stable"), source.dataset.test.labels
    if labels is None:
        return order[:SHOWN]
    return order[np.unique(labels[order], return_index=True)[1]][:SHOWN]


def plane(source: Source, words: Words) -> Fragment:
    """Every row a mark, and under the pointer what the decoder makes of that point.

    A few rows whose codes lie far outside are not shown, and counted in the caption.
    """
    texts, rows, labels = texts_of("plane", words), sample(source), source.dataset.test.labels
    if source.layers is None:
        texts["caption"] = texts["caption_rows"]
    low, high = near(source.code[rows])
    inside = ((low <= source.code[rows]) & (source.code[rows] <= high)).all(1)
    if not inside.all():
        texts["caption"] += " " + texts["outside"].format(count=int((~inside).sum()), rows=len(rows))
    rows = rows[inside]
    code, names = source.code[rows], [""] if labels is None else source.dataset.label_names
    across = chart.axis(code[:, 0], PLOT["left"], PLOT["right"])
    up = chart.axis(code[:, 1], PLOT["bottom"], PLOT["top"])
    marks, classes = chart.marks(names), np.zeros(len(rows), int) if labels is None else labels[rows]
    units = [texts["unit"].format(unit=number) for number in (1, 2)]
    used = [] if labels is None else [names[label] for label in np.unique(classes)]
    sliders = [(unit, side.low, side.high, 0.0) for unit, side in zip(units, (across, up), strict=True)]
    positions = [(across.position(a), up.position(b)) for a, b in code]
    view = {
        "frame": chart.frame(across, up, units, texts["decimal"]),
        "marks": [(x, y, marks[label]) for (x, y), label in zip(positions, classes, strict=True)],
        "legend": [marks[label] for label in np.unique(classes) if marks[label]["form"] and labels is not None],
        "sliders": sliders if source.layers else [],
        "profile": profile(source, texts),
        "classes": used if 1 < len(used) <= MOST_CLASSES else [],
        "neighbours": min(NEIGHBOURS, len(rows) - 1),
    }
    errors = errors_of(source)[rows]
    data = data_of(source, rows, texts) | {
        "plot": PLOT,
        "box": [[across.low, across.high], [up.low, up.high]],
        "rebuilt": None if source.layers else drawn(source, source.x_hat[rows]),
        "errors": [float(f"{error:.4g}") for error in errors],
    }
    return Fragment("plane", data, view)


def walk(source: Source, words: Words) -> Fragment | None:
    """The decoder's answer as units of the code move; None where a page cannot run it, or no unit ever changes."""
    low, high = source.code.min(0), source.code.max(0)
    units = np.sort(np.argsort(-source.code.std(0), kind="stable")[:MOST_SLIDERS])
    units = units[high[units] > low[units]]
    if source.layers is None or not len(units):
        return None
    texts, rows = texts_of("walk", words), best(source)
    if len(units) < len(low):
        texts["caption"] += " " + texts["some"].format(shown=len(units), units=len(low))
    first = source.code[rows[0]]
    sliders = [(texts["unit"].format(unit=unit + 1), low[unit], high[unit], first[unit]) for unit in units]
    data = data_of(source, rows, texts) | {"units": units.tolist()}
    return Fragment("walk", data, {"sliders": sliders, "profile": profile(source, texts)})
