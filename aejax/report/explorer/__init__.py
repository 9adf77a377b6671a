"""Things to touch on a page: planes of codes, walks through a latent space, units of a sparse code, sweeps.

A page shows each `Fragment` by the macro of its kind in ``templates/touch.html``. It has `STYLE` in its head, where it
defines the colours ``--ink``, ``--paper``, ``--muted``, ``--line``, ``--accent``, ``--accent-2``, ``--good`` and
``--bad`` for light and dark, and `SCRIPT` at the end of its body.
"""

from pathlib import Path

from aejax.report.explorer import features, latent, parallel, trade_off
from aejax.report.explorer.source import Fragment, load, too_heavy
from aejax.report.folders import Sweep
from aejax.report.words import Words
from aejax.runs.artifact import Trained

__all__ = ["SCRIPT", "STYLE", "Fragment", "run_fragment", "sweep_fragment"]

FILES = ("decoder", "drawing", "plane", "walk", "features", "trade_off", "parallel", "start")
_read = lambda name: (Path(__file__).parent / name).read_text(encoding="utf-8")
SCRIPT = "(() => {\n" + "\n".join(_read(f"{name}.js") for name in FILES) + "})();\n"
STYLE = _read("touch.css")


def sweep_fragment(sweep: Sweep, words: Words) -> Fragment | None:
    """What there is to touch of a sweep: what sparsity costs, and all its settings side by side."""
    first, second = (kind.fragment(sweep, words) for kind in (trade_off, parallel))
    return first._replace(after=second) if first else second


def run_fragment(trained: Trained, words: Words) -> Fragment | None:
    """What there is to touch of a run: the plane of a code of two units, the units of a sparse one, or sliders.

    None where the data are no longer at hand, or where a page cannot run the decoder.
    """
    source = load(trained)
    if source is None:
        return None
    sparse = features.is_sparse(trained.config, source.code) and features.fragment(source, words)
    if sparse:
        return sparse
    if too_heavy(source.layers):
        source = source._replace(layers=None)
    return (latent.plane if source.code.shape[1] == 2 else latent.walk)(source, words)
