"""Searches with Optuna: one program for all batches, trials that are given up, a kill, two processes on one study."""

import json
import logging
import os
import signal
import sys
import time

import jax
import pytest
import running
from running import assert_refused, call, table

from aejax import config
from aejax.errors import UserError
from aejax.runs import experiment
from aejax.sweep import axes, search, studies
from aejax.sweep.block import Options

optuna = pytest.importorskip("optuna", reason="pip install 'aejax[optuna]'")

SMALL = {
    "data.name": "bars",
    "data.rows": "120",
    "model.code": "3",
    "train.steps": "60",
    "train.batch_size": "16",
    "train.evaluate_every": "10",
    "train.checkpoint_every": "1000",
    "optimizer.learning_rate": "0.01",
    "optimizer.schedule": "{'name': 'constant'}",
    "report.figures": "false",
}
WEIGHT = "terms.sparsity.weight=log(0.01,1,5)"


def overrides(**changes):
    fields = SMALL | {name.replace("__", "."): value for name, value in changes.items()}
    return [f"{path}={value}" for path, value in fields.items()]


def spanned(*specs, folds=None, **changes):
    return search.space_of("lecture/sparse_l1", overrides(**changes), axes.collect({}, specs), folds)


def searched(space, folder, **how):
    return search.run(space, studies.Search(**how), folder, Options(strategy="vmap"))


def error_alone(tmp_path, row, **changes):
    """The validation error of a row's run, trained by itself."""
    fields = {name: row[name] for name in row if name.partition(".")[0] in ("terms", "model", "optimizer")}
    settings = [*overrides(**changes), *(f"{path}={value}" for path, value in fields.items()), f"seed={row['seed']}"]
    return experiment.run(config.load("lecture/sparse_l1", settings), tmp_path)["metrics"]["validation"]["mse"]


def test_all_batches_of_a_static_setting_are_one_program_and_each_trial_is_the_mean_of_its_runs(tmp_path, caplog):
    space = spanned(WEIGHT, "model.code=[2,3]", "seed=[3,8]")
    with jax.log_compiles(), caplog.at_level(logging.WARNING):
        summary = searched(space, tmp_path / "a", trials=11, batch=4, prune=False)
    compiled = [r.getMessage() for r in caplog.records if "Finished XLA compilation of jit(advance)" in r.getMessage()]
    rows = table(tmp_path / "a")
    assert {row["model.code"] for row in rows} == {"2", "3"}
    assert len(compiled) == 2, "one for each static setting, in three batches"
    assert len(rows) == 22
    weights = [float(row["terms.sparsity.weight"]) for row in rows[::2]]
    assert len(set(weights)) == 11
    assert 0.01 <= min(weights) < 0.1 < max(weights) <= 1
    assert not set(weights) & set(axes.read("x", "log(0.01,1,5)")), "the range, not the grid"
    trials = summary["search"]["history"]
    assert [trial["state"] for trial in trials] == ["complete"] * 11
    for trial, pair in zip(trials, zip(rows[::2], rows[1::2], strict=True), strict=True):
        assert [row["seed"] for row in pair] == ["3", "8"]
        assert trial["value"] == pytest.approx(sum(float(row["validation/mse"]) for row in pair) / 2)
    assert summary["points"][summary["best"]]["metrics"]["validation/mse"]["mean"] == pytest.approx(
        min(trial["value"] for trial in trials)
    )
    assert float(rows[21]["validation/mse"]) == pytest.approx(error_alone(tmp_path / "b", rows[21]), rel=1e-4)
    assert sum(summary["search"]["importance"].values()) == pytest.approx(1)


def test_trials_that_are_worse_than_the_median_are_frozen_where_they_were(tmp_path):
    space = spanned("optimizer.learning_rate=log(1e-6,0.1,5)", "seed=[3,8]")
    summary = searched(space, tmp_path / "a", trials=20, batch=10)
    rows = table(tmp_path / "a")
    states = [trial["state"] for trial in summary["search"]["history"]]
    assert states[:10] == ["complete"] * 10, "there is no median yet"
    assert "pruned" in states[10:]
    for trial, state in enumerate(states):
        pair = rows[2 * trial : 2 * trial + 2]
        assert {row["status"] for row in pair} == {"finished" if state == "complete" else "pruned"}
        assert {row["step"] for row in pair} <= ({"60"} if state == "complete" else {"20", "30", "40", "50"})
    pruned = rows[2 * states.index("pruned")]
    alone = error_alone(tmp_path / "b", pruned, train__steps=pruned["step"])
    assert float(pruned["validation/mse"]) == pytest.approx(alone, rel=1e-4)


def test_a_trial_that_breaks_is_no_candidate(tmp_path):
    changes = {"optimizer": "{'name': 'sgd', 'learning_rate': 0.1, 'schedule': {'name': 'constant'}}"}
    changes |= {"model.activation": "linear", "model.output": "linear", "terms.sparsity.weight": "0.01"}
    changes |= {"terms.reconstruction.name": "reconstruction.squared_error"}
    fields = {name: value for name, value in SMALL.items() if not name.startswith("optimizer")} | changes
    asked = axes.collect({}, ["optimizer.learning_rate=[0.01,1e25]"])
    space = search.space_of("lecture/sparse_l1", [f"{path}={value}" for path, value in fields.items()], asked, None)
    summary = searched(space, tmp_path / "a", trials=6, batch=6)
    for row, trial in zip(table(tmp_path / "a"), summary["search"]["history"], strict=True):
        broken = row["optimizer.learning_rate"] == "1e+25"
        assert row["status"] == ("not finite" if broken else "finished")
        assert trial["state"] == ("pruned" if broken else "complete")
    assert {row["status"] for row in table(tmp_path / "a")} == {"not finite", "finished"}
    assert summary["points"][summary["best"]]["axes"]["optimizer.learning_rate"] == 0.01


def test_folds_and_zipped_axes_are_searched_too(tmp_path):
    pairs = axes.make(("terms.sparsity.weight", "optimizer.learning_rate"), ([0.01, 0.1, 1.0], [0.1, 0.01, 0.001]))
    space = search.space_of("lecture/sparse_l1", overrides(), [pairs], 3)
    searched(space, tmp_path / "a", trials=5, batch=3)
    rows = table(tmp_path / "a")
    assert [row["fold"] for row in rows] == ["0", "1", "2"] * 5
    for row in rows:
        assert float(row["terms.sparsity.weight"]) * float(row["optimizer.learning_rate"]) == pytest.approx(1e-3)
    assert len(list((tmp_path / "a" / "parts").glob("*/done.json"))) <= 2, "what is known is not trained again"


def begin(folder, *options, **changes):
    words = ["sweep", "lecture/sparse_l1", "--workdir", folder, "--search", "optuna", "--strategy", "vmap", *options]
    words += ["--axis", WEIGHT, "--axis", "seed=0:2", "--devices", "1"]
    words += [word for text in overrides(**changes) for word in ("--set", text)]
    return running.begin(words)


def finish(process):
    out, err = process.communicate()
    assert (process.returncode, err) == (0, ""), out + err
    return out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_search_that_is_killed_goes_on_as_it_would_have(tmp_path):
    long = {"train__steps": "1200", "train__checkpoint_every": "50", "train__evaluate_every": "200"}
    size = ("--trials", "15", "--batch", "6")
    killed, deadline = begin(tmp_path / "killed", *size, **long), time.monotonic() + 200
    # one batch is done and another is in the middle
    while not (
        list(tmp_path.glob("killed/parts/*/done.json")) and list(tmp_path.glob("killed/parts/*/checkpoints/*.json"))
    ):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    first = {path: path.stat().st_mtime_ns for path in tmp_path.glob("killed/parts/*/done.json")}
    finish(begin(tmp_path / "killed", *size, **long))
    assert {path: path.stat().st_mtime_ns for path in first} == first
    finish(begin(tmp_path / "straight", *size, **long))
    assert table(tmp_path / "killed") == table(tmp_path / "straight")
    assert len(table(tmp_path / "killed")) == 30
    before = (tmp_path / "killed" / "table.csv").read_bytes()
    finish(begin(tmp_path / "killed", *size, **long))
    assert (tmp_path / "killed" / "table.csv").read_bytes() == before


@pytest.mark.slow
def test_two_processes_share_one_study(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    size = ("--trials", "21", "--batch", "2", "--storage", url, "--no-pruning")
    both = [begin(tmp_path / name, *size) for name in ("one", "two")]
    for process in both:
        finish(process)
    study = optuna.load_study(study_name="sparse_l1", storage=studies.storage(optuna, url, tmp_path))
    whole = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.COMPLETE]
    assert len(whole) == 21
    assert all(trial.state.is_finished() for trial in study.trials)
    assert len({trial.user_attrs["searcher"] for trial in whole}) == 2
    finish(begin(tmp_path / "one", *size))
    rows = table(tmp_path / "one")
    assert len(rows) == 42, "what the other found is in the table as well"
    assert len({row["terms.sparsity.weight"] for row in rows}) == 21, "no process proposes what the other does"


def words(tmp_path, *options, axis=WEIGHT, config="lecture/sparse_l1"):
    sets = [word for text in overrides() for word in ("--set", text)]
    base = ["sweep", config, "--axis", axis, "--workdir", str(tmp_path / "s"), "--search", "optuna"]
    return [*base, *sets, *options]


WRONG = {
    "--search: there is nothing to search": [],
    "--batch 0: allowed: 1 or more": ["--batch", "0"],
    "--trials 0: allowed: 1 or more": ["--trials", "0"],
    "--search: not with --engine ray": ["--engine", "ray"],
    "--search: not with --exact": ["--exact"],
    "--storage study.db: ": ["--storage", "study.db"],
    "--storage postgresql+nothing://us:***@here/x: ": ["--storage", "postgresql+nothing://us:secret@here/x"],
    "unable to open database file": ["--storage", "sqlite:////nowhere/at/all/study.db"],
    "allowed: 1 to ": ["--batch", "99999", "--memory-budget", "20MB"],
    "there are no validation rows to choose on": ["--set", "data.validation=0"],
    "chosen on validation rows alone": ["--metric", "test/mse"],
}


@pytest.mark.parametrize("message", WRONG)
def test_a_mistake_is_told_in_one_line_and_nothing_is_begun(tmp_path, capsys, message):
    if "nothing to search" in message:
        line = words(tmp_path, axis="seed=1:3", config="lecture/multilayer")  # which declares no axes of its own
    else:
        line = words(tmp_path, *WRONG[message])
    assert_refused(call(line, capsys), message)
    assert not (tmp_path / "s").exists()


def test_search_options_without_a_search_are_refused(tmp_path, capsys):
    line = ["sweep", "lecture/sparse_l1", "--axis", WEIGHT, "--workdir", str(tmp_path / "s"), "--trials", "3"]
    assert_refused(call(line, capsys), "--trials: is for --search optuna")


def test_without_its_extra_it_is_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert_refused(call(words(tmp_path), capsys), "Optuna is not installed", "pip install 'aejax[optuna]'")
    assert not (tmp_path / "s").exists()


def test_a_study_or_a_folder_of_another_sweep_is_refused(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/study.db"
    few = ("--trials", "1", "--batch", "1", "--storage", url)
    assert call(words(tmp_path, *few), capsys).code == 0
    other = words(tmp_path, *few, "--set", "train.steps=50")
    assert_refused(call(other, capsys), "holds another sweep", "config.train.steps: 60 -> 50")
    elsewhere = [*other, "--workdir", str(tmp_path / "t")]
    assert_refused(call(elsewhere, capsys), "--study sparse_l1: is that of another sweep", "steps: 60 -> 50")
    assert not (tmp_path / "t").exists()
    strange = optuna.create_study(storage=studies.storage(optuna, url, tmp_path), study_name="strange")
    strange.add_trial(optuna.trial.create_trial(value=1.0))
    assert_refused(call([*elsewhere, "--study", "strange"], capsys), "it was not made by aejax")
    assert call([*elsewhere, "--study", "own"], capsys).code == 0


def test_a_dry_run_says_what_is_searched(tmp_path, capsys):
    line = words(tmp_path, "--dry-run", "--axis", "model.code=[2,3]", "--axis", "seed=0:3", "--trials", "32")
    answer = call(line, capsys)
    assert "32 trials in batches of 16: 96 runs" in answer.out
    assert "terms.sparsity.weight: 0.01 to 1, logarithmic" in answer.out
    assert "model.code: one of 2 values" in answer.out
    assert "up to 2 to compile" in answer.out
    assert not (tmp_path / "s").exists()
    assert json.loads(json.dumps(spanned(WEIGHT).identity))["seeds"] == [0]


@pytest.mark.parametrize("part", ["params", "results", "value"])
def test_a_changed_digit_of_a_trial_is_found_before_anything_is_proposed_by_it(part, tmp_path):
    space, how = spanned(WEIGHT), {"trials": 3, "batch": 3, "prune": False}
    searched(space, tmp_path, **how)
    log = tmp_path / "study.log"
    lines = log.read_text().splitlines()
    mark = {"params": '"param_value_internal"', "results": 'mse"', "value": '"values"'}[part]
    at = next(n for n, line in enumerate(lines) if mark in line and (part != "results" or '"results"' in line))
    head, mark, tail = lines[at].partition(mark)
    digit = next(n for n, letter in enumerate(tail) if letter in "12345678" and tail[n - 1].isdigit())
    lines[at] = head + mark + tail[:digit] + str(int(tail[digit]) + 1) + tail[digit + 1 :]
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(UserError, match=r"trial \d: is damaged: it does not have the SHA-256 that it was told with"):
        searched(space, tmp_path, **how | {"trials": 4})
