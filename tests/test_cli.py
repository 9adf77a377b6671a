"""The `aejax` command: what it prints, what it writes, its exit codes, and the compile cache."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest
from running import (
    MULTILAYER,
    TINY,
    arguments,
    call,
    command,
    contents,
    digest,
    environment,
    execute,
    summary,
)

import aejax
from aejax import config, console
from aejax.config import files as config_files
from aejax.data import cache
from aejax.files import cache_folder
from aejax.runs import workdir
from aejax.training import compilation

HEAVY = {"jax", "flax", "optax", "numpy", "sklearn", "matplotlib", "tensorflow_datasets"}


@pytest.mark.parametrize("argv", [["--help"], ["run", "--help"], ["--version"], ["list"], ["nothing"]])
def test_imports_nothing_heavy(argv):
    program = (
        f"import sys, aejax\nfrom aejax import cli\ntry:\n    cli.main({argv!r})\nexcept SystemExit:\n    pass\n"
        f"sys.exit(99 if {HEAVY!r} & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True).returncode == 0


def test_help_names_every_command(capsys):
    answer = call(["--help"], capsys)
    assert answer.code == 0
    for name in ("run", "list", "apply", "data"):
        assert f"  {name} " in answer.out
    assert call(["--version"], capsys).out == f"aejax {aejax.__version__}\n"


def test_list_names_every_experiment_and_says_what_it_is(capsys):
    answer = call(["list"], capsys)
    shown = answer.out.splitlines()
    assert (
        "  :squared_error" in shown[shown.index(next(line for line in shown if line.startswith("lecture/vanilla"))) :]
    )
    lines = dict(line.split(None, 1) for line in shown if not line.startswith(" "))
    files = {p.relative_to(config_files.experiments_folder()) for p in config_files.experiments_folder().glob("*/*.py")}
    assert set(lines) == {path.with_suffix("").as_posix() for path in files if not path.name.startswith("_")}
    first = config_files.shipped()[MULTILAYER].read_text().split('"""')[1].splitlines()[0]
    assert lines[MULTILAYER] == first


def test_data_list(capsys):
    answer = call(["data", "list"], capsys)
    assert answer.code == 0
    assert any(line.split()[:2] == ["digits", "1797"] for line in answer.out.splitlines())


def test_print_config_shows_what_would_run_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    argv = ["run", MULTILAYER, "--config.train.steps=7", "--set", "optimizer.b1=0.5", "--seed", "3", "--print-config"]
    answer = call([*argv, "--config.model.code", "5"], capsys)
    assert (answer.code, answer.err) == (0, "")
    shown = json.loads(answer.out)
    assert shown == json.loads(
        config.dumps(config.load(MULTILAYER, ["train.steps=7", "optimizer.b1=0.5", "model.code=5"], seed=3))
    )
    assert (shown["train"]["steps"], shown["model"]["code"], shown["seed"]) == (7, 5, 3)
    assert list(tmp_path.iterdir()) == []


def test_run_leaves_what_is_worth_keeping(tmp_path, capsys):
    answer = call(arguments(TINY, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err) == (0, "")
    assert "step 4/4" in answer.out
    assert "pca" in answer.out
    lines = [str(tmp_path / "run" / "summary.json"), f"a page of it: aejax report {tmp_path / 'run'}"]
    assert answer.out.splitlines()[-2:] == lines
    folder = tmp_path / "run"
    names = {name.split("/")[0] for name in contents(folder)}
    assert names == {
        "config.json",
        "environment.json",
        "metrics.csv",
        "summary.json",
        "checkpoints",
        "model",
        "dataset.json",
        "trust.json",
        "checksums.json",
    }
    resolved = config.load(MULTILAYER, [f"{path}={value}" for path, value in TINY.items()])
    assert json.loads((folder / "config.json").read_text()) == json.loads(config.dumps(resolved))
    with open(folder / "metrics.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert all(float(row["train_loss"]) > 0 and float(row["validation_mse"]) > 0 for row in rows)
    found = summary(folder)
    assert set(found) == {"seed", "metrics", "baselines", "timing", "parameters_digest", "remarks"}
    assert found["timing"]["peak_memory_mb"] > 50
    assert json.loads((folder / "environment.json").read_text())["packages"]["jax"]


def test_run_makes_a_new_folder_for_each_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert call(arguments({**TINY, "train.steps": "1"}), capsys).code == 0
    folders = sorted((tmp_path / "runs").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("multilayer-") for folder in folders)
    assert digest(folders[0]) == digest(folders[1])


def test_a_finished_run_is_read_and_not_touched(tmp_path, capsys):
    argv = arguments(TINY, workdir=tmp_path)
    first, before = call(argv, capsys), contents(tmp_path)
    again = call(argv, capsys)
    assert (again.code, again.err) == (0, "")
    assert "this run is finished" in again.out
    assert again.out.splitlines()[-6:] == first.out.splitlines()[-6:]
    assert contents(tmp_path) == before


def test_a_changed_config_in_the_same_folder_is_refused_with_the_difference(tiny, capsys):
    before = contents(tiny)
    answer = call(arguments({**TINY, "train.steps": "6", "optimizer.b1": "0.5"}, workdir=tiny), capsys)
    assert answer.code == 2
    assert "train.steps: 4 -> 6" in answer.err
    assert "optimizer.b1: 0.9 -> 0.5" in answer.err
    assert answer.err.count("->") == 2
    assert contents(tiny) == before


def test_seeds(tiny, tmp_path, capsys):
    digests = {"0": digest(tiny)}
    for name, extra in {"0 again": ["--seed", "0"], "1": ["--seed", "1"], "set": ["--set", "seed=1"]}.items():
        assert call([*arguments(TINY, workdir=tmp_path / name), *extra], capsys).code == 0
        digests[name] = digest(tmp_path / name)
    assert digests["0"] == digests["0 again"] != digests["1"] == digests["set"]


def test_a_config_file_and_its_variant(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        '"""Mine."""\nfrom aejax.config import base\n'
        "def get_config():\n"
        "    config = base()\n"
        "    config.data.update(name='clusters', rows=60)\n"
        "    config.model.update(widths=(3,), code=2)\n"
        "    config.train.update(steps=4, batch_size=16, evaluate_every=2, checkpoint_every=2)\n"
        "    config.report.figures = False\n"
        "    return config\n"
        "def variants():\n    return {'wide': {'model.code': 3}}\n"
    )
    for spec, size in ((str(path), 2), (f"{path}:wide", 3)):
        folder = tmp_path / str(size)
        assert call(["run", spec, "--workdir", str(folder)], capsys).code == 0
        assert json.loads((folder / "config.json").read_text())["model"]["code"] == size


def test_tensorboard_files_on_demand(tmp_path, capsys):
    pytest.importorskip("tensorboardX")
    settings = {**TINY, "report.tensorboard": "true"}
    assert call(arguments(settings, workdir=tmp_path), capsys).code == 0
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"validation/loss" in events.read_bytes()


def test_tensorboard_without_its_package(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    answer = call(arguments({**TINY, "report.tensorboard": "true"}, workdir=tmp_path / "run"), capsys)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert "aejax[tensorboard]" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_reader_that_leaves_is_no_error():
    process = subprocess.Popen(
        command(["list"]), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() in (0, 120, 141)
    process.stderr.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("argv", [["list"], ["run", MULTILAYER, "--print-config"]])
def test_output_that_cannot_be_written(argv):
    with open("/dev/full", "w") as full:
        done = subprocess.run(command(argv), env=environment(), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("aejax: No space left on device\n")
    assert "Traceback" not in done.stderr


# The compile cache.


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """A run that filled a compile cache: its folder of caches, and its digest."""
    folder = tmp_path_factory.mktemp("cached")
    answer = execute(arguments(TINY, workdir=folder / "run"), AEJAX_CACHE_DIR=str(folder))
    assert (answer.code, answer.err) == (0, "")
    return folder, digest(folder / "run")


def _programs(folder):
    return {path.name: path.read_bytes() for path in (folder / "compiled").glob("*-cache")}


def test_a_second_run_compiles_nothing_and_gives_the_same(cached, tmp_path):
    folder, expected = cached
    before = _programs(folder)
    assert any(name.startswith("jit_advance") for name in before)
    answer = execute(arguments(TINY, workdir=tmp_path / "run"), AEJAX_CACHE_DIR=str(folder))
    assert (answer.code, answer.err) == (0, "")
    assert digest(tmp_path / "run") == expected
    assert _programs(folder) == before


DAMAGES = (
    lambda data: data[: len(data) // 2],
    lambda data: b"",
    lambda data: b"garbage",
    lambda data: data[: len(data) * 2 // 3] + bytes([data[len(data) * 2 // 3] ^ 4]) + data[len(data) * 2 // 3 + 1 :],
)


def test_a_damaged_cache_does_no_harm(cached, tmp_path):
    folder, expected = cached
    (tmp_path / "compiled").mkdir()
    for index, (name, data) in enumerate(sorted(_programs(folder).items())):
        large = name.startswith(("jit_advance", "jit_init"))
        (tmp_path / "compiled" / name).write_bytes(DAMAGES[-1 if large else index % 4](data))
    answer = execute(arguments(TINY, workdir=tmp_path / "run"), AEJAX_CACHE_DIR=str(tmp_path))
    assert (answer.code, answer.err) == (0, "")
    assert "compiled in" in answer.out
    assert digest(tmp_path / "run") == expected


def test_a_cache_that_cannot_be_written_does_no_harm(cached, tmp_path):
    (tmp_path / "compiled").write_text("a file where the folder should be")
    answer = execute(arguments(TINY, workdir=tmp_path / "run"), AEJAX_CACHE_DIR=str(tmp_path))
    assert (answer.code, answer.err) == (0, "")
    assert digest(tmp_path / "run") == cached[1]


def test_the_cache_can_be_turned_off(cached, tmp_path):
    argv = [*arguments(TINY, workdir=tmp_path / "run"), "--no-compile-cache"]
    answer = execute(argv, AEJAX_CACHE_DIR=str(tmp_path))
    assert (answer.code, answer.err) == (0, "")
    assert digest(tmp_path / "run") == cached[1]
    assert not (tmp_path / "compiled").exists()


@pytest.mark.parametrize("switch", ["off", "OFF", "0", "false", "no"])
def test_the_cache_can_be_turned_off_for_good(switch, monkeypatch):
    monkeypatch.setenv(compilation.SWITCH, switch)
    before = jax.config.jax_compilation_cache_dir
    compilation.enable_cache()
    assert jax.config.jax_compilation_cache_dir == before


def test_the_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("AEJAX_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder("compiled") == tmp_path / "aejax" / "compiled"
    assert cache_folder("compiled").parts[-2:] == ("aejax", "compiled")


def test_a_tilde_is_the_home_folder_for_every_kind_of_cached_thing(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AEJAX_CACHE_DIR", "~/kept")
    assert {cache_folder("compiled").parent, cache.root().parent} == {tmp_path / "kept"}


# What a person sees.


def test_table_is_aligned(capsys):
    console.table(("test", "mse"), [("autoencoder", "0.5"), ("pca", "0.25")])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["test          mse", "───────────  ────", "autoencoder   0.5", "pca          0.25"]


def test_metrics_are_the_same_text_however_often_they_are_read(tmp_path):
    rows = [{"step": 2**31 - 1, "a": 123456789.5, "b": 1e-9 / 3, "c": 24.0, "d": 1e20, "e": -0.1}]
    workdir.write_metrics(tmp_path, rows)
    first = (tmp_path / "metrics.csv").read_text()
    workdir.write_metrics(tmp_path, workdir.read_metrics(tmp_path))
    assert (tmp_path / "metrics.csv").read_text() == first
    assert first.splitlines() == ["step,a,b,c,d,e", "2147483647,1.2345679e+08,3.3333333e-10,24,1e+20,-0.1"]
    assert workdir.read_metrics(tmp_path, until=2**31 - 2) == []


def test_the_time_that_compiling_takes_is_in_no_estimate(monkeypatch, capsys):
    clock = iter([0.0, 60.0, 60.0, 80.0, 80.0, 110.0, 110.0])  # a minute of compiling, and the first steps
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    line = console._lines(1000)
    for step, loss in ((10, 3.0), (100, 2.0), (1000, 1.0)):
        line(step, loss)
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == "step 10/1000  loss 3"
    assert second == "step 100/1000  4 steps/s  loss 2  200 s left"
    assert last == "step 1000/1000  20 steps/s  loss 1  0 s left"


def test_peak_memory_is_that_of_the_process():
    lines = "from aejax.runs.workdir import peak_memory as peak; a = peak(); x = b'1' * 2**28; x = 0; print(a, peak())"
    answer = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True).stdout
    before, after = map(float, re.findall(r"[\d.]+(?=})", answer))
    assert after - before == pytest.approx(256, rel=0.1)
