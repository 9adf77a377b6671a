"""New rows: near the data in mean and covariance, with the types of a frame, seeded, from folders alike."""

import jax
import numpy as np
import pandas
import pytest
import tasking
from scipy.stats import ks_2samp, norm, spearmanr
from tasking import start

from aejax.data.scaling import original, stored
from aejax.errors import UserError
from aejax.estimators import AutoencoderDetector, AutoencoderSampler, load
from aejax.models import dense
from aejax.storage.trees import named_arrays
from aejax.tasks import generation, ranges, samplers, synthesis
from aejax.tasks.common import generator
from aejax.training.evaluate import on_device, rebuilt
from aejax.types import Column, Kept, Sampler


def table(rows=200):
    random = np.random.default_rng(0)
    kind = random.choice(["pump", "valve"], rows)
    return pandas.DataFrame(
        {
            "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(random.integers(0, 300, rows), "D"),
            "kind": kind,
            "age": np.where(kind == "pump", 60, 20) + random.integers(-5, 6, rows),
            "flow": random.normal(3, 1, rows).round(2),
            "open": random.random(rows) < 0.3,
        }
    )


@pytest.fixture(scope="module")
def sampler():
    frame = table()
    frame.loc[::9, "flow"] = np.nan
    return AutoencoderSampler(steps=400, random_state=0).fit(frame)


def test_a_frame_of_the_same_columns_and_types_comes_out(sampler):
    frame, made = table(), sampler.sample(300)
    assert made.columns.tolist() == frame.columns.tolist()
    assert made.dtypes.tolist() == frame.dtypes.tolist()
    assert set(made["kind"]) == {"pump", "valve"}
    assert made["open"].mean() == pytest.approx(0.3, abs=0.15)
    assert made["age"].between(15, 65).all()
    assert made["day"].between(frame["day"].min(), frame["day"].max()).all()
    assert not made.isna().any().any()


def test_numbers_have_the_decimals_of_their_column_and_its_range(sampler):
    flow, made = table()["flow"].drop(range(0, 200, 9)), sampler.sample(2000)["flow"]
    np.testing.assert_array_equal(made, made.round(2))
    assert (made != made.round(1)).any()
    assert made.min() >= flow.min()
    assert made.max() <= flow.max()
    assert {flow.min(), flow.max()} <= set(made)  # where cut, to the last bit


def test_decimals_are_the_fewest_that_give_all_values_again():
    random, start = np.random.default_rng(0), 1.7e9
    columns = {
        "whole": random.integers(-9, 9, 50),
        "price": random.normal(20, 9, 50).round(2),
        "far": (start + random.random(50) * 9).round(1),
        "logarithm": (np.exp(random.normal(size=50)) + 0.001).round(3),
        "large": random.normal(3e8, 1e8, 50).round(4),  # of which float32 tells no decimals
    }
    x = np.stack(list(columns.values()), 1)
    x[3, 1] = np.nan
    origin, log = np.array([0, 0, start, 0, 0]), np.arange(5) == 3
    rows = stored(x, origin, log).astype(np.float32)
    dataset = tasking.dataset(rows, (30, 50, 50), names=(), mask=~np.isnan(rows))._replace(origin=origin, log=log)
    decimals = ranges.decimals(dataset)
    assert decimals.tolist() == [0, 2, 1, 3, 0]
    again = ranges.written(original(rows.astype(np.float64), origin, log), decimals)
    np.testing.assert_array_equal(again[:, :4], x[:, :4])
    assert ranges.decimals(dataset._replace(kind="image")).tolist() == [-1] * 5
    assert ranges.written(rows, np.full(5, -1)) is not rows
    np.testing.assert_array_equal(ranges.written(rows, np.full(5, -1)), rows)


def test_columns_of_made_rows_get_the_quantiles_of_real_ones():
    random = np.random.default_rng(0)
    real = np.column_stack([np.exp(random.normal(size=2000)), random.choice([0, 1, 5], 2000), random.random(2000)])
    real[::9, 0] = np.nan
    bends = lambda x: x @ np.array([[1, 0.5, 0], [0, 2, 0], [0, 0, 1]])
    sampler = Sampler(lambda key, count: key.normal(size=(count, 3)))
    levels = synthesis.quantiles(sampler, bends, real)
    assert levels.few.tolist() == [False, True, False]
    columns = (Column("a", 0), Column("b", 1), Column("c", 2, 1, ("x", "y")))
    x = bends(np.random.default_rng(1).normal(size=(4000, 3)))
    made = synthesis.matched(x, levels, columns)
    assert ks_2samp(made[:, 0], real[~np.isnan(real[:, 0]), 0]).statistic < 0.05
    assert set(made[:, 1]) == {0, 1, 5}
    assert (made[:, 1] == 5).mean() == pytest.approx((real[:, 1] == 5).mean(), abs=0.03)
    np.testing.assert_array_equal(made[:, 2], x[:, 2])
    assert spearmanr(made[:, 0], x[:, 0]).statistic > 0.999
    inside = np.argsort(x[:, 0])[[400, 2000, 3600]]
    again = [synthesis.unmatched(np.array([made[row, 0], np.nan, 0.3]), levels, columns) for row in inside]
    np.testing.assert_allclose([row[0] for row in again], x[inside, 0], atol=0.02)
    assert all(np.isnan(row[1]) and row[2] == 0.3 for row in again)


def test_columns_go_together_as_in_the_data(sampler):
    ages = sampler.sample(500).groupby("kind")["age"].mean()
    assert ages["pump"] - ages["valve"] == pytest.approx(40, abs=8)


def test_what_is_given_stands_in_every_row_and_the_others_follow(sampler):
    ages = {kind: sampler.sample(300, given={"kind": kind})["age"].mean() for kind in ("pump", "valve")}
    assert ages["pump"] - ages["valve"] == pytest.approx(40, abs=8)
    made = sampler.sample(200, given={"age": 60})
    assert (made["age"] == 60).all()
    assert (made["kind"] == "pump").mean() > 0.8
    with pytest.raises(ValueError, match=r"given: age lies outside of what was seen; allowed: 1\d to 6\d"):
        sampler.sample(3, given={"age": 90})
    with pytest.raises(ValueError, match=r"given: a category of kind: unknown 'tap'.*allowed: pump, valve"):
        sampler.sample(3, given={"kind": "tap"})


def test_the_seed_of_the_estimator_or_of_the_call_decides(sampler, tmp_path):
    pandas.testing.assert_frame_equal(sampler.sample(20), sampler.sample(20))
    assert not sampler.sample(20).equals(sampler.sample(20, random_state=1))
    opened = load(sampler.save(tmp_path / "saved"))
    pandas.testing.assert_frame_equal(opened.sample(20, random_state=1), sampler.sample(20, random_state=1))


def test_of_numbers_mean_and_covariance_are_near_those_of_the_data():
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 3)) @ random.normal(size=(3, 3)) + [0, 5, -5]
    made = AutoencoderSampler(steps=600, random_state=0).fit(x).sample(4000)
    assert made.shape == (4000, 3)
    scale = x.std(0)
    np.testing.assert_allclose(made.mean(0) / scale, x.mean(0) / scale, atol=0.2)
    np.testing.assert_allclose(np.cov(made.T / scale[:, None]), np.cov(x.T / scale[:, None]), atol=0.3)


def test_without_noise_rows_are_what_the_decoder_makes_of_drawn_codes():
    x = np.random.default_rng(0).normal(size=(60, 2))
    net = AutoencoderSampler(steps=20, random_state=0).fit(x).fitted_
    tree = named_arrays(net.kept.tree)
    codes = samplers.of_normals(*(tree[name] for name in synthesis.NORMALS)).draw(generator(jax.random.key(5)), 100)
    expected = net.decode(codes).clip(x.min(0), x.max(0))
    np.testing.assert_allclose(net.sample(100, 5, noise=0.0), expected, atol=1e-5)
    assert np.abs(net.sample(100, 5, noise=1.0) - expected).max() > 0.1


def test_wrong_numbers_of_rows_and_nets_of_other_tasks_are_refused(sampler):
    with pytest.raises(ValueError, match=r"^n_samples: 0; allowed: 1 or more$"):
        sampler.sample(0)
    other = AutoencoderDetector(steps=10).fit(np.random.default_rng(0).normal(size=(20, 2))).fitted_
    with pytest.raises(UserError, match=r"^sample: the task, anomaly, draws no new rows; allowed: .*generation$"):
        other.sample(3)


COLUMN = {"name": "a", "start": 0, "size": 1, "categories": []}


@pytest.mark.parametrize("name", ["mixture", "gaussian", "normal", "kernel"])
def test_evaluate_and_keep_leave_the_same_and_it_draws_as_the_sampler_does(name):
    model = dense.multilayer((3,), widths=(4,), code=2, output="linear")
    x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
    dataset, params, key = tasking.dataset(x, (40, 40, 60), names=()), start(model), jax.random.key(0)
    options = generation.Options(sampler=name, components=2, samples=20, neighbours=3, features="rows")
    kept = generation.keep(key, model, params, dataset, None, options)
    found = generation.evaluate(key, model, params, dataset, None, options).kept
    scaling = (dataset.shift, dataset.scale)
    drawn = lambda kept: synthesis.sample(key, model, params, scaling, kept, 2000, noise=0.0)
    if name == "kernel":
        assert kept is None
        assert found is None
        with pytest.raises(UserError, match=r"^sample: the run kept no sampler.*allowed: task.sampler=mixture"):
            drawn(None)
        return
    for path, values in kept.tree.items():
        np.testing.assert_array_equal(values, found.tree[path])
    rows = on_device(dataset.train, dataset)
    decoded = rebuilt(model, params, (rows.x - rows.shift) * rows.scale) / rows.scale + rows.shift
    decoded = np.clip(decoded, x[:40].min(0), x[:40].max(0))
    np.testing.assert_allclose(drawn(kept).mean(0), decoded.mean(0), atol=0.3 * x.std())
    np.testing.assert_array_equal(drawn(kept), drawn(kept))


def test_a_damaged_sampler_is_refused():
    model = dense.multilayer((3,), widths=(4,), code=2, output="linear")
    kept = Kept({"weights": np.ones(2), "means": np.ones((3, 2)), "noise": np.ones(3)}, {"columns": [COLUMN]})
    with pytest.raises(UserError, match=r"is damaged: it holds no sampler"):
        synthesis.sample(jax.random.key(0), model, start(model), (0.0, 1.0), kept, 1)


def test_the_density_of_rows_and_codes_is_that_of_a_normal_model(sampler):
    frame, made = table(), sampler.sample(200, 1)
    exchanged = frame.assign(age=frame["age"].to_numpy()[::-1])
    densities = [sampler.score_samples(each).mean() for each in (made, frame, exchanged)]
    assert densities[1] > densities[2] + 10
    assert densities[0] > densities[2] + 10
    holes = frame.assign(flow=np.nan)
    assert np.isfinite(sampler.score_samples(holes)).all()


def test_the_likelihood_of_a_row_is_the_product_of_its_values():
    columns = (Column("a", 0), Column("b", 1), Column("kind", 2, 1, ("x", "y")), Column("one", 3, 3, ("p", "q", "r")))
    bounds = ranges.Ranges(*np.zeros((3, 6)), *np.zeros((2, 6)), columns)
    x = np.array([[1.0, np.nan, 1, 0, 0, 1]])
    mean, width = np.array([[0.5, 0, 0.8, 0.2, 0.3, 0.5]]), np.full(6, 2.0)
    expected = norm.logpdf(1, 0.5, 2) + np.log(0.8) + np.log(0.5)
    np.testing.assert_allclose(synthesis._log_likelihood(x, mean, width, bounds), [expected])
