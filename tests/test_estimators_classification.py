"""The classifier: classes of any type, votes that are shares, and what scikit-learn refuses is refused."""

import doctest

import numpy as np
import pandas
import pytest
from running import call
from sklearn.exceptions import DataConversionWarning
from sklearn.neighbors import KNeighborsClassifier

from aejax.estimators import AutoencoderClassifier, classification, load

NAMES = np.array(["low", "middle", "high"])


def rows(seed, count):
    """Three classes around centres that lie apart, and a column of noise."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 3, count)
    return np.column_stack([np.eye(3)[y] * 6, np.zeros(count)]) + random.normal(size=(count, 4)), y


def quick(**options):
    return AutoencoderClassifier(steps=40, random_state=0, **options)


@pytest.fixture(scope="module")
def fitted():
    x, y = rows(0, 150)
    return quick().fit(x, NAMES[y])


def test_classes_of_new_rows_and_shares_of_votes(fitted):
    x, y = rows(1, 100)
    shares = fitted.predict_proba(x)
    assert fitted.classes_.tolist() == ["high", "low", "middle"]
    assert shares.shape == (100, 3)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_allclose(shares * 5, np.round(shares * 5), atol=1e-12)
    np.testing.assert_array_equal(fitted.predict(x), fitted.classes_[shares.argmax(1)])
    assert fitted.score(x, NAMES[y]) > 0.9


def test_the_votes_are_those_of_neighbours_in_the_code(fitted):
    x, y = rows(0, 150)
    voting = KNeighborsClassifier(5).fit(fitted.fitted_.encode(x), NAMES[y])
    new = rows(2, 60)[0]
    np.testing.assert_allclose(voting.predict_proba(fitted.fitted_.encode(new)), fitted.predict_proba(new))


@pytest.mark.parametrize("classes", [np.array([7, -1, 3]), np.array([True, False]), np.array(["2", "10", "a"])])
def test_classes_come_back_as_they_were_from_a_folder_too(classes, tmp_path):
    x, y = rows(0, 60)
    classifier = quick(n_neighbors=3, code=2).fit(x, classes[y % len(classes)])
    assert classifier.fitted_.model.code_size == 2
    assert set(classifier.predict(x)) <= set(classes)
    loaded = load(classifier.save(tmp_path / "folder"))
    assert loaded.predict(x).tolist() == classifier.predict(x).tolist()
    assert loaded.classes_.tolist() == classifier.classes_.tolist()


def test_a_mixed_frame_with_holes_is_classified():
    x, y = rows(0, 90)
    frame = pandas.DataFrame({"size": x[:, 0], "kind": np.where(y > 1, "pump", "valve").astype(object)})
    frame.loc[::9, "size"] = np.nan
    frame.loc[4::13, "kind"] = None
    classifier = quick().fit(frame, y)
    assert classifier.score(frame, y) > 0.7
    assert classifier.predict(frame.iloc[:5]).tolist() == classifier.predict(frame)[:5].tolist()


def test_the_command_line_classifies_by_what_an_estimator_saved(fitted, tmp_path, capsys):
    folder, new = fitted.save(tmp_path / "folder"), rows(3, 9)[0]
    np.save(tmp_path / "new.npy", new)
    files = ["--input", str(tmp_path / "new.npy"), "--output", str(tmp_path / "out.csv")]
    assert "9 rows, by 5 neighbours" in call(["apply", str(folder), "classify", *files], capsys).out
    out = pandas.read_csv(tmp_path / "out.csv")
    assert out.columns.tolist() == ["class", "class_name", *(f"share of {number}" for number in range(3))]
    assert out["class_name"].tolist() == out["class"].tolist()  # an estimator knows its classes by their numbers
    np.testing.assert_array_equal(fitted.classes_[out["class"]], fitted.predict(new))


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, None, "requires y to be passed, but the target y is None"),
        ({}, np.ones(20), "only one class is present"),
        ({}, np.linspace(0, 1, 20), "Unknown label type: continuous"),
        ({}, np.arange(19) % 2, "inconsistent numbers of samples"),
        ({"n_neighbors": 21}, np.arange(20) % 2, "n_neighbors: 21 are too many for 20 rows"),
        ({"n_neighbors": 0}, np.arange(20) % 2, "n_neighbors: expected a whole number of 1 or more, got 0"),
    ],
)
def test_what_scikit_learn_refuses_is_refused(options, y, message):
    with pytest.raises(ValueError, match=message):
        quick(**options).fit(rows(0, 20)[0], y)


def test_a_column_of_classes_is_taken_with_a_warning():
    x, y = rows(0, 40)
    with pytest.warns(DataConversionWarning):
        assert quick().fit(x, y[:, None]).predict(x).shape == (40,)


def test_the_example_runs():
    assert doctest.testmod(classification).failed == 0
