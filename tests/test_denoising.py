"""Denoising: its metrics, filters and refusals, the net with skip connections, and runs of it with their figures."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from looking import run_figures, task_figures
from running import assert_refused, call
from tasking import evaluate, refused, start

from aejax import config
from aejax.data import corrupt, load
from aejax.errors import UserError
from aejax.figures.tasks.methods import DENOISING
from aejax.metrics import images as metrics
from aejax.models import unet
from aejax.runs import apply, experiment
from aejax.tasks import denoising
from aejax.training.build import build
from aejax.types import Evaluation, Range


def draw(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


# Metrics.


def test_psnr_is_scikit_images_of_all_images_together():
    from skimage.metrics import peak_signal_noise_ratio

    x, y = draw(5, 8, 8, 1), draw(5, 8, 8, 1, seed=1) * [[[[1.0]]]] * np.arange(1, 6).reshape(5, 1, 1, 1)
    for peak in (1.0, 255.0):
        expected = peak_signal_noise_ratio(x.astype(np.float64), y.astype(np.float64), data_range=peak)
        assert metrics.psnr(x, y, peak=peak) == pytest.approx(expected, abs=1e-9)
    assert metrics.psnr(x, y) < np.mean([metrics.psnr(a, b) for a, b in zip(x, y, strict=True)])
    assert metrics.psnr(x, x) == np.inf


def test_ssim_is_its_formula_in_every_window():
    x, y = draw(2, 9, 8, 1), draw(2, 9, 8, 1, seed=1)
    values = []
    for a, b in zip(x[..., 0].astype(np.float64), y[..., 0].astype(np.float64), strict=True):
        for i, j in itertools.product(range(9 - 6), range(8 - 6)):
            p, q = a[i : i + 7, j : j + 7].ravel(), b[i : i + 7, j : j + 7].ravel()
            covariance = np.cov(p, q)
            above = (2 * p.mean() * q.mean() + 1e-4) * (2 * covariance[0, 1] + 9e-4)
            below = (p.mean() ** 2 + q.mean() ** 2 + 1e-4) * (covariance[0, 0] + covariance[1, 1] + 9e-4)
            values.append(above / below)
    assert metrics.ssim(x, y) == pytest.approx(np.mean(values), abs=1e-6)
    assert metrics.ssim(x, x) == pytest.approx(1)


def test_the_share_of_the_error_that_is_removed():
    x, noise = draw(3, 4), draw(3, 4, seed=1)
    assert metrics.error_removed(x, x + noise, x + noise / 2) == pytest.approx(0.75, abs=1e-6)
    assert metrics.error_removed(x, x + noise, x + 2 * noise) == pytest.approx(-3, abs=1e-5)
    assert np.isnan(metrics.error_removed(x, x, x))


def test_the_spread_of_filters_outside():
    kernel, still = np.random.default_rng(0).normal(size=(400, 9)), np.arange(400) < 150
    assert metrics.spread_outside(kernel, still) == pytest.approx(1, abs=0.05)
    kernel[still] = 0.7
    assert metrics.spread_outside(kernel, still) == pytest.approx(0, abs=1e-9)
    assert np.isnan(metrics.spread_outside(kernel, np.zeros(400, bool)))


# Filters.


def test_a_filter_is_tuned_by_the_error_on_the_images_given():
    clean = np.zeros((2, 12, 12, 1), np.float32)
    clean[:, 3:9, 4:10] = 1
    noisy = clean + 0.2 * np.random.default_rng(0).normal(size=clean.shape)
    for name, settings in denoising.SETTINGS.items():
        best = denoising.tuned(name, clean, noisy)
        size = 1 if name == "median" else np.sqrt(np.square(noisy - clean).mean())
        error = lambda setting, name=name: np.square(denoising.restored(name, noisy, setting) - clean).sum()
        errors = [error((first * size, *rest)) for first, *rest in settings]
        assert error(best) == pytest.approx(min(errors))
        assert len(set(np.round(errors, 6))) > 1
        assert error(best) < np.square(noisy - clean).sum()


def test_inpainting_keeps_what_is_there_and_continues_a_plane():
    rows, columns = np.meshgrid(np.arange(10), np.arange(12), indexing="ij")
    plane = (0.03 * rows + 0.02 * columns)[None, :, :, None]
    missing = np.zeros(plane.shape, bool)
    missing[0, 4:6, 5:8] = True
    found = denoising.inpainted(np.where(missing, 9, plane), missing)
    np.testing.assert_array_equal(found[~missing], plane[~missing])
    np.testing.assert_allclose(found, plane, atol=1e-6)
    np.testing.assert_array_equal(denoising.inpainted(plane, missing | True), plane)


# The net.


def built(shape=(9, 10, 1), **options):
    """A small net whose parameters are not those it begins with, and both as one function of flat images."""
    model = unet.unet(shape, **{"channels": (3, 4), **options})
    leaves, tree = jax.tree.flatten(jax.eval_shape(model.init, jax.random.key(0)))
    rng = np.random.default_rng(1)
    params = jax.tree.unflatten(tree, [0.2 * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves])
    return model, params, jax.jit(lambda x: model.decode(params, model.encode(params, x)))


def test_a_residual_net_begins_near_the_identity():
    model, x = unet.unet((8, 8, 1), channels=(3, 4)), draw(2, 64)
    through = jax.jit(lambda params, x: model.decode(params, model.encode(params, x)))
    found = np.asarray(through(start(model), x))
    assert 0 < np.abs(found - x).max() < 0.2


def test_without_skips_the_code_is_the_coarsest_map():
    size = lambda **options: unet.unet((9, 10, 1), channels=(3, 4), **options).code_size
    assert size(skips=False, residual=False) == 3 * 3 * 4
    assert size(skips=True, residual=False) == 5 * 5 * 3 + 3 * 3 * 4
    assert size() == 9 * 10 + 5 * 5 * 3 + 3 * 3 * 4
    assert size(holes=True) == 2 * 9 * 10 + 5 * 5 * 3 + 3 * 3 * 4


def test_what_was_observed_is_kept_and_what_is_missing_is_told():
    _, _, through = built(holes=True)
    x = draw(4, 90)
    gone = draw(4, 90, seed=2) < 0.3
    found = np.asarray(through(np.where(gone, np.nan, x)))
    np.testing.assert_array_equal(found[~gone], x[~gone])
    assert np.isfinite(found).all()
    assert np.abs(found[gone] - x[gone]).min() > 0
    np.testing.assert_array_equal(through(x), x)
    assert np.isfinite(through(np.full((1, 90), np.nan, np.float32))).all()


def test_holes_are_filled_by_a_weighted_mean():
    image, observed = draw(2, 7, 6, 2), draw(2, 7, 6, 2, seed=1) > 0.4
    observed[1, 0:5, 0:5] = False  # a hole larger than the window
    found = np.asarray(unet.filled(jnp.where(observed, image, jnp.nan), jnp.asarray(observed)))
    weight = np.array([1, 4, 6, 4, 1]) / 16
    for m, i, j, c in np.ndindex(*image.shape):
        window = [
            (weight[a + 2] * weight[b + 2], image[m, i + a, j + b, c])
            for a, b in itertools.product(range(-2, 3), repeat=2)
            if 0 <= i + a < 7 and 0 <= j + b < 6 and observed[m, i + a, j + b, c]
        ]
        total = sum(w for w, _ in window)
        around = sum(w * v for w, v in window) / total if window else image[m, ..., c][observed[m, ..., c]].mean()
        expected = image[m, i, j, c] if observed[m, i, j, c] else around
        assert found[m, i, j, c] == pytest.approx(expected, abs=1e-5)


def test_a_larger_image_is_cleaned_as_its_parts_are():
    """Far from the edges of the part, farther than the net sees, nothing tells it from the whole."""
    image, _, through = draw(1, 40, 48, 1), *built((40, 48, 1), holes=True)[1:]
    image = np.where(draw(1, 40, 48, 1, seed=3) < 0.1, np.nan, image)
    part = image[:, 8:, 8:]  # at a multiple of the net's stride
    whole = np.asarray(through(image.reshape(1, -1))).reshape(40, 48)
    again = np.asarray(built((32, 40, 1), holes=True)[2](part.reshape(1, -1))).reshape(32, 40)
    np.testing.assert_allclose(whole[32:, 32:], again[24:, 24:], atol=1e-5)
    assert np.abs(whole[8:16, 8:16] - again[:8, :8]).max() > 1e-3, "at the edges it does"


def test_what_a_net_with_skips_refuses():
    for shape, options, line in (
        ((12,), {}, "^model: a U-net needs images, and these rows are 12; allowed: a dense net$"),
        ((8, 8, 1), {"channels": ()}, r"^model.channels: expected at least one layer, got \(\)$"),
        ((8, 8, 1), {"output": "sigmoid"}, "^model.output: sigmoid of a sum with the input; allowed: linear, or"),
    ):
        with pytest.raises(UserError, match=line):
            unet.unet(shape, **options)


# The task.


def images(shape=(8, 8, 1), *, scale=1.0, mask=None):
    made = tasking.dataset(draw(60, *shape), (30, 40, 60), name="dots", kind="image", names=(), mask=mask)
    return made._replace(range=Range(0, 1), shift=np.float32(0 * scale), scale=np.float32(scale))


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (images((6, 9, 1)), {}, "^denoising: images of 6x9 are too small; allowed: 7x7 or more$"),
        (images((8, 8, 2)), {}, "^denoising: images of 2 channels cannot be shown; allowed: 1"),
        (images(scale=np.ones((8, 8, 1))), {}, "^denoising: filters need all pixels on one scale; allowed: data.scal"),
        (
            images(mask=np.ones((60, 8, 8, 1), bool)),
            {},
            "^denoising: dots has missing pixels; allowed: data without missing pixels",
        ),
        (images(), {"corruption": "gausian"}, "^task.corruption: unknown 'gausian' .did you mean 'gaussian'"),
        (images(), {"corruption": "none"}, "^task.corruption: none has no strength; allowed: gaussian"),
        (
            images(),
            {"corruption": "masking", "strength": 1.5},
            r"^task.strength \(masking, probability\): expected float",
        ),
        (images(), {"corruption": "dropout", "strengths": (0.1, 1.0)}, r"^task.strength \(dropout, probability\): exp"),
    ],
)
def test_data_and_noise_it_cannot_serve_are_refused_in_one_line(dataset, options, message):
    refused(denoising, message, dataset, **options)


def test_what_the_numbers_are_of():
    """A net that does nothing is as good as the noisy images, and a perfect one removes everything."""
    dataset = images((8, 8, 1))
    model = unet.unet((8, 8, 1), channels=(2,), holes=True)
    options = {"corruption": "missing", "strength": 0.2, "strengths": (0.1,), "rows": 10, "tuning": 3, "plain_steps": 0}
    params = start(model)
    found = evaluate(denoising, jax.random.key(3), model, params, dataset, None, **options)
    shown = found.arrays["images"]
    assert shown["clean"].shape == (10, 8, 8, 1)
    gone = shown["noisy"] != shown["clean"]
    assert 0.1 < gone.mean() < 0.3
    assert (shown["noisy"][gone] == 0).all(), "what is missing is zero to those who are not told"
    np.testing.assert_array_equal(shown["net"][~gone], shown["clean"][~gone])
    np.testing.assert_allclose(shown["biharmonic"][~gone], shown["clean"][~gone], rtol=1e-6)
    noisy, net = found.baselines["noisy"], found.metrics["test"]
    assert noisy["error_removed"] == 0
    assert net["error_removed"] == pytest.approx(1 - 10 ** ((noisy["psnr"] - net["psnr"]) / 10), abs=1e-6)
    assert noisy["psnr_at_0.1"] == pytest.approx(noisy["psnr"] + 10 * np.log10(2), abs=1.5)
    assert set(found.baselines) == {"noisy", "median", "total_variation", "non_local_means", "biharmonic"}


def test_still_pixels_are_those_that_do_not_change():
    dataset = images()
    dataset.train.x[:, :2] = 0.25
    dataset.train.x[:, 2, 0] = 0.5 + 0.005 * np.sign(dataset.train.x[:, 2, 0] - 0.5)
    found = denoising.still_pixels(dataset).reshape(8, 8)
    assert found.sum() == 17
    assert found[:2].all()
    assert found[2, 0]


SMALL = ["train.steps=30", "train.evaluate_every=30", "task.rows=12", "task.tuning=4", "task.plain_steps=10"]


@pytest.mark.slow
def test_the_shipped_config_runs_reports_and_draws(tmp_path):
    summary = experiment.run(config.load("lecture/denoising", [*SMALL, "task.strengths=(0.1,)"]), tmp_path)
    test, others = summary["metrics"]["test"], summary["baselines"]
    assert {"psnr", "ssim", "error_removed"} < set(test) == set(others["plain"])
    model = unet.unet((8, 8, 1))
    assert denoising.plain_changes(model)["model"]["code"] == 8
    assert set(others) == {"noisy", "plain", "median", "total_variation", "non_local_means"}
    assert others["noisy"]["psnr"] == pytest.approx(14, abs=0.5)
    assert test["psnr"] > others["noisy"]["psnr"] + 1
    assert {p.name for p in (tmp_path / "figures").iterdir()} >= {"denoised.png", "psnr.png", "loss.png"}
    four = load("digits").test.x[:12].reshape(3, 2, 2, 8, 8).transpose(0, 1, 3, 2, 4).reshape(3, 16, 16, 1)
    noisy = four + 0.2 * 16 * np.random.default_rng(0).normal(size=four.shape)
    cleaned = apply.apply(apply.load(tmp_path), "reconstruct", noisy)
    assert cleaned.shape == (3, 16, 16, 1)
    removed = metrics.error_removed(four, noisy, cleaned)
    assert removed > 0.25, "the same net takes noise from images twice as high and as wide"


def test_the_curve_shows_at_which_strengths_a_net_was_trained():
    shown = {name: draw(10, 8, 8, 1) for name in ("clean", "noisy", "net")}
    numbers = {"psnr": 20.0, "psnr_at_0.1": 22.0}
    found = Evaluation({"test": numbers}, {"noisy": numbers}, {"images": shown, "kernels": {}})
    notes = []
    for variant in ("", ":strengths"):
        settings = config.load(f"lecture/denoising{variant}", ["task.strengths=(0.1,)"])
        (axes,) = task_figures(DENOISING, found, load("digits"), config=settings)["psnr"].axes
        notes.append(axes.get_legend_handles_labels()[1][-1])
    assert " to " not in notes[0]
    assert " to " in notes[1], "a line, and a span"


@pytest.mark.slow
def test_the_notebooks_nets_are_dense_and_their_filters_are_compared(tmp_path):
    shrunk = [*SMALL, "data.name=digits", "model.code=40"]
    summary = experiment.run(config.load("lecture/denoising:dropout", shrunk), tmp_path)
    assert summary["metrics"]["test"]["kernel_spread_outside"] > 0
    assert summary["baselines"]["plain"]["kernel_spread_outside"] > 0, "the same net without noise"
    assert "biharmonic" in summary["baselines"]
    assert (tmp_path / "figures" / "kernels.png").stat().st_size > 10_000
    assert "kernels" in run_figures(tmp_path)


@pytest.mark.slow
def test_images_of_another_size_and_with_holes_are_cleaned_by_a_trained_run(tmp_path, capsys):
    small = [*SMALL, "data.name=digits", "report.figures=false", "task.strengths=()"]
    experiment.run(config.load("lecture/denoising:photographs_masked", small), tmp_path / "run")
    image = 16 * draw(3, 11, 13, 1)
    image[0, 4, 5:7] = image[1, :2, 3] = np.nan
    np.save(tmp_path / "images.npy", image)
    words = ["apply", str(tmp_path / "run"), "reconstruct", "--input", str(tmp_path / "images.npy"), "--output"]
    assert call([*words, str(tmp_path / "out.npy")], capsys).code == 0
    out, gone = np.load(tmp_path / "out.npy"), np.isnan(image)
    assert out.shape == image.shape
    assert np.isfinite(out).all()
    np.testing.assert_allclose(out[~gone], image[~gone], rtol=1e-5)
    with pytest.raises(UserError, match=r"^input: expected rows of 8x8x1 values, got 9x9x3$"):
        apply.apply(apply.load(tmp_path / "run"), "reconstruct", draw(2, 9, 9, 3))
    np.save(tmp_path / "codes.npy", np.full((2, 5), np.nan, np.float32))
    words[2], words[4] = "decode", str(tmp_path / "codes.npy")
    assert_refused(call([*words, str(tmp_path / "out.npy")], capsys), "missing")


def test_hidden_values_need_a_net_that_takes_them():
    wrong = config.load("lecture/denoising:photographs", ["corruption.name=missing"])
    with pytest.raises(UserError, match=r"^corruption.name: missing hides values, and this unet.unet takes no missing"):
        build(wrong, load("photographs"))


def test_noise_out_of_range_is_refused_before_a_folder_is_made(tmp_path):
    with pytest.raises(UserError, match=r"^corruption.probability: expected float in \[0, 1\], got 1.5$"):
        config.load("lecture/denoising:photographs", ["corruption.probability=1.5"])
    wrong = config.load("lecture/denoising:photographs", ["task.strength=1.5"])
    with pytest.raises(UserError, match=r"^task.strength \(masking, probability\)"):
        experiment.run(wrong, tmp_path / "run")
    assert not (tmp_path / "run").exists()


# The photographs.


def test_photographs_are_split_by_photograph():
    found = load("photographs")
    assert found.feature_shape == (32, 32, 1)
    assert len(found.train.x) + len(found.validation.x) == 6000
    assert len(found.test.x) == 500
    assert found.range == Range(0, 1)
    again = load("photographs")
    np.testing.assert_array_equal(found.test.x, again.test.x)
    from skimage.data import camera

    def inside(patch):
        corners = [(0, 0), (0, 31), (31, 0), (31, 31)]
        views = [camera()[i : 512 - 31 + i, j : 512 - 31 + j] == patch[i, j] for i, j in corners]
        places = np.argwhere(np.logical_and.reduce(views))
        return any((camera()[i : i + 32, j : j + 32] == patch).all() for i, j in places)

    of_camera = [inside(patch) for patch in found.test.x[:20, ..., 0]]
    assert of_camera == [True, False] * 10, "the two take turns"
    assert not any(inside(patch) for patch in found.train.x[:20, ..., 0])


# Corruptions of regions.


def test_patches_are_one_rectangle_anywhere_in_each_image():
    x = jnp.ones((400, 8, 12, 2))
    found = np.asarray(corrupt.patches(jax.random.key(0), x, share=0.25)) == 0
    assert (found.sum((1, 2)) == 4 * 6).all()
    assert (found[..., 0] == found[..., 1]).all()
    rows, columns = found[..., 0].any(2), found[..., 0].any(1)
    assert (rows.sum(1) == 4).all()
    assert (columns.sum(1) == 6).all()
    counts = np.bincount(rows.argmax(1), minlength=5)
    assert len(counts) == 5
    assert counts.min() > 400 / 5 / 2
    with pytest.raises(UserError, match=r"^corruption: patches are of images, and these rows are 5"):
        corrupt.patches(jax.random.key(0), jnp.ones((3, 5)), share=0.5)


def test_missing_values_are_those_that_masking_removes():
    key = lambda: jax.random.key(5)
    x = jnp.asarray(draw(20, 8, 8, 1)) + 0.1
    for told, blind, options in (
        (corrupt.missing, corrupt.masking, {"probability": 0.3}),
        (corrupt.missing_patches, corrupt.patches, {"share": 0.3}),
    ):
        np.testing.assert_array_equal(jnp.nan_to_num(told(key(), x, **options)), blind(key(), x, **options))
