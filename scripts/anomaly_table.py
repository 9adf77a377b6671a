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
from aejax.config.components import configured_task
from aejax.data.encoding import as_labels
from aejax.data.tables import read_table
from aejax.files import write_json
from aejax.runs.experiment import check_task
from aejax.tasks import anomaly
from aejax.tasks.anomaly.scoring import train_ensemble
from aejax.training.build import build_model, load_data
from aejax.training.retrain import retrainer

BASELINES = ("knn", "isolation_forest", "one_class_svm", "pca")
TIE = 0.0005  # an AUC that differs by less is no win


def config_of(table, args):
    if not Path(table).suffix:
        return configs.load(table, args.set, seed=args.seed)
    columns = read_table(Path(table)).columns
    label = args.label or list(columns)[-1]
    labels = as_labels(columns[label].values, table, columns[label].missing)
    normal = labels.names[np.bincount(labels.values).argmax()]
    own = [f"data.name=file:{table}", f"data.label_column={label!r}", f"data.normal={normal!r}"]
    return configs.load(args.config, [*own, *args.set], seed=args.seed)


def found(config):
    """ROC AUC by method, the score of the config being called `score`, and what its threshold gets right."""
    dataset = load_data(config["data"])
    model = build_model(config["model"], dataset.feature_shape)
    check_task(config, dataset)
    _, options = configured_task(config["task"])
    own, *keys = jax.random.split(jax.random.key(config["seed"]), 3)
    ensemble = train_ensemble(own, dataset, retrainer(config, dataset), options.members)
    one = jax.tree.map(lambda leaf: leaf[0], ensemble.params)
    result = anomaly.assess(keys, model, one, ensemble, dataset, options)
    test = result.metrics["test"]
    judged = {"score": test} | result.baselines
    return {name: values["roc_auc"] for name, values in judged.items()} | {
        name: test[name] for name in ("false_alarm_rate", "detection_rate")
    }


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
        name = Path(table).stem
        rows[name] = found(config_of(table, args))
        if len(rows) == 1:
            print("| table |", " | ".join(rows[name]), "|")
            print("|---|" + "---|" * len(rows[name]))
        print(f"| {name} |", " | ".join(f"{value:.4f}" for value in rows[name].values()), "|", flush=True)
        if args.output:
            write_json(args.output, rows)
    summarise(rows)


def summarise(rows):
    values = {column: np.array([row[column] for row in rows.values()]) for column in next(iter(rows.values()))}
    print("| mean |", " | ".join(f"{column.mean():.4f}" for column in values.values()), "|")
    for ours in [column for column in values if column not in BASELINES and not column.endswith("_rate")]:
        for other in BASELINES:
            gain = values[ours] - values[other]
            wins, losses = int((gain > TIE).sum()), int((gain < -TIE).sum())
            print(f"{ours} against {other}: {gain.mean():+.4f}, {wins} wins, {losses} losses, {len(gain)} tables")


if __name__ == "__main__":
    main()
