"""Where a row and what the decoder makes of its code are drawn: two images, or two lines in one chart."""

from collections.abc import Mapping
from html import escape

from aejax.report.explorer import chart
from aejax.report.explorer.source import Source, display

NAMES = ("row", "rebuilt")


def panel(source: Source, texts: Mapping[str, str]) -> str:
    """The place for a row and its reconstruction, still empty, and for a sentence about them; HTML."""
    drawing = _images(source, texts) if source.is_image else _profile(source, texts)
    return f'{drawing}<p class="touch-live" aria-live="polite"></p>'


def canvas(source: Source, attributes: str = "") -> str:
    """An empty image of the shape of a row."""
    height, width = source.dataset.feature_shape[:2]
    return f'<canvas {attributes} style="aspect-ratio:{width}/{height}"></canvas>'


def _images(source: Source, texts: Mapping[str, str]) -> str:
    both = []
    for name in NAMES:
        image = canvas(source, f'data-show="{name}" role="img" aria-label="{escape(texts[name])}"')
        both.append(f"<figure>{image}<figcaption>{escape(texts[name])}</figcaption></figure>")
    return f'<div class="touch-pair">{"".join(both)}</div>'


def _profile(source: Source, texts: Mapping[str, str]) -> str:
    how = display(source)
    across, up = chart.Axis(1, max(source.x.shape[1], 2), 52, 352), chart.Axis(how.low, how.high, 176, 12)
    sides = chart.frame(across, up, (texts["feature"], texts["value"]), texts["decimal"])
    lines = "".join(f'<polyline class="touch-{name}" data-show="{name}"></polyline>' for name in NAMES)
    key = "".join(
        f'<li><svg viewBox="0 0 24 8" aria-hidden="true"><path class="touch-{name}" d="M0 4H24"/></svg>'
        f"{escape(texts[name])}</li>"
        for name in NAMES
    )
    label = escape(f"{texts['row']}, {texts['rebuilt']}")
    drawing = f'<svg class="touch-profile" viewBox="0 0 360 220" role="img" aria-label="{label}">{sides}{lines}</svg>'
    return f'<ul class="touch-legend">{key}</ul>{drawing}'
