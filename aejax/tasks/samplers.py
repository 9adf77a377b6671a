"""Where new codes are drawn from: distributions fitted to the codes of rows, and a model's own prior.

Each function ``(key, model, params, codes, *, hyperparameters) -> Sampler`` fits one to codes, (m, d). They draw with
NumPy generators, which the recorded numbers of tasks depend on: `Sampler.draw` takes a typed key, or a generator that
goes on from where it is.
"""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from aejax.config import guards
from aejax.config.bounds import Count, Natural
from aejax.config.components import resolve
from aejax.errors import UserError, shown
from aejax.tasks.common import generator
from aejax.types import Model, Params, Sampler

HOME = "aejax.tasks.samplers"
BANDWIDTHS = tuple(float(width) for width in np.geomspace(0.05, 1.0, 8))
JUDGED = 1500  # codes that the bandwidth of a kernel density is chosen on
FITTED = 20_000  # codes that a mixture is fitted to
ITERATIONS = 50
TINY = 1e-12  # of a density where codes do not vary
RIDGE = 1e-6  # of the mean variance of the codes, so that covariances of units that do not vary have a root


def sampler(name: str, *, what: str) -> Callable[..., Sampler]:
    """The function of that name: ``"mixture"`` or ``"samplers.mixture"`` of this module, or any import path.

    Args:
        name: of the function.
        what: the field that named it, for errors.

    Raises:
        UserError: there is no such function; and, when it is called, one that returns no `Sampler`.
    """
    function = guards.one_line(resolve(name.removeprefix("samplers."), HOME, what=what), what)

    def make(key: Any, model: Model, params: Params, codes: np.ndarray, **hyperparameters: Any) -> Sampler:
        made = function(key, model, params, codes, **hyperparameters)
        if not isinstance(made, Sampler):
            raise UserError(f"{what}: {name} returned {shown(made)}; allowed: a function that returns a Sampler")
        if guards.is_built_in(function):
            return made
        draw = _of_key(guards.guarded(made.draw, f"{what}: {name}"))

        def checked(random: Any, count: int) -> np.ndarray:
            if (drawn := draw(random, count)).shape != (count, codes.shape[1]):
                shape = f"float32[{count},{codes.shape[1]}]"
                raise UserError(f"{what}: {name} drew {guards.form(drawn)}; allowed: {shape}, a code in each row")
            return drawn

        return made._replace(draw=checked)

    return make


def _of_key(draw: Callable[..., Any]) -> Callable[..., np.ndarray]:
    """A draw with a typed key, for a task that has a generator."""

    def drawn(random: Any, count: int) -> np.ndarray:
        is_generator = isinstance(random, np.random.Generator)
        key = jax.random.key(int(random.integers(2**32))) if is_generator else random
        return np.asarray(draw(key, count), np.float32)

    return drawn


def uniform(key: Any, model: Model, params: Params, codes: np.ndarray) -> Sampler:
    """Uniform in the box of the codes: each unit alone, between its least and its greatest value.

    References:
        Lecture S06, slide "Espacios latentes": a point of the latent space at random.
    """
    low, high = codes.min(0), codes.max(0)

    def log_prob(points: np.ndarray) -> np.ndarray:
        inside = ((low <= points) & (points <= high)).all(-1)
        return np.where(inside, -np.log(np.maximum(high - low, TINY)).sum(), -np.inf)

    draw = lambda key, count: generator(key).uniform(low, high, (count, len(low))).astype(np.float32)
    return Sampler(draw, log_prob)


def normal(key: Any, model: Model, params: Params, codes: np.ndarray) -> Sampler:
    """Normal with the mean and the standard deviation of each unit, units independent of each other."""
    mean, deviation = codes.mean(0), codes.std(0)
    draw = lambda key, count: generator(key).normal(mean, deviation, (count, len(mean))).astype(np.float32)
    covariance = np.diag(np.square(deviation.astype(np.float64)))
    normals = np.ones(1), mean[None].astype(np.float64), covariance[None]
    return Sampler(draw, _density(*normals), normals)


def gaussian(key: Any, model: Model, params: Params, codes: np.ndarray) -> Sampler:
    """One normal distribution with the mean and the covariance of the codes."""
    codes = codes.astype(np.float64)
    covariance = np.cov(codes.T, bias=True).reshape(codes.shape[1], codes.shape[1])
    return of_normals(np.ones(1), codes.mean(0)[None], covariance[None])


def mixture(
    key: Any, model: Model, params: Params, codes: np.ndarray, *, components: Count = 20, seed: Natural = 0
) -> Sampler:
    """A mixture of normal distributions, each with its own covariance, by expectation maximisation.

    Where there are more than `FITTED` codes, it is fitted to as many of them.

    Args:
        key: not used: `seed` decides.
        model: not used.
        params: not used.
        codes: (m, d), at least as many as components.
        components: how many.
        seed: of the choice of codes and of the first assignment, which is k-means'.

    References:
        Ghosh et al. 2020, From variational to deterministic autoencoders, section 4 (a mixture fitted to the codes of
        a trained net).
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    chosen = np.random.default_rng(seed).permutation(len(codes))[:FITTED]
    codes = codes[np.sort(chosen)].astype(np.float64)
    ridge = RIDGE * codes.var(0).mean() + 1e-12
    fitted = GaussianMixture(components, reg_covar=ridge, max_iter=ITERATIONS, random_state=seed)
    # stopped at ITERATIONS, where the likelihood creeps
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        fitted.fit(codes)
    return of_normals(fitted.weights_, fitted.means_, fitted.covariances_)


def of_normals(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> Sampler:
    """Draws from N(mean_k, covariance_k) with probability weight_k."""
    values, vectors = np.linalg.eigh(covariances)
    roots = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]

    def draw(key: Any, count: int) -> np.ndarray:
        random = generator(key)
        which = random.choice(len(weights), count, p=weights / weights.sum())
        noise = random.normal(size=(count, means.shape[1]))
        out = means[which]
        for k in np.unique(which):
            out[which == k] += noise[which == k] @ roots[k].T
        return out.astype(np.float32)

    return Sampler(draw, _density(weights / weights.sum(), means, covariances), (weights, means, covariances))


def _density(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """``points -> log Σ_k weight_k N(point; mean_k, covariance_k)``."""

    def log_prob(points: np.ndarray) -> np.ndarray:
        from scipy.special import logsumexp
        from scipy.stats import multivariate_normal

        normals = [multivariate_normal(*each, allow_singular=True) for each in zip(means, covariances, strict=True)]
        return logsumexp([np.atleast_1d(normal.logpdf(points)) for normal in normals], axis=0, b=weights[:, None])

    return log_prob


def kernel(key: Any, model: Model, params: Params, codes: np.ndarray, *, seed: Natural = 0) -> Sampler:
    """A kernel density: a code of a row, and Gaussian noise of the codes' own covariance times a bandwidth squared.

    The bandwidth is that of `BANDWIDTHS` under which some codes are likeliest given others, by 3-fold cross-validation.

    Args:
        key: not used: `seed` decides.
        model: not used.
        params: not used.
        codes: (m, d), at least three.
        seed: of the choice of the codes that the bandwidth is chosen on.
    """
    from sklearn.decomposition import PCA
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.neighbors import KernelDensity

    white = PCA(whiten=True, svd_solver="full").fit(codes.astype(np.float64))
    vary = white.explained_variance_ > TINY
    chosen = np.random.default_rng(seed).permutation(len(codes))[:JUDGED]
    whitened = lambda points: white.transform(points.astype(np.float64))[:, vary]
    search = GridSearchCV(KernelDensity(), {"bandwidth": BANDWIDTHS}, cv=KFold(3), refit=False)
    width = search.fit(whitened(codes[chosen])).best_params_["bandwidth"]

    def draw(key: Any, count: int) -> np.ndarray:
        random = generator(key)
        noise = random.normal(size=(count, len(white.components_))) * np.sqrt(white.explained_variance_)
        rows = random.integers(0, len(codes), count)
        return (codes[rows] + width * noise @ white.components_).astype(np.float32)

    def log_prob(points: np.ndarray) -> np.ndarray:
        density = KernelDensity(bandwidth=width).fit(whitened(codes))
        return density.score_samples(whitened(points)) - 0.5 * np.log(white.explained_variance_[vary]).sum()

    return Sampler(draw, log_prob)


def prior(key: Any, model: Model, params: Params, codes: np.ndarray) -> Sampler:
    """What the model itself draws codes from (`Model.prior`), or N(0, 1), which variational nets are drawn towards."""
    if model.prior is not None:
        return Sampler(_of_key(lambda key, count: model.prior(params, key, count)))
    size = model.code_size
    draw = lambda key, count: generator(key).normal(size=(count, size)).astype(np.float32)
    normals = np.ones(1), np.zeros((1, size)), np.eye(size)[None]
    return Sampler(draw, _density(*normals), normals)


def given(key: Any, model: Model, params: Params, codes: np.ndarray) -> Sampler:
    """The codes themselves, drawn with replacement: what a decoder can do at best."""
    return Sampler(lambda key, count: codes[generator(key).integers(0, len(codes), count)].astype(np.float32))
