"""Clean and noisy images and what each method makes of them, the curve over the noise, and both nets' filters."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, PALE, SMALL, TEXT
from aejax.figures.images import SHOWN, filter_grid, image_lines, pixels
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Figures, Kept, Model, Params

COLOURS = {
    "clean": "black",
    "noisy": GREY,
    "net": OKABE_ITO[5],
    "plain": OKABE_ITO[3],
    "median": OKABE_ITO[4],
    "total_variation": OKABE_ITO[1],
    "non_local_means": OKABE_ITO[2],
    "biharmonic": OKABE_ITO[0],
}
"""Of the methods, in the order in which they are shown."""
FILTERS = 36  # of each net


def keep(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Mapping[str, Any]) -> Kept:
    """Some images by every method, their numbers at all strengths, and the first filters of both nets."""
    task, images, kernels = config["task"], evaluation.arrays["images"], evaluation.arrays["kernels"]
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
    if kernels:
        info["kernels"] = list(kernels)
        weights = lambda name: kernels[name].T[:FILTERS].reshape(-1, *dataset.feature_shape)
        tree["kernels"] = {
            name: {"weights": weights(name), "spread": numbers[name]["kernel_spread_outside"]} for name in kernels
        }
    return Kept(tree, info)


def _trained_at(corruption: Mapping[str, Any]) -> tuple[float, float]:
    """The least and the greatest strength that a net saw: the same, unless its corruption has a ``least`` and ``most``.

    The strength is the first hyperparameter of a corruption; one without any has none to speak of, 0.
    """
    hyperparameters = {name: value for name, value in corruption.items() if name != "name"}
    only = next(iter(hyperparameters.values()), 0.0)
    return hyperparameters.get("least", only), hyperparameters.get("most", only)


def draw(content: Kept, words: Words) -> dict[str, Any]:
    """``denoised``, ``psnr`` where there is a curve, and ``kernels`` where a first layer is dense."""
    tree, info = content
    corruption = words.named("corruptions", info["corruption"]).replace("_", " ")
    title = words("denoising.title", corruption=corruption, strength=info["strength"])
    shown = [name for name in COLOURS if name in tree["images"]]
    decibels = {name: f"\n{words('denoising.decibel', psnr=psnr)}" for name, psnr in tree["psnr"].items()}
    left = [words(f"denoising.methods.{name}") + decibels.get(name, "") for name in shown]
    figures = {"denoised": image_lines([tree["images"][name] for name in shown], left, title, large=True)}
    if info["curve"]:
        figures["psnr"] = _draw_curves(tree, info["trained"], corruption, words)
    if "kernels" in tree:
        figures["kernels"] = _draw_kernels(tree["kernels"], info["kernels"], words)
    return figures


def _draw_curves(tree: Mapping[str, Any], trained: tuple[float, float], corruption: str, words: Words) -> Any:
    """Peak signal-to-noise ratio over the strength of the noise, a line for each method."""
    labels = (words("denoising.strength", corruption=corruption), words("denoising.psnr"))
    figure, (axes,) = canvas.panels(4.4, words("denoising.psnr_title"), [labels])
    for name, marker in zip([name for name in COLOURS if name in tree["curves"]], "oX^sDvP", strict=False):
        style = {"linewidth": 2.4 if name == "net" else 1.4, "linestyle": ":" if name == "noisy" else "-"}
        style |= {"color": COLOURS[name], "marker": marker, "markersize": 5}
        axes.plot(tree["strengths"], tree["curves"][name], label=words(f"denoising.methods.{name}"), **style)
    low, high = trained
    limits = axes.get_xlim()
    if low < high:
        axes.axvspan(low, high, color=PALE, alpha=0.4, linewidth=0, zorder=0)
    else:
        axes.axvline(low, color=GREY, linestyle="--", linewidth=1)
    axes.set_xlim(limits)  # the strengths that were tested, and not more
    if limits[0] <= high and low <= limits[1]:
        note = words("denoising.trained_between" if low < high else "denoising.trained_at", low=low, high=high)
        middle = (max(low, limits[0]) + min(high, limits[1])) / 2
        style = {"size": SMALL, "color": GREY, "ha": "center", "textcoords": "offset points"}
        axes.annotate(note, (middle, 1), (0, 3), xycoords=("data", "axes fraction"), **style)
    canvas.legend_right(axes)
    return figure


def _draw_kernels(kernels: Mapping[str, Any], names: list[str], words: Words) -> Any:
    """The first filters of both nets beside each other, each scaled by its own largest magnitude."""
    figure, grid = canvas.panels(5.4, words("denoising.kernels"), [("", "")] * len(names))
    for axes, name in zip(grid, names, strict=True):
        axes.imshow(filter_grid(kernels[name]["weights"].mean(-1), 1.0)[0])
        axes.set_axis_off()
        axes.set_title(words(f"denoising.kernels_of.{name}", spread=kernels[name]["spread"]), size=TEXT, loc="left")
    figure.supxlabel(words("denoising.kernels_note"), x=0.01, ha="left", size=SMALL)
    return figure


FIGURES = Figures(keep, draw)
