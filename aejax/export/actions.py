"""What a net does with rows, as functions of raw rows that JAX traces: scaling, threshold and ranges lie inside."""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.metrics import outliers
from aejax.tasks import clustering, common, denoising, ranges
from aejax.tasks.anomaly import scoring
from aejax.tasks.imputation import methods, new_rows
from aejax.tasks.imputation.methods import Methods
from aejax.tasks.trees import Trees
from aejax.types import Column, Kept, Model, Params

Answers = dict[str, jax.Array]


class Net(NamedTuple):
    """A trained net, and what new rows need of it.

    Attributes:
        model: the autoencoder.
        params: its parameters.
        shift: of the data, (n,) float32, as the three that follow.
        scale: of the data.
        origin: `Dataset.origin`, float64.
        log: `Dataset.log`, bool.
        means: `Dataset.means`, what stands where a value is missing, float32; None where the model is told of it, or
            no value of the training rows was missing.
        columns: of the table, those of numbers too; empty where features have no names.
        apply: `Task.apply` of its task.
        kept: what the task left for new rows, arrays by their paths.
        info: as `aejax.runs.artifact.info_of` has it.
        settings: the component that makes the model; empty of one's own models.
    """

    model: Model
    params: Params
    shift: np.ndarray
    scale: np.ndarray
    origin: np.ndarray
    log: np.ndarray
    means: np.ndarray | None = None
    columns: tuple[Column, ...] = ()
    apply: Mapping[str, Callable[..., Any]] = {}
    kept: Kept | None = None
    info: Mapping[str, Any] = {}
    settings: Mapping[str, Any] = {}


class Action(NamedTuple):
    """Something that a net does.

    Attributes:
        function: rows (m, *shape) -> arrays by name.
        shape: of one row.
        dtype: of rows: float64 where float32 could not hold values of the data.
    """

    function: Callable[[jax.Array], Answers]
    shape: tuple[int, ...]
    dtype: str


def actions(net: Net) -> dict[str, Action]:
    """All that a net does and JAX can trace, by name: encode, decode, reconstruct, and what its task does with rows.

    Values are as `aejax.runs.apply` gives them, to rounding.
    """
    dtype = "float64" if net.origin.any() or net.log.any() else "float32"
    rows = lambda function: Action(function, tuple(net.model.feature_shape), dtype)
    by_name = {
        "encode": rows(lambda x: {"code": _encode(net, _scaled(net, _stored(net, x)))}),
        "decode": Action(lambda code: {"rows": _unscaled(net, _decode(net, code))}, (net.model.code_size,), "float32"),
        "reconstruct": rows(lambda x: {"rows": _unscaled(net, _rebuilt(net, _scaled(net, _stored(net, x))))}),
    }
    of_task = {
        scoring.score_and_alarm: _scorer,
        clustering.assign: _clusterer,
        denoising.denoise: lambda net: by_name["reconstruct"].function,
        new_rows.fill: _imputer,
        common.fill: _filler,
    }
    for name, function in net.apply.items():
        make = of_task.get(function)
        filling, needy = make in (_imputer, _filler), make in (_scorer, _clusterer)
        usable = net.model.takes_missing if filling else net.kept is not None or not needy
        if make is not None and usable:
            by_name[name] = rows(make(net))
    return by_name


def _single(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of float32 that is traced as it was trained, also where float64 is on."""

    def in_single(*arguments: Any) -> Any:
        with jax.enable_x64(False):
            return function(*arguments)

    return in_single


def _encode(net: Net, x: jax.Array, params: Params | None = None) -> jax.Array:
    return _single(net.model.encode)(net.params if params is None else params, x)


def _decode(net: Net, code: jax.Array, params: Params | None = None) -> jax.Array:
    return _single(net.model.decode)(net.params if params is None else params, code)


def _rebuilt(net: Net, x: jax.Array) -> jax.Array:
    return _decode(net, _encode(net, x))


def _stored(net: Net, x: jax.Array) -> jax.Array:
    """Raw rows as the data set stores them: flat, (m, n) float32, with `Net.means` where a value is missing."""
    x = x.reshape(x.shape[0], -1)
    missing = jnp.isnan(x)
    x = jnp.where(net.log[None], jnp.log(x), x) if net.log.any() else x
    x = (x - net.origin[None] if net.origin.any() else x).astype(jnp.float32)
    return x if net.means is None else jnp.where(missing, net.means[None], x)


def _original(net: Net, x: jax.Array) -> jax.Array:
    """Stored values, (m, n), in the units of the file: the inverse of `_stored`."""
    x = x.astype(jnp.float32)
    if net.origin.any() or net.log.any():
        x = x.astype(jnp.float64) + net.origin[None]
    return jnp.where(net.log[None], jnp.exp(x), x) if net.log.any() else x


def _scaled(net: Net, stored: jax.Array) -> jax.Array:
    return (stored - net.shift[None]) * net.scale[None]


def _unscaled(net: Net, x_hat: jax.Array) -> jax.Array:
    """What a net puts out, in the units of the file; targets are not scaled."""
    if net.model.target_shape is not None:
        return x_hat.reshape(-1, *net.model.target_shape)
    return _original(net, x_hat / net.scale[None] + net.shift[None]).reshape(-1, *net.model.feature_shape)


def _filler(net: Net) -> Callable[[jax.Array], Answers]:
    """`aejax.tasks.common.fill`."""

    def fill(x: jax.Array) -> Answers:
        x_hat = _rebuilt(net, _scaled(net, _stored(net, x)))
        return {"rows": jnp.where(jnp.isnan(x), _unscaled(net, x_hat).astype(x.dtype), x)}

    return fill


def _imputer(net: Net) -> Callable[[jax.Array], Answers]:
    """`aejax.tasks.imputation.new_rows.fill`: a net and a Gaussian, in the range and of the kind of each column."""
    if net.kept is None:
        return _filler(net)
    guide = new_rows.read(net.kept)

    def fill(x: jax.Array) -> Answers:
        stored = _stored(net, x)
        predicted = _rebuilt(net, _scaled(net, stored)) / net.scale[None] + net.shift[None]
        stored, predicted = stored.astype(jnp.float64), predicted.astype(jnp.float64)
        predicted = _mixed(stored, predicted, guide)
        filled = _original(net, _possible(predicted, guide.ranges))
        return {"rows": jnp.where(jnp.isnan(x), filled.astype(x.dtype).reshape(x.shape), x)}

    return fill


def _mixed(x: jax.Array, of_net: jax.Array, guide: new_rows.Guide) -> jax.Array:
    """`aejax.tasks.imputation.new_rows.blended`, whose methods follow."""
    beside, weight = guide.methods, guide.weight[:, None]
    if not beside.covariance.size:
        return of_net
    line = _conditional(x, beside.mean, beside.covariance)
    mixed = weight[0] * of_net + weight[1] * line
    if not len(beside.roots):
        return mixed
    is_category = methods.of_categories(guide.ranges.columns, x.shape[1])[None]
    start = jnp.where(is_category, of_net, (of_net + line) / 2)
    leaves = _leaves(jnp.where(jnp.isnan(x), start, x), beside.trees, methods.DEPTH)
    by_trees = leaves.reshape(-1, x.shape[1], methods.TREES).sum(2) / methods.TREES
    near = _by_neighbours(jnp.where(jnp.isnan(x), by_trees, x), by_trees, beside)
    return mixed + weight[2] * by_trees + weight[3] * near


def _conditional(x: jax.Array, mean: np.ndarray, covariance: np.ndarray) -> jax.Array:
    """The mean of a Gaussian given the values of each row that are not NaN, taken into account one after the other.

    This is `aejax.tasks.imputation.methods.conditional` without a linear system for each pattern of holes.
    """
    m, n = x.shape
    seen, x = ~jnp.isnan(x), jnp.nan_to_num(x)
    centre, spread = jnp.broadcast_to(mean[None], (m, n)), jnp.broadcast_to(covariance[None], (m, n, n))
    for at in range(n):
        across, variance = spread[:, :, at], spread[:, at, at]
        gain = jnp.where(seen[:, at, None], across / variance[:, None], 0.0)
        centre = centre + gain * (x[:, at] - centre[:, at])[:, None]
        spread = spread - gain[:, :, None] * across[:, None, :]
    return centre


def _leaves(x: jax.Array, grown: Trees, depth: int) -> jax.Array:
    """`aejax.tasks.trees.leaves`, (m, trees) float64; rows have no holes."""
    x, features = x.astype(jnp.float32), np.arange(x.shape[1], dtype=np.int32)
    at = jnp.broadcast_to(grown.roots[None], (x.shape[0], len(grown.roots)))
    of_node = lambda array: jnp.take(jnp.asarray(array), at, axis=0, mode="clip")
    for _ in range(depth):
        is_looked_at = of_node(grown.feature)[..., None] == features[None, None]
        lower = jnp.where(is_looked_at, x[:, None, :], np.float32(0)).sum(2) <= of_node(grown.threshold)
        at = jnp.where(lower, of_node(grown.left), of_node(grown.right))
    return of_node(grown.value).astype(jnp.float64)


def _by_neighbours(x: jax.Array, otherwise: jax.Array, beside: Methods) -> jax.Array:
    """The weighted mean of the nearest donors, (m, n)."""
    apart = _squared_distances(x / beside.unit[None], beside.donors / beside.unit)
    places, donors = np.arange(len(beside.donors))[None], beside.donors.astype(np.float64)
    total = summed = jnp.zeros_like(x)
    for _ in range(min(methods.NEIGHBOURS, len(donors))):
        index = apart.argmin(1)
        of_donors = lambda array, index=index: jnp.take(jnp.asarray(array), index, axis=0, mode="clip")
        weight = of_donors(beside.observed.astype(np.float64)) / jnp.maximum(apart.min(1), methods.NEAREST**2)[:, None]
        total, summed = total + weight, summed + weight * of_donors(donors)
        apart = jnp.where(places == index[:, None], jnp.inf, apart)
    return jnp.where(total > 0, summed / jnp.where(total > 0, total, 1.0), otherwise)


def _possible(x: jax.Array, bounds: ranges.Ranges) -> jax.Array:
    """`aejax.tasks.ranges.possible`: stored values next to x that each column could hold."""
    origin, is_log, some_log = bounds.origin[None], bounds.log[None], bounds.log.any()
    values = jnp.round(jnp.where(is_log, jnp.exp(x + origin), x + origin) if some_log else x + origin)
    whole = (jnp.where(is_log, jnp.log(values), values) if some_log else values) - origin
    x = jnp.where(bounds.whole[None], whole, x)
    x = jnp.minimum(jnp.maximum(x, bounds.low[None]), bounds.high[None])
    parts = [(x[:, column.start : column.start + column.size], column) for column in bounds.columns]
    return jnp.concatenate([_settled(part, column) for part, column in parts], axis=1)


def _settled(part: jax.Array, column: Column) -> jax.Array:
    """The features of a column, those of categories as 0 and 1."""
    if not column.categories:
        return part
    likeliest = part > 0.5 if column.size == 1 else np.arange(column.size)[None] == part.argmax(1)[:, None]
    return likeliest.astype(part.dtype)


def _clusterer(net: Net) -> Callable[[jax.Array], Answers]:
    """`aejax.tasks.clustering.assign`: the nearest centre, and Student's t of the distance."""
    centres, of_features = np.asarray(net.kept.tree["centres"], np.float64), clustering.is_of_features(net.kept)

    def assign(x: jax.Array) -> Answers:
        scaled = _scaled(net, _stored(net, x))
        points = (scaled if of_features else _encode(net, scaled)).astype(jnp.float64)
        apart = _squared_distances(points, centres)
        nearness = 1 / (1 + apart)
        probability = nearness.max(1) / nearness.sum(1)
        return {"cluster": apart.argmin(1).astype(jnp.int32), "probability": probability.astype(jnp.float32)}

    return assign


def _squared_distances(rows: jax.Array, others: np.ndarray) -> jax.Array:
    """(m, d) and (k, d) -> (m, k)."""
    products = jnp.square(rows).sum(1)[:, None] + np.square(others).sum(1)[None] - 2 * (rows @ others.T)
    return jnp.maximum(products, 0)


def _near(known: np.ndarray, rows: jax.Array, count: int) -> jax.Array:
    """The mean distance of rows (m, d) to the nearest of the known ones (l, d): (m,)."""
    apart = _squared_distances(rows.astype(jnp.float64), known.astype(np.float64))
    return jnp.sqrt(-jax.lax.top_k(-apart, count)[0]).mean(1)


class _Looked(NamedTuple):
    """What nets make of scaled rows: x (m, n), residuals [(m, n), …], codes [(m, d), …] and the share observed (m,)."""

    x: jax.Array
    residuals: list[jax.Array]
    codes: list[jax.Array]
    share: jax.Array


def _scorer(net: Net) -> Callable[[jax.Array], Answers]:
    """`aejax.tasks.anomaly.scoring.score_and_alarm`: the score of each row, and whether it is above the threshold."""
    scorer, info = scoring.read(net.kept, net.model)
    reference, threshold = scoring.Reference(**scorer["train"]), float(scorer["threshold"])
    members = range(jax.tree.leaves(scorer["nets"])[0].shape[0])
    nets = [jax.tree.map(lambda leaf, n=n: np.asarray(leaf[n]), scorer["nets"]) for n in members]
    of_rows = _SCORES[info["score"]](reference, info)
    mean = net.means if scorer["mean"] is None else np.asarray(scorer["mean"])

    def look(x: jax.Array) -> _Looked:
        stored, missing = _stored(net, x), jnp.isnan(x.reshape(x.shape[0], -1))
        where_missing = lambda value, x: x if mean is None else jnp.where(missing, value, x)
        z = _scaled(net, stored if mean is None else where_missing(mean[None], stored))
        seen = jnp.where(missing, jnp.nan, z) if net.model.takes_missing else z
        codes = [_encode(net, seen, params) for params in nets]
        rebuilt = [_decode(net, code, params) for code, params in zip(codes, nets, strict=True)]
        residuals = [where_missing(0.0, z - x_hat) for x_hat in rebuilt]
        share = jnp.maximum((1 - missing.astype(jnp.float64)).mean(1), 1 / prod(net.model.feature_shape))
        return _Looked(z, residuals, codes, share)

    def score(x: jax.Array) -> Answers:
        values = of_rows(look(x))
        return {"score": values.astype(jnp.float32), "alarm": values > threshold}

    return score


def _mean(parts: list[jax.Array]) -> jax.Array:
    return sum(parts[1:], parts[0]) / len(parts)


def _error(reference: scoring.Reference, info: Mapping[str, Any]) -> Callable[[_Looked], jax.Array]:
    return lambda rows: _mean([jnp.square(r.astype(jnp.float64)).sum(1) / rows.share for r in rows.residuals])


def _neighbours(reference: scoring.Reference, info: Mapping[str, Any]) -> Callable[[_Looked], jax.Array]:
    sigma, size = outliers.overall(reference.x), outliers.spread(reference.residual, reference.x)
    weight, count = info["residual_weight"], info["neighbours"]
    known = np.concatenate([reference.x / sigma, weight * reference.residual / size[None]], 1)
    beside = lambda x, r: jnp.concatenate([(x / sigma).astype(jnp.float64), weight * r / size[None]], 1)
    return lambda rows: _near(known, beside(rows.x, _mean(rows.residuals)), count)


def _trimmed(reference: scoring.Reference, info: Mapping[str, Any]) -> Callable[[_Looked], jax.Array]:
    sigma, size = outliers.overall(reference.x), outliers.spread(reference.residual, reference.x)
    weight, x = info["residual_weight"], reference.x[reference.usual]
    known = np.concatenate([x / sigma, weight * reference.residual[reference.usual] / size[None]], 1)
    count, marks = min(info["neighbours"], len(known) - 1), reference.marks

    def score(rows: _Looked) -> jax.Array:
        beside = jnp.concatenate([(rows.x / sigma).astype(jnp.float64), weight * _mean(rows.residuals) / size[None]], 1)
        near = jnp.sqrt(-jax.lax.top_k(-_squared_distances(beside, known), count + 1)[0])
        itself = (rows.x[:, None, :] == x[None]).all(2).any(1)
        distance = (near[:, 1:].sum(1) + jnp.where(itself, 0.0, near[:, 0] - near[:, -1])) / count
        length = _leaves(rows.x, reference.trees, scoring.ISOLATION_DEPTH).sum(1) / len(reference.roots)
        log_distance = jnp.log(jnp.maximum(distance, scoring.TINY))
        return (log_distance - marks[0]) / marks[1] - scoring.OF_FOREST * (length - marks[2]) / marks[3]

    return score


def _code(reference: scoring.Reference, info: Mapping[str, Any]) -> Callable[[_Looked], jax.Array]:
    deviation = reference.codes.std(1, keepdims=True)
    deviation = np.where(deviation > 0, deviation, 1)
    known = reference.codes / deviation
    near = lambda member, code: _near(known[member], code / deviation[member], info["neighbours"])
    return lambda rows: _mean([near(member, code) for member, code in enumerate(rows.codes)])


def _both(reference: scoring.Reference, info: Mapping[str, Any]) -> Callable[[_Looked], jax.Array]:
    code, error = _code(reference, info), _error(reference, info)
    return lambda rows: jnp.sqrt(code(rows) * jnp.sqrt(error(rows)))


_SCORES = {"neighbours": _neighbours, "trimmed": _trimmed, "error": _error, "code": _code, "both": _both}
