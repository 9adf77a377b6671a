"""The imputer: arrays and mixed frames come back whole, in the kinds of their columns; draws and intervals."""

import doctest
from datetime import date

import numpy as np
import pandas
import pytest
from running import call

from aejax.errors import UserError
from aejax.estimators import AutoencoderImputer, frames, imputation, load

RNG = np.random.default_rng


def rows(seed, count):
    """Complete rows of four columns that follow from two numbers, the last one whole, and the rows with holes."""
    random = RNG(seed)
    hidden = random.normal(size=(count, 2))
    x = np.column_stack([hidden, hidden.sum(1), np.round(5 * hidden[:, 0])])
    gone = random.random(x.shape) < 0.15
    gone[gone.all(1)] = False
    return x, np.where(gone, np.nan, x)


def table(count):
    random = RNG(3)
    size = random.normal(size=count)
    columns = {
        "size": size,
        "count": pandas.array(random.integers(0, 9, count), dtype="Int64"),
        "big": np.where(size > 0, "yes", "no").astype(object),
        "grade": pandas.Categorical(random.choice([1, 2, 3], count), categories=[1, 2, 3]),
        "sound": (random.random(count) < 0.5).astype(object),
        "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(random.integers(0, 300, count), "D"),
    }
    frame = pandas.DataFrame(columns, index=range(100, 100 + count))
    for at, name in enumerate(list(columns)):
        frame.loc[frame.index[at :: 11 + at], name] = None
    return frame


@pytest.fixture(scope="module")
def of_arrays():
    x, holes = rows(0, 300)
    return AutoencoderImputer(steps=400, random_state=0).fit(holes), x, holes


@pytest.fixture(scope="module")
def of_frames():
    frame = table(120)
    return AutoencoderImputer(steps=40, random_state=0).fit(frame), frame


def test_an_array_comes_back_whole_and_near_the_truth(of_arrays):
    imputer, _, seen = of_arrays
    x, holes = rows(1, 200)
    gone = np.isnan(holes)
    filled = imputer.transform(holes)
    assert filled.dtype == np.float64
    np.testing.assert_array_equal(filled[~gone], holes[~gone])
    np.testing.assert_array_equal(filled[:, 3], np.round(filled[:, 3]))
    assert (filled[gone] >= np.nanmin(seen)).all()
    low, high = np.nanmin(seen, 0), np.nanmax(seen, 0)
    assert np.where(gone, (low <= filled) & (filled <= high), True).all()
    error = lambda values: np.sqrt(np.mean(((values - x) / np.nanstd(seen, 0))[gone] ** 2))
    assert error(filled) < 0.6 * error(np.broadcast_to(np.nanmean(seen, 0), x.shape))
    np.testing.assert_array_equal(imputer.transform(x), x)  # nothing to fill


def test_draws_differ_in_the_holes_alone_and_intervals_hold_the_truth(of_arrays):
    imputer, _, _ = of_arrays
    x, holes = rows(2, 300)
    gone = np.isnan(holes)
    drawn = imputer.draw(holes, draws=20, random_state=1)
    assert drawn.shape == (20, *x.shape)
    assert (drawn[:, ~gone] == x[~gone]).all()
    assert (drawn[..., 3] == np.round(drawn[..., 3])).all()
    assert drawn.std(0)[gone].min() >= 0
    assert drawn.std(0)[gone].mean() > 0.05
    np.testing.assert_array_equal(drawn, imputer.draw(holes, draws=20, random_state=1))
    assert (drawn != imputer.draw(holes, draws=20, random_state=2)).any()
    low, high = imputer.intervals(holes, level=0.8)
    np.testing.assert_array_equal(low[~gone], x[~gone])
    assert (low <= high).all()
    assert 0.65 < np.mean(((low <= x) & (x <= high))[gone]) < 0.97
    wider = imputer.intervals(holes, level=0.95)
    assert ((wider[0] <= low) & (high <= wider[1])).all()


def test_a_mixed_frame_keeps_its_types_index_and_cells(of_frames):
    imputer, frame = of_frames
    filled = imputer.transform(frame)
    assert filled.index.equals(frame.index)
    assert (filled.dtypes == frame.dtypes).all()
    assert not filled.isna().any().any()
    for name in frame:
        seen = frame[name].notna()
        assert filled.loc[seen, name].equals(frame.loc[seen, name])
    assert set(filled["big"]) == {"yes", "no"}
    assert set(filled["sound"]) == {True, False}
    assert filled["day"].between(frame["day"].min(), frame["day"].max()).all()
    assert (filled["day"] == filled["day"].dt.normalize()).all()
    assert imputer.categories_ == {"big": ["no", "yes"], "grade": [1, 2, 3]}
    assert imputer.get_feature_names_out().tolist() == frame.columns.tolist()
    again = imputer.transform(frame.iloc[::-1])
    assert again["big"].iloc[::-1].equals(filled["big"])


def test_draws_and_intervals_of_a_frame_are_frames(of_frames, tmp_path):
    imputer, frame = of_frames
    drawn = imputer.draw(frame, draws=3)
    assert len(drawn) == 3
    assert all((each.dtypes == frame.dtypes).all() and not each.isna().any().any() for each in drawn)
    low, high = imputer.intervals(frame)
    assert (low["count"] <= high["count"]).all()
    assert (low["day"] <= high["day"]).all()
    assert low["big"].equals(frame["big"])
    loaded = load(imputer.save(tmp_path / "folder"))
    assert loaded.transform(frame).equals(imputer.transform(frame))
    assert all(one.equals(other) for one, other in zip(loaded.draw(frame, 3), drawn, strict=True))


def test_the_command_line_fills_by_what_an_estimator_saved(of_arrays, tmp_path, capsys):
    imputer, _, _ = of_arrays
    folder, new = imputer.save(tmp_path / "folder"), np.array([[0.5, np.nan, 0.7, np.nan], [np.nan, 0.2, 0.3, 2]])
    np.save(tmp_path / "new.npy", new)
    apply = ["apply", str(folder), "fill", "--input", str(tmp_path / "new.npy"), "--output", str(tmp_path / "out.npy")]
    assert call(apply, capsys).code == 0
    filled = np.load(tmp_path / "out.npy")
    np.testing.assert_allclose(filled, imputer.transform(new), rtol=1e-6)
    assert filled[0, 3] == round(filled[0, 3])
    apply[2], apply[-1] = "intervals", str(tmp_path / "out.csv")
    answer = call(apply, capsys)
    assert "2 rows, 0.9 of the missing numbers lie between the ends" in answer.out
    ends = pandas.read_csv(tmp_path / "out.csv")
    assert ends.columns.tolist() == [f"{column} {end}" for column in range(4) for end in ("low", "high")]
    low, high = imputer.intervals(new)
    assert ends.loc[0, ["3 low", "3 high"]].tolist() == [low[0, 3], high[0, 3]]
    assert np.isnan(ends.loc[0, "0 low"])


def test_a_frame_of_polars_comes_back_as_one():
    polars = pytest.importorskip("polars")
    frame = polars.from_dicts(
        [
            {
                "a": at * 0.5,
                "kind": "xyz"[at % 3] if at % 7 else None,
                "day": date(2024, 1, 1 + at % 28) if at % 5 else None,
            }
            for at in range(60)
        ]
    )
    filled = AutoencoderImputer(steps=20, random_state=0).fit(frame).transform(frame)
    assert filled.schema == frame.schema
    assert not any(filled.null_count().row(0))
    assert filled["kind"].to_list()[1:7] == frame["kind"].to_list()[1:7]


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (lambda imputer: imputer.draw(np.zeros((1, 4)), draws=0), "draws: expected a whole number of 1 or more"),
        (lambda imputer: imputer.intervals(np.zeros((1, 4)), level=1.0), r"level: expected a number in \(0, 1\)"),
        (lambda imputer: imputer.transform(np.full((2, 4), np.nan)), "every value of row 1 is missing"),
    ],
)
def test_what_cannot_be_done_is_refused(way, message, of_arrays):
    with pytest.raises(UserError, match=message):
        way(of_arrays[0])


def test_a_net_that_takes_no_missing_values_is_refused():
    with pytest.raises(UserError, match="takes no missing values"):
        AutoencoderImputer(config="lecture/vanilla", changes={"task": {"name": "imputation"}}).fit(rows(0, 30)[1])


def test_few_rows_of_which_none_is_held_out_are_filled():
    _, holes = rows(4, 12)
    imputer = AutoencoderImputer(steps=20, validation_fraction=0.0, random_state=0).fit(holes)
    low, high = imputer.intervals(holes)
    assert np.isfinite(imputer.transform(holes)).all()
    assert (low <= high).all()


def test_the_example_runs():
    assert doctest.testmod(imputation).failed == 0


@pytest.mark.parametrize(
    ("cells", "mark", "filled"),
    [
        (["12,5 %", None, "3 %"], ",", ["0,25 %", "-7 %"]),
        ([" $1,000", "$7", "?"], ".", ["$0.25", "-$7"]),
        (["TRUE", "", "FALSE"], None, ["0.25", "-7"]),
        ([True, None, False], None, [False, True]),
        ([3, None, 4], None, [0, -7]),
        ([3.5, None, 4.0], None, [0.25, -7.0]),
    ],
)
def test_holes_are_filled_in_the_kind_of_their_column(cells, mark, filled):
    missing = np.array([cell in (None, "", "?") for cell in cells])
    assert frames._numbers(np.array([0.25, -7.0]), cells, missing, mark) == filled
