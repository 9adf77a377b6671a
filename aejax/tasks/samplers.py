"""Where new points of a latent space are drawn from: distributions fitted to the codes of rows.

Each function fits one and returns ``draw(random, count) -> (count, d) float32`` with a NumPy generator `random`.
"""

from collections.abc import Callable

import numpy as np

Draw = Callable[[np.random.Generator, int], np.ndarray]

BANDWIDTHS = tuple(float(width) for width in np.geomspace(0.05, 1.0, 8))
JUDGED = 1500  # codes that the bandwidth of a kernel density is chosen on
FITTED = 20_000  # codes that a mixture is fitted to
ITERATIONS = 50
RIDGE = 1e-6  # of the mean variance of the codes, so that covariances of units that do not vary have a root


def uniform(codes: np.ndarray) -> Draw:
    """Uniform in the box of the codes: each unit alone, between its least and its greatest value.

    References:
        Lecture S06, slide "Espacios latentes": a point of the latent space at random.
    """
    low, high = codes.min(0), codes.max(0)
    return lambda random, count: random.uniform(low, high, (count, len(low))).astype(np.float32)


def normal(codes: np.ndarray) -> Draw:
    """Normal with the mean and the standard deviation of each unit, units independent of each other."""
    mean, deviation = codes.mean(0), codes.std(0)
    return lambda random, count: random.normal(mean, deviation, (count, len(mean))).astype(np.float32)


def gaussian(codes: np.ndarray) -> Draw:
    """One normal distribution with the mean and the covariance of the codes."""
    codes = codes.astype(np.float64)
    covariance = np.cov(codes.T, bias=True).reshape(codes.shape[1], codes.shape[1])
    return _mixture(np.ones(1), codes.mean(0)[None], covariance[None])


def mixture(codes: np.ndarray, *, components: int, seed: int) -> Draw:
    """A mixture of normal distributions, each with its own covariance, by expectation maximisation.

    Where there are more than `FITTED` codes, it is fitted to as many of them.

    Args:
        codes: (m, d), at least as many as components.
        components: how many.
        seed: of the choice of codes and of the first assignment, which is k-means'.

    References:
        Ghosh et al. 2020, From variational to deterministic autoencoders, section 4 (a mixture fitted to the codes of
        a trained net).
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    chosen = np.random.default_rng(seed).permutation(len(codes))[:FITTED]
    codes = codes[np.sort(chosen)].astype(np.float64)
    ridge = RIDGE * codes.var(0).mean() + 1e-12
    fitted = GaussianMixture(components, reg_covar=ridge, max_iter=ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # stopped at ITERATIONS, where the likelihood creeps
        fitted.fit(codes)
    return _mixture(fitted.weights_, fitted.means_, fitted.covariances_)


def _mixture(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> Draw:
    """Draws from N(mean_k, covariance_k) with probability weight_k."""
    values, vectors = np.linalg.eigh(covariances)
    roots = vectors * np.sqrt(np.maximum(values, 0))[:, None, :]

    def draw(random: np.random.Generator, count: int) -> np.ndarray:
        which = random.choice(len(weights), count, p=weights / weights.sum())
        noise = random.normal(size=(count, means.shape[1]))
        out = means[which]
        for k in np.unique(which):
            out[which == k] += noise[which == k] @ roots[k].T
        return out.astype(np.float32)

    return draw


def kernel(codes: np.ndarray, *, seed: int) -> Draw:
    """A kernel density: a code of a row, and Gaussian noise of the codes' own covariance times a bandwidth squared.

    The bandwidth is that of `BANDWIDTHS` under which some codes are likeliest given others, by 3-fold cross-validation.

    Args:
        codes: (m, d), at least three.
        seed: of the choice of the codes that the bandwidth is chosen on.
    """
    from sklearn.decomposition import PCA
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.neighbors import KernelDensity

    white = PCA(whiten=True, svd_solver="full").fit(codes.astype(np.float64))
    chosen = np.random.default_rng(seed).permutation(len(codes))[:JUDGED]
    points = white.transform(codes[chosen].astype(np.float64))[:, white.explained_variance_ > 1e-12]
    search = GridSearchCV(KernelDensity(), {"bandwidth": BANDWIDTHS}, cv=KFold(3), refit=False).fit(points)
    width = search.best_params_["bandwidth"]

    def draw(random: np.random.Generator, count: int) -> np.ndarray:
        noise = random.normal(size=(count, len(white.components_))) * np.sqrt(white.explained_variance_)
        rows = random.integers(0, len(codes), count)
        return (codes[rows] + width * noise @ white.components_).astype(np.float32)

    return draw


def prior(size: int) -> Draw:
    """The standard normal distribution that a variational net's codes are drawn towards."""
    return lambda random, count: random.normal(size=(count, size)).astype(np.float32)
