"""kNN on codes: folds and scores beside scikit-learn and brute force, the refusals of the task, and runs of it."""

import itertools

import jax
import numpy as np
import pytest
import tasking
from tasking import needs, refused

from aejax import config, console
from aejax.data.splits import every_row, stratified
from aejax.errors import UserError
from aejax.losses import supervised
from aejax.metrics.partitions import classification
from aejax.runs import experiment
from aejax.tasks import aeknn
from aejax.tasks.common import scaled_rows
from aejax.training.build import load_data
from aejax.training.evaluate import on_device
from aejax.training.retrain import retrainer
from aejax.types import Context


def data(labels, x=None, **other):
    """Sixty rows: thirty to train on, ten to validate, twenty to test."""
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32) if x is None else x
    return tasking.dataset(x, (30, 40, 60), labels=labels)._replace(**{"scaling": "standard"} | other)


SHIPPED = config.load("lecture/aeknn")
ALTERNATING = np.arange(60, dtype=np.int32) % 2
UNEVEN = (np.arange(60) % 7 > 4).astype(np.int32)


# Folds.


def test_folds_are_stratified_equal_and_scaled_by_themselves():
    whole = data(UNEVEN)
    rows, cuts = every_row(whole), stratified(whole, folds=7, repeats=2, seed=3)
    np.testing.assert_array_equal(rows.x, np.concatenate([whole.train.x, whole.validation.x, whole.test.x]))
    assert len(cuts) == 14
    assert {len(fold.train.x) for fold in cuts} == {60 - 9}, "the largest of 7 folds of 60 rows has 9"
    for repeat in (cuts[:7], cuts[7:]):
        tested = np.concatenate([fold.test.x for fold in repeat])
        assert {row.tobytes() for row in tested} == {row.tobytes() for row in rows.x}
        assert len(tested) == 60
        share = UNEVEN.mean() * 60 / 7
        assert all(abs(fold.test.labels.sum() - share) < 1 for fold in repeat)
    for fold in cuts:
        assert not {row.tobytes() for row in fold.train.x} & {row.tobytes() for row in fold.test.x}
        np.testing.assert_allclose(fold.shift, fold.train.x.mean(0), atol=1e-6)
        np.testing.assert_allclose(fold.scale, 1 / fold.train.x.std(0), rtol=1e-5)
        assert len(fold.validation.x) == 0
    assert not np.array_equal(cuts[0].test.x, cuts[7].test.x)
    again = stratified(whole, folds=7, repeats=2, seed=3)
    assert all(np.array_equal(a.train.x, b.train.x) for a, b in zip(cuts, again, strict=True))


def test_a_fold_fills_gaps_by_its_own_training_rows_and_images_keep_the_scaling_of_pixels():
    whole = data(ALTERNATING)
    mask = np.random.default_rng(1).uniform(size=(60, 3)) < 0.8
    parts = [part._replace(mask=cut) for part, cut in zip(whole[1:4], np.split(mask, (30, 40)), strict=True)]
    for fold in stratified(
        whole._replace(train=parts[0], validation=parts[1], test=parts[2]), folds=3, repeats=1, seed=0
    ):
        for column in range(3):
            seen = fold.train.x[fold.train.mask[:, column], column]
            gaps = fold.test.x[~fold.test.mask[:, column], column]
            np.testing.assert_allclose(gaps, seen.mean(), atol=1e-6)
    images = data(ALTERNATING, kind="image", scaling="unit", shift=np.float32(2), scale=np.float32(3))
    assert {(float(f.shift), float(f.scale)) for f in stratified(images, folds=2, repeats=1, seed=0)} == {(2.0, 3.0)}


# Scores.


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_by_counting(classes):
    rng = np.random.default_rng(classes)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 40)])
    votes = rng.multinomial(5, np.full(classes, 1 / classes), size=len(labels)) / 5
    answers = np.array([row.tolist().index(max(row)) for row in votes])
    f_scores, areas = [], []
    for label in range(classes):
        hits = sum((answers == label) & (labels == label))
        f_scores.append(2 * hits / (sum(answers == label) + sum(labels == label)))
        pairs = itertools.product(votes[labels == label, label], votes[labels != label, label])
        areas.append(np.mean([(a > b) + (a == b) / 2 for a, b in pairs]))
    found = classification(labels, votes)
    assert found["accuracy"] == pytest.approx(np.mean(answers == labels))
    assert found["f_score"] == pytest.approx(np.mean(f_scores))
    assert found["auc"] == pytest.approx(areas[1] if classes == 2 else np.mean(areas))


def test_a_class_that_is_never_named_has_no_f_score():
    found = classification(np.array([0, 1, 2]), np.array([[1, 0, 0], [0, 1, 0], [1.0, 0, 0]]))
    assert found["f_score"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_nearest_codes_vote():
    fold = stratified(data(3 * ALTERNATING + 2), folds=4, repeats=1, seed=0)[1]  # labels 2 and 5: not 0 and 1
    x, new = (scaled_rows(split, fold) for split in (fold.train, fold.test))
    encode, right = lambda rows: rows[:, :2] * 2, []
    for row, label in zip(encode(new), fold.test.labels, strict=True):
        near = sorted(range(len(x)), key=lambda j, row=row: float(np.square(row - encode(x)[j]).sum()))[:5]
        right.append((sum(fold.train.labels[near] == 5) > 2) == (label == 5))
    found = aeknn.knn_scores(fold, encode, 5)
    assert found["accuracy"] == pytest.approx(np.mean(right))
    assert found["seconds"] > 0


def test_methods_are_scored_on_the_same_folds():
    dataset = data(UNEVEN)
    cuts = stratified(dataset, folds=3, repeats=2, seed=0)
    found = aeknn.baseline_scores(cuts, [1, 3], neighbours=3)
    assert list(found) == ["all features", "pca 1", "pca 3", "lda"]
    assert all(values.shape == (6,) for scores in found.values() for values in scores.values())
    # all components are a rotation of all features
    np.testing.assert_allclose(found["pca 3"]["accuracy"], found["all features"]["accuracy"])
    own = aeknn.knn_scores(cuts[4], np.asarray, 3)
    assert found["all features"]["auc"][4] == own["auc"]


TINY = ("data.name=satimage", "train.steps=4", "train.batch_size=32", "terms.neighbours.weight=0.0")


@pytest.fixture(scope="module")
def small():
    """A config, 120 rows of three classes of satimage, and how nets are trained on them."""
    resolved = config.load("lecture/aeknn", TINY)
    whole = load_data(resolved["data"])
    rows = np.concatenate([np.flatnonzero(whole.train.labels == label)[:40] for label in range(3)])
    few = lambda split, rows: split._replace(x=split.x[rows], labels=split.labels[rows])
    dataset = whole._replace(
        train=few(whole.train, rows[::2]), validation=few(whole.train, rows[1::4]), test=few(whole.train, rows[3::4])
    )
    return dataset, retrainer(resolved, dataset)


def test_nets_have_the_layers_of_their_layout_and_a_score_for_each_fold_and_seed(small):
    dataset, retrain = small
    seen = []

    def spy(keys, changes, datasets):
        trained = retrain(keys, changes, datasets)
        seen.append((len(keys), [id(each) for each in datasets], changes, trained))
        return trained

    key = jax.random.key(0)
    layouts = ((0.25,), (1.5, 0.5, 1.0))
    options = aeknn.Options(layouts=layouts, neighbours=3, folds=2, repeats=1, seeds=3)
    cuts = aeknn.cut(key, dataset, options)
    found, sizes = aeknn.net_scores(key, cuts, spy, options)
    assert list(found) == ["0.25", "1.5-0.5-1"]
    assert sizes == [9, 18]
    for count, datasets, _, _ in seen:
        assert count == 6
        assert datasets == [id(cuts[0])] * 3 + [id(cuts[1])] * 3
    shapes = [{name: leaf.shape[1:] for name, leaf in layers(trained.params)} for _, _, _, trained in seen]
    assert shapes[0] == {"encoder/layer0": (36, 9), "decoder/layer0": (9, 36)}
    assert shapes[1] == {
        "encoder/layer0": (36, 54),
        "encoder/layer1": (54, 18),
        "decoder/layer0": (18, 36),
        "decoder/layer1": (36, 36),
    }
    trained = seen[1][3]
    own = jax.tree.map(lambda leaf: leaf[4], trained.params)  # the second fold's second net
    expected = aeknn.knn_scores(cuts[1], lambda x: trained.model.encode(own, x), 3)
    assert found["1.5-0.5-1"]["accuracy"].shape == (2, 3)
    assert found["1.5-0.5-1"]["accuracy"][1, 1] == pytest.approx(expected["accuracy"])


def layers(params):
    return [
        (f"{side}/{name}", layer["kernel"]) for side in ("encoder", "decoder") for name, layer in params[side].items()
    ]


def test_without_layouts_the_net_is_that_of_the_config(small):
    dataset, retrain = small
    key = jax.random.key(0)
    options = aeknn.Options(layouts=(), neighbours=3, folds=2, repeats=1)
    found, sizes = aeknn.net_scores(key, aeknn.cut(key, dataset, options), retrain, options)
    assert list(found) == ["the config's net"]
    assert sizes == [16]


# Runs.


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "figures"), [("", True), (":supervised", False)])
def test_the_shipped_config_runs_and_reports_beside_knn(variant, figures, tmp_path):
    shrunk = ["train.steps=60", "train.evaluate_every=60", "train.batch_size=64", f"report.figures={figures}"]
    shrunk += ["task.layouts=((.25,),)", "task.repeats=1", "task.folds=3"]
    summary = experiment.run(config.load("lecture/aeknn" + variant, shrunk), tmp_path)
    metrics, baselines = summary["metrics"], summary["baselines"]
    assert set(metrics) == {"train", "validation", "test", "0.25"}
    assert baselines["all features"]["accuracy"] == pytest.approx(0.985, abs=0.006)
    assert baselines["all features"]["time_ratio"] == 1
    assert baselines["pca 16"]["accuracy"] == pytest.approx(0.98, abs=0.01)
    assert baselines["lda"]["accuracy"] == pytest.approx(0.97, abs=0.01)
    for scores in (metrics["0.25"], metrics["test"]):
        assert 0.8 < scores["accuracy"] < 1
        assert 0.8 < scores["f_score"] < 1
        assert 0.9 < scores["auc"] < 1
    assert 0 < metrics["0.25"]["accuracy_sd"] < 0.05
    assert not figures or (tmp_path / "figures" / "aeknn.png").stat().st_size > 10_000


def test_the_console_names_the_nets_of_a_task(capsys):
    timing = {"steps": 1, "train_seconds": 1, "steps_per_second": 1, "compile_seconds": 1}
    metrics = {"train": {"mse": 7.0}, "test": {"mse": 1.0}, "1.5-0.25-1.5": {"accuracy": 0.75}}
    summary = {"metrics": metrics, "baselines": {"lda": {"accuracy": 0.5}}, "timing": timing, "parameters_digest": ""}
    console.results(summary)
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line]
    assert lines[0] == ["test", "mse", "accuracy"]
    assert lines[2:5] == [["autoencoder", "1"], ["1.5-0.25-1.5", "0.75"], ["lda", "0.5"]]


# Mistakes.


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (data(ALTERNATING), {"neighbours": 49}, "^task.neighbours: 49 are too many for the 48 training rows of a fold"),
        (
            data(ALTERNATING),
            {"layouts": ((0.1,),)},
            r"^task.layouts: \(0.1,\) of 3 features leaves .* unit; allowed: shares of 0.167 or",
        ),
        (data(ALTERNATING), {"layouts": ((1.0, 0.5),)}, r"^task.layouts: \(1.0, 0.5\) has no middle; allowed: "),
        (data(ALTERNATING), {"layouts": ((),)}, r"^task.layouts: \(\) has no middle; allowed: "),
    ],
)
def test_data_it_cannot_serve_is_refused_in_one_line(dataset, options, message):
    refused(aeknn, message, dataset, None, SHIPPED, **options)


def test_the_most_neighbours_and_the_least_layout_are_served():
    needs(aeknn, data(ALTERNATING), None, SHIPPED, neighbours=48, layouts=((0.2,),))


def test_a_net_that_cannot_be_laid_out_is_refused_before_it_trains():
    changed = {"model": {"name": "dense.vanilla", "code": 2}}
    vanilla = config.resolve({**SHIPPED, **changed})
    with pytest.raises(UserError, match=r"^task.layouts: dense.vanilla has no layout 0.25 \(.*'widths'.*\); allowed: "):
        needs(aeknn, data(ALTERNATING), None, vanilla)
    needs(aeknn, data(ALTERNATING), None, vanilla, layouts=())


def test_a_term_on_labels_needs_labels(small):
    dataset, _ = small
    rows = on_device(dataset.train, dataset)
    ctx = Context(**dict.fromkeys(Context._fields) | {"hidden": {"code": rows.x[:, :2]}})
    with pytest.raises(
        UserError, match=r"^soft_nearest_neighbour: the training rows have no labels; allowed: data with"
    ):
        supervised.soft_nearest_neighbour(ctx)
