"""Every mistake of a user is answered by one line and exit code 2, and nothing is written."""

import json
import sys

import numpy as np
import pytest
from running import MULTILAYER, TINY, Answer, arguments, assert_refused, call, contents, execute

HUGE = "1" + "0" * 400


# One wrong value each: what is set, and a part of the line that answers it.
FIELDS = [
    ("train.stepz", "1", "did you mean 'train.steps'?"),
    ("optimizer.learnin_rate", "1e-3", "did you mean 'learning_rate'?"),
    ("modle.code", "3", "did you mean 'model'?"),
    ("model.nme", "3", "model (dense.multilayer): unknown 'nme'"),
    ("", "3", "unknown ''"),
    (".", "3", "unknown ''"),
    ("train.", "3", "unknown 'train.'"),
    ("a..b", "3", "unknown 'a'"),
    ("модель.code", "3", "unknown 'модель'"),
    ("seed.x", "3", "seed is a value, not a group"),
    ("train.steps", "", "expected int"),
    ("train.steps", "many", "got 'many'"),
    ("train.steps", "1e3", "got 1000.0"),
    ("train.steps", "true", "got True"),
    ("train.steps", "0", "got 0"),
    ("train.steps", "-5", "got -5"),
    ("train.steps", "nan", "got 'nan'"),
    ("train.steps", HUGE, "(401 characters)"),
    ("train.steps", "[3]", "got (3,)"),
    ("train.steps", "{'a': 3}", "got {'a': 3}"),
    ("train.steps", "null", "got None"),
    ("train.batch_size", HUGE, "train.batch_size: expected int"),
    ("train.evaluate_every", "0", "train.evaluate_every"),
    ("train.patience", "0", "expected int in [1, 2147483647] or None"),
    ("train.keep", "-1", "train.keep"),
    ("train", "3", "is a group of fields"),
    ("train", "{}", "train.steps: is missing"),
    ("seed", "-1", "seed: expected int in [0, 4294967295]"),
    ("seed", "1.0", "got 1.0"),
    ("optimizer.learning_rate", "-1", "float > 0"),
    ("optimizer.learning_rate", "0", "float > 0"),
    ("optimizer.learning_rate", "1e999", "got inf"),
    ("optimizer.learning_rate", "1e39", "that float32 can hold"),
    ("optimizer.learning_rate", HUGE, "(401 characters)"),
    ("optimizer.learning_rate", "3e-4j", "expected text, a number"),
    ("optimizer.learning_rate", "{1, 2}", "expected text, a number"),
    ("optimizer.b1", "1.0", "float in [0, 1)"),
    ("optimizer.eps", "-1e-8", "float >= 0"),
    ("optimizer.eps", "1e999", "got inf"),
    ("optimizer.nesterov", "1", "expected bool"),
    ("optimizer.clip_norm", "0", "float > 0 or None"),
    ("optimizer.name", "adm", "did you mean 'adam'?"),
    ("optimizer.name", "null", "allowed: adabelief"),
    ("optimizer.name", "lbfgs", "train.batch_size: lbfgs needs all rows"),
    ("optimizer", "{'name': 'lbfgs'}", "train.batch_size: lbfgs needs all rows"),
    ("optimizer", "{'name': 'adam'}", "optimizer.learning_rate: adam needs it"),
    ("optimizer", "{}", "optimizer.name: is missing"),
    ("optimizer.schedule.name", "cosin", "did you mean 'cosine'?"),
    ("optimizer.schedule.finl", "0.1", "did you mean 'final'?"),
    ("optimizer.schedule", "{'name': 'constant', 'final': 0.1}", "unknown 'final'"),
    ("model", "null", "is a group of fields"),
    ("model.name", "null", "expected the name of a function"),
    ("model.name", "dense.multilayr", "did you mean 'dense.multilayer'?"),
    ("model.name", "dense", "allowed: "),
    ("model.name", "", "dense.vanilla"),
    ("model.name", "..x.y", "importing ..x failed"),
    ("model.name", "no.such.module", "dense.vanilla"),
    ("model", "{'name': 'builtins.dict'}", "has no signature"),
    ("model", "{'name': 'builtins.len'}", "builtins.len returned"),
    ("model", "{'name': 'operator.neg'}", "TypeError: bad operand type"),
    ("model.schedule.name", "cosine", "unknown 'schedule'"),
    ("model.code", "0", "got 0"),
    ("model.code", "2000000000", "the machine has"),
    ("model.widths", "8", "expected tuple of int"),
    ("model.widths", "(8.5,)", "got 8.5"),
    ("model.widths", "(True,)", "got True"),
    ("model.activation", "rely", "did you mean 'relu'?"),
    ("model.activation", "3", "expected str"),
    ("model.output", "relu", "allowed: linear, sigmoid, tanh"),
    ("model.output", "linear", "cross_entropy: the output is not a sigmoid"),
    ("model.tied", "1", "expected bool"),
    ("terms", "{}", "there is no loss term"),
    ("terms", "{'a b': {'name': 'sparsity.l1', 'weight': 1.0}}", "cannot be named 'a b'"),
    ("terms.loss", "{'name': 'sparsity.l1', 'weight': 1.0}", "cannot be named 'loss'"),
    ("terms.a.weight", "1", "terms.a.name: is missing"),
    ("terms.a", "{'name': 'sparsity.l1'}", "terms.a.weight: sparsity.l1 needs it"),
    ("terms.a", "{'name': 'sparsity.l3', 'weight': 1.0}", "did you mean 'sparsity.l"),
    ("terms.a", "{'name': 'sparsity.l1', 'weight': 1.0, 'layer': 'cod'}", "did you mean 'code'?"),
    ("terms.a", "{'name': 'sparsity.kl_bernoulli', 'weight': 1.0}", "target_rate: sparsity.kl_bernoulli needs it"),
    ("terms.a", "{'name': 'operator.neg', 'weight': 1.0}", "terms.a: TypeError"),
    ("terms.a", "{'name': 'builtins.id', 'weight': 1.0}", "allowed: one number"),
    ("terms.reconstruction.weight", "heavy", "expected float finite"),
    ("terms.reconstruction.schedule", "3", "expected a group of fields with a name"),
    ("corruption.name", "gausian", "did you mean 'gaussian'?"),
    ("corruption", "{'name': 'gaussian'}", "corruption.scale: gaussian needs it"),
    ("corruption", "{'name': 'gaussian', 'scale': 'loud'}", "got 'loud'"),
    ("corruption", "{'name': 'gaussian', 'scale': -1.0}", "got -1.0"),
    ("corruption", "{'name': 'masking', 'probability': 2}", "got 2"),
    ("task.name", "reconstruct", "did you mean 'reconstruction'?"),
    ("report.figures", "yes", "expected bool"),
    ("data.name", "cluster", "did you mean 'clusters'?"),
    ("data.name", "rows.csv", "write 'file:rows.csv'"),
    ("data.name", "'file:\\udcff.csv'", "expected text in UTF-8"),
    ("data.name", "file:rows.csv", "'file:rows.csv' does not take it; only synthetic data do; allowed: data.rows=None"),
    ("data.scaling", "unot", "did you mean 'unit'?"),
    ("data.scaling", "standard", "the data must lie in [0, 1]"),
    ("data.validation", "1", "float in [0, 1)"),
    ("data.validation", "0.999", "no training row is left"),
    ("data.test", "-0.1", "data.test"),
    ("data.split_seed", "-1", "data.split_seed"),
    ("data.rows", "2", "no training row is left"),
    ("data.noise", "-1", "data.noise"),
    ("data.label_column", "y", "data.label_column"),
    ("data.data_dir", "somewhere", "data.data_dir"),
]


@pytest.mark.parametrize(("path", "value", "fragment"), FIELDS, ids=[f"{p}={v[:40]}" for p, v, _ in FIELDS])
def test_wrong_value(path, value, fragment, tmp_path, capsys):
    workdir = tmp_path / "run"
    answer = call(arguments({**TINY, path: value}, workdir=workdir), capsys)
    assert_refused(answer, fragment)
    assert not workdir.exists()


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_batch_of_all_rows_where_there_are_fewer_is_named(command, tmp_path, capsys):
    settings = {**TINY, "data.validation": "0.9", "data.test": "0.5"}
    told = "train.batch_size: 16 is more than the 3 training rows, so each step takes all of them"
    words = arguments(settings, workdir=tmp_path / "run")
    more = ["--axis", "seed=[0,1]"] if command == "sweep" else []
    answer = call([command, *words[1:], *more], capsys)
    assert answer.code == 0, answer.err
    assert f"{told} (beside them are 27 validation, 30 test rows)" in answer.out


@pytest.mark.parametrize("model", ["{'name': 'unet.unet'}", "{'name': 'dense.multilayer', 'widths': (3,), 'code': 2}"])
def test_a_task_that_cannot_serve_the_data_says_so_before_the_model_does(model, tmp_path, capsys):
    settings = {"model": model, "data.name": "clusters", "data.rows": "60", "report.figures": "false"}
    answer = call(arguments(settings, "lecture/denoising", workdir=tmp_path / "run"), capsys)
    assert_refused(answer, "denoising: needs images, and rows of clusters are 8; allowed: data of images")
    assert not (tmp_path / "run").exists()


def test_patience_needs_validation_rows(tmp_path, capsys):
    settings = {**TINY, "data.validation": "0", "train.patience": "2"}
    assert_refused(
        call(arguments(settings, workdir=tmp_path / "run"), capsys), "train.patience: there are no validation"
    )
    assert not (tmp_path / "run").exists()


# Config files, and a part of the line that answers each.
BASE = "from aejax.config import base\n"
FILES = [
    ("x = (\n\ndef f(:\n", "config.py:3: syntax error"),
    ("def f():\n  x = 1\n\ty = 2\n", "config.py:3: syntax error"),
    ("x = 1\ny = '\0'\n", "config.py:2: syntax error: a null byte"),
    ("1 / 0\n", "config.py:1: ZeroDivisionError"),
    ("import no_such_module\n", "config.py:1: ModuleNotFoundError"),
    ("import sys\nsys.exit(0)\n", "config.py:2: SystemExit"),
    ("x = 1\n", "defines no function get_config()"),
    ("get_config = {}\n", "defines no function get_config()"),
    ("def get_config():\n    return None\n", "not NoneType"),
    ("def get_config():\n    return [1]\n", "not list"),
    ("def get_config():\n    return {}\n", "seed: is missing"),
    ("def get_config(size):\n    return {}\n", "TypeError"),
    ("def get_config():\n    raise ValueError('first\\nsecond')\n", "config.py:2: ValueError: first"),
    ("import sys\ndef get_config():\n    sys.exit('bye')\n", "config.py:3: SystemExit: bye"),
    ("def get_config():\n    c = {}\n    c['a'] = c\n    return c\n", "holds itself"),
    (BASE + "def get_config():\n    c = base()\n    c.train.stepz = 3\n    return c\n", "did you mean 'steps'?"),
    (BASE + "def get_config():\n    c = base()\n    c.trian = 3\n    return c\n", "did you mean 'train'?"),
    (BASE + "def get_config():\n    c = base()\n    c.train.steps = 1.5\n    return c\n", "config.py:4: TypeError"),
    (BASE + "def get_config():\n    c = base()\n    c.train.steps = '10'\n    return c\n", "int"),
    (
        BASE + "def get_config():\n    c = base().to_dict()\n    c['train']['steps'] = len\n    return c\n",
        "train.steps",
    ),
    (BASE + "def get_config():\n    c = base().to_dict()\n    c['seed'] = 10**5000\n    return c\n", "16610 bits"),
    (
        BASE + "def get_config():\n    c = base().to_dict()\n    c['model'] = 3\n    return c\n",
        "model: expected a group",
    ),
    (BASE + "def get_config():\n    c = base().to_dict()\n    del c['task']\n    return c\n", "task: is missing"),
]


@pytest.mark.parametrize(("text", "fragment"), FILES, ids=[text[-50:] for text, _ in FILES])
def test_wrong_config_file(text, fragment, tmp_path, capsys):
    config = tmp_path / "config.py"
    config.write_text(text)
    assert_refused(call(["run", str(config), "--workdir", str(tmp_path / "run")], capsys), fragment)
    assert [path.name for path in tmp_path.iterdir()] == ["config.py"]


def test_config_file_that_is_no_text(tmp_path, capsys):
    (tmp_path / "config.py").write_bytes(b"x = '\xff\xfe'\n")
    assert_refused(call(["run", str(tmp_path / "config.py")], capsys), "config.py", "utf-8")


VARIANTS = [
    ("", "b", "allowed: nothing"),
    ("def variants():\n    return {'a': {'seed': 1}}\n", "b", "unknown 'b'; allowed: a"),
    ("def variants():\n    return {'a': {'seed': 1}}\n", "", "unknown ''; allowed: a"),
    ("def variants():\n    return 3\n", "a", "variants(): expected a ConfigDict or a dict, not int"),
    ("def variants():\n    return {'a': 3}\n", "a", "must be a dict of overrides, got 3"),
    ("def variants():\n    return {'a': {3: 3}}\n", "a", "unknown '3'"),
    ("def variants():\n    return {'a': {'train.stepz': 3}}\n", "a", "did you mean 'train.steps'?"),
    ("def variants():\n    return {'a': {'seed': object()}}\n", "a", "expected text, a number"),
    ("def variants():\n    raise RuntimeError('no')\n", "a", "RuntimeError: no"),
]


@pytest.mark.parametrize(("text", "variant", "fragment"), VARIANTS)
def test_wrong_variant(text, variant, fragment, tmp_path, capsys):
    config = tmp_path / "config.py"
    config.write_text(f"{BASE}def get_config():\n    return base()\n{text}")
    assert_refused(call(["run", f"{config}:{variant}", "--workdir", str(tmp_path / "run")], capsys), fragment)


COMMANDS = [
    ([], "required: COMMAND"),
    (["rum"], "invalid choice: 'rum'"),
    (["run"], "name a config"),
    (["run", ""], "experiment: unknown ''"),
    (["run", ":a"], "experiment: unknown ''"),
    (["run", "lecture/multilayr"], "did you mean 'lecture/multilayer'?"),
    (["run", f"{MULTILAYER}/"], "did you mean 'lecture/multilayer'?"),
    (["run", f"{MULTILAYER}:"], "variant: unknown ''"),
    (["run", f"{MULTILAYER}:no_such"], "variant: unknown 'no_such'"),
    (["run", "."], "experiment: unknown '.'"),
    (["run", "no_such_file.py"], "no such config file"),
    (["run", MULTILAYER, "--set"], "expected one argument"),
    (["run", MULTILAYER, "--set", ""], "expected path=value"),
    (["run", MULTILAYER, "--set", "train.steps"], "expected path=value"),
    (["run", MULTILAYER, "--seed", "-1"], "got -1"),
    (["run", MULTILAYER, "--seed", str(2**40)], "got 1099511627776"),
    (["run", MULTILAYER, "--seed", "1.5"], "invalid int value"),
    (["run", MULTILAYER, "--sed", "1"], "--sed"),
    (["run", MULTILAYER, "--config.train.stepz=1"], "did you mean 'train.steps'?"),
    (["run", MULTILAYER, "--config.train.steps"], "got ''"),
    (["run", MULTILAYER, "--config.=3"], "unknown ''"),
    (["list", "more"], "unrecognized arguments: more (see aejax list --help)"),
    (["sweep", MULTILAYER, "--engin-e", "ray"], "unrecognized arguments: --engin-e ray (see aejax sweep --help)"),
    (["data", "list", "--all"], "unrecognized arguments: --all (see aejax data list --help)"),
    (["--all", "list"], "unrecognized arguments: --all (see aejax --help)"),
    (["data"], "required: WHAT"),
    (["data", "prepare"], "required: NAME"),
    (["data", "prepare", "no_such"], "data.name: unknown 'no_such'"),
    (["data", "prepare", "nosuch"], "data.name: unknown 'nosuch'; allowed: "),
    (["data", "prepare", "digits"], "nothing to prepare"),
    (["apply"], "required: WORKDIR"),
]


@pytest.mark.parametrize(("argv", "fragment"), COMMANDS, ids=[" ".join(argv) or "nothing" for argv, _ in COMMANDS])
def test_wrong_command(argv, fragment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert_refused(call(argv, capsys), fragment)
    assert list(tmp_path.iterdir()) == []


def _foreign(tmp_path, name, text):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("name", "text", "fragment"),
    [
        ("notes.txt", "mine", "is not empty and holds no run"),
        ("config.json", "{", "is damaged"),
        ("config.json", "", "is damaged"),
        ("config.json", "[1]", "holds no config"),
        ("config.json", "[" * 100_000, "is damaged"),
        ("config.json", "{}", "holds a run of another config"),
        ("config.json", '{"seed": {"a": 1}}', "holds a run of another config"),
    ],
)
def test_folder_of_somebody_else(name, text, fragment, tmp_path, capsys):
    folder = _foreign(tmp_path, name, text)
    before = contents(folder)
    assert_refused(call(arguments(TINY, workdir=folder), capsys), fragment)
    assert contents(folder) == before


@pytest.mark.skipif(sys.platform != "linux", reason="names folders of Linux that cannot be written")
@pytest.mark.parametrize("folder", ["/proc/run", "/sys/run", "{tmp}/file", "{tmp}/file/run", "{tmp}/" + "a" * 300])
def test_folder_that_cannot_be_written(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    answer = call(arguments(TINY, workdir=folder.format(tmp=tmp_path)), capsys)
    assert_refused(answer, folder.format(tmp=tmp_path)[:80])
    assert contents(tmp_path) == {"file": b"mine"}


def _csv(text):
    return lambda path: path.with_suffix(".csv").write_text(text)


def _npy(rows):
    return lambda path: np.save(path.with_suffix(".npy"), rows)


TABLES = [
    ("", _csv, "empty"),
    ("a,b\n", _csv, "no row"),
    ("1,2\n3\n", _csv, "line 2 has 1 cells"),
    ("1,x\n2,y\n3,z\n", _csv, "'x'"),
    ("1,inf\n" * 40, _csv, "infinite"),
    (np.zeros((0, 3)), _npy, "shape (0, 3)"),
    (np.zeros(5), _npy, "shape (5,)"),
    (np.full((40, 2), np.nan), _npy, "missing"),
    (np.full((40, 2), 1e300), _npy, "too large"),
    (np.array([["a", "b"]]), _npy, "numbers are needed"),
]


@pytest.mark.parametrize("name", ["file:no_such_file.csv", "'file:a\\x00.csv'", "'file:C:\\data.csv'"])
def test_table_that_is_not_there(name, tmp_path, capsys):
    settings = {**TINY, "data.name": name, "data.rows": "none"}
    assert_refused(call(arguments(settings, workdir=tmp_path / "run"), capsys), "there is no such file")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("content", "kind", "fragment"), TABLES, ids=[fragment for *_, fragment in TABLES])
def test_wrong_table(content, kind, fragment, tmp_path, capsys):
    kind(content)(tmp_path / "table")
    (path,) = tmp_path.iterdir()
    settings = {k: v for k, v in TINY.items() if k != "data.rows"} | {"data.name": f"file:{path}"}
    assert_refused(call(arguments(settings, workdir=tmp_path / "run"), capsys), fragment)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["run", "sweep"])
@pytest.mark.parametrize(
    ("labels", "kind", "fragment"),
    [
        (None, "pq", "reduction: "),
        ("kind", "pp", "are of one class"),
    ],
)
def test_the_task_refuses_its_data_before_the_batch_is_looked_at(command, labels, kind, fragment, tmp_path, capsys):
    lines = ["a,b,c" + (",kind" if labels else ""), *(f"{row + 20},{row % 7},{row % 3}" for row in range(60))]
    lines[1:] = [f"{line},{kind[row % 2]}" if labels else line for row, line in enumerate(lines[1:])]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    changes = {
        "data.name": f"file:{tmp_path / 'rows.csv'}",
        "train.batch_size": "64",
        "task.name": "reduction.evaluate",
    }
    changes |= {"data.label_column": labels} if labels else {}
    changes = {**TINY, "data.rows": "none"} | changes
    words = arguments(changes, workdir=tmp_path / "run")
    more = ["--axis", "seed=[0,1]"] if command == "sweep" else []
    assert_refused(call([command, *words[1:], *more], capsys), fragment)
    assert not (tmp_path / "run").exists()


LIMITED = """
import resource, sys
from aejax import cli
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files as Linux does")
def test_full_disk(tmp_path, monkeypatch):
    """Files may not grow past a size below that of a checkpoint: as on a full disk, writing one fails."""
    import running

    settings = {**TINY, "model.widths": "(200,)", "train.checkpoint_every": "4"}
    workdir = tmp_path / "run"
    program = [sys.executable, "-c", LIMITED.format(limit=20_000)]
    monkeypatch.setattr(running, "command", lambda argv: [*program, *argv])
    answer = execute(arguments(settings, workdir=workdir), AEJAX_COMPILE_CACHE="on")
    assert_refused(answer, "checkpoints", "step-00000004", "File too large")
    files = contents(workdir)
    assert sorted(files) == ["config.json", "dataset.json", "environment.json", "metrics.csv", "trust.json"]
    assert json.loads(files["config.json"])["train"]["steps"] == 4
    monkeypatch.undo()  # there is room again: the same command goes on
    answer = execute(arguments(settings, workdir=workdir))
    assert (answer.code, answer.err) == (0, "")


def test_loss_that_is_not_finite(tmp_path, capsys):
    settings = {
        **TINY,
        "terms.reconstruction.name": "reconstruction.squared_error",
        "model.output": "linear",
        "optimizer.name": "sgd",
        "optimizer.learning_rate": "30.0",
        "train.steps": "400",
        "train.checkpoint_every": "1",
    }
    answer = call(arguments(settings, workdir=tmp_path / "run"), capsys)
    assert_refused(
        answer, "training stopped at step ", "term 'reconstruction' is not finite", "the checkpoint of step "
    )
    step = int(answer.err.partition("at step ")[2].partition(":")[0])
    kept = int(answer.err.partition("the checkpoint of step ")[2].partition(" ")[0])
    assert 0 < kept <= step < 400
    assert not (tmp_path / "run" / "summary.json").exists()
    before = contents(tmp_path / "run" / "checkpoints")
    assert f"checkpoints/step-{kept:08d}.json".split("/")[1] in before
    assert call(arguments(settings, workdir=tmp_path / "run"), capsys).err == answer.err
    assert contents(tmp_path / "run" / "checkpoints") == before


def test_one_line_even_where_the_terminal_cannot_show_it(tmp_path):
    answer = execute(["run", "é.py"], PYTHONIOENCODING="ascii:strict")
    assert_refused(Answer(answer.code, answer.out, answer.err), "\\xe9.py")
