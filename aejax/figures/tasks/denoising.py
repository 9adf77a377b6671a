"""Clean and noisy images and what each method makes of them, the curve over the noise, and both nets' filters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures import run as pictures
from aejax.figures.canvas import SMALL, TEXT
from aejax.figures.rows import image_rows
from aejax.types import Dataset, Evaluation, Model, Params

NAMES = {
    "clean": "clean",
    "noisy": "noisy",
    "net": "this net",
    "plain": "plain autoencoder",
    "median": "median",
    "total_variation": "total variation",
    "non_local_means": "non-local means",
    "biharmonic": "biharmonic, told where",
}
COLOURS = {
    "noisy": canvas.GREY,
    "net": "#D55E00",
    "plain": "#CC79A7",
    "median": "#56B4E9",
    "total_variation": "#E69F00",
    "non_local_means": "#009E73",
    "biharmonic": "#0072B2",
}
SHOWN = 36  # filters of each net


def draw(
    folder: Path, config: Mapping[str, Any], dataset: Dataset, model: Model, params: Params, found: Evaluation
) -> None:
    """Write ``denoised.png``, ``psnr.png`` where there is a curve, and ``kernels.png`` where a first layer is dense."""
    numbers = {"net": found.metrics["test"], **found.baselines}
    task = config["task"]
    _denoised(folder / "denoised.png", found.arrays["images"], numbers, task)
    if task["strengths"]:
        _curve(folder / "psnr.png", numbers, task, _trained_at(config["corruption"]))
    if found.arrays["kernels"]:
        _kernels(folder / "kernels.png", found.arrays["kernels"], numbers, dataset)


def _denoised(
    path: Path, images: Mapping[str, np.ndarray], numbers: Mapping[str, Mapping[str, float]], task: Mapping[str, Any]
) -> None:
    """The same rows of every method, the best number in the title of its row."""
    shown = np.linspace(0, len(images["clean"]) - 1, pictures.SHOWN).astype(int)
    rows = {name: images[name][shown] for name in NAMES if name in images}
    names = {
        name: f"{NAMES[name]}\n{numbers[name]['psnr']:.1f} dB" if name in numbers else NAMES[name] for name in rows
    }
    kind = task["corruption"].replace("_", " ")
    title = f"The same test images, {kind} at {task['strength']:g}, and what each method makes of them"
    canvas.save_figure(image_rows(rows, names, title), path)


def _trained_at(corruption: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the greatest strength that a net saw: the same, unless its corruption has a ``least`` and ``most``.

    The strength is the first hyperparameter of a corruption; one without any has none to speak of, 0.
    """
    hyperparameters = {name: value for name, value in corruption.items() if name != "name"}
    only = next(iter(hyperparameters.values()), 0.0)
    return hyperparameters.get("least", only), hyperparameters.get("most", only)


def _curve(
    path: Path, numbers: Mapping[str, Mapping[str, float]], task: Mapping[str, Any], trained: tuple[float, float]
) -> None:
    """Peak signal-to-noise ratio over the strength of the noise, a line for each method."""
    strengths = np.array(sorted({task["strength"], *task["strengths"]}))
    figure = canvas.new_figure(4.4, "How well each method does at other strengths of the corruption")
    axes = figure.subplots()
    shown = [name for name in NAMES if name in numbers]
    for name, marker in zip(shown, "oX^sDvP", strict=False):
        at = lambda value, own=numbers[name]: own.get(f"psnr_at_{value:g}", own["psnr"])
        style = {"linewidth": 2.4 if name == "net" else 1.4, "linestyle": ":" if name == "noisy" else "-"}
        values = [at(value) for value in strengths]
        axes.plot(strengths, values, label=NAMES[name], color=COLOURS[name], marker=marker, markersize=5, **style)
    low, high = trained
    limits = axes.get_xlim()
    if low < high:
        axes.axvspan(low, high, color=canvas.PALE, alpha=0.4, linewidth=0, zorder=0)
    else:
        axes.axvline(low, color=canvas.GREY, linestyle="--", linewidth=1)
    axes.set_xlim(limits)  # the strengths that were tested, and not more
    middle = (max(low, limits[0]) + min(high, limits[1])) / 2
    axes.annotate(
        f"trained at {low:g}" + (f" to {high:g}" if low < high else ""),
        (middle, 1),
        xycoords=("data", "axes fraction"),
        size=SMALL,
        color=canvas.GREY,
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
    )
    canvas.quiet(
        axes,
        x=f"strength of the corruption ({task['corruption'].replace('_', ' ')})",
        y="peak signal-to-noise ratio (dB)",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=TEXT)
    canvas.save_figure(figure, path)


def _kernels(
    path: Path,
    kernels: Mapping[str, np.ndarray],
    numbers: Mapping[str, Mapping[str, float]],
    dataset: Dataset,
) -> None:
    """The first filters of both nets beside each other, each scaled by its own largest magnitude."""
    from matplotlib import colormaps

    figure = canvas.new_figure(5.4, "First-layer filters, each divided by its largest weight")
    for axes, (name, kernel) in zip(figure.subplots(1, len(kernels), squeeze=False)[0], kernels.items(), strict=True):
        tiles = kernel.T[:SHOWN].reshape(-1, *dataset.feature_shape)
        signed = tiles / np.maximum(np.abs(tiles).max(axis=(1, 2, 3), keepdims=True), 1e-12)
        shade = colormaps["RdBu_r"](0.5 + 0.5 * signed.mean(-1))[..., :3]
        columns = canvas.grid_columns(len(shade), 1.0)
        empty = -len(shade) % columns
        shade = np.concatenate([shade, np.ones((empty, *shade.shape[1:]))])
        axes.imshow(canvas.mosaic(shade.reshape(-1, columns, *shade.shape[1:]), gap=1, between=0.6))
        axes.set_axis_off()
        spread = numbers[name]["kernel_spread_outside"]
        axes.set_title(f"{'trained with noise' if name == 'net' else NAMES[name]}: {spread:.2f}", size=TEXT, loc="left")
    note = "red: positive weights, blue: negative; the number: how much a filter (the median one) varies\n"
    note += "over the pixels that are the same in all training images, divided by how much it varies over all"
    figure.supxlabel(note, x=0.01, ha="left", size=SMALL)
    canvas.save_figure(figure, path)
