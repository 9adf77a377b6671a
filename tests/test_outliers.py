"""One class against the rest: which rows are trained on and which are judged, counted one by one."""

import numpy as np
import pytest

from aejax import data
from aejax.data import outliers
from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

LABELS = np.repeat(np.arange(4), [40, 20, 10, 5]).astype(np.int32)
NAMES = ("a", "b", "c", "9")
KINDS = dict(zip(range(75), LABELS, strict=True))


def raw(official=False, labels=LABELS):
    x = np.arange(75, dtype=np.float32)[:, None]
    take = lambda places: Split(x[places], labels=None if labels is None else labels[places])
    everything = np.arange(75)
    parts = (take(everything % 3 > 0), take(everything % 3 == 0)) if official else (take(everything), None)
    return Raw(*parts, "table", "", "", label_names=NAMES, feature_names=("x",))


def places(part):
    return part.x[:, 0].astype(int).tolist()


@pytest.mark.parametrize("test", [None, 0.25])
def test_half_of_the_normal_rows_are_trained_on(test):
    parts = outliers.split(raw(), normal=("a", "b"), validation=0.2, test=test, seed=3)
    held_out = round((0.5 if test is None else test) * 60)
    assert [len(part.x) for part in parts] == [
        60 - held_out - (60 - held_out) // 5,
        (60 - held_out) // 5,
        held_out + 15,
    ]
    everything = [place for part in parts for place in places(part)]
    assert sorted(everything) == list(range(75))
    for part in parts:
        assert places(part) == sorted(places(part))
        assert part.labels.tolist() == [int(KINDS[place] > 1) for place in places(part)]
    assert all(part.labels.sum() == 0 for part in parts[:2])
    assert parts[2].labels.sum() == 15


def test_contamination_is_a_share_of_the_training_rows():
    train, validation, test = outliers.split(raw(), normal="a", contamination=0.2, validation=0.0, seed=1)
    assert len(validation.x) == 0
    assert len(train.x) == 25
    assert train.labels.sum() == 5
    assert test.labels.sum() == 30
    assert not set(places(train)) & set(places(test))


def test_labels_that_are_left_out_are_nowhere():
    parts = outliers.split(raw(), normal="a", left_out=("b", 9), seed=0)
    assert {KINDS[place] for part in parts for place in places(part)} == {0, 2}
    with pytest.raises(UserError, match=r"^data.left_out: 'a' is in data.normal too"):
        outliers.split(raw(), normal="a", left_out="a")


def test_an_official_split_is_kept_unless_a_share_is_asked_for():
    train, _, test = outliers.split(raw(official=True), normal="a", contamination=0.1)
    assert all(place % 3 for place in places(train))
    assert places(test) == [place for place in range(75) if place % 3 == 0]
    assert train.labels.sum() == round(26 / 9)
    _, _, pooled = outliers.split(raw(official=True), normal="a", test=0.5)
    assert len(pooled.x) == 20 + 35


def test_the_seed_draws_the_rows_and_nothing_else_does():
    first, again, other = (places(outliers.split(raw(), normal="a", seed=seed)[0]) for seed in (0, 0, 1))
    assert first == again != other
    with pytest.raises(UserError, match=r"^data.split_seed: nothing is drawn"):
        outliers.split(raw(official=True), normal="a", seed=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normal": "A"}, r"^data.normal: unknown 'A'; allowed: 9, a, b, c$"),
        ({"normal": 8}, r"^data.normal: unknown '8'"),
        ({"normal": ()}, r"^data.normal: no label is named, so no row is normal; allowed: a, b, c, 9$"),
        ({"normal": NAMES}, r"^data.normal: every label is normal, so there is no anomaly to find"),
        ({"normal": ("a", "b", "c"), "left_out": "9"}, r"^data.normal: every label is normal"),
        ({"normal": "a", "left_out": "d"}, r"^data.left_out: unknown 'd'"),
        ({"normal": ("a", "b"), "contamination": 0.4}, r"are 20 anomalies, and there are 14 to spare; .* 0 to 0.318$"),
        ({"normal": "9", "test": 0.9}, r"^data.normal: of 5 normal rows 0 are left to train on"),
    ],
)
def test_mistakes_are_told_in_one_line(options, message):
    with pytest.raises(UserError, match=message) as caught:
        outliers.split(raw(), **options)
    assert "\n" not in str(caught.value)


def test_data_without_labels_have_no_normal_ones():
    with pytest.raises(
        UserError, match=r"^data.normal: the data has no labels; allowed: data.label_column .*or data.normal=None"
    ):
        outliers.split(raw(labels=None), normal="a")


def test_loading_says_what_is_normal_and_scales_by_normal_rows():
    whole = data.load("satimage", normal=("red soil", "grey soil", "very damp grey soil"), test=0.5, scaling="standard")
    assert whole.label_names == outliers.NAMES
    assert whole.test.labels.sum() == 703 + 626 + 707
    rows = np.concatenate([whole.train.x, whole.validation.x])
    assert len(rows) == round((1533 + 1358 + 1508) / 2 - 0.5)
    np.testing.assert_allclose(whole.shift, whole.train.x.mean(0), rtol=1e-5)
    for name in ("left_out", "contamination"):
        with pytest.raises(UserError, match=f"^data.{name}: needs data.normal"):
            data.load("satimage", **{name: {"left_out": "red soil", "contamination": 0.1}[name]})
    for contamination in (0.5, -0.1):
        with pytest.raises(
            UserError, match=rf"^data.contamination: expected float in \[0, 0.5\), got {contamination}$"
        ):
            data.load("satimage", normal="red soil", contamination=contamination)
