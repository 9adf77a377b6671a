"""Pictures: drawn without a warning for any input, nothing cut off, the same bytes each time, true to their arrays."""

import re
import subprocess
import sys

import numpy as np
import pytest
from looking import drawn
from PIL import Image

from aejax.errors import UserError
from aejax.figures import canvas
from aejax.figures.codes import code_histogram
from aejax.figures.curves import loss_curves, smooth
from aejax.figures.kernels import filters
from aejax.figures.maps import class_style, scatter_2d
from aejax.figures.rows import reconstructions

RANDOM = np.random.default_rng(0)
STEPS = np.arange(1, 401)
FALLING = np.exp(-STEPS / 60) + 0.01
BROKEN = np.where(STEPS > 300, np.nan, np.where(STEPS > 290, np.inf, np.exp(STEPS / 9.0)))
IMAGES = RANDOM.random((15, 8, 8, 1))
TABLE = RANDOM.normal(size=(9, 5))
POINTS = RANDOM.normal(size=(60, 2))
LONG = "a title that goes on and on, " * 8

CASES = {
    "loss": lambda path: loss_curves(path, STEPS, {"loss": FALLING}, {"validation": ([1, 400], [2, 0.02])}),
    "loss terms": lambda path: loss_curves(
        path,
        STEPS,
        {"loss": FALLING, "mse": FALLING / 2, "_kl $x$": FALLING * 0},
        {"loss": (STEPS[::9], FALLING[::9]), "mse": (STEPS[::9], FALLING[::9]), "test": ([400], [0.1])},
        title=LONG,
    ),
    "loss at one step": lambda path: loss_curves(path, [7], {"loss": [0.5]}),
    "loss that diverges": lambda path: loss_curves(path, STEPS, {"loss": BROKEN}),
    "loss never finite": lambda path: loss_curves(path, STEPS, {"loss": BROKEN * np.nan}),
    "loss constant": lambda path: loss_curves(path, STEPS, {"loss": FALLING * 0}),
    "images": lambda path: reconstructions(
        path,
        IMAGES,
        IMAGES / 2,
        IMAGES / 3,
        errors={"autoencoder": "mean squared error 0.0123", "PCA": "mean squared error 0.0456"},
    ),
    "one constant image": lambda path: reconstructions(path, *np.ones((3, 1, 4, 4)), errors={}),
    "wide images": lambda path: reconstructions(path, *RANDOM.random((3, 3, 2, 40, 3)), errors={}),
    "rows of a table": lambda path: reconstructions(
        path, TABLE, TABLE / 2, TABLE / 3, feature_names=["a", "b_$", "c" * 60, "_d", "e"], errors={"PCA": "MSE 1"}
    ),
    "one row, one feature": lambda path: reconstructions(path, [[1.0]], [[2.0]], [[3.0]], errors={}),
    "long rows": lambda path: reconstructions(path, *RANDOM.random((3, 3, 200)), errors={}),
    "filters": lambda path: filters(path, RANDOM.normal(size=(23, 8, 8))),
    "filters in colour": lambda path: filters(path, RANDOM.normal(size=(120, 3, 5, 3))),
    "one filter of zeros": lambda path: filters(path, np.zeros((1, 8, 8, 1))),
    "code": lambda path: code_histogram(path, np.maximum(RANDOM.normal(size=(50, 9)), 0), 0.05),
    "code of one constant": lambda path: code_histogram(path, np.full((5, 1), 1e20)),
    "code of many units": lambda path: code_histogram(path, RANDOM.normal(size=(5, 900)), title=LONG),
    "two maps": lambda path: scatter_2d(
        path, {"PCA": (POINTS, np.arange(60) % 3), "_code $": (POINTS, np.arange(60) % 3 - 1)}, ["a", "_b", "c" * 60]
    ),
    "maps of many classes": lambda path: scatter_2d(path, dict.fromkeys("abcd", (POINTS, np.arange(60) % 30))),
    "map of a quantity": lambda path: scatter_2d(path, {"roll": (POINTS, POINTS[:, 0])}, ["angle"]),
    "map of one point": lambda path: scatter_2d(path, {"one": (np.zeros((1, 2)), None)}),
}


@pytest.mark.parametrize("draw", CASES.values(), ids=CASES)
def test_a_picture_fits_its_page(tmp_path, draw):
    path = draw(tmp_path / "figures" / "picture.png")
    assert {file.name for file in path.parent.iterdir()} == {"picture.png", "picture.svg"}
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape[1] <= canvas.WIDTH * canvas.DPI
    edge = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3)])
    sides = np.concatenate([pixels[:, :3].reshape(-1, 3), pixels[:, -3:].reshape(-1, 3)])
    assert edge.min() == sides.min() == 255, "something is cut off"
    assert (pixels < 128).mean() > 0.001, "there is nothing to see"


@pytest.mark.parametrize("same", [True, False])
def test_maps_that_are_to_be_compared_have_the_same_axes(same, tmp_path, monkeypatch):
    panels = {"near": (POINTS, None), "wide": (10 * POINTS, None), "aside": (POINTS + 50, None)}
    draw = lambda: scatter_2d(tmp_path / "map.png", panels, same_axes=same)
    (figure,) = drawn(draw, monkeypatch)
    limits = {axes.get_xlim() + axes.get_ylim() for axes in figure.axes}
    assert len(limits) == (1 if same else 3)
    if same:
        ((left, right, *_),) = limits
        assert left < 10 * POINTS[:, 0].min()
        assert right > POINTS[:, 0].max() + 50


@pytest.mark.parametrize("name", ["loss terms", "images", "two maps"])
def test_the_same_arrays_give_the_same_bytes(tmp_path, name):
    one, other = CASES[name](tmp_path / "a.png"), CASES[name](tmp_path / "b.png")
    assert one.read_bytes() == other.read_bytes()
    assert one.with_suffix(".svg").read_bytes() == other.with_suffix(".svg").read_bytes()


def test_a_vector_picture_has_its_letters_as_text_and_says_nothing_of_its_making(tmp_path):
    text = CASES["loss terms"](tmp_path / "a.png").with_suffix(".svg").read_text()
    assert ">validation</text>" in text
    assert ">\u00a0_kl $x$</text>" in text
    assert not re.search("metadata|Matplotlib|<!DOCTYPE|<script|20\\d\\d-", text)
    assert {link.partition(":")[0] for link in re.findall(r'href="(?!#)([^"]*)"', text)} <= {"data"}


def test_the_file_is_named_for_what_it_is(tmp_path):
    assert filters(tmp_path / "v1.filters", np.ones((1, 2, 2))) == tmp_path / "v1.filters.png"


def test_pictures_leave_no_trace_in_the_process(tmp_path):
    code = f"""
import sys
from aejax.figures import codes, curves, kernels, maps, rows
assert "matplotlib" not in sys.modules, "matplotlib loads when it is first used"
import matplotlib
before = matplotlib.rcParams.copy()
maps.scatter_2d({str(tmp_path / "a.png")!r}, {{"a": ([[0, 1], [2, 3]], [0, 1])}})
assert "matplotlib.pyplot" not in sys.modules
assert matplotlib.rcParams.copy() == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def rows_of(pixels, colour):
    return np.flatnonzero((np.abs(pixels.astype(int) - colour).max(axis=-1) < 4).any(axis=1))


def test_each_row_of_images_is_where_its_name_says(tmp_path):
    red, green, blue = (np.broadcast_to(np.eye(3)[i], (4, 6, 6, 3)) for i in range(3))
    with Image.open(reconstructions(tmp_path / "a", red, green, blue, errors={})) as image:
        pixels = np.asarray(image.convert("RGB"))
    first, second, third = (rows_of(pixels, 255 * np.eye(3, dtype=int)[i]) for i in range(3))
    assert first.max() < second.min()
    assert second.max() < third.min()


def test_a_positive_weight_is_red_and_a_negative_one_blue(tmp_path):
    kernel = np.zeros((1, 2, 2))
    kernel[0, 0], kernel[0, 1] = 1e-6, -1e-6
    with Image.open(filters(tmp_path / "a", kernel)) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    middle = pixels[:, pixels.shape[1] // 2]
    strong = middle[np.ptp(middle, axis=1) > 60]
    assert strong[0, 0] > strong[0, 2]
    assert strong[-1, 2] > strong[-1, 0]


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
    picture = canvas.mosaic(tiles, gap=2, between=0.25)
    assert picture.shape == (2 * 6 + 2, 3 * 7 + 2, 3)
    rest = np.ones(picture.shape[:2], bool)
    for row in range(2):
        for column in range(3):
            place = np.s_[2 + row * 6 : 6 + row * 6, 2 + column * 7 : 7 + column * 7]
            np.testing.assert_array_equal(picture[place], tiles[row, column])
            rest[place] = False
    assert (picture[rest] == 0.25).all()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 16, 25, 64, 97, 100])
def test_a_grid_wastes_little(count):
    columns = canvas.grid_columns(count, 1.9)
    rows = -(-count // columns)
    assert 1 <= columns <= count
    assert rows * columns - count <= 0.2 * count


@pytest.mark.parametrize("classes", [2, 8, 9, 10, 30])
def test_no_two_classes_look_the_same(classes):
    assert len({class_style(label, classes) for label in range(-1, classes)}) == classes + 1


MISTAKES = {
    "nothing": (lambda path: loss_curves(path, [], {"loss": []}), "steps"),
    "no series": (lambda path: loss_curves(path, [1], {}), "needs at least the loss"),
    "lengths": (lambda path: loss_curves(path, [1, 2], {"loss": [1.0]}), "'loss': has 1 values for 2 steps"),
    "evaluation": (lambda path: loss_curves(path, [1], {"a": [1]}, {"b": ([1, 2], [1])}), "'b': has 1"),
    "shapes": (
        lambda path: reconstructions(path, IMAGES, IMAGES[:3], IMAGES, errors={}),
        r"autoencoder: shape \(3, 8, 8, 1\)",
    ),
    "channels": (lambda path: filters(path, np.ones((2, 3, 3, 2))), "1 or 3 channels"),
    "no filter": (lambda path: filters(path, np.ones((0, 3, 3))), "kernels"),
    "code": (lambda path: code_histogram(path, np.full((2, 2), np.nan)), "no value is finite"),
    "no map": (lambda path: scatter_2d(path, {}), "at least one map"),
    "three coordinates": (lambda path: scatter_2d(path, {"a": (np.ones((4, 3)), None)}), "'a'.*2 coordinates"),
    "labels": (lambda path: scatter_2d(path, {"a": (POINTS, [1, 2])}), "'a': 60 points"),
    "no point": (lambda path: scatter_2d(path, {"a": (POINTS * np.nan, None)}), "'a': no point is finite"),
}


@pytest.mark.parametrize(("draw", "line"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named_and_nothing_is_written(tmp_path, draw, line):
    with pytest.raises(UserError, match=line) as caught:
        draw(tmp_path / "figures" / "picture.png")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "figures").exists()
