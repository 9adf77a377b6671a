"""Figures: drawn without a warning for any input, readable in every language, the same bytes each time, and true."""

import re
import subprocess
import sys

import numpy as np
import pytest
import tasking
from looking import ENGLISH, readable
from PIL import Image
from running import arguments

from aejax.cli import main
from aejax.errors import UserError
from aejax.figures import canvas, vector
from aejax.figures.images import filters, grid_columns, laid_out, mosaic, thumbnails
from aejax.figures.panels import (
    class_style,
    code_histogram,
    error_by_class,
    learning_curves,
    loss_curves,
    maps,
    reconstructions,
    smooth,
    usage,
)
from aejax.figures.run import ARRAYS, _draw_classes, _draw_extremes, _errors, _filters, _reconstructions
from aejax.storage import checkpoint
from aejax.types import Evaluation

RANDOM = np.random.default_rng(0)
STEPS = np.arange(1, 401)
FALLING = np.exp(-STEPS / 60) + 0.01
BROKEN = np.where(STEPS > 300, np.nan, np.where(STEPS > 290, np.inf, np.exp(STEPS / 9.0)))
IMAGES = RANDOM.random((15, 8, 8, 1))
PHOTOGRAPHS = RANDOM.integers(0, 256, (90, 70, 50, 3), dtype=np.uint8)
TABLE = RANDOM.normal(size=(9, 5))
POINTS = RANDOM.normal(size=(60, 2))
LONG = "a title that goes on and on, " * 8


def three(x, x_hat, pca_x_hat, **errors):
    return {"x": x, "x_hat": x_hat, "pca_x_hat": pca_x_hat, "errors": errors}


CASES = {
    "loss": lambda words: loss_curves(words, STEPS, {"loss": FALLING}, ([1, 400], [2, 0.02])),
    "loss terms": lambda words: loss_curves(
        words,
        STEPS,
        {"loss": FALLING, "mse": FALLING / 2, "_kl $x$": FALLING / 2},
        (STEPS[::9], FALLING[::9]),
        "nats",
        0.01,
    ),
    "loss terms below 0": lambda words: loss_curves(
        words, STEPS, {"loss": BROKEN, "a": FALLING - 0.5, "b": BROKEN}, None, "squares"
    ),
    "loss at one step": lambda words: loss_curves(words, [7], {"loss": np.array([0.5])}),
    "loss that diverges": lambda words: loss_curves(words, STEPS, {"loss": BROKEN}),
    "loss never finite": lambda words: loss_curves(words, STEPS, {"loss": BROKEN * np.nan}),
    "loss constant": lambda words: loss_curves(words, STEPS, {"loss": FALLING * 0}),
    "images": lambda words: reconstructions(
        words, three(IMAGES, IMAGES / 2, IMAGES / 3, autoencoder=0.0123, pca=0.0456)
    ),
    "one constant image": lambda words: reconstructions(words, three(*np.ones((3, 1, 4, 4)))),
    "wide images": lambda words: reconstructions(words, three(*RANDOM.random((3, 3, 2, 40, 3)))),
    "rows of a table": lambda words: reconstructions(
        words, three(TABLE, TABLE / 2, TABLE / 3, pca=1.0), ["a", "b_$", "c" * 60, "_d", "e"]
    ),
    "one row, one feature": lambda words: reconstructions(words, three(*np.ones((3, 1, 1)))),
    "long rows": lambda words: reconstructions(words, three(*RANDOM.random((3, 3, 200)))),
    "filters": lambda words: filters(words, RANDOM.normal(size=(23, 8, 8))),
    "filters in colour": lambda words: filters(words, RANDOM.normal(size=(120, 3, 5, 3))),
    "one filter of zeros": lambda words: filters(words, np.zeros((1, 8, 8, 1))),
    "thumbnails": lambda words: thumbnails(words, laid_out(RANDOM.normal(size=(90, 5)), PHOTOGRAPHS)),
    "thumbnails of one code": lambda words: thumbnails(words, laid_out(np.ones((3, 1)), PHOTOGRAPHS[:3, ..., :1])),
    "code": lambda words: code_histogram(
        words, usage(np.maximum(RANDOM.normal(size=(50, 9)), 0)) | {"target_rate": 0.05}
    ),
    "code of one constant": lambda words: code_histogram(words, usage(np.full((5, 1), 1e20))),
    "code of many units": lambda words: code_histogram(words, usage(RANDOM.normal(size=(5, 900)))),
    "two maps": lambda words: maps(
        words, {"PCA": (POINTS, np.arange(60) % 3), "_code $": (POINTS, np.arange(60) % 3 - 1)}, ["a", "_b", "c" * 60]
    ),
    "maps of many classes": lambda words: maps(words, dict.fromkeys("abcd", (POINTS, np.arange(60) % 30)), title=LONG),
    "map of a quantity": lambda words: maps(words, {"roll": (POINTS, POINTS[:, 0])}, ["angle"]),
    "map in space": lambda words: maps(
        words,
        {"roll": (RANDOM.normal(size=(60, 3)), POINTS[:, 0]), "flat": (POINTS, POINTS[:, 0])},
        axis_names=("", ""),
    ),
    "error by class": lambda words: error_by_class(
        words, ["a", "_b $", "c" * 60], {"autoencoder": np.array([0.1, 0.3, 0.2]), "pca": np.array([0.2, 0.1, 0.4])}
    ),
    "error by class alone": lambda words: error_by_class(words, ["a", "b"], {"autoencoder": np.array([0.0, 0.3])}),
    "map of one point": lambda words: maps(words, {"one": (np.zeros((1, 2)), None)}),
}


@pytest.mark.parametrize("draw", CASES.values(), ids=CASES)
def test_a_figure_fits_its_page_and_can_be_read(tmp_path, draw):
    figure = readable(lambda words: {"figure": canvas.finish(draw(words), words)})["figure"]
    with Image.open(canvas.save_figure(figure, tmp_path / "picture.png")) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] <= canvas.WIDTH * canvas.DPI
    edge = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3)])
    sides = np.concatenate([pixels[:, :3].reshape(-1, 3), pixels[:, -3:].reshape(-1, 3)])
    assert edge.min() == sides.min() == 255, "something is cut off"
    assert (pixels < 128).mean() > 0.001, "there is nothing to see"


@pytest.mark.parametrize("same", [True, False])
def test_maps_that_are_to_be_compared_have_the_same_axes(same):
    panels = {"near": (POINTS, None), "wide": (10 * POINTS, None), "aside": (POINTS + 50, None)}
    figure = maps(ENGLISH, panels, same_axes=same)
    limits = {axes.get_xlim() + axes.get_ylim() for axes in figure.axes}
    assert len(limits) == (1 if same else 3)
    if same:
        ((left, right, *_),) = limits
        assert left < 10 * POINTS[:, 0].min()
        assert right > POINTS[:, 0].max() + 50


def test_a_map_is_not_spanned_by_outliers_and_counts_them():
    points = np.concatenate([POINTS, [[1000.0, 0.0]]])
    near, all_near = maps(ENGLISH, {"code": (points, None), "near": (POINTS, None)}).axes
    assert near.get_title(loc="left") == "code (1 of 61 points lie outside)"
    assert POINTS[:, 0].max() < near.get_xlim()[1] < 20
    assert all_near.get_title(loc="left") == "near"


@pytest.mark.parametrize("name", ["loss terms", "images", "two maps"])
def test_the_same_arrays_give_the_same_bytes(tmp_path, name):
    one, other = (canvas.finish(CASES[name](ENGLISH), ENGLISH) for _ in range(2))
    paths = [canvas.save_figure(figure, tmp_path / f"{number}.png") for number, figure in enumerate((one, other))]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert vector.svg(one, 100) == vector.svg(other, 100)


def test_an_svg_has_its_letters_as_text_and_says_nothing_of_its_making():
    text = vector.svg(CASES["loss terms"](ENGLISH), 100)
    assert ">validation</text>" in text
    assert ">\u00a0_kl $x$</text>" in text
    assert not re.search("metadata|Matplotlib|<!DOCTYPE|<script|20\\d\\d-", text)
    assert {link.partition(":")[0] for link in re.findall(r'href="(?!#)([^"]*)"', text)} <= {"data"}


def test_terms_of_the_loss_are_stacked_up_to_it():
    figure = CASES["loss terms"](ENGLISH)
    areas = [area.get_paths()[0].vertices for area in figure.axes[1].collections]
    assert max(area[:, 1].max() for area in areas) == pytest.approx(smooth(FALLING, 5).max())
    assert [line.get_ydata()[0] for line in figure.axes[0].get_lines()][-1] == 0.01
    assert "(nats)" in figure.axes[0].get_ylabel()


def test_what_a_run_keeps_of_its_loss_adds_up_to_it(kept_loss):
    tree, info = kept_loss
    columns = dict(zip(info["curve"], tree["rows"].T, strict=True))
    total = sum(weight * columns[f"train_{name}"] for name, weight in tree["weights"].items())
    np.testing.assert_allclose(total, columns["train_loss"], rtol=1e-4)
    assert info["unit"] == "nats"
    assert 0 < tree["floor"] < columns["train_loss"].min()


@pytest.fixture(scope="module")
def kept_loss(tmp_path_factory):
    """The loss of a run with a scheduled term, as its folder keeps it."""
    folder = tmp_path_factory.mktemp("loss") / "run"
    changes = {"terms.sparsity.weight": "0.5", "terms.sparsity.schedule": "{'name': 'after', 'start': 0.5}"}
    steps = {"train.steps": "200", "train.evaluate_every": "50", "train.checkpoint_every": "200"}
    assert main(arguments(steps | changes, "lecture/sparse_kl", folder)) == 0
    content = checkpoint.restore_nested(folder / "figures" / ARRAYS)
    return content.tree["loss"], content.info


def test_figures_leave_no_trace_in_the_process():
    code = """
import sys
from aejax.figures import images, panels, run, words
assert "matplotlib" not in sys.modules, "matplotlib loads when it is first used"
import matplotlib
before = matplotlib.rcParams.copy()
panels.maps(words.load("es"), {"a": ([[0, 1], [2, 3]], [0, 1])})
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def pixels_of(figure, folder):
    with Image.open(canvas.save_figure(figure, folder / "a.png")) as image:
        return np.asarray(image.convert("RGB"))


def rows_of(pixels, colour):
    return np.flatnonzero((np.abs(pixels.astype(int) - colour).max(axis=-1) < 4).any(axis=1))


def test_each_row_of_images_is_where_its_name_says(tmp_path):
    red, green, blue = (np.broadcast_to(np.eye(3)[i], (4, 6, 6, 3)) for i in range(3))
    pixels = pixels_of(reconstructions(ENGLISH, three(red, green, blue)), tmp_path)
    first, second, third = (rows_of(pixels, 255 * np.eye(3, dtype=int)[i]) for i in range(3))
    assert first.max() < second.min()
    assert second.max() < third.min()


def test_a_positive_weight_is_red_and_a_negative_one_blue(tmp_path):
    kernel = np.zeros((1, 2, 2))
    kernel[0, 0], kernel[0, 1] = 1e-6, -1e-6
    pixels = pixels_of(filters(ENGLISH, kernel), tmp_path).astype(int)
    middle = pixels[:, pixels.shape[1] // 2]
    strong = middle[np.ptp(middle, axis=1) > 60]
    assert strong[0, 0] > strong[0, 2]
    assert strong[-1, 2] > strong[-1, 0]


def test_filters_show_what_weights_do_to_images():
    x = np.zeros((40, 4, 4, 1), np.float32)
    x[:, 0, 0, 0], x[:, 3, 3, 0] = np.arange(40) % 2, 3 * (np.arange(40) % 2)
    kernels = np.ones((5, 4, 4, 1), np.float32) * np.array([1, 4, 0, 1e-4, 2], np.float32)[:, None, None, None]
    kept = _filters(kernels, tasking.dataset(x, (20, 30, 40), kind="image"))
    assert (kept["units"], kept["dead"]) == (5, 2), "units that do nothing to any image are counted, and left out"
    assert kept["kernels"][:, 3, 3, 0].tolist() == [6.0, 3.0, 1.5], "the strongest first, by their pixel's spread"
    assert kept["kernels"][:, 0, 0, 0].tolist() == [2.0, 1.0, 0.5]
    assert np.count_nonzero(kept["kernels"]) == 6, "pixels that never change have no part in it"
    figure = readable(lambda words: {"filters": filters(words, **kept)})["filters"]
    assert "; 2 of 5 units do nothing" in figure.get_suptitle()


@pytest.mark.parametrize("half", [1, 3, 20])
def test_smooth_is_the_mean_of_the_finite_neighbours(half):
    values = RANDOM.normal(size=15)
    values[[3, 4, 9]] = np.nan, np.inf, -np.inf
    expected = []
    for i in range(15):
        near = [values[j] for j in range(15) if abs(i - j) <= half and np.isfinite(values[j])]
        expected.append(np.mean(near) if near else np.nan)
    np.testing.assert_allclose(smooth(values, half), expected, rtol=1e-12)


def test_a_mosaic_holds_each_tile_in_its_place():
    tiles = RANDOM.random((2, 3, 4, 5, 3))
    picture = mosaic(tiles, gap=2, between=0.25)
    assert picture.shape == (2 * 6 + 2, 3 * 7 + 2, 3)
    rest = np.ones(picture.shape[:2], bool)
    for row in range(2):
        for column in range(3):
            tile = np.s_[2 + row * 6 : 6 + row * 6, 2 + column * 7 : 7 + column * 7]
            np.testing.assert_array_equal(picture[tile], tiles[row, column])
            rest[tile] = False
    assert (picture[rest] == 0.25).all()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 25, 64, 97, 100])
def test_a_grid_wastes_little(count):
    columns = grid_columns(count, 1.9)
    rows = -(-count // columns)
    assert 1 <= columns <= count
    assert rows * columns - count <= 0.2 * count


@pytest.mark.parametrize("classes", [2, 8, 9, 10, 30])
def test_no_two_classes_look_the_same(classes):
    assert len({class_style(label, classes) for label in range(-1, classes)}) == classes + 1


MISTAKES = {
    "channels": (lambda: filters(ENGLISH, np.ones((2, 3, 3, 2))), "1 or 3 channels"),
    "code": (lambda: usage(np.full((2, 2), np.nan)), "no value is finite"),
    "no point": (lambda: maps(ENGLISH, {"a": (POINTS * np.nan, None)}), "'a': no point is finite"),
}


@pytest.mark.parametrize(("draw", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(draw, line):
    with pytest.raises(UserError, match=line) as caught:
        draw()
    assert "\n" not in str(caught.value)


def test_thumbnails_lie_where_their_codes_lie():
    code = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.98, 0.97]])
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 4, 4, 1), np.uint8)
    kept = laid_out(code, images)
    at = {tuple(field): int(tile[0, 0, 0]) for field, tile in zip(kept["fields"], kept["tiles"], strict=True)}
    assert at == {(15, 0): 0, (15, 15): 1, (0, 0): 2, (0, 15): 4}, "up and across; of two the one nearer to the middle"


@pytest.mark.parametrize(("units", "lines"), [(3, 3), (64, 2)])
def test_pca_is_beside_reconstructions_only_where_its_code_is_no_copy(units, lines):
    x = IMAGES.astype(np.float32)
    flat = x.reshape(15, -1)
    arrays = {"x": flat, "x_hat": flat / 2, "pca_x_hat": flat}
    evaluation = Evaluation({"test": {"mse": 0.1}}, {"pca": {"mse": 0.0}}, arrays)
    kept = _reconstructions(tasking.dataset(x, (15, 15, 15), kind="image"), evaluation, units)
    figure = readable(lambda words: {"figure": canvas.finish(reconstructions(words, kept), words)})["figure"]
    assert len(figure.axes[0].get_yticks()) == lines


def test_narrow_figures_have_their_panels_below_each_other_and_no_trace_stays():
    draw = lambda: maps(ENGLISH, {"near": (POINTS, None), "wide": (10 * POINTS, None)})
    with canvas.as_wide_as(canvas.NARROW):
        narrow = canvas.finish(draw(), ENGLISH)
    wide = canvas.finish(draw(), ENGLISH)
    assert (narrow.get_figwidth(), wide.get_figwidth()) == (canvas.NARROW, canvas.WIDTH)
    first, second = (axes.get_position() for axes in narrow.axes)
    assert second.y1 < first.y0
    first, second = (axes.get_position() for axes in wide.axes)
    assert first.x1 < second.x0


def test_learning_curves_of_runs_share_their_axes():
    curves = {"one": ([1, 2, 3], [4.0, 2.0, np.nan]), "_other $": ([2], [1.0])}
    (axes,) = readable(lambda words: {"": canvas.finish(learning_curves(words, curves), words)})[""].axes
    assert [line.get_ydata().tolist()[:2] for line in axes.get_lines()] == [[4.0, 2.0], [1.0]]


def test_best_median_and_worst_are_those_and_classes_have_their_mean_error():
    x = RANDOM.random((20, 16)).astype(np.float32)
    size = RANDOM.permutation(20).astype(np.float32)
    evaluation = Evaluation({}, {}, {"x": x, "x_hat": x + size[:, None], "pca_x_hat": x + 1})
    dataset = tasking.dataset(x.reshape(20, 4, 4, 1), (0, 0, 20), kind="image", labels=np.arange(20) % 2)
    kept = _errors(dataset, evaluation, 2)
    np.testing.assert_allclose(kept["extremes"]["errors"], np.r_[0:4, 8:12, 16:20] ** 2.0, rtol=1e-5)
    expected = [np.square(size[first::2]).mean() for first in (0, 1)]
    np.testing.assert_allclose(kept["classes"]["errors"]["autoencoder"], expected, rtol=1e-5)
    np.testing.assert_allclose(kept["classes"]["errors"]["pca"], 1, rtol=1e-5)
    draw = lambda words: {
        name: canvas.finish(draw(kept, {"labels": ["even", "odd"]}, words), words)
        for name, draw in (("extremes", _draw_extremes), ("classes", _draw_classes))
    }
    assert "even (10 samples)" in [text.get_text() for text in readable(draw)["classes"].axes[0].get_yticklabels()]
