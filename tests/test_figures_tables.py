"""Rows of tables in figures: a missing value is a gap and never a number; names of any length stay on the canvas."""

from types import SimpleNamespace

import numpy as np
import pytest
from looking import ENGLISH, read, task_figures

from aejax.data.scaling import original
from aejax.figures import run
from aejax.figures.panels import reconstructions
from aejax.figures.tasks import anomaly, retrieval
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


def drawn(dataset):
    """The figure of reconstructions."""
    x = dataset.test.x
    evaluation = Evaluation(
        {"test": {"mse": 1.0}}, {"pca": {"mse": 2.0}}, {"x": x, "x_hat": x + 1, "pca_x_hat": x + 2, "code": x}
    )
    return reconstructions(ENGLISH, run._reconstructions(dataset, evaluation, 2), dataset.feature_names)


def test_a_missing_value_is_a_gap_in_the_line_of_the_original_and_in_no_other():
    dataset = table(holes())
    shown = lines(drawn(dataset))[:6]
    for row, profiles in enumerate(shown):
        gaps = np.isnan(profiles["original"].get_ydata())
        np.testing.assert_array_equal(gaps, ~dataset.test.mask[row])
        measured = profiles["original"].get_ydata()[~gaps]
        np.testing.assert_array_equal(measured, np.full(len(measured), row + 1.0))
        assert np.isfinite(profiles["autoencoder"].get_ydata()).all()
        assert np.isfinite(profiles["PCA"].get_ydata()).all()


def test_a_measured_value_between_two_gaps_is_a_point_where_lines_have_none():
    x = RANDOM.normal(size=(1, 60))
    x[0, [5, 7, 58]] = np.nan
    rows = {"x": x, "x_hat": np.zeros_like(x), "pca_x_hat": np.zeros_like(x)}
    (profiles,) = lines(reconstructions(ENGLISH, rows))
    assert list(profiles["original"].get_markevery()) == [6, 59]
    assert profiles["original"].get_marker() == "o"
    assert profiles["PCA"].get_marker() in ("", "None")


def oddest(dataset, drawn_from=9):
    """What the task of anomalies hands to its figure: the rows 0 to 3 are the oddest."""
    split = dataset.test if len(dataset.test.x) else dataset.train
    observed = np.ones(split.x.shape, bool) if split.mask is None else split.mask
    residual = np.where(observed, RANDOM.normal(size=split.x.shape) + 1e-3, 0)[:4]
    scores = np.linspace(123456.0, 20.3, drawn_from)
    return {
        "scores": {"error": scores},
        "score": "error",
        "train_scores": scores,
        "worst": np.arange(4),
        "worst_x": split.x[:4],
        "worst_x_hat": 1e6 * (split.x[:4] - residual),
        "worst_residual": residual,
    }


def worst(dataset, arrays):
    """The figure of the oddest rows; it can be read in every language."""
    arrays = arrays | {"labels": None}  # the curves of precision and recall need more than these arrays
    evaluation = Evaluation({"test": {"threshold": 1e5}}, {}, arrays)
    return task_figures(anomaly.ANOMALY, evaluation, dataset)["worst_rows"]


def test_values_are_shown_as_in_the_file_wherever_they_are_counted_from():
    start, log = np.array([1.7e9, 0.0, 0.0]), np.array([False, True, False])
    x = RANDOM.normal(size=(9, 3)).astype(np.float32)
    dataset = table(feature_names=("time", "price", "level"))
    rows = Split(x, labels=np.zeros(9, np.int32))
    dataset = dataset._replace(train=rows, test=rows, origin=start, log=log, shift=np.full(3, 0.5), scale=np.full(3, 2))
    expected = original(x.astype(np.float64), start, log)
    assert expected[:, 0].min() > 1.6e9
    assert expected[:, 1].min() > 0
    arrays = oddest(dataset) | {"labels": None, "worst_x": (x[:4] - 0.5) * 2}
    kept = anomaly.keep(Evaluation({"test": {"threshold": 1e5}}, {}, arrays), dataset, None, None, {}).tree["worst"]
    in_order = np.take_along_axis(expected[:4], kept["feature"], 1)
    np.testing.assert_allclose(kept["x"], in_order, rtol=1e-6)
    found = {"queries": np.array([0, 1]), "found": np.array([[2, 3], [4, 5]]), "curves": {}}
    arrays = found | {"cosine_distances": np.zeros(2), "pairs": np.zeros(2)}
    tree = retrieval.keep_hashing(Evaluation({}, {}, arrays), dataset, SimpleNamespace(code_size=2), None, {}).tree
    np.testing.assert_allclose(tree["values"], expected[[[0, 2, 3], [1, 4, 5]]][..., tree["columns"]], rtol=1e-6)


@pytest.mark.parametrize("feature_names", [LONG, SHORT, ("M" * 40,) * 3], ids=["long", "short", "wide letters"])
def test_no_text_of_the_oddest_rows_leaves_the_canvas(feature_names):
    dataset = table(feature_names=feature_names)
    said = read(worst(dataset, oddest(dataset)))
    assert len([text for text in said if text.startswith("test sample ")]) == 4
    assert said.count("residual, in training sizes") == 1


def test_the_oddest_images_have_their_numbers_below_and_a_bar_for_the_differences():
    rows = Split(RANDOM.random((1400, 16)).astype(np.float32))
    one = np.ones((4, 4, 1), np.float32)
    dataset = Dataset("images", rows, rows, rows, (4, 4, 1), "image", Range(), 0 * one, one, (), (), "", "")
    numbers = np.arange(1390, 1398)
    arrays = oddest(dataset, drawn_from=1400) | {"worst": numbers, "worst_x": rows.x[numbers]}
    arrays["worst_x_hat"] = arrays["worst_x"] - 0.5
    labels = read(worst(dataset, arrays))
    assert {"image", "reconstruction", "difference", "|x − x̂|, scaled"} < set(labels)
    assert sum("1397" in text for text in labels) == 1


@pytest.mark.parametrize("labelled", [True, False])
def test_an_odd_row_is_told_by_its_score_and_what_it_is(labelled):
    worst = {"row": np.array([3, 7]), "score": np.array([2.0, 1.25]), "anomaly": np.array([1, 0])}
    worst = worst if labelled else {name: worst[name] for name in ("row", "score")}
    titles = [anomaly._title(worst, number, ENGLISH, "line") for number in (0, 1)]
    kinds = (", anomaly", ", normal") if labelled else ("", "")
    assert titles == [f"test sample 3: 2{kinds[0]}", f"test sample 7: 1.25{kinds[1]}"]


@pytest.mark.parametrize("test", [9, 0], ids=["test rows", "training rows"])
@pytest.mark.parametrize("drawn_from", [9, 5])
def test_a_missing_value_of_the_oddest_rows_is_called_missing(test, drawn_from):
    dataset = table(holes()[:, :6], SHORT[:6], test)
    arrays = oddest(dataset, drawn_from=drawn_from if not test else 9)
    figure = worst(dataset, arrays)
    for row, axes in enumerate(figure.axes):
        labels = dict(label.get_text().split(": ") for label in axes.get_yticklabels())
        observed = holes()[row, :6]
        assert {name for name, text in labels.items() if text == "missing"} == {
            name for name, there in zip(SHORT, observed, strict=False) if not there
        }
