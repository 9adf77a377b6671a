"""One run on several devices, of one process or of two: the numbers of one device, its folder, and no hanging."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial

import jax
import numpy as np
import pytest
from running import (
    Answer,
    arguments,
    assert_refused,
    call,
    finish,
    free_port,
    process,
    summary,
    virtual,
)

from aejax import config
from aejax.errors import UserError
from aejax.runs.workdir import read_metrics
from aejax.storage import checkpoint
from aejax.training import devices, distributed

# 100 steps of the 64-8-64 net of digits, with noise, clipping and decay, so that all that is summed over rows is there.
SETTINGS = {
    "model": "{'name': 'dense.vanilla', 'code': 8}",
    "corruption": "{'name': 'gaussian', 'scale': 0.1}",
    "optimizer.clip_norm": "1.0",
    "optimizer.weight_decay": "0.01",
    "train.steps": "100",
    "train.evaluate_every": "50",
    "train.checkpoint_every": "50",
    "train.keep": "9",
    "report.figures": "false",
}
WIDE = {**SETTINGS, "model.code": "512", "terms.sparsity": "{'name': 'sparsity.l1', 'weight': 0.01}"}
CASES = {
    "one": SETTINGS,
    "four": {**SETTINGS, "devices.data": "4"},
    "all_rows_four": {
        **SETTINGS,
        "train.batch_size": "null",
        "data.rows": "256",
        "data.name": "clusters",
        "data.test": "0",
        "data.validation": "0.25",
        "devices.data": "4",
    },
    "wide": WIDE,
    "wide_cut": {**WIDE, "devices.code": "4"},
    "wide_both": {**WIDE, "devices.data": "2", "devices.code": "2"},
    "early": {**SETTINGS, "train.patience": "1", "devices.data": "2"},
}
CASES["all_rows"] = {**CASES["all_rows_four"], "devices.data": "null"}
TOLERANCE = 1e-6

SEVERAL = """
import json, sys
from aejax import cli
for argv in json.loads(sys.argv[1]):
    try:
        code = cli.main(argv)
    except SystemExit as stop:
        code = stop.code
    print("CODE", code, flush=True)
    print("CODE", code, file=sys.stderr, flush=True)
"""


def several(commands: list[list[str]]) -> list[Answer]:
    """Commands, one after the other, in one process of four devices."""
    words = [[str(word) for word in argv] for argv in commands]
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(words)], env=virtual(4), capture_output=True, text=True
    )
    assert done.stderr.count("CODE") == len(words), done.stderr
    parts = [text.split("CODE ")[:-1] for text in (done.stdout, done.stderr)]
    codes = [int(text.split(maxsplit=1)[0]) for text in done.stdout.split("CODE ")[1:]]
    cleaned = [[part.partition("\n")[2] if place else part for place, part in enumerate(own)] for own in parts]
    return [Answer(*each) for each in zip(codes, *cleaned, strict=True)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folder of each case, all run in one process that has four devices."""
    root = tmp_path_factory.mktemp("devices")
    answers = several([arguments(own, workdir=root / name) for name, own in CASES.items()])
    for name, answer in zip(CASES, answers, strict=True):
        assert (answer.code, answer.err) == (0, ""), (name, answer)
    return root


def assert_close(folder, reference):
    """The losses of two runs after as many steps, and the metrics of their nets."""
    one, other = (read_metrics(place)[-1] for place in (reference, folder))
    assert one["step"] == other["step"] == 100
    assert other == pytest.approx(one, rel=TOLERANCE)
    for split, values in summary(reference)["metrics"].items():
        assert summary(folder)["metrics"][split]["mse"] == pytest.approx(values["mse"], rel=TOLERANCE)


@pytest.mark.parametrize(
    ("name", "reference"),
    [("four", "one"), ("all_rows_four", "all_rows"), ("wide_cut", "wide"), ("wide_both", "wide")],
)
def test_the_numbers_of_one_device(folders, name, reference):
    assert_close(folders / name, folders / reference)


def test_early_stopping_on_two_devices_keeps_the_best(folders):
    rows = read_metrics(folders / "early")
    best = min(rows, key=lambda row: row["validation_loss"])
    assert summary(folders / "early")["metrics"]["validation"]["mse"] == pytest.approx(best["validation_mse"], rel=1e-5)


@pytest.mark.parametrize("name", ["four", "wide_cut", "wide_both"])
def test_goes_on_on_another_number_of_devices(folders, name, tmp_path, capsys):
    skipped = shutil.ignore_patterns("summary.json", "model", "step-00000100*")
    folder = shutil.copytree(folders / name, tmp_path / "run", ignore=skipped)
    answer = call(["run", "--workdir", str(folder), "--set", "devices={'data': None, 'code': 1}"], capsys)
    assert answer.code == 0, answer
    assert "going on from step 50" in answer.out
    assert_close(folder, folders / name)


def test_a_checkpoint_holds_whole_parameters(folders):
    own = {name: checkpoint.restore_flat(folders / name / "checkpoints", "state") for name in ("wide", "wide_cut")}
    assert {name: values.shape for name, values in own["wide"].items()} == {
        name: values.shape for name, values in own["wide_cut"].items()
    }
    assert own["wide_cut"]["params/encoder/layer0/kernel"].shape == (64, 512)
    np.testing.assert_allclose(
        own["wide_cut"]["params/decoder/layer0/kernel"], own["wide"]["params/decoder/layer0/kernel"], atol=1e-5
    )


CUT = """
import io
import json
from functools import partial
import jax
from aejax import config
from aejax.training import devices, distributed
from aejax.training.build import build, load_data
from aejax.training.evaluate import on_device
from aejax.training.loop import compile_advance
found = {}
for data, code in ((None, 1), (4, 1), (1, 4), (2, 2)):
    settings = ["model={'name': 'dense.vanilla', 'code': 1024}", f"devices.data={data}", f"devices.code={code}"]
    given = config.load("lecture/multilayer", settings + ["train.batch_size=256"])
    dataset = load_data(given["data"])
    parts = build(given, dataset, devices.make_mesh(given["devices"], 256))
    rows, shardings = on_device(dataset.train, dataset), None
    if parts.layout is not None:
        everywhere = devices.whole(parts.layout.step.mesh)
        rows, shardings = devices.put(rows, everywhere), (parts.layout, everywhere)
    state = jax.jit(parts.run.init, out_shardings=parts.layout)(parts.key, parts.hparams)
    compiled = compile_advance(parts.run, state, parts.key, parts.hparams, rows, shardings)
    kernel = state.params["encoder"]["layer0"]["kernel"].addressable_shards[0].data.shape
    found[f"{data or 1}x{code}"] = [compiled.cost_analysis()["flops"], kernel]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_each_device_does_its_share():
    done = subprocess.run([sys.executable, "-c", CUT], env=virtual(4), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    (whole, shape) = found.pop("1x1")
    assert shape == [64, 1024]
    for name, (operations, kernel) in found.items():
        assert operations < 0.35 * whole, name
        assert kernel == [64, 1024 // int(name[-1])]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"devices.data": "3"},
            "train.batch_size: 64 rows cannot be shared equally by 3 devices (devices.data); allowed",
        ),
        (
            {"devices.data": "4", "devices.code": "2"},
            "data=4 times code=2 are 8 devices and there are 4; allowed: 4 or",
        ),
        ({"devices.code": "3"}, "devices.code: 3 devices cannot share the 8 units of the code equally"),
        ({"devices.code": "0"}, "devices.code"),
        ({"devices.data": "two"}, "devices.data"),
        ({"devices.model": "2"}, "unknown 'devices.model'"),
    ],
)
def test_bad_devices_get_one_line(refusals, changes, line):
    assert_refused(refusals[json.dumps(changes)], line)


@pytest.fixture(scope="module")
def refusals(tmp_path_factory, request):
    """What the command says to each of the changes of `test_bad_devices_get_one_line`."""
    marks = test_bad_devices_get_one_line.pytestmark
    cases = next(mark for mark in marks if mark.name == "parametrize").args[1]
    folder = tmp_path_factory.mktemp("refused") / "run"
    found = several([arguments(SETTINGS | changes, workdir=folder) for changes, _ in cases])
    assert not folder.exists()
    return {json.dumps(changes): answer for (changes, _), answer in zip(cases, found, strict=True)}


def test_more_devices_than_one_there_is(tmp_path, capsys):
    if jax.device_count() > 1:
        pytest.skip("needs a machine with one device")
    answer = call(arguments({**SETTINGS, "devices.data": "2"}, workdir=tmp_path / "run"), capsys)
    assert_refused(answer, "are 2 devices and there is 1; allowed: 1 or fewer", "xla_force_host_platform_device_count")
    assert not (tmp_path / "run").exists()


def test_a_model_without_an_axis_of_the_code():
    mesh = jax.sharding.AbstractMesh((1, 2), ("data", "code"))
    with pytest.raises(UserError, match="no parameter of this model has an axis of the code's 8 units"):
        devices.layout(mesh, {"encoder": jax.ShapeDtypeStruct((3, 5), "float32")}, 8)


def test_where_leaves_are_cut():
    mesh = jax.sharding.AbstractMesh((1, 2), ("data", "code"))
    of = lambda *shape: jax.ShapeDtypeStruct(shape, "float32")
    tree = {"encoder": {"kernel": of(8, 8), "bias": of(8), "other": of(3)}, "decoder": {"kernel": of(8, 8)}}
    found = jax.tree.map(lambda leaf: tuple(leaf.spec), devices.layout(mesh, tree, 8))
    assert found == {
        "encoder": {"kernel": (None, "code"), "bias": ("code",), "other": ()},
        "decoder": {"kernel": ("code",)},
    }


def test_a_sweep_refuses_to_spread_one_run(tmp_path, capsys):
    words = [
        "sweep",
        "lecture/multilayer",
        "--axis",
        "seed=0:2",
        "--set",
        "devices.data=2",
        "--workdir",
        tmp_path / "s",
    ]
    assert_refused(call(map(str, words), capsys), "devices: in a sweep each device has runs of its own")


# Two processes on loopback, of two devices each.


@pytest.mark.slow
def test_two_processes_are_as_one(folders, tmp_path):
    port, settings = free_port(), {**SETTINGS, "devices.code": "1"}
    both = [process(number, port, tmp_path / "run", settings) for number in (0, 1)]
    first, second = map(finish, both)
    assert (first.code, first.err, second.code, second.err) == (0, "", 0, "")
    assert "training on 4 devices" in first.out
    assert "training on" not in second.out
    assert_close(tmp_path / "run", folders / "one")


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_of_two_processes_dies_the_other_ends_with_one_line(lost, folders, tmp_path, capsys):
    port, folder = free_port(), tmp_path / "run"
    settings = {**SETTINGS, "train.steps": "20000", "train.checkpoint_every": "20", "train.evaluate_every": "20"}
    both = [process(number, port, folder, settings) for number in (0, 1)]
    until = time.monotonic() + 120
    while not checkpoint.steps(folder / "checkpoints") and all(p.poll() is None for p in both):
        assert time.monotonic() < until
        time.sleep(0.1)
    os.kill(both[lost].pid, signal.SIGKILL)
    both[lost].communicate(timeout=60)
    answer = finish(both[1 - lost])
    assert_refused(answer, "another process of this run was lost; go on with the same command")
    reached = checkpoint.steps(folder / "checkpoints")[-1]
    assert checkpoint.restore_flat(folder / "checkpoints", "state/params", step=reached)


def test_an_error_that_the_collectives_throw_in_a_thread_of_theirs_is_a_lost_process(capfd):
    """Seldom: a device of this process goes on to the next sum while another still waits for the lost process."""
    said = b"a warning\nterminate called after throwing an instance of 'gloo::EnforceNotMet'\n  what(): no\n"
    assert distributed._hand_on(io.BytesIO(said)).endswith(b"what(): no\n")
    assert capfd.readouterr().err == "a warning\n"


@pytest.mark.slow
def test_a_mistake_of_one_process_ends_both(tmp_path):
    port, folder = free_port(), tmp_path / "run"
    np.save(tmp_path / "there.npy", np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32))
    own = lambda name: {
        **SETTINGS,
        "data.name": f"file:{tmp_path / name}",
        "terms.reconstruction.name": "reconstruction.squared_error",
    }
    both = [process(number, port, folder, own(name)) for number, name in enumerate(("there.npy", "gone.npy"))]
    first, second = map(finish, both)
    assert_refused(first, "process 1 of this run cannot go on")
    assert_refused(second, "gone.npy: there is no such file")
    assert not folder.exists()


@pytest.mark.slow
def test_a_coordinator_that_is_not_there_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_WAIT_SECONDS", "2")
    port = free_port()
    worker = finish(process(1, port, tmp_path / "run", SETTINGS))
    assert_refused(worker, f"--coordinator 127.0.0.1:{port}: cannot be reached for 2 s")
    alone = finish(process(0, port, tmp_path / "run", SETTINGS))
    assert_refused(alone, "not all 2 processes came within 2 s")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--processes", "2"], "--processes: needs --distributed"),
        (["--distributed", "--processes", "2"], "--coordinator: is missing, or the variable JAX_COORDINATOR_ADDRESS"),
        (["--distributed", "--coordinator", "here", "--processes", "2", "--process-id", "0"], "expected HOST:PORT"),
        (["--distributed", "--coordinator", "a:1", "--processes", "2", "--process-id", "2"], "allowed: 0 to 1"),
        (["--distributed", "--coordinator", "a:1", "--processes", "0", "--process-id", "0"], "of 0 processes"),
    ],
)
def test_bad_options_get_one_line(words, line, tmp_path, capsys, monkeypatch):
    for name in ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID"):
        monkeypatch.delenv(name, raising=False)
    answer = call([*arguments(SETTINGS, workdir=tmp_path / "run"), *words], capsys)
    assert_refused(answer, line)


def test_the_environment_says_which_process_it_is(tmp_path, capsys, monkeypatch):
    for name, value in (("COORDINATOR_ADDRESS", "host:1"), ("NUM_PROCESSES", "2"), ("PROCESS_ID", "x")):
        monkeypatch.setenv(f"JAX_{name}", value)
    answer = call([*arguments(SETTINGS, workdir=tmp_path / "run"), "--distributed"], capsys)
    assert_refused(answer, "--process-id x: expected a whole number")


def test_distributed_needs_a_folder(capsys):
    assert_refused(call(["run", "lecture/vanilla", "--distributed"], capsys), "--distributed: needs --workdir")


def test_nothing_more_is_agreed_upon_than_there_is():
    assert devices.agreed(7) == 7
    assert devices.of_all(True).tolist() == [True]
    devices.check_same(config="any")
    with pytest.raises(KeyError), devices.all_or_none():
        raise KeyError
    assert devices.make_mesh(config.base().devices.to_dict(), 64) is None
    assert partial(devices.put, sharding=None)({}) == {}
