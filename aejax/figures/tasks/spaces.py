"""Maps of latent spaces, their clusters, samples from them, and walks through them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from aejax.figures.canvas import SMALL, TEXT, Tree, cut, figures, full_width, is_narrow, new_panels, plain
from aejax.figures.images import are_images, as_images, as_strips, colours, image_lines, mosaic
from aejax.figures.panels import class_legend, labelled_points, maps, scatter
from aejax.figures.words import Words
from aejax.metrics.partitions import matching
from aejax.relations.components import principal_components
from aejax.types import Dataset, Evaluation, Kept, Model, Params


def keep_reduction(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Where the code has two units, both maps."""
    if model.code_size != 2:
        return Kept({}, {})
    arrays, numbers, baseline = evaluation.arrays, evaluation.metrics, evaluation.baselines["pca"]
    results = {
        "pca": (arrays["pca_code"], baseline["mse"], baseline["knn_accuracy"]),
        "autoencoder": (arrays["code"], numbers["test"]["mse"], numbers["all"]["knn_accuracy"]),
    }
    tree = {
        name: {"points": points, "labels": arrays["labels"], "error": error, "accuracy": accuracy}
        for name, (points, error, accuracy) in results.items()
    }
    return Kept(tree, {"data": dataset.name, "labels": list(dataset.label_names)})


def _draw_reduction(tree: Tree, info: Tree, words: Words) -> Any:
    panels = {}
    for name in ("pca", "autoencoder"):
        part, method = tree[name], words(f"reconstructions.{name}")
        title = words("reduction.panel", method=method, error=part["error"], accuracy=part["accuracy"])
        panels[title] = (part["points"], part["labels"])
    return maps(words, panels, info["labels"], title=words("reduction.title", data=info["data"]))


REDUCTION = figures(keep_reduction, maps=("pca", _draw_reduction))


MAPPED = ("autoencoder", "plain", "pca", "isomap", "lle")


def keep_manifold(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """The training rows and each map of the test rows, where the rows have three features and the code two units."""
    if dataset.feature_shape != (3,) or model.code_size != 2:
        return Kept({}, {})
    maps, numbers = evaluation.arrays["maps"], {"autoencoder": evaluation.metrics["test"], **evaluation.baselines}
    r2 = lambda name: np.array([value for key, value in numbers[name].items() if key.startswith("r2_")])
    tree = {
        "rows": np.asarray(dataset.train.x),  # more of them than test rows: the sheet is seen
        "row_colours": dataset.train.coordinates[:, 0],
        "colours": evaluation.arrays["coordinates"][:, 0],
        "maps": {name: {"points": maps[name], "r2": r2(name)} for name in MAPPED if name in maps},
    }
    return Kept(tree, {"data": dataset.name})


def _draw_manifold(tree: Tree, info: Tree, words: Words) -> Any:
    panels = {words("manifold.space"): (tree["rows"], tree["row_colours"])}
    for name in (name for name in MAPPED if name in tree["maps"]):
        r2 = words("common.and").join(words.number(value, ".3f") for value in tree["maps"][name]["r2"])
        panels[f"{words(f'manifold.methods.{name}')}: R² {r2}"] = (tree["maps"][name]["points"], tree["colours"])
    title, quantity = words("manifold.title", data=info["data"]), words("manifold.coordinate")
    return maps(words, panels, [quantity], axis_names=("", ""), title=title)


MANIFOLD = figures(keep_manifold, maps=("rows", _draw_manifold))


MOST_POINTS, MOST_IMAGES = 5000, 40


def keep_clustering(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """At most some thousands of points with their clusters and classes, and the mean images of the clusters."""
    arrays, numbers = evaluation.arrays, evaluation.metrics["train"]
    code, clusters, labels = arrays["code"], arrays["clusters"], arrays["labels"]
    tree: dict[str, Any] = {}
    if code.shape[1] > 1:
        tree["points"] = _points(code, clusters, labels)
        tree["points"] |= {"count": numbers["clusters"], "units": code.shape[1]}
        if labels is not None:
            tree["points"] |= {"nmi": numbers["nmi"], "stands_for": matching(labels, clusters)}
    if are_images(dataset):
        tree["means"] = _means(clusters, labels, dataset)
    return Kept(tree, {"data": dataset.name, "labels": list(dataset.label_names)})


def _points(code: np.ndarray, clusters: np.ndarray, labels: np.ndarray | None) -> dict[str, np.ndarray]:
    chosen = np.random.default_rng(0).permutation(len(code))[:MOST_POINTS]
    points = code if code.shape[1] == 2 else principal_components(code, 2).transform(code)
    tree = {"places": points[chosen], "clusters": clusters[chosen]}
    return tree if labels is None else tree | {"labels": labels[chosen]}


def _means(clusters: np.ndarray, labels: np.ndarray | None, dataset: Dataset) -> dict[str, Any]:
    """The mean of the rows of each cluster, largest first, with its size and its most frequent class."""
    sizes = np.bincount(clusters)
    order = [int(number) for number in np.argsort(-sizes, kind="stable") if sizes[number]][:MOST_IMAGES]
    means = np.stack([dataset.train.x[clusters == number].mean(0, dtype=np.float64) for number in order])
    scaled = ((means - dataset.shift) * dataset.scale).reshape(len(order), -1)
    tree = {"images": as_images([scaled], dataset)[0], "sizes": sizes[order]}
    if labels is not None:
        counts = [np.bincount(labels[clusters == number]) for number in order]
        tree["commonest"] = np.array([each.argmax() for each in counts])
        tree["of_it"] = np.array([each.max() for each in counts])
    return tree


def _draw_clusters(tree: Tree, info: Tree, words: Words) -> Any:
    """A point for each row; a cluster has the colour of the class that it stands for."""
    tree, labelled = tree["points"], "labels" in tree["points"]
    points, clusters = tree["places"], tree["clusters"]
    names = list(info["labels"]) if labelled else []
    stands_for = tree["stands_for"].copy() if labelled else np.full(clusters.max() + 1, -1)
    extra = np.flatnonzero(stands_for < 0)
    stands_for[extra] = len(names) + np.arange(len(extra))
    names += [words("clustering.cluster", number=number + 1) for number in range(len(extra))]
    title = words("clustering.by_cluster_nmi", nmi=tree["nmi"]) if labelled else words("clustering.by_cluster")
    panels = {title: (points, stands_for[clusters])}
    panels |= {words("clustering.by_class"): (points, tree["labels"])} if labelled else {}
    kind = "units" if tree["units"] == 2 else "components"
    axis_names = (words(f"code.first_{kind}"), words(f"code.second_{kind}"))
    key = "clustering.title_classes" if labelled else "clustering.title"
    title = words(key, data=info["data"], count=int(tree["count"]))
    return maps(words, panels, names, axis_names=axis_names, title=title)


def _draw_centres(tree: Tree, info: Tree, words: Words) -> Any:
    tree = tree["means"]
    images, sizes = colours(tree["images"]), tree["sizes"].tolist()
    columns, (height, width) = min(len(images), 10 if not is_narrow() else 4), images.shape[1:3]
    labelled = "commonest" in tree
    title = words("clustering.centres_classes" if labelled else "clustering.centres")
    high = 0.4 + -(-len(images) // columns) * (
        0.9 * full_width() / (10 if not is_narrow() else 4) * height / width + 0.55
    )
    figure, grid = new_panels(high, title, [("", "")] * len(images), columns)
    for number, axes in enumerate(grid):
        axes.imshow(images[number])
        axes.set_axis_off()
        caption = words("clustering.size", size=sizes[number])
        if labelled:
            name = plain(cut(info["labels"][int(tree["commonest"][number])], 12))
            share = tree["of_it"][number] / sizes[number]
            caption = words("clustering.size_class", size=sizes[number], share=share, label=name)
        axes.set_title(caption, size=SMALL)
    return figure


CLUSTERING = figures(keep_clustering, clusters=("points", _draw_clusters), centres=("means", _draw_centres))


SAMPLERS = ("uniform", "normal", "gaussian", "mixture", "kernel", "prior", "pca mixture")
IN_PLANE = ("training rows", "mixture", "uniform", "pca mixture", "mixture of rows", "independent columns")


def keep_generation(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """A few images of each sampler and their nearest training rows; of tables, points in the plane."""
    numbers = {config["task"]["sampler"].removeprefix("samplers."): evaluation.metrics["test"], **evaluation.baselines}
    arrays = evaluation.arrays
    if are_images(dataset):
        names = [name for name in SAMPLERS if name in arrays["made"]]
        strips = [arrays[part][name] for name in names for part in ("made", "nearest")]
        tree = {"strips": as_strips(strips, dataset)}
    else:
        names = [name for name in IN_PLANE if name in arrays["plane"]]
        tree = {"plane": {name: arrays["plane"][name] for name in names}}
    measure = "frechet" if "frechet" in evaluation.metrics["test"] else "c2st_auc"
    tree[measure] = {name: numbers[name][measure] for name in names}
    return Kept(tree, {"data": dataset.name, "names": names})


def _draw_samples(tree: Tree, info: Tree, words: Words) -> Any:
    """Images, with the Fréchet distance of each sampler."""
    left, right = [], []
    for name in info["names"]:
        left += [words.named("generation.samplers", name), words("generation.nearest")]
        right += [words("generation.frechet", distance=tree["frechet"][name]), ""]
    return image_lines(tree["strips"], left, words("generation.samples"), right=right)


def _draw_plane(tree: Tree, info: Tree, words: Words) -> Any:
    name_of = lambda name: words.named("generation.samplers", name)
    key, numbers = ("panel", tree["frechet"]) if "frechet" in tree else ("panel_of_forest", tree["c2st_auc"])
    panel = lambda name: words(f"generation.{key}", name=name_of(name), distance=numbers[name])
    panels = {panel(name): (tree["plane"][name], None) for name in info["names"]}
    axis_names = (words("generation.first"), words("generation.second"))
    title = words("generation.plane", data=info["data"])
    return maps(words, panels, axis_names=axis_names, title=title, same_axes=True)


GENERATION = figures(keep_generation, samples=("strips", _draw_samples), plane=("plane", _draw_plane))


SHOWN_WALKS, MOST_STEPS = 4, 10


def strips(
    walks: Mapping[str, np.ndarray], distances: Mapping[str, np.ndarray], most: int, dataset: Dataset, pixels: str
) -> Any:
    """The first walks of each kind, kind beside kind: their kinds, some steps as images, and their mean distances.

    Each walk stands between the two samples it leads from and to, whatever the decoder makes of its ends.
    """
    count, steps, *_ = walks[pixels].shape
    kinds = [(kind, walk) for walk in range(min(most, count)) for kind in walks]
    chosen = np.unique(np.linspace(0, steps - 1, min(steps, MOST_STEPS)).round().astype(int))
    ends = lambda walk: walks[pixels][walk, [0, -1]]
    whole = lambda kind, walk: np.concatenate([ends(walk)[:1], walks[kind][walk, chosen], ends(walk)[1:]])
    images = as_strips([whole(kind, walk) for kind, walk in kinds], dataset)
    return [kind for kind, _ in kinds], images, np.array([distances[kind][walk, 1:-1].mean() for kind, walk in kinds])


def keep_walk(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Where rows are images, a few walks and how far they lead from training rows."""
    if dataset.kind != "image":
        return Kept({}, {})
    both = lambda part: {kind: evaluation.arrays[f"{kind}_{part}"] for kind in ("code", "pixel")}
    kinds, images, means = strips(both("walks"), both("distances"), SHOWN_WALKS, dataset, "pixel")
    return Kept({"strips": images, "distances": means}, {"kinds": kinds})


def _draw_walk(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words(f"walk.{kind}") for kind in info["kinds"]]
    return _with_distances(tree["strips"], left, words("walk.title"), tree["distances"], words)


def _with_distances(images: np.ndarray, left: list[str], title: str, distances: np.ndarray, words: Words) -> Any:
    return image_lines(images, left, title, right=[words.number(distance, ".2f") for distance in distances])


WALK = figures(keep_walk, walks=("strips", _draw_walk))


WALKS = 3
WAYS = ("straight", "spherical", "pixels")
MOVES = (*WAYS, "pca")


def keep_latent(evaluation: Evaluation, dataset: Dataset, model: Model, params: Params, config: Tree) -> Kept:
    """Of images: the decoded grid, walks, random points and, with labels, moved rows, with their numbers."""
    if not are_images(dataset):
        return Kept({}, {})
    arrays, shares = evaluation.arrays, {"straight": evaluation.metrics["test"], **evaluation.baselines}
    side = len(arrays["grid"])
    walks, distances = ({way: arrays[name][way] for way in WAYS} for name in ("ways", "way_distances"))
    ways, images, means = strips(walks, distances, WALKS, dataset, "pixels")
    tree = {
        "grid": as_images([arrays["grid"].reshape(side, side, -1)], dataset)[0],
        "walks": images,
        "walk_distances": means,
        "random": as_strips([*arrays["random"].values()], dataset),
        "random_distances": np.array([shares[name]["distance"] for name in arrays["random"]]),
    }
    info = {"ways": ways, "random": list(arrays["random"]), "labels": list(dataset.label_names)}
    if model.code_size == 2:
        tree["code"] = arrays["code"]
        tree |= {} if dataset.test.labels is None else {"labels": dataset.test.labels}
    if "moved" in arrays:
        moved = arrays["moved"]
        info["moves"] = [name for name in MOVES if name in moved]
        tree["moved"] = as_strips([moved["from"], *(moved[name] for name in info["moves"])], dataset)
        tree["arrived"] = np.array([100 * shares[name]["moved"] for name in info["moves"]])
        info["targets"] = [dataset.label_names[label] for label in moved["target"]]
    return Kept(tree, info)


def _draw_walks(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words(f"latent.ways.{way}") for way in info["ways"]]
    return _with_distances(tree["walks"], left, words("walk.title"), tree["walk_distances"], words)


def _draw_random(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words(f"latent.random.{name}") for name in info["random"]]
    return _with_distances(tree["random"], left, words("latent.random_title"), tree["random_distances"], words)


def _draw_moved(tree: Tree, info: Tree, words: Words) -> Any:
    left = [words("latent.test_rows"), *(words(f"latent.moved_by.{name}") for name in info["moves"])]
    right = ["", *(words("latent.arrived", share=share) for share in tree["arrived"])]
    return image_lines(tree["moved"], left, words("latent.moved_title"), right=right, below=info["targets"])


def _draw_grid(tree: Tree, info: Tree, words: Words) -> Any:
    """The decoded grid, and where the test rows lie on it, where the code is the plane."""
    flat = "code" in tree
    title = words("latent.grid_plane" if flat else "latent.grid_components")
    labels = [("", ""), (words("code.first_units"), words("code.second_units"))][: 1 + flat]
    height, width = (4.9, 0) if flat else (6.2, min(6.2, full_width()))
    figure, (grid, *plane) = new_panels(height, title, labels, width=width)
    grid.imshow(mosaic(colours(tree["grid"]), gap=1, between=1.0))
    grid.set_axis_off()
    for axes in plane:
        points, labels = labelled_points("code", tree["code"], tree.get("labels"))
        scatter(axes, points, labels, len(info["labels"]), (labels.min(), labels.max()))
        low, high = np.percentile(points, [2, 98], axis=0)
        axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), box_aspect=1)
        outside = int((~((low <= points) & (points <= high)).all(1)).sum())
        title = words("map.outside", name=words("latent.same_place"), outside=outside, points=len(points))
        axes.set_title(title, size=TEXT, loc="left")
        class_legend(words, figure, np.unique(labels).tolist(), info["labels"])
    return figure


LATENT = figures(
    keep_latent,
    grid=("grid", _draw_grid),
    walks=("walks", _draw_walks),
    random=("random", _draw_random),
    moved=("moved", _draw_moved),
)
