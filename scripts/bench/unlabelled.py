"""Defaults for rows without labels beside simple methods: clusters, and two dimensions. Results are kept as they come.

    PYTHONPATH=. python scripts/bench/unlabelled.py clusters results.json --seeds 5     # then again with --show
    PYTHONPATH=. python scripts/bench/unlabelled.py chosen results.json --seeds 3       # clusters, tables.CHOSEN_ON
    PYTHONPATH=. python scripts/bench/unlabelled.py reduction results.json --seeds 5

Tables are those of tables.JUDGED_ON, without german and bands, at which the learning rate of the second was tried; at
most 2000 rows of each, drawn once. Of clusters those with classes that clusters may be, and k is the number of classes.
``by silhouette`` and ``by modularity`` take, without labels, that of our clusters, spectral clusters and those of the
code which has the most of it: of the silhouette of the columns, or of the modularity on the graph of ten neighbours.
"""

import argparse
import json
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tables

MOST = 2000
CLUSTERED = (
    "dermatology", "ecoli", "heart", "libras", "new_thyroid", "penbased", "shuttle", "texture", "vehicle", "wine",
    "wisconsin",
)  # fmt: skip
CHOSEN = (
    "breast_cancer", "digits", "glass", "ionosphere", "page_blocks", "segment", "sonar", "twonorm", "vowel", "yeast",
)  # fmt: skip
REDUCED = (
    "bupa", "computers", "dermatology", "diamonds", "ecoli", "heart", "libras", "marketing", "new_thyroid", "penbased",
    "pima", "saheart", "shuttle", "texture", "vehicle", "wine", "wisconsin",
)  # fmt: skip


def rows_of(name):
    """At most 2000 rows without holes, and their labels or None."""
    table = tables.load(name)
    x = table.numbers
    whole = np.flatnonzero(np.isfinite(x).all(1))
    chosen = np.random.default_rng(0).permutation(whole)[:MOST]
    labels = None if table.labels is None else np.unique(table.labels[chosen], return_inverse=True)[1]
    return x[chosen], labels


def modularity(rows, clusters, neighbours=10):
    """The share of the graph's edges within clusters, beyond what chance would have."""
    from sklearn.neighbors import kneighbors_graph

    graph = kneighbors_graph(rows, neighbours)
    one_hot = np.eye(clusters.max() + 1)[clusters]
    between = one_hot.T @ (graph + graph.T) @ one_hot / (2 * graph.sum())
    return np.trace(between) - np.square(between.sum(0)).sum()


def clusters(name, seed):
    """Normalised mutual information and accuracy of each method, and the seconds of ours."""
    from sklearn.metrics import normalized_mutual_info_score, silhouette_score
    from sklearn.mixture import GaussianMixture

    from aejax.estimators import AutoencoderClusterer
    from aejax.metrics import partitions
    from aejax.tasks import clustering
    from aejax.tasks.common import fitted_pca

    x, labels = rows_of(name)
    count, started = len(np.unique(labels)), time.perf_counter()
    ours = AutoencoderClusterer(n_clusters=count, random_state=seed).fit(x)
    seconds = time.perf_counter() - started
    scaled = ((x - x.mean(0)) / np.maximum(x.std(0), 1e-12)).astype(np.float32)
    points = fitted_pca(scaled, min(10, *scaled.shape)).transform(scaled).astype(np.float64)
    mixture = GaussianMixture(count, n_init=10, random_state=seed, reg_covar=1e-4)
    k_means = lambda rows: clustering.k_means(rows, count, restarts=10, seed=seed).clusters
    spectral = lambda rows: clustering.spectral(rows, count, neighbours=10, seed=seed)
    code = ours.fitted_.encode(x)
    partition = {
        "autoencoder": ours.labels_,
        "its code, k-means": k_means(code),
        "PCA, mixture": mixture.fit_predict(points),
        "k-means": k_means(scaled),
        "spectral": spectral(scaled),
        "its code, spectral": spectral(code),
    }
    candidates = [partition[method] for method in ("autoencoder", "its code, spectral", "spectral")]
    partition["by silhouette"] = max(candidates, key=lambda each: silhouette_score(scaled, each))
    partition["by modularity"] = max(candidates, key=lambda each: modularity(scaled, each))
    judged = lambda each: [float(normalized_mutual_info_score(labels, each)), partitions.accuracy(labels, each)]
    return {"seconds": seconds, **{method: judged(each) for method, each in partition.items()}}


def reduction(name, seed):
    """Mean squared error of test rows, scaled, and accuracy of five nearest neighbours in the plane, of each method."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import KNeighborsClassifier

    from aejax.estimators import Autoencoder

    x, labels = rows_of(name)
    order = np.random.default_rng(seed).permutation(len(x))
    test, train = order[: len(x) // 5], order[len(x) // 5 :]
    shift, scale = x[train].mean(0), np.maximum(x[train].std(0), 1e-12)
    scaled = (x - shift) / scale
    started = time.perf_counter()
    ours = Autoencoder(random_state=seed).fit(x[train])
    seconds = time.perf_counter() - started
    pca = PCA(2).fit(scaled[train])
    codes = {"autoencoder": ours.transform(x), "PCA": pca.transform(scaled)}
    rebuilt = {"autoencoder": (ours.reconstruct(x) - shift) / scale, "PCA": pca.inverse_transform(codes["PCA"])}
    if find_spec("umap"):
        from umap import UMAP

        mapping = UMAP(random_state=seed).fit(scaled[train])
        codes["UMAP"] = np.zeros((len(x), 2))
        codes["UMAP"][train], codes["UMAP"][test] = mapping.embedding_, mapping.transform(scaled[test])

    def accuracy(code):
        if labels is None:
            return None
        return float(KNeighborsClassifier(5).fit(code[train], labels[train]).score(code[test], labels[test]))

    error = lambda method: float(np.square(rebuilt[method] - scaled)[test].mean()) if method in rebuilt else None
    return {"seconds": seconds, **{method: [error(method), accuracy(code)] for method, code in codes.items()}}


def measure(task, path, seeds):
    """Measure what the file does not hold yet."""
    done = json.loads(path.read_text()) if path.exists() else {}
    names = {"clusters": CLUSTERED, "chosen": CHOSEN, "reduction": REDUCED}[task]
    for seed in range(seeds):
        for name in names:
            if f"{name}/{seed}" in done:
                continue
            with warnings.catch_warnings(action="ignore"):
                done[f"{name}/{seed}"] = (reduction if task == "reduction" else clusters)(name, seed)
            path.write_text(json.dumps(done, indent=1))
            print(name, seed, done[f"{name}/{seed}"], flush=True)


def show(path):
    """Means over the seeds, a line for each table, in Markdown."""
    done = json.loads(path.read_text())
    names = sorted({key.partition("/")[0] for key in done})
    methods = [method for method in next(iter(done.values())) if method != "seconds"]
    print(f"| table | seeds | {' | '.join(methods)} | seconds |\n|{'---|' * (len(methods) + 3)}")
    for name in names:
        runs = [run for key, run in done.items() if key.startswith(f"{name}/")]
        cells = []
        for method in methods:
            pairs = zip(*(run.get(method, [None, None]) for run in runs), strict=True)
            means = ["–" if None in each else f"{np.mean(each):.3f}".removeprefix("0") for each in pairs]
            cells.append(" ".join(means))
        print(f"| {name} | {len(runs)} | {' | '.join(cells)} | {np.mean([run['seconds'] for run in runs]):.0f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("clusters", "chosen", "reduction"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    show(arguments.file) if arguments.show else measure(arguments.task, arguments.file, arguments.seeds)
