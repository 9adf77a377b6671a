"""A walk through the latent space: a slider for each unit of the code, and the decoder's answer as it moves."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from aejax.figures.images import choose
from aejax.report.explorer.fragment import Fragment, make, packed, slider
from aejax.report.explorer.panel import canvas, panel
from aejax.report.explorer.source import Source, class_names, described, drawn

MOST_SLIDERS = 12


def fragment(source: Source, catalogue: Mapping[str, Mapping[str, str]]) -> Fragment | None:
    """The walk of a run; None where its decoder is none that a page can run, or no unit ever changes."""
    low, high = source.code.min(0), source.code.max(0)
    units = np.sort(np.argsort(-source.code.std(0), kind="stable")[:MOST_SLIDERS])
    units = units[high[units] > low[units]]
    if source.layers is None or not len(units):
        return None
    texts = dict(catalogue["shared"] | catalogue["walk"])
    if len(units) < source.code.shape[1]:
        texts["caption"] += " " + texts["some"].format(shown=len(units), units=source.code.shape[1])
    places = choose(source.dataset.test.labels, len(source.x))
    names = class_names(source, places)
    sliders = [
        slider(texts["unit"].format(unit=unit + 1), low[unit], high[unit], source.code[places[0], unit])
        for unit in units
    ]
    body = (
        _presets(source, places, names, texts)
        + f'<div class="touch-sides"><div class="touch-panel">{panel(source, texts)}</div>'
        + f'<div class="touch-sliders">{"".join(sliders)}</div></div>'
    )
    data = described(source) | {
        "rows": drawn(source, source.x[places]),
        "codes": packed(source.code[places]),
        "numbers": [int(place) + 1 for place in places],
        "labels": names,
        "units": units.tolist(),
    }
    return make("walk", source.name, texts, data, body)


def _presets(source: Source, places: np.ndarray, names: Sequence[str], texts: Mapping[str, str]) -> str:
    """A button for each row to start from: its image, its class, or its number."""
    buttons = []
    for place, name in zip(places, names, strict=True):
        said = texts["start" if name else "start_plain"].format(row=place + 1, label=name)
        inside = canvas(source) if source.is_image else escape(name or str(place + 1))
        buttons.append(f'<button type="button" aria-pressed="false" aria-label="{escape(said)}">{inside}</button>')
    return (
        f'<div class="touch-presets" role="group" aria-label="{escape(texts["presets"])}">'
        f"<span>{escape(texts['presets'])}</span>{''.join(buttons)}</div>"
    )
