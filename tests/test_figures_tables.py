"""Rows of tables in figures: a missing value is a gap and never a number; names of any length stay on the canvas."""

import numpy as np
import pytest
from looking import assert_apart, assert_in_spanish, drawn, svg

from aejax.figures import names
from aejax.figures import run as pictures
from aejax.figures.rows import reconstructions
from aejax.figures.tasks import anomaly
from aejax.report.page import vectors
from aejax.types import Dataset, Evaluation, Range, Split

RANDOM = np.random.default_rng(0)
LONG = tuple(f"haemoglobin_concentration_in_blood_of_{n}" for n in range(12))
SHORT = tuple("abcdefghijkl")


def table(mask=None, feature_names=LONG, test=9):
    """12 columns, whose rows are 1 to 9 where they are measured; no row is tested where `test` is 0."""
    x = np.arange(1, 10, dtype=np.float32)[:, None] * np.ones((1, len(feature_names)), np.float32)
    x = x if mask is None else np.where(mask, x, 0)
    rows = Split(x, mask)
    empty = Split(x[:0], None if mask is None else mask[:0])
    splits = (rows, empty, rows if test else empty)
    one = np.ones(len(feature_names), np.float32)
    classes = ("normal", "anomaly")
    return Dataset(
        "rows", *splits, one.shape, "table", Range(), 0 * one, one, classes, tuple(feature_names), "", ""
    )  # fmt: skip


def holes():
    mask = np.ones((9, 12), bool)
    mask[:6, 3], mask[1, 5:8], mask[:6, 10] = False, False, False
    return mask


def lines(figure):
    return [{line.get_label().partition(",")[0]: line for line in axes.get_lines()} for axes in figure.axes]


def found(dataset):
    x = dataset.test.x
    return Evaluation(
        {"test": {"mse": 1.0}}, {"pca": {"mse": 2.0}}, {"x": x, "x_hat": x + 1, "pca_x_hat": x + 2, "code": x}
    )


def test_a_missing_value_is_a_gap_in_the_line_of_the_original_and_in_no_other(tmp_path, monkeypatch):
    dataset = table(holes())
    (figure,) = drawn(lambda: pictures._reconstructions(tmp_path / "a.png", dataset, found(dataset)), monkeypatch)
    shown = lines(figure)[:6]
    for place, own in enumerate(shown):
        gaps = np.isnan(own["original"].get_ydata())
        np.testing.assert_array_equal(gaps, ~dataset.test.mask[place])
        measured = own["original"].get_ydata()[~gaps]
        np.testing.assert_array_equal(measured, np.full(len(measured), place + 1.0))
        assert np.isfinite(own["autoencoder"].get_ydata()).all()
        assert np.isfinite(own["PCA"].get_ydata()).all()


def test_a_measured_value_between_two_gaps_is_a_point_where_lines_have_none(tmp_path, monkeypatch):
    x = RANDOM.normal(size=(1, 60))
    x[0, [5, 7, 58]] = np.nan
    given = (x, np.zeros_like(x), np.zeros_like(x))
    (figure,) = drawn(lambda: reconstructions(tmp_path / "a.png", *given, errors={}), monkeypatch)
    (own,) = lines(figure)
    assert list(own["original"].get_markevery()) == [6, 59]
    assert own["original"].get_marker() == "o"
    assert own["PCA"].get_marker() in ("", "None")


def oddest(dataset, labelled=True, drawn_from=9):
    """What the task of anomalies hands to its figure: the rows 0 to 3 are the oddest."""
    split = dataset.test if len(dataset.test.x) else dataset.train
    observed = np.ones(split.x.shape, bool) if split.mask is None else split.mask
    residual = np.where(observed, RANDOM.normal(size=split.x.shape) + 1e-3, 0)[:4]
    scores = np.linspace(123456.0, 20.3, drawn_from)
    return {
        "scores": {"error": scores},
        "score": "error",
        "labels": np.arange(drawn_from) % 2 if labelled else None,
        "worst": np.arange(4),
        "worst_x": split.x[:4],
        "worst_x_hat": 1e6 * (split.x[:4] - residual),
        "worst_residual": residual,
    }


def worst(path, dataset, arrays):
    anomaly._features(path, arrays, arrays["scores"]["error"], dataset)
    return path


@pytest.mark.parametrize("feature_names", [LONG, SHORT, ("M" * 40,) * 3], ids=["long", "short", "wide letters"])
@pytest.mark.parametrize("labelled", [True, False])
def test_no_text_of_the_oddest_rows_leaves_the_canvas(tmp_path, feature_names, labelled):
    dataset = table(feature_names=feature_names)
    arrays = oddest(dataset, labelled)
    with names.kept(dataset):
        path = worst(tmp_path / "worst.png", dataset, arrays)
    root = svg(path)
    said = [" ".join(label.text) for label in vectors.texts(root)]
    titles = [text for text in said if text.startswith("test row ")]
    assert sorted(titles) == [anomaly._title(arrays, n, arrays["scores"]["error"]) for n in range(4)]
    assert said.count("residual, in training sizes") == 1
    assert_apart(root)
    assert_in_spanish(tmp_path)


@pytest.mark.parametrize("test", [9, 0], ids=["test rows", "training rows"])
@pytest.mark.parametrize("drawn_from", [9, 5])
def test_a_missing_value_of_the_oddest_rows_is_called_missing(tmp_path, monkeypatch, test, drawn_from):
    dataset = table(holes()[:, :6], SHORT[:6], test)
    arrays = oddest(dataset, drawn_from=drawn_from if not test else 9)
    (figure,) = drawn(lambda: worst(tmp_path / "worst.png", dataset, arrays), monkeypatch)
    for place, axes in enumerate(figure.axes):
        told = dict(label.get_text().split(": ") for label in axes.get_yticklabels())
        observed = holes()[place, :6]
        assert {name for name, text in told.items() if text == "missing"} == {
            name for name, there in zip(SHORT, observed, strict=False) if not there
        }
    with names.kept(dataset):
        worst(tmp_path / "worst.png", dataset, arrays)
    assert_in_spanish(tmp_path)
