"""Every loss term as a scalar loop in float64, and a context to hold both against."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config import components
from aejax.types import Context, Range

OPTIMIZERS = (
    "adabelief",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "adamaxw",
    "adamw",
    "amsgrad",
    "lamb",
    "lars",
    "lbfgs",
    "lion",
    "nadam",
    "nadamw",
    "novograd",
    "radam",
    "rmsprop",
    "sgd",
    "yogi",
)
"""Of optax, whose every number is tried."""

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
    "bounds.importance_weighted",
)
"""Draw by their place in the sum."""
HELD = ("clustering.centres", "clustering.joint", "dictionary.revival", "quantization.commitment")
"""Hold something still that depends on the parameters: tests/test_clustering.py and test_families.py have gradients."""


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

    def again(key):
        """A pass whose code is a draw, and whose output is the same."""
        noise = jax.random.normal(key, code.shape, code.dtype)
        return ctx._replace(code=parts["z_code"] + jnp.exp(0.5 * parts["z_hard"]) * noise, again=None, rows=None)

    ctx = Context(
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
            "before": parts["z_code"],
            "silent": 150.0 * jnp.arange(code.shape[1]),
            "uses": parts["centres"].sum((0, 2)),
        },
        decode=lambda values: values @ (2 * parts["kernel"].T) + 1,
    )
    return ctx._replace(again=lambda key: again(key)._replace(encode=None, decode=None, key=None))


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


def log_normal(z, mean, log_variance):
    return -((z - mean) ** 2 / math.exp(log_variance) + log_variance + math.log(2 * math.pi)) / 2


def importance_weighted(parts, mask):
    (m, d), k, x = parts["z_code"].shape, 8, parts["x"]
    draws = [np.asarray(jax.random.normal(key, (m, d))) for key in jax.random.split(jax.random.key(9), k)]
    total = 0.0
    for j in range(m):
        log_p = sum(
            seen * (v * math.log(sigmoid(z)) + (1 - v) * math.log(1 - sigmoid(z)))
            for v, z, seen in zip(x[j], parts["z_out"][j], mask[j], strict=True)
        )
        weights = []
        for noise in draws:
            units = zip(parts["z_code"][j], parts["z_hard"][j], noise[j], strict=True)
            weights.append(sum(log_normal(a + math.exp(v / 2) * e, 0, 0) + (v + e**2) / 2 for a, v, e in units))
        most = max(weights)
        ratio = math.log(math.fsum(math.exp(weight - most) for weight in weights) / k) + most
        total -= log_p + ratio + d / 2 * math.log(2 * math.pi)
    return total / m


def kl_prior(parts, mask):
    total = 0.0
    for a, v in zip(parts["z_code"].ravel(), parts["z_hard"].ravel(), strict=True):
        total += log_normal(sigmoid(a), a, v) - log_normal(sigmoid(a), 0, 0)
    return total / len(parts["z_code"])


def revival(parts, mask):
    dead = [unit for unit in range(parts["z_code"].shape[1]) if 150 * unit >= 200]
    if not dead:
        return 0.0
    values = np.maximum(parts["z_code"][:, dead], 0)
    error = parts["x"] - np.vectorize(sigmoid)(parts["z_out"]) - values @ (2 * parts["kernel"].T[dead])
    return (mask * error**2 / 2).sum() / len(error)


def commitment(parts, mask):
    return mean_over_rows((parts["z_code"] - np.vectorize(sigmoid)(parts["z_code"])) ** 2)


def perplexity(parts, mask):
    uses = parts["centres"].sum((0, 2))
    return math.exp(-sum(p * math.log(p) for p in uses / uses.sum()))


ORACLES = {
    "binary.balanced": balanced,
    "binary.quantized": quantized,
    "binary.uncorrelated": uncorrelated,
    "bounds.importance_weighted": importance_weighted,
    "bounds.kl_prior": kl_prior,
    "clustering.centres": over_sets(centres),
    "clustering.joint": over_sets(joint),
    "clustering.neighbours": neighbours,
    "dictionary.revival": revival,
    "imputation.likelihood": likelihood,
    "latent.kl_standard_normal": kl_standard_normal,
    "neighbours.contrastive": contrastive,
    "neighbours.same_code": same_code,
    "neighbours.squared_error": neighbour_error,
    "quantization.commitment": commitment,
    "quantization.perplexity": perplexity,
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


def arguments(name):
    return HYPERPARAMETERS.get(name, {})
