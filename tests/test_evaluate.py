"""Evaluation of whole splits beside NumPy on all rows at once, and PCA beside the singular values."""

import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tasking import evaluate

from aejax import metrics
from aejax.losses import reconstruction, sparsity, weighted_sum
from aejax.metrics import images
from aejax.models import dense
from aejax.tasks import reconstruction as reconstruction_task
from aejax.tasks.common import pca_reconstruction
from aejax.training.evaluate import batches, encode_and_reconstruct, make_losses, make_member_losses, on_device
from aejax.types import Dataset, Range, Split

IMAGES, TABLE = (4, 2, 1), (5,)
KEY = lambda: jax.random.key(5)  # a new one for each use: no key is used twice


def split(rows, seed, shape, missing=0.0):
    rng = np.random.default_rng(seed)
    if len(shape) == 3:
        return Split(rng.integers(0, 256, (rows, *shape), dtype=np.uint8), labels=np.arange(rows, dtype=np.int32) % 3)
    x = (rng.normal(size=(rows, *shape)) @ np.triu(rng.normal(size=(shape[0], shape[0])))).astype(np.float32)
    return Split(x, rng.uniform(size=x.shape) >= missing if missing else None)


def dataset(shape, rows=(40, 0, 30), missing=0.0):
    shift, scale = (np.float32(0), np.float32(1 / 255)) if len(shape) == 3 else (np.arange(5.0), np.arange(1.0, 6.0))
    parts = [split(count, seed, shape, missing) for seed, count in enumerate(rows)]
    kind, known = ("image", Range(0, 1)) if len(shape) == 3 else ("table", Range())
    return Dataset("made", *parts, shape, kind, known, shift, scale, ("a", "b", "c"), (), "none", "made here")


def scaled(data, part):
    flat = np.float64(part.x).reshape(len(part.x), -1)
    spread = lambda values: np.broadcast_to(values, data.feature_shape).reshape(-1)
    return (flat - spread(data.shift)) * spread(data.scale)


def net(shape, code=3):
    model = dense.vanilla(shape, code=code, output="sigmoid" if len(shape) == 3 else "linear")
    return model, jax.jit(model.init)(jax.random.key(1))


def forward(params, x, output):
    """Code and reconstruction of `dense.vanilla` in float64."""
    p = jax.tree.map(np.float64, params)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    code = sigmoid(x @ p["encoder"]["layer0"]["kernel"] + p["encoder"]["layer0"]["bias"])
    z = code @ p["decoder"]["layer0"]["kernel"] + p["decoder"]["layer0"]["bias"]
    return code, sigmoid(z) if output == "sigmoid" else z


def test_rows_are_laid_flat_and_kept_as_they_are_stored():
    data = dataset(IMAGES)
    rows = on_device(data.train, data)
    assert rows.x.dtype == jnp.uint8
    np.testing.assert_array_equal(rows.x, data.train.x.reshape(40, 8))
    np.testing.assert_array_equal(rows.labels, data.train.labels)
    assert rows.mask is None
    assert rows.shift.shape == rows.scale.shape == ()


def test_masks_and_scales_follow_their_columns():
    data = dataset(TABLE, missing=0.3)
    rows = on_device(data.train, data)
    np.testing.assert_array_equal(rows.mask, data.train.mask)
    np.testing.assert_array_equal(rows.shift, np.arange(5))
    np.testing.assert_array_equal(rows.scale, np.arange(1, 6))
    assert rows.labels is None
    pixelwise = dataset(IMAGES)._replace(shift=np.arange(8.0).reshape(IMAGES))
    spread = on_device(pixelwise.train, pixelwise)
    np.testing.assert_array_equal(spread.shift, np.arange(8))
    np.testing.assert_array_equal(spread.scale, np.full(8, 1 / 255, np.float32))


def test_relations_are_functions_of_the_scaled_rows():
    data = dataset(TABLE)
    rows = on_device(data.train, data, {"double": lambda x: {"twice": 2 * x}})
    np.testing.assert_allclose(rows.relations["double"]["twice"], 2 * scaled(data, data.train), rtol=1e-5, atol=1e-5)


def test_batches_are_all_rows_in_order_in_at_most_two_sizes():
    data = dataset(TABLE, rows=(997, 0, 0), missing=0.5)
    rows = on_device(data.train, data)
    for size in (1, 7, 100, 332, 333, 996, 997, 1000):
        parts = list(batches(rows, size))
        lengths = {len(part.x) for part in parts}
        assert len(parts) == -(-997 // size)
        assert max(lengths) <= size
        assert max(lengths) - min(lengths) <= 1
        np.testing.assert_array_equal(np.concatenate([part.x for part in parts]), rows.x)
        np.testing.assert_array_equal(np.concatenate([part.mask for part in parts]), rows.mask)
        assert all(part.shift is rows.shift and part.scale is rows.scale for part in parts)


def test_batches_of_any_number_of_rows_have_at_most_two_sizes():
    zeros = np.zeros((20_011, 1), np.uint8)
    rows = on_device(Split(zeros), dataset((1, 1, 1)))._replace(x=zeros)
    for count in [*range(1, 30), 999, 1000, 1001, 1999, 2000, 2001, 2999, 3001, 7001, 9999, 10_001, 16_000, 20_011]:
        lengths = [len(part.x) for part in batches(rows._replace(x=zeros[:count]))]
        assert sum(lengths) == count
        assert len(set(lengths)) <= 2
        assert max(lengths) <= 1000


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_losses_of_a_split_are_those_of_all_its_rows(missing):
    data = dataset(TABLE, rows=(2501, 0, 0), missing=missing)
    data.train.x[:833] *= 10  # batches of 833 and of 834 rows must not count the same
    model, params = net(TABLE)
    objective = weighted_sum({"error": reconstruction.squared_error, "sparsity": sparsity.l1})
    losses = make_losses(model, objective, lambda key, x, *, factor: factor * x, data.range)
    hparams = {"terms": {"error": {"weight": 2.0}, "sparsity": {"weight": 0.5}}, "corruption": {"factor": 0.5}}
    found = losses(params, KEY(), hparams, on_device(data.train, data), 0.0)

    x = scaled(data, data.train)
    mask = np.ones(x.shape, bool) if data.train.mask is None else data.train.mask
    code, x_hat = forward(params, 0.5 * x, "linear")
    clean = forward(params, x, "linear")[1]
    error = 0.5 * (((x - x_hat) ** 2) * mask).sum(-1).mean()
    expected = {"error": error, "sparsity": np.abs(code).sum(-1).mean()}
    assert set(found) == {"loss", "error", "sparsity", "mse"}
    assert found["error"] == pytest.approx(expected["error"], rel=1e-5)
    assert found["sparsity"] == pytest.approx(expected["sparsity"], rel=1e-5)
    assert found["loss"] == pytest.approx(2 * expected["error"] + 0.5 * expected["sparsity"], rel=1e-5)
    # the mean over batches of batch means; with gaps they weigh a little differently from a mean over all entries
    assert found["mse"] == pytest.approx((((x - clean) ** 2)[mask]).mean(), rel=0.02 if missing else 1e-5)


def test_losses_see_how_much_of_the_run_is_done():
    data = dataset(TABLE)
    model, params = net(TABLE)
    objective = weighted_sum({"error": reconstruction.squared_error}, {"error": lambda progress: progress})
    losses = make_losses(model, objective, lambda key, x: x, data.range)
    hparams = {"terms": {"error": {"weight": 1.0}}, "corruption": {}}
    for progress in (0.0, 0.25, 1.0):
        found = losses(params, KEY(), hparams, on_device(data.train, data), progress)
        assert found["loss"] == pytest.approx(progress * found["error"], rel=1e-6)


def test_the_same_key_is_the_same_corruption_and_batches_differ():
    data = dataset(TABLE, rows=(1500, 0, 0))
    same = data.train._replace(x=np.tile(data.train.x[:750], (2, 1)))  # both batches hold the same rows
    model, params = net(TABLE)
    draws = weighted_sum({"noise": lambda ctx: (ctx.x_in - ctx.x).mean()})
    losses = make_losses(model, draws, lambda key, x: x + jax.random.normal(key, x.shape), data.range)
    hparams = {"terms": {"noise": {"weight": 1.0}}, "corruption": {}}
    value = lambda key, part: losses(params, key, hparams, on_device(part, data), 0.0)["noise"]
    both = value(KEY(), same)
    assert both == value(KEY(), same)
    assert both != value(jax.random.key(6), same)
    assert both != pytest.approx(value(KEY(), same._replace(x=same.x[:750])), rel=1e-3)


def test_codes_and_reconstructions_of_all_rows():
    data = dataset(IMAGES, rows=(2100, 0, 0))
    model, params = net(IMAGES)
    x, code, x_hat = encode_and_reconstruct(model, params, on_device(data.train, data))
    assert all(isinstance(values, np.ndarray) and values.dtype == np.float32 for values in (x, code, x_hat))
    np.testing.assert_allclose(x, scaled(data, data.train), rtol=1e-6, atol=1e-6)
    expected_code, expected = forward(params, scaled(data, data.train), "sigmoid")
    np.testing.assert_allclose(code, expected_code, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(x_hat, expected, rtol=1e-4, atol=1e-6)


# Metrics.


def test_mean_squared_error_is_over_what_was_observed():
    rng = np.random.default_rng(0)
    x, x_hat, mask = rng.normal(size=(7, 3)), rng.normal(size=(7, 3)), rng.uniform(size=(7, 3)) < 0.6
    entries = [(j, i) for j in range(7) for i in range(3)]
    everywhere = [(x[place] - x_hat[place]) ** 2 for place in entries]
    observed = [(x[place] - x_hat[place]) ** 2 for place in entries if mask[place]]
    assert metrics.mse(x, x_hat) == pytest.approx(sum(everywhere) / 21, rel=1e-12)
    assert metrics.mse(x, x_hat, mask) == pytest.approx(sum(observed) / len(observed), rel=1e-12)
    assert np.isnan(metrics.mse(x, x_hat, np.zeros_like(mask)))


def test_mean_squared_error_does_not_round_in_float32():
    x = np.full((1, 2), 1e4, np.float32)
    assert metrics.mse(x, x + np.float32([[0, 2.0**-9]])) == pytest.approx(2.0**-19, rel=1e-6)


@pytest.mark.parametrize("missing", [False, True])
def test_mean_squared_error_of_many_rows_has_the_bits_of_one_sum_and_holds_a_block(missing):
    x, x_hat = np.random.default_rng(0).random((2, 3001, 701), np.float32)
    mask = np.random.default_rng(1).random(x.shape) < 0.7 if missing else np.ones(x.shape, bool)
    squares = np.square(x.astype(np.float64) - x_hat.astype(np.float64))[mask]
    tracemalloc.start()
    try:
        assert metrics.mse(x, x_hat, mask if missing else None) == squares.sum() / squares.size
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 4 * 8 * metrics.BLOCK + (8 * squares.size if missing else 0) < 2 * 8 * x.size


@pytest.mark.parametrize("metric", [metrics.mse, images.psnr, lambda x, x_hat: images.error_removed(x, x + 1, x_hat)])
def test_arrays_that_do_not_go_together_have_no_metric(metric):
    with pytest.raises(AssertionError, match="shape"):
        metric(np.ones((4, 3)), np.ones((4, 1)))


def test_active_fraction_counts_the_units_that_matter_to_a_row():
    code = np.array([[1.0, 0.11, 0.09, -0.5], [0.0, 0.0, 0.0, 20.0], [0.0, 0.0, 0.0, 0.0]])
    assert metrics.active_fraction(code) == pytest.approx((3 + 1 + 0) / 12)
    assert metrics.active_fraction(np.zeros((0, 4))) == 0


# The task of reconstruction, beside PCA.


def pca_error(train, x, components):
    """Mean squared error of a projection on the leading right singular vectors, in float64."""
    _, _, directions = np.linalg.svd(train - train.mean(0), full_matrices=False)
    directions = directions[:components]
    centred = x - train.mean(0)
    return ((centred - centred @ directions.T @ directions) ** 2).mean()


@pytest.mark.parametrize("shape", [IMAGES, TABLE])
@pytest.mark.parametrize("code", [1, 3])
def test_reconstruction_beside_pca_and_the_mean(shape, code):
    data = dataset(shape, rows=(50, 20, 30))
    model, params = net(shape, code)
    found = evaluate(reconstruction_task, KEY(), model, params, data)
    x = {name: scaled(data, getattr(data, name)) for name in ("train", "validation", "test")}
    for name, rows in x.items():
        expected = ((forward(params, rows, "sigmoid" if len(shape) == 3 else "linear")[1] - rows) ** 2).mean()
        assert found.metrics[name]["mse"] == pytest.approx(expected, rel=1e-4)
    assert found.baselines["pca"]["mse"] == pytest.approx(pca_error(x["train"], x["test"], code), rel=1e-4)
    assert found.baselines["mean"]["mse"] == pytest.approx(((x["test"] - x["train"].mean(0)) ** 2).mean(), rel=1e-4)
    np.testing.assert_allclose(found.arrays["x"], x["test"], rtol=1e-5, atol=1e-5)
    error = ((found.arrays["pca_x_hat"] - x["test"]) ** 2).mean()
    assert error == pytest.approx(found.baselines["pca"]["mse"], rel=1e-4)


def test_pca_with_as_many_components_as_features_or_more_is_exact():
    data = dataset(TABLE, rows=(50, 0, 30))
    model, params = net(TABLE, code=9)
    found = evaluate(reconstruction_task, KEY(), model, params, data)
    assert found.baselines["pca"]["mse"] < 1e-9
    assert set(found.metrics) == {"train", "test"}


def test_a_data_set_without_test_rows_has_no_baselines():
    data = dataset(TABLE, rows=(50, 10, 0))
    model, params = net(TABLE)
    found = evaluate(reconstruction_task, KEY(), model, params, data)
    assert set(found.metrics) == {"train", "validation"}
    assert found.baselines == found.arrays == {}


def test_reconstruction_leaves_out_what_is_missing():
    data = dataset(TABLE, rows=(50, 0, 30), missing=0.4)
    model, params = net(TABLE)
    found = evaluate(reconstruction_task, KEY(), model, params, data)
    x = scaled(data, data.test)
    errors = (forward(params, x, "linear")[1] - x) ** 2
    assert found.metrics["test"]["mse"] == pytest.approx(errors[data.test.mask].mean(), rel=1e-4)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("together", [1, 2, 9])
def test_many_nets_are_judged_as_each_alone(missing, together):
    data = dataset(TABLE, rows=(1500, 0, 30), missing=missing)
    model, _ = net(TABLE)
    params = jax.jit(jax.vmap(model.init))(jax.random.split(jax.random.key(2), 3))
    nth = lambda tree, n: jax.tree.map(lambda leaf: leaf[n], tree)
    found = reconstruction_task.TASK.members(model, params, data, reconstruction_task.Options(), together)
    for number in range(3):
        alone = evaluate(reconstruction_task, KEY(), model, nth(params, number), data).metrics
        assert found.keys() == alone.keys() == {"train", "test"}
        for name, own in alone.items():
            assert {metric: values[number] for metric, values in found[name].items()} == pytest.approx(own, rel=1e-5)
    assert np.ptp(found["test"]["mse"]) > 1e-3
    objective = weighted_sum({"error": reconstruction.squared_error}, {"error": lambda progress: progress})
    given = (model, objective, lambda key, x, *, scale: x + scale * jax.random.normal(key, x.shape), data.range)
    hparams = {"terms": {"error": {"weight": np.float32([1, 2, 3])}}, "corruption": {"scale": np.float32([0, 1, 2])}}
    keys, rows = jax.random.split(jax.random.key(9), 3), on_device(data.train, data)
    losses = make_member_losses(*given)(params, keys, hparams, rows, np.float32([0.2, 0.5, 1]), together)
    for number, progress in enumerate((0.2, 0.5, 1.0)):
        own = make_losses(*given)(nth(params, number), keys[number], nth(hparams, number), rows, progress)
        assert {name: values[number] for name, values in losses.items()} == pytest.approx(own, rel=1e-5)


def test_pca_of_many_wide_rows_loses_what_the_smaller_singular_values_hold():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=(2010, 6)) * [9, 7, 5, 3, 2, 1] @ rng.normal(size=(6, 2001))
    rows = (signal + 4 + 0.1 * rng.normal(size=signal.shape)).astype(np.float32)
    centred = (rows - rows.mean(0)).astype(np.float64)
    squares = np.linalg.eigvalsh(centred.T @ centred)[::-1]
    for components in (3, 6):
        lost = np.square(rows - pca_reconstruction(rows, rows, components)).sum()
        assert lost == pytest.approx(squares[components:].sum(), rel=1e-3)
