"""What a picture says, and whether that can be read, for the tests of figures."""

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from aejax.report import canvas


def drawn(draw, monkeypatch):
    """The figures that a function draws, in place of their files."""
    figures = []
    with monkeypatch.context() as patch:
        patch.setattr(canvas, "save_figure", lambda figure, path: figures.append(figure))
        draw()
    return figures


def read(figure):
    """Every text of a figure, from above; none is cut off at the border, and none lies on another.

    A text is measured as it is drawn, so a test that reads a figure fails where two of them overlap.
    """
    FigureCanvasAgg(figure).draw()
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    page = figure.bbox
    for text, box in boxes:
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        assert inside, f"{text!r} is cut off"
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 or b.y1 <= a.y0
        assert apart, f"{one!r} lies on {other!r}"
    return [text for text, _ in sorted(boxes, key=lambda pair: (-pair[1].y0, pair[1].x0))]
