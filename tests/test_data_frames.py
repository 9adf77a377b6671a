"""Frames in memory as data sets: numbers, categories, labels, missing cells, and what is refused."""

import numpy as np
import pandas
import pytest

import aejax
from aejax.errors import UserError

FRAME = pandas.DataFrame(
    {
        "age": [31.0, np.nan, 45.0, 28.0] * 10,
        "kind": ["a", "b", "c", "a"] * 10,
        "size": pandas.Categorical(["big", "small"] * 20),
        "id": np.arange(40),
        "label": ["yes", "no"] * 20,
        "when": pandas.date_range("2026-01-01", periods=40),
    }
)


def test_numbers_categories_labels_and_holes():
    dataset = aejax.data.from_frame(FRAME, label="label", ignore=["id", "when"], test=0.25)
    assert dataset.feature_names == ("age", "kind=a", "kind=b", "kind=c", "size=small")
    assert dataset.label_names == ("no", "yes")
    assert [len(part.x) for part in (dataset.train, dataset.validation, dataset.test)] == [27, 3, 10]
    assert not dataset.train.mask[:, 0].all()
    assert dataset.train.mask[:, 1:].all()
    assert dataset.understood[0] == "40 rows of 3 columns"
    assert "missing values: 'age' (10)" in dataset.understood


def test_held_out_frames_have_the_same_features():
    options = {"label": "label", "ignore": ["id", "when"]}
    other = FRAME.iloc[:8].drop(columns=["id", "when"]).iloc[:, ::-1]
    dataset = aejax.data.from_frame(FRAME, **options, test=other, validation=other)
    assert len(dataset.test.x) == 8
    assert list(dataset.test.labels) == [1, 0] * 4
    whole = aejax.data.from_frame(FRAME, **options, test=0, validation=0)
    assert (dataset.test.x[:, 1:] == whole.train.x[:8, 1:]).all()
    with pytest.raises(UserError, match="column 'kind' is missing"):
        aejax.data.from_frame(FRAME, **options, test=other.drop(columns="kind"))


def test_new_rows_of_a_frame_are_matched_by_the_names_of_their_columns():
    numbers = pandas.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["a", "b", "c"])
    for data in (numbers, aejax.data.from_frame(numbers), aejax.data.from_arrays(numbers, scaling="standard")):
        fitted = aejax.fit(data, steps=20)
        codes = fitted.encode(numbers.to_numpy()[:9])
        np.testing.assert_array_equal(fitted.encode(numbers.iloc[:9, ::-1]), codes)
        with pytest.raises(UserError, match="column 'c' is missing"):
            fitted.encode(numbers[["a", "b"]])
        with pytest.raises(UserError, match="column 'd' is none of the training data; allowed: a, b, c"):
            fitted.encode(numbers.rename(columns={"c": "d"}))


def test_a_fit_of_categories_says_how_likely_each_is(tmp_path):
    frame = FRAME.drop(columns=["id", "when", "age"])
    data = aejax.data.from_frame(frame, label="label", test=0, validation=0)
    fitted = aejax.fit(data, steps=50)
    again = fitted.reconstruct(frame.drop(columns="label"))
    np.testing.assert_allclose(again[:, :3].sum(1), 1, rtol=1e-5)
    assert ((again >= 0) & (again <= 1)).all()
    assert (fitted.history["train_loss"][-1] < fitted.history["train_loss"][0]).all()
    opened = aejax.open(fitted.save(tmp_path / "net"))
    np.testing.assert_array_equal(opened.reconstruct(frame.drop(columns="label")), again)
    with pytest.raises(UserError, match="row 1: 'd' of column 'kind' was not seen in training"):
        fitted.encode(pandas.DataFrame({"kind": ["d"], "size": ["big"]}))


def test_a_frame_trains():
    dataset = aejax.data.from_frame(FRAME[["age", "kind", "size"]].fillna(30), test=0.25)
    fitted = aejax.fit(aejax.models.multilayer(dataset.feature_shape, widths=(), code=2), None, dataset, steps=10)
    assert fitted.encode(dataset.train.x).shape == (len(dataset.train.x), 2)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"frame": [1, 2]}, r"^frame: expected a DataFrame, got 'list'"),
        ({"frame": FRAME, "ignore": ["id"]}, r"column 'when' holds dates; allowed: ignore=\('when',\)"),
        ({"frame": FRAME, "ignore": ["ids", "when"]}, r"did you mean 'id'"),
        ({"frame": FRAME, "ignore": ["when"], "label": "lable"}, r"did you mean 'label'"),
        ({"frame": FRAME, "ignore": ["when"], "categories": ["knd"]}, r"did you mean 'kind'"),
        ({"frame": FRAME, "ignore": ["when"], "scaling": "std"}, r"^scaling: unknown 'std'"),
    ],
)
def test_what_is_no_frame_is_refused_in_one_line(options, line):
    with pytest.raises(UserError, match=line) as refused:
        aejax.data.from_frame(**options)
    assert "\n" not in str(refused.value)


def test_two_columns_of_one_name_are_refused_and_a_column_to_ignore_may_be_one_text():
    frame = pandas.DataFrame(np.random.default_rng(0).random((40, 3)), columns=["a", "b", "a"])
    with pytest.raises(UserError, match="two columns have the name 'a'"):
        aejax.data.from_frame(frame)
    frame.columns = ["a", "b", "when"]
    assert aejax.data.from_frame(frame, ignore="when").feature_names == ("a", "b")
