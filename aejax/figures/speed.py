"""Ratios of speed as bars, aejax's time being 1."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aejax.figures import canvas
from aejax.figures.words import Words


def ratios(results: Sequence[Any], words: Words, path: Path) -> Path:
    """Draw how many times longer the peers take, a bar for each on a logarithmic axis; the path of the PNG.

    Args:
        results: of `aejax.bench.measure.measure`.
        words: of the language.
        path: of the file.
    """
    bars = [(each, peer, values) for each in results for peer, values in each.ratios.items()][::-1]
    title, label = words("speed.title"), words("speed.axis")
    figure, (axes,) = canvas.new_panels(1.8 + 0.3 * len(bars), title, [("", "")])
    canvas.quiet(axes, x=label, y="")
    middle = [statistics.median(values) for _, _, values in bars]
    reach = [[m - min(v) for m, (_, _, v) in zip(middle, bars, strict=True)]]
    reach += [[max(v) - m for m, (_, _, v) in zip(middle, bars, strict=True)]]
    colours = [canvas.OKABE_ITO[0 if m >= 1 else 1] for m in middle]
    lengths, error = [m - 1 for m in middle], {"ecolor": canvas.GREY}  # from 1 on: neither side is faster there
    axes.barh(range(len(bars)), lengths, left=1, xerr=reach, color=colours, height=0.6, error_kw=error)
    axes.axvline(1, color=canvas.GREY, linewidth=1)
    axes.set_xscale("log")
    every = [value for _, _, values in bars for value in values]
    axes.set_xlim(min(0.5, 0.7 * min(every)), max(2, 1.6 * max(every)))  # with room for the numbers
    names = [words("speed.bar", row=each.name, peer=peer, threads=each.threads) for each, peer, _ in bars]
    axes.set_yticks(range(len(bars)), map(canvas.plain, names), size=canvas.SMALL)
    for at, value in enumerate(middle):
        axes.text(max(reach[1][at] + value, 1) * 1.08, at, words.number(value, ".3g"), size=canvas.SMALL, va="center")
    return canvas.save_figure(canvas.finish(figure, words), path)
