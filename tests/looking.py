"""What a picture says, and whether that can be read, for the tests of figures."""

import itertools
from xml.etree import ElementTree

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from aejax.figures import canvas
from aejax.report.page import vectors, words

SPANISH = words.catalogue("es")
FIGURES = words.TEXT / "es" / "figures.toml"


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


def svg(path):
    """The root of the SVG file beside a picture."""
    return ElementTree.parse(path.with_suffix(".svg")).getroot()


def untranslated(folder, known=()):
    """For each text in the figures of a folder that the Spanish catalogue lacks, the line that says what to do.

    The names of the data are marked in the figures; `known` are further texts that are nobody's language.
    """
    where = FIGURES.relative_to(FIGURES.parents[5])
    return [
        f"{path.name} says {' '.join(label.text)!r}, which {where} lacks: add it there with its Spanish"
        for path in sorted(folder.rglob("*.svg"))
        for label in vectors.texts(svg(path))
        if not {line.strip() for line in label.text} <= {*known}
        and any(line.get("class") != "name" for line in label.lines)
        and vectors.translated(label, SPANISH) is None
    ]


def assert_in_spanish(folder, known=()):
    """The figures of a folder say nothing that the Spanish catalogue lacks, and what it says has room in them."""
    lacking = untranslated(folder, known)
    assert not lacking, lacking[0]
    for path in folder.rglob("*.svg"):
        root = svg(path)
        vectors.translate(root, SPANISH)
        assert_apart(root)


def assert_apart(root):
    """No text of an SVG figure lies on another or beyond the edge, measured in the font of figures."""
    left, top, wide, high = map(float, root.get("viewBox").split())
    shifts = {text: _shift(group) for group in root.iter(f"{vectors.SVG}g") for text in group.iter(f"{vectors.SVG}text")
              if group.get("transform")}  # fmt: skip
    boxes = []
    for label in vectors.texts(root):
        own = vectors.extent(label)
        move = shifts.get(label.lines[0], 0.0)
        boxes.append((" ".join(label.text), own[0] + move, own[1], own[2] + move, own[3]))
    for text, *own in boxes:
        inside = left <= own[0] and own[2] <= left + wide and top <= own[1] and own[3] <= top + high
        assert inside, f"{text!r} is cut off"
    for (one, *a), (other, *b) in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 1 or b[3] <= a[1] + 1
        assert apart, f"{one!r} lies on {other!r}"


def _shift(group):
    return float(group.get("transform").removeprefix("translate(").split()[0])
