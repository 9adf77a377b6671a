"""Semantic grouping: its metrics beside scikit-learn and counting, a run of it, its figures and refusals."""

import itertools

import jax
import numpy as np
import pytest
from looking import read, task_figures
from tasking import evaluate, needs, refused, start
from test_hashing import data

from aejax import config
from aejax.figures.tasks.retrieval import GROUPING
from aejax.metrics import partitions as groups
from aejax.models import binary, dense
from aejax.runs import experiment
from aejax.tasks import grouping
from aejax.types import Dataset, Evaluation, Members, Range, Split

RNG = np.random.default_rng(0)
GROUPS, LABELS = RNG.integers(0, 5, 60) * 3, RNG.integers(0, 3, 60)


def test_purity_by_counting():
    most = [max(((group == GROUPS) & (label == LABELS)).sum() for label in range(3)) for group in set(GROUPS)]
    assert groups.purity(GROUPS, LABELS) == pytest.approx(sum(most) / 60)
    assert groups.purity(LABELS + 7, LABELS) == 1
    assert groups.purity(0 * LABELS, LABELS) == pytest.approx(np.bincount(LABELS).max() / 60)


def test_shared_groups_by_counting_pairs():
    pairs = list(itertools.combinations(range(60), 2))
    same = [GROUPS[a] == GROUPS[b] for a, b in pairs]
    of_class = [LABELS[a] == LABELS[b] for a, b in pairs]
    assert groups.shared(GROUPS) == pytest.approx(np.mean(same))
    within = [s for s, c in zip(same, of_class, strict=True) if c]
    assert groups.shared(GROUPS, LABELS) == pytest.approx(np.mean(within))
    assert groups.shared(LABELS, LABELS) == 1
    assert np.isnan(groups.shared(np.arange(4), np.arange(4)))


def test_stability_is_the_mean_over_all_pairs():
    from sklearn.metrics import adjusted_rand_score as ari

    three = [GROUPS, LABELS, GROUPS % 2]
    expected = np.mean([ari(GROUPS, LABELS), ari(GROUPS, GROUPS % 2), ari(LABELS, GROUPS % 2)])
    assert groups.stability(three) == pytest.approx(expected)
    assert groups.stability([GROUPS, 10 - GROUPS]) == 1


@pytest.mark.parametrize(("kind", "shape"), [("text", (16,)), ("image", (4, 4, 1))])
def test_the_task_on_documents_and_images(kind, shape):
    dataset, model = data(kind, shape=shape), binary.noisy(shape, widths=(), code=3)
    nets = start(model, seed=5, count=2)
    asked = []
    retrain = lambda keys: asked.append(keys.shape) or Members(model, nets)
    params = start(model)
    needs(grouping, dataset, model)
    found = evaluate(grouping, jax.random.key(1), model, params, dataset, retrain, nets=3)
    assert asked == [(2,)]
    x = np.asarray(grouping.host_rows(dataset.test, dataset) @ np.eye(16, dtype=np.float32))
    bits = np.asarray(model.encode(params, x)) > 0.5
    numbers = found.metrics["test"]
    np.testing.assert_array_equal(found.arrays["groups"], bits @ [1, 2, 4])
    assert numbers["used"] == len(np.unique(bits, axis=0)) / 8
    assert numbers["lift"] == pytest.approx(numbers["same_class"] / numbers["chance"])
    assert set(found.baselines["k-means"]) == set(numbers) - {"used"}
    assert found.baselines["k-means"]["purity"] > 0.7
    assert set(task_figures(GROUPING, found, dataset, model)) == {"groups"}


LONG = ("od280/od315_of_diluted_wines", "nonflavanoid_phenols", "proline", "a" * 60)


def groups_of(kind):
    """The picture of two groups, of which one is of one class and has large values in the first column."""
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    inside = np.arange(40) < 10
    x[inside, 0] += 4
    x[inside, 2] -= 2
    split = Split(x, labels=np.where(inside, 2, np.arange(40) % 2))
    one, names = np.float32(1), ("Grignolino", "a class of a long name, longer than most", "Barolo")
    dataset = Dataset("wine.csv", split, split, split, (4,), kind, Range(), 0 * one, one, names, LONG, "", "")
    codes = np.where(inside, 5, 4095)
    examples = {5: np.flatnonzero(inside), 4095: np.flatnonzero(~inside)}
    found = Evaluation({}, {}, {"examples": examples, "groups": codes})
    model = binary.noisy((4,), widths=(), code=12)
    figure = task_figures(GROUPING, found, dataset, model)["groups"]
    size = (x[inside].mean(0) - x.mean(0)) / x.std(0)
    return read(figure), [f"{value:+.1f} sd".replace("-", "−") for value in size]


def test_a_group_of_a_table_is_told_by_the_columns_that_set_it_apart_and_its_own_classes():
    texts, sizes = groups_of("table")
    group, first, classes, *rest = texts[1:]
    assert group == "101000000000  (10)"
    assert first.startswith(f"od280/od315_of_diluted_wi… {sizes[0]}, proline {sizes[2]}, ")
    assert first.count(" sd") == 3
    assert classes == "Barolo 100 %", "nothing of classes that none of its rows has"
    assert rest[-1] == "Grignolino 50 %, a class of a long name, longe… 50 %"


def test_a_group_of_documents_is_told_by_its_words():
    texts, _ = groups_of("text")
    assert texts[2].startswith("od280/od315_of_diluted_wines")
    assert "proline" not in texts[2], "fewer than in others"
    assert " sd" not in "".join(texts)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (binary.noisy((16,), widths=(), code=13), "^model.code: 13 bits make too many groups; allowed: 1 to 12"),
        (dense.multilayer((16,), widths=(), code=3), r"^grouping: the code lies in \[-inf, inf\]; allowed: a code"),
    ],
)
def test_codes_that_it_cannot_serve_are_refused_in_one_line(model, message):
    refused(grouping, message, data(), model)


@pytest.mark.slow
def test_the_shipped_config_groups_digits_better_than_chance(tmp_path):
    shrunk = ["train.steps=60", "train.evaluate_every=60", "model.widths=(64,)", "task.nets=2", "report.figures=False"]
    summary = experiment.run(config.load("lecture/grouping", shrunk), tmp_path)
    test = summary["metrics"]["test"]
    assert test["lift"] > 2
    assert test["used"] > 0.6
    assert 0.1 < test["stability"] < 1
    assert 0.4 < test["nmi"] < 1
