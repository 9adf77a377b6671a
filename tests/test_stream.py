"""Rows that do not fit in memory: the batches, and the parameters, that the same rows give in memory; and packing."""

import json
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from running import (
    TINY,
    arguments,
    assert_refused,
    begin,
    call,
    contents,
    digest,
    environment,
    execute,
    finish,
    free_port,
    process,
    summary,
)

from aejax import data
from aejax.data import stream
from aejax.data.batches import batch_rows
from aejax.data.stream import open_folder, read
from aejax.errors import UserError
from aejax.runs.workdir import read_metrics
from aejax.storage import checkpoint
from aejax.training import windows
from aejax.training.step import streams

ROWS = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
LABELS = np.arange(500) % 3
SETTINGS = {
    **TINY,
    "data.rows": "null",
    "data.validation": "0",
    "data.test": "0",
    "data.scaling": "standard",
    "terms.reconstruction.name": "reconstruction.squared_error",
    "corruption": "{'name': 'gaussian', 'scale': 0.1}",
    "train.steps": "60",
    "train.evaluate_every": "20",
    "train.checkpoint_every": "15",
    "train.keep": "9",
}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Several files and several windows, of few rows."""
    monkeypatch.setattr(stream, "FILE_BYTES", 200 * 36)
    monkeypatch.setattr(windows, "WINDOW_BYTES", 7 * 16 * 32)


@pytest.fixture
def packed(tmp_path):
    """The rows with labels in a folder; beside it, ``rows.npz`` with the same."""
    np.savez(tmp_path / "rows.npz", x=ROWS, y=LABELS)
    stream.pack([tmp_path / "rows.npz"], tmp_path / "packed")
    return tmp_path / "packed"


def test_every_row_comes_back(packed):
    records = open_folder(packed)
    assert records.shape == (500, 8)
    assert len(records.details["files"]) == 3
    places = np.random.default_rng(1).permutation(500)
    x, mask, labels = read(records, places)
    np.testing.assert_array_equal(x, ROWS[places])
    np.testing.assert_array_equal(labels, LABELS[places])
    assert mask is None
    assert x.dtype == np.float32


def test_a_stream_trains_to_the_bits_of_the_same_rows_in_memory(packed, tmp_path, capsys):
    for name in (f"stream:{packed}", f"file:{tmp_path / 'rows.npz'}"):
        given = arguments({**SETTINGS, "data.name": name}, workdir=tmp_path / name.partition(":")[0])
        answer = call(given, capsys)
        assert (answer.code, answer.err) == (0, "")
    assert digest(tmp_path / "stream") == digest(tmp_path / "file")
    metrics = [(tmp_path / kind / "metrics.csv").read_text() for kind in ("stream", "file")]
    assert metrics[0] == metrics[1]
    assert summary(tmp_path / "stream")["metrics"] == summary(tmp_path / "file")["metrics"]


def test_from_every_checkpoint(packed, tmp_path, capsys):
    settings, whole = {**SETTINGS, "data.name": f"stream:{packed}"}, tmp_path / "whole"
    assert call(arguments(settings, workdir=whole), capsys).code == 0
    for until in (0, 15, 30, 45, 60):
        part = tmp_path / str(until)
        shutil.copytree(whole, part, ignore=shutil.ignore_patterns("summary.json", "model"))
        for path in (part / "checkpoints").iterdir():
            if int(path.name.split("-")[1].partition(".")[0]) > until:
                path.unlink()
        assert call(arguments(settings, workdir=part), capsys).code == 0
        assert digest(part) == digest(whole)
        assert (part / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_to_the_same_bits(packed, tmp_path):
    settings = {**SETTINGS, "data.name": f"stream:{packed}", "train.steps": "3000", "train.evaluate_every": "3000"}
    whole = execute(arguments(settings, workdir=tmp_path / "whole"))
    assert whole.code == 0, whole
    running = begin(arguments(settings, workdir=tmp_path / "part"))
    until = time.monotonic() + 100
    while not checkpoint.steps(tmp_path / "part" / "checkpoints") and running.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert not (tmp_path / "part" / "summary.json").exists()
    again = execute(arguments(settings, workdir=tmp_path / "part"))
    assert "going on from step" in again.out
    assert digest(tmp_path / "part") == digest(tmp_path / "whole")


def test_the_batches_are_those_of_rows_in_memory(packed):
    dataset = data.load(f"stream:{packed}", validation=0.1, test=0.2, split_seed=3)
    own = windows.make(dataset, jax.random.key(5), 16, 40)
    order = stream.in_order(dataset.stream, np.arange(500))
    key = streams(jax.random.key(5))["data"]
    for step in (0, 1, 6, 7, 20, 39, 3):
        rows = own.at(step)
        held = np.asarray(rows.x[step - rows.first])
        places = order[150 - 10 + np.asarray(batch_rows(key, np.int32(step), 16, dataset.stream.rows))]
        np.testing.assert_array_equal(held, ROWS[places])
        np.testing.assert_array_equal(rows.labels[step - rows.first], LABELS[places])
    assert own.steps == 7
    assert own.example.x.shape == (7, 16, 8)


def test_the_parts_are_disjoint_and_bounded(packed, monkeypatch):
    monkeypatch.setattr(stream, "HELD", 40)
    dataset = data.load(f"stream:{packed}", validation=0.1, test=0.2)
    assert [len(part.x) for part in (dataset.train, dataset.validation, dataset.test)] == [40, 40, 40]
    assert dataset.stream.rows == 420
    rows = [tuple(row) for part in (dataset.train, dataset.validation, dataset.test) for row in part.x]
    assert len(set(rows)) == 120
    assert {tuple(row) for row in ROWS} >= set(rows)
    order = stream.in_order(dataset.stream, np.arange(500))
    assert sorted(order) == list(range(500))
    assert not {tuple(row) for row in ROWS[order[80:]]} & set(rows[40:])


def test_the_scaling_is_that_of_the_training_rows(packed):
    for scaling in ("standard", "unit"):
        dataset = data.load(f"stream:{packed}", scaling=scaling, validation=0.2, test=0.3)
        own = ROWS[stream.in_order(dataset.stream, np.arange(500))[dataset.stream.first :]]
        shift = own.mean(0) if scaling == "standard" else own.min(0)
        size = own.std(0) if scaling == "standard" else np.ptp(own, axis=0)
        np.testing.assert_allclose(dataset.shift, shift, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(dataset.scale, 1 / size, rtol=1e-5)


def test_images_stay_bytes_and_need_no_pass(tmp_path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (40, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    stream.pack([tmp_path / "images.npy", tmp_path / "images.npy"], tmp_path / "packed")
    monkeypatch.delattr(stream.Passed, "__getitem__")
    dataset = data.load(f"stream:{tmp_path / 'packed'}", validation=0, test=0.1)
    assert dataset.feature_shape == (5, 4, 1)
    assert dataset.kind == "image"
    assert dataset.train.x.dtype == np.uint8
    assert dataset.scale == pytest.approx(1 / 255)


def test_labels_of_several_files_share_their_names(tmp_path):
    (tmp_path / "a.csv").write_text("v,w,kind\n1,2,cat\n3,4,dog\n")
    (tmp_path / "b.csv").write_text("v,w,kind\n5,6,bird\n7,8,dog\n")
    made = stream.pack([tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "packed", "kind")
    records = open_folder(tmp_path / "packed")
    labels = read(records, np.arange(4))[2]
    assert [made["label_names"][label] for label in labels] == ["cat", "dog", "bird", "dog"]
    assert made["feature_names"] == ["v", "w"]


@pytest.mark.slow
def test_two_processes_read_their_parts_of_each_batch(packed, tmp_path):
    settings = {**SETTINGS, "data.name": f"stream:{packed}"}
    alone = execute(arguments(settings, workdir=tmp_path / "alone"))
    assert alone.code == 0, alone
    port = free_port()
    for answer in map(finish, [process(number, port, tmp_path / "both", settings) for number in (0, 1)]):
        assert (answer.code, answer.err) == (0, "")
    one, other = (read_metrics(tmp_path / name)[-1] for name in ("alone", "both"))
    assert other == pytest.approx(one, rel=1e-6)


def test_a_process_reads_no_more_than_its_devices_hold(packed, monkeypatch):
    dataset = data.load(f"stream:{packed}", validation=0, test=0)
    layout = SimpleNamespace(step=SimpleNamespace(mesh=jax.make_mesh((1, 1), ("data", "code"))))
    monkeypatch.setattr(windows, "_held_rows", lambda mesh, batch_size: (4, 12))
    asked = []
    monkeypatch.setattr("aejax.data.stream.read", lambda records, places: asked.append(places) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        windows.make(dataset, jax.random.key(5), 16, 40, layout).at(0)
    key = streams(jax.random.key(5))["data"]
    first = np.asarray(batch_rows(key, np.int32(0), 16, 500))[4:12]
    # windows are read some ahead, so which of them is asked for first is not sure
    assert any(np.array_equal(places[:8], first) for places in asked)


# What a process has held at its peak is measured. A limit of what it may allocate would count the stacks of its
# threads, which are hardly touched, and where one is hit within the reader's threads the process hangs.

MEASURED = """
import sys
from aejax import cli
from aejax.data import stream
stream.HELD_BYTES = 2**22  # 64 rows: a task that looks at those that are held makes copies of them
code = cli.main(sys.argv[1:])
with open("/proc/self/status") as file:  # ru_maxrss would begin with that of the process that started this one
    print("PEAK", next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM")))
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read as Linux tells it")
@pytest.mark.slow
def test_a_set_larger_than_all_that_the_process_holds(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "FILE_BYTES", 2**27)
    monkeypatch.setattr(stream, "_BLOCK", 64)
    x = np.lib.format.open_memmap(tmp_path / "big.npy", "w+", np.float32, (12_000, 2**14))
    x[:, ::1024] = np.random.default_rng(0).random((12_000, 16), np.float32)
    x.flush()
    stream.pack([tmp_path / "big.npy"], tmp_path / "packed")
    settings = {
        **SETTINGS,
        "data.name": f"stream:{tmp_path / 'packed'}",
        "model": "{'name': 'dense.vanilla', 'code': 2}",
        "data.scaling": "none",
        "data.test": "0.01",
        "train.batch_size": "64",
        "train.steps": "188",  # every row is read
        "train.evaluate_every": "188",
        "train.checkpoint_every": "188",
    }
    words = arguments(settings, workdir=tmp_path / "run")
    own = environment(MALLOC_ARENA_MAX="2")  # else the allocator keeps what each of the reader's threads once held
    done = subprocess.run([sys.executable, "-c", MEASURED, *words], env=own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak = int(done.stdout.rpartition("PEAK ")[2])
    assert peak < x.nbytes


# Mistakes.


FILE = "rows-00001.array_record"


def _manifest(change):
    """A damage: the manifest as a function of what it was, without its seal as older versions wrote it."""

    def damage(folder):
        path = folder / stream.MANIFEST
        manifest = json.loads(path.read_text())
        del manifest["seal"]
        path.write_text(json.dumps(change(manifest)))

    return damage


def _file(change):
    """A damage: the second file as a function of its bytes."""
    return lambda folder: (folder / FILE).write_bytes(change((folder / FILE).read_bytes()))


def _other_rows(folder):
    other = folder.parent / "other"
    np.save(folder.parent / "other.npy", ROWS[:, :5])
    files = stream.pack([folder.parent / "other.npy"], other)["files"]
    shutil.copy(other / FILE, folder / FILE)
    _manifest(lambda manifest: manifest | {"files": manifest["files"] | {FILE: files[FILE]}})(folder)


def _same_size(folder):
    np.savez(folder.parent / "other.npz", x=ROWS + 1, y=LABELS)
    stream.pack([folder.parent / "other.npz"], folder.parent / "other")
    shutil.copy(folder.parent / "other" / FILE, folder / FILE)


def _digit(folder):
    path = folder / stream.MANIFEST
    path.write_text(path.read_text().replace('"labelled": true', '"labelled": false'))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (shutil.rmtree, "there is no such folder; aejax data pack writes one"),
        (lambda folder: (folder / stream.MANIFEST).unlink(), "has no rows.json"),
        (lambda folder: (folder / stream.MANIFEST).write_text("{"), "its rows.json is damaged"),
        (_manifest(lambda manifest: {"format": 1, "files": {}}), "its rows.json is damaged"),
        (_manifest(lambda manifest: manifest | {"files": {}}), "holds no rows"),
        (lambda folder: (folder / FILE).unlink(), f"{FILE} is missing, or not of"),
        (_file(lambda content: content[:-100]), f"{FILE} is missing, or not of"),
        (_file(lambda content: b"\x5a" * len(content)), "pack the rows again"),
        (_same_size, f"{FILE} holds other rows than were packed"),
        (_digit, "does not have the SHA-256 that it ends with"),
        (_other_rows, "has 20 bytes, and rows of rows.json have 36; pack rows of one shape"),
    ],
)
def test_folders_that_are_none_get_one_line(damage, line, packed):
    damage(packed)
    with pytest.raises(UserError, match=line) as refused:
        data.load(f"stream:{packed}")
    assert "\n" not in str(refused.value)


def test_damage_in_the_middle_of_a_run_gets_one_line(packed, tmp_path, capsys):
    path = packed / "rows-00001.array_record"
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 1000] = bytes(1000)
    path.write_bytes(content)
    settings = {**SETTINGS, "data.name": f"stream:{packed}", "data.scaling": "none"}
    assert_refused(call(arguments(settings, workdir=tmp_path / "run"), capsys), "pack the rows again")
    shutil.rmtree(packed)
    assert_refused(call(arguments(settings, workdir=tmp_path / "none"), capsys), "there is no such folder")
    assert not (tmp_path / "none").exists()


def test_another_folder_is_not_gone_on_with(packed, tmp_path, capsys):
    settings = {**SETTINGS, "data.name": f"stream:{packed}"}
    assert call(arguments(settings, workdir=tmp_path / "run"), capsys).code == 0
    (tmp_path / "run" / "summary.json").unlink()
    shutil.rmtree(packed)
    np.save(tmp_path / "more.npy", np.concatenate([ROWS, ROWS]))
    stream.pack([tmp_path / "more.npy"], packed)
    assert_refused(call(arguments(settings, workdir=tmp_path / "run"), capsys), "has changed since this run began")


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"data.label_column": "y"}, "data.label_column: data that are streamed do not take it"),
        ({"data.log": "a"}, "data.log: data that are streamed do not take it"),
        ({"data.labels": "y.npy"}, "data.labels: data that are streamed do not take it"),
        ({"data.scaling": "robust"}, "data.scaling: robust needs all rows in memory; allowed: unit, signed, standard"),
        ({"data.normal": "0"}, "data.normal: data that are streamed do not take it; allowed: data.normal=None"),
        ({"train.batch_size": "null"}, "train.batch_size: null takes all rows, which are streamed"),
        ({"train.batch_size": "501"}, "train.batch_size: 501 is more than the 500 training rows"),
        ({"data.test": "0.999"}, "no training row is left of 500"),
        ({"relations.near": "{'name': 'graph.exact'}"}, "relations"),
    ],
)
def test_what_a_stream_cannot_do_gets_one_line(changes, line, packed, tmp_path, capsys):
    settings = {**SETTINGS, "data.name": f"stream:{packed}", **changes}
    assert_refused(call(arguments(settings, workdir=tmp_path / "run"), capsys), line)


def test_a_sweep_refuses_a_stream(packed, tmp_path, capsys):
    words = ["sweep", "lecture/multilayer", "--axis", "seed=0:2", "--set", f"data.name=stream:{packed}"]
    answer = call([*words, "--workdir", str(tmp_path / "sweep")], capsys)
    assert_refused(answer, "data.name: a sweep holds its rows in memory")


def test_packing_from_the_command_line(tmp_path, capsys):
    np.save(tmp_path / "rows.npy", ROWS)
    answer = call(["data", "pack", str(tmp_path / "rows.npy"), "--output", str(tmp_path / "packed")], capsys)
    assert answer.code == 0
    assert f"500 rows of 8 values; --set data.name=stream:{tmp_path / 'packed'}" in answer.out


@pytest.mark.parametrize(
    ("files", "line"),
    [
        (
            {"a.npy": ROWS, "b.npy": ROWS[:, :5]},
            "b.npy: its values are 5 of type float32, and in .*a.npy they are 8 of",
        ),
        ({"a.npy": np.where(np.arange(8) == 3, np.nan, ROWS)}, "a.npy: row 1 has a value that is missing or infinite"),
        ({"a.npy": ROWS[:0]}, "with one row or more"),
        ({"a.npy": np.array([["x"]])}, "numbers are needed"),
        ({}, "gone.npy: there is no such file"),
    ],
)
def test_files_that_cannot_be_packed_get_one_line(files, line, tmp_path):
    for name, rows in files.items():
        np.save(tmp_path / name, rows)
    with pytest.raises(UserError, match=line):
        stream.pack([tmp_path / name for name in files or ["gone.npy"]], tmp_path / "packed")
    assert sorted(contents(tmp_path)) == sorted(files)


def test_columns_far_from_zero_are_streamed_from_where_they_are_counted(tmp_path):
    seconds = 1_700_000_000 + 5.0 * np.arange(300)
    x = np.c_[seconds, np.sin(np.arange(300)), np.arange(300) % 7]
    np.save(tmp_path / "a.npy", x[:200])
    np.save(tmp_path / "b.npy", x[200:])
    (tmp_path / "a.csv").write_text("t,u,v\n" + "".join(f"{a},{b!r},{c}\n" for a, b, c in x.tolist()))
    for number, names in enumerate((["a.npy", "b.npy"], ["a.csv"])):
        folder = tmp_path / f"packed{number}"
        assert stream.pack([tmp_path / name for name in names], folder)["origin"] == [seconds[0], 0, 0]
        dataset = data.load(f"stream:{folder}", scaling="standard", validation=0.1)
        parts = [dataset.train, dataset.validation, dataset.test]
        rows = np.concatenate([part.x for part in parts]) + dataset.origin
        np.testing.assert_array_equal(np.sort(rows[:, 0]), seconds)
        scaled = (np.concatenate([part.x for part in parts]) - dataset.shift) * dataset.scale
        assert np.abs(scaled[:, 0]).max() < 2
    np.save(tmp_path / "small.npy", x[:, 1:])
    assert "origin" not in stream.pack([tmp_path / "small.npy"], tmp_path / "small")


def test_labels_in_files_beside_the_rows_are_packed(tmp_path, capsys):
    for name, rows in {"a": slice(200), "b": slice(200, None)}.items():
        np.save(tmp_path / f"{name}.npy", ROWS[rows])
        np.save(tmp_path / f"{name}_labels.npy", np.array(["cat", "dog"])[np.arange(500)[rows] % 2])
    words = ["data", "pack", str(tmp_path / "a.npy"), str(tmp_path / "b.npy"), "--output", str(tmp_path / "packed")]
    labels = ["--labels", str(tmp_path / "a_labels.npy"), str(tmp_path / "b_labels.npy")]
    assert call([*words, *labels], capsys).code == 0
    x, _, numbers = stream.read(stream.open_folder(tmp_path / "packed"), np.arange(500))
    np.testing.assert_array_equal(x, ROWS)
    assert numbers.tolist() == (np.arange(500) % 2).tolist()
    words[-1] = str(tmp_path / "other")
    assert_refused(call([*words, *labels[:2]], capsys), "--labels: 1 files for 2 files of rows")


def test_a_folder_that_is_there_is_left_alone(packed, tmp_path):
    before = contents(packed)
    with pytest.raises(UserError, match="is there already"):
        stream.pack([tmp_path / "rows.npz"], packed)
    assert contents(packed) == before
