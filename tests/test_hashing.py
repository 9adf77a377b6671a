"""Semantic hashing: packed codes, look-up, precision and codes without a net beside brute force; runs and refusals."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from looking import read, task_figures
from tasking import evaluate, needs, start

from aejax import config
from aejax.data import load as load_data
from aejax.data import sparse
from aejax.errors import UserError
from aejax.figures.tasks.retrieval import HASHING
from aejax.losses import binary, neighbours
from aejax.metrics import hamming, retrieval
from aejax.models import binary as models
from aejax.relations import nearest
from aejax.runs import apply, experiment
from aejax.tasks import hashing
from aejax.tasks.hashing import hyperplanes, itq
from aejax.types import Context, Dataset, Range, Split


def random_bits(rows, bits, seed=0):
    return np.random.default_rng(seed).random((rows, bits)) < 0.5


# Packed codes.


@pytest.mark.parametrize("bits", [1, 8, 20, 63, 64, 65, 128, 255, 256])
def test_distances_are_numbers_of_different_bits(bits):
    a, b = random_bits(7, bits), random_bits(11, bits, seed=1)
    b[0] = ~a[0]
    found = hamming.distances(hamming.pack(a), hamming.pack(b))
    np.testing.assert_array_equal(found, (a[:, None] != b[None]).sum(-1))
    assert found[0, 0] == bits
    assert hamming.pack(a).shape == (7, -(-bits // 64))


@pytest.mark.parametrize("bits", [6, 64, 100])
def test_the_nearest_are_those_of_a_sort(bits, monkeypatch):
    monkeypatch.setattr(hamming, "BLOCK", 128)
    codes, query = hamming.pack(random_bits(500, bits)), hamming.pack(random_bits(1, bits, seed=1))
    apart = hamming.distances(query, codes)[0]
    found = hamming.nearest(query[0], codes, 30)
    assert len(set(found.tolist())) == 30
    np.testing.assert_array_equal(apart[found], np.sort(apart)[:30])


@pytest.mark.parametrize(("bits", "radius"), [(1, 0), (6, 2), (6, 6), (20, 3)])
def test_a_ball_by_address_holds_the_rows_within_the_radius(bits, radius):
    codes, centres = random_bits(300, bits), random_bits(5, bits, seed=1)
    table = hamming.table(codes)
    found = list(hamming.balls(table, hamming.addresses(centres), radius))
    assert len(found) == 5
    for centre, rows in zip(centres, found, strict=True):
        apart = (codes != centre).sum(1)
        assert sorted(rows.tolist()) == np.flatnonzero(apart <= radius).tolist()
        assert (np.diff(apart[rows]) >= 0).all()


def test_masks_count_the_ball():
    found = hamming.masks(20, 4)
    assert len(set(found.tolist())) == 1 + 20 + 190 + 1140 + 4845
    assert max(int(mask).bit_count() for mask in found) == 4


# Precision.


def test_precision_and_recall_by_brute_force():
    rng = np.random.default_rng(0)
    apart, wanted, labels = rng.random((600, 70)), rng.integers(0, 3, 600), rng.integers(0, 3, 70)
    found = retrieval.precision(lambda places: apart[places], wanted, labels, 9, rng)
    right = [
        [labels[row] == wanted[q] for row in sorted(range(70), key=lambda r, q=q: apart[q, r])] for q in range(600)
    ]
    assert found == pytest.approx(np.mean([row[:9] for row in right]), abs=1e-12)
    some = np.arange(1, 600, 2)
    curve = retrieval.curve(lambda places: apart[places], some, wanted, labels, rng)
    assert curve.counts.tolist() == [1, 2, 4, 8, 16, 32, 64, 70]
    np.testing.assert_allclose(curve.precisions, [np.mean([right[q][:n] for q in some]) for n in curve.counts])
    recalls = [np.mean([sum(right[q][:n]) / sum(right[q]) for q in some]) for n in curve.counts]
    np.testing.assert_allclose(curve.recalls, recalls)
    assert curve.recalls[-1] == 1


def test_among_ties_chance_decides_and_not_the_order_of_the_file():
    labels = np.repeat([0, 1], 500)
    same = lambda places: np.zeros((len(places), 1000), np.uint8)
    random = np.random.default_rng(0)
    assert retrieval.precision(same, np.zeros(200, int), labels, 100, random) == pytest.approx(0.5, abs=0.02)
    close = np.float32([[0.3, np.nextafter(np.float32(0.3), np.float32(1)), 0.1]])
    for _ in range(20):
        assert np.argsort(retrieval.shuffled_ties(close, random)).tolist() == [[2, 0, 1]]


def test_means_by_distance_by_brute_force():
    rng = np.random.default_rng(0)
    steps, values = rng.integers(0, 5, (300, 40)), rng.random((300, 40))
    means, pairs = retrieval.by_distance(lambda places: steps[places], lambda places: values[places], np.arange(300), 6)
    np.testing.assert_array_equal(pairs, [(steps == d).sum() for d in range(7)])
    np.testing.assert_allclose(means[:5], [values[steps == d].mean() for d in range(5)])
    assert np.isnan(means[5:]).all()


def test_rising_is_one_where_every_step_rises():
    means, pairs = np.array([0.1, 0.2, 0.0, 0.3, 0.9]), np.array([500, 500, 5, 500, 500])
    assert retrieval.rising(means, pairs) == pytest.approx(1)
    assert retrieval.rising(means[::-1], pairs) == pytest.approx(-1)
    assert retrieval.rising(means, np.full(5, 500)) < 1
    assert np.isnan(retrieval.rising(means, np.array([500, 0, 0, 0, 0])))


# Codes without a net.


def test_itq_rotates_and_its_loss_falls():
    points = np.random.default_rng(0).normal(size=(400, 6)) * [5, 4, 3, 2, 1, 0.5]
    matrix, losses = itq(points, np.random.default_rng(1))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(6), atol=1e-9)
    assert (np.diff(losses) <= 1e-9).all()
    assert losses[-1] < 0.98 * losses[0]


def test_itq_finds_corners_that_were_turned_away():
    corners = np.where(random_bits(800, 4), 1.0, -1.0)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    matrix, losses = itq(corners @ turn, np.random.default_rng(1))
    assert losses[-1] < 0.05 * losses[0]
    assert len(np.unique(corners @ turn @ matrix > 0, axis=0)) == 16


@pytest.mark.parametrize("as_given", [lambda x: x, sparse.to_csr])
def test_bits_of_hyperplanes_differ_with_the_angle(as_given):
    angle = 0.7
    rows = np.float32([[1, 0, 0], [np.cos(angle), np.sin(angle), 0]])
    a, b = hyperplanes(as_given(rows), as_given(2 * rows), 20_000, np.random.default_rng(0))
    np.testing.assert_array_equal(a, b)
    assert (a[0] != a[1]).mean() == pytest.approx(angle / np.pi, abs=0.01)


@pytest.mark.parametrize("as_given", [lambda x: x, lambda x: sparse.from_csr(sparse.to_csr(x))])
def test_nearest_rows_are_those_of_scikit_learn(as_given, monkeypatch):
    from sklearn.neighbors import NearestNeighbors

    monkeypatch.setattr(nearest, "BLOCK", 800)
    rng = np.random.default_rng(0)
    x = np.where(rng.random((50, 12)) < 0.6, rng.normal(size=(50, 12)), 0).astype(np.float32)
    found = nearest.cosine(as_given(x), neighbours=7)["index"]
    expected = NearestNeighbors(n_neighbors=7, metric="cosine").fit(x).kneighbors(return_distance=False)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("rows", "width"), [(1, 1), (2, 1), (4, 3)])
def test_few_rows_have_few_neighbours(rows, width):
    assert nearest.cosine(np.eye(rows, dtype=np.float32))["index"].shape == (rows, width)


# The models and their terms.


@pytest.mark.parametrize("make", [models.noisy, models.rounded])
def test_a_code_is_disturbed_in_training_only(make):
    model = make((6,), widths=(5,), code=4)
    params, x = start(model), jax.random.normal(jax.random.key(1), (300, 6))
    clean, passed = model.encode(params, x), jax.jit(model.apply)
    first, again, other = (passed(params, x, x, jax.random.key(seed)) for seed in (2, 2, 3))
    np.testing.assert_array_equal(first.code, again.code)
    assert not np.array_equal(first.code, other.code)
    assert ((clean > 0) & (clean < 1)).all()
    np.testing.assert_allclose(model.decode(params, first.code), first.x_hat, rtol=1e-5, atol=1e-5)
    assert first.ranges["code"] == Range(0, 1)
    slope = jax.jit(jax.grad(lambda p: jnp.square(model.apply(p, x, x, jax.random.key(2)).x_hat).sum()))(params)
    assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(slope["encoder"]))


def test_noise_is_added_to_what_goes_into_the_code():
    params = start(models.noisy((6,), widths=(), code=4))
    x = jnp.zeros((4000, 6))  # so that z is the noise alone
    for noise in (0.0, 0.5, 4.0):
        ctx = jax.jit(models.noisy((6,), widths=(), code=4, noise=noise).apply)(params, x, x, jax.random.key(1))
        assert float(ctx.log_odds["code"].std()) == pytest.approx(noise, rel=0.03)
        np.testing.assert_allclose(ctx.code, jax.nn.sigmoid(ctx.log_odds["code"]), rtol=1e-6)


def test_rounded_codes_are_bits_with_the_chance_and_the_slope_of_the_sigmoid():
    model = models.rounded((3,), widths=(), code=1)
    params, x = start(model), jnp.tile(jnp.float32([[1, -2, 0.5]]), (20_000, 1))
    code = jax.jit(lambda p: model.apply(p, x, x, jax.random.key(1)).code)
    assert set(np.unique(code(params))) == {0, 1}
    assert float(code(params).mean()) == pytest.approx(float(model.encode(params, x).mean()), abs=0.015)
    slopes = (jax.grad(lambda p, f=f: f(p).sum())(params) for f in (code, lambda p: model.encode(p, x)))
    for a, b in zip(*(jax.tree.leaves(slope) for slope in slopes), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def context(code, **given):
    code = jnp.asarray(code, jnp.float32)
    return Context(code, code, code, code, {"code": code}, {}, {}, {"code": Range(0, 1)}, **given)


def test_terms_of_bits_at_their_ends():
    every = np.array(list(itertools.product([0, 1], repeat=3)))
    for term in (binary.quantized, binary.balanced, binary.uncorrelated):
        assert float(term(context(every))) == 0
    assert float(binary.quantized(context(np.full((4, 3), 0.5)))) == 1
    assert float(binary.balanced(context(np.ones((4, 3))))) == 1
    assert float(binary.uncorrelated(context(np.repeat([[0], [1]], 3, axis=1)))) == 2
    free = context(every)._replace(ranges={"code": Range()})
    for term in (binary.quantized, binary.balanced, binary.uncorrelated, neighbours.contrastive):
        with pytest.raises(UserError, match=rf"^{term.__name__}: layer 'code' has .*; allowed: a layer in \[0, 1\]"):
            term(free)


@pytest.mark.parametrize("term", [neighbours.contrastive, neighbours.squared_error])
def test_a_relation_without_neighbours_is_refused(term):
    ctx = context(np.zeros((4, 3)), key=jax.random.key(0), relations={"graph": {"distance": jnp.zeros((4, 4))}})
    with pytest.raises(UserError, match=r"^neighbours: relation: unknown 'neighbours'.*; allowed: graph"):
        term(ctx)
    with pytest.raises(UserError, match=r"^neighbours: relation 'graph' holds no rows; allowed: .*nearest"):
        term(ctx, relation="graph")


def test_in_the_mean_the_neighbours_pull_as_their_mean_does():
    others, index = jax.random.normal(jax.random.key(0), (9, 3)), jnp.array([[0, 3, 5], [1, 2, 8]])
    given = {"rows": lambda places: others[places], "relations": {"neighbours": {"index": index}}}
    slope = jax.grad(lambda x_hat, key: neighbours.squared_error(context(x_hat, key=key, **given)))
    x_hat = jnp.ones((2, 3))
    draws = jax.jit(jax.vmap(lambda key: slope(x_hat, key)))(jax.random.split(jax.random.key(1), 4000))
    np.testing.assert_allclose(draws.mean(0), (x_hat - others[index].mean(1)) / 2, atol=0.05)


# The task.

ROWS = 120


def data(kind="table", labels=True, x=None, classes=3, shape=(16,)):
    rng = np.random.default_rng(0)
    of = np.arange(ROWS, dtype=np.int32) % classes
    if x is None:
        words = rng.random((ROWS, 16)) < np.where(np.arange(16)[None] % 3 == of[:, None], 0.8, 0.1)
        x = np.maximum(words * rng.uniform(1, 2, (ROWS, 16)), 0.01 * (np.arange(16) == 0)).astype(np.float32)
    part = lambda a, b: Split(
        sparse.from_csr(sparse.to_csr(x[a:b])) if kind == "text" else x[a:b].reshape(-1, *shape),
        labels=of[a:b] if labels else None,
    )
    names, one = tuple(f"class {c}" for c in range(classes)), np.float32(1)
    parts = part(0, 70), part(70, 90), part(90, ROWS)
    features = tuple(f"word{i}" for i in range(16)) if kind == "text" else ()
    return Dataset("rows", *parts, shape, kind, Range(0, 2), 0 * one, one, names, features, "", "")


@pytest.mark.parametrize(("kind", "shape"), [("text", (16,)), ("table", (16,)), ("image", (4, 4, 1))])
def test_the_task_on_documents_tables_and_images(kind, shape):
    dataset, model = data(kind, shape=shape), models.noisy(shape, widths=(), code=12)
    params = start(model)
    needs(hashing, dataset, retrieved=20)
    found = evaluate(hashing, jax.random.key(1), model, params, dataset, retrieved=20)
    assert set(found.baselines) == {"cosine", "hyperplanes", "pca signs", "itq"}
    assert found.baselines["cosine"]["precision"] > 0.7
    numbers = found.metrics["test"]
    assert set(numbers) == {"precision", "rising", "codes", "ball_rows", "ball_precision"}
    assert 1 / 3 < numbers["precision"] < 1
    assert numbers["rising"] > 0.8
    x = np.asarray(hashing.host_rows(dataset.train, dataset) @ np.eye(16, dtype=np.float32))
    code = np.asarray(model.encode(params, x))
    assert numbers["codes"] == len(np.unique(code > np.median(code, axis=0), axis=0))
    assert set(task_figures(HASHING, found, dataset, model)) == {"curves", "distances", "found"}


def found_of(dataset):
    """What the figure ``found`` says."""
    model = models.noisy((16,), widths=(), code=12)
    found = evaluate(hashing, jax.random.key(1), model, start(model), dataset, retrieved=20)
    return read(task_figures(HASHING, found, dataset, model)["found"]), found.arrays["queries"]


def test_a_row_of_a_table_is_shown_by_the_values_of_the_columns_that_vary_most():
    dataset = data("table")
    for column in (15, 3, 9, 6, 2):
        dataset.train.x[:, column] *= 40
    names = tuple(f"{place}: a column of a long name" for place in range(16))
    dataset = dataset._replace(feature_names=names, label_names=("a class of a long name, too long", "b", "c"))
    texts, queries = found_of(dataset)
    assert texts[1:6] == [f"{place}: a column of a"[:12] + "…" for place in (2, 3, 6, 9, 15)]
    row = [f"{dataset.test.x[queries[0], place]:.4g}" for place in (2, 3, 6, 9, 15)]
    assert texts[7:12] == row


def test_documents_of_long_words_are_not_cut_off():
    dataset = data("text")._replace(feature_names=tuple(f"a-rather-long-word-{place}" for place in range(16)))
    texts, _ = found_of(dataset)
    assert sum(text.endswith("…") for text in texts) > 3


def test_sparse_and_dense_rows_give_the_same_numbers():
    model = models.rounded((16,), widths=(4,), code=6)
    params = start(model)
    a, b = (evaluate(hashing, jax.random.key(1), model, params, data(kind), retrieved=20) for kind in ("text", "table"))
    assert a.metrics == b.metrics
    assert a.baselines["cosine"] == pytest.approx(b.baselines["cosine"], abs=1e-3)


def test_more_bits_than_components_leave_out_what_needs_these():
    model = models.noisy((16,), widths=(), code=40)
    found = evaluate(hashing, jax.random.key(1), model, start(model), data(), retrieved=20)
    assert set(found.baselines) == {"cosine", "hyperplanes"}
    assert "ball_rows" not in found.metrics["test"]


def test_rows_that_are_zero_everywhere_are_refused():
    with pytest.raises(UserError, match=r"^hashing: 84 rows of rows are zero everywhere"):
        needs(hashing, data(x=np.eye(ROWS, 16)), retrieved=9)


def test_more_bits_than_are_supported_are_refused():
    with pytest.raises(UserError, match=r"^model.code: expected int in \[1, 256\], got 257"):
        config.load("lecture/hashing", ["model.code=257"])


@pytest.mark.slow
def test_the_shipped_config_finds_digits_of_the_same_class(tmp_path):
    shrunk = ["train.steps=80", "train.evaluate_every=80", "model.widths=(64,)", "report.figures=False"]
    summary = experiment.run(config.load("lecture/hashing", shrunk), tmp_path)
    precision = {name: numbers["precision"] for name, numbers in summary["baselines"].items()}
    assert summary["metrics"]["test"]["precision"] > max(precision["hyperplanes"], precision["pca signs"])
    assert summary["metrics"]["validation"]["precision"] > 0.4
    assert precision["cosine"] == pytest.approx(0.69, abs=0.02)
    assert precision["itq"] == pytest.approx(0.68, abs=0.03)
    digits = load_data("digits")
    near = apply.apply(apply.load(tmp_path), "neighbours", digits.test.x).values
    of_class = [digits.train.labels[near[f"row_{number}"]] == digits.test.labels for number in range(1, 11)]
    assert np.mean(of_class) > summary["metrics"]["test"]["precision"], "the ten nearest are more often of the class"
