"""Generated rows: measures beside brute force and closed forms, samplers, refusals, and runs of the shipped config."""

from pathlib import Path

import jax
import numpy as np
import pytest
from looking import drawn as figures_of
from running import assert_refused, call

from aejax import config, console, data
from aejax.errors import UserError
from aejax.figures.tasks import generation as pictures
from aejax.metrics import generation as metrics
from aejax.runs import experiment
from aejax.tasks import generation, samplers
from aejax.tasks.features import features, fit_classifier, predict
from aejax.types import Dataset, Evaluation, Range, Split

RNG = np.random.default_rng(0)


# Measures.


@pytest.mark.parametrize("features", [1, 4])
def test_frechet_distance_is_that_of_matrix_roots(features):
    from scipy.linalg import sqrtm

    real = RNG.normal(size=(50, features)) @ RNG.normal(size=(features, features))
    made = RNG.normal(size=(40, features)) + 1
    one, two = (np.cov(rows.T).reshape(features, features) for rows in (real, made))
    root = np.real(sqrtm(one @ two))
    expected = np.square(real.mean(0) - made.mean(0)).sum() + np.trace(one + two - 2 * root)
    assert metrics.frechet_distance(real, made) == pytest.approx(expected, rel=1e-6)
    assert metrics.frechet_distance(real, real[::-1]) == pytest.approx(0, abs=1e-9)
    assert metrics.frechet_distance(real, real + 3) == pytest.approx(9 * features, rel=1e-9)


@pytest.mark.parametrize("block", [1000, 7])
def test_coverage_by_loops(block, monkeypatch):
    monkeypatch.setattr(metrics, "BLOCK", block)
    rng = np.random.default_rng(4)
    real, made, k = rng.normal(size=(30, 2)), rng.normal(size=(25, 2)) + 0.7, 3
    apart = lambda a, b: float(np.sqrt(((a - b) ** 2).sum()))
    radius = lambda rows: [sorted(apart(a, b) for b in rows if b is not a)[k - 1] for a in rows]
    of_real, of_made = radius(list(real)), radius(list(made))
    inside = [[apart(g, r) < reach for r, reach in zip(real, of_real, strict=True)] for g in made]
    expected = {
        "precision": np.mean([any(row) for row in inside]),
        "recall": np.mean([any(apart(g, r) < reach for g, reach in zip(made, of_made, strict=True)) for r in real]),
        "density": np.sum(inside) / (k * len(made)),
        "coverage": np.any(inside, axis=0).mean(),
    }
    assert 0 < expected["precision"] < 1
    assert metrics.coverage(real, made, neighbours=k) == pytest.approx(expected)


def test_what_is_measured_of_rows_that_are_real_and_of_rows_far_away():
    real, same, far = RNG.normal(size=(300, 3)), RNG.normal(size=(300, 3)), RNG.normal(size=(300, 3)) + 99
    found = metrics.coverage(real, same, neighbours=5)
    assert found["density"] == pytest.approx(1, abs=0.15)
    assert min(found["precision"], found["recall"], found["coverage"]) > 0.85
    assert set(metrics.coverage(real, far, neighbours=5).values()) == {0.0}


def test_nearest_rows_by_loops():
    points, rows = RNG.normal(size=(300, 3)).astype(np.float32) + 50, RNG.normal(size=(40, 3)).astype(np.float32) + 50
    found, apart = metrics.nearest_rows(points, rows)
    every = np.sqrt(((points[:, None].astype(float) - rows[None].astype(float)) ** 2).sum(-1))
    np.testing.assert_array_equal(found, every.argmin(1))
    np.testing.assert_allclose(apart, every.min(1), rtol=1e-5)
    np.testing.assert_array_equal(metrics.nearest_rows(rows, rows)[1], 0)


# Samplers.

CODES = (np.random.default_rng(1).normal(size=(400, 3)) @ np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0.1]])).astype(
    np.float32
) + 5


def drawn(draw, count=20_000):
    found = draw(np.random.default_rng(2), count)
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, draw(np.random.default_rng(2), count))
    return found


def test_a_gaussian_has_the_moments_of_the_codes_and_independent_units_their_variances():
    whole, alone = drawn(samplers.gaussian(CODES)), drawn(samplers.normal(CODES))
    for found in (whole, alone):
        np.testing.assert_allclose(found.mean(0), CODES.mean(0), atol=0.06)
    np.testing.assert_allclose(np.cov(whole.T), np.cov(CODES.T), atol=0.12)
    np.testing.assert_allclose(np.cov(alone.T), np.diag(CODES.var(0)), atol=0.12)


def test_uniform_codes_fill_the_box_of_the_codes_and_the_prior_is_standard():
    found = drawn(samplers.uniform(CODES))
    assert (found >= CODES.min(0)).all()
    assert (found <= CODES.max(0)).all()
    np.testing.assert_allclose(found.mean(0), (CODES.min(0) + CODES.max(0)) / 2, atol=0.1)
    np.testing.assert_allclose(np.cov(drawn(samplers.prior(3)).T), np.eye(3), atol=0.05)


def test_a_mixture_of_one_is_the_gaussian_and_one_of_two_finds_two_heaps():
    one = drawn(samplers.mixture(CODES, components=1, seed=0))
    np.testing.assert_allclose(np.cov(one.T), np.cov(CODES.T), atol=0.12)
    heaps = np.concatenate([CODES, CODES[:100] + 100])
    two = drawn(samplers.mixture(heaps, components=2, seed=0))
    far = two[:, 0] > 50
    assert far.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(two[far].mean(0), CODES[:100].mean(0) + 100, atol=0.2)
    assert np.abs(two[:, 0] - 50).min() > 20


def test_a_kernel_density_is_narrow_where_codes_are_and_does_not_copy_them():
    ring = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    codes = np.stack([np.cos(ring), np.sin(ring), 0 * ring], 1).astype(np.float32)
    found = drawn(samplers.kernel(codes, seed=0), 2000)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 0.5
    assert np.abs(found[:, 2]).max() < 1e-6
    assert len(np.unique(found[:, 0])) > 1900


def test_units_that_do_not_vary_are_drawn_as_they_are():
    still = CODES * np.array([1, 1, 0], np.float32)
    for draw in (samplers.gaussian(still), samplers.mixture(still, components=3, seed=0), samplers.normal(still)):
        assert np.abs(drawn(draw, 100)[:, 2]).max() < 0.1


# The classifier.


def test_the_classifier_learns_and_is_a_function_of_its_key(monkeypatch, capsys):
    dataset = data.load("digits")
    flat = lambda split: split.x.reshape(len(split.x), -1) / np.float32(16)
    x, labels, new = flat(dataset.train), dataset.train.labels, flat(dataset.test)
    monkeypatch.setattr(console, "PLAIN_SECONDS", 0.0)
    classifier = fit_classifier(jax.random.key(0), x, labels, 10)
    assert capsys.readouterr().out.count("\nstep ") == 20
    assert (predict(classifier, new) == dataset.test.labels).mean() > 0.95
    assert features(classifier, new).shape == (len(new), 64)
    again = fit_classifier(jax.random.key(0), x, labels, 10)
    np.testing.assert_array_equal(features(classifier, new), features(again, new))


# The task.

METHODS = {"uniform", "normal", "gaussian", "kernel", "prior", "pca gaussian", "pca mixture"}
CONTROLS = {"training rows", "decoded test rows", "test rows"}


def test_the_shipped_config_runs_and_its_samples_are_digits_and_no_copies(tmp_path):
    shrunk = ["train.steps=1500", "train.evaluate_every=1500", "task.samples=500"]
    summary = experiment.run(config.load("lecture/generation", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert set(baselines) == METHODS | CONTROLS
    assert baselines["training rows"]["copies"] == 1
    assert baselines["training rows"]["nearest"] == 0
    assert test["copies"] < 0.15
    assert test["frechet"] < baselines["pca mixture"]["frechet"]
    assert test["precision"] > baselines["pca gaussian"]["precision"]
    assert (tmp_path / "figures" / "samples.png").stat().st_size > 10_000


def test_rows_made_of_a_table_train_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "BANDWIDTHS", (0.2, 0.5))
    shrunk = ["train.steps=800", "train.evaluate_every=800", "task.samples=300", "data.test=0.8"]
    summary = experiment.run(config.load("lecture/generation:satimage", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert 0.7 < test["accuracy"] < baselines["training rows"]["accuracy"]
    assert baselines["training rows"]["accuracy"] > 0.83
    assert "accuracy" not in baselines["prior"]
    assert (tmp_path / "figures" / "plane.png").stat().st_size > 10_000


def test_the_clouds_of_a_table_are_drawn_on_the_same_axes(monkeypatch):
    clouds = {name: RNG.normal(size=(20, 2)) * scale for name, scale in (("training rows", 1), ("mixture", 9))}
    found = Evaluation({"test": {"frechet": 1.0}}, {"training rows": {"frechet": 0.0}}, {"plane": clouds})
    settings = {"task": {"sampler": "mixture"}}
    (figure,) = figures_of(lambda: pictures.draw(Path(), settings, table(), None, None, found), monkeypatch)
    assert len({axes.get_xlim() + axes.get_ylim() for axes in figure.axes}) == 1


def table(rows=40, labels=True, test=10, classes=2):
    """Rows of three numbers."""
    x = np.random.default_rng(0).normal(size=(rows + test, 3)).astype(np.float32)
    of = lambda a, b: Split(x[a:b], labels=(np.arange(b - a) % classes).astype(np.int32) if labels else None)
    parts = [of(0, rows), of(0, 0), of(rows, rows + test)]
    one = np.float32(1)
    return Dataset("rows", *parts, (3,), "table", Range(), 0 * one, one, ("a", "b") if labels else (), (), "", "")


@pytest.mark.parametrize("deterministic", [True, False])
def test_rows_without_labels_are_compared_as_they_are(deterministic):
    from aejax.models import dense, variational

    model = (dense.multilayer if deterministic else variational.dense)((3,), widths=(4,), code=2, output="linear")
    options = {"features": "rows", "components": 2, "samples": 30, "neighbours": 3}
    dataset = table(labels=False)
    generation.check(dataset, **options)
    keys = jax.random.split(jax.random.key(0))
    found = generation.evaluate(keys[0], model, model.init(keys[1]), dataset, **options)
    assert set(found.baselines) == (METHODS | CONTROLS) - ({"prior"} if deterministic else set())
    assert set(found.metrics["test"]) == {
        *("frechet", "precision", "recall", "density", "coverage", "nearest", "copies")
    }
    assert found.arrays["made"]["mixture"].shape == (10, 3)


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (table(labels=False), {}, "^generation: rows has no labels for a classifier .*task.features=rows$"),
        (table(classes=1), {}, "^generation: all training rows of rows are of one class; allowed: two"),
        (table(), {"components": 41}, "^task.components: 41 are too many for 40 training rows; allowed: 1 to 40$"),
        (table(rows=2), {"components": 1}, "^generation: rows has 2 training rows; allowed: 3 or more"),
        (table(), {"neighbours": 10}, "^task.neighbours: 10 are too many for 2000 samples and 10 test rows; .* 1 to 9"),
        (table(test=0), {}, "^task.neighbours: 5 are too many for 2000 samples and 0 test rows"),
    ],
)
def test_data_it_cannot_serve_is_refused_in_one_line(dataset, options, message):
    with pytest.raises(UserError, match=message) as caught:
        generation.check(dataset, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("task.samples=1", "task.samples: expected int >= 2"),
        ("task.sampler=gausian", "unknown 'gausian' (did you mean 'gaussian'?)"),
        ("task.components=5000", "task.components: 5000 are too many"),
        ("model.name=dense.multilayer", "allowed: model.name=variational.dense"),
        ("data.name=swiss_roll", "generation: swiss_roll has no labels"),
    ],
)
def test_mistakes_are_told_before_there_is_a_folder(change, line, tmp_path, capsys):
    argv = ["run", "lecture/generation", "--workdir", str(tmp_path / "run"), "--set", change]
    assert_refused(call(argv, capsys), line)
    assert not (tmp_path / "run").exists()
