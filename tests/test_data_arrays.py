"""Arrays in memory as data sets: what is understood, how rows are held out, and what is refused."""

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from aejax import data
from aejax.errors import UserError

X = np.random.default_rng(0).normal(size=(40, 3))


@pytest.mark.parametrize(
    "x",
    [X, X.tolist(), X.astype(np.float32), pandas.DataFrame(X), np.round(10 * X).astype(int), X > 0, np.ma.array(X)],
    ids=["float64", "list", "float32", "frame", "int", "bool", "masked"],
)
def test_anything_with_numbers_is_a_data_set(x):
    dataset = data.from_arrays(x)
    assert [len(part.x) for part in (dataset.train, dataset.validation, dataset.test)] == [29, 3, 8]
    assert dataset.train.x.dtype == np.float32
    assert dataset.feature_shape == (3,)
    assert dataset.kind == "table"
    rows = np.concatenate([dataset.train.x, dataset.validation.x, dataset.test.x])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.asarray(x, np.float32)))


def test_images_keep_their_bytes_and_their_range():
    images = np.random.default_rng(0).integers(0, 200, (20, 6, 5), dtype=np.uint8)
    dataset = data.from_arrays(images, y=["a", "b"] * 10)
    assert dataset.train.x.dtype == np.uint8
    assert dataset.feature_shape == (6, 5, 1)
    assert float(dataset.scale) == pytest.approx(1 / 255)
    assert dataset.label_names == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "dtype"), [(["a", None], object), (["a", pandas.NA], object), ([1, None], object), ([0, np.nan], float)]
)
def test_a_label_that_is_missing_is_no_class(labels, dtype):
    with pytest.raises(UserError, match=r"^y: the label of row 2 is missing; drop the row$"):
        data.from_arrays(X, np.array(labels * 20, dtype))


def test_labels_of_any_kind_are_classes():
    names = lambda y: data.from_arrays(X, y).label_names
    assert names(["None", "a"] * 20) == ("None", "a")  # a class of that name
    assert names(np.array([10, 2] * 20, object)) == ("2", "10")
    assert names([True, False] * 20) == ("0", "1")


def test_missing_values_are_masked_and_hold_the_mean_of_the_training_rows():
    x = X.copy()
    x[::4, 1] = np.nan
    mask = np.ones(X.shape, bool)
    mask[1, 2] = False
    dataset = data.from_arrays(x, mask=mask, validation=0, test=0)
    assert (dataset.train.mask == (~np.isnan(x) & mask)).all()
    assert dataset.train.x[0, 1] == pytest.approx(np.nanmean(x[:, 1]))


def test_rows_of_ones_own_are_held_out():
    holes = X[:5].copy()
    holes[0, 0] = np.nan
    dataset = data.from_arrays(X, y=np.arange(40) % 2, validation=(holes, [0, 1, 0, 1, 2]), test=X[:7])
    assert [len(part.x) for part in (dataset.train, dataset.validation, dataset.test)] == [40, 5, 7]
    assert dataset.label_names == ("0", "1", "2")
    assert dataset.test.labels is None
    np.testing.assert_array_equal(dataset.test.x, X[:7].astype(np.float32))
    assert not dataset.validation.mask[0, 0]
    assert dataset.validation.x[0, 0] == pytest.approx(X[:, 0].mean(), rel=1e-5)


@given(arrays_of.arrays(np.float64, (12, 2), elements=st.floats(-1e6, 1e6, width=32)))
def test_scaled_training_values_lie_where_the_data_set_says(x):
    for scaling in data.SCALINGS:
        dataset = data.from_arrays(x, scaling=scaling)
        scaled = data.scale(dataset.train.x, dataset.shift, dataset.scale)
        assert dataset.range.low <= scaled.min() + 1e-6
        assert scaled.max() - 1e-6 <= dataset.range.high


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"x": "photos"}, r"^x: expected an array of numbers, got 'photos'"),
        ({"x": [["a", "b"]]}, r"^x: holds values of type"),
        ({"x": [[1, 2], [3]]}, r"^x: is no array of numbers"),
        ({"x": np.zeros(5)}, r"^x: has the shape \(5,\)"),
        ({"x": np.zeros((0, 5))}, r"^x: has the shape \(0, 5\)"),
        ({"x": np.zeros((9, 3, 20, 20))}, r"channels first"),
        ({"x": [[1.0, np.inf]] * 9}, r"^x: row 1, column \(1,\) holds inf, which is infinite or too large for float32"),
        ({"x": [[1.0, 2.0]] * 9 + [[np.nan, np.nan]]}, r"^x: every value of row 10 is missing"),
        ({"x": X, "y": [1, 2]}, r"^x: 2 labels for 40 rows"),
        ({"x": X, "y": X[:, 0]}, r"labels must be whole numbers or names"),
        ({"x": X, "mask": [True]}, r"^mask: has the shape \(1,\)"),
        ({"x": X, "test": 1.5}, r"^test: expected float in \[0, 1\), got 1.5"),
        ({"x": X, "test": X[:, :2]}, r"^test: its rows have the shape \(2,\)"),
        ({"x": X, "scaling": "units"}, r"did you mean 'unit'"),
        ({"x": X, "names": ("a",)}, r"^names: 1 names for 3 features"),
    ],
)
def test_what_is_no_data_is_refused_in_one_line(options, line):
    with pytest.raises(UserError, match=line) as refused:
        data.from_arrays(**options)
    assert "\n" not in str(refused.value)


def test_weights_go_with_their_rows():
    weight = np.arange(40.0)
    dataset = data.from_arrays(X, weight=weight)
    rows = [np.flatnonzero((X.astype(np.float32) == row).all(1))[0] for row in dataset.train.x]
    np.testing.assert_array_equal(dataset.train.weight, weight[rows])
    frame = data.from_frame(pandas.DataFrame(X), weight=weight, test=0.0)
    assert len(frame.train.weight) == len(frame.train.x)
    for wrong in (weight[1:], -weight, weight * np.nan, 0 * weight):
        with pytest.raises(UserError, match="weight: has the shape"):
            data.from_arrays(X, weight=wrong)
