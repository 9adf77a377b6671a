"""Figures of a sweep: drawn for any points, readable in every language, and a front that no point beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from looking import ENGLISH, readable

from aejax.figures import canvas, sweep
from aejax.sweep import table

RANDOM = np.random.default_rng(0)


def summary(axes, seeds=4, metric="validation/mse"):
    """A summary over the product of some axes, of a metric with one best place and of one that falls."""
    points = []
    for position in np.ndindex(*(len(values) for values in axes.values())):
        centre = sum((i / max(len(v) - 1, 1) - 0.4) ** 2 for i, v in zip(position, axes.values(), strict=True))
        error = 0.05 + centre + 0.03 * RANDOM.random(seeds)
        share = np.exp(-3 * position[0] / len(next(iter(axes.values())))) + 0.02 * RANDOM.random(seeds)
        setting = {path: values[i] for (path, values), i in zip(axes.items(), position, strict=True)}
        metrics = {
            "validation/mse": table.interval(list(error)),
            "validation/active_fraction": table.interval(share),
        }
        points.append({"axes": setting, "runs": seeds, "finite": seeds, "finished": seeds, "metrics": metrics})
    best = table.best(points, metric, maximise=False)
    return {"metric": metric, "maximise": False, "best": best, "points": points}


RATES, WEIGHTS, CODES = [1e-4, 1e-3, 1e-2, 1e-1], [0.0, 0.1, 0.3, 1.0, 3.0], [2, 4, 8]
CASES = {
    "one axis": {"optimizer.learning_rate": RATES},
    "words": {"model.activation": ["relu", "silu", "a_very_long_name_of_$a_function", None]},
    "two axes": {"optimizer.learning_rate": RATES, "terms.sparsity.weight": WEIGHTS},
    "many lines": {"a": list(range(30)), "b": list(np.geomspace(1, 100, 12))},
    "four axes": {"optimizer.learning_rate": RATES, "terms.sparsity.weight": WEIGHTS, "code": CODES, "act": ["r", "s"]},
    "one point": {"optimizer.learning_rate": [1e-3]},
}


@pytest.mark.parametrize("axes", CASES.values(), ids=CASES)
@pytest.mark.parametrize("seeds", [1, 4])
def test_figures_can_be_read(axes, seeds):
    swept = summary(axes, seeds)
    drawn = readable(lambda words: sweep.draw(swept, words))
    changing = sum(len(values) > 1 for values in axes.values())
    traded = "terms.sparsity.weight" in axes
    against = sum(len(values) > 2 for values in axes.values())  # two values are no curve
    assert len(drawn) == (against + traded + (changing >= 2) if changing else 0)
    assert all(figure.get_figwidth() <= canvas.WIDTH for figure in drawn.values())


def test_zipped_axes_have_no_tiles_and_the_better_end_is_told():
    swept = summary({"a": list(range(6)), "b": list(range(6))})
    zipped = swept | {"points": [swept["points"][7 * number] for number in range(6)], "best": 0}
    assert set(sweep.draw(zipped, ENGLISH)) == {"a", "b", "parallel"}
    once = {"axes": {"a": 1, "b": 1}, "metrics": {"validation/mse": table.interval([1.0])}}
    points = [once, once | {"axes": {"a": 2, "b": 3}}]
    sweep.against_axis(ENGLISH, points, "a", ["b"], "validation/mse", least=False)


def test_the_figures_of_a_search_can_be_read():
    trials = [{"trial": n, "state": ("complete", "pruned")[n % 2], "value": 1 / (n + 1)} for n in range(6)]
    search = {"history": trials, "importance": {"a.b": 0.7, "c.d": 0.3}}
    summary = {"search": search, "metric": "validation/mse", "maximise": False, "points": [], "best": None}
    assert set(readable(lambda words: sweep.draw(summary, words))) == {"history", "importance"}


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_no_point_beats_one_of_the_front_and_all_others_are_beaten(pairs):
    pairs = np.array(pairs, float)
    front = sweep.front(pairs)
    beats = lambda a, b: (a <= b).all() and (a < b).any()
    alive = {tuple(p) for p in pairs if not any(beats(q, p) for q in pairs)}
    assert [tuple(pair) for pair in pairs[front]] == sorted(alive)
