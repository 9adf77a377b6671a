"""Folders and files that somebody else has made: nothing they name is imported or called, nothing of them is believed.

Every field of every JSON that is read is replaced by a value of each hostile kind. A command then does what it does
otherwise or says one line; no canary is touched. What costs time and reads nothing (compiled nets, templates) is left
out, so that thousands of such files are read in seconds.
"""

import contextlib
import copy
import hashlib
import json
import shutil
import sys

import numpy as np
import pytest
from running import SMALL, assert_refused, call

from aejax import cli, data, files
from aejax.config import components
from aejax.data import stream
from aejax.errors import UserError
from aejax.report.explorer import source
from aejax.report.page import render
from aejax.reproduce import record
from aejax.runs import apply, artifact
from aejax.storage import checkpoint, records, trust
from aejax.sweep import block, studies

GONE = object()
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
    "wide": -1.7e308,
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
def made(tiny, tmp_path_factory):
    """A finished run, its encoder, and rows for it."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(tiny, folder / "run")
    (folder / "run" / "checksums.json").unlink()  # who forges a folder leaves it out, or writes another
    np.save(folder / "x.npy", X)
    trained = apply.load(folder / "run")
    half = artifact.as_bytes(trained, artifact.halves(trained)["encoder"])
    artifact.write_encoder(folder / "encoder.aejax", half)
    return folder


@pytest.fixture(scope="module")
def quick():
    """Read all, compute nothing: no net is compiled, each is traced once, no page is rendered."""
    drawn = lambda *size: np.random.default_rng(0).normal(size=size)
    known, build, parser = {}, artifact.build_model, cli.parser()

    def built(*given):
        return known.get(repr(given)) or known.setdefault(repr(given), build(*given))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "apply", lambda trained, action, given, *_: drawn(len(given), trained.model.code_size))
        patch.setattr(source, "encode_and_reconstruct", lambda *_: (drawn(9, 8), drawn(9, 2), drawn(9, 8)))
        patch.setattr(source, "layers_of", lambda *_: None)
        patch.setattr(artifact, "build_model", built)
        patch.setattr(render, "write", lambda path, make, *_: make(600) and path)
        patch.setattr(cli, "parser", lambda: parser)
        patch.setattr("os.fsync", lambda _: None)
        yield


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
        if path:
            yield f"{'.'.join(map(str, path))}: gone", _put(value, path, GONE)


def _put(value, path, hostile):
    if not path:
        return hostile
    changed = copy.deepcopy(value)
    inside = changed
    for key in path[:-1]:
        inside = inside[key]
    if hostile is GONE:
        del inside[path[-1]]
    else:
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
    with contextlib.suppress(UserError):
        function()
    assert not canary.exists(), what


def sealed(value):
    """A manifest as its writer would have sealed it."""
    if not isinstance(value, dict):
        return text_of(value)
    try:
        return checkpoint.sealed({key: item for key, item in value.items() if key != "seal"})
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


@pytest.mark.usefixtures("quick")
def test_every_field_of_a_net_that_was_saved_in_python(made, tmp_path, canary, capsys):
    shutil.copytree(made / "run" / "model", tmp_path / "net" / "model")
    (path,) = (tmp_path / "net" / "model").glob("*.json")
    value, words = json.loads(path.read_text()), commands(made, tmp_path / "net")["apply"]
    value["info"]["model"] = {"name": "dense.multilayer", "widths": [3], "code": 2}
    path.write_text(sealed(value))
    assert call(words, capsys).code == 0
    for what, changed in spoiled(value):
        path.write_text(sealed(changed))
        one_line_or_done(words, capsys, canary, f"net, {what}")


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
    for other in (b"", b"\0\0\0\1", b"\xff" * 9, half[: size + 9], half[:size] + b"\xff" * 64):
        artifact.write_encoder(path, other)
        assert_refused(call(argv, capsys), "is damaged")


def forged(made, path, change):
    """An encoder with another JSON text and a valid digest."""
    content = (made / "encoder.aejax").read_bytes()
    half = content[content.index(b"\n") + 1 + artifact.DIGEST :]
    size = 4 + int.from_bytes(half[:4], "big")
    told = json.loads(half[4:size])
    change(told)
    text = text_of(told).encode()
    artifact.write_encoder(path, len(text).to_bytes(4, "big") + text + half[size:])


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told["info"].update(feature_shape=[2**20, 2**20]),
        lambda told: told["info"].update(feature_shape=[2**31 - 1], feature_names=[]),
        lambda told: told["model"].update(decoder_widths=[2**31 - 1]),
        lambda told: told["model"].update(decoder_widths=[4000] * 4000),
        lambda told: told["model"].update(widths=[2**31 - 1]),
        lambda told: told["model"].update(widths=[4]),
        lambda told: told["model"].update(code=2**31 - 1),
        lambda told: told["leaves"].update({"params/encoder/layer0/kernel": ["float32", [2**20, 2**20]]}),
        lambda told: told["leaves"].pop("params/encoder/layer0/kernel"),
        lambda told: told["leaves"].pop("scaling/shift"),
        lambda told: told.update(leaves={name: ["object", shape] for name, (_, shape) in told["leaves"].items()}),
        lambda told: told["info"].update(columns=[["a", 0, 2**40, ["x", "y", "z"]]]),
    ],
)
def test_an_encoder_that_asks_for_more_than_it_holds(change, made, tmp_path, capsys):
    forged(made, tmp_path / "e", change)
    argv = ["apply", str(tmp_path / "e"), "encode", "--input", str(made / "x.npy"), "--output", str(tmp_path / "o.npy")]
    assert_refused(call(argv, capsys))


# The attack that was found: a shell command as the model, its argument as the shape of a row.


@pytest.mark.parametrize("name", ["subprocess.getoutput", "os.system", "aejax.cli.main", "canary_of_tests.touch"])
def test_a_shell_command_as_the_model(name, made, tmp_path, canary, capsys):
    run, touched = tmp_path / "run", tmp_path / "touched"
    shutil.copytree(made / "run", run)
    config = json.loads((run / "config.json").read_text()) | {"model": {"name": name}}
    (run / "config.json").write_text(text_of(config))
    path = next((run / "model").glob("*.json"))
    value = json.loads(path.read_text())
    value["info"]["feature_shape"] = [f"touch {touched}"]
    path.write_text(sealed(value))
    trusting = name == "aejax.cli.main"  # which is no component for those who trust either
    for command, argv in commands(made, run).items():
        if command != "finished" and not (trusting and command == "report"):  # which goes without the net
            answer = call([*argv, *(["--trust"] if trusting else [])], capsys)
            assert_refused(answer, "model.name", name, *([] if trusting else ["--trust"]))
    assert not touched.exists()


OWN = SMALL.replace('"dense.multilayer"', '"own_of_tests.net"')
NET = """from aejax.models.dense import multilayer

def net(feature_shape, *, widths: tuple[int, ...] = (3,), code: int = 2):
    return multilayer(feature_shape, widths=widths, code=code)
"""


def test_ones_own_model_beside_the_config_is_trusted_where_it_was_run_and_nowhere_else(tmp_path, capsys, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_of_tests.py").write_text(NET)
    (tmp_path / "small.py").write_text(OWN)
    run, other = tmp_path / "run", tmp_path / "other"
    np.save(tmp_path / "x.npy", X)
    assert call(["run", str(tmp_path / "small.py"), "--workdir", str(run)], capsys).code == 0
    shutil.copytree(run, other)
    names = ("apply", "report", "split", "run", "go on")
    monkeypatch.setenv("AEJAX_PASSPHRASE", "word")
    for name in names:
        answer = call(commands(tmp_path, run)[name], capsys)
        # split gives the model of nobody else away
        assert (answer.code == 0) is (name != "split"), answer
        assert "--trust" not in answer.err
        refused = call(commands(tmp_path, other)[name], capsys)
        assert_refused(refused, "model.name is 'own_of_tests.net'", "if you trust it, add --trust")
        assert (call([*commands(tmp_path, other)[name], "--trust"], capsys).code == 0) is (name != "split")
    config = (run / "config.json").read_bytes()
    (run / "config.json").write_bytes(config.replace(b'"seed": 0', b'"seed": 1'))
    assert_refused(call(commands(tmp_path, run)["apply"], capsys), "add --trust")
    (run / "config.json").write_bytes(config)
    key = next(files.cache_folder("trust").glob("key"))
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert_refused(call(commands(tmp_path, run)["apply"], capsys), "add --trust")
    key.chmod(0o600)
    assert call(commands(tmp_path, run)["apply"], capsys).code == 0


@pytest.mark.parametrize(
    "path", ["task.corruption", "terms.reconstruction.schedule", "data.missing.name", "relations.a.b"]
)
def test_names_are_looked_for_everywhere(path):
    config = {}
    inside = config
    for key in path.split("."):
        inside[key] = {}
        last, inside = inside, inside[key]
    last[path.rpartition(".")[2]] = ["sparsity.l1", "os.system"]
    with pytest.raises(UserError, match=rf"^c\.json: {path}\.1 is 'os\.system'"):
        components.check_own(config, "c.json")
    components.check_own({"data": {"name": "file:some.csv"}}, "c.json")


def test_a_sweep_is_of_no_json(made, capsys):
    assert_refused(call(["sweep", str(made / "run" / "config.json")], capsys), "a sweep is of a config in Python")


# Sweeps, reproductions and data.


POINT = {"mean": 0.1, "sd": 0.01}
SWEEP = {
    "metric": "validation/mse",
    "maximise": False,
    "best": 0,
    "incomparable": {"no": ["data.scaling"]},
    "points": [
        {
            "axes": {"terms.sparsity.weight": weight},
            "runs": 2,
            "finite": 2,
            "over": "seeds",
            "metrics": {"validation/mse": POINT, "validation/sparsity": POINT, "baseline/pca/validation/mse": POINT},
        }
        for weight in (0.1, 0.2)
    ],
}
TERMS = {"terms": {"sparsity": {"name": "sparsity.l1"}}}
ASKED = {"axes": {"terms.sparsity.weight": [0.1, 0.2]}, "zipped": [], "folds": None, "exact": False, "config": TERMS}
SEARCHED = {"search": "optuna", "space": {"terms.sparsity.weight": [0.1, 0.2, True]}, "seeds": [0], "folds": 2}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("asked", [ASKED, SEARCHED | {"config": TERMS}])
def test_every_field_of_a_sweep(asked, tmp_path, canary, capsys):
    files = {
        "sweep.json": asked,
        "summary.json": SWEEP,
        "environment.json": {"packages": {"jax": "1"}, "devices": ["cpu"]},
    }
    write = lambda: [(tmp_path / name).write_text(text_of(value)) for name, value in files.items()]
    argv = ["report", str(tmp_path), "--output", str(tmp_path / "page.html")]
    (tmp_path / "table.csv").write_text("status\nfinished\n")
    write()
    assert call(argv, capsys).code == 0
    for name, value in files.items():
        for what, changed in spoiled(value):
            (tmp_path / name).write_text(text_of(changed))
            one_line_or_done(argv, capsys, canary, f"{name}, {what}")
        write()
    (tmp_path / "table.csv").write_bytes(b"status\n\xff\n")
    assert_refused(call(argv, capsys), "table.csv: is damaged")


@pytest.mark.usefixtures("quick", "lecture_as_run")
def test_every_field_of_a_reproduction(tmp_path, canary, capsys):
    line = {"experiment": "vanilla", "metric": "test/mse", "expected": 1.0, "got": 2.0, "tolerance": 0.1}
    report = {
        "collection": "lecture",
        "machine": "cpu",
        "environment": {"packages": {"jax": "1"}, "devices": ["cpu"], "processor": "x"},
        "lines": [line | {"verdict": "off", "digits": 0, "seed": None}],
        "checked": {"vanilla": "tolerance"},
        "not_run": {"latent": "no data"},
        "failed": {"sweeps/sparse_l1": "why"},
    }
    argv = ["report", str(tmp_path), "--output", str(tmp_path / "page.html")]
    (tmp_path / "reproduce.json").write_text(text_of(report))
    assert call(argv, capsys).code == 0
    for what, changed in spoiled(report):
        (tmp_path / "reproduce.json").write_text(text_of(changed))
        one_line_or_done(argv, capsys, canary, what)


def test_every_field_that_a_reproduction_reads_of_its_runs(made, tmp_path, canary):
    for name in ("summary.json", "environment.json"):
        shutil.copytree(made / "run", tmp_path / "run", dirs_exist_ok=True)
        for what, changed in spoiled(json.loads((made / "run" / name).read_text())):
            (tmp_path / "run" / name).write_text(text_of(changed))
            refused_or_done(lambda: record.read_run(tmp_path / "run"), canary, f"{name}, {what}")


def test_every_field_of_what_is_recorded(tmp_path, canary):
    number = {"values": [1.0], "tolerance": 0.1, "why": "so"}
    entry = {"quick": True, "seconds": 1.0, "metrics": {"test/mse": number}, "digests": {"cpu": ["0"]}}
    for what, changed in spoiled({"format": 1, "experiments": {"small": entry}}):
        (tmp_path / record.FILE).write_text(text_of(changed))
        refused_or_done(lambda: record.read(tmp_path), canary, what)


def test_every_field_of_a_marker_and_of_a_study(tmp_path, canary, capsys):
    optuna = pytest.importorskip("optuna")
    result = {"id": "a", "status": "finished", "step": 1, "parameters_digest": "0", "metrics": {"test/mse": "nan"}}
    marker = {"results": [result], "timing": {"strategy": "vmap"}}
    for what, changed in spoiled(marker):
        seal = hashlib.sha256((json.dumps(changed, indent=2, ensure_ascii=False) + "\n").encode()).hexdigest()
        whole = changed | {"seal": seal} if isinstance(changed, dict) else changed
        (tmp_path / "done.json").write_text(text_of(whole))
        refused_or_done(lambda: block.read_marker(tmp_path), canary, what)
        attributes = {studies.RESULTS: changed.get("results") if isinstance(changed, dict) else changed}
        study = optuna.create_study(study_name="s")
        study.add_trial(optuna.trial.create_trial(value=0.0, user_attrs=attributes))
        refused_or_done(lambda study=study: studies.finished(study), canary, what)
    (tmp_path / "study.log").write_text('{"op_code": "x"}\n[1]\n')
    with pytest.raises(UserError, match="is damaged"):
        studies.storage(optuna, None, tmp_path)


def test_every_field_of_packed_rows(tmp_path, canary):
    pytest.importorskip("grain")
    np.save(tmp_path / "x.npy", np.zeros((9, 4), np.float32))
    stream.pack([tmp_path / "x.npy"], tmp_path / "rows")
    path = tmp_path / "rows" / stream.MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["seal"]  # as older versions wrote it, and forgers do
    for what, changed in spoiled(manifest):
        path.write_text(text_of(changed))
        refused_or_done(lambda: data.load(f"stream:{tmp_path / 'rows'}"), canary, what)


def test_metadata_of_prepared_data_name_no_module(tmp_path, canary):
    folder = tmp_path / "evil" / "1.0.0"
    folder.mkdir(parents=True)
    (folder / "features.json").write_text(
        text_of({"pythonClassName": "canary_of_tests.Feature", "jsonFeature": {"json": "{}"}})
    )
    (folder / "dataset_info.json").write_text(
        text_of({"name": "evil", "version": "1.0.0", "fileFormat": "array_record"})
    )
    with pytest.raises(UserError, match=r"^tfds:evil: its metadata name the feature 'canary_of_tests\.Feature'"):
        data.load("tfds:evil", data_dir=str(tmp_path))
    assert not canary.exists()


# The checker itself.


@pytest.mark.parametrize(
    "text", ["[" * 50 + "]" * 50, "[" * 10**5, "9" * 21, '"\\ud800"', '"\\u0000"', "{", "", b"\xff"]
)
def test_what_is_no_text_of_json(text):
    with pytest.raises(UserError, match=r"^x: is damaged"):
        records.parse(text, "x")


@pytest.mark.parametrize(
    ("value", "form", "line"),
    [
        ({"a": [1, -1]}, {"a": records.Many(records.Whole())}, "x: is damaged: a.1: expected a whole number"),
        ({"a": True}, {"a": records.Whole()}, "x: is damaged: a: expected a whole number"),
        ({"a": True}, {"a": float}, "x: is damaged: a: expected a number, got True"),
        ({}, {"a": float}, "x: is damaged: it has no a"),
        ([1], (float, str), "x: is damaged: expected a list of 2, got a list"),
        ({"a": {"b": None}}, {"a": records.Named(str)}, "x: is damaged: a.b: expected text, got None"),
        ([], records.Many(object, 1), "x: is damaged: expected a list of 1 or more"),
        (3, records.Either((str, None)), "x: is damaged: expected text or null, got 3"),
    ],
)
def test_forms(value, form, line):
    with pytest.raises(UserError) as told:
        records.check(value, form, "x")
    assert str(told.value).startswith(line)
