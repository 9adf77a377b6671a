"""Synthetic data as pure functions of a key: swiss roll, s-curve, bars, Gaussian clusters."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from aejax.data.splits import Raw
from aejax.errors import UserError
from aejax.types import Split

ROWS = 2000


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
    place, jitter = jax.random.split(key)
    u, v = jax.random.uniform(place, (2, rows))
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
    place, jitter = jax.random.split(key)
    u, v = jax.random.uniform(place, (2, rows))
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


class _Made(NamedTuple):
    make: Callable[..., tuple[jax.Array, jax.Array]]
    feature_names: tuple[str, ...] = ()
    bounds: tuple[float, float] | None = None
    label_names: tuple[str, ...] = ()
    flat: Callable[[np.ndarray], np.ndarray] | None = None  # from what `make` returns second to `Split.coordinates`


_SHEET = ("x", "y", "z")
_MADE = {
    # the angle t of the roll is no length along it, as that of the S is
    "swiss_roll": _Made(swiss_roll, _SHEET, flat=lambda c: np.stack([roll_length(c[:, 0]), c[:, 1]], axis=1)),
    "s_curve": _Made(s_curve, _SHEET, flat=lambda c: c),
    "bars": _Made(bars, bounds=(0, 1)),
    "clusters": _Made(clusters, tuple(f"x{i}" for i in range(8)), label_names=tuple(f"cluster {i}" for i in range(4))),
}


def load_synthetic(name: str, rows: int | None, noise: float | None) -> Raw:
    """The rows of a synthetic data set, always made from the same key.

    Args:
        name: ``swiss_roll``, ``s_curve``, ``bars`` or ``clusters``.
        rows: how many; 2000 where None.
        noise: standard deviation of the noise; the function's own default where None.

    Returns:
        The rows.

    Raises:
        UserError: rows or noise is out of its range, or the data has no noise.
    """
    made = _MADE[name]
    rows = ROWS if rows is None else rows
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 1:
        raise UserError(f"data.rows: must be a whole number above 0; got {rows!r}")
    options = {}
    if noise is not None:
        if name == "bars":
            raise UserError("data.noise: bars has none; use a corruption instead")
        if isinstance(noise, bool) or not isinstance(noise, int | float) or not 0 <= noise < float("inf"):
            raise UserError(f"data.noise: must be a number that is not negative; got {noise!r}")
        options["noise"] = noise
    x, second = map(np.asarray, made.make(jax.random.key(0), rows, **options))
    return Raw(
        train=Split(
            x,
            labels=second if made.label_names else None,
            coordinates=made.flat(second).astype(np.float32) if made.flat else None,
        ),
        test=None,
        kind="synthetic",
        licence="none needed",
        source=f"aejax.data.synthetic.{name}",
        bounds=made.bounds,
        label_names=made.label_names,
        feature_names=made.feature_names,
    )
