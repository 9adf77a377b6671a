"""The plane of a code of two units: every row a mark, and under the pointer what the decoder makes of that place."""

from collections.abc import Mapping
from html import escape

import numpy as np

from aejax.report.touch import chart
from aejax.report.touch.fragment import Fragment, make, packed, slider
from aejax.report.touch.source import Source, class_names, described, drawn, sample

SIDE = 400
PLOT = {"left": 50, "right": 392, "top": 8, "bottom": 354}


def fragment(source: Source, catalogue: Mapping[str, Mapping[str, str]]) -> Fragment:
    """The plane of a run whose code has two units."""
    texts = dict(catalogue["shared"] | catalogue["plane"])
    if source.layers is None:
        texts["caption"] = texts["caption_rows"]
    places = sample(source)
    code, labels = source.code[places], source.dataset.test.labels
    names = () if labels is None else source.dataset.label_names
    own = np.zeros(len(places), int) if labels is None else labels[places]
    across = chart.axis(code[:, 0], PLOT["left"], PLOT["right"])
    up = chart.axis(code[:, 1], PLOT["bottom"], PLOT["top"])
    marks = "".join(
        chart.mark(across.place(a), up.place(b), int(k), names) for (a, b), k in zip(code, own, strict=True)
    )
    unit = [texts["unit"].format(unit=number) for number in (1, 2)]
    shape = source.dataset.feature_shape
    ratio = shape[1] / shape[0] if source.is_image else 1.0
    shown = described(source)
    sliders = [slider(name, side.low, side.high, 0.0) for name, side in zip(unit, (across, up), strict=True)]
    body = (
        '<div class="touch-sides"><div class="touch-plot">'
        f'<svg class="touch-map" viewBox="0 0 {SIDE} {SIDE}" tabindex="0" role="application" '
        f'aria-label="{escape(texts["map"])}">{chart.frame(across, up, tuple(unit), texts["decimal"])}'
        f'<g class="touch-marks">{marks}</g>'
        f'<circle class="touch-ring" r="9"/></svg>{chart.legend(names, own)}</div><div class="touch-panel">'
        + chart.pictures(source.is_image, texts, shown["low"], shown["high"], source.x.shape[1], ratio)
        + '<p class="touch-live" aria-live="polite"></p>'
        + ("".join(sliders) if source.layers else "")
        + "</div></div>"
    )
    middle = np.abs(code - np.median(code, 0)[None]).sum(1).argmin()
    errors = np.square(source.x[places] - source.x_hat[places]).mean(1)
    data = shown | {
        "plot": PLOT,
        "box": [[across.low, across.high], [up.low, up.high]],
        "codes": packed(code),
        "rows": drawn(source, source.x[places]),
        "rebuilt": None if source.layers else drawn(source, source.x_hat[places]),
        "numbers": [int(place) + 1 for place in places],
        "labels": class_names(source, places),
        "errors": [float(f"{error:.4g}") for error in errors],
        "first": int(middle),
    }
    return make("plane", source.name, texts, data, body)
