"""The plane of a code of two units: every row a mark, and under the pointer what the decoder makes of that place."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from aejax.report.explorer import chart
from aejax.report.explorer.fragment import Fragment, make, packed, slider
from aejax.report.explorer.panel import panel
from aejax.report.explorer.source import Source, class_names, described, drawn, sample

SIDE = 400
PLOT = {"left": 56, "right": 392, "top": 8, "bottom": 354}


def fragment(source: Source, catalogue: Mapping[str, Mapping[str, str]]) -> Fragment:
    """The plane of a run whose code has two units."""
    texts = dict(catalogue["shared"] | catalogue["plane"])
    if source.layers is None:
        texts["caption"] = texts["caption_rows"]
    places = sample(source)
    code = source.code[places]
    across = chart.axis(code[:, 0], PLOT["left"], PLOT["right"])
    up = chart.axis(code[:, 1], PLOT["bottom"], PLOT["top"])
    units = [texts["unit"].format(unit=number) for number in (1, 2)]
    sliders = [slider(name, side.low, side.high, 0.0) for name, side in zip(units, (across, up), strict=True)]
    body = (
        f'<div class="touch-sides"><div class="touch-plot">{_map(source, places, across, up, units, texts)}</div>'
        f'<div class="touch-panel">{panel(source, texts)}{"".join(sliders) if source.layers else ""}</div></div>'
    )
    errors = np.square(source.x[places] - source.x_hat[places]).mean(1)
    data = described(source) | {
        "plot": PLOT,
        "box": [[across.low, across.high], [up.low, up.high]],
        "codes": packed(code),
        "rows": drawn(source, source.x[places]),
        "rebuilt": None if source.layers else drawn(source, source.x_hat[places]),
        "numbers": [int(place) + 1 for place in places],
        "labels": class_names(source, places),
        "errors": [float(f"{error:.4g}") for error in errors],
        "first": int(np.abs(code - np.median(code, 0)[None]).sum(1).argmin()),
    }
    return make("plane", source.name, texts, data, body)


def _map(
    source: Source,
    places: np.ndarray,
    across: chart.Axis,
    up: chart.Axis,
    units: Sequence[str],
    texts: Mapping[str, str],
) -> str:
    """The marks of the test rows at some places, between axes, and their legend."""
    labels = source.dataset.test.labels
    names = () if labels is None else source.dataset.label_names
    own = np.zeros(len(places), int) if labels is None else labels[places]
    marks = "".join(
        chart.mark(across.place(a), up.place(b), int(label), names)
        for (a, b), label in zip(source.code[places], own, strict=True)
    )
    return (
        f'<svg class="touch-map" viewBox="0 0 {SIDE} {SIDE}" tabindex="0" role="application" '
        f'aria-label="{escape(texts["map"])}">{chart.frame(across, up, (units[0], units[1]), texts["decimal"])}'
        f'<g class="touch-marks">{marks}</g><circle class="touch-ring" r="9"/></svg>{chart.legend(names, own)}'
    )
