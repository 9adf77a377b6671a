"""Denoising of images, beside an autoencoder trained without noise and classical filters tuned on training images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import jax
import numpy as np

from aejax.config import components
from aejax.config.bounds import Count, Natural, Positive
from aejax.data.corrupt import AUGMENTING
from aejax.data.scaling import moments
from aejax.errors import UserError
from aejax.figures.tasks.methods import DENOISING
from aejax.metrics import images as metrics
from aejax.storage.trees import named_arrays
from aejax.tasks import needs
from aejax.tasks.common import Arrays, Numbers, fill, scaled_rows
from aejax.training.evaluate import at_once, rebuilt
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Kept, Model, Params, Retrain, Rows, Split, Task

PLAIN = {"corruption": {"name": "none"}}  # what makes the net of a config a plain one
# The plain one where the net has room for a copy of its input, which it would learn without noise.
BOTTLENECK = {"name": "conv.convolutional", "channels": (16, 32), "activation": "silu", "output": "linear"}
WINDOW = 7  # of the structural similarity
BATCH = 250
STILL = 0.01  # a pixel whose standard deviation is below this share of the range never changes
Nets = Mapping[str, tuple[Model, Params]]
REMOVING = ("masking", "dropout", "patches", "missing", "missing_patches")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of the task.

    Attributes:
        corruption: a name in `aejax.data.corrupt`, or a dotted path.
        strength: the first of its hyperparameters, in units of the scaled values.
        strengths: others, for a curve; with noise of its own each.
        rows: how many test rows are judged, evenly spaced; all where there are fewer.
        tuning: how many training rows the filters' settings are chosen on.
        plain_steps: how long the plain net is trained; 0 leaves it out.
    """

    corruption: str = "gaussian"
    strength: Positive = 0.2
    strengths: tuple[Positive, ...] = ()
    rows: Count = 1000
    tuning: Count = 100
    plain_steps: Natural = 2000


def _needs(dataset: Dataset, model: Model, config: needs.Config, options: Options) -> None:
    if len(dataset.feature_shape) != 3:
        shape = "x".join(map(str, dataset.feature_shape))
        raise UserError(f"denoising: needs images, and rows of {dataset.name} are {shape}; allowed: data of images")
    height, width, channels = dataset.feature_shape
    if min(height, width) < WINDOW:
        raise UserError(f"denoising: images of {height}x{width} are too small; allowed: {WINDOW}x{WINDOW} or more")
    if channels not in (1, 3):
        raise UserError(f"denoising: images of {channels} channels cannot be shown; allowed: 1 (grey) or 3 (colour)")
    of_all = not np.ndim(dataset.shift) and not np.ndim(dataset.scale)
    if not of_all or not np.isfinite([dataset.range.low, dataset.range.high]).all():
        raise UserError("denoising: filters need all pixels on one scale; allowed: data.scaling=unit, signed or none")
    needs.is_whole("denoising", dataset, "pixels")
    needs.has_rows("denoising", dataset)
    for strength in (options.strength, *options.strengths):
        noise(options.corruption, strength)


def noise(name: str, strength: float) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """A corruption of that strength: ``(key, images) -> images``.

    Args:
        name: of a function in `aejax.data.corrupt`, or a dotted path.
        strength: the first of its hyperparameters (a deviation, a probability, a share).

    Raises:
        UserError: no such corruption, one without a strength, or a strength that is not allowed.
    """
    function = components.resolve(name, "aejax.data.corrupt", what="task.corruption")
    takes = components.parameters(function)
    if name.removeprefix("aejax.data.corrupt.") in AUGMENTING:
        raise UserError(f"task.corruption: {name} changes the clean image as well; allowed: gaussian, masking, …")
    if not takes:
        raise UserError(f"task.corruption: {name} has no strength; allowed: gaussian, masking, …")
    first = next(iter(takes))
    value = components.check(float(strength), takes[first].annotation, what=f"task.strength ({name}, {first})")
    return partial(function, **{first: value})


def evaluate(
    key: jax.Array, model: Model, params: Params, dataset: Dataset, retrain: Retrain, options: Options
) -> Evaluation:
    """Peak signal-to-noise ratio, structural similarity and share of the squared error removed, on test rows.

    Values are mapped to [0, 1] for all of them, and not clipped. Filters have the setting of their grid with the lowest
    error on corrupted training rows, chosen again for each strength; the nets are the same for all strengths. The plain
    one is the same net trained without noise; where its code is no smaller than an image, so that it would learn to
    copy, a convolutional one whose code is an eighth of an image.

    Returns:
        ``metrics["test"]`` with ``psnr`` (dB), ``ssim`` and ``error_removed``; ``psnr_at_0.1`` for each of `strengths`;
        with a dense first layer also ``kernel_spread_outside``, `aejax.metrics.images.spread_outside` of it.
        ``baselines`` with the same of ``noisy`` images, the ``plain`` net, ``median``, ``total_variation`` and
        ``non_local_means``; where the corruption removes values, ``biharmonic`` inpainting, which is told which.
        ``arrays`` holds ``images``, by method, and ``kernels``, of the net and the plain one.
    """
    plain_key, key = jax.random.split(key)
    nets = {"net": (model, params)}
    if options.plain_steps:
        trained = retrain(plain_key[None], plain_changes(model) | {"train.steps": options.plain_steps})
        nets["plain"] = trained.model, member(trained, 0)
    numbers: dict[str, Numbers] = {}
    images: Arrays = {}
    for number, strength in enumerate((options.strength, *options.strengths)):
        made = _restored(jax.random.fold_in(key, number), options, strength, nets, dataset)
        clean = made.pop("clean")
        for name, x_hat in made.items():
            at = {f"psnr_at_{strength:g}": metrics.psnr(clean, x_hat)}
            numbers.setdefault(name, {}).update(at if number else _judged(clean, made["noisy"], x_hat))
        images = images or {"clean": clean, **made}
    kernels = {name: named_arrays(net).get("encoder/layer0/kernel") for name, (_, net) in nets.items()}
    kernels = {name: kernel for name, kernel in kernels.items() if kernel is not None and kernel.ndim == 2}
    for name, kernel in kernels.items():
        numbers[name]["kernel_spread_outside"] = metrics.spread_outside(kernel, still_pixels(dataset))
    return Evaluation({"test": numbers.pop("net")}, numbers, {"images": images, "kernels": kernels})


def plain_changes(model: Model) -> dict[str, Any]:
    """What makes a config that of the plain autoencoder to compare with."""
    features = prod(model.feature_shape)
    copies = model.code_size >= features
    return PLAIN | ({"model": BOTTLENECK | {"code": max(1, features // 8)}} if copies else {})


def _rows(split: Split, dataset: Dataset, most: int) -> np.ndarray:
    """At most so many evenly spaced rows of a split, scaled: (m, height, width, channels)."""
    chosen = np.linspace(0, len(split.x) - 1, min(most, len(split.x))).astype(int)
    return scaled_rows(Split(np.asarray(split.x[chosen])), dataset).reshape(-1, *dataset.feature_shape)


def _restored(key: jax.Array, options: Options, strength: float, nets: Nets, dataset: Dataset) -> Arrays:
    """Test rows, their noisy form and what each method makes of it, by name, all mapped to [0, 1] but for the noise."""
    low, high = dataset.range.low, dataset.range.high
    unit = lambda values: (values - low) / (high - low)
    corrupt = jax.jit(noise(options.corruption, strength))
    rows = _rows(dataset.test, dataset, options.rows), _rows(dataset.train, dataset, options.tuning)
    corrupted, trial = (np.asarray(corrupt(k, x)) for k, x in zip(jax.random.split(key), rows, strict=True))
    # who is not told which values are missing sees a zero there
    (test, train), (noisy, trial) = rows, (unit(np.nan_to_num(values)) for values in (corrupted, trial))
    made = {"clean": unit(test), "noisy": noisy}
    made |= {name: unit(cleaned(*net, corrupted)) for name, net in nets.items()}
    for name in SETTINGS:
        made[name] = restored(name, noisy, tuned(name, unit(train), trial))
    if options.corruption in REMOVING:
        missing = np.isnan(corrupted) | ((corrupted == 0) & (test != 0))
        made["biharmonic"] = inpainted(np.where(missing, 0, unit(test)), missing)
    return made


def cleaned(model: Model, params: Params, images: np.ndarray) -> np.ndarray:
    """Scaled images through the encoder and the decoder, of the same shape; NaN is zero to a net that takes none."""
    images = images if model.takes_missing else np.nan_to_num(images)
    return rebuilt(model, params, images.reshape(len(images), -1), BATCH).reshape(images.shape)


def _judged(clean: np.ndarray, noisy: np.ndarray, x_hat: np.ndarray) -> Numbers:
    return {
        "psnr": metrics.psnr(clean, x_hat),
        "ssim": metrics.ssim(clean, x_hat),
        "error_removed": metrics.error_removed(clean, noisy, x_hat),
    }


def still_pixels(dataset: Dataset) -> np.ndarray:
    """Which pixels are the same in all training rows, but for a hundredth of the range: (n,) bool."""
    _, deviation = moments(dataset.train.x, None)
    return (deviation * dataset.scale / (dataset.range.high - dataset.range.low) < STILL).reshape(-1)


# Classical filters, each with the settings of which training images choose one.


EVEN = [(1.0, h, *sizes, True) for sizes in ((3, 6), (5, 6), (5, 11)) for h in (0.4, 0.55, 0.7, 0.85)]
# Of non-local means: the noise it is told, h as a share of that, the side of a patch, how far it looks, and whether all
# pixels of a patch count the same (scikit-image's fast mode) or the middle ones more.
CENTRED = [(noise, h, size, 6, False) for noise, h in ((1, 0.7), (1.15, 0.7), (1.25, 0.5)) for size in (3, 5, 7)]

# Of each filter; the first number is the side of the median's window, of the others for noise of a root mean square of
# 1.
SETTINGS = {
    "median": [(3,), (5,)],
    "total_variation": [(0.3,), (0.5,), (0.7,), (0.9,), (1.2,), (1.6,)],
    "non_local_means": EVEN + CENTRED,
}


def filtered(name: str, image: np.ndarray, setting: Sequence[float]) -> np.ndarray:
    """An image, (height, width, channels), through a filter.

    The median is that of a square window. Total variation gives the image with the least of it near this one
    (Chambolle 2004). Non-local means are those of pixels weighted by how alike their surroundings are but for the noise
    (Buades, Coll & Morel 2005).
    """
    from scipy.ndimage import median_filter
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    if name == "median":
        return median_filter(image, size=(int(setting[0]), int(setting[0]), 1), mode="reflect")
    if name == "total_variation":
        return denoise_tv_chambolle(image, weight=setting[0], channel_axis=-1)
    noise, share, size, distance, even = setting
    options = {"patch_size": int(size), "patch_distance": int(distance), "fast_mode": bool(even), "channel_axis": -1}
    return denoise_nl_means(image, h=share * noise, sigma=noise, **options)


def tuned(name: str, clean: np.ndarray, noisy: np.ndarray) -> tuple[float, ...]:
    """The setting of a filter with the lowest squared error on some images.

    Args:
        name: of `SETTINGS`.
        clean: (m, height, width, channels).
        noisy: the same shape.
    """
    size = 1.0 if name == "median" else max(float(np.sqrt(np.square(noisy - clean).mean())), 1e-6)
    settings = [(first * size, *rest) for first, *rest in SETTINGS[name]]
    return min(settings, key=lambda setting: float(np.square(restored(name, noisy, setting) - clean).sum()))


def restored(name: str, noisy: np.ndarray, setting: tuple[float, ...]) -> np.ndarray:
    """Every image through a filter: (m, height, width, channels)."""
    return np.stack([filtered(name, image, setting).reshape(image.shape) for image in noisy])


def inpainted(images: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Missing values filled by the biharmonic equation, Δ²u = 0 (Damelin & Hoang 2018); the others as they are.

    Args:
        images: (m, height, width, channels); of no account where missing.
        missing: the same shape, bool; a channel that has nothing else stays as it is.
    """
    from skimage.restoration import inpaint_biharmonic

    filled = images.copy()
    for image, gone in zip(filled, missing, strict=True):
        for channel in range(image.shape[-1]):
            if gone[..., channel].any() and not gone[..., channel].all():
                image[..., channel] = inpaint_biharmonic(image[..., channel], gone[..., channel])
    return filled


def denoise(model: Model, params: Params, rows: Rows, kept: Kept | None) -> np.ndarray:
    """Rows, (m, n) in the units of the data, as the net gives them back. See `aejax.types.Task`."""
    shift, scale = np.asarray(rows.shift), np.asarray(rows.scale)
    return rebuilt(model, params, (np.asarray(rows.x) - shift) * scale, at_once(model)) / scale + shift


NEW_ROWS = {"apply": {"fill": fill, "denoise": denoise}, "results": {"denoised": "denoise"}}
TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=DENOISING, **NEW_ROWS)
