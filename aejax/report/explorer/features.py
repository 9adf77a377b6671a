"""The units of a sparse code, to touch: what each adds, when it is active, its samples, and a slider that sets it."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from aejax.figures.images import are_images
from aejax.report.explorer import source as sources
from aejax.report.explorer.source import Fragment, Layer, Source, data_of, packed, sample, texts_of
from aejax.report.words import Words

SPARSE = 0.2
"""The share of zeros among the values of a code from which on it is sparse, whatever it was trained with."""
BARS, WIDTH, SAMPLES = 24, 240, 8
ROWS = 0.5
"""Of the rows that other fragments have: here there are also what all units add."""


def is_sparse(config: Any, code: np.ndarray) -> bool:
    """Whether a code is one whose units are each looked at by themselves.

    Args:
        config: of the run.
        code: (m, d).
    """
    terms = config.get("terms", {}).values()
    return any(term["name"].startswith("sparsity.") for term in terms) or (code == 0).mean() >= SPARSE


def fragment(source: Source, words: Words) -> Fragment | None:
    """The units of a sparse code of images, those that change the output most first.

    Dead units, which never change, are left out; what they add is put into the biases of the decoder. None where rows
    are no images, or where a page cannot run the decoder.
    """
    low, high = source.code.min(0), source.code.max(0)
    live = np.flatnonzero(high > low)
    if source.layers is None or not are_images(source.dataset) or len(live) < 2:
        return None
    atoms = _atoms(source, live)
    does = source.code[:, live].std(0) * np.linalg.norm(atoms, axis=1) / (high - low)[live]
    order = np.argsort(-does, kind="stable")
    live, atoms = live[order], atoms[order]
    source = source._replace(code=source.code[:, live], layers=without_dead(source.layers, source.code[0], live))
    if sources.too_heavy(source.layers):
        return None
    rows, texts = sample(source), texts_of("features", words)
    rows = rows[np.linspace(0, len(rows) - 1, max(1, round(ROWS * len(rows)))).round().astype(int)]
    texts["caption"] += " " + texts["dead"].format(dead=len(low) - len(live), units=len(low), rows=len(rows))
    active = source.code != 0
    if active.all():
        active = source.code > (low + high)[live] / 2
    edges = [np.linspace(min(0, low[unit]), high[unit], BARS + 1) for unit in live]
    values = [np.histogram(column[column != 0], bins)[0] for column, bins in zip(source.code.T, edges, strict=True)]
    unit = source.scale.gain[None] * atoms
    data = data_of(source, rows, texts) | {
        "units": live.tolist(),
        "atoms": packed((127.5 + 127.5 * unit / np.abs(unit).max(1, keepdims=True)).round().astype(np.uint8)),
        "low": [float(bins[0]) for bins in edges],
        "high": [float(bins[-1]) for bins in edges],
        "shares": active.mean(0).round(4).tolist(),
        "bars": [counts.tolist() for counts in values],
        "top": np.argsort(-source.code[rows], axis=0, kind="stable")[:SAMPLES].T.tolist(),
    }
    bars = [(WIDTH / BARS * bar, WIDTH / BARS - 1) for bar in range(BARS)]
    return Fragment("features", data, {"bars": bars, "samples": min(SAMPLES, len(rows)), "width": WIDTH})


def _atoms(source: Source, live: np.ndarray) -> np.ndarray:
    """What each unit adds to the decoded mean code as it goes from its least to its largest value: (units, n)."""
    mean = source.code.mean(0)
    ends = [np.where(np.eye(len(mean), dtype=bool)[live], end(source.code, 0), mean) for end in (np.min, np.max)]
    least, most = (np.asarray(sources.run(source.layers, jnp.asarray(codes, jnp.float32))) for codes in ends)
    return most - least


def without_dead(layers: list[Layer], code: np.ndarray, live: np.ndarray) -> list[Layer]:
    """The layers of a decoder that is given the live units alone, in this order.

    Args:
        layers: that take all units.
        code: (d,) of any row: the dead units have these values in all of them.
        live: positions of the others.
    """
    kernel, bias, activation = layers[0]
    constant = np.where(np.isin(np.arange(len(code)), live), 0, code)
    return [Layer(np.asarray(kernel)[live], np.asarray(bias) + constant @ np.asarray(kernel), activation), *layers[1:]]
