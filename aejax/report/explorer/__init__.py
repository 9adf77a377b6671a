"""Things to touch on a page: a plane of codes, a walk through the latent space, a weight to turn; all from one file.

A page puts `Fragment.html` in place, each distinct `Fragment.script` once at the end of its body, and `STYLE` in its
head, where it defines the colours ``--ink``, ``--paper``, ``--muted``, ``--line``, ``--accent``, ``--accent-2``,
``--good`` and ``--bad`` for light and dark.
"""

from pathlib import Path

from aejax.report.explorer import plane, trade_off, walk
from aejax.report.explorer.fragment import STYLE, Fragment
from aejax.report.explorer.source import load
from aejax.report.explorer.texts import read

__all__ = ["STYLE", "Fragment", "fragments", "sweep_fragments"]


def fragments(run_folder: Path, language: str, *, trust: bool = False) -> list[Fragment]:
    """What there is to touch of a finished run: the plane of a code of two units, or sliders for the units of another.

    Args:
        run_folder: of the run.
        language: ``"en"`` or ``"es"``.
        trust: as of `aejax.apply.load`.

    Returns:
        None at all where the net or the data are no longer at hand, or the decoder is none that a page can run.

    Raises:
        UserError: there are no texts in that language.
    """
    catalogue, source = read(language), load(run_folder, trust=trust)
    if source is None:
        return []
    made = (plane.fragment if source.code.shape[1] == 2 else walk.fragment)(source, catalogue)
    return [] if made is None else [made]


def sweep_fragments(sweep_folder: Path, language: str) -> list[Fragment]:
    """What there is to touch of a finished sweep: one of its numbers, and with it sparsity against error.

    Args:
        sweep_folder: of the sweep.
        language: ``"en"`` or ``"es"``.

    Returns:
        None at all where it sweeps no number, or measured no sparsity.

    Raises:
        UserError: the folder holds no finished sweep, or there are no texts in that language.
    """
    made = trade_off.fragment(sweep_folder, read(language))
    return [] if made is None else [made]
