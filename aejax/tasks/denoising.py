"""Denoising of images, beside an autoencoder trained without noise and classical filters tuned on training images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from aejax.config import components
from aejax.config.bounds import Count, Natural, Positive
from aejax.data.scaling import moments
from aejax.errors import UserError
from aejax.figures.tasks.methods import DENOISING
from aejax.metrics import images as metrics
from aejax.tasks import filters, needs
from aejax.tasks.filling import fill
from aejax.training.context import scaled
from aejax.training.evaluate import on_device, rebuilt
from aejax.training.retrain import member
from aejax.types import Dataset, Evaluation, Model, Params, Retrain, Split, Task

PLAIN = {"corruption": {"name": "none"}}
"""What makes the net of a config a plain one."""
BOTTLENECK = {"name": "conv.convolutional", "channels": (16, 32), "activation": "silu", "output": "linear"}
"""The plain one where the net has room for a copy of its input, which it would learn without noise."""
WINDOW = 7  # of the structural similarity
BATCH = 250
STILL = 0.01  # a pixel whose standard deviation is below this share of the range never changes
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


def _needs(dataset: Dataset, model: Model, config: Mapping[str, Any], options: Options) -> None:
    if len(dataset.feature_shape) != 3:
        shape = "x".join(map(str, dataset.feature_shape))
        raise UserError(f"denoising: needs images, and rows of {dataset.name} are {shape}; allowed: data of images")
    height, width, channels = dataset.feature_shape
    if min(height, width) < WINDOW:
        raise UserError(f"denoising: images of {height}x{width} are too small; allowed: {WINDOW}x{WINDOW} or more")
    if channels not in (1, 3):
        raise UserError(f"denoising: images of {channels} channels cannot be shown; allowed: 1 (grey) or 3 (colour)")
    if np.ndim(dataset.shift) or np.ndim(dataset.scale) or not np.isfinite([*_range(dataset)]).all():
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
    test, train = _rows(dataset.test, dataset, options.rows), _rows(dataset.train, dataset, options.tuning)
    numbers: dict[str, dict[str, float]] = {}
    images: dict[str, np.ndarray] = {}
    for number, value in enumerate((options.strength, *options.strengths)):
        noise_key = jax.random.fold_in(key, number)
        made = _restored(noise_key, options.corruption, value, nets, test, train, dataset)
        clean = made.pop("clean")
        for name, x_hat in made.items():
            at = {f"psnr_at_{value:g}": metrics.psnr(clean, x_hat)}
            numbers.setdefault(name, {}).update(at if number else _judged(clean, made["noisy"], x_hat))
        images = images or {"clean": clean, **made}
    kernels = {name: _first_kernel(net_params) for name, (_, net_params) in nets.items()}
    kernels = {name: kernel for name, kernel in kernels.items() if kernel is not None}
    for name, kernel in kernels.items():
        numbers[name]["kernel_spread_outside"] = metrics.spread_outside(kernel, still_pixels(dataset))
    return Evaluation({"test": numbers.pop("net")}, numbers, {"images": images, "kernels": kernels})


def plain_changes(model: Model) -> dict[str, Any]:
    """What makes a config that of the plain autoencoder to compare with."""
    features = prod(model.feature_shape)
    copies = model.code_size >= features
    return PLAIN | ({"model": BOTTLENECK | {"code": max(1, features // 8)}} if copies else {})


def _range(dataset: Dataset) -> tuple[float, float]:
    return dataset.range.low, dataset.range.high


def _rows(split: Split, dataset: Dataset, most: int) -> np.ndarray:
    """At most so many evenly spaced rows of a split, scaled: (m, height, width, channels)."""
    chosen = np.linspace(0, len(split.x) - 1, min(most, len(split.x))).astype(int)
    part = Split(np.asarray(split.x[chosen]))
    return np.asarray(scaled(on_device(part, dataset), slice(None))[0]).reshape(-1, *dataset.feature_shape)


def _restored(
    key: jax.Array,
    corruption: str,
    strength: float,
    nets: Mapping[str, tuple[Model, Params]],
    test: np.ndarray,
    train: np.ndarray,
    dataset: Dataset,
) -> dict[str, np.ndarray]:
    """Test rows, their noisy form and what each method makes of it, by name, all mapped to [0, 1] but for the noise."""
    low, high = _range(dataset)
    unit = lambda values: (values - low) / (high - low)
    corrupt = jax.jit(noise(corruption, strength))
    seen, trial = (
        np.asarray(corrupt(k, jnp.asarray(x))) for k, x in zip(jax.random.split(key), (test, train), strict=True)
    )
    # who is not told which values are missing sees a zero there
    noisy, trial = (unit(np.nan_to_num(values)) for values in (seen, trial))
    made = {"clean": unit(test), "noisy": noisy}
    made |= {name: unit(cleaned(*net, seen)) for name, net in nets.items()}
    for name in filters.FILTERS:
        made[name] = filters.restored(name, noisy, filters.tuned(name, unit(train), trial))
    if corruption in REMOVING:
        missing = np.isnan(seen) | ((seen == 0) & (test != 0))
        made["biharmonic"] = filters.inpainted(np.where(missing, 0, unit(test)), missing)
    return made


def cleaned(model: Model, params: Params, images: np.ndarray) -> np.ndarray:
    """Scaled images through the encoder and the decoder, of the same shape; NaN is zero to a net that takes none."""
    images = images if model.takes_missing else np.nan_to_num(images)
    return rebuilt(model, params, images.reshape(len(images), -1), BATCH).reshape(images.shape)


def _judged(clean: np.ndarray, noisy: np.ndarray, x_hat: np.ndarray) -> dict[str, float]:
    return {
        "psnr": metrics.psnr(clean, x_hat),
        "ssim": metrics.ssim(clean, x_hat),
        "error_removed": metrics.error_removed(clean, noisy, x_hat),
    }


def still_pixels(dataset: Dataset) -> np.ndarray:
    """Which pixels are the same in all training rows, but for a hundredth of the range: (n,) bool."""
    low, high = _range(dataset)
    _, deviation = moments(dataset.train.x, None)
    return (deviation * dataset.scale / (high - low) < STILL).reshape(-1)


def _first_kernel(params: Params) -> np.ndarray | None:
    """The (n, units) kernel of a dense first layer; None where there is no such layer."""
    try:
        kernel = np.asarray(params["encoder"]["layer0"]["kernel"])
    except (KeyError, TypeError, IndexError):
        return None
    return kernel if kernel.ndim == 2 else None


TASK = Task(Options, evaluate, needs=_needs, validated=(), figures=DENOISING, apply={"fill": fill})
