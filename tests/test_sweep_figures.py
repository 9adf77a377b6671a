"""Pictures of a sweep: drawn for any points, nothing cut off, and a front that no point beats."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aejax.figures import canvas, sweep
from aejax.sweep import intervals, results

RANDOM = np.random.default_rng(0)


def summary(axes, seeds=4, metric="validation/mse"):
    """A summary over the product of some axes, of a metric with one best place and of one that falls."""
    points = []
    for place in np.ndindex(*(len(values) for values in axes.values())):
        centre = sum((i / max(len(v) - 1, 1) - 0.4) ** 2 for i, v in zip(place, axes.values(), strict=True))
        error = 0.05 + centre + 0.03 * RANDOM.random(seeds)
        share = np.exp(-3 * place[0] / len(next(iter(axes.values())))) + 0.02 * RANDOM.random(seeds)
        own = {path: values[i] for (path, values), i in zip(axes.items(), place, strict=True)}
        metrics = {
            "validation/mse": intervals.interval(list(error)),
            "validation/active_fraction": intervals.interval(share),
        }
        points.append({"axes": own, "runs": seeds, "finite": seeds, "finished": seeds, "metrics": metrics})
    best = results.best(points, metric, maximise=False)
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
def test_pictures_fit_their_page(tmp_path, axes, seeds):
    drawn = sweep.draw(tmp_path, summary(axes, seeds))
    changing = sum(len(values) > 1 for values in axes.values())
    traded = "terms.sparsity.weight" in axes
    assert len(drawn) == (changing + traded + (changing >= 2) if changing else 0)
    for path in drawn:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert pixels.shape[1] <= canvas.WIDTH * canvas.DPI
        edges = [pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]]
        assert min(edge.min() for edge in edges) == 255, "something is cut off"
        assert (pixels < 128).mean() > 0.001, "there is nothing to see"


def test_zipped_axes_have_no_tiles_and_the_better_end_is_told(tmp_path):
    found = summary({"a": list(range(6)), "b": list(range(6))})
    zipped = found | {"points": [found["points"][7 * place] for place in range(6)], "best": 0}
    assert {path.stem for path in sweep.draw(tmp_path, zipped)} == {"a", "b", "parallel"}
    once = {"axes": {"a": 1, "b": 1}, "metrics": {"validation/mse": intervals.interval([1.0])}}
    sweep.against_axis(
        tmp_path / "one.png", [once, once | {"axes": {"a": 2, "b": 3}}], "a", ["b"], "validation/mse", least=False
    )


def test_the_picture_of_times_has_its_curves(tmp_path):
    series = {"ours": [3, 2, 1.0], "theirs": [4, 4, 4.0]}
    path = sweep.time_per_setting(tmp_path / "t.png", [1, 2, 4], {"small": series, "large": series})
    with Image.open(path) as image:
        assert min(np.asarray(image.convert("RGB"))[:, -2:].min(), np.asarray(image.convert("RGB"))[:2].min()) == 255


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1))
def test_no_point_beats_one_of_the_front_and_all_others_are_beaten(pairs):
    pairs = np.array(pairs, float)
    found = sweep.front(pairs)
    beats = lambda a, b: (a <= b).all() and (a < b).any()
    alive = {tuple(p) for p in pairs if not any(beats(q, p) for q in pairs)}
    assert [tuple(pairs[place]) for place in found] == sorted(alive)
