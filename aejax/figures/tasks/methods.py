"""Methods beside each other: kNN on codes, attacks on codes, fills of missing values, and denoising."""

from textwrap import fill
from typing import Any

import numpy as np

from aejax.figures import canvas
from aejax.figures.canvas import GREY, OKABE_ITO, PALE, SMALL, TEXT, Tree, figures, new_panels
from aejax.figures.images import SHOWN, are_images, as_images, choose, colours, filter_grid, image_lines, pixels
from aejax.figures.words import Words
from aejax.types import Dataset, Evaluation, Kept, Model, Params

REFERENCE = "all features"


def keep_aeknn(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The scores of each method in each fold."""
    scores = evaluation.arrays["scores"]
    names = [name for name in scores if name != REFERENCE]
    return Kept(dict(scores), {"names": names, "data": dataset.name, "neighbours": config["task"]["neighbours"]})


def _draw_aeknn(tree: Tree, info: Tree, words: Words) -> Any:
    """A line for each method, the folds as dots, their mean and standard deviation."""
    names, reference = info["names"], tree[REFERENCE]
    title = words("aeknn.title", data=info["data"], neighbours=info["neighbours"])
    labels = [(words("aeknn.accuracy", all=100 * reference["accuracy"].mean()), ""), (words("aeknn.time"), "")]
    figure, (accuracy, seconds) = new_panels(1.3 + 0.36 * len(names), title, labels)
    colours = [{"pca": OKABE_ITO[1], "lda": OKABE_ITO[2]}.get(name.partition(" ")[0], OKABE_ITO[0]) for name in names]
    ratios = [np.median(tree[name]["seconds"]) / np.median(reference["seconds"]) for name in names]
    shown = [""] * len(names) if not canvas.is_narrow() else [_label(name, words) for name in names]
    canvas.bars(seconds, shown, ratios, [words.number(ratio, ".2f") for ratio in ratios], color=colours)
    for line, (name, colour) in enumerate(zip(names, colours, strict=True)):
        better = 100 * (tree[name]["accuracy"].T - reference["accuracy"])  # (seeds, folds) or (folds,)
        of_fold = better.reshape(-1, len(reference["accuracy"])).mean(0)
        spread = line + np.linspace(0.2, -0.2, len(of_fold))
        accuracy.scatter(of_fold, spread, s=9, color=colour, alpha=0.45, linewidths=0)
        accuracy.errorbar(better.mean(), line, xerr=better.std(ddof=1), fmt="D", ms=5, capsize=3, color=colour)
    for axes, middle in ((accuracy, 0), (seconds, 1)):
        axes.axvline(middle, color=GREY, linewidth=1, linestyle="--", zorder=0)
    accuracy.set_yticks(range(len(names)), [_label(name, words) for name in names])
    accuracy.set_ylim(seconds.get_ylim())
    seconds.set_xlim(0, 1.15 * max(1.0, *ratios))
    return figure


def _label(name: str, words: Words) -> str:
    """A method in words: nets by the shares of their hidden layers."""
    kind, _, size = name.partition(" ")
    return words(f"aeknn.{kind}", size=size) if kind in ("pca", "lda") else words("aeknn.net", layout=name)


AEKNN = figures(keep_aeknn, aeknn=(REFERENCE, _draw_aeknn))


ATTACKERS = ("mean row", "codes only", "encoder known", "owner")


def keep_encryption(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The errors by the number of leaked pairs and of other attackers, and images rebuilt by each."""
    arrays, numbers = evaluation.arrays, {"owner": evaluation.metrics["test"], **evaluation.baselines}
    tree = {"curve": arrays["curve"], "errors": {name: numbers[name]["mse"] for name in ATTACKERS if name in numbers}}
    rows = {"test rows": arrays["x"], "owner": arrays["owner"], **arrays["attacks"]}
    rows["mean row"] = np.broadcast_to(arrays["mean"], arrays["x"].shape)
    if are_images(dataset):
        labels = None if dataset.test.labels is None else dataset.test.labels[: len(arrays["x"])]
        chosen = choose(labels, len(arrays["x"]))
        tree["images"] = np.stack(as_images([values[chosen] for values in rows.values()], dataset))
    return Kept(tree, {"rows": [*rows]})


def _draw_attacked(tree: Tree, info: Tree, words: Words) -> Any:
    return image_lines(tree["images"], [_name(name, words) for name in info["rows"]], words("encryption.images"))


def _name(name: str, words: Words) -> str:
    """Who rebuilt a line of images: of those with leaked pairs, how many these are."""
    count = name.removesuffix(" leaked pairs")
    return words("encryption.leaked", count=int(count)) if count.isdigit() else words(f"encryption.rows.{name}")


def _draw_attacks(tree: Tree, info: Tree, words: Words) -> Any:
    labels = (words("encryption.pairs"), words("common.mse"))
    figure, (axes,) = new_panels(4.2, words("encryption.title"), [labels])
    counts, errors = tree["curve"].T
    axes.plot(counts, errors, "o-", color=OKABE_ITO[0], label=words("encryption.fitted"))
    colours = (GREY, *(OKABE_ITO[i] for i in (3, 1, 2)))
    for name, colour, style in zip(ATTACKERS, colours, ("-", "-.", "--", ":"), strict=True):
        label = words(f"encryption.lines.{name}")
        axes.axhline(float(tree["errors"][name]), color=colour, linestyle=style, label=label, linewidth=1.8)
    axes.set_xscale("log")
    axes.set_xticks(counts, [words.number(count, ",.0f") for count in counts])
    axes.minorticks_off()
    axes.set_ylim(0)
    canvas.legend_above(axes)
    return figure


ENCRYPTION = figures(keep_encryption, attacks=("curve", _draw_attacks), attacked=("images", _draw_attacked))


FILLS = ("autoencoder", "fill", "forest", "mice", "knn", "mean")
KINDS = ("rmse", "accuracy")
DRAWS = 2


def keep_imputation(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The errors, the coverage of the intervals, and images with holes and what fills them."""
    arrays, numbers = evaluation.arrays, {"autoencoder": evaluation.metrics["test"], **evaluation.baselines}
    methods = [name for name in FILLS if name in numbers]
    kinds = [kind for kind in KINDS if kind in numbers["autoencoder"]]
    tree = {
        "hidden": arrays["hidden"].mean(),
        "errors": {kind: np.array([numbers[name][kind] for name in methods]) for kind in kinds},
        "levels": np.asarray(arrays["levels"]),
        "coverages": np.asarray(arrays["coverages"]),
    }
    info: dict[str, Any] = {"data": dataset.name, "methods": methods, "kinds": kinds}
    if are_images(dataset):
        info["fills"], tree["images"], tree["holes"] = _filled_images(dataset, arrays)
    return Kept(tree, info)


def _filled_images(dataset: Dataset, arrays: Tree) -> tuple[list[str], np.ndarray, np.ndarray]:
    """What each line of images shows, the lines, and where the holes are."""
    chosen = choose(dataset.test.labels, len(arrays["truth"]))
    best, *others = (name for name in FILLS if name in arrays["filled"] and name != "mean")
    lines = {"holes": np.where(arrays["hidden"], 0.5, arrays["truth"]), best: arrays["filled"][best]}
    lines |= {f"draw {number}": arrays["draws"][number] for number in range(DRAWS)}
    lines |= {name: arrays["filled"][name] for name in others} | {"truth": arrays["truth"]}
    splits = (dataset.train, dataset.validation, dataset.test)
    rows = np.concatenate([np.asarray(split.x if split.truth is None else split.truth, np.float64) for split in splits])
    least, most, low = np.nanmin(rows), np.nanmax(rows), np.nanmin(rows, 0)
    span = np.nanmax(rows, 0) - low
    fold = lambda rows: rows[chosen].reshape(-1, *dataset.feature_shape)
    # From the range of each pixel to that of all, which is from black to white.
    grey = lambda rows: (fold(rows) * np.where(span > 0, span, 1) + low - least) / (most - least)
    images = pixels(np.stack([grey(line) for line in lines.values()]))
    return list(lines), images, fold(arrays["hidden"]).any(-1)


def _draw_fills(tree: Tree, info: Tree, words: Words) -> Any:
    from matplotlib.colors import to_rgb

    with_holes, *fills = map(colours, tree["images"])
    with_holes = np.where(tree["holes"][..., None], to_rgb(OKABE_ITO[1]), with_holes)
    left = [_filled_by(name, words) for name in info["fills"]]
    return image_lines([with_holes, *fills], left, words("imputation.fills_title"))


def _filled_by(name: str, words: Words) -> str:
    kind, _, number = name.partition(" ")
    return words("imputation.draw", number=int(number) + 1) if kind == "draw" else words(f"imputation.fills.{name}")


def _draw_errors(tree: Tree, info: Tree, words: Words) -> Any:
    methods, kinds = info["methods"], info["kinds"]
    title = words("imputation.title", data=info["data"], share=tree["hidden"])
    labels = [(words(f"imputation.{kind}"), "") for kind in kinds]
    labels.append((words("imputation.level"), words("imputation.coverage")))
    figure, (*grid, last) = new_panels(0.42 * len(methods) + 2.0, title, labels)
    colour = [OKABE_ITO[0] if name == "autoencoder" else "#b0b0b0" for name in methods]
    names = [words(f"imputation.fills.{name}") for name in methods]
    for axes, kind in zip(grid, kinds, strict=True):
        values = tree["errors"][kind]
        canvas.bars(axes, names, values, [words.number(value, ".4f") for value in values], color=colour)
        axes.tick_params(labelleft=axes is grid[0] or canvas.is_narrow())
        axes.set_xlim(0, 1.18 * max(values))
        axes.locator_params(axis="x", nbins=4)
    last.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2)
    last.plot(tree["levels"], tree["coverages"], color=OKABE_ITO[0], marker="o", markersize=4)
    last.text(0.48, 0.35, words("imputation.ideal"), color=GREY, size=SMALL)
    last.set(xlim=(0, 1), ylim=(0, 1))
    return figure


IMPUTATION = figures(keep_imputation, imputation=("errors", _draw_errors), fills=("images", _draw_fills))


DENOISERS = ("clean", "noisy", "net", "plain", "median", "total_variation", "non_local_means", "biharmonic")
COLOURS = ("black", GREY, *(OKABE_ITO[i] for i in (5, 3, 4, 1, 2, 0)))
FILTERS = 36  # of each net


def keep_denoising(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Some images by every method, their numbers at all strengths, and the first filters of both nets."""
    task, images, kernels = config["task"], evaluation.arrays["images"], evaluation.arrays["kernels"]
    numbers = {"net": evaluation.metrics["test"], **evaluation.baselines}
    shown = np.linspace(0, len(images["clean"]) - 1, SHOWN).astype(int)
    tree: dict[str, Any] = {"images": {name: pixels(images[name][shown]) for name in DENOISERS if name in images}}
    tree["psnr"] = {name: numbers[name]["psnr"] for name in DENOISERS if name in numbers}
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


def _trained_at(corruption: Tree) -> tuple[float, float]:
    """The least and the greatest strength that a net saw: the same, unless its corruption has a ``least`` and ``most``.

    The strength is the first hyperparameter of a corruption; one without any has none to speak of, 0.
    """
    hyperparameters = {name: value for name, value in corruption.items() if name != "name"}
    only = next(iter(hyperparameters.values()), 0.0)
    return hyperparameters.get("least", only), hyperparameters.get("most", only)


def _draw_denoised(tree: Tree, info: Tree, words: Words) -> Any:
    """The same rows of every method, with its signal-to-noise ratio."""
    shown = [name for name in DENOISERS if name in tree["images"]]
    decibels = {name: f"\n{words('denoising.decibel', psnr=psnr)}" for name, psnr in tree["psnr"].items()}
    left = [words(f"denoising.methods.{name}") + decibels.get(name, "") for name in shown]
    title = words("denoising.title", corruption=_corruption(info, words), strength=info["strength"])
    return image_lines([tree["images"][name] for name in shown], left, title, large=True)


def _corruption(info: Tree, words: Words) -> str:
    return words.named("corruptions", info["corruption"]).replace("_", " ")


def _draw_psnr(tree: Tree, info: Tree, words: Words) -> Any:
    """Peak signal-to-noise ratio over the strength of the noise, a line for each method."""
    labels = (words("denoising.strength", corruption=_corruption(info, words)), words("denoising.psnr"))
    figure, (axes,) = new_panels(4.4, words("denoising.psnr_title"), [labels])
    for name, colour, marker in zip(DENOISERS, COLOURS, " oX^sDvP", strict=True):
        if name in tree["curves"]:
            style = {"linewidth": 2.4 if name == "net" else 1.4, "linestyle": ":" if name == "noisy" else "-"}
            style |= {"color": colour, "marker": marker, "markersize": 5, "label": words(f"denoising.methods.{name}")}
            axes.plot(tree["strengths"], tree["curves"][name], **style)
    limits, (low, high) = axes.get_xlim(), info["trained"]
    if low < high:
        label = words("denoising.trained_between", low=low, high=high)
        axes.axvspan(low, high, color=PALE, alpha=0.4, linewidth=0, zorder=0, label=label)
    else:
        axes.axvline(low, color=GREY, linestyle="--", linewidth=1, label=words("denoising.trained_at", low=low))
    axes.set_xlim(limits)  # the strengths that were tested, and not more
    canvas.legend_right(axes)
    return figure


def _draw_kernels(tree: Tree, info: Tree, words: Words) -> Any:
    """The first filters of both nets beside each other, each scaled by its own largest magnitude."""
    figure, grid = new_panels(5.4, words("denoising.kernels"), [("", "")] * len(info["kernels"]))
    for axes, name in zip(grid, info["kernels"], strict=True):
        kernels = tree["kernels"][name]
        axes.imshow(filter_grid(kernels["weights"].mean(-1), 1.0))
        axes.set_axis_off()
        axes.set_title(words(f"denoising.kernels_of.{name}", spread=kernels["spread"]), size=TEXT, loc="left")
    note = words("denoising.kernels_note")
    note = note if not canvas.is_narrow() else fill(note, 58)
    figure.supxlabel(note, x=0.01, ha="left", size=SMALL)
    return figure


DENOISING = figures(
    keep_denoising, denoised=("images", _draw_denoised), psnr=("curves", _draw_psnr), kernels=("kernels", _draw_kernels)
)
