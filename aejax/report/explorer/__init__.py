"""Things to touch on a page: a plane of codes, a walk through the latent space, a weight to turn; all from one file.

A page shows each `Fragment` by the macro of its kind in ``templates/touch.html``. It has `STYLE` in its head, where it
defines the colours ``--ink``, ``--paper``, ``--muted``, ``--line``, ``--accent``, ``--accent-2``, ``--good`` and
``--bad`` for light and dark, and `SCRIPT` at the end of its body.
"""

from pathlib import Path

from aejax.report.explorer import latent, trade_off
from aejax.report.explorer.source import Fragment, load
from aejax.report.folders import Sweep
from aejax.report.words import Words
from aejax.runs.artifact import Trained

__all__ = ["SCRIPT", "STYLE", "Fragment", "fragments", "sweep_fragments"]

FILES = ("decoder", "drawing", "plane", "walk", "trade_off", "start")
_read = lambda name: (Path(__file__).parent / name).read_text(encoding="utf-8")
SCRIPT = "(() => {\n" + "\n".join(_read(f"{name}.js") for name in FILES) + "})();\n"
STYLE = _read("touch.css")


def fragments(trained: Trained, words: Words) -> list[Fragment]:
    """What there is to touch of a run: the plane of a code of two units, or sliders for the units of another.

    There is nothing where the data are no longer at hand, or where a page cannot run the decoder.
    """
    source = load(trained)
    make = latent.plane if source and source.code.shape[1] == 2 else latent.walk
    fragment = make(source, words) if source else None
    return [fragment] if fragment else []


def sweep_fragments(sweep: Sweep, words: Words) -> list[Fragment]:
    """What there is to touch of a sweep: one of its numbers, and with it sparsity against error.

    There is nothing where it sweeps no number, or measured no sparsity.
    """
    fragment = trade_off.fragment(sweep, words)
    return [fragment] if fragment else []
