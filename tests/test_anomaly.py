"""The task of anomaly detection: its numbers beside brute force, its refusals, and runs with labels and without."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tasking
from looking import run_figures
from running import arguments, assert_refused, call
from sklearn.ensemble import IsolationForest
from tasking import needs, refused, start

from aejax import config
from aejax.data.outliers import NAMES
from aejax.metrics import outliers
from aejax.models import dense
from aejax.runs import experiment
from aejax.tasks import anomaly
from aejax.tasks.anomaly import scoring
from aejax.tasks.anomaly.scoring import Ensemble, errors, outputs, train_ensemble
from aejax.training.evaluate import on_device
from aejax.types import Members, Split

SHRUNK = ["train.steps=60", "train.evaluate_every=60", "task.members=2"]
METRICS = {"roc_auc", "average_precision", "false_alarm_rate", "detection_rate", "threshold"}
METHODS = {"error", "code", "both", "trimmed", "error_of_one_net", "knn", "isolation_forest", "one_class_svm", "pca"}


def test_neighbour_distance_by_brute_force():
    rng = np.random.default_rng(0)
    reference, rows = rng.normal(size=(20, 3)), rng.normal(size=(7, 3))
    distance = lambda a, b: math.sqrt(sum((a - b) ** 2))
    expected = [np.mean(sorted(distance(row, other) for other in reference)[:4]) for row in rows]
    assert outliers.neighbour_distance(reference, rows, neighbours=4) == pytest.approx(expected)
    alone = [
        np.mean(sorted(distance(row, other) for j, other in enumerate(reference) if i != j)[:4])
        for i, row in enumerate(reference)
    ]
    assert outliers.neighbour_distance(reference, neighbours=4) == pytest.approx(alone)


def test_thresholds_by_their_formulas():
    scores = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert outliers.threshold(scores, rule="quantile", level=0.5) == 50
    assert outliers.threshold(scores, rule="deviations", level=2) == pytest.approx(50 + 2 * math.sqrt((99**2 - 1) / 12))
    assert outliers.threshold(scores, rule="false_alarm_rate", level=0.05) == 95
    assert outliers.threshold(np.arange(19.0), rule="false_alarm_rate", level=0.05) == 18
    assert outliers.threshold(np.arange(18.0), rule="false_alarm_rate", level=0.05) == math.inf


def test_the_stated_rate_of_false_alarms_is_kept_and_not_by_far():
    draws = np.random.default_rng(0).exponential(size=(4000, 40))
    limits = [outliers.threshold(draw[1:], rule="false_alarm_rate", level=0.1) for draw in draws]
    assert np.mean(draws[:, 0] > limits) == pytest.approx(0.1, abs=0.015)


def test_judgement_by_counting():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 40)
    scores = rng.normal(size=40) + labels
    pairs = [scores[i] > scores[j] for i in range(40) for j in range(40) if labels[i] > labels[j]]
    order, hits, precisions = sorted(range(40), key=lambda i: -scores[i]), 0, []
    for place, row in enumerate(order, start=1):
        hits += labels[row]
        precisions += [hits / place] if labels[row] else []
    found = outliers.judge(labels, scores, 0.5)
    assert found["roc_auc"] == pytest.approx(np.mean(pairs))
    assert found["average_precision"] == pytest.approx(np.mean(precisions))
    alarms = lambda kind: np.mean([s > 0.5 for s, label in zip(scores, labels, strict=True) if label == kind])
    assert (found["false_alarm_rate"], found["detection_rate"]) == pytest.approx((alarms(0), alarms(1)))
    assert outliers.judge(None, scores, 0.5) == {"threshold": 0.5, "alarm_rate": np.mean(scores > 0.5)}


def test_the_size_of_residuals_has_a_floor():
    x = np.random.default_rng(0).normal(size=(50, 3)) * 7
    residual = np.stack([np.zeros(50), np.full(50, -2.0), np.full(50, 3.0)], 1)
    floor = 0.02 * math.sqrt(np.mean([np.var(column) for column in x.T]))
    assert outliers.spread(residual, x) == pytest.approx([floor, 2 + floor, 3 + floor])
    assert outliers.spread(np.zeros((5, 2)), np.ones((5, 2))).tolist() == [0.02, 0.02]


def data(test_labels, rows=40):
    """Rows around two places; the anomalies are elsewhere."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows + 60, 3)).astype(np.float32)
    labels = np.zeros(60, np.int32) if test_labels is None else np.asarray(test_labels, np.int32)
    x[rows:] += 4 * labels[:, None]
    labels = None if test_labels is None else np.concatenate([np.zeros(rows, np.int32), labels])
    made = tasking.dataset(x, (rows, rows, rows + 60), names=NAMES, labels=labels)
    return made._replace(feature_names=("a", "b", "c"))


MIXED = np.arange(60) % 3 == 0
MODEL = dense.multilayer((3,), widths=(), code=2, output="linear")
OPTIONS = {"score": "error", "neighbours": 3, "residual_weight": 0.7, "threshold": "quantile", "level": 0.9}
KEYS = (jax.random.key(1), jax.random.key(2))


def ensemble(rows=40, members=2):
    params = start(MODEL, count=members)
    return Ensemble(params, np.arange(rows) % members)


def look(nets, split, dataset):
    return outputs(MODEL, nets, on_device(split, dataset))


def assess(dataset, **options):
    own = ensemble()
    one = jax.tree.map(lambda leaf: leaf[0], own.params)
    return anomaly.assess(
        list(map(jax.random.clone, KEYS)), MODEL, one, own, dataset, anomaly.Options(**OPTIONS | options)
    )


def test_scores_by_brute_force():
    dataset, own = data(MIXED), ensemble()
    seen = {n: look(own.params, getattr(dataset, n), dataset) for n in ("train", "test")}
    seen["train"] = seen["train"]._replace(fold=own.fold)
    known = scoring.reference(seen["train"], neighbours=3, residual_weight=0.7, seed=0)
    by_part = {n: scoring.scores(each, known, neighbours=3, residual_weight=0.7) for n, each in seen.items()}
    found = {name: {n: by_part[n][name] for n in seen} for name in anomaly.SCORES}
    member = [jax.tree.map(lambda leaf, n=n: leaf[n], own.params) for n in range(2)]
    codes = {n: [np.asarray(MODEL.encode(p, jnp.asarray(s.x))) for p in member] for n, s in seen.items()}
    residuals = {
        n: [s.x - np.asarray(MODEL.decode(p, jnp.asarray(c))) for p, c in zip(member, codes[n], strict=True)]
        for n, s in seen.items()
    }
    error = np.mean([(r**2).sum(1) for r in residuals["test"]], 0)
    assert found["error"]["test"] == pytest.approx(error, rel=1e-4)
    left_out = np.stack([residuals["train"][row % 2][row] for row in range(40)])
    assert found["error"]["train"] == pytest.approx((left_out**2).sum(1), rel=1e-4)
    sigma = math.sqrt(seen["train"].x.var(0).mean())
    size = np.sqrt((left_out**2).mean(0)) + 0.02 * sigma
    wide, new = (
        np.concatenate([x / sigma, 0.7 * r / size], 1)
        for x, r in ((seen["train"].x, left_out), (seen["test"].x, sum(residuals["test"]) / 2))
    )
    nearest = lambda a, b: np.sort(np.linalg.norm(b[:, None] - a[None], axis=2), 1)
    assert found["neighbours"]["test"] == pytest.approx(nearest(wide, new)[:, :3].mean(1), rel=1e-4)
    assert found["neighbours"]["train"] == pytest.approx(nearest(wide, wide)[:, 1:4].mean(1), rel=1e-4)
    scaled = [(a / a.std(0), b / a.std(0)) for a, b in zip(codes["train"], codes["test"], strict=True)]
    code = np.mean([nearest(a, b)[:, :3].mean(1) for a, b in scaled], 0)
    assert found["code"]["test"] == pytest.approx(code, rel=1e-4)
    alone = np.stack([nearest(a, a)[:, 1:4].mean(1) for a, _ in scaled])
    assert found["code"]["train"] == pytest.approx([alone[row % 2, row] for row in range(40)], rel=1e-4)
    assert found["both"]["test"] == pytest.approx(np.sqrt(code * np.sqrt(error)), rel=1e-4)
    grow = lambda x: IsolationForest(n_estimators=200, max_samples=len(x), random_state=0).fit(x)
    forest = grow(seen["train"].x)
    oddness = -forest.score_samples(seen["train"].x)
    usual = oddness <= np.quantile(oddness, 0.8)
    forest = grow(seen["train"].x[usual])
    alone = [np.sort(np.linalg.norm(wide[usual & (np.arange(40) != row)] - wide[row], axis=1))[:3] for row in range(40)]
    near = {"train": np.log(np.mean(alone, 1)), "test": np.log(nearest(wide[usual], new)[:, :3].mean(1))}
    length = {name: -np.log2(-forest.score_samples(part.x)) for name, part in seen.items()}
    for name in seen:
        z = [(each[name] - each["train"].mean()) / each["train"].std() for each in (near, length)]
        assert found["trimmed"][name] == pytest.approx(z[0] - 2 * z[1], rel=1e-3, abs=1e-3)


def test_missing_values_are_no_errors():
    dataset, own = data(MIXED), ensemble()
    mask = np.ones((60, 3), bool)
    mask[:, 1] = False
    holes = dataset._replace(test=dataset.test._replace(mask=mask))
    whole, seen = (look(own.params, each.test, each) for each in (dataset, holes))
    assert (seen.residuals[..., 1] == 0).all()
    assert seen.residuals[..., [0, 2]] == pytest.approx(whole.residuals[..., [0, 2]])
    assert errors(seen) == pytest.approx(1.5 * (whole.residuals[..., [0, 2]] ** 2).sum(2), rel=1e-5)


def test_each_net_is_trained_without_its_fold():
    asked = {}

    def retrain(keys, changes=None, datasets=None):
        asked.update(keys=keys, rows=[each.train.x for each in datasets])
        return Members(MODEL, start(MODEL, count=len(keys)))

    dataset = data(MIXED, rows=41)
    own = train_ensemble(jax.random.key(0), dataset, retrain, 4)
    assert np.bincount(own.fold).tolist() == [11, 10, 10, 10]
    assert len(asked["keys"]) == 4
    for number, rows in enumerate(asked["rows"]):
        assert len(rows) == 30
        places = [int(np.flatnonzero((dataset.train.x == row).all(1))[0]) for row in rows]
        assert len(set(places)) == 30
        assert not (own.fold[places] == number).any()


def test_detectors_find_what_is_far_away():
    rng = np.random.default_rng(0)
    train = (rng.normal(size=(100, 1)) @ np.ones((1, 5)) + 0.01 * rng.normal(size=(100, 5))).astype(np.float32)
    odd = np.array([[5, -5, 5, -5, 5]], np.float32)
    found = anomaly.detector_scores(train, {"train": train, "odd": odd}, neighbours=3, seed=0)
    assert set(found) == {"knn", "isolation_forest", "one_class_svm", "pca"}
    for scores in found.values():
        assert scores["train"].shape == (100,)
        assert scores["odd"][0] > np.quantile(scores["train"], 0.95)
    near = sorted(np.linalg.norm(train.astype(float) - train[7], axis=1))[1:4]
    assert found["knn"]["train"][7] == pytest.approx(np.mean(near))
    component = np.linalg.svd(train - train.mean(0))[2][0].astype(float)
    centred = odd[0] - train.mean(0, dtype=float)
    assert found["pca"]["odd"][0] == pytest.approx(((centred - component * (component @ centred)) ** 2).sum(), rel=1e-4)


def test_labels_are_only_looked_at_to_judge():
    known = assess(data(MIXED), most_rows=30)
    unknown = assess(data(MIXED)._replace(test=data(MIXED).test._replace(labels=None)), most_rows=30)
    assert set(unknown.metrics["test"]) == {"threshold", "alarm_rate"}
    assert known.metrics["test"]["threshold"] == unknown.metrics["test"]["threshold"]
    for name, values in known.arrays["scores"].items():
        np.testing.assert_array_equal(values, unknown.arrays["scores"][name])
    assert len(known.arrays["train_scores"]) == 30
    assert (known.arrays["scores"]["error"] != known.arrays["scores"]["error_of_one_net"]).any()


def test_a_stated_rate_is_drawn_by_validation_rows():
    dataset = data(MIXED)
    held_out = Split(dataset.train.x[:25] + 0.1, labels=np.zeros(25, np.int32))
    options = {"threshold": "false_alarm_rate", "level": 0.2, "most_rows": 100}
    found = assess(dataset._replace(validation=held_out), **options)
    held_out_errors = errors(look(ensemble().params, held_out, dataset)).mean(0)
    assert found.metrics["test"]["threshold"] == pytest.approx(np.sort(held_out_errors)[math.ceil(0.8 * 26) - 1])
    found = assess(dataset, **options)
    assert found.metrics["test"]["threshold"] == np.sort(found.arrays["train_scores"])[math.ceil(0.8 * 41) - 1]


@pytest.mark.parametrize(
    ("dataset", "options", "message"),
    [
        (data(0 * MIXED), {}, "^anomaly: all 60 test rows of rows are normal, so nothing can be told apart"),
        (data(0 * MIXED + 1), {}, "^anomaly: all 60 test rows of rows are anomalies"),
        (data(MIXED, rows=7), {}, "^task.members: 4 are too many for 7 training rows; allowed: 2 to 3"),
        (
            data(MIXED, rows=4),
            {"members": 2, "neighbours": 4},
            "^task.neighbours: 4 are too many for 4 training rows; allowed: 1 to 3$",
        ),
        (data(MIXED), {"most_rows": 10, "neighbours": 10}, "^task.neighbours: 10 are too many for 10 training"),
        (data(MIXED), {"level": 1.0}, r"^task.level: 1 is no quantile; allowed: a number in \(0, 1\)"),
        (data(MIXED), {"threshold": "false_alarm_rate", "level": 0.01}, "^task.level: a rate of 0.01 needs 99 rows"),
    ],
)
def test_data_it_cannot_serve_is_refused_in_one_line(dataset, options, message):
    refused(anomaly, message, dataset, **options)


def test_rows_without_labels_are_served():
    needs(anomaly, data(None), threshold="deviations", level=3.0)


@pytest.mark.parametrize(
    ("setting", "fragment"),
    [
        ({"data.normal": "red soil, wet"}, "data.normal: unknown 'red soil, wet'"),
        ({"data.normal": "()"}, "data.normal: no label is named"),
        ({"data.normal": "null"}, "anomaly: which labels of satimage are normal is not said"),
        ({"data.contamination": "0.5"}, "data.contamination: expected float in [0, 0.5)"),
        ({"data.contamination": "0.49", "data.test": "0.1"}, "anomalies, and there are"),
        ({"data.normal": "null", "data.contamination": "0.1"}, "data.contamination: needs data.normal"),
        ({"data.test": "0.9999"}, "are left to train on"),
        ({"data.name": "swiss_roll"}, "data.normal: the data has no labels"),
        ({"task.score": "distance"}, "task.score: unknown 'distance'"),
        ({"task.members": "1"}, "task.members"),
    ],
)
def test_a_mistake_is_answered_before_there_is_a_folder(setting, fragment, tmp_path, capsys):
    answer = call(arguments(setting, "lecture/anomaly", tmp_path / "run"), capsys)
    assert_refused(answer, fragment)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        [],
        [
            *("data.name=digits", "data.normal=0", "data.scaling=unit", "data.contamination=0.05"),
            *("task.score=error", "task.threshold=deviations", "task.level=3"),
        ],
    ],
)
def test_runs(changes, tmp_path):
    summary = experiment.run(config.load("lecture/anomaly", SHRUNK + changes), tmp_path)
    test, others = summary["metrics"]["test"], summary["baselines"]
    assert set(test) == METRICS
    chosen = next((change.partition("=")[2] for change in changes if change.startswith("task.score")), "neighbours")
    assert set(others) == (METHODS | {"neighbours"}) - {chosen}
    assert all(set(numbers) == METRICS for numbers in others.values())
    assert others["knn"]["roc_auc"] > 0.8
    assert test["roc_auc"] > 0.6
    assert test["false_alarm_rate"] < 0.3
    for name in ("scores", "precision_recall", "worst_rows"):
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000
    assert {"scores", "precision_recall", "worst_rows"} < set(run_figures(tmp_path))
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[0] == "row,score,alarm,anomaly"
    scores = [float(line.split(",")[1]) for line in lines[1:]]
    assert scores == sorted(scores, reverse=True)


def test_a_table_of_ones_own_without_labels(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4))
    x[13] = 30
    np.savetxt(tmp_path / "own.csv", x, delimiter=",", header="a,b,c,d", comments="")
    settings = {"data.name": f"file:{tmp_path / 'own.csv'}", "data.normal": "null", "data.test": "0"}
    settings |= dict(change.split("=") for change in SHRUNK)
    answer = call(arguments(settings, "lecture/anomaly", tmp_path / "run"), capsys)
    assert answer.code == 0, answer.err
    metrics = json.loads((tmp_path / "run" / "summary.json").read_text())["metrics"]["test"]
    assert set(metrics) == {"threshold", "alarm_rate"}
    lines = (tmp_path / "run" / "scores.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == ["row", *map(str, range(1, 81))]
    assert max(lines[1:], key=lambda line: float(line.split(",")[2])).startswith("14,")
    pictures = {path.stem for path in (tmp_path / "run" / "figures").glob("*.png")}
    assert {"scores", "worst_rows"} <= pictures == set(run_figures(tmp_path / "run"))
    assert "precision_recall" not in pictures
