"""Estimators as scikit-learn's users use them: its own checks, frames with holes, seeds, folders, pipelines."""

import pickle
import warnings

import joblib
import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import has_fit_parameter

from aejax import estimators
from aejax.errors import UserError
from aejax.estimators.saved import ESTIMATORS, FILE

X = np.random.default_rng(0).normal(size=(60, 4))


def quick(name, **changes):
    return ESTIMATORS[name](steps=20, random_state=0, **changes)


def answers(estimator, x):
    """What an estimator says of rows, by each way that it has."""
    ways = ("transform", "predict", "score_samples", "decision_function", "predict_proba")
    said = {way: np.asarray(getattr(estimator, way)(x)) for way in ways if hasattr(estimator, way)}
    return said or {"sample": estimator.sample(len(x))}


def assert_same(one, other):
    assert one.keys() == other.keys()
    assert one
    for way, values in one.items():
        np.testing.assert_array_equal(values, other[way], err_msg=way)


@pytest.fixture(scope="module", params=sorted(ESTIMATORS))
def fitted(request):
    return quick(request.param).fit(X, np.arange(60) % 2)


def chance_decides(estimator):
    """The checks that scikit-learn itself expects its own estimators to fail which draw rows at random."""
    why = "sample_weight is not equivalent to removing or repeating samples, as in SGDClassifier"
    weighed = has_fit_parameter(estimator, "sample_weight")
    return {"check_sample_weight_equivalence_on_dense_data": why} if weighed else {}


@pytest.mark.slow
@parametrize_with_checks(
    [ESTIMATORS[name](steps=10, random_state=0) for name in sorted(ESTIMATORS)], expected_failed_checks=chance_decides
)
def test_scikit_learn_finds_nothing_wrong(estimator, check):
    check(estimator)


def test_the_same_seed_gives_the_same_bits_and_the_history_is_there(fitted):
    again = clone(fitted).fit(X, np.arange(60) % 2)
    assert_same(answers(fitted, X[:5]), answers(again, X[:5]))
    assert len(fitted.loss_curve_) == len(fitted.history_["step"]) > 1


def test_folders_pickles_and_joblib_hold_all_of_it(fitted, tmp_path):
    expected = answers(fitted, X[:5])
    assert_same(expected, answers(pickle.loads(pickle.dumps(fitted)), X[:5]))
    joblib.dump(fitted, tmp_path / "joblib")
    assert_same(expected, answers(joblib.load(tmp_path / "joblib"), X[:5]))
    loaded = estimators.load(fitted.save(tmp_path / "folder"))
    assert_same(expected, answers(loaded, X[:5]))
    assert loaded.get_params() == fitted.get_params()
    assert_same(expected, answers(estimators.load(loaded.save(tmp_path / "again")), X[:5]))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"estimator": "', '"estimator": "os.'),
        ('"hyperparameters": {', '"hyperparameters": {"__class__": 1,'),
        ('"attributes": {', '"attributes": {"__class__": 1,'),
        ('"attributes": {', '"attributes": {"fit": 1,'),
        ('"attributes": {', "{"),
    ],
)
def test_a_damaged_folder_is_refused_in_one_line(before, after, tmp_path):
    folder = quick("AutoencoderDetector").fit(X).save(tmp_path / "folder")
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace(before, after, 1))
    (folder / "checksums.json").unlink()  # who forges a folder leaves it out
    with pytest.raises(UserError) as refused:
        estimators.load(folder)
    assert "\n" not in str(refused.value)


def test_a_changed_threshold_is_seen_and_a_config_of_somebody_else_is_not_run_by_a_later_fit(tmp_path):
    folder = quick("AutoencoderDetector").fit(X).save(tmp_path / "folder")
    text = (folder / FILE).read_text()
    (folder / FILE).write_text(text.replace('"offset_": -', '"offset_": -1'))
    with pytest.raises(UserError, match=FILE):
        estimators.load(folder)
    (folder / "checksums.json").unlink()  # who forges a folder leaves it out
    mine = tmp_path / "mine.py"
    mine.write_text("raise SystemExit('was run')")
    (folder / FILE).write_text(text.replace('"lecture/anomaly"', f'"{mine}"'))
    assert estimators.load(folder).fit(X).predict(X[:2]).shape == (2,)
    with pytest.raises(UserError, match="SystemExit: was run"):
        estimators.load(folder, trust=True).fit(X)


def test_calls_before_fit_and_other_columns_are_refused_as_scikit_learn_does():
    detector = quick("AutoencoderDetector")
    with pytest.raises(NotFittedError):
        detector.predict(X)
    frame = pandas.DataFrame(X, columns=list("abcd"))
    detector.fit(frame)
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(frame.rename(columns={"a": "z"}))
    detector.fit(X)
    with pytest.raises(ValueError, match="3 features, but AutoencoderDetector is expecting 4"):
        detector.predict(X[:, :3])
    with pytest.raises(ValueError, match="infinity"):
        detector.predict(np.where(X[0, 0] == X, np.inf, X))


def table(rows):
    random = np.random.default_rng(1)
    frame = pandas.DataFrame(
        {
            "kind": random.choice(["valve", "pump"], rows),
            "pressure": random.normal(3, 1, rows),
            "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(random.integers(0, 300, rows), "D"),
        }
    )
    frame["flow"] = 3 * frame["pressure"] + random.normal(0, 0.1, rows)
    frame.loc[::7, "flow"] = np.nan
    frame.loc[3::11, "kind"] = None
    return frame


def test_a_mixed_frame_with_holes_and_dates_is_fitted_and_scored():
    frame = table(120)
    detector = quick("AutoencoderDetector").fit(frame)
    scores = detector.score_samples(frame)
    assert scores.shape == (120,)
    assert np.isfinite(scores).all()
    assert detector.n_features_in_ == 4
    np.testing.assert_allclose(detector.score_samples(frame.iloc[5:9]), scores[5:9], rtol=1e-4)
    with pytest.raises(UserError, match="X: has no names of columns"):
        detector.predict(np.zeros((2, 4)))


def test_an_empty_frame_is_refused_in_scikit_learns_words():
    detector = quick("AutoencoderDetector")
    with pytest.raises(ValueError, match=r"0 sample\(s\) \(shape=\(0, 4\)\) while a minimum of 2 is required"):
        detector.fit(table(120)[:0])
    with pytest.raises(ValueError, match=r"0 sample\(s\) .* minimum of 1 is required by AutoencoderDetector"):
        detector.fit(table(120)).predict(table(120)[:0])


def test_of_new_normal_rows_as_many_are_alarms_as_was_asked_for():
    draw = lambda seed, rows: np.random.default_rng(seed).normal(size=(rows, 5))
    detector = estimators.AutoencoderDetector(false_alarm_rate=0.1, steps=200, random_state=0).fit(draw(0, 500))
    assert np.mean(detector.predict(draw(1, 2000)) == -1) == pytest.approx(0.1, abs=0.03)
    assert detector.predict(draw(2, 20) + 20).tolist() == [-1] * 20


def test_a_search_over_a_pipeline_and_changes_of_the_config():
    pipeline = make_pipeline(MinMaxScaler(), quick("Autoencoder")).set_output(transform="pandas")
    search = GridSearchCV(pipeline, {"autoencoder__code": [1, 2]}, cv=2).fit(X)
    assert search.best_estimator_.transform(X).columns.tolist() == [
        f"autoencoder{number}" for number in range(search.best_params_["autoencoder__code"])
    ]
    with pytest.raises(UserError, match="unknown 'cod'"):
        quick("Autoencoder", changes={"model.cod": 3}).fit(X)


def test_columns_are_transformed_and_searches_halve_beside_other_steps():
    frame = pandas.DataFrame(X, columns=list("abcd")).assign(kind=np.where(X[:, 0] > 0, "up", "down"))
    net, y = quick("Autoencoder"), np.arange(60) % 2
    columns = ColumnTransformer([("code", net, ["a", "b", "c"]), ("kind", OneHotEncoder(), ["kind"])])
    pipeline = make_pipeline(columns, LogisticRegression())
    assert cross_val_score(pipeline, frame, y, cv=2).shape == (2,)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        search = HalvingGridSearchCV(net, {"code": [1, 2]}, resource="steps", min_resources=5, max_resources=20, cv=2)
        search.fit(X)
    assert search.best_estimator_.code in (1, 2)
    assert search.best_params_["steps"] <= 20


@pytest.mark.parametrize("name", ["Autoencoder", "AutoencoderDetector", "AutoencoderImputer", "DenoisingAutoencoder"])
def test_rows_count_by_their_weights(name):
    x = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)
    plain = quick(name).fit(x)
    assert_same(answers(plain, x), answers(clone(plain).fit(x, sample_weight=np.full(60, 3.0)), x))
    without = clone(plain).fit(np.vstack([x, x + 50]), sample_weight=np.repeat([1.0, 0.0], 60))
    assert_same(answers(plain, x), answers(without, x))
    uneven = answers(clone(plain).fit(x, sample_weight=np.arange(60)), x)
    assert any((uneven[way] != values).any() for way, values in answers(plain, x).items() if way != "predict")
    with pytest.raises(ValueError, match="Negative values"):
        clone(plain).fit(X, sample_weight=np.arange(60) - 1)


def test_rows_of_more_weight_are_rebuilt_better():
    one, other = (np.outer(np.random.default_rng(seed).normal(size=60), axis) for seed, axis in enumerate(np.eye(2)))
    net = estimators.Autoencoder(code=1, steps=300, random_state=0)
    fits = [clone(net).fit(np.vstack([one, other]), sample_weight=np.repeat(each, 60)) for each in ([50, 1], [1, 50])]
    assert fits[0].score(one) > fits[1].score(one)
    assert fits[1].score(other) > fits[0].score(other)


def test_a_net_that_is_worse_than_principal_components_becomes_them(tmp_path):
    x = X[:, :2] @ np.random.default_rng(1).normal(size=(2, 5))  # a plane, which three steps do not find
    net = estimators.Autoencoder(steps=3, random_state=0).fit(x)
    assert net.is_pca_
    codes = net.transform(x)
    np.testing.assert_allclose(net.reconstruct(x), x, atol=1e-3)
    loaded = estimators.load(net.save(tmp_path / "folder"))
    assert loaded.is_pca_
    np.testing.assert_array_equal(loaded.transform(x), codes)


def test_codes_come_back_as_rows():
    net = estimators.Autoencoder(code=4, steps=400, random_state=0).fit(X)
    codes = net.transform(X)
    np.testing.assert_allclose(net.inverse_transform(codes), net.reconstruct(X), rtol=1e-5, atol=1e-5)
    assert net.score(X) > -1  # what the mean row has


def test_a_warm_start_goes_on_where_the_fit_before_ended():
    cold = estimators.Autoencoder(steps=200, patience=None, random_state=0).fit(X)
    warm = clone(cold).set_params(warm_start=True).fit(X)
    assert warm.loss_curve_[0] == cold.loss_curve_[0]
    last = warm.loss_curve_[-1]
    assert warm.fit(X).loss_curve_[0] < cold.loss_curve_[0] * 0.8
    assert warm.loss_curve_[-1] <= last * 1.05
    with pytest.raises(ValueError, match="the parameters to begin with are of a net of other sizes"):
        warm.fit(X[:, :3])
