"""Corruption of clean rows, as pure functions ``(key, x, *, hyperparameters) -> x_in``.

Every hyperparameter may be traced, and so be swept. Rows are scaled before they are corrupted.

An augmentation changes what is to be reconstructed as well, and returns both, ``(x, x_in)``: a photograph that is
turned is to be given back turned.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from aejax.config.bounds import Finite, Fraction, NonNegative, Probability
from aejax.errors import UserError

HIDING = ("missing", "missing_patches", "holes")
"""Those that make values NaN, for models that take missing values."""
AUGMENTING = ("flip", "rotate", "translate", "augment")
"""Those that change what is to be reconstructed as well."""


def none(key: jax.Array, x: jax.Array) -> jax.Array:
    """The rows as they are: x_in = x.

    Args:
        key: not looked at; every corruption has one.
        x: (rows, *feature_shape), scaled.

    Returns:
        x.
    """
    return x


def gaussian(key: jax.Array, x: jax.Array, *, scale: NonNegative) -> jax.Array:
    """Additive Gaussian noise: x_in = x + scale · ε, ε standard normal for each value.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        scale: standard deviation, in the units of the scaled values; not negative.

    Returns:
        x_in, of the shape and type of x; its values may leave the range of x.

    References:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11, section 3.3.
    """
    return x + jnp.asarray(scale, x.dtype) * jax.random.normal(key, x.shape, x.dtype)


def gaussian_between(key: jax.Array, x: jax.Array, *, least: NonNegative = 0.0, most: NonNegative = 0.5) -> jax.Array:
    """Gaussian noise of a strength drawn for each row: x_in = x + s · ε, s uniform between two numbers for each row.

    For nets that are to serve at every strength in between, without being told which it is.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        least: the smallest standard deviation, in the units of the scaled values; not negative.
        most: the largest.

    Returns:
        x_in, of the shape and type of x; its values may leave the range of x.

    References:
        Zhang et al. 2017, Beyond a Gaussian denoiser, section III-D (DnCNN-B: strengths drawn from [0, 55] of 255).
    """
    share, noise = jax.random.split(key)
    drawn = jax.random.uniform(share, (len(x), *(1,) * (x.ndim - 1)), x.dtype)
    return gaussian(noise, x, scale=least + (most - least) * drawn)


def masking(key: jax.Array, x: jax.Array, *, probability: Probability) -> jax.Array:
    """Values set to zero: x_in = x · m, m Bernoulli(1 - probability) for each value.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        probability: that a value is set to zero, in [0, 1].

    Returns:
        x_in, of the shape and type of x.

    References:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11, section 3.3. There a fixed number of values
        of each row is set to zero; here that number is binomial.
    """
    return jnp.where(jax.random.bernoulli(key, probability, x.shape), jnp.zeros_like(x), x)


def missing(key: jax.Array, x: jax.Array, *, probability: Probability) -> jax.Array:
    """Values removed, for models that are to know which: x_in = NaN with the given probability, and x elsewhere.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        probability: that a value is missing, in [0, 1].

    Returns:
        x_in, of the shape and type of x.
    """
    return jnp.where(jax.random.bernoulli(key, probability, x.shape), jnp.full_like(x, jnp.nan), x)


def patches(key: jax.Array, x: jax.Array, *, share: Probability) -> jax.Array:
    """A rectangle of each image set to zero, in all its channels, at a place where all of it lies in the image.

    Its height is that of the image times √share, rounded, and so is its width; every place is equally likely.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        share: of the image that the rectangle takes up, in [0, 1].

    Returns:
        x_in, of the shape and type of x.

    Raises:
        UserError: rows that are no images.

    References:
        Pathak et al. 2016, Context encoders, section 3.3 (a region at a random place); there it is a square of a
        quarter of the image.
    """
    return jnp.where(_rectangle(key, x, share), jnp.zeros_like(x), x)


def missing_patches(key: jax.Array, x: jax.Array, *, share: Probability) -> jax.Array:
    """As `patches`, with NaN in the rectangle, for models that are to know where it is.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        share: of the image that is missing, in [0, 1].

    Returns:
        x_in, of the shape and type of x.

    Raises:
        UserError: rows that are no images.
    """
    return jnp.where(_rectangle(key, x, share), jnp.full_like(x, jnp.nan), x)


def _rectangle(key: jax.Array, x: jax.Array, share: jax.Array | float) -> jax.Array:
    """True in one rectangle of each image: bool, (rows, height, width, 1)."""
    if x.ndim != 4:
        shape = "x".join(map(str, x.shape[1:]))
        raise UserError(f"corruption: patches are of images, and these rows are {shape}; allowed: masking, missing")

    def along(key: jax.Array, length: int) -> jax.Array:
        size = jnp.round(length * jnp.sqrt(share))
        first = jnp.floor(jax.random.uniform(key, (len(x), 1)) * (length - size + 1))
        pixels = jnp.arange(length, dtype=first.dtype)[None]
        return (pixels >= first) & (pixels < first + size)

    down, across = (along(each, length) for each, length in zip(jax.random.split(key), x.shape[1:3], strict=True))
    return down[:, :, None, None] & across[:, None, :, None]


def salt_and_pepper(
    key: jax.Array,
    x: jax.Array,
    *,
    probability: Probability,
    low: Finite = 0.0,
    high: Finite = 1.0,
) -> jax.Array:
    """Values set to one of two extremes: with u uniform in [0, 1) for each value, p the probability.

    x_in = low where u < p/2, high where p/2 ≤ u < p, and x elsewhere.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        probability: that a value is replaced, in [0, 1].
        low: the lower extreme; -1 for values scaled to [-1, 1].
        high: the upper extreme.

    Returns:
        x_in, of the shape and type of x.

    References:
        Vincent et al. 2010, Stacked denoising autoencoders, JMLR 11, section 3.3.
    """
    u = jax.random.uniform(key, x.shape)
    extreme = jnp.where(u < probability / 2, jnp.asarray(low, x.dtype), jnp.asarray(high, x.dtype))
    return jnp.where(u < probability, extreme, x)


def dropout(key: jax.Array, x: jax.Array, *, probability: Fraction) -> jax.Array:
    """Values set to zero, the others enlarged so that the mean stays: x_in = x · m / (1 - probability).

    m is Bernoulli(1 - probability) for each value. With probability 1 everything is zero.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled.
        probability: that a value is set to zero, in [0, 1].

    Returns:
        x_in, of the shape and type of x.

    References:
        Srivastava et al. 2014, Dropout, JMLR 15, section 10 (the scaling at training time).
    """
    share = 1 - jnp.asarray(probability, x.dtype)
    drop = jax.random.bernoulli(key, probability, x.shape)
    return jnp.where(drop | (share <= 0), jnp.zeros_like(x), x / jnp.where(share > 0, share, 1))


def holes(
    key: jax.Array,
    x: jax.Array,
    *,
    least: Fraction = 0.05,
    most: Fraction = 0.5,
    borrowed: Probability = 0.5,
    noise: NonNegative = 0.0,
) -> jax.Array:
    """Values hidden, NaN, for a net that takes missing values: masked reconstruction.

    A row loses each value with a probability that is drawn for it, uniform in [least, most]; or, with probability
    `borrowed`, those that another row of the batch misses, so that holes in training have the shapes that they have in
    the data.

    Args:
        key: typed key.
        x: (rows, *feature_shape), scaled; NaN where a value is missing.
        least: the smallest probability that a value is hidden.
        most: the largest.
        borrowed: share of the rows that get the holes of another row.
        noise: standard deviation of Gaussian noise on what is left, in the units of the scaled values.

    Returns:
        x_in, of the shape and type of x.

    References:
        Devlin et al. 2019, BERT, section 3.1 (reconstruction of what is hidden, from the rest).
    """
    which, share, draw, other, shake = jax.random.split(key, 5)
    each = (len(x), *(1,) * (x.ndim - 1))
    rate = least + (most - least) * jax.random.uniform(share, each, x.dtype)
    drawn = jax.random.uniform(draw, x.shape, x.dtype) < rate
    missing = jnp.isnan(x)
    lent = jnp.roll(missing, jax.random.randint(other, (), 1, max(len(x), 2)), axis=0)
    hidden = jnp.where(jax.random.bernoulli(which, borrowed, each), lent, drawn)
    return jnp.where(hidden, jnp.nan, gaussian(shake, x, scale=noise))


# Augmentations of images.


def flip(key: jax.Array, x: jax.Array, *, probability: Probability = 0.5) -> tuple[jax.Array, jax.Array]:
    """Images mirrored, left for right, each with the given probability.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        probability: that an image is mirrored, in [0, 1].

    Returns:
        The same images twice: what is to be reconstructed, and what the encoder sees.

    Raises:
        UserError: rows that are no images.
    """
    return (_mirrored(key, _of_images(x, "flip"), probability),) * 2


def rotate(key: jax.Array, x: jax.Array, *, degrees: NonNegative) -> tuple[jax.Array, jax.Array]:
    """Images turned about their middle, each by an angle that is uniform in [-degrees, degrees].

    Values between pixels are interpolated linearly; what comes in from outside has the value of the nearest edge.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        degrees: the greatest angle; not negative.

    Returns:
        As `flip`.

    Raises:
        UserError: rows that are no images.
    """
    return (_moved(key, _of_images(x, "rotate"), degrees, 0.0),) * 2


def translate(key: jax.Array, x: jax.Array, *, pixels: NonNegative) -> tuple[jax.Array, jax.Array]:
    """Images moved down and across, each by distances that are uniform in [-pixels, pixels]; edges as in `rotate`.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        pixels: the greatest distance; not negative.

    Returns:
        As `flip`.

    Raises:
        UserError: rows that are no images.
    """
    return (_moved(key, _of_images(x, "translate"), 0.0, pixels),) * 2


def augment(
    key: jax.Array,
    x: jax.Array,
    *,
    flip: Probability = 0.5,
    degrees: NonNegative = 0.0,
    pixels: NonNegative = 0.0,
    noise: NonNegative = 0.0,
) -> tuple[jax.Array, jax.Array]:
    """`flip`, `rotate` and `translate` of images, and Gaussian noise on what the encoder sees.

    Args:
        key: typed key.
        x: (rows, height, width, channels), scaled.
        flip: the probability that an image is mirrored.
        degrees: the greatest angle.
        pixels: the greatest distance.
        noise: standard deviation, in the units of the scaled values.

    Returns:
        What is to be reconstructed, and what the encoder sees.

    Raises:
        UserError: rows that are no images.
    """
    mirror, move, shake = jax.random.split(key, 3)
    x = _moved(move, _mirrored(mirror, _of_images(x, "augment"), flip), degrees, pixels)
    return x, gaussian(shake, x, scale=noise)


def _of_images(x: jax.Array, name: str) -> jax.Array:
    if x.ndim != 4:
        shape = "x".join(map(str, x.shape[1:]))
        raise UserError(f"corruption.name: {name} is of images, and these rows are {shape}; allowed: gaussian, masking")
    return x


def _mirrored(key: jax.Array, x: jax.Array, probability: jax.Array | float) -> jax.Array:
    return jnp.where(jax.random.bernoulli(key, probability, (len(x), 1, 1, 1)), x[:, :, ::-1], x)


def _moved(key: jax.Array, x: jax.Array, degrees: jax.Array | float, pixels: jax.Array | float) -> jax.Array:
    """Images turned about their middle and moved, by angles and distances that are drawn for each."""
    share = jax.random.uniform(key, (3, len(x)), minval=-1.0, maxval=1.0)
    angle, (down, across) = jnp.deg2rad(degrees) * share[0], pixels * share[1:]
    middle = [(length - 1) / 2 for length in x.shape[1:3]]
    y, z = jnp.meshgrid(*(jnp.arange(n) - m for n, m in zip(x.shape[1:3], middle, strict=True)), indexing="ij")

    def of_one(image: jax.Array, angle: jax.Array, down: jax.Array, across: jax.Array) -> jax.Array:
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        places = [cos * y + sin * z - down + middle[0], cos * z - sin * y - across + middle[1]]
        sampled = partial(map_coordinates, coordinates=places, order=1, mode="nearest")
        return jax.vmap(sampled, in_axes=-1, out_axes=-1)(image)

    return jax.vmap(of_one)(x.astype(jnp.float32), angle, down, across).astype(x.dtype)
