"""What a figure says, and whether that can be read in every language, for the tests of figures."""

import itertools
import json
import tempfile

from matplotlib.axis import Axis
from matplotlib.text import Text

from aejax.config.components import configured_task
from aejax.figures import canvas, names, run, words
from aejax.storage import checkpoint
from aejax.types import Kept

ENGLISH, SPANISH = map(words.load, ("en", "es"))


def task_figures(figures, evaluation, dataset=None, model=None, params=None, config=None):
    """The figures of a task by name, in English: as they are drawn from what is kept in a folder, and all readable."""
    content = figures.keep(evaluation, dataset, model, params, config)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint.save(folder, 0, content.tree, info=content.info)
        restored = checkpoint.restore_nested(folder)
    content = Kept(restored.tree, restored.info)
    with names.fonts(content.info):
        return readable(lambda words: {n: canvas.finish(f, words) for n, f in figures.draw(content, words).items()})


def run_figures(folder):
    """The figures of a run by name, in English; all are readable in every language."""
    config = json.loads((folder / "config.json").read_text())
    figures = configured_task(config["task"])[0].figures
    return readable(lambda words: run.drawn(folder / "figures", figures, words))


def readable(draw):
    """The finished figures by name that ``draw(words)`` makes, in English; all can be read, on a phone as well."""
    with canvas.as_wide_as(canvas.NARROW):
        for figure in (figure for words in (SPANISH, ENGLISH) for figure in draw(words).values()):
            read(figure)
    drawn = {words.language: draw(words) for words in (SPANISH, ENGLISH)}
    for figure in (figure for figures in drawn.values() for figure in figures.values()):
        read(figure)
    return drawn["en"]


def read(figure):
    """Every text of a figure, from above; none is cut off at the border, and none lies on another.

    A text is measured as it is drawn, so a test that reads a figure fails where two of them overlap.
    """
    figure.draw_without_rendering()
    unseen = {label for axis in figure.findobj(Axis) for tick in (*axis.majorTicks, *axis.minorTicks)
              if not _is_seen(axis, tick.get_loc()) for label in (tick.label1, tick.label2)}  # fmt: skip
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    texts = [text for text in texts if text not in unseen]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    page = figure.bbox
    for text, box in boxes:
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, f"{text!r} is cut off"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, f"{one!r} lies on {other!r}"
    return [text for text, _ in sorted(boxes, key=lambda pair: (-pair[1].y0, pair[1].x0))]


def _is_seen(axis, location):
    low, high = sorted(axis.get_transform().transform(axis.get_view_interval()))
    return axis.axes.axison and low - 1e-9 <= axis.get_transform().transform(location) <= high + 1e-9
