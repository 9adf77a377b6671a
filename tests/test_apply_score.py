"""`aejax apply FOLDER score`: new rows get the scores that a run of anomaly detection gives its own test rows."""

import csv
import json
import shutil

import jax
import numpy as np
import pytest
from running import arguments, assert_refused, call, contents
from tasking import start

from aejax.data.outliers import NAMES
from aejax.files import write_json
from aejax.models import dense, masked
from aejax.runs import apply
from aejax.runs.artifact import Trained
from aejax.storage import checkpoint
from aejax.tasks import anomaly
from aejax.tasks.anomaly import scoring
from aejax.training.build import load_data
from aejax.types import Dataset, Range, Split

COLUMNS = ("age", "height", "marker")


def score(folder, source, target, capsys, *options):
    return call(["apply", str(folder), "score", "--input", str(source), "--output", str(target), *options], capsys)


def write(path, rows, names=COLUMNS, more=()):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *([f"{value:.9g}" for value in row] + list(more) for row in rows)])
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run on a table of patients, an eighth of whom are ill; made when first asked for."""
    made = []

    def of(capsys):
        if not made:
            folder = tmp_path_factory.mktemp("patients")
            rng = np.random.default_rng(0)
            rows = rng.normal(size=(240, 3)) * [20, 9, 0.01] + [50, 170, 0.4]
            rows[::8, 2] += 0.08
            lines = [[*row, "ill" if place % 8 == 0 else "well"] for place, row in enumerate(rows.tolist())]
            with open(folder / "patients.csv", "w", newline="") as file:
                csv.writer(file).writerows([(*COLUMNS, "state"), *lines])
            settings = {"data.name": f"file:{folder / 'patients.csv'}", "data.label_column": "state"}
            settings |= {"data.normal": "well", "train.steps": "60", "train.evaluate_every": "60", "task.members": "2"}
            answer = call(arguments(settings, "lecture/anomaly", folder / "run"), capsys)
            assert answer.code == 0, answer.err
            made.append(folder / "run")
        return made[0]

    return of


def test_the_test_rows_of_a_run_get_its_own_scores(run, tmp_path, capsys):
    folder = run(capsys)
    test = load_data(json.loads((folder / "config.json").read_text())["data"]).test
    with open(folder / "scores.csv", newline="") as file:
        own = [line for line in csv.DictReader(file) if line["split"] == "test"]
    threshold = json.loads((folder / "summary.json").read_text())["metrics"]["test"]["threshold"]
    before = contents(folder)
    answer = score(folder, write(tmp_path / "new.csv", test.x), tmp_path / "out.csv", capsys)
    assert (answer.code, answer.err) == (0, "")
    with open(tmp_path / "out.csv", newline="") as file:
        found = list(csv.DictReader(file))
    reasons = [f"{name}_{rank}" for rank in (1, 2, 3) for name in ("column", "value", "expected")]
    assert [list(line) for line in found] == [["score", "alarm", *reasons]] * len(test.x)
    assert [(line["score"], line["alarm"]) for line in own] == [(line["score"], line["alarm"]) for line in found]
    alarms = sum(float(line["score"]) > threshold for line in found)
    assert 0 < alarms < len(found)
    told = f"{alarms} of {len(found)} rows raise the alarm (threshold {threshold:.9g})\n"
    assert answer.out == f"{tmp_path / 'out.csv'}: {told}"
    assert contents(folder) == before


def test_a_row_is_scored_for_itself_whatever_file_it_is_in(run, tmp_path, capsys):
    folder = run(capsys)
    x = np.array([[50, 170, 0.4], [50, 170, 0.9], [30, 160, 0.41], [90, 181, 0.39]], np.float32)
    np.save(tmp_path / "all.npy", x)
    np.save(tmp_path / "two.npy", x[[3, 1]])
    write(tmp_path / "labels.csv", x, (*COLUMNS, "state"), ["well"])
    write(tmp_path / "moved.csv", x[:, ::-1], COLUMNS[::-1])
    found = {}
    for name in ("all.npy", "two.npy", "labels.csv", "moved.csv"):
        assert score(folder, tmp_path / name, tmp_path / "out.npy", capsys).code == 0
        found[name] = np.load(tmp_path / "out.npy")
    assert found["all.npy"].shape == (4, 2)
    assert found["all.npy"].dtype == np.float32
    assert found["all.npy"][:, 1].tolist() == [0, 1, 0, 0]
    np.testing.assert_allclose(found["two.npy"], found["all.npy"][[3, 1]], rtol=1e-5)
    np.testing.assert_array_equal(found["labels.csv"], found["all.npy"])
    np.testing.assert_array_equal(found["moved.csv"], found["all.npy"])


# Every score, and models that are told which values are missing, without training.


def data(mask=None):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(100, 3)) * 5 + 20).astype(np.float32)
    parts = [Split(x[:40]), Split(x[:0]), Split(x[40:], labels=np.arange(60) % 3 // 2)]
    if mask is not None:
        mean = np.where(mask[:40], x[:40], 0).sum(0, dtype=float) / mask[:40].sum(0)
        x = np.where(mask, x, mean.astype(np.float32))
        parts = [
            Split(x[a:b], mask[a:b], part.labels) for part, a, b in zip(parts, (0, 40, 40), (40, 40, 100), strict=True)
        ]
    shift, scale = np.full(3, 20, np.float32), np.full(3, 0.2, np.float32)
    return Dataset("rows", *parts, (3,), "table", Range(), shift, scale, NAMES, COLUMNS, "", "")


def found_and_kept(model, dataset, name, folder):
    """What the task finds with an ensemble of two nets, and the scorer as it comes back from a folder."""
    nets = start(model, count=2)
    one = jax.tree.map(lambda leaf: leaf[0], nets)
    options = {"score": name, "neighbours": 2, "residual_weight": 0.7, "threshold": "quantile", "level": 0.8}
    keys, ensemble = (jax.random.key(1), jax.random.key(2)), scoring.Ensemble(nets, np.arange(40) % 2)
    found = anomaly.assess(keys, model, one, ensemble, dataset, anomaly.Options(most_rows=30, **options))
    checkpoint.save(folder / "kept", 0, found.kept.tree, info=found.kept.info)
    info = {"feature_names": COLUMNS}
    write_json(folder / "summary.json", {})
    config = {"task": {"name": "anomaly"}}
    scaling = {"shift": dataset.shift, "scale": dataset.scale}
    trained = Trained(model, one, scaling, info, {"name": "dense.multilayer"}, apply.ACTIONS, folder, config)
    return found, trained, scoring.read(checkpoint.read(folder / "kept"), model)


@pytest.mark.parametrize("name", anomaly.SCORES)
def test_each_score_is_the_same_from_what_was_kept(name, tmp_path):
    model, dataset = dense.multilayer((3,), widths=(), code=2, output="linear"), data()
    found, trained, scorer = found_and_kept(model, dataset, name, tmp_path)
    again = apply.apply(trained, "score", dataset.test.x, COLUMNS).values
    np.testing.assert_array_equal(again["score"], found.arrays["scores"][name])
    threshold, train = float(scorer.tree["threshold"]), scorer.tree["train"]
    assert threshold == found.metrics["test"]["threshold"]
    np.testing.assert_array_equal(again["alarm"], again["score"] > threshold)
    assert set(train) == set(scoring.READ[name])


@pytest.mark.parametrize("name", ["neighbours", "both"])
def test_rows_with_holes_are_scored_by_models_that_take_them(name, tmp_path):
    mask = np.random.default_rng(3).random((100, 3)) < 0.8
    mask[~mask.any(1)] = True
    model, dataset = masked.residual((3,), width=8, blocks=1, code=2), data(mask)
    found, trained, _ = found_and_kept(model, dataset, name, tmp_path)
    holes = np.where(dataset.test.mask, dataset.test.x, np.nan)
    assert np.isnan(holes).any()
    again = apply.apply(trained, "score", holes, COLUMNS).values
    np.testing.assert_array_equal(again["score"], found.arrays["scores"][name])


# What it refuses.


def _older(folder):
    shutil.rmtree(folder / "kept")
    (folder / "checksums.json").unlink()


def _unfinished(folder):
    shutil.rmtree(folder / "kept")
    (folder / "summary.json").unlink()


def _damaged(folder):
    (path,) = (folder / "kept").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("break_it", "fragment"),
    [
        (_older, "older than the scoring of new rows and kept nothing for it"),
        (_unfinished, "its run is not finished; go on with aejax run"),
        (_damaged, "kept: there is no checkpoint that verifies"),
    ],
)
def test_a_folder_without_what_scoring_needs(break_it, fragment, run, tmp_path, capsys):
    folder = tmp_path / "run"
    shutil.copytree(run(capsys), folder)
    break_it(folder)
    source = write(tmp_path / "new.csv", [[50, 170, 0.4]])
    assert_refused(score(folder, source, tmp_path / "out.csv", capsys), fragment)
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("age,height,marker\n50,170,0.4\n50,,0.4\n", "new.csv: row 2, column 'height' is missing; fill it in"),
        ("age,height\n50,170\n", "training data: 'marker' is missing"),
        ("50,170\n", "new.csv: expected rows of 3 values, got 2"),
        ("age,height,marker\n50,170,high\n", "column 'marker' holds text"),
    ],
)
def test_rows_that_it_cannot_score(text, fragment, run, tmp_path, capsys):
    (tmp_path / "new.csv").write_text(text)
    assert_refused(score(run(capsys), tmp_path / "new.csv", tmp_path / "out.csv", capsys, "--strict"), fragment)
    assert not (tmp_path / "out.csv").exists()


def test_other_tasks_and_halves_give_no_scores(tiny, tmp_path, capsys, monkeypatch):
    folder, source, out = tiny, write(tmp_path / "new.csv", [[1, 2, 3]]), tmp_path / "out.csv"
    assert not (folder / "kept").exists()
    assert_refused(score(folder, source, out, capsys), "allowed: decode, encode, fill, reconstruct")
    monkeypatch.setenv("AEJAX_PASSPHRASE", "open")
    halves = [tmp_path / "encoder", tmp_path / "decoder"]
    split = ["split", str(folder), "--encoder", str(halves[0]), "--decoder", str(halves[1])]
    assert call(split, capsys).code == 0
    for half in halves:
        assert_refused(score(half, source, out, capsys), "score: this half of a net cannot do it; allowed: ")
    assert not out.exists()
