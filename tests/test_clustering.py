"""Clustering: metrics and relations beside brute force, terms beside their papers' formulas, refusals, and runs."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from looking import task_figures
from scipy.optimize import linprog
from sklearn.metrics import normalized_mutual_info_score
from tasking import evaluate, needs, refused, start

from aejax import config, data
from aejax.errors import UserError
from aejax.figures.tasks.spaces import CLUSTERING
from aejax.losses import clustering as terms
from aejax.metrics import partitions
from aejax.models import clustered, dense
from aejax.relations import graph
from aejax.runs import apply, experiment
from aejax.tasks import clustering
from aejax.training.build import build, load_data
from aejax.training.evaluate import make_losses, on_device
from aejax.types import Context, Evaluation, Split

# Metrics.


@pytest.mark.parametrize(("classes", "clusters"), [(3, 3), (4, 3), (3, 5)])
def test_accuracy_is_that_of_the_best_pairing(classes, clusters):
    rng = np.random.default_rng(classes * clusters)
    labels, given = rng.integers(0, classes, 60), rng.integers(0, clusters, 60)
    slots = range(max(classes, clusters))  # more than there are: a cluster that stands for none
    best = max(np.mean([p[c] == y for c, y in zip(given, labels, strict=True)]) for p in itertools.permutations(slots))
    assert partitions.accuracy(labels, given) == pytest.approx(best)
    renamed = rng.permutation(clusters)[given]
    assert partitions.accuracy(labels, renamed) == pytest.approx(best)
    assert (partitions.matching(labels, given) < 0).sum() == max(clusters - classes, 0)


def test_modularity_by_counting_pairs():
    """Q = (1/2E) Σ_ab [A_ab − d_a d_b / 2E] over pairs of one cluster: the other form of the definition."""
    rng = np.random.default_rng(0)
    x, given = rng.normal(size=(30, 3)), rng.integers(0, 3, 30)
    nearby = graph.nearest(x, neighbours=4)["index"]
    edges = np.zeros((30, 30))
    for row, others in enumerate(nearby):
        edges[row, others] = edges[others, row] = 1
    degrees, both = edges.sum(1), edges.sum()
    found = sum(
        edges[a, b] - degrees[a] * degrees[b] / both
        for a, b in itertools.product(range(30), repeat=2)
        if given[a] == given[b]
    )
    assert partitions.modularity(nearby, given) == pytest.approx(found / both, abs=1e-12)
    assert partitions.modularity(nearby, np.zeros(30, int)) == pytest.approx(0, abs=1e-12)


# Relations.


def test_nearest_by_brute_force():
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    distance = np.linalg.norm(x[:, None] - x[None], axis=-1) + 1e9 * np.eye(40)
    found = graph.nearest(x, neighbours=3)["index"]
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, np.argsort(distance, axis=1)[:, :3])
    assert graph.nearest(x[:2], neighbours=3)["index"].tolist() == [[1], [0]]
    assert graph.nearest(x[:1])["index"].tolist() == [[0]]


def test_nearest_in_principal_components_leaves_the_others_out():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(40, 2)) * 100
    x = np.concatenate([wide, rng.normal(size=(40, 6))], axis=1).astype(np.float32)
    found = graph.nearest(x, neighbours=3, components=2)["index"]
    agree = (found == graph.nearest(wide, neighbours=3)["index"]).mean()
    assert agree > 0.9
    np.testing.assert_array_equal(
        graph.nearest(x, components=8)["index"], graph.nearest(x)["index"], "no more components than features"
    )


def test_walks_go_from_neighbour_to_neighbour():
    x = np.random.default_rng(0).normal(size=(30, 2))
    nearby = graph.nearest(x, neighbours=3)["index"]
    one = graph.walks(x, neighbours=3, steps=1, draws=400)["index"]
    assert one.shape == (30, 400)
    for row in range(30):
        ends, counts = np.unique(one[row], return_counts=True)
        assert set(ends) == set(nearby[row])
        assert abs(counts - 400 / 3).max() < 5 * math.sqrt(400 * 2 / 9), "each neighbour is as likely"
    two = graph.walks(x, neighbours=3, steps=2, draws=400)["index"]
    for row in range(30):
        assert set(two[row]) <= set(nearby[nearby[row]].ravel())
    np.testing.assert_array_equal(one, graph.walks(x, neighbours=3, steps=1, draws=400)["index"])
    assert (one != graph.walks(x, neighbours=3, steps=1, draws=400, seed=1)["index"]).any()


def test_walks_stay_in_their_piece_of_the_graph():
    x = np.concatenate([np.random.default_rng(0).normal(size=(20, 2)) + shift for shift in (0, 100)])
    ends = graph.walks(x, neighbours=3, steps=50)["index"]
    assert ((ends < 20) == (np.arange(40) < 20)[:, None]).all()


# Terms.


def around(code, *sets):
    code = jnp.asarray(code)
    return Context(code, code, code, code, {"code": code}, {}, {}, {}, extra={"centres": jnp.stack(sets)})


def compiled(term):
    """``(code, one set of centres) -> (value, slopes of both)``."""
    return jax.jit(jax.value_and_grad(lambda code, centres: term(around(code, centres)), argnums=(0, 1)))


JOINT, CENTRES = compiled(terms.joint), compiled(terms.centres)


@pytest.mark.parametrize("term", [terms.joint, terms.centres])
def test_terms_are_means_over_the_sets_of_centres(term):
    rng = np.random.default_rng(0)
    code, sets = rng.normal(size=(7, 2)).astype(np.float32), rng.normal(size=(2, 3, 2)).astype(np.float32)
    both = jax.jit(lambda a, b: [term(around(code, *given)) for given in ((a,), (b,), (a, b))])
    first, second, together = map(float, both(*sets))
    assert first != second
    assert together == pytest.approx((first + second) / 2, rel=1e-5)


def test_the_gradient_of_the_joint_term_is_that_of_the_paper():
    """Xie et al. 2016, equations 4 and 5 with α = 1, over m rows."""
    rng = np.random.default_rng(0)
    code, centres = rng.normal(size=(7, 2)).astype(np.float32), rng.normal(size=(3, 2)).astype(np.float32)
    value, slopes = JOINT(code, centres)
    apart = code[:, None] - centres[None].astype(np.float64)
    kernel = 1 / (1 + np.square(apart).sum(-1))
    q = kernel / kernel.sum(1, keepdims=True)
    p = q**2 / q.sum(0)
    p /= p.sum(1, keepdims=True)
    pull = 2 * (kernel * (p - q))[..., None] * apart
    np.testing.assert_allclose(slopes[0], pull.sum(1) / 7, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(slopes[1], -pull.sum(0) / 7, rtol=1e-4, atol=1e-6)
    assert float(value) == pytest.approx((p * np.log(p / q)).sum() / 7, rel=1e-4)


def test_the_plan_of_the_centres_is_the_cheapest_that_shares_equally():
    """Beside a linear program, which is cheaper by at most ε log k."""
    rng = np.random.default_rng(1)
    code = rng.normal(size=(12, 2)).astype(np.float32)
    points = (rng.normal(size=(3, 2)) + np.array([[3.0, 0]])).astype(np.float32)
    cost = np.square(code[:, None].astype(np.float64) - points[None]).sum(-1)
    shares = [np.kron(np.eye(12), np.ones((1, 3))), np.kron(np.ones((1, 12)), np.eye(3))]
    exact = linprog(cost.ravel(), A_eq=np.concatenate(shares), b_eq=[1] * 12 + [4] * 3).fun / 12
    found = float(jax.jit(terms.transport_cost)(code, points, 0.05))
    assert exact * 0.99 < found < exact + 0.05 * cost.mean() * math.log(3)
    assert exact > 1.4 * cost.min(1).mean(), "to go to the nearest would not be to share equally"


def test_the_centres_term_moves_centres_to_the_means_of_their_shares_and_no_code():
    rng = np.random.default_rng(0)
    code = np.concatenate([rng.normal(size=(10, 2)) + at for at in ([0, 0], [50, 0], [0, 50])]).astype(np.float32)
    centres = (0.1 * rng.normal(size=(3, 2)) + 100).astype(np.float32)  # k-means would leave one of them without rows
    assert not CENTRES(code, centres)[1][0].any()
    for _ in range(100):
        centres = centres - 0.5 * np.asarray(CENTRES(code, centres)[1][1])
    means = code.reshape(3, 10, 2).mean(1)
    order = [int(np.square(centres - mean).sum(1).argmin()) for mean in means]
    np.testing.assert_allclose(centres[order], means, atol=0.3)


@pytest.mark.parametrize("compiled", [JOINT, CENTRES])
def test_rows_without_any_spread_are_finite(compiled):
    value, slopes = compiled(np.ones((4, 2), np.float32), np.ones((3, 2), np.float32))
    assert np.isfinite(value)
    assert all(np.isfinite(slope).all() for slope in slopes)


def test_neighbours_compares_with_the_codes_of_drawn_rows_of_the_whole_split():
    rng = np.random.default_rng(0)
    table, code, index = rng.normal(size=(20, 2)), rng.normal(size=(4, 2)), rng.integers(0, 20, (4, 1))
    with jax.enable_x64(True):
        ctx = around(code, code)._replace(
            relations={"walks": {"index": jnp.asarray(index)}},
            rows=lambda places: jnp.asarray(table)[places],
            encode=lambda x: 2 * x,
            key=jax.random.key(0),
        )
        logits = -np.square(code[:, None] - 2 * table[index[:, 0]][None]).sum(-1) / 2
        expected = -np.mean([row[i] - np.log(np.exp(row).sum()) for i, row in enumerate(logits)])
        assert float(jax.jit(lambda: terms.neighbours(ctx))()) == pytest.approx(expected, rel=1e-10)


def test_terms_name_what_they_lack():
    ctx = around(np.ones((3, 2)), np.ones((2, 2)))
    with pytest.raises(UserError, match=r"^neighbours: relation: unknown 'walks'"):
        terms.neighbours(ctx)
    with pytest.raises(UserError, match=r"^neighbours: relation 'walks' holds no rows; allowed: nearest.cosine, graph"):
        terms.neighbours(ctx._replace(relations={"walks": {"distance": jnp.ones((3, 3))}}))
    for term in (terms.joint, terms.centres):
        with pytest.raises(UserError, match=r": the model has no centres; allowed: model\.name=clustered\.dense$"):
            term(ctx._replace(extra={}))


def test_rows_are_looked_up_in_the_whole_split_in_training_and_in_validation():
    """A term that encodes the row itself again, by its place: nothing but its own code comes back."""
    shrunk = ["data.test=0.2", "data.validation=0.9", "train.batch_size=32", "model.widths=(4,)", "model.sets=1"]
    resolved = config.load("lecture/clustering", shrunk)
    dataset = load_data(resolved["data"])
    parts = build(resolved, dataset)
    own = lambda ctx, hparams, progress: (jnp.abs(ctx.encode(ctx.rows(ctx.index)) - ctx.code).max(), {})
    rows = on_device(dataset.validation, dataset)
    assert len(rows.x) > 1000, "more than one batch of the evaluation"
    losses = make_losses(parts.model, own, parts.corrupt, dataset.range)
    params = start(parts.model)
    found = losses(params, jax.random.key(1), parts.hparams, rows, 0.0)
    assert found["loss"] < 1e-4


# The task.


def blobs(labels=True, rows=60, apart=30.0):
    """Rows around three places, with labels of their places; a third of them are test rows."""
    rng = np.random.default_rng(0)
    place = np.arange(rows, dtype=np.int32) % 3
    x = (rng.normal(size=(rows, 4)) + apart * np.eye(4)[place]).astype(np.float32)
    ends, names = (rows * 2 // 3, rows * 2 // 3, rows), ("a", "b", "c") if labels else ()
    return tasking.dataset(x, ends, name="blobs", names=names, labels=place if labels else None)


def through(model, dataset, params=None, **options):
    needs(clustering, dataset, model, **options)
    params = start(model) if params is None else params
    return evaluate(clustering, jax.random.key(0), model, params, dataset, **options)


LINEAR = {"widths": (), "code": 4, "output": "linear"}
SAME = {"encoder": {"layer0": {"kernel": np.eye(4, dtype=np.float32), "bias": np.zeros(4, np.float32)}}}
SAME["decoder"] = SAME["encoder"]


def test_blobs_are_found_by_all_methods_and_test_rows_go_to_theirs():
    found = through(dense.multilayer((4,), **LINEAR), blobs(), SAME, neighbours=5)
    for numbers in (found.metrics["train"], found.metrics["test"], *found.baselines.values()):
        assert numbers["accuracy"] == numbers["nmi"] == numbers["ari"] == pytest.approx(1)
        assert numbers["clusters"] == 3
    assert found.metrics["test"]["mse"] == 0
    assert set(found.baselines) == {"k-means", "PCA, k-means", "PCA, Gaussian mixture", "spectral"}
    assert found.metrics["train"]["modularity"] == pytest.approx(2 / 3, abs=0.01), "three equal pieces: 1 − 1/3"


def test_a_net_with_centres_puts_rows_to_the_nearest_of_its_own():
    model, dataset = clustered.dense((4,), clusters=5, **LINEAR), blobs()
    right = 30 * np.eye(5, 4, dtype=np.float32)[[0, 1, 2, 0, 1]]  # two to a place, but for one of three
    params = SAME | {"centres": np.stack([right + 20, right, 0 * right])}
    found = evaluate(clustering, jax.random.key(0), model, params, dataset, neighbours=5, spectral_rows=0)
    assert found.metrics["train"]["clusters"] == 3, "of two in one place the first has all rows"
    assert found.metrics["train"]["accuracy"] == found.baselines["code, k-means"]["accuracy"] == 1
    np.testing.assert_array_equal(found.arrays["clusters"], dataset.train.labels)
    assert "spectral" not in found.baselines


def test_without_labels_only_what_needs_none_is_reported():
    found = through(dense.multilayer((4,), **LINEAR), blobs(labels=False), clusters=3, neighbours=5, spectral_rows=30)
    assert set(found.metrics["train"]) == {"mse", "clusters", "modularity", "silhouette"}
    assert set(found.metrics["test"]) == {"mse", "clusters"}
    assert "spectral, 30 rows" in found.baselines
    labelled = through(dense.multilayer((4,), **LINEAR), blobs(), clusters=3, neighbours=5, spectral_rows=30)
    np.testing.assert_array_equal(found.arrays["clusters"], labelled.arrays["clusters"], "labels only judge")


def test_silhouette_is_that_of_scikit_learn_and_zero_of_a_single_cluster():
    from sklearn.metrics import silhouette_score

    x, given = np.random.default_rng(0).normal(size=(50, 3)), np.arange(50) % 4
    assert clustering.silhouette(x, given, 0) == pytest.approx(silhouette_score(x, given))
    assert clustering.silhouette(x, 0 * given, 0) == 0


def with_train(x, labels):
    return blobs()._replace(train=Split(np.asarray(x, np.float32), labels=labels))


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (with_train(np.ones((9, 4)), np.arange(9) % 2), {}, "2 clusters of 9 .* which 1 are different; .*that vary$"),
        (
            with_train(np.eye(4), np.arange(4)),
            {"clusters": 5},
            r"5 clusters of 4 .*; allowed: task.clusters from 2 to 4",
        ),
        (blobs(), {"neighbours": 40}, "^task.neighbours: 40 are too many for 40 training rows; allowed: 1 to 39$"),
    ],
)
def test_data_it_cannot_serve_is_refused_in_one_line(dataset, options, message):
    refused(clustering, message, dataset, dense.multilayer(dataset.feature_shape, **LINEAR), **options)


@pytest.mark.parametrize(
    ("own", "options", "message"),
    [
        (
            10,
            {},
            r"^model\.clusters: 10, but the data have 3 classes \(blobs\); "
            r"allowed: model\.clusters=3 or task\.clusters=10$",
        ),
        (500, {}, r"^model\.clusters: 500, but .*; allowed: model\.clusters=3$"),
        (
            2,
            {"clusters": 4},
            r"^model\.clusters: 2, but task\.clusters is 4; allowed: model\.clusters=4 or task\.clusters=2$",
        ),
        (50, {"clusters": 50}, r"50 clusters of 40 .*; allowed: model\.clusters and task\.clusters from 2 to 40$"),
    ],
)
def test_a_net_of_another_number_of_clusters_than_the_methods_beside_it_is_refused(own, options, message):
    model = clustered.dense((4,), clusters=own, **LINEAR)
    refused(clustering, message, blobs(), model, neighbours=5, **options)


def test_clusters_without_a_number_are_as_many_as_have_the_highest_silhouette():
    code = (np.random.default_rng(0).normal(size=(90, 3)) + 12 * np.eye(3)[np.arange(90) % 3]).astype(np.float32)
    assert clustering.estimated(code, 0) == 3
    assert clustering.estimated(np.repeat(np.eye(2), 5, axis=0), 0) == 2, "no more than there are different rows"
    unlabelled = blobs(labels=False)
    needs(clustering, unlabelled, dense.multilayer((4,), **LINEAR), neighbours=5)
    evaluated = through(dense.multilayer((4,), **LINEAR), unlabelled, neighbours=5, spectral_rows=0)
    assert evaluated.metrics["train"]["clusters"] == 3


def test_clusters_of_the_features_stand_in_where_the_code_blurs_clear_ones():
    x = np.random.default_rng(0).normal(size=(60, 2)) + 9 * np.eye(2)[np.arange(60) % 2]
    blurred = clustering.k_means(np.random.default_rng(1).normal(size=(60, 3)), 2, restarts=2, seed=0)
    either = clustering.Options(clusters=2, space="either")
    chosen = clustering.of_space(blurred, x, either, 0)
    assert chosen.of_features
    assert partitions.accuracy(np.arange(60) % 2, chosen.clusters) == 1
    assert clustering.of_space(blurred, x, clustering.Options(clusters=2), 0) is blurred
    same = clustering.k_means(x, 2, restarts=2, seed=0)
    assert clustering.of_space(same, x, either, 0) is same, "the code shows them as well"
    vague = np.random.default_rng(2).normal(size=(60, 8))
    assert clustering.of_space(blurred, vague, either, 0) is blurred, "nothing shows in the features"


def test_a_net_of_as_many_clusters_as_there_are_classes_is_served():
    needs(clustering, blobs(), clustered.dense((4,), clusters=3, **LINEAR), neighbours=5)


def test_without_labels_and_a_number_the_net_s_own_is_taken():
    model = clustered.dense((4,), clusters=3, sets=2, **LINEAR)
    found = through(model, blobs(labels=False), neighbours=5, spectral_rows=0)
    assert found.baselines["k-means"]["clusters"] == 3


def test_too_few_clusters_are_refused_with_the_config():
    with pytest.raises(UserError, match=r"^model.clusters: expected int .*2.*, got 1$"):
        config.load("lecture/clustering", ["model.clusters=1"])
    with pytest.raises(UserError, match=r"^task.clusters: expected int >= 2 or None, got 1$"):
        config.load("lecture/clustering", ["task.clusters=1"])


def test_figures_with_and_without_labels_and_with_clusters_to_spare():
    digits = load_data(config.load("lecture/clustering")["data"])
    few = digits._replace(train=Split(digits.train.x[:60], labels=digits.train.labels[:60]))
    code = np.random.default_rng(0).normal(size=(60, 3))
    for labels, spare in ((few.train.labels, 12), (None, 4)):
        arrays = {"code": code, "clusters": np.arange(60) % spare, "labels": labels}
        found = Evaluation({"train": {"clusters": float(spare), "nmi": 0.5}}, {}, arrays)
        assert set(task_figures(CLUSTERING, found, few)) == {"clusters", "centres"}


@pytest.mark.slow
def test_the_shipped_config_finds_the_digits(tmp_path):
    shrunk = [
        "train.steps=1000",
        "train.evaluate_every=1000",
        "model.sets=2",
        "task.restarts=1",
        "task.spectral_rows=0",
    ]
    summary = experiment.run(config.load("lecture/clustering", shrunk), tmp_path)
    train, baselines = summary["metrics"]["train"], summary["baselines"]
    assert train["clusters"] == 10
    assert train["nmi"] > baselines["k-means"]["nmi"] + 0.03
    assert train["modularity"] > baselines["k-means"]["modularity"]
    assert 0.65 < baselines["k-means"]["nmi"] < 0.8
    assert (tmp_path / "figures" / "clusters.png").stat().st_size > 10_000
    assert (tmp_path / "figures" / "centres.png").stat().st_size > 10_000
    digits = data.load("digits")
    clusters = apply.apply(apply.load(tmp_path), "assign", digits.test.x).values["cluster"]
    assert normalized_mutual_info_score(digits.test.labels, clusters) == pytest.approx(train["nmi"], abs=0.05)
