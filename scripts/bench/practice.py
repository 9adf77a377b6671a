"""Our defaults beside simple methods, on tables that nobody tuned on: imputation, anomaly detection and made rows.

    python scripts/bench/practice.py imputation --tables judged --seeds 0 1 2 3 4 --output imputation.json
    python scripts/bench/practice.py unlabelled --tables judged --seeds 0 1 2 3 4 --output unlabelled.json
    python scripts/bench/practice.py one_class --tables judged --seeds 0 1 2 3 4 --output one_class.json
    python scripts/bench/practice.py synthetic --tables judged --most-rows 2500 --output synthetic.json
    python scripts/bench/practice.py imputation --output imputation.json --print    # the table of what is there

- ``imputation``: a fifth of the values is hidden, completely at random; a method is fitted to all rows and fills them.
  ``rmse``: of the hidden values, in units of the range of their column. ``possible``: the same when what a method says
  is cut to the range of what was observed of a column, and rounded where all of that is whole, as ours always is.
  ``coverage``: the share of the hidden values in intervals of 90 %. ``energy``: the energy score of ten draws, of
  ours and of chained equations that draw (``sample_posterior``), in the same units.
- ``unequal``: the same with another share of the values of each column hidden, uniform in [.05, .5]. By name alone:
  ``--methods aejax uniform proportional`` has masks in training that hide all columns alike, and each in proportion to
  what is observed of it.
- ``mixed``: a fifth of the cells of whole frames, categories too; the others take categories as columns of 0 and 1, of
  which the largest is their answer. ``accuracy``: the share of hidden categories that is right. ``rmse``: of numbers.
- ``unlabelled``: rows with the most frequent label are normal, and of the others as many stay as make a tenth of all
  rows at most. A method is fitted to all of them and scores the same rows. ``auc``: ROC AUC, ``ap``: average precision.
  Ours takes ``anomaly_score="trimmed"``.
- ``one_class``: a method is fitted to half of the normal rows; the others and as many anomalies as above are scored.
  ``alarms``: of the normal ones, the share that raises an alarm, where .05 was asked for. By name alone:
  ``--methods aejax aejax_error levels levels_error tails tails_error`` has nets of several levels of noise, and of
  less noise in features of heavy tails.
- ``synthetic``: a method is fitted to half of the rows, and makes 1000 new ones, which are compared with the other half
  by the measures of the task generation with ``features="columns"``: see there.

With miceforest 6.0.5 and lightgbm 4.5.0 installed (with 4.7 it fails), its fills are measured as well; with PyOD
installed its AutoEncoder, DeepSVDD and ECOD, as it sets them.

A seed draws what is hidden or left out, and is that of all methods. Tables: see `tables.py`. What is in the file is not
computed again. Times are of a fit and a prediction by one process; a first fit of a shape also compiles.
"""

import argparse
import json
import time
import warnings
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tables

from aejax.files import write_json
from aejax.metrics.imputation import energy_score

HIDDEN, ANOMALIES, RATE, DRAWS = 0.2, 0.1, 0.05, 10
TREES_AT_MOST = 20_000  # values of a table that forests are grown for, which takes minutes for others


# Imputation: methods are scikit-learn's, with fit_transform and transform.


def imputers(seed):
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from aejax.estimators import AutoencoderImputer

    chained = lambda model: IterativeImputer(model, random_state=seed)
    by_name = {"miceforest": partial(MiceForest, seed)} if find_spec("miceforest") else {}
    masked = lambda mask: AutoencoderImputer(random_state=seed, changes={"corruption": mask})
    by_name |= {name: partial(masked, mask) for name, mask in MASKS.items()}
    return by_name | {
        "aejax": lambda: AutoencoderImputer(random_state=seed),
        "mean": SimpleImputer,
        "knn": lambda: make_pipeline(StandardScaler(), KNNImputer(weights="distance")),
        "ridge": lambda: chained(None),
        "extra_trees": lambda: chained(ExtraTreesRegressor(25, random_state=seed)),
        "missforest": lambda: chained(RandomForestRegressor(25, random_state=seed)),
    }


class MiceForest:
    """The mean of five sets that miceforest completes, in five rounds each, as it sets them."""

    def __init__(self, seed):
        self.seed = seed

    def fit_transform(self, x):
        """The rows x with their holes filled."""
        import miceforest
        import pandas

        frame = pandas.DataFrame(x, columns=[f"column {at}" for at in range(x.shape[1])])
        kernel = miceforest.ImputationKernel(frame, num_datasets=5, random_state=self.seed)
        kernel.mice(5)
        return np.mean([kernel.complete_data(number).to_numpy() for number in range(5)], 0)


MASKS = {
    "uniform": {"name": "holes", "borrowed": 0.0},
    "proportional": {"name": "practice.proportional"},
}
"""Of the net in training, in place of the default, where they are named."""


def proportional(key, x, *, least=0.05, most=0.5):
    """Values hidden as `aejax.data.corrupt.holes` does it, each column in proportion to what is observed of it."""
    import jax
    import jax.numpy as jnp

    share, draw = jax.random.split(key)
    observed = (~jnp.isnan(x)).mean(0)
    rate = jax.random.uniform(share, (len(x), 1), x.dtype, least, most) * (observed / observed.mean())[None]
    return jnp.where(jax.random.uniform(draw, x.shape, x.dtype) < rate, jnp.nan, x)


def imputation(name, seed, methods, *, unequal=False):
    x = tables.load(name).numbers
    random, span = np.random.default_rng([seed, 0]), np.ptp(x, 0)
    x = x[random.permutation(len(x))]
    hidden = random.random(x.shape) < (random.uniform(0.05, 0.5, x.shape[1]) if unequal else HIDDEN)
    hidden[hidden.all(1), 0] = False
    holes = np.where(hidden, np.nan, x)
    forests, large = ("extra_trees", "missforest", "miceforest"), x.size > TREES_AT_MOST
    too_many = {**dict.fromkeys(forests, large), "knn": len(x) > 20_000}
    for method, make in imputers(seed).items():
        if method not in methods or too_many.get(method):
            continue

        def numbers(make=make, method=method):
            model, started = make(), time.perf_counter()
            filled = model.fit_transform(holes)
            filled = model[0].inverse_transform(filled) if method == "knn" else filled
            error = lambda filled: float(np.sqrt(np.square(((filled - x) / span)[hidden]).mean()))
            least, most, whole = np.nanmin(holes, 0), np.nanmax(holes, 0), (np.isnan(holes) | (holes % 1 == 0)).all(0)
            possible = np.where(whole, np.round(filled), filled).clip(least, most)
            numbers = {"rmse": error(filled), "possible": error(possible)}
            numbers["seconds"] = time.perf_counter() - started
            if method in ("aejax", *MASKS):
                low, high = model.intervals(holes)
                numbers["coverage"] = float(((low <= x) & (x <= high))[hidden].mean())
                numbers["energy"] = energy_score(x / span, model.draw(holes, DRAWS) / span, hidden)
            elif method == "ridge":
                drawing = imputers(seed)["ridge"]().set_params(sample_posterior=True).fit(holes)
                draws = np.array([drawing.transform(holes) for _ in range(DRAWS)])
                draws = np.where(whole, np.round(draws), draws).clip(least, most)
                numbers["energy"] = energy_score(x / span, draws / span, hidden)
            return numbers

        yield method, numbers


def mixed(name, seed, methods):
    import pandas

    frame = tables.load(name).frame
    frame = frame.loc[:, frame.nunique() > 1].sample(frac=1, random_state=seed, ignore_index=True)
    words = [column for column in frame if not pandas.api.types.is_numeric_dtype(frame[column])]
    others = [column for column in frame if column not in words]
    frame = frame.astype({column: str if column in words else float for column in frame})
    hidden = pandas.DataFrame(np.random.default_rng([seed, 0]).random(frame.shape) < HIDDEN, columns=frame.columns)
    hidden.loc[hidden.all(axis=1), others[0]] = False
    holes = frame.mask(hidden)
    # without the first category: else each follows from the others, and chained equations stay where they begin
    flags = {column: pandas.get_dummies(holes[column], dtype=float).iloc[:, 1:] for column in words}
    flags = {column: each.where(holes[column].notna(), axis=0) for column, each in flags.items()}
    wide = np.column_stack([holes[others], *flags.values()])
    ends = np.cumsum([len(others), *(each.shape[1] for each in flags.values())])

    def category(column, values):
        first = sorted(set(holes[column].dropna()) - set(flags[column]))
        return np.array([*first, *flags[column]])[np.column_stack([1 - values.sum(1), values]).argmax(1)]

    for method, make in imputers(seed).items():
        if method not in methods or (method in ("extra_trees", "missforest") and wide.size > TREES_AT_MOST):
            continue

        def numbers(make=make, method=method):
            model, started = make(), time.perf_counter()
            if method == "aejax":
                filled = model.fit_transform(holes)
            else:
                values = model.fit_transform(wide)
                values = model[0].inverse_transform(values) if method == "knn" else values
                parts = np.split(values, ends[:-1], axis=1)[: len(ends)]
                filled = pandas.DataFrame(parts[0], columns=others)
                for column, each in zip(words, parts[1:], strict=True):
                    filled[column] = category(column, each)
            result = {"seconds": time.perf_counter() - started}
            right = filled[words].to_numpy(str) == frame[words].to_numpy(str)
            errors = (filled[others].to_numpy(float) - frame[others].to_numpy()) / np.ptp(frame[others].to_numpy(), 0)
            result["accuracy"] = float(right[hidden[words].to_numpy()].mean())
            return result | {"rmse": float(np.sqrt(np.square(errors[hidden[others].to_numpy()]).mean()))}

        yield method, numbers


# Anomaly detection: a method takes rows to fit to and rows to score, and says how odd these are.


NOISES = {
    "levels": {"name": "gaussian_between", "least": 0.0, "most": 0.6},
    "wide_levels": {"name": "gaussian_between", "least": 0.0, "most": 1.0},
    "tails": {"name": "practice.by_tails", "scale": 0.3},
}
"""Of one_class, in place of the noise of the default, where they are named."""


def by_tails(key, x, *, scale):
    """Gaussian noise, the less the heavier the tails of a feature: of the deviation scale · √(3 / max(3, kurtosis))."""
    import jax
    import jax.numpy as jnp

    middle = x - x.mean(0)
    kurtosis = (middle**4).mean(0) / jnp.maximum((middle**2).mean(0) ** 2, 1e-12)
    return x + scale * jnp.sqrt(3 / jnp.maximum(3, kurtosis)) * jax.random.normal(key, x.shape, x.dtype)


def detectors(seed, *, one_class):
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import NearestNeighbors
    from sklearn.preprocessing import StandardScaler

    from aejax.estimators import AutoencoderDetector

    def knn(train, rows, neighbours=5):
        scaler = StandardScaler().fit(train)
        finder = NearestNeighbors(n_neighbors=neighbours).fit(scaler.transform(train))
        return finder.kneighbors(None if rows is None else scaler.transform(rows))[0].mean(1), None

    def forest(train, rows):
        return -IsolationForest(random_state=seed).fit(train).score_samples(train if rows is None else rows), None

    def ours(train, rows, **options):
        detector = AutoencoderDetector(random_state=seed, false_alarm_rate=RATE, **options).fit(train)
        scores = detector.score_samples(train if rows is None else rows)
        return -scores, scores < detector.offset_

    def of_pyod(train, rows, module, name, **options):
        model = getattr(import_module(f"pyod.models.{module}"), name)(contamination=RATE, **options).fit(train)
        scores = model.decision_scores_ if rows is None else model.decision_function(rows)
        return scores, scores > model.threshold_

    by_name = {"aejax": ours if one_class else partial(ours, anomaly_score="trimmed")}
    by_name |= {"knn": knn, "isolation_forest": forest}
    if one_class:
        by_name["aejax_error"] = partial(ours, anomaly_score="error")
        for name, corruption in NOISES.items():
            by_name[name] = partial(ours, changes={"corruption": corruption})
            by_name[f"{name}_error"] = partial(ours, changes={"corruption": corruption}, anomaly_score="error")
    if find_spec("pyod"):
        net = {"random_state": seed, "verbose": 0}
        deep = lambda train, rows: of_pyod(train, rows, "deep_svdd", "DeepSVDD", n_features=train.shape[1], **net)
        by_name["pyod_autoencoder"] = partial(of_pyod, module="auto_encoder", name="AutoEncoder", **net)
        by_name |= {"pyod_deep_svdd": deep, "pyod_ecod": partial(of_pyod, module="ecod", name="ECOD")}
    return by_name


def with_few_anomalies(name, seed):
    table, random = tables.load(name), np.random.default_rng([seed, 1])
    normal, others = (random.permutation(np.flatnonzero(table.normal == which)) for which in (True, False))
    return table.numbers, normal, others[: int(len(normal) * ANOMALIES / (1 - ANOMALIES))]


def judged(labels, scores, alarms):
    from sklearn.metrics import average_precision_score, roc_auc_score

    numbers = {"auc": float(roc_auc_score(labels, scores)), "ap": float(average_precision_score(labels, scores))}
    return numbers if alarms is None else numbers | {"alarms": float(alarms[labels == 0].mean())}


def detection(name, seed, methods, *, one_class):
    x, normal, odd = with_few_anomalies(name, seed)
    trained = normal[: len(normal) // 2] if one_class else np.sort(np.concatenate([normal, odd]))
    scored = np.concatenate([normal[len(normal) // 2 :], odd]) if one_class else trained
    labels = np.isin(scored, odd).astype(int)
    rows = x[scored] if one_class else None
    for method, score in detectors(seed, one_class=one_class).items():
        if method not in methods:
            continue

        def numbers(score=score):
            started = time.perf_counter()
            scores, alarms = score(x[trained], rows)
            return judged(labels, scores, alarms) | {"seconds": time.perf_counter() - started}

        yield method, numbers


def unlabelled(name, seed, methods):
    return detection(name, seed, methods, one_class=False)


def one_class(name, seed, methods):
    return detection(name, seed, methods, one_class=True)


# Made rows: all methods are those of one evaluation, the baselines of the task.

OF_ROWS = ("mixture of rows", "matched mixture of rows", "gaussian of rows", "independent columns", "training rows")


def synthetic(name, seed, methods):
    import jax

    from aejax import config, data
    from aejax.runs.from_config import train_in_memory
    from aejax.tasks.generation import TASK

    table = tables.load(name)
    frame = table.frame.loc[:, table.frame.nunique() > 1].reset_index(drop=True)
    labels = None if table.labels is None else np.char.add("class ", table.labels.astype(str))
    dataset = data.from_frame(frame, labels, test=0.5, seed=seed)
    rows, started = len(dataset.train.x), time.perf_counter()
    steps = min(5000, max(300, 400 * rows // min(rows, 128)))
    changes = {"train.steps": steps, "train.evaluate_every": steps // 20, "seed": seed}
    settings = config.varied(config.load("tables/generation"), changes)
    fitted = train_in_memory(settings, dataset)
    seconds = time.perf_counter() - started
    options = TASK.options(features="columns", components=min(30, max(1, rows // 50)), samples=1000)
    found = TASK.evaluate(jax.random.key(seed), fitted.model, fitted.params, dataset, None, options)
    by_name = {"aejax": {**found.metrics["test"], "seconds": seconds}, **found.baselines}
    for method in methods:
        yield method, lambda method=method: by_name[method]


TASKS = {
    "imputation": imputation,
    "unequal": partial(imputation, unequal=True),
    "mixed": mixed,
    "unlabelled": unlabelled,
    "one_class": one_class,
    "synthetic": synthetic,
}
OF_MADE_ROWS = {"c2st_auc", "column_error", "pair_error", "nearer_to_training", "copies"}
LOWER_IS_BETTER = {"rmse", "possible", "energy", *OF_MADE_ROWS}


def compute(task, names, seeds, methods, output):
    results = json.loads(output.read_text()) if output.exists() else {}
    for seed in seeds:
        for name in names:
            missing = [method for method in methods if f"{name}/{method}/{seed}" not in results]
            for method, numbers in TASKS[task](name, seed, missing) if missing else ():
                with warnings.catch_warnings(action="ignore"):  # of chained equations that have not converged
                    results[f"{name}/{method}/{seed}"] = each = numbers()
                write_json(output, results)
                print(name, method, seed, {key: round(value, 4) for key, value in each.items()}, flush=True)
    return results


def means(results, names, measure):
    """By method, by table, the mean over seeds."""
    table = {}
    for path, numbers in results.items():
        name, method, _ = path.split("/")
        if name in names and measure in numbers:
            table.setdefault(method, {}).setdefault(name, []).append(numbers[measure])
    return {method: {name: float(np.mean(each)) for name, each in rows.items()} for method, rows in table.items()}


def show(results, names):
    for measure in dict.fromkeys(key for numbers in results.values() for key in numbers):
        by_method = means(results, names, measure)
        if not by_method:
            continue
        methods, rows = list(by_method), [name for name in names if any(name in each for each in by_method.values())]
        print(f"\n| {measure} | " + " | ".join(methods) + " |\n|---|" + "---|" * len(methods))
        digits = "{:.1f}" if measure == "seconds" else "{:.4f}"
        for name in rows:
            cells = [digits.format(by_method[m][name]) if name in by_method[m] else "" for m in methods]
            print(f"| {name} | " + " | ".join(cells) + " |")
        print("| mean | " + " | ".join(digits.format(np.mean(list(by_method[m].values()))) for m in methods) + " |")
        if measure != "seconds":
            compare(by_method, measure)


def compare(by_method, measure):
    ours, sign = by_method.get("aejax", {}), -1 if measure in LOWER_IS_BETTER else 1
    for method, values in by_method.items():
        both = [name for name in values if name in ours]
        if method == "aejax" or not both:
            continue
        gain = sign * np.array([ours[name] - values[name] for name in both])
        worst = min(both, key=lambda name: sign * (ours[name] - values[name]) / (values[name] or np.inf))
        ratio = ours[worst] / (values[worst] or np.inf) - 1
        print(
            f"aejax against {method}: {gain.mean():+.4f}, {(gain > 0).sum()} better, {(gain < 0).sum()} worse of "
            f"{len(both)}; at worst {100 * ratio:+.1f} % on {worst}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--tables", nargs="+", default=["judged"], help="chosen, judged, all, or names")
    parser.add_argument("--most-rows", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", help="all where they are left out")
    parser.add_argument("--output", type=Path, required=True, help="a .json file that the numbers are kept in")
    parser.add_argument("--print", action="store_true", help="compute nothing")
    args = parser.parse_args()
    groups = {"chosen": tables.CHOSEN_ON, "judged": tables.JUDGED_ON, "all": tables.NAMES}
    names = sorted(name for each in args.tables for name in groups.get(each, [each]))
    names = tables.with_anomalies(names) if args.task in ("unlabelled", "one_class") else names
    names = [name for name in names if len(tables.load(name).frame) <= args.most_rows]
    every = {
        **dict.fromkeys(("imputation", "unequal", "mixed"), lambda: imputers(0)),
        "synthetic": lambda: ("aejax", *OF_ROWS),
    }
    every = every.get(args.task, lambda: detectors(0, one_class=args.task == "one_class"))()
    seeds = () if args.print else args.seeds
    usual = [name for name in every if name.removesuffix("_error") not in {**NOISES, **MASKS}]
    show(compute(args.task, names, seeds, args.methods or usual, args.output), names)


if __name__ == "__main__":
    main()
