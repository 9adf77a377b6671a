"""The latent space, to touch: a plane of a code of two units, or a slider for each unit of another."""

import jax.numpy as jnp
import numpy as np

from aejax.figures.images import SHOWN, are_images
from aejax.figures.panels import near
from aejax.report.explorer import chart
from aejax.report.explorer.source import Fragment, Layer, Source, data_of, drawn, profile, run, sample, texts_of
from aejax.report.words import Words

PLOT = {"left": 56, "right": 392, "top": 8, "bottom": 354}
MOST_SLIDERS, MOST_CLASSES = 12, 30
NEIGHBOURS = 5


def errors_of(source: Source) -> np.ndarray:
    """The mean squared error of each test row, (m,)."""
    return np.square(source.x - source.x_hat).mean(1)


def lost_of(source: Source) -> np.ndarray:
    """The share of the variance of each test row that is lost, (m,).

    A row that hardly varies, such as a grey image, has a small error without having been rebuilt.
    """
    return errors_of(source) / np.maximum(source.x.var(1), 1e-12)


def best(source: Source) -> np.ndarray:
    """The rows to start from: the best rebuilt of each class, or of all."""
    order, labels = np.argsort(lost_of(source), kind="stable"), source.dataset.test.labels
    if labels is None:
        return order[:SHOWN]
    return order[np.unique(labels[order], return_index=True)[1]][:SHOWN]


def plane(source: Source, words: Words, kind: str = "plane") -> Fragment:
    """Every row a mark, and under the pointer what the decoder makes of that point.

    A few rows whose codes lie far outside are not shown, and counted in the caption.

    Args:
        source: with a code of two numbers.
        words: of the page.
        kind: of the texts that differ from those of a code of two units.
    """
    texts, rows, labels = (
        texts_of("plane", words) | words.text["touch"][kind],
        sample(source),
        source.dataset.test.labels,
    )
    if source.layers is None:
        texts["caption"] = texts["caption_rows"]
    elif are_images(source.dataset):
        texts["caption"] += " " + texts["caption_line"]
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
    errors, lost = errors_of(source)[rows], lost_of(source)[rows]
    data = data_of(source, rows, texts) | {
        "plot": PLOT,
        "box": [[across.low, across.high], [up.low, up.high]],
        "rebuilt": None if source.layers else drawn(source, source.x_hat[rows]),
        "errors": [float(f"{error:.4g}") for error in errors],
        "lost": [float(f"{share:.4g}") for share in lost],
    }
    return Fragment("plane", data, view)


def components(source: Source, words: Words) -> Fragment:
    """The plane of the first two principal components of a wider code; all others stay at their mean.

    The decoder takes a point of it by one more layer, the inverse of the projection. The page takes the layers after
    that one from the fragment before, so that the weights are in it once.
    """
    mean = source.code.mean(0)
    _, widths, directions = np.linalg.svd(source.code - mean[None], full_matrices=False)
    code, layers = (source.code - mean[None]) @ directions[:2].T, [Layer(directions[:2], mean, "linear")]
    x_hat = np.asarray(run([*layers, *source.layers], jnp.asarray(code)))
    piece = plane(source._replace(code=code, x_hat=x_hat, layers=layers), words, "components")
    share = 100 * np.square(widths[:2]).sum() / np.square(widths).sum()
    piece.data["texts"]["caption"] += " " + piece.data["texts"]["share"].format(share=f"{share:.0f}")
    return piece._replace(data=piece.data | {"inherits": True})


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
    middle, reach = source.code.mean(0), 2 * source.code.std(0)
    ranges = np.stack([np.maximum(middle - reach, low), np.minimum(middle + reach, high)], 1)[units]
    data = data_of(source, rows, texts) | {"units": units.tolist(), "ranges": ranges.tolist()}
    if are_images(source.dataset):
        texts["caption"] += " " + texts["strips"]
    after = components(source, words) if len(low) > 2 else None
    return Fragment("walk", data, {"sliders": sliders, "profile": profile(source, texts)}, after)
