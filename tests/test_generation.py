"""Generated rows: measures beside brute force and closed forms, samplers, refusals, and runs of the shipped config."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from looking import task_figures
from tasking import evaluate, needs, start

from aejax import config, console, data
from aejax.data.splits import rescaled
from aejax.errors import UserError
from aejax.figures.tasks.spaces import GENERATION
from aejax.metrics import generation as metrics
from aejax.models import dense
from aejax.runs import experiment
from aejax.runs.fitted import open_folder
from aejax.tasks import generation, samplers
from aejax.tasks.generation import features, fit_classifier, predict
from aejax.types import Column, Evaluation, Sampler

RNG = np.random.default_rng(0)


# Measures.


def test_frechet_distance_of_more_features_than_rows_is_the_same():
    random = np.random.default_rng(0)
    real, made = random.normal(size=(20, 6)), random.normal(size=(30, 6)) * 2 + 1
    turned = np.linalg.qr(random.normal(size=(90, 90)))[0][:6]  # the same clouds, in a space of 90 dimensions
    wide = metrics.frechet_distance(real @ turned, made @ turned)
    assert wide == pytest.approx(metrics.frechet_distance(real, made), rel=1e-9)


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


# Measures of tables.

MIXED = (Column("a", 0), Column("b", 1), Column("two", 2, 1, ("x", "y")), Column("three", 3, 3, ("p", "q", "r")))


def mixed(rows, seed=0, copy=True):
    """Rows of MIXED: b follows a where `copy`, and three follows two."""
    random = np.random.default_rng(seed)
    a, two, one = random.normal(size=rows), random.integers(0, 2, rows), random.integers(0, 3, rows)
    b = a + random.normal(size=rows) / 9 if copy else random.normal(size=rows)
    return np.column_stack([a, b, two, np.eye(3)[two if copy else one]]).astype(np.float32)


def test_errors_of_columns_by_counting():
    real, made = mixed(40), mixed(30, 1) + np.float32([0.5, 0, 0, 0, 0, 0])
    real[3, 0] = made[5, 2] = np.nan
    below = lambda rows, at, t: np.mean(rows[~np.isnan(rows[:, at]), at] <= t)
    steps = [np.concatenate([real[:, at], made[:, at]]) for at in (0, 1)]
    expected = [max(abs(below(real, at, t) - below(made, at, t)) for t in steps[at]) for at in (0, 1)]
    expected.append(abs(real[:, 2].mean() - np.nanmean(made[:, 2])))
    expected.append(np.abs(real[:, 3:].mean(0) - made[:, 3:].mean(0)).sum() / 2)
    assert metrics.column_error(real, made, MIXED) == pytest.approx(np.mean(expected), rel=1e-6)
    assert metrics.column_error(real, real[::-1], MIXED) == 0


def test_errors_of_pairs_by_counting():
    real, made = mixed(60), mixed(50, 1, copy=False)
    edges = [np.quantile(real[:, at].astype(float), [0.25, 0.5, 0.75]) for at in (0, 1)]
    quarters = lambda rows: [np.digitize(rows[:, at], edges[at]) for at in (0, 1)]
    cells = lambda rows: [*quarters(rows), rows[:, 2], rows[:, 3:].argmax(1)]
    of_both = list(zip(cells(real), cells(made), strict=True))
    expected = [abs(np.corrcoef(real[:, 0], real[:, 1])[0, 1] - np.corrcoef(made[:, 0], made[:, 1])[0, 1]) / 2]
    for (one, other), (two, another) in itertools.combinations(of_both, 2):
        if one is of_both[0][0] and two is of_both[1][0]:
            continue  # both are numbers
        share = lambda a, b, i, j: np.mean((a == i) & (b == j))
        grid = itertools.product(range(4), range(4))
        expected.append(sum(abs(share(one, two, i, j) - share(other, another, i, j)) for i, j in grid) / 2)
    assert len(expected) == 6
    assert metrics.pair_error(real, made, MIXED) == pytest.approx(np.mean(expected), rel=1e-6)
    assert metrics.pair_error(real, real[::-1], MIXED) == pytest.approx(0, abs=1e-12)
    assert metrics.pair_error(real, made, MIXED[:1]) == 0


def test_a_forest_tells_other_rows_and_not_rows_of_the_same_kind():
    real = mixed(150)
    real[::7, 1] = np.nan
    alike, other = mixed(150, 1), mixed(150, 2, copy=False)
    alike[::7, 1] = other[::7, 1] = np.nan
    assert metrics.c2st_auc(real, alike) == pytest.approx(0.5, abs=0.12)
    assert metrics.c2st_auc(real, other) > 0.9
    assert metrics.c2st_auc(real[:2], other[:2]) <= 1


def test_copies_are_nearer_to_training_rows():
    train, test, made = mixed(80), mixed(80, 1), mixed(400, 2)
    assert metrics.nearer_to_training(train, train, test) == 1
    assert metrics.nearer_to_training(test, train, test) == 0
    assert metrics.nearer_to_training(made, train, test) == pytest.approx(0.5, abs=0.12)
    assert metrics.nearer_to_training(made, train, train) == 0.5


# Samplers.

CODES = (np.random.default_rng(1).normal(size=(400, 3)) @ np.array([[2, 1, 0], [0, 1, 0], [0, 0, 0.1]])).astype(
    np.float32
) + 5


def fitted(make, codes=CODES, model=None, **numbers):
    return make(jax.random.key(3), model, None, codes, **numbers)


def drawn(sampler, count=20_000):
    draw = sampler.draw
    found = draw(np.random.default_rng(2), count)
    assert found.shape == (count, 3)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, draw(np.random.default_rng(2), count))
    return found


def test_a_gaussian_has_the_moments_of_the_codes_and_independent_units_their_variances():
    whole, alone = drawn(fitted(samplers.gaussian)), drawn(fitted(samplers.normal))
    for found in (whole, alone):
        np.testing.assert_allclose(found.mean(0), CODES.mean(0), atol=0.06)
    np.testing.assert_allclose(np.cov(whole.T), np.cov(CODES.T), atol=0.12)
    np.testing.assert_allclose(np.cov(alone.T), np.diag(CODES.var(0)), atol=0.12)


def test_uniform_codes_fill_the_box_of_the_codes_and_the_prior_is_standard():
    found = drawn(fitted(samplers.uniform))
    assert (found >= CODES.min(0)).all()
    assert (found <= CODES.max(0)).all()
    np.testing.assert_allclose(found.mean(0), (CODES.min(0) + CODES.max(0)) / 2, atol=0.1)
    np.testing.assert_allclose(
        np.cov(drawn(fitted(samplers.prior, model=dense.vanilla((4,), code=3))).T), np.eye(3), atol=0.05
    )


def test_a_mixture_of_one_is_the_gaussian_and_one_of_two_finds_two_heaps():
    one = drawn(fitted(samplers.mixture, components=1))
    np.testing.assert_allclose(np.cov(one.T), np.cov(CODES.T), atol=0.12)
    heaps = np.concatenate([CODES, CODES[:100] + 100])
    two = drawn(fitted(samplers.mixture, heaps, components=2))
    far = two[:, 0] > 50
    assert far.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_allclose(two[far].mean(0), CODES[:100].mean(0) + 100, atol=0.2)
    assert np.abs(two[:, 0] - 50).min() > 20


def test_a_kernel_density_is_narrow_where_codes_are_and_does_not_copy_them():
    ring = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    codes = np.stack([np.cos(ring), np.sin(ring), 0 * ring], 1).astype(np.float32)
    found = drawn(fitted(samplers.kernel, codes), 2000)
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 0.5
    assert np.abs(found[:, 2]).max() < 1e-6
    assert len(np.unique(found[:, 0])) > 1900


def test_units_that_do_not_vary_are_drawn_as_they_are():
    still = CODES * np.array([1, 1, 0], np.float32)
    for still_too in (
        fitted(samplers.gaussian, still),
        fitted(samplers.mixture, still, components=3),
        fitted(samplers.normal, still),
    ):
        assert np.abs(drawn(still_too, 100)[:, 2]).max() < 0.1


def test_densities_are_those_of_scipy_and_integrate_to_one():
    from scipy import stats

    mean, covariance = CODES.astype(np.float64).mean(0), np.cov(CODES.T, bias=True)
    expected = {
        "gaussian": stats.multivariate_normal(mean, covariance).logpdf(CODES[:20]),
        "normal": stats.norm(CODES.mean(0), CODES.std(0)).logpdf(CODES[:20]).sum(-1),
        "prior": stats.norm.logpdf(CODES[:20]).sum(-1),
    }
    for name, values in expected.items():
        sampler = fitted(getattr(samplers, name), model=dense.vanilla((4,), code=3))
        np.testing.assert_allclose(sampler.log_prob(CODES[:20]), values, rtol=1e-3)
    line = np.random.default_rng(0).normal(size=(60, 1)).astype(np.float32)
    grid = np.linspace(-6, 6, 4001)[:, None]
    for make in (samplers.uniform, samplers.mixture, samplers.kernel):
        numbers = {"components": 3} if make is samplers.mixture else {}
        density = np.exp(fitted(make, line, **numbers).log_prob(grid))
        assert np.trapezoid(density, grid[:, 0]) == pytest.approx(1, abs=0.01)


def test_a_sampler_draws_by_a_key_too_and_the_prior_is_the_models():
    one = fitted(samplers.given).draw(jax.random.key(0), 5)
    np.testing.assert_array_equal(one, fitted(samplers.given).draw(jax.random.key(0), 5))
    assert all((row == CODES).all(1).any() for row in one)
    ones = lambda params, key, count: jnp.ones((count, 3)) + 0 * jax.random.normal(key, (count, 3))
    own = fitted(samplers.prior, model=dense.vanilla((4,), code=3)._replace(prior=ones))
    assert own.log_prob is None
    np.testing.assert_array_equal(drawn(own, 7), 1)


def ring(key, model, params, codes):
    """A sampler of somebody else."""
    return Sampler(lambda key, count: jnp.tile(jax.random.normal(key, (1, codes.shape[1])), (count, 1)))


def no_sampler(key, model, params, codes):
    """What makes no sampler."""
    return 3


def test_samplers_are_named_like_any_component():
    assert drawn(fitted(samplers.sampler("samplers.normal", what="task.sampler")), 4).shape == (4, 3)
    own = fitted(samplers.sampler(f"{__name__}.ring", what="task.sampler"))
    assert (drawn(own, 4) == drawn(own, 4)[:1]).all()
    with pytest.raises(
        UserError, match=r"^task.sampler: unknown 'mixtre' \(did you mean 'mixture'\?\); allowed: gaussian"
    ):
        samplers.sampler("mixtre", what="task.sampler")
    with pytest.raises(
        UserError, match=r"^task.sampler: .*no_sampler returned 3; allowed: a function that returns a Sam"
    ):
        fitted(samplers.sampler(f"{__name__}.no_sampler", what="task.sampler"))


# The classifier.


@pytest.mark.slow
def test_the_classifier_learns_and_is_a_function_of_its_key(monkeypatch, capsys):
    dataset = data.load("digits")
    flat = lambda split: split.x.reshape(len(split.x), -1) / np.float32(16)
    x, labels, new = flat(dataset.train), dataset.train.labels, flat(dataset.test)
    monkeypatch.setattr(console, "PLAIN_SECONDS", 0.0)
    classifier = fit_classifier(jax.random.key(0), x, labels, 10)
    assert capsys.readouterr().out.count("\nstep ") > 3, "it shows how far it is"
    assert (predict(classifier, new) == dataset.test.labels).mean() > 0.95
    assert features(classifier, new).shape == (len(new), 64)
    again = fit_classifier(jax.random.key(0), x, labels, 10)
    np.testing.assert_array_equal(features(classifier, new), features(again, new))


# The task.

METHODS = {"uniform", "normal", "gaussian", "kernel", "prior", "pca gaussian", "pca mixture"}
CONTROLS = {"training rows", "decoded test rows", "test rows"}


@pytest.mark.slow
def test_the_shipped_config_runs_and_its_samples_are_digits_and_no_copies(tmp_path):
    shrunk = ["train.steps=800", "train.evaluate_every=800", "task.samples=500"]
    summary = experiment.run(config.load("lecture/generation", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert set(baselines) == METHODS | CONTROLS
    assert baselines["training rows"]["copies"] == 1
    assert baselines["training rows"]["nearest"] == 0
    assert test["copies"] < 0.15
    assert test["frechet"] < baselines["pca mixture"]["frechet"]
    assert test["precision"] > baselines["pca gaussian"]["precision"]
    digits = data.load("digits")
    made = open_folder(tmp_path).sample(500).reshape(500, 64)
    apart = lambda rows: np.linalg.norm(rows.mean(0) - digits.train.x.reshape(-1, 64).mean(0))
    assert apart(made) < 0.2 * apart(np.zeros((1, 64)))
    assert (tmp_path / "figures" / "samples.png").stat().st_size > 10_000


@pytest.mark.slow
def test_rows_made_of_a_table_train_a_classifier(tmp_path, monkeypatch):
    monkeypatch.setattr(samplers, "BANDWIDTHS", (0.2, 0.5))
    shrunk = ["train.steps=500", "train.evaluate_every=500", "task.samples=300", "data.test=0.8"]
    summary = experiment.run(config.load("lecture/generation:satimage", shrunk), tmp_path)
    test, baselines = summary["metrics"]["test"], summary["baselines"]
    assert 0.7 < test["accuracy"] < baselines["training rows"]["accuracy"]
    assert baselines["training rows"]["accuracy"] > 0.83
    assert "accuracy" not in baselines["prior"]
    assert (tmp_path / "figures" / "plane.png").stat().st_size > 10_000


def test_the_clouds_of_a_table_are_drawn_on_the_same_axes():
    clouds = {name: RNG.normal(size=(20, 2)) * scale for name, scale in (("training rows", 1), ("mixture", 9))}
    found = Evaluation({"test": {"frechet": 1.0}}, {"training rows": {"frechet": 0.0}}, {"plane": clouds})
    settings = {"task": {"sampler": "mixture"}}
    figure = task_figures(GENERATION, found, table(), config=settings)["plane"]
    assert len({axes.get_xlim() + axes.get_ylim() for axes in figure.axes}) == 1


def table(rows=40, labels=True, test=10):
    """Rows of three numbers."""
    x = np.random.default_rng(0).normal(size=(rows + test, 3)).astype(np.float32)
    classes = (np.arange(rows + test) % 2).astype(np.int32) if labels else None
    return tasking.dataset(x, (rows, rows, rows + test), names=("a", "b") if labels else (), labels=classes)


@pytest.mark.parametrize("deterministic", [True, False])
def test_rows_without_labels_are_compared_as_they_are(deterministic):
    from aejax.models import dense, variational

    model = (dense.multilayer if deterministic else variational.dense)((3,), widths=(4,), code=2, output="linear")
    options = {"features": "rows", "components": 2, "samples": 30, "neighbours": 3}
    dataset = table(labels=False)
    needs(generation, dataset, **options)
    found = evaluate(generation, jax.random.key(0), model, start(model), dataset, **options)
    assert set(found.baselines) == (METHODS | CONTROLS) - ({"prior"} if deterministic else set())
    assert set(found.metrics["test"]) == {
        *("frechet", "precision", "recall", "density", "coverage", "nearest", "copies")
    }
    assert found.arrays["made"]["mixture"].shape == (10, 3)


OF_COLUMNS = {"c2st_auc", "column_error", "pair_error", "nearer_to_training", "copies"}


def test_rows_of_a_table_are_compared_column_by_column():
    x, observed = mixed(240), np.random.default_rng(1).random((240, 6)) > 0.1
    observed[:, 2:] = True
    labels = (x[:, 0] > 0).astype(np.int32)
    dataset = tasking.dataset(x, (120, 120, 240), labels=labels, mask=observed)._replace(columns=MIXED)
    dataset = rescaled(dataset._replace(scaling="standard"))
    model = dense.multilayer((6,), widths=(4,), code=2, output="linear")
    options = {"features": "columns", "components": 3, "samples": 120}
    needs(generation, dataset, **options)
    found = evaluate(generation, jax.random.key(0), model, start(model), dataset, **options)
    test, others = found.metrics["test"], found.baselines
    of_mixtures = {"mixture of rows", "matched mixture of rows"}
    assert set(others) == of_mixtures | {"gaussian of rows", "independent columns", "training rows"}
    for numbers in (test, *others.values()):
        assert set(numbers) == OF_COLUMNS | {"accuracy"}
        assert all(0 <= value <= 1 for value in numbers.values())
    assert others["training rows"]["nearer_to_training"] == 1
    assert others["training rows"]["c2st_auc"] == pytest.approx(0.5, abs=0.12)
    assert others["training rows"]["accuracy"] > 0.9
    assert others["independent columns"]["column_error"] == pytest.approx(
        others["training rows"]["column_error"], abs=0.1
    )
    assert others["independent columns"]["pair_error"] > 3 * others["training rows"]["pair_error"]
    assert others["gaussian of rows"]["pair_error"] < others["independent columns"]["pair_error"]
    assert test["c2st_auc"] > 0.9  # of a net that was not trained
    assert found.kept is not None
    figure = task_figures(GENERATION, found, dataset, config={"task": {"sampler": "mixture"}})["plane"]
    assert any("AUC" in axes.get_title("left") for axes in figure.axes)


def test_images_have_no_columns_to_be_compared():
    dataset = table()._replace(kind="image")
    line = r"^task.features: columns are of tables, and rows is none; allowed: rows$"
    tasking.refused(generation, line, dataset, features="columns", components=2)
    none = table(test=1)
    tasking.refused(generation, "has fewer than 2 test rows", none, features="columns", components=2)
