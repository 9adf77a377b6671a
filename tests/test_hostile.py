"""Folders and files that somebody else has made: nothing they name is imported or called, nothing of them is believed.

Every field of every JSON that is read is replaced by a value of each hostile kind. A command then does what it does
otherwise or says one line; no canary is touched. What costs time and reads nothing (compiled nets, templates) is left
out, so that thousands of such files are read in seconds.
"""

import copy
import hashlib
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from running import SMALL, TINY, arguments, assert_refused, call

from aejax import apply, artifact, cli, components, data, manifest, workdir
from aejax.data import packing
from aejax.errors import UserError
from aejax.files import to_json
from aejax.report.page import render
from aejax.report.touch import source
from aejax.reproduce import engine, record
from aejax.storage import records, trust
from aejax.sweep import markers, studies

DEEP = eval("[" * 60 + "]" * 60)
HOSTILE = {
    "path": "canary_of_tests.touch",
    "list": ["canary_of_tests.touch"],
    "object": {"name": "canary_of_tests.touch", "path": "/dev/null"},
    "huge": 10**400,
    "negative": -(2**31),
    "null": None,
    "deep": DEEP,
    "large": 2**62,
    "empty": [],
}
X = np.linspace(0, 1, 16, dtype=np.float32).reshape(2, 8)


@pytest.fixture(scope="module", autouse=True)
def canary(tmp_path_factory):
    """A module that leaves a file when it is imported, on the path of modules as those beside a config are."""
    folder = tmp_path_factory.mktemp("canary")
    touched = folder / "touched"
    call = f"open({str(touched)!r}, 'w').close()\n"
    (folder / "canary_of_tests.py").write_text(f"{call}def touch(*args, **kwargs):\n    {call}")
    sys.path.append(str(folder))
    yield touched
    sys.path.remove(str(folder))
    assert not touched.exists()
    assert "canary_of_tests" not in sys.modules


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run, its encoder, and rows for it."""
    folder = tmp_path_factory.mktemp("hostile")
    assert cli.main(arguments(TINY, workdir=folder / "run")) == 0
    np.save(folder / "x.npy", X)
    trained = apply.load(folder / "run")
    half = artifact.as_bytes(trained, artifact.halves(trained)["encoder"])
    artifact.write_encoder(folder / "encoder.aejax", half)
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Read all, compute nothing."""
    rows = lambda trained, action, given, *_: np.zeros((len(given), trained.model.code_size))
    monkeypatch.setattr(apply, "apply", rows)
    drawn = lambda *size: np.random.default_rng(0).normal(size=size)
    seen = lambda model, params, rows: (drawn(9, 8), drawn(9, 2), drawn(9, 8))
    monkeypatch.setattr(source, "encode_and_reconstruct", seen)
    monkeypatch.setattr(render, "write", lambda path, make, *_: make(600) and path)


def places(value, path=()):
    """Every place inside a JSON value, of lists the first item and the last."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    if isinstance(value, list):
        items = {0: value[0], len(value) - 1: value[-1]}.items() if value else ()
    for key, item in items:
        yield from places(item, (*path, key))


def spoiled(value):
    """The value with each of its places replaced by each hostile value, and without it."""
    for path in places(value):
        for kind, hostile in HOSTILE.items():
            yield f"{'.'.join(map(str, path))}: {kind}", _put(value, path, hostile)


def _put(value, path, hostile):
    if not path:
        return hostile
    changed = copy.deepcopy(value)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = hostile
    return changed


def text_of(value):
    return json.dumps(value)


def one_line_or_done(argv, capsys, canary, what):
    answer = call(argv, capsys)
    assert answer.code in (0, 2), (what, answer)
    assert "Traceback" not in answer.out + answer.err, what
    if answer.code == 2:
        assert answer.err.startswith("aejax: "), (what, answer.err)
        assert answer.err.count("\n") == 1, (what, answer.err)
    assert not canary.exists(), what
    return answer


def refused_or_done(function, canary, what):
    try:
        function()
    except UserError as error:
        assert "\n" not in str(error), what
    assert not canary.exists(), what


def sealed(value):
    """A manifest as its writer would have sealed it."""
    if not isinstance(value, dict):
        return text_of(value)
    try:
        return manifest.sealed({key: item for key, item in value.items() if key != "seal"})
    except ValueError:  # numbers that Python does not write
        return text_of(value)


def commands(folder, run):
    x, out = ["--input", str(folder / "x.npy")], ["--output", str(folder / "out.npy")]
    return {
        "apply": ["apply", str(run), "encode", *x, *out],
        "report": ["report", str(run), "--output", str(folder / "page.html")],
        "split": ["split", str(run), "--encoder", str(folder / "e"), "--decoder", str(folder / "d")],
        "run": ["run", str(run / "config.json"), "--print-config"],
        "go on": ["run", "--workdir", str(run), "--print-config"],
        "finished": ["run", "--workdir", str(run)],
    }


FILES = {
    "config.json": ("apply", "report", "run", "go on"),
    "summary.json": ("report", "finished"),
    "dataset.json": ("report",),
    "environment.json": ("report",),
    "trust.json": ("go on",),
    "model": ("apply", "report"),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", FILES)
def test_every_field_of_a_run(name, made, tmp_path, canary, capsys, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(made / "run", run)
    trust.seal(run)
    path = next((run / "model").glob("*.json")) if name == "model" else run / name
    value = json.loads(path.read_text())
    asked = commands(made, run)
    for what, changed in spoiled(value):
        path.write_text(sealed(changed) if name == "model" else text_of(changed))
        for command in FILES[name]:
            one_line_or_done(asked[command], capsys, canary, f"{name}, {what}, {command}")


@pytest.fixture(autouse=True)
def long_numbers():
    """Let Python write numbers of hundreds of digits into the files; reading them is what is tested."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(before)


@pytest.mark.usefixtures("quick")
def test_every_field_of_an_encoder(made, tmp_path, canary, capsys):
    content = (made / "encoder.aejax").read_bytes()
    half = content[content.index(b"\n") + 1 + artifact.DIGEST :]
    size = 4 + int.from_bytes(half[:4], "big")
    path = tmp_path / "encoder"
    argv = ["apply", str(path), "encode", "--input", str(made / "x.npy"), "--output", str(tmp_path / "out.npy")]
    for what, changed in spoiled(json.loads(half[4:size])):
        text = text_of(changed).encode()
        artifact.write_encoder(path, len(text).to_bytes(4, "big") + text + half[size:])
        one_line_or_done(argv, capsys, canary, what)
    for half in (b"", b"\0\0\0\1", b"\xff" * 9, half[: size + 9], half[:size] + b"\xff" * 64):
        artifact.write_encoder(path, half)
        assert_refused(call(argv, capsys), "is damaged")
