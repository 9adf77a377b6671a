"""The table of lecture/aeknn: kNN on codes of a quarter of the features beside all of them, over many data sets.

    python scripts/aeknn_table.py digits satimage                   # five nets in each fold
    python scripts/aeknn_table.py --all-layouts --seeds 1 NAME …    # all six layouts, one net in each fold

A data set is a name of `aejax data list`, or file:PATH with its labels in a column `class`. What was measured is kept
under runs/aeknn; a second call reads it. Wilcoxon's signed-rank test is done over the data sets' means, and over
all folds of all of them, which are not independent of each other, so that its p is too small.
"""

import argparse
import sys
from pathlib import Path

import jax
import numpy as np

from aejax import config
from aejax.config.components import configured_task
from aejax.runs.experiment import check_task
from aejax.tasks import aeknn
from aejax.training.build import load_data
from aejax.training.compilation import enable_cache
from aejax.training.retrain import retrainer
from aejax.training.step import EVALUATION_STREAM

QUARTER = ((0.25,), (1.5, 0.25, 1.5))
RULE = "|---"
METRICS = ("accuracy", "f_score", "auc")


def measure(data, variant, layouts, seeds):
    """The scores of each method, by "method metric"; PCA's by the share of the features that it keeps."""
    column = ["data.label_column=class"] if data.startswith("file:") else []
    settings = config.load(f"lecture/aeknn{variant}", [f"data.name={data}", *column])
    dataset = load_data(settings["data"])
    settings["task"] |= {"layouts": layouts, "seeds": seeds}
    check_task(settings, dataset)
    _, options = configured_task(settings["task"])
    key = jax.random.fold_in(jax.random.key(settings["seed"]), EVALUATION_STREAM)
    cuts, retrain = aeknn.cut(key, dataset, options), retrainer(settings, dataset)
    found, sizes = aeknn.net_scores(key, cuts, retrain, options)
    others = aeknn.baseline_scores(cuts, sizes, neighbours=options.neighbours)
    shares = dict.fromkeys(layout[len(layout) // 2] for layout in layouts)
    pca = {f"pca {aeknn.units((share,), cuts[0].train.x[0].size)[0]}": f"PCA {share:g}" for share in shares}
    found |= {pca.get(method, method): scores for method, scores in others.items()}
    return {f"{method} {metric}": values for method, of_one in found.items() for metric, values in of_one.items()}


def kept(data, variant, layouts, seeds):
    """The same, read where it was measured before."""
    name = f"{Path(data).stem.removeprefix('file:')}{variant.replace(':', '-')}-{len(layouts)}x{seeds}.npz"
    path = Path("runs/aeknn") / name
    if not path.exists():
        print(path, file=sys.stderr)
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **measure(data, variant, layouts, seeds))
    return dict(np.load(path))


def methods(plain, supervised):
    """Accuracy and the other scores of each method as (folds, seeds), under names that both data sets and tests use."""
    found = {}
    for name, scores in (("plain", plain), ("supervised", supervised)):
        for key, values in scores.items():
            method, metric = key.rsplit(" ", 1)
            if values.ndim == 2:
                found.setdefault(f"{name} {method}", {})[metric] = values
            elif name == "plain":
                found.setdefault(method, {})[metric] = values[:, None]
    return found


def line(data, name, scores, reference):
    mean = {metric: scores[metric].mean() for metric in METRICS}
    less = 100 * (mean["accuracy"] - reference["accuracy"].mean())
    cells = f"{100 * mean['accuracy']:.2f} ± {100 * scores['accuracy'].std(ddof=1):.2f} | {less:+.2f}"
    ratio = aeknn.typical_seconds(scores) / aeknn.typical_seconds(reference)
    return f"| {data} | {name} | {cells} | {mean['f_score']:.4f} | {mean['auc']:.4f} | {ratio:.2f} |"


def test(name, found):
    """Wilcoxon's signed-rank test of one method against all features."""
    from scipy.stats import wilcoxon

    pairs = [
        of_data[name]["accuracy"].mean(1) - of_data["all features"]["accuracy"].mean(1)
        for of_data in found.values()
        if name in of_data
    ]
    means = np.array([pair.mean() for pair in pairs])
    p_sets = wilcoxon(means).pvalue if means.any() else 1.0
    p_folds = wilcoxon(np.concatenate(pairs)).pvalue if np.any(pairs) else 1.0
    near, above = (means >= -0.005).sum(), (means > 0).sum()
    return f"| {name} | {near} of {len(means)} | {above} | {100 * means.mean():+.2f} | {p_sets:.3g} | {p_folds:.2g} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--all-layouts", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    layouts, seeds = aeknn.PUBLISHED if given.all_layouts else QUARTER, given.seeds
    enable_cache()
    found = {
        Path(data).stem.removeprefix("file:"): methods(*(kept(data, v, layouts, seeds) for v in ("", ":supervised")))
        for data in given.names
    }
    print(
        "| data | method | accuracy, % | less kNN's, points | macro F | AUC | time / kNN's |", RULE * 7 + "|", sep="\n"
    )
    for data, of_data in found.items():
        for name, scores in of_data.items():
            print(line(data, name, scores, of_data["all features"]))
    print(
        "\n| method | within .5 points of kNN | above it | mean, points | p, data sets | p, folds |",
        RULE * 6 + "|",
        sep="\n",
    )
    names = dict.fromkeys(name for of_data in found.values() for name in of_data if name != "all features")
    print("\n".join(test(name, found) for name in names))


if __name__ == "__main__":
    main()
