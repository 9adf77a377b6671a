"""A run that was stopped at any moment goes on to the same parameters and the same metrics, bit for bit."""

import json
import shutil
import signal
import sys
import time

import numpy as np
import pytest
from forks import Forked
from running import (
    TINY,
    arguments,
    assert_refused,
    begin,
    call,
    contents,
    digest,
    execute,
    summary,
)

from aejax import data
from aejax.errors import UserError
from aejax.files import TEMPORARY
from aejax.runs import workdir
from aejax.runs.workdir import read_metrics
from aejax.storage import checkpoint, trust

PLAIN = {
    **TINY,
    "train.steps": "12",
    "train.evaluate_every": "4",
    "train.checkpoint_every": "3",
    "train.keep": "100",
    "corruption": "{'name': 'gaussian', 'scale': 0.1}",
}
EARLY = {
    **PLAIN,
    "train.steps": "60",
    "train.evaluate_every": "2",
    "train.patience": "3",
    "optimizer.learning_rate": "0.3",
}
SETTINGS = {"plain": PLAIN, "early": EARLY}


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    """The folders of two runs that were never stopped, made when first asked for."""
    made = {}

    def of(name, capsys):
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            assert call(arguments(SETTINGS[name], workdir=made[name]), capsys).code == 0
        return made[name]

    return of


def left_behind(reference, folder, *, until: int):
    """What a kill leaves: checkpoints up to a step, metrics that may be ahead of them, neither model nor summary."""
    shutil.copytree(reference, folder, ignore=shutil.ignore_patterns("summary.json", "model"))
    for path in (folder / "checkpoints").iterdir():
        if int(path.name.split("-")[1].partition(".")[0]) > until:
            path.unlink()
    return folder


def assert_same(folder, reference):
    """The same parameters, metrics and checkpoints."""
    assert digest(folder) == digest(reference)
    assert (folder / "metrics.csv").read_bytes() == (reference / "metrics.csv").read_bytes()
    data = lambda place: [name for name in contents(place / "checkpoints") if name.endswith(".safetensors")]
    assert data(folder) == data(reference)  # named after their contents
    assert not list(folder.rglob(f"{TEMPORARY}*"))


def test_early_stopping_did_stop_early_and_kept_the_best(references, capsys):
    reference = references("early", capsys)
    rows = read_metrics(reference)
    losses = [row["validation_loss"] for row in rows]
    assert len(losses) < 30
    assert min(losses) == losses[-4] < min(losses[-3:])
    saved = checkpoint.restore_flat(reference / "checkpoints", "progress/best")
    kept = checkpoint.restore_flat(reference / "model", "params")
    assert checkpoint.digest(saved) == checkpoint.digest(kept)
    last = checkpoint.restore_flat(reference / "checkpoints", "state/params")
    assert checkpoint.digest(last) != checkpoint.digest(kept)
    assert summary(reference)["metrics"]["validation"]["mse"] == pytest.approx(rows[-4]["validation_mse"], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_from_every_checkpoint(name, references, tmp_path, capsys):
    reference = references(name, capsys)
    steps = checkpoint.steps(reference / "checkpoints")
    assert len(steps) >= 3
    for step in [0, *steps]:
        folder = left_behind(reference, tmp_path / str(step), until=step)
        answer = call(arguments(SETTINGS[name], workdir=folder), capsys)
        assert (answer.code, answer.err) == (0, "")
        assert (f"going on from step {step}" in answer.out) == (step > 0)
        assert_same(folder, reference)


def _only_config(folder):
    for path in folder.iterdir():
        if path.name != "config.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _only_half_a_file(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / f"{TEMPORARY}0123").write_text("{")


def _half_files_everywhere(folder):
    for place in (folder, folder / "checkpoints"):
        (place / f"{TEMPORARY}0123").write_text("{")


def _no_metrics_and_data_without_manifest(folder):
    (folder / "metrics.csv").unlink()
    shutil.rmtree(folder / "checkpoints")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "step-00000003-0123456789abcdef.safetensors").write_bytes(b"half")


@pytest.mark.parametrize(
    "moment", [_only_config, _only_half_a_file, _half_files_everywhere, _no_metrics_and_data_without_manifest]
)
def test_from_odd_moments(moment, references, tmp_path, capsys):
    reference = references("plain", capsys)
    folder = left_behind(reference, tmp_path / "run", until=6)
    moment(folder)
    answer = call(arguments(PLAIN, workdir=folder), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert_same(folder, reference)
    assert (folder / "environment.json").exists()


def test_between_the_model_and_the_summary(references, tmp_path, capsys):
    reference = references("early", capsys)
    folder = tmp_path / "run"
    shutil.copytree(reference, folder)
    (folder / "summary.json").unlink()
    assert call(arguments(EARLY, workdir=folder), capsys).code == 0
    assert_same(folder, reference)


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _cut(path):
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES = [(_flip, "*.safetensors"), (_cut, "*.safetensors"), (_flip, "*.json"), (lambda p: p.unlink(), "*.json")]


@pytest.mark.parametrize(("damage", "pattern"), DAMAGES, ids=["flipped", "cut", "manifest", "no manifest"])
def test_a_damaged_checkpoint_is_passed_over_and_said_so(damage, pattern, references, tmp_path, capsys):
    reference = references("early", capsys)
    steps = checkpoint.steps(reference / "checkpoints")
    folder = left_behind(reference, tmp_path / "run", until=steps[2])
    (path,) = (folder / "checkpoints").glob(f"step-{steps[2]:08d}{pattern}")
    damage(path)
    answer = call(arguments(EARLY, workdir=folder), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert f"checkpoint of step {steps[2]} in {folder / 'checkpoints'} is passed over" in answer.out
    assert f"going on from step {steps[1]}" in answer.out
    assert_same(folder, reference)


def test_without_a_whole_checkpoint_the_run_begins_again(references, tmp_path, capsys):
    reference = references("plain", capsys)
    folder = left_behind(reference, tmp_path / "run", until=6)
    for path in (folder / "checkpoints").glob("*.safetensors"):
        _flip(path)
    answer = call(arguments(PLAIN, workdir=folder), capsys)
    assert answer.out.count("is passed over") == 2
    assert "there is none before it" in answer.out
    assert_same(folder, reference)


def test_an_unfinished_run_of_another_config_is_refused(references, tmp_path, capsys):
    folder = left_behind(references("plain", capsys), tmp_path / "run", until=6)
    before = contents(folder)
    assert_refused(call(arguments({**PLAIN, "seed": "3"}, workdir=folder), capsys), "seed: 0 -> 3")
    assert contents(folder) == before


# Real signals, in real processes.

LONG = {
    **TINY,
    "train.steps": "30000",
    "train.evaluate_every": "700",
    "train.checkpoint_every": "500",
    "train.patience": "1000",
    "corruption": "{'name': 'masking', 'probability': 0.2}",
}
SHOTS = [
    (signal.SIGKILL, 0),  # while the programs are compiled
    (signal.SIGKILL, 500),
    (signal.SIGTERM, 2500),
    (signal.SIGKILL, 5500),
    (signal.SIGINT, 8500),
]


def stop(number: int, step: int, folder) -> Forked:
    """Start or continue the run and send it a signal as soon as it has saved a checkpoint of that step."""
    process = begin(arguments(LONG, workdir=folder))
    while process.poll() is None:
        saved = checkpoint.steps(folder / "checkpoints")
        if (saved and saved[-1] >= step) if step else (folder / "environment.json").exists():
            process.send_signal(number)
            break
        time.sleep(0.002)
    return process


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_killed_again_and_again(tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    answer = execute(arguments(LONG, workdir=whole))
    assert (answer.code, answer.err) == (0, "")
    for number, step in SHOTS:
        process = stop(number, step, folder)
        _, error = process.communicate()
        assert not (folder / "summary.json").exists(), "the run ended before the signal came"
        if number == signal.SIGKILL:
            assert (process.returncode, error) == (-signal.SIGKILL, "")
        else:
            saved = checkpoint.steps(folder / "checkpoints")[-1]
            assert process.returncode == 130
            answer, last = error.splitlines()
            assert answer.startswith("aejax: stopping: the steps that run now are finished, then saved")
            assert last == f"aejax: stopped at step {saved}; go on with the same command and --workdir {folder}"
    answer = execute(arguments(LONG, workdir=folder))
    assert (answer.code, answer.err) == (0, "")
    assert "going on from step" in answer.out
    assert_same(folder, whole)


def test_a_run_goes_on_without_naming_its_config_again(tiny, tmp_path, capsys):
    stopped = tmp_path / "stopped"
    shutil.copytree(tiny, stopped, ignore=shutil.ignore_patterns("summary.json"))
    assert call(["run", "--workdir", str(stopped)], capsys).code == 0
    assert contents(stopped)["summary.json"] != b""
    assert (
        json.loads((stopped / "summary.json").read_text())["parameters_digest"]
        == (json.loads((tiny / "summary.json").read_text())["parameters_digest"])
    )
    answer = call(["run"], capsys)
    assert answer.code == 2
    assert "name a config" in answer.err


def test_a_run_that_goes_on_says_which_option_would_change_it(tiny, tmp_path, capsys):
    shutil.copytree(tiny, tmp_path / "run")
    before, alone = contents(tmp_path / "run"), ["run", "--workdir", str(tmp_path / "run")]
    more = [w for text in ("seed=5", "train.keep=3", "train.steps=6", "train.batch_size=8") for w in ("--set", text)]
    for words, fragment in (
        (["--set", "train.steps=6"], "run: --set changes the run in"),
        (["--set", "train.steps=6"], "(train.steps: 4 -> 6), which goes on as it was begun; allowed: --set devices."),
        (["--seed", "3"], "run: --seed changes the run in"),
        (more, "(seed: 0 -> 5; train.steps: 4 -> 6; train.batch_size: 16 -> 8; and 1 more)"),
    ):
        assert_refused(call(alone + words, capsys), fragment)
    for words in (["--set", "devices.data=1"], ["--set", "train.steps=4"]):
        assert call(alone + words, capsys).code == 0
    command = arguments({**TINY, "seed": "5", "train.keep": "3", "train.steps": "6"}, workdir=tmp_path / "run")
    command += ["--set", "train.batch_size=8"]
    assert_refused(call(command, capsys), "train.batch_size: 16 -> 8; and 1 more); allowed: the same config")
    assert contents(tmp_path / "run") == before


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_run_does_not_go_on_with_other_data(tmp_path, capsys, is_finished):
    table = tmp_path / "rows.csv"
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    write = lambda names, shift=0: np.savetxt(
        table, rows + shift, delimiter=",", header=names, comments="", fmt="%.17g"
    )
    write("a,b,c,d")
    command = arguments({**TINY, "data.name": f"file:{table}", "data.rows": "none"}, workdir=tmp_path / "run")
    assert call(command, capsys).code == 0
    if not is_finished:
        (tmp_path / "run" / "summary.json").unlink()
    before = contents(tmp_path / "run")
    write("a,b,d,c")
    assert_refused(call(command, capsys), "has changed since this run began")
    rows[3, 2] += 1
    write("a,b,c,d")
    assert_refused(call(command, capsys), "has changed since this run began")
    assert contents(tmp_path / "run") == before
    if is_finished:
        table.unlink()
        answer = call(command, capsys)
        assert answer.code == 0
        assert "cannot be read any more, so whether they have changed is not known" in answer.out


def test_a_sweep_does_not_go_on_with_other_data(tmp_path, capsys):
    table = tmp_path / "rows.csv"
    rows = [f"{row},{row * 7 % 31},{row * 5 % 17}" for row in range(60)]
    table.write_text("\n".join(["a,b,c", *rows]) + "\n")
    settings = {**TINY, "data.name": f"file:{table}", "data.rows": "none", "data.key": "()"}
    command = ["sweep", *arguments(settings, workdir=tmp_path / "sweep")[1:]]
    assert call([*command, "--axis", "seed=[0,1]"], capsys).code == 0
    before = contents(tmp_path / "sweep")
    table.write_text("\n".join(["a,b,c", *rows[::-1]]) + "\n")
    assert_refused(call([*command, "--axis", "seed=[0,1]"], capsys), "has changed since this run began")
    assert contents(tmp_path / "sweep") == before


def test_computed_data_of_another_processor_are_known_again(tmp_path, capsys):
    dataset = data.load("swiss_roll", rows=60)
    workdir.same_data(tmp_path, dataset)
    x = dataset.train.x
    workdir.same_data(tmp_path, dataset._replace(train=dataset.train._replace(x=np.nextafter(x, np.float32(np.inf)))))
    assert "swiss_roll has other last bits than the run began with" in capsys.readouterr().out
    own = dataset._replace(name="file:roll.npy")
    workdir.same_data(tmp_path / "own", own)
    for other, changed in (("", x[::-1]), ("", x + np.float32(1e-3)), ("own", np.nextafter(x, np.float32(np.inf)))):
        named = own if other else dataset
        with pytest.raises(UserError, match="has changed since this run began"):
            workdir.same_data(tmp_path / other, named._replace(train=dataset.train._replace(x=changed)))


def test_a_key_that_a_kill_left_empty_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "cache" / "trust").mkdir(parents=True)
    (tmp_path / "cache" / "trust" / "key").touch(mode=0o600)
    (tmp_path / "config.json").write_text("{}")
    trust.seal(tmp_path)
    assert trust.is_own(tmp_path, b"{}")
