"""Synthetic data as pure functions of a key: swiss roll, s-curve, bars, Gaussian clusters, a Lorenz series."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.splits import Raw, take
from aejax.errors import UserError
from aejax.types import Split

ROWS = 2000
LORENZ_SETTLES = 500  # points that are thrown away, until the series is near its attractor
LEAST_SERIES = 20


def swiss_roll(key: jax.Array, rows: int, *, noise: float | jax.Array = 0.0) -> tuple[jax.Array, jax.Array]:
    """A sheet rolled up in three dimensions.

    t = 3π/2 · (1 + 2u), h = 21 v with u, v uniform in [0, 1); x = (t cos t, h, t sin t) + noise · ε, ε standard
    normal.

    Args:
        key: typed key.
        rows: number of points.
        noise: standard deviation of the noise, in the units of x.

    Returns:
        x (rows, 3) float32 and the coordinates (t, h) on the sheet (rows, 2).

    References:
        Marsland, Machine Learning: An Algorithmic Perspective, 2nd edition, chapter 6; the numbers are
        scikit-learn's.
    """
    sheet, jitter = jax.random.split(key)
    u, v = jax.random.uniform(sheet, (2, rows))
    t, h = 1.5 * jnp.pi * (1 + 2 * u), 21 * v
    x = jnp.stack([t * jnp.cos(t), h, t * jnp.sin(t)], axis=1)
    return x + noise * jax.random.normal(jitter, x.shape), jnp.stack([t, h], axis=1)


def roll_length(t: np.ndarray) -> np.ndarray:
    """The length of the spiral t (cos t, sin t) from its middle on: ∫₀ᵗ √(1 + τ²) dτ = ½ (t √(1 + t²) + arsinh t)."""
    return 0.5 * (t * np.sqrt(1 + np.square(t)) + np.arcsinh(t))


def s_curve(key: jax.Array, rows: int, *, noise: float | jax.Array = 0.0) -> tuple[jax.Array, jax.Array]:
    """A sheet bent into the letter S in three dimensions.

    t = 3π (u - 1/2), h = 2 v with u, v uniform in [0, 1); x = (sin t, h, sign(t) (cos t - 1)) + noise · ε, ε
    standard normal.

    Args:
        key: typed key.
        rows: number of points.
        noise: standard deviation of the noise, in the units of x.

    Returns:
        x (rows, 3) float32 and the coordinates (t, h) on the sheet (rows, 2).

    References:
        The numbers are those of scikit-learn's `make_s_curve`.
    """
    sheet, jitter = jax.random.split(key)
    u, v = jax.random.uniform(sheet, (2, rows))
    t, h = 3 * jnp.pi * (u - 0.5), 2 * v
    x = jnp.stack([jnp.sin(t), h, jnp.sign(t) * (jnp.cos(t) - 1)], axis=1)
    return x + noise * jax.random.normal(jitter, x.shape), jnp.stack([t, h], axis=1)


def bars(
    key: jax.Array, rows: int, *, size: int = 8, probability: float | jax.Array | None = None
) -> tuple[jax.Array, jax.Array]:
    """Images of horizontal and vertical bars, each there or not, independently of the others.

    With a_i, b_j Bernoulli(p) for the size horizontal and size vertical bars, pixel (i, j) = max(a_i, b_j).

    Args:
        key: typed key.
        rows: number of images.
        size: height and width, and half the number of bars.
        probability: p, of each bar; 1 / size where None, so that two bars are there on average.

    Returns:
        x (rows, size, size, 1) float32 in {0, 1}, and which bars are there, (rows, 2 · size) bool, the
        horizontal ones first.

    References:
        Földiák 1990, Forming sparse representations by local anti-Hebbian learning, Biological Cybernetics 64,
        section 3.
    """
    there = jax.random.bernoulli(key, 1 / size if probability is None else probability, (rows, 2 * size))
    x = there[:, :size, None] | there[:, None, size:]
    return x[..., None].astype(jnp.float32), there


def clusters(
    key: jax.Array, rows: int, *, classes: int = 4, features: int = 8, noise: float | jax.Array = 0.1
) -> tuple[jax.Array, jax.Array]:
    """Round Gaussian clusters of equal size on average.

    c uniform over the classes, centres μ_c uniform in [-1, 1)^features; x = μ_c + noise · ε, ε standard normal.

    Args:
        key: typed key.
        rows: number of points.
        classes: number of clusters.
        features: number of dimensions.
        noise: standard deviation of each cluster in each dimension.

    Returns:
        x (rows, features) float32 and the cluster of each point, (rows,) int32.
    """
    centres, choice, jitter = jax.random.split(key, 3)
    centre = jax.random.uniform(centres, (classes, features), minval=-1, maxval=1)
    label = jax.random.randint(choice, (rows,), 0, classes)
    return centre[label] + noise * jax.random.normal(jitter, (rows, features)), label


def lorenz(key: jax.Array, rows: int, *, noise: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """A chaotic series in 25 dimensions, of which the rows [0.8 m, 0.9 m) are no longer of one piece.

    There the values of u are exchanged among each other at random; x = (u, v, w) A + noise · ε, where (u, v, w) is
    every second point of `lorenz_path` and A is uniform in [-5, 5)^(3×25), ε standard normal.

    Args:
        key: typed key.
        rows: m, the number of points in time.
        noise: standard deviation of the noise, in the units of x.

    Returns:
        x (rows, 25) float32 in the order of time, and which rows were shuffled, (rows,) int32.
    """
    first, exchange, spread, jitter = jax.random.split(key, 4)
    start = np.array([1.0, 1.0, 25.0]) + np.asarray(jax.random.uniform(first, (3,)))
    path = lorenz_path(start, LORENZ_SETTLES + 2 * rows)[LORENZ_SETTLES::2]
    odd = np.arange(rows * 8 // 10, rows * 9 // 10)
    path[odd, 0] = path[np.asarray(jax.random.permutation(exchange, odd)), 0]
    x = path @ np.asarray(jax.random.uniform(spread, (3, 25), minval=-5, maxval=5), np.float64)
    x = x + noise * np.asarray(jax.random.normal(jitter, x.shape))
    return x.astype(np.float32), np.isin(np.arange(rows), odd).astype(np.int32)


def lorenz_path(start: np.ndarray, points: int) -> np.ndarray:
    """u̇ = 10 (v − u), v̇ = u (28 − w) − v, ẇ = u v − (8/3) w, by the classical Runge–Kutta method in steps of 0.01.

    In float64 on the host: the series is chaotic, so that a float32 one would be another on every device.

    Args:
        start: (3,) the first point.
        points: how many.

    Returns:
        (points, 3) float64.

    References:
        Lorenz 1963, Deterministic nonperiodic flow, Journal of the Atmospheric Sciences 20, equations 25 to 27.
    """

    def flow(p: np.ndarray) -> np.ndarray:
        u, v, w = p
        return np.array([10 * (v - u), u * (28 - w) - v, u * v - 8 / 3 * w])

    path, h = [np.asarray(start, np.float64)], 0.01
    while len(path) < points:
        p = path[-1]
        a = flow(p)
        b = flow(p + h / 2 * a)
        c = flow(p + h / 2 * b)
        path.append(p + h / 6 * (a + 2 * b + 2 * c + flow(p + h * c)))
    return np.stack(path)


class _Made(NamedTuple):
    make: Callable[..., tuple[jax.Array, jax.Array]]
    feature_names: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    label_names: tuple[str, ...] = ()
    flat: Callable[[np.ndarray], np.ndarray] | None = None  # from what `make` returns second to `Split.coordinates`
    rows: int = ROWS
    train_tenths: int | None = None  # how much of a series, from its beginning, is its official training part


_SHEET = ("x", "y", "z")
_MADE = {
    # the angle t of the roll is no length along it, as that of the S is
    "swiss_roll": _Made(swiss_roll, _SHEET, flat=lambda c: np.stack([roll_length(c[:, 0]), c[:, 1]], axis=1)),
    "s_curve": _Made(s_curve, _SHEET, flat=lambda c: c),
    "bars": _Made(bars, bounds=(0, 1)),
    "clusters": _Made(clusters, tuple(f"x{i}" for i in range(8)), label_names=tuple(f"cluster {i}" for i in range(4))),
    "lorenz": _Made(
        lorenz, tuple(f"x{i}" for i in range(25)), label_names=("normal", "anomaly"), rows=1000, train_tenths=7
    ),
}


def load_synthetic(name: str, rows: int | None, noise: float | None) -> Raw:
    """The rows of a synthetic data set, always made from the same key.

    Args:
        name: ``swiss_roll``, ``s_curve``, ``bars``, ``clusters`` or ``lorenz``.
        rows: how many; 2000 where None, 1000 of a Lorenz series.
        noise: standard deviation of the noise; the function's own default where None.

    Returns:
        The rows.

    Raises:
        UserError: the rows are too few for a series, or the data has no noise.
    """
    made = _MADE[name]
    rows = rows or made.rows
    if noise is not None and name == "bars":
        raise UserError("data.noise: bars has none; use a corruption instead")
    options = {} if noise is None else {"noise": noise}
    if made.train_tenths is not None and rows < LEAST_SERIES:
        raise UserError(f"data.rows: {rows} rows are no series; allowed for {name}: {LEAST_SERIES} or more")
    x, second = map(np.asarray, made.make(jax.random.key(0), rows, **options))
    whole = Split(
        x,
        labels=second if made.label_names else None,
        coordinates=made.flat(second).astype(np.float32) if made.flat else None,
    )
    cut = rows if made.train_tenths is None else rows * made.train_tenths // 10
    return Raw(
        train=take(whole, np.arange(cut)),
        test=None if cut == rows else take(whole, np.arange(cut, rows)),
        kind="synthetic",
        licence="none needed",
        source=f"aejax.data.synthetic.{name}",
        bounds=made.bounds,
        label_names=made.label_names,
        feature_names=made.feature_names,
    )
