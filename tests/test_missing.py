"""Holes in data: how they are made and remembered, columns of categories, and what a net gets to see of both."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from running import assert_refused, call, quick_programs

from aejax import config as configs
from aejax import data
from aejax.config import components
from aejax.config.overrides import override
from aejax.data import corrupt, missing
from aejax.errors import UserError
from aejax.losses import imputation
from aejax.metrics.imputation import rmse
from aejax.models import dense, masked
from aejax.models.links import link, mixed, whole
from aejax.training.build import load_data
from aejax.training.context import Forward, Keys, batch_of, context
from aejax.training.evaluate import on_device
from aejax.types import Column


@pytest.fixture(scope="module", autouse=True)
def _quick(tmp_path_factory):
    with quick_programs(tmp_path_factory.getbasetemp() / "programs"):
        yield


key = lambda: jax.random.key(5)  # a new one for each use: no key is used twice
X = np.random.default_rng(0).normal(size=(4000, 8)).astype(np.float32)
MECHANISMS = {
    "none": {},
    "completely_at_random": {"rate": 0.3},
    "at_random": {"rate": 0.3},
    "not_at_random": {"rate": 0.3},
    "square": {"size": 3},
}


def test_every_mechanism_is_looked_at():
    assert set(MECHANISMS) == set(components.available("aejax.data.missing"))


@pytest.mark.parametrize("name", MECHANISMS)
def test_a_mechanism_is_a_function_of_its_key_that_hides_at_its_rate(name):
    x = X.reshape(-1, 4, 2, 1) if name == "square" else X
    options = {"size": 1} if name == "square" else MECHANISMS[name]
    hide = getattr(missing, name)
    hidden = hide(key(), x, **options)
    assert hidden.shape == x.shape
    assert hidden.dtype == bool
    np.testing.assert_array_equal(hidden, hide(key(), x, **options))
    share = {"none": 0.0, "square": 1 / 8, "at_random": 0.3 * 6 / 8}.get(name, 0.3)
    assert hidden.mean() == pytest.approx(share, abs=0.01)
    if name != "none":
        assert not np.array_equal(hidden, hide(jax.random.key(6), x, **options))


def test_completely_at_random_looks_at_no_value():
    hidden = missing.completely_at_random(key(), X, rate=0.3)
    assert abs(X[hidden].mean() - X[~hidden].mean()) < 0.05
    np.testing.assert_array_equal(hidden, missing.completely_at_random(key(), 5 - X, rate=0.3))


def test_at_random_looks_at_the_columns_that_are_always_seen_and_no_other():
    hidden = missing.at_random(key(), X, rate=0.4, always=0.25)
    seen = ~hidden.any(0)
    assert seen.sum() == 2
    differences = [
        abs(X[hidden[:, j], i].mean() - X[~hidden[:, j], i].mean()) for j in np.flatnonzero(~seen) for i in range(8)
    ]
    assert max(differences) > 0.3
    others = np.where(seen, X, X[::-1])
    np.testing.assert_array_equal(hidden, missing.at_random(key(), others, rate=0.4, always=0.25))


def test_not_at_random_hides_a_value_for_its_own_size():
    hidden = missing.not_at_random(key(), X, rate=0.4)
    ranks = X.argsort(0).argsort(0)
    upper = ranks >= 2000
    assert hidden[upper].mean() == pytest.approx(0.6, abs=0.02)
    assert hidden[~upper].mean() == pytest.approx(0.2, abs=0.02)
    equal = missing.not_at_random(key(), np.ones((4000, 1), np.float32), rate=0.4)
    assert equal.mean() == pytest.approx(0.4, abs=0.03)


def test_a_square_of_pixels():
    hidden = missing.square(key(), np.zeros((500, 6, 5, 2), np.float32), size=3)
    corners = set()
    for image in hidden:
        rows, columns, _ = np.nonzero(image)
        box = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert box.shape == (3, 3, 2)
        assert box.all()
        corners.add((rows.min(), columns.min()))
    assert corners == {(i, j) for i in range(4) for j in range(3)}


@pytest.mark.parametrize(
    ("name", "x", "options", "message"),
    [
        ("square", X, {}, "^data.missing: square hides pixels, and rows are no images"),
        (
            "square",
            np.zeros((2, 4, 3, 1)),
            {"size": 3},
            "^data.missing.size: 3 leaves nothing of 4x3 pixels; allowed: 1 to 2",
        ),
        ("at_random", X[:, :1], {}, "^data.missing: at_random needs two columns"),
    ],
)
def test_what_cannot_be_hidden_is_refused(name, x, options, message):
    with pytest.raises(UserError, match=message):
        getattr(missing, name)(key(), x, **options)


# In a data set.


def test_hidden_values_are_remembered_and_seen_by_nothing_else():
    whole_rows = data.load("satimage", scaling="standard")
    dataset = data.load("satimage", scaling="standard", missing={"name": "completely_at_random", "rate": 0.2})
    for name in ("train", "validation", "test"):
        before, after = getattr(whole_rows, name), getattr(dataset, name)
        np.testing.assert_array_equal(after.truth, before.x)
        np.testing.assert_array_equal(after.x[after.mask], before.x[after.mask])
        assert (~after.mask).mean() == pytest.approx(0.2, abs=0.01)
    mean = np.where(dataset.train.mask, dataset.train.x, np.nan)
    expected = np.nanmean(mean.astype(np.float64), 0)
    places = np.nonzero(~dataset.test.mask)
    np.testing.assert_allclose(dataset.test.x[places], expected[places[1]], rtol=1e-5)
    np.testing.assert_allclose(dataset.shift, expected, rtol=1e-5)
    other = data.load("satimage", missing={"name": "completely_at_random", "rate": 0.2}, split_seed=1)
    assert not np.array_equal(other.test.mask, dataset.test.mask)


def test_a_row_keeps_a_value():
    dataset = data.load("swiss_roll", missing={"name": "completely_at_random", "rate": 0.9})
    left = dataset.train.mask.sum(1)
    assert left.min() == 1
    assert (left == 3).sum() > 0.5 * len(left)


def write(path, text):
    path.write_text(text)
    return f"file:{path}"


TABLE = "age,sex,region,kind\n" + "".join(
    f"{20 + i},{('m', 'f')[i % 2]},{('north', 'south', 'west')[i % 3]},{i % 2}\n" for i in range(30)
)
HOLES = TABLE.replace("20,m,north", "20,,north").replace("21,f,south", "21,f,").replace("22,m,west", ",m,west")


@pytest.mark.parametrize(("text", "name"), [("b", "b"), ("('b',)", "b"), ("1", "1"), ("(1,)", "1")])
def test_one_column_of_categories_needs_no_tuple(text, name, tmp_path):
    (tmp_path / "t.csv").write_text(("a,b\n" if name == "b" else "") + "1,7\n2,8\n3,9\n" * 4)
    given = configs.base().to_dict()
    override(given, [f"data.name=file:{tmp_path / 't.csv'}", f"data.categories={text}"])
    given = configs.resolve(given | {"terms": {"error": {"name": "reconstruction.squared_error", "weight": 1.0}}})
    assert load_data(given["data"]).columns[1] == Column(name, 1, 3, ("7", "8", "9"))


def test_categories_become_features_and_stay_zero_and_one(tmp_path):
    name = write(tmp_path / "rows.csv", HOLES)
    options = {"label_column": "kind", "categories": ("region", "sex"), "test": 0.0, "validation": 0.0}
    dataset = data.load(name, scaling="standard", **options)
    assert dataset.columns == (
        Column("age", 0),
        Column("sex", 1, 1, ("f", "m")),
        Column("region", 2, 3, ("north", "south", "west")),
    )
    assert dataset.feature_names == ("age", "sex=m", "region=north", "region=south", "region=west")
    expected = [[np.nan, 1, 0, 0, 1], [21, 0, np.nan, np.nan, np.nan], [20, np.nan, 1, 0, 0]]
    found = np.where(dataset.train.mask, dataset.train.x, np.nan)
    np.testing.assert_array_equal(found[[2, 1, 0]], expected)
    np.testing.assert_array_equal(dataset.shift[1:], 0)
    np.testing.assert_array_equal(dataset.scale[1:], 1)
    assert dataset.scale[0] != 1
    hidden = data.load(name, missing={"name": "not_at_random", "rate": 0.5}, **options).train
    lost = ~hidden.mask
    assert (lost[:, 2:] == lost[:, 2:3]).all()
    assert 3 < lost[:, 2].sum() < 27


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (TABLE, {"categories": ("sexe",)}, r"unknown 'sexe' \(did you mean 'sex'\?\)"),
        (
            TABLE,
            {"categories": ("sex",)},
            r"column 'region' holds text .*; encode it as numbers, drop it, or name it in data.cat",
        ),
        (TABLE, {"categories": ("sex", "region", "age", "kind")}, None),
        ("a,b\n" + "1,x\n" * 5, {"categories": ("b",)}, "column 'b' has 1 categories; allowed: 2 to 100"),
        ("a,b\n" + "".join(f"1,x{i}\n" for i in range(101)), {"categories": ("b",)}, "column 'b' has 101 categories"),
        ("a,b\n1,2\n,\n3,4\n", {}, "every value of row 2 is missing; drop the row"),
        ("a,b\n1,\n3,\n", {}, "every value of column 'b' is missing; drop the column"),
    ],
)
def test_tables_with_categories_or_holes_that_do_not_fit(text, options, message, tmp_path):
    name = write(tmp_path / "rows.csv", text)
    if message is None:
        assert data.load(name, **options).columns[0].size == 30
        return
    with pytest.raises(UserError, match=message) as caught:
        data.load(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "fragment"),
    [
        ({"data.missing.name": "at_randm"}, "data.missing.name: unknown 'at_randm' (did you mean 'at_random'?)"),
        ({"data.missing.rate": "1.5"}, "data.missing.rate: expected float in (0, 1), got 1.5"),
        (
            {"data.missing.name": "not_at_random", "data.missing.rate": "0.6"},
            "data.missing.rate: expected float in (0, 0.5]",
        ),
        ({"data.missing.size": "2"}, "unknown 'size'"),
        (
            {"data.missing": "{'name': 'none'}"},
            "imputation: satimage has no missing values; allowed: a table with empty",
        ),
        ({"data.validation": "0"}, "imputation: there are no validation rows"),
        ({"data.categories": "('a',)"}, "data.categories: 'satimage' does not take it; only file data do"),
        (
            {"model": "{'name': 'dense.vanilla'}"},
            "corruption.name: holes hides values, and this dense.vanilla takes",
        ),
    ],
)
def test_a_run_is_refused_in_one_line_and_nothing_is_written(settings, fragment, tmp_path, capsys):
    words = [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]
    assert_refused(call(["run", "lecture/imputation", "--workdir", str(tmp_path / "run"), *words], capsys), fragment)
    assert not (tmp_path / "run").exists()


# What a net sees.


def test_holes_of_training_are_drawn_or_another_rows():
    x = np.ones((2000, 10), np.float32)
    x[::2, 3] = x[::3, 7] = np.nan
    own = np.isnan(x)
    drawn = np.isnan(np.asarray(corrupt.holes(key(), jnp.asarray(x), least=0.1, most=0.3, borrowed=0.0)))
    assert (drawn | ~own).all()
    fresh = (drawn & ~own).sum(1) / (~own).sum(1)
    assert fresh.mean() == pytest.approx(0.2, abs=0.01)
    assert fresh.std() > np.sqrt(0.2 * 0.8 / 9) * 1.02
    lent = np.isnan(np.asarray(corrupt.holes(key(), jnp.asarray(x), borrowed=1.0))) & ~own
    assert not lent[:, [0, 1, 2, 4, 5, 6, 8, 9]].any()
    assert lent[:, [3, 7]].any()
    found = np.asarray(corrupt.holes(key(), jnp.asarray(x), least=0.1, most=0.3))
    traced = {"least": jnp.float32(0.1), "most": jnp.float32(0.3), "borrowed": jnp.float32(0.5)}
    np.testing.assert_array_equal(found, jax.jit(corrupt.holes)(key(), jnp.asarray(x), **traced))
    noisy = np.asarray(corrupt.holes(key(), jnp.asarray(x), least=0.1, most=0.3, noise=0.5))
    np.testing.assert_array_equal(np.isnan(noisy), np.isnan(found))
    assert np.nanstd(noisy) == pytest.approx(0.5, rel=0.05)
    alone = corrupt.holes(key(), jnp.asarray(x[:1]), borrowed=1.0)  # nobody to borrow from
    np.testing.assert_array_equal(alone, x[:1])
    np.testing.assert_array_equal(found[~np.isnan(found)], 1)


def test_a_net_that_takes_missing_values_is_shown_them_and_others_the_mean():
    dataset = data.load("clusters", scaling="standard", missing={"name": "completely_at_random", "rate": 0.3})
    rows = on_device(dataset.validation, dataset)
    keys = Keys(key(), jax.random.key(1), jax.random.key(2))
    for model, gone in ((masked.residual((8,), width=8, blocks=1, code=4), True), (dense.vanilla((8,)), False)):
        params = jax.jit(model.init)(jax.random.key(3))
        ctx = context(Forward(model, corrupt.none, dataset.range), params, batch_of(rows, None), keys, {})
        np.testing.assert_array_equal(np.isnan(ctx.x_in), ~np.asarray(rows.mask) & gone)
        assert np.isfinite(ctx.x).all()
        assert np.isfinite(ctx.x_hat).all()


COLUMNS = (Column("a", 0), Column("b", 1, 1, ("x", "y")), Column("c", 2, 3, ("p", "q", "r")), Column("d", 5))


def test_links_are_numbers_probabilities_and_probabilities_that_sum_to_one():
    z = np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)
    found = np.asarray(link(COLUMNS, jnp.asarray(z)))
    np.testing.assert_array_equal(found[:, [0, 5]], z[:, [0, 5]])
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-z[:, 1])), rtol=1e-5)
    np.testing.assert_allclose(found[:, 2:5], np.exp(z[:, 2:5]) / np.exp(z[:, 2:5]).sum(1, keepdims=True), rtol=1e-5)
    model = masked.residual((6,), width=8, blocks=1, code=4)
    both, params = mixed(model, COLUMNS), jax.jit(model.init)(key())
    ctx = both.apply(params, jnp.asarray(z), jnp.asarray(z), jax.random.key(0))
    np.testing.assert_allclose(ctx.x_hat, both.decode(params, both.encode(params, jnp.asarray(z))), rtol=1e-5)
    np.testing.assert_allclose(ctx.x_hat, link(COLUMNS, ctx.extra["natural"]), rtol=1e-6)
    assert ctx.columns == COLUMNS
    assert mixed(model, ()) is model
    bounded = mixed(dense.vanilla((6,), output="tanh"), COLUMNS)
    with pytest.raises(UserError, match=r"^model\.output: a table with categories needs"):
        bounded.apply(dense.vanilla((6,)).init(jax.random.key(1)), jnp.asarray(z), jnp.asarray(z), jax.random.key(0))


def test_a_category_is_hidden_whole_or_not_at_all():
    x = np.arange(12, dtype=np.float32).reshape(2, 6)
    x_in = x.copy()
    x_in[0, [0, 2]] = x_in[1, [3, 4]] = np.nan
    expected = x.copy()
    expected[0, [0, 2, 3, 4]] = np.nan
    np.testing.assert_array_equal(whole(COLUMNS, jnp.asarray(x), jnp.asarray(x_in)), expected)


@pytest.mark.parametrize("gain", [1.0, 7.0])
def test_a_value_goes_in_on_a_scale_that_long_tails_do_not_rule(gain):
    x, seen = np.array([[-30.0, 0.4], [2.0, 9.0]], np.float32), np.array([[True, True], [False, True]])
    waves = masked.Waves(3, 0.1, gain)
    params = waves.init(key(), jnp.asarray(x), jnp.asarray(seen))
    found = np.asarray(waves.apply(params, jnp.asarray(x), jnp.asarray(seen))).reshape(2, 2, 8)
    frequency = np.asarray(params["params"]["frequency"])
    for i, j in np.ndindex(2, 2):
        v = np.sign(x[i, j]) * np.log(gain * abs(x[i, j]) + np.hypot(gain * x[i, j], 1))
        angles = 2 * np.pi * v * frequency[j]
        expected = np.concatenate([[v, 1], np.sin(angles), np.cos(angles)]) * seen[i, j]
        np.testing.assert_allclose(found[i, j], expected, rtol=1e-4, atol=1e-5)


def test_the_last_layer_speaks_in_units_of_the_gain_and_softplus_bends_it_up_from_zero():
    x = jnp.asarray(np.random.default_rng(6).uniform(size=(4, 6)), jnp.float32)
    linear, bent = (masked.residual((6,), width=8, blocks=1, code=4, gain=5.0, output=o) for o in masked.OUTPUTS)
    params = jax.jit(linear.init)(key())
    z = 5 * np.asarray(linear.decode(params, linear.encode(params, x)), np.float64)
    assert (z < 0).any()
    np.testing.assert_allclose(bent.decode(params, bent.encode(params, x)), np.log(1 + np.exp(z)) / 5, rtol=1e-4)
    with pytest.raises(UserError, match=r"^model\.output: .*tanh.*allowed: linear, softplus"):
        masked.residual((6,), output="tanh")
    with pytest.raises(UserError, match=r"^model\.output: a table with categories needs"):
        mixed(bent, COLUMNS).apply(params, x, x, jax.random.key(1))


def test_a_hole_in_a_skewed_column_is_filled_with_the_mean_of_the_column_itself():
    """Not with what the mean of arsinh x, on whose scale values go in, would be turned back into."""
    skewed = np.random.default_rng(7).lognormal(sigma=1.5, size=400)
    skewed = (skewed - skewed.min()) / np.ptp(skewed)
    x = jnp.asarray(np.column_stack([skewed, np.full(400, 0.5)]), jnp.float32)
    model = masked.residual((2,), width=8, blocks=1, code=4, gain=20.0, output="softplus")
    asked = x.at[:, 0].set(jnp.nan)
    cost = lambda p: imputation.likelihood(model.apply(p, x, asked, jax.random.key(1)))
    rule = optax.adam(optax.linear_schedule(1e-2, 0.0, 400))
    params = jax.jit(model.init)(key())

    def step(carry, _):
        params, state = carry
        updates, state = rule.update(jax.grad(cost)(params), state)
        return (optax.apply_updates(params, updates), state), None

    params = jax.jit(lambda p: jax.lax.scan(step, (p, rule.init(p)), length=400)[0][0])(params)
    found = float(model.decode(params, model.encode(params, asked[:1]))[0, 0])
    assert found == pytest.approx(skewed.mean(), rel=0.02)
    assert np.sinh(np.arcsinh(20 * skewed).mean()) / 20 < 0.8 * skewed.mean()


def test_what_is_trained_on_with_columns_in_units_of_their_range_is_what_is_judged():
    """Each column counts with the square of its standard deviation ÷ its range, beside z-scores."""
    rng, dataset = np.random.default_rng(8), data.load("clusters", scaling="unit")
    x, columns = (np.asarray(rows, np.float64) for rows in (dataset.train.x[:50], np.ptp(dataset.train.x, axis=0)))
    guess, hidden = x + rng.normal(size=x.shape), rng.uniform(size=x.shape) < 0.3
    scaled = lambda rows: jnp.asarray((rows - dataset.shift) * dataset.scale, jnp.float32)
    model = masked.residual((8,), width=8, blocks=1, code=4)
    ctx = model.apply(jax.jit(model.init)(key()), scaled(x), scaled(x), jax.random.key(1))
    ctx = ctx._replace(x_hat=scaled(guess), extra={"seen": jnp.asarray(~hidden)})
    deviation = np.asarray(dataset.train.x, np.float64).std(0)
    z_scored = np.square((guess - x) / deviation) * np.square(deviation / columns)
    assert float(imputation.likelihood(ctx)) == pytest.approx(0.5 * (z_scored * hidden).sum() / 50, rel=1e-4)
    judged = rmse(x / columns, guess / columns, hidden)
    assert float(imputation.likelihood(ctx)) == pytest.approx(0.5 * judged**2 * hidden.sum() / 50, rel=1e-4)


def test_chained_equations_end_at_the_conditional_mean_of_a_gaussian():
    """The coefficients are those of each column's regression on all others, −Λ_ij/Λ_ii with the precision Λ."""
    rng = np.random.default_rng(4)
    precision = np.eye(5) + 0.15 * (lambda a: a + a.T)(rng.uniform(-1, 1, (5, 5)))
    mean, covariance = rng.normal(size=5), np.linalg.inv(precision)
    coefficients = np.eye(5) - precision / np.diag(precision)[None]
    x, seen = rng.normal(size=(7, 5)), rng.uniform(size=(7, 5)) < 0.5
    params = {"coefficients": coefficients / masked.PACE, "offset": mean - mean @ coefficients}
    find = lambda rounds: masked.chained(*jax.tree.map(jnp.float32, (params, x)), jnp.asarray(seen), rounds)
    first = np.where(seen, x, params["offset"])
    np.testing.assert_allclose(find(0), first, rtol=1e-5)
    np.testing.assert_allclose(find(1), np.where(seen, x, first @ coefficients + params["offset"]), rtol=1e-4)
    for row, there, found in zip(x, seen, np.asarray(find(200)), strict=True):
        known = np.linalg.solve(covariance[np.ix_(there, there)], (row - mean)[there])
        np.testing.assert_allclose(found[~there], mean[~there] + covariance[np.ix_(~there, there)] @ known, atol=1e-4)
        np.testing.assert_array_equal(found[there], np.float32(row[there]))


def test_the_net_learns_what_the_equations_leave():
    model = masked.residual((3,), width=8, blocks=1, code=4, rounds=2, gain=5.0)
    params = jax.jit(model.init)(key())
    params["equations"] = {"coefficients": jnp.full((3, 3), 0.1), "offset": jnp.array([1.0, 2.0, 3.0])}
    x = jnp.array([[0.3, jnp.nan, jnp.nan], [jnp.nan, 0.5, 0.7]])
    code = model.encode(params, x)
    filled = masked.chained(params["equations"], jnp.nan_to_num(x), ~jnp.isnan(x), 2)
    assert code.shape == (2, model.code_size)
    np.testing.assert_array_equal(code[:, 4:], filled)
    without = masked.residual((3,), width=8, blocks=1, code=4, gain=5.0)
    rest = without.decode(params, code[:, :4])
    np.testing.assert_allclose(model.decode(params, code), filled + rest, rtol=1e-5)
    other = params | {"equations": jax.tree.map(lambda leaf: 2 * leaf, params["equations"])}
    assert not np.allclose(model.encode(other, x)[:, :4], code[:, :4], atol=1e-4), "the net sees what they fill"


def test_units_drop_out_in_training_only():
    model = masked.residual((6,), width=16, blocks=2, code=4, dropout=0.5)
    params = jax.jit(model.init)(key())
    x = jnp.asarray(np.random.default_rng(3).normal(size=(4, 6)), jnp.float32)
    passes = [model.apply(params, x, x, jax.random.key(seed)).x_hat for seed in (1, 1, 2)]
    np.testing.assert_array_equal(passes[0], passes[1])
    assert not np.allclose(passes[0], passes[2], atol=1e-6)
    plain = masked.residual((6,), width=16, blocks=2, code=4)
    as_plain = plain.apply(params, x, x, jax.random.key(1)).x_hat
    np.testing.assert_allclose(model.decode(params, model.encode(params, x)), as_plain, rtol=1e-5)


def test_the_masked_net_says_nothing_of_what_stands_below_a_hole():
    model = masked.residual((6,), width=16, blocks=2, code=4)
    params = jax.jit(model.init)(key())
    x = np.random.default_rng(2).normal(size=(3, 6)).astype(np.float32)
    x[:, 1] = np.nan
    reconstruct = jax.jit(lambda p, x: model.decode(p, model.encode(p, x)))
    before = np.asarray(reconstruct(params, x))
    assert np.isfinite(before).all()
    assert not np.allclose(before, reconstruct(params, np.nan_to_num(x)), atol=1e-6), "a hole is no zero"
    slope = jax.jit(jax.grad(lambda p: jnp.square(reconstruct(p, x)).sum()))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
