"""Anomaly detection on many tables with one setting: ROC AUC of every score and of every baseline, wins and losses.

    python scripts/anomaly_table.py lecture/anomaly lecture/anomaly:lorenz     # shipped configs
    python scripts/anomaly_table.py --label class one.csv two.csv              # tables of your own

A table is made a one-class problem: rows of its most frequent label are normal, all others anomalies. Half of the
normal rows are trained on, the rest and all anomalies are test rows. Without --label the last column holds the labels.
All nets of a table train as one program, so a table takes a few seconds.
"""

import argparse
from pathlib import Path

import jax
import numpy as np

from aejax import config as configs
from aejax.build import load_data
from aejax.data.columns import as_labels, read_csv
from aejax.experiment import check_task
from aejax.files import write_json
from aejax.retrain import retrainer
from aejax.tasks import anomaly

BASELINES = ("knn", "isolation_forest", "one_class_svm", "pca")
TIE = 0.0005  # an AUC that differs by less is no win


def config_of(table, args):
    if not Path(table).suffix:
        return configs.load(table, args.set, seed=args.seed)
    columns = read_csv(Path(table))
    label = args.label or columns.names[-1]
    labels = as_labels(columns.cells[columns.names.index(label)], table)
    normal = labels.names[np.bincount(labels.values).argmax()]
    own = [f"data.name=file:{table}", f"data.label_column={label!r}", f"data.normal={normal!r}"]
    return configs.load(args.config, [*own, *args.set], seed=args.seed)


def found(config):
    """ROC AUC by method; the score of the config is called `score`."""
    dataset = load_data(config["data"])
    check_task(config["task"], dataset)
    options = {name: value for name, value in config["task"].items() if name not in ("name", "members")}
    seeds, *keys = jax.random.split(jax.random.key(config["seed"]), 3)
    trained = retrainer(config, dataset)(jax.random.split(seeds, config["task"]["members"]))
    result = anomaly.assess(keys, trained.model, trained.params, dataset, **options)
    own = {"score": result.metrics["test"]} | result.baselines
    print(f"  false alarms {own['score']['false_alarm_rate']:.3f}, found {own['score']['detection_rate']:.3f}", end=" ")
    return {name: values["roc_auc"] for name, values in own.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="+", help="CONFIG[:VARIANT], or a .csv file")
    parser.add_argument("--config", default="lecture/anomaly", help="whose setting files are run with")
    parser.add_argument("--label", help="the column of labels; the last one where it is left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--output", type=Path, help="a .json file for the numbers")
    args = parser.parse_args()
    rows = {}
    for table in args.tables:
        rows[Path(table).stem] = found(config_of(table, args))
        print(Path(table).stem, flush=True)
    summarise(rows)
    if args.output:
        write_json(args.output, rows)


def summarise(rows):
    methods = list(next(iter(rows.values())))
    print("| table |", " | ".join(methods), "|")
    print("|---|" + "---|" * len(methods))
    for table, row in rows.items():
        print(f"| {table} |", " | ".join(f"{row[method]:.3f}" for method in methods), "|")
    values = {method: np.array([row[method] for row in rows.values()]) for method in methods}
    print("| mean |", " | ".join(f"{values[method].mean():.4f}" for method in methods), "|")
    for ours in (method for method in methods if method not in BASELINES):
        for other in BASELINES:
            gain = values[ours] - values[other]
            wins, losses = int((gain > TIE).sum()), int((gain < -TIE).sum())
            print(f"{ours} against {other}: {gain.mean():+.4f}, {wins} wins, {losses} losses, {len(gain)} tables")


if __name__ == "__main__":
    main()
