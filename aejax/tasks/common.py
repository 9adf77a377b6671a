"""What tasks share: a net's outputs on a split, seeds of typed keys, results kept by content, principal components."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from aejax import console, metrics
from aejax.config.bounds import Within
from aejax.errors import UserError, first_line
from aejax.losses.latent import unit_divergences
from aejax.relations.components import Components, principal_components
from aejax.storage.trees import digest
from aejax.training.context import clean, outline, scaled, shown
from aejax.training.evaluate import at_once, batches, encode_and_reconstruct, on_device, rebuilt
from aejax.types import Dataset, Evaluation, Kept, Model, Params, Rows, Split

MOST = 4  # results that a cached function keeps

Several = Annotated[int, Within(2)]
Arrays = dict[str, np.ndarray]
Numbers = dict[str, float]
Pair = tuple[np.ndarray, np.ndarray]
Random = np.random.Generator
Decode = Callable[[np.ndarray], np.ndarray]


class Outputs(NamedTuple):
    """Rows of a split and what a net makes of them.

    Attributes:
        x: (m, n) scaled.
        code: (m, d).
        x_hat: (m, n) the reconstruction.
        mask: (m, n) bool, True where a value was observed; None where all were.
    """

    x: np.ndarray
    code: np.ndarray
    x_hat: np.ndarray
    mask: np.ndarray | None


def outputs(model: Model, params: Params, dataset: Dataset, name: str) -> Outputs:
    """What a net makes of the split of that name, a field of `Dataset`."""
    split = getattr(dataset, name)
    x, code, x_hat = encode_and_reconstruct(model, params, on_device(split, dataset))
    return Outputs(x, code, x_hat, None if split.mask is None else split.mask.reshape(x.shape))


def error(out: Outputs) -> float:
    """The mean squared error of a reconstruction, per observed value."""
    return metrics.mse(out.x, out.x_hat, out.mask)


def scaled_rows(split: Split, dataset: Dataset) -> np.ndarray:
    """Rows as a net sees them, sparse ones with their zeros: (rows, n) float32."""
    return np.asarray(clean(on_device(split, dataset), slice(None)))


def decoder(model: Model, params: Params) -> Decode:
    """Codes to rows, (m, d) -> (m, n), a thousand at a time."""
    decode = jax.jit(model.decode)

    def rows(codes: np.ndarray) -> np.ndarray:
        parts = np.array_split(codes.astype(np.float32), -(-len(codes) // 1000))
        return np.concatenate([np.asarray(decode(params, part)) for part in parts])

    return rows


def preserved(x: np.ndarray, code: np.ndarray, neighbours: int) -> Numbers:
    """Whether rows that are near in the code were near before, and the other way round."""
    trust = lambda a, b: metrics.trustworthiness(a, b, neighbours=neighbours)
    return {"trustworthiness": trust(x, code), "continuity": trust(code, x)}


def fill(model: Model, params: Params, rows: Rows, kept: Kept | None) -> np.ndarray:
    """Rows, (m, n) in the units of the data, with what the net makes of them in place of what is missing.

    See `aejax.types.Task`.

    Raises:
        UserError: the net takes no missing values, or none is missing.
    """
    if not model.takes_missing:
        raise UserError(
            "fill: this net takes no missing values; allowed: a run whose model does, such as masked.residual"
        )
    if rows.mask is None:
        raise UserError("fill: the input has no missing values to fill; allowed: a table with empty cells")
    x_hat = rebuilt(model, params, (rows.x - rows.shift) * rows.scale, at_once(model))
    return np.where(rows.mask, rows.x, x_hat / rows.scale + rows.shift)


def seed_of(key: jax.Array) -> int:
    """A whole number of a typed key, for what draws with NumPy."""
    return int(jax.random.bits(key, dtype=np.uint32))


def generator(key: Any) -> np.random.Generator:
    """A NumPy generator of a typed key; a generator is itself."""
    return key if isinstance(key, np.random.Generator) else np.random.default_rng(np.asarray(jax.random.key_data(key)))


def cached(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose last few results are kept, and returned for arguments of equal content.

    What a baseline says of the same arrays does not depend on the net beside it.

    Args:
        function: pure; of arrays, texts, numbers and containers of these. What it returns is not to be changed.
    """
    results: dict[str, Any] = {}

    @wraps(function)
    def look_up(*args: Any, **kwargs: Any) -> Any:
        key = content((args, kwargs))
        if key not in results:
            results[key] = function(*args, **kwargs)
            if len(results) > MOST:
                del results[next(iter(results))]
        return results[key]

    return look_up


def attempted(baselines: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """What baselines give, by their names; one that fails is left out, in a line, and the run goes on.

    >>> attempted({"mean": lambda: 2.0})
    {'mean': 2.0}
    """
    results = {}
    for name, compute in baselines.items():
        try:
            results[name] = compute()
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError) as error:
            console.say(f"baseline {name}: failed, and is left out: {first_line(error)}")
    return results


def content(tree: Any) -> str:
    """What tells a tree of arrays and other values from others: a digest of the arrays, and the `repr` of the rest."""
    leaves, structure = jax.tree.flatten(tree)
    is_array = lambda leaf: isinstance(leaf, np.ndarray | jax.Array) and leaf.dtype != object
    others = [None if is_array(leaf) else repr(leaf) for leaf in leaves]
    return f"{digest([leaf for leaf in leaves if is_array(leaf)])} {structure} {others}"


# Principal components: the baseline of a reconstruction, with as many numbers for a row as the code spends on it.


INFORMATIVE = 0.01
"""The variance over rows from which on the mean of a variational unit tells something of a row (Burda et al. 2016)."""
REMARKS = {
    "active": "{active} of {units} units of the code are active: the variance of their mean is above 0.01",
    "collapsed": "the posterior has collapsed, the code tells nothing of a row: {active} of {units} units are active",
    "dead": "{dead} of {units} units of the code are dead: they have one value for all test rows",
    "above_mean": "the test error, {error:.4g}, is above that of the mean row, {mean:.4g}",
    "above_pca": "the test error, {error:.4g}, is above that of PCA with as many components, {pca:.4g}",
}
"""What is said of a net, by its kind; a page says it in its language."""


def remarks(model: Model, dataset: Dataset, evaluation: Evaluation) -> dict[str, Numbers]:
    """What the numbers of a net hide: units that tell nothing, and an error above that of a baseline.

    A unit of a variational net is active where the variance of its mean over the test rows is above .01 (Burda,
    Grosse & Salakhutdinov 2016, Importance weighted autoencoders, section 5.2); any other is dead where it has one
    value for all of them.

    Args:
        model: that was trained.
        dataset: the data.
        evaluation: of the task; what its arrays and metrics lack is not remarked on.

    Returns:
        By kinds of `REMARKS`, the numbers in them.
    """
    code, test, made = evaluation.arrays.get("code"), evaluation.metrics.get("test", {}), {}
    if code is not None and len(code) > 1:
        variance, units = code.var(0, dtype=np.float64), code.shape[1]
        if "log_variance" in outline(model).extra:
            active = int((variance > INFORMATIVE).sum())
            made["active" if active else "collapsed"] = {"active": active, "units": units}
        elif dead := int((np.ptp(code, 0) == 0).sum()):
            made["dead"] = {"dead": dead, "units": units}
    of_test = test.get("mse", 0.0)
    mean, pca = (evaluation.baselines.get(name, {}).get("mse", math.inf) for name in ("mean", "pca"))
    if of_test > mean:
        made["above_mean"] = {"error": of_test, "mean": mean}
    elif of_test > pca and model.code_size < math.prod(dataset.feature_shape):
        made["above_pca"] = {"error": of_test, "pca": pca}
    return made


def posterior(model: Model, params: Params, dataset: Dataset) -> Numbers:
    """What a variational net tells of the test rows by its code.

    Returns:
        ``kl_per_unit``, KL(q(z|x)‖N(0, 1)) of a unit, nats, the mean over rows and units; ``active_units``, how many
        have a mean whose variance is above .01 (see `remarks`). Nothing of other nets, or without test rows.
    """
    if "log_variance" not in outline(model).extra or not len(dataset.test.x):
        return {}

    @jax.jit
    def moments(params: Params, part: Rows) -> tuple[jax.Array, jax.Array]:
        x, mask = scaled(part, slice(None))
        extra = model.apply(params, x, shown(model, x, mask), jax.random.key(0)).extra  # the same for every key
        return extra["mean"], unit_divergences(extra["mean"], extra["log_variance"]).mean(-1)

    parts = zip(*(moments(params, part) for part in batches(on_device(dataset.test, dataset))), strict=True)
    mean, divergence = (np.concatenate([np.asarray(each, np.float64) for each in column]) for column in parts)
    return {"kl_per_unit": float(divergence.mean()), "active_units": int((mean.var(0) > INFORMATIVE).sum())}


def active_units(active_fraction: float, units: int) -> int:
    """How many numbers a code spends on a row: all of its units, of a sparse code those that are active in the mean.

    Args:
        active_fraction: share of the units that are active in the mean.
        units: of the code.

    Returns:
        The number of active units where these are fewer than half, 0 of a dead code; else all.
    """
    active = round(active_fraction * units)
    return active if active < units // 2 else units


def pca_errors(train: np.ndarray, rows: np.ndarray, mask: np.ndarray | None, counts: Iterable[int]) -> dict[int, float]:
    """Mean squared error of rows rebuilt by PCA of the training rows, by the number of components; by the mean for 0.

    Args:
        train: (m, n).
        rows: (k, n).
        mask: (k, n) bool, True where observed; None where everything is.
        counts: numbers of components; of those that are more than PCA has, all are taken.
    """
    counts = set(counts)
    pca = fitted_pca(train, max(1, *counts))
    scores = pca.transform(rows)
    rebuilt = lambda count: (scores[:, :count] @ pca.components[:count] + pca.mean).astype(np.float32)
    return {count: metrics.mse(rows, rebuilt(count), mask) for count in counts}


def pca_reconstruction(train: np.ndarray, rows: np.ndarray, components: int) -> np.ndarray:
    """Rows projected on the leading principal components of the training rows, and back: (m, n)."""
    pca = fitted_pca(train, components)
    return pca.inverse_transform(pca.transform(rows)).astype(np.float32)


@cached
def fitted_pca(train: np.ndarray, components: int) -> Components:
    """Principal components of the training rows, with as many of them as there are."""
    return principal_components(train, components)
