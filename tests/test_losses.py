"""One battery over every loss term: beside scalar loops in float64, and the identities that all terms share."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from aejax import components, schedules
from aejax.errors import UserError
from aejax.losses import compose, imputation, reconstruction, sparsity, weights
from aejax.types import Column, Context, Range

TERMS = components.available("aejax.losses")
HYPERPARAMETERS = {
    "neighbours.contrastive": {"temperature": 0.3},
    "neighbours.same_code": {"flip": 0.1},
    "sparsity.kl_bernoulli": {"target_rate": 0.1},
    "structure.stochastic_neighbours": {"bandwidth": 0.3},
    "supervised.soft_nearest_neighbour": {"temperature": 0.5},
    "clustering.centres": {"blur": 0.3},
    "imputation.likelihood": {"visible": 0.3},
    "latent.kl_standard_normal": {"free_bits": 0.5},
    "reconstruction.huber": {"delta": 0.3},
    "reconstruction.correntropy": {"width": 0.4},
}
DRAWING = (
    *("structure.contractive_estimate", "clustering.neighbours"),
    *("neighbours.contrastive", "neighbours.same_code", "neighbours.squared_error"),
)
"""Draw by their place in the sum."""
HELD = ("clustering.centres", "clustering.joint")
"""Hold something still that depends on the parameters: tests/test_clustering.py has their gradients."""


def arrays(m=5, n=4, d=3, seed=0, scale=2.0):
    """What a context is made of: targets, pre-activations and kernels."""
    rng = np.random.default_rng(seed)
    return {
        "x": rng.uniform(size=(m, n)),
        "z_out": scale * rng.normal(size=(m, n)),
        "z_code": scale * rng.normal(size=(m, d)),
        "z_hard": rng.uniform(-2.9, 2.9, size=(m, d)),
        "kernel": rng.normal(size=(n, d)),
        "bias": rng.normal(size=(d,)),
        "distance": rng.uniform(1, 2, size=(m, 2 * m)),
        "centres": rng.uniform(size=(2, 3, d)),
        "table": rng.uniform(size=(2 * m, n)),
    }


def context(parts, mask=None, dtype=jnp.float32):
    """A context as a model with a sigmoid code, a hard-sigmoid layer and a sigmoid output makes it."""
    parts = {name: jnp.asarray(values, dtype) for name, values in parts.items()}
    code, x_hat = jax.nn.sigmoid(parts["z_code"]), jax.nn.sigmoid(parts["z_out"])
    return Context(
        x=parts["x"],
        x_in=parts["x"],
        code=code,
        x_hat=x_hat,
        hidden={"code": code, "hard": jax.nn.hard_sigmoid(parts["z_hard"])},
        log_odds={"code": parts["z_code"], "x_hat": parts["z_out"]},
        params={
            "encoder": {"layer0": {"kernel": parts["kernel"], "bias": parts["bias"]}},
            "decoder": {"layer0": {"kernel": parts["kernel"].T * 2}},
        },
        ranges={name: Range(0, 1) for name in ("x", "x_hat", "code", "hard")},
        mask=None if mask is None else jnp.asarray(mask),
        index=2 * jnp.arange(len(parts["x"])),
        labels=jnp.arange(len(parts["x"])) % 2,
        relations={
            "geodesics": {"distance": parts["distance"]},
            "walks": {"index": walks(len(parts["x"]))},
            "neighbours": {"index": walks(len(parts["x"]))},
        },
        rows=lambda index: parts["table"][index],
        encode=lambda x: jax.nn.sigmoid(x @ parts["kernel"] + parts["bias"][None]),
        key=jax.random.key(9),
        extra={
            "centres": parts["centres"],
            "seen": seen(*parts["x"].shape),
            "natural": parts["z_out"],
            "mean": parts["z_code"],
            "log_variance": parts["z_hard"],
        },
    )


def walks(m):
    """Four places among 2m rows for each of m rows."""
    return jnp.asarray(np.random.default_rng(5).integers(0, 2 * m, (m, 4)))


def seen(m, n):
    """What the net saw: every third value."""
    return (np.arange(m)[:, None] + np.arange(n)) % 3 == 0


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def mean_over_rows(values):
    return math.fsum(math.fsum(row) for row in values) / len(values)


def cross_entropy(parts, mask):
    m, n = parts["x"].shape
    cost = lambda x, p: -(x * math.log(p) + (1 - x) * math.log(1 - p))
    return mean_over_rows(
        [[mask[j, i] * cost(parts["x"][j, i], sigmoid(parts["z_out"][j, i])) for i in range(n)] for j in range(m)]
    )


def squared_error(parts, mask):
    m, n = parts["x"].shape
    return mean_over_rows(
        [[mask[j, i] * (parts["x"][j, i] - sigmoid(parts["z_out"][j, i])) ** 2 / 2 for i in range(n)] for j in range(m)]
    )


def mean_cost(parts, mask, cost):
    m, n = parts["x"].shape
    return mean_over_rows(
        [[mask[j, i] * cost(parts["x"][j, i] - sigmoid(parts["z_out"][j, i])) for i in range(n)] for j in range(m)]
    )


def huber(parts, mask, delta):
    return mean_cost(parts, mask, lambda r: r**2 / 2 if abs(r) <= delta else delta * (abs(r) - delta / 2))


def correntropy(parts, mask, width):
    return mean_cost(parts, mask, lambda r: width**2 * (1 - math.exp(-(r**2) / (2 * width**2))))


def l1(parts, mask):
    return mean_over_rows([[abs(sigmoid(z)) for z in row] for row in parts["z_code"]])


def l2(parts, mask):
    return mean_over_rows([[sigmoid(z) ** 2 / 2 for z in row] for row in parts["z_code"]])


def kl_bernoulli(parts, mask, target_rate):
    total, rho = 0.0, target_rate
    for column in parts["z_code"].T:
        mean = math.fsum(sigmoid(z) for z in column) / len(column)
        total += rho * math.log(rho / mean) + (1 - rho) * math.log((1 - rho) / (1 - mean))
    return total


def kl_standard_normal(parts, mask, free_bits):
    total = 0.0
    for means, log_variances in zip(parts["z_code"].T, parts["z_hard"].T, strict=True):
        pairs = zip(means, log_variances, strict=True)
        total += max(free_bits, math.fsum((m**2 + math.exp(v) - 1 - v) / 2 for m, v in pairs) / len(means))
    return total


def weight_decay(parts, mask):
    return sum(w**2 / 2 for w in parts["kernel"].ravel()) + sum((2 * w) ** 2 / 2 for w in parts["kernel"].ravel())


def jacobians(parts):
    """∂h/∂x of each row for h = σ(x W + b), (m, d, n): σ' W."""
    h = np.vectorize(sigmoid)(parts["x"] @ parts["kernel"] + parts["bias"])
    return [(row * (1 - row))[:, None] * parts["kernel"].T for row in h]


def contractive(parts, mask):
    return mean_over_rows([jacobian.ravel() ** 2 for jacobian in jacobians(parts)])


def contractive_estimate(parts, mask):
    signs = np.asarray(jax.random.rademacher(jax.random.key(9), (1, *parts["z_code"].shape), jnp.float32))[0]
    assert set(np.unique(signs)) <= {-1, 1}
    return mean_over_rows([(v @ jacobian) ** 2 for v, jacobian in zip(signs, jacobians(parts), strict=True)])


def strain(parts, mask):
    m = len(parts["x"])
    centring = np.eye(m) - np.full((m, m), 1 / m)
    gram = -0.5 * centring @ parts["distance"][:, ::2] ** 2 @ centring
    code = centring @ np.vectorize(sigmoid)(parts["z_code"])
    return ((code @ code.T - gram) ** 2).sum() / ((gram**2).sum() or 1)


def quantized(parts, mask):
    h = np.vectorize(sigmoid)(parts["z_code"])
    return np.mean([4 * value * (1 - value) for value in h.ravel()])


def balanced(parts, mask):
    return np.mean([(2 * column.mean() - 1) ** 2 for column in np.vectorize(sigmoid)(parts["z_code"]).T])


def uncorrelated(parts, mask):
    b = 2 * np.vectorize(sigmoid)(parts["z_code"]) - 1
    d, total = b.shape[1], 0.0
    for i in range(d):
        total += sum(np.mean(b[:, i] * b[:, k]) ** 2 for k in range(d) if k != i)
    return total / d


def drawn_neighbours(parts):
    """Each row's neighbour in the draw of the context's key."""
    m = len(parts["x"])
    turns = np.asarray(jax.random.randint(jax.random.key(9), (m,), 0, 4))
    return parts["table"][np.asarray(walks(m))[range(m), turns]]


def contrastive(parts, mask, temperature):
    m, d = parts["z_code"].shape
    b = 2 * np.vectorize(sigmoid)(parts["z_code"]) - 1
    g = 2 * np.vectorize(sigmoid)(drawn_neighbours(parts) @ parts["kernel"] + parts["bias"]) - 1
    s = lambda i, j: sum(b[i, k] * g[j, k] for k in range(d)) / d / temperature
    forth = sum(s(i, i) - math.log(sum(math.exp(s(i, j)) for j in range(m))) for i in range(m)) / m
    back = sum(s(i, i) - math.log(sum(math.exp(s(j, i)) for j in range(m))) for i in range(m)) / m
    return -(forth + back) / 2


def same_code(parts, mask, flip):
    m, d = parts["z_code"].shape
    h = np.vectorize(sigmoid)(parts["z_code"])
    g = np.vectorize(sigmoid)(drawn_neighbours(parts) @ parts["kernel"] + parts["bias"])
    h, g = (flip + (1 - 2 * flip) * values for values in (h, g))  # how likely a bit is read as 1
    same = lambda i, j: math.prod(h[i, k] * g[j, k] + (1 - h[i, k]) * (1 - g[j, k]) for k in range(d))
    of_row = lambda i: math.log(math.fsum(same(i, j) for j in range(m))) - math.log(same(i, i))
    return math.fsum(of_row(i) for i in range(m)) / m


def neighbour_error(parts, mask):
    x_hat = np.vectorize(sigmoid)(parts["z_out"])
    return mean_over_rows((x_hat - drawn_neighbours(parts)) ** 2 / 2)


def multinomial(parts, mask):
    total = 0.0
    for x, z, seen in zip(parts["x"], np.vectorize(sigmoid)(parts["z_out"]), mask, strict=True):
        count = sum(x[seen])
        total -= sum(v / count * (w - math.log(sum(map(math.exp, z)))) for v, w in zip(x[seen], z[seen], strict=True))
    return total / len(parts["x"])


def neighbour_shares(points, share):
    """p_ij ∝ e^{−‖v_i − v_j‖² / T} over j ≠ i, T a share of the mean squared distance, as lists of {j: p}."""
    m = len(points)
    apart = [[math.fsum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in points] for p in points]
    total = math.fsum(apart[i][j] for i in range(m) for j in range(m) if i != j)
    temperature = share * (total / (m * (m - 1)) if total else 1)
    shares = []
    for i in range(m):
        weights = {j: math.exp(-apart[i][j] / temperature) for j in range(m) if j != i}
        shares.append({j: weight / math.fsum(weights.values()) for j, weight in weights.items()})
    return shares, temperature


def stochastic_neighbours(parts, mask, bandwidth):
    x, (wanted, temperature) = parts["x"], neighbour_shares(parts["x"], bandwidth)
    code = np.vectorize(sigmoid)(parts["z_code"])
    total = 0.0
    for i, shares in enumerate(wanted):
        weights = {j: math.exp(-np.square(code[i] - code[j]).sum() / temperature) for j in shares}
        found = {j: weight / math.fsum(weights.values()) for j, weight in weights.items()}
        total += math.fsum(p * math.log(p / found[j]) for j, p in shares.items())
    return total / len(x)


def soft_nearest_neighbour(parts, mask, temperature):
    shares, _ = neighbour_shares(np.vectorize(sigmoid)(parts["z_code"]), temperature)
    right = [math.fsum(p for j, p in of_row.items() if j % 2 == i % 2) for i, of_row in enumerate(shares)]
    costs = [-math.log(p) for p in right if p]
    return math.fsum(costs) / max(len(costs), 1)


def squares(code, others):
    return np.array([[math.fsum((a - b) ** 2) for b in others] for a in code])


def neighbours(parts, mask):
    m = len(parts["x"])
    drawn = np.asarray(jax.random.randint(jax.random.key(9), (m,), 0, 4))
    rows = parts["table"][np.asarray(walks(m))[range(m), drawn]]
    theirs = np.vectorize(sigmoid)(rows @ parts["kernel"] + parts["bias"])
    kernel = np.exp(-squares(np.vectorize(sigmoid)(parts["z_code"]), theirs) / 2)
    return -math.fsum(math.log(kernel[i, i] / kernel[i].sum()) for i in range(m)) / m


def over_sets(one):
    return lambda parts, mask, **given: np.mean([one(parts, each, **given) for each in parts["centres"]])


def centres(parts, points, blur):
    cost = squares(np.vectorize(sigmoid)(parts["z_code"]), points)
    plan = np.exp(-cost / (blur * cost.mean()))
    for _ in range(20):  # rows to one, then columns to equal shares
        plan = plan / plan.sum(1, keepdims=True)
        plan = plan / plan.sum(0) * len(cost) / 3
    plan = plan / plan.sum(1, keepdims=True)
    return (plan * cost).sum() / len(cost)


def joint(parts, points):
    kernel = 1 / (1 + squares(np.vectorize(sigmoid)(parts["z_code"]), points))
    q = kernel / kernel.sum(1, keepdims=True)
    p = q**2 / q.sum(0)
    p = p / p.sum(1, keepdims=True)
    return (p * np.log(p / q)).sum() / len(q)


def likelihood(parts, mask, visible):
    m, n = parts["x"].shape
    cost = lambda j, i: 0.5 * (parts["x"][j, i] - sigmoid(parts["z_out"][j, i])) ** 2
    weight = mask * np.where(seen(m, n), visible, 1.0)
    return mean_over_rows([[weight[j, i] * cost(j, i) for i in range(n)] for j in range(m)])


ORACLES = {
    "binary.balanced": balanced,
    "binary.quantized": quantized,
    "binary.uncorrelated": uncorrelated,
    "clustering.centres": over_sets(centres),
    "clustering.joint": over_sets(joint),
    "clustering.neighbours": neighbours,
    "imputation.likelihood": likelihood,
    "latent.kl_standard_normal": kl_standard_normal,
    "neighbours.contrastive": contrastive,
    "neighbours.same_code": same_code,
    "neighbours.squared_error": neighbour_error,
    "reconstruction.correntropy": correntropy,
    "reconstruction.cross_entropy": cross_entropy,
    "reconstruction.huber": huber,
    "reconstruction.multinomial": multinomial,
    "reconstruction.squared_error": squared_error,
    "sparsity.kl_bernoulli": kl_bernoulli,
    "sparsity.l1": l1,
    "sparsity.l2": l2,
    "structure.contractive": contractive,
    "structure.contractive_estimate": contractive_estimate,
    "structure.stochastic_neighbours": stochastic_neighbours,
    "structure.strain": strain,
    "supervised.soft_nearest_neighbour": soft_nearest_neighbour,
    "weights.weight_decay": weight_decay,
}

each = pytest.mark.parametrize("name", ORACLES)


def arguments(name):
    return HYPERPARAMETERS.get(name, {})


@jax.jit
def all_terms(parts):
    return {name: TERMS[name](context(parts), **arguments(name)) for name in ORACLES}


@jax.jit
def slopes_of_all(parts):
    """Of the sum of all terms: where one is not finite, it is not either."""
    return jax.grad(lambda parts: sum(all_terms(parts).values()))(parts)


def test_every_term_has_an_oracle():
    assert set(ORACLES) == set(TERMS)
    for name, term in TERMS.items():
        numbers = {key for key, p in components.parameters(term).items() if type(p.default) not in (str, int, bool)}
        assert numbers == set(arguments(name)), name


@each
@pytest.mark.parametrize("masked", [False, True])
def test_value_is_that_of_a_scalar_loop(name, masked):
    parts = arrays()
    mask = np.random.default_rng(1).uniform(size=parts["x"].shape) < 0.6 if masked else np.ones(parts["x"].shape, bool)
    found = TERMS[name](context(parts, mask if masked else None), **arguments(name))
    assert found.shape == ()
    assert found.dtype == jnp.float32
    assert float(found) == pytest.approx(ORACLES[name](parts, mask, **arguments(name)), rel=1e-5)


@settings(max_examples=4)
@given(m=st.sampled_from([1, 2, 7]), n=st.sampled_from([1, 5]), d=st.sampled_from([1, 4]), seed=st.integers(0, 999))
def test_values_for_any_shape(m, n, d, seed):
    parts = arrays(m, n, d, seed)
    mask = np.ones((m, n), bool)
    expected = {name: oracle(parts, mask, **arguments(name)) for name, oracle in ORACLES.items()}
    found = all_terms(parts)
    assert {name: float(value) for name, value in found.items()} == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in ORACLES if name not in HELD])
def test_gradients_are_those_of_finite_differences(name):
    with jax.enable_x64(True):
        parts = arrays()
        mask = np.random.default_rng(1).uniform(size=parts["x"].shape) < 0.6
        value = lambda given: TERMS[name](context(given, mask, jnp.float64), **arguments(name))
        check_grads(jax.jit(value), (parts,), order=1, modes=("fwd", "rev"), atol=1e-4, rtol=1e-4)


@each
def test_jit_equals_eager_and_is_compiled_once(name):
    value = lambda parts, given: TERMS[name](context(parts), **given)
    jitted = jax.jit(value)
    for seed in range(2):
        parts = arrays(seed=seed)
        given = {key: jnp.float32(number * (1 + seed)) for key, number in arguments(name).items()}
        assert float(jitted(parts, given)) == pytest.approx(float(value(parts, given)), rel=1e-5)
    assert jitted._cache_size() == 1


@each
def test_vmap_over_hyperparameters_equals_a_loop(name):
    parts, total = arrays(), compose({"term": TERMS[name]})
    factors = jnp.array([0.5, 1.0, 3.0])
    hparams = {"term": {"weight": factors, **{key: value * factors for key, value in arguments(name).items()}}}
    together, values = jax.jit(jax.vmap(lambda given: total(context(parts), given)))(hparams)
    for index in range(3):
        loss, value = total(context(parts), jax.tree.map(lambda leaf, i=index: leaf[i], hparams))
        assert float(together[index]) == pytest.approx(float(loss), rel=1e-5)
        assert float(values["term"][index]) == pytest.approx(float(value["term"]), rel=1e-5)


def test_two_terms_never_draw_the_same():
    estimate = TERMS["structure.contractive_estimate"]
    hparams = {name: {"weight": 1.0} for name in ("first", "second")}
    _, values = compose({"first": estimate, "second": estimate})(context(arrays()), hparams)
    assert float(values["first"]) != float(values["second"])


def test_a_sum_of_terms_is_weighted_and_scheduled():
    ctx, parts = context(arrays()), arrays()
    mask = np.ones(parts["x"].shape, bool)
    sure = [name for name in ORACLES if name not in DRAWING]
    total = compose({name: TERMS[name] for name in sure}, {"sparsity.l1": schedules.linear})
    hparams = {name: {"weight": 0.5 + index, **arguments(name)} for index, name in enumerate(sure)}
    hparams["sparsity.l1"]["schedule"] = {"initial": 0.2, "until": 0.5}
    expected = {name: ORACLES[name](parts, mask, **arguments(name)) for name in sure}
    loss, values = jax.jit(partial(total, ctx))(hparams, 0.25)
    assert list(values) == sure
    assert {name: float(value) for name, value in values.items()} == pytest.approx(expected, rel=1e-5)
    factor = {"sparsity.l1": 0.6}
    weighted = sum(hparams[name]["weight"] * factor.get(name, 1) * value for name, value in expected.items())
    assert float(loss) == pytest.approx(weighted, rel=1e-5)


def test_each_column_costs_minus_the_logarithm_of_its_own_likelihood():
    columns = (Column("a", 0, 1, ("x", "y")), Column("b", 1), Column("c", 2, 3, ("p", "q", "r")))
    rng = np.random.default_rng(4)
    z, kind, binary = rng.normal(size=(6, 5)), rng.integers(0, 3, 6), rng.integers(0, 2, 6)
    x = np.column_stack([binary, rng.normal(size=6), np.eye(3)[kind]])
    hidden = rng.uniform(size=(6, 3))[:, [0, 1, 2, 2, 2]] < 0.5
    mask = rng.uniform(size=(6, 3))[:, [0, 1, 2, 2, 2]] < 0.7
    softmax = np.exp(z[:, 2:]) / np.exp(z[:, 2:]).sum(1, keepdims=True)
    expected = 0.0
    for j in range(6):
        costs = [
            -math.log(sigmoid(z[j, 0]) if binary[j] else 1 - sigmoid(z[j, 0])),
            0.5 * (x[j, 1] - z[j, 1]) ** 2,
            -math.log(softmax[j, kind[j]]),
        ]
        expected += sum(cost * mask[j, i] * (1 if hidden[j, i] else 0.2) for i, cost in enumerate(costs)) / 6
    ctx = context(arrays(6, 5))._replace(
        x=jnp.asarray(x, jnp.float32),
        mask=jnp.asarray(mask),
        columns=columns,
        extra={"seen": jnp.asarray(~hidden), "natural": jnp.asarray(z, jnp.float32)},
    )
    assert float(imputation.likelihood(ctx, visible=0.2)) == pytest.approx(expected, rel=1e-5)


# Masks.


@pytest.mark.parametrize("term", [reconstruction.cross_entropy, reconstruction.squared_error])
def test_a_missing_entry_costs_nothing_and_pulls_at_nothing(term):
    parts = arrays()
    mask = np.ones(parts["x"].shape, bool)
    mask[1, 2] = mask[3, 0] = False
    value = lambda z, x: term(context({**parts, "z_out": z, "x": x}, mask))
    other = np.where(mask, parts["x"], 1e6)
    assert float(value(parts["z_out"], parts["x"])) == float(value(parts["z_out"], other))
    slope = np.asarray(jax.grad(value)(jnp.asarray(parts["z_out"], jnp.float32), other))
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(slope == 0, ~mask)


def test_rows_without_an_observed_entry_still_count_as_rows():
    parts, mask = arrays(m=2), np.array([[True] * 4, [False] * 4])
    one = {name: values[:1] for name, values in parts.items() if name not in ("kernel", "bias")}
    alone = reconstruction.squared_error(context({**parts, **one}))
    assert float(reconstruction.squared_error(context(parts, mask))) == pytest.approx(float(alone) / 2, rel=1e-6)


# Extremes.


@pytest.mark.parametrize("size", [30.0, 100.0, 1e4])
def test_everything_stays_finite_at_extreme_log_odds(size):
    signs = np.random.default_rng(2).choice([-1.0, 1.0], size=(5, 4))
    parts = arrays() | {"z_out": size * signs, "z_code": size * signs[:, :3]}
    given = {key: jnp.asarray(values, jnp.float32) for key, values in parts.items()}
    found = all_terms(given)
    assert np.isfinite(list(found.values())).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slopes_of_all(given)))
    # −x log σ(z) − (1 − x) log σ(−z) is |z| times the share that is wrong, up to e^−|z|
    wrong = np.where(signs > 0, 1 - parts["x"], parts["x"])
    assert float(found["reconstruction.cross_entropy"]) == pytest.approx(size * wrong.sum(-1).mean(), rel=1e-5)


@pytest.mark.parametrize("size", [20.0, 1e4])
@pytest.mark.parametrize("sign", [-1, 1])
def test_kl_moves_a_unit_whose_sigmoid_is_dead_or_saturated(sign, size):
    parts = arrays() | {"z_code": np.full((5, 3), sign * size)}
    value = lambda z: sparsity.kl_bernoulli(context({**parts, "z_code": z}), target_rate=0.1)
    slope = jax.grad(value)(jnp.asarray(parts["z_code"], jnp.float32))
    # for ρ̂ → 0 the slope of −ρ log ρ̂ is −ρ / m for each row, and for ρ̂ → 1 that of −(1 − ρ) log(1 − ρ̂) is (1 − ρ) / m
    np.testing.assert_allclose(slope, (0.9 if sign > 0 else -0.1) / 5, rtol=1e-5)


def test_kl_is_refused_where_it_could_not_move_a_dead_unit():
    with pytest.raises(UserError, match="no sigmoid"):
        sparsity.kl_bernoulli(context(arrays()), target_rate=0.2, layer="hard")


@settings(max_examples=10)
@given(rate=st.floats(0.01, 0.99))
def test_kl_is_zero_at_its_target_and_positive_elsewhere(rate):
    at_target = np.full((4, 3), math.log(rate / (1 - rate)))
    value = lambda z: float(sparsity.kl_bernoulli(context(arrays(m=4) | {"z_code": z}), target_rate=rate))
    assert value(at_target) == pytest.approx(0, abs=2e-6)
    assert value(at_target + 1) > 1e-3
    assert value(at_target - 1) > 1e-3


def test_places_and_channels_of_a_map_are_units():
    z = np.random.default_rng(3).normal(size=(6, 2, 3, 2))
    parts = arrays(m=6)
    flat, maps = jnp.asarray(z.reshape(6, -1), jnp.float32), jnp.asarray(z, jnp.float32)
    for name in ("sparsity.l1", "sparsity.l2", "sparsity.kl_bernoulli"):
        of = lambda z, name=name: TERMS[name](
            context(parts)._replace(hidden={"code": jax.nn.sigmoid(z)}, log_odds={"code": z}), **arguments(name)
        )
        assert float(jax.jit(of)(maps)) == pytest.approx(float(jax.jit(of)(flat)), rel=1e-6)


def test_biases_are_not_decayed():
    parts = arrays()
    slope = jax.grad(lambda params: weights.weight_decay(context(parts)._replace(params=params)))(context(parts).params)
    np.testing.assert_allclose(slope["encoder"]["layer0"]["kernel"], parts["kernel"], rtol=1e-6)
    np.testing.assert_allclose(slope["decoder"]["layer0"]["kernel"], 2 * parts["kernel"].T, rtol=1e-6)
    assert not slope["encoder"]["layer0"]["bias"].any()
    assert float(weights.weight_decay(context(parts)._replace(params={}))) == 0


# Mistakes.


@pytest.mark.parametrize("low_high", [(-1, 1), (0, 1.01), (-math.inf, math.inf), (0, math.inf)])
def test_mistakes_of_range_are_refused(low_high):
    ctx = context(arrays())
    ctx = ctx._replace(ranges={name: Range(*low_high) for name in ctx.ranges})
    with pytest.raises(UserError, match=r"^kl_bernoulli: layer 'code' has activations in \[.*; allowed: .*sigmoid"):
        sparsity.kl_bernoulli(ctx, target_rate=0.1)
    with pytest.raises(
        UserError, match=r"^cross_entropy: the data must lie in \[0, 1\], not \[.*; allowed: data\.scal"
    ):
        reconstruction.cross_entropy(ctx)


def test_cross_entropy_needs_a_sigmoid():
    ctx = context(arrays())._replace(log_odds={})
    with pytest.raises(UserError, match=r"^cross_entropy: the output is not a sigmoid; allowed: model\.output="):
        reconstruction.cross_entropy(ctx)


@pytest.mark.parametrize("term", [sparsity.l1, sparsity.l2, partial(sparsity.kl_bernoulli, target_rate=0.1)])
def test_an_unknown_layer_names_those_there_are(term):
    with pytest.raises(UserError, match=r"unknown 'coda' \(did you mean 'code'\?\); allowed: code, hard$"):
        term(context(arrays()), layer="coda")


def test_another_layer_is_another_value():
    ctx = context(arrays())
    np.testing.assert_allclose(sparsity.l1(ctx, layer="hard"), np.abs(ctx.hidden["hard"]).sum(-1).mean(), rtol=1e-6)
    assert float(sparsity.l1(ctx, layer="hard")) != float(sparsity.l1(ctx))
