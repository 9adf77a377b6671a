"""Clean and noisy images and what each method makes of them, the curve over the noise, and both nets' filters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import SMALL, TEXT
from aejax.figures.rows import SHOWN, image_rows, pixels
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

COLOURS = {
    "clean": "black",
    "noisy": canvas.GREY,
    "net": "#D55E00",
    "plain": "#CC79A7",
    "median": "#56B4E9",
    "total_variation": "#E69F00",
    "non_local_means": "#009E73",
    "biharmonic": "#0072B2",
}
"""Of the methods, in the order in which they are shown."""
FILTERS = 36  # of each net


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Some images by every method, their numbers at all strengths, and the first filters of both nets."""
    task, images = config["task"], evaluation.arrays["images"]
    numbers = {"net": evaluation.metrics["test"], **evaluation.baselines}
    shown = np.linspace(0, len(images["clean"]) - 1, SHOWN).astype(int)
    tree: dict[str, Any] = {"images": {name: pixels(images[name][shown]) for name in COLOURS if name in images}}
    tree["psnr"] = {name: numbers[name]["psnr"] for name in COLOURS if name in numbers}
    info = {"corruption": task["corruption"], "strength": float(task["strength"]), "curve": bool(task["strengths"])}
    if task["strengths"]:
        strengths = sorted({task["strength"], *task["strengths"]})
        at = lambda name: [numbers[name].get(f"psnr_at_{value:g}", numbers[name]["psnr"]) for value in strengths]
        tree["strengths"] = np.array(strengths)
        tree["curves"] = {name: np.array(at(name)) for name in tree["psnr"]}
        info["trained"] = _trained_at(config["corruption"])
    if evaluation.arrays["kernels"]:
        kernels = evaluation.arrays["kernels"]
        info["kernels"] = list(kernels)
        tree["kernels"] = {
            name: {
                "weights": kernel.T[:FILTERS].reshape(-1, *dataset.feature_shape),
                "spread": numbers[name]["kernel_spread_outside"],
            }
            for name, kernel in kernels.items()
        }
    return Kept(tree, info)


def _trained_at(corruption: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the greatest strength that a net saw: the same, unless its corruption has a ``least`` and ``most``.

    The strength is the first hyperparameter of a corruption; one without any has none to speak of, 0.
    """
    hyperparameters = {name: value for name, value in corruption.items() if name != "name"}
    only = next(iter(hyperparameters.values()), 0.0)
    return hyperparameters.get("least", only), hyperparameters.get("most", only)


def draw(kept: Kept, words: Words) -> dict[str, Any]:
    """``denoised``, ``psnr`` where there is a curve, and ``kernels`` where a first layer is dense."""
    figures = {"denoised": _draw_images(kept, words)}
    if kept.info["curve"]:
        figures["psnr"] = _draw_curves(kept, words)
    if "kernels" in kept.tree:
        figures["kernels"] = _draw_kernels(kept, words)
    return figures


def _corruption(kept: Kept, words: Words) -> str:
    name = kept.info["corruption"]
    return words.named("corruptions", name) if f"corruptions.{name}" in words.texts else name.replace("_", " ")


def _draw_images(kept: Kept, words: Words) -> Any:
    """The same rows of every method, with its signal-to-noise ratio."""
    images, psnr = kept.tree["images"], kept.tree["psnr"]
    rows = {name: images[name] / 255 for name in COLOURS if name in images}
    names = {name: words(f"denoising.methods.{name}") for name in rows}
    names |= {name: f"{names[name]}\n{words('denoising.decibel', psnr=psnr[name])}" for name in rows if name in psnr}
    title = words("denoising.title", corruption=_corruption(kept, words), strength=kept.info["strength"])
    return image_rows(rows, names, title)


def _draw_curves(kept: Kept, words: Words) -> Any:
    """Peak signal-to-noise ratio over the strength of the noise, a line for each method."""
    strengths, curves = kept.tree["strengths"], kept.tree["curves"]
    figure = canvas.new_figure(4.4, words("denoising.psnr_title"))
    axes = figure.subplots()
    for name, marker in zip([name for name in COLOURS if name in curves], "oX^sDvP", strict=False):
        style = {"linewidth": 2.4 if name == "net" else 1.4, "linestyle": ":" if name == "noisy" else "-"}
        style |= {"color": COLOURS[name], "marker": marker, "markersize": 5}
        axes.plot(strengths, curves[name], label=words(f"denoising.methods.{name}"), **style)
    low, high = kept.info["trained"]
    limits = axes.get_xlim()
    if low < high:
        axes.axvspan(low, high, color=canvas.PALE, alpha=0.4, linewidth=0, zorder=0)
    else:
        axes.axvline(low, color=canvas.GREY, linestyle="--", linewidth=1)
    axes.set_xlim(limits)  # the strengths that were tested, and not more
    if limits[0] <= high and low <= limits[1]:
        note = words("denoising.trained_between" if low < high else "denoising.trained_at", low=low, high=high)
        middle = (max(low, limits[0]) + min(high, limits[1])) / 2
        style = {"size": SMALL, "color": canvas.GREY, "ha": "center", "textcoords": "offset points"}
        axes.annotate(note, (middle, 1), (0, 3), xycoords=("data", "axes fraction"), **style)
    canvas.quiet(axes, x=words("denoising.strength", corruption=_corruption(kept, words)), y=words("denoising.psnr"))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=TEXT)
    return figure


def _draw_kernels(kept: Kept, words: Words) -> Any:
    """The first filters of both nets beside each other, each scaled by its own largest magnitude."""
    from matplotlib import colormaps

    names = kept.info["kernels"]
    figure = canvas.new_figure(5.4, words("denoising.kernels"))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        tiles = kept.tree["kernels"][name]["weights"]
        signed = tiles / np.maximum(np.abs(tiles).max(axis=(1, 2, 3), keepdims=True), 1e-12)
        shade = colormaps["RdBu_r"](0.5 + 0.5 * signed.mean(-1))[..., :3]
        columns = canvas.grid_columns(len(shade), 1.0)
        shade = np.concatenate([shade, np.ones((-len(shade) % columns, *shade.shape[1:]))])
        axes.imshow(canvas.mosaic(shade.reshape(-1, columns, *shade.shape[1:]), gap=1, between=0.6))
        axes.set_axis_off()
        title = words(f"denoising.kernels_of.{name}", spread=kept.tree["kernels"][name]["spread"])
        axes.set_title(title, size=TEXT, loc="left")
    figure.supxlabel(words("denoising.kernels_note"), x=0.01, ha="left", size=SMALL)
    return figure


FIGURES = Figures(keep, draw)
