"""Components that somebody wrote beside their config: what is wrong with one is one line that names it."""

import json
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from running import TINY, arguments, assert_refused, call

from aejax.config import guards
from aejax.errors import UserError
from aejax.types import Columns, Rows, Task

MODEL = """
import math
import jax, jax.numpy as jnp
from aejax.types import Context, Model, Range

def good(feature_shape):
    n = math.prod(feature_shape)
    draw = lambda key, *shape: jax.random.normal(key, shape) / 3
    init = lambda key: {"down": draw(jax.random.fold_in(key, 0), n, 2), "up": draw(jax.random.fold_in(key, 1), 2, n)}
    encode = lambda p, x: x @ p["down"]
    decode = lambda p, h: h @ p["up"]
    def apply(p, x, x_in, key):
        h = encode(p, x_in)
        ranges = {"code": Range(), "x_hat": Range()}
        return Context(x=x, x_in=x_in, code=h, x_hat=decode(p, h), hidden={"code": h}, log_odds={}, params=p,
                       ranges=ranges)
    return Model(init, encode, decode, apply, tuple(feature_shape), 2)

def fail(*_):
    raise ValueError("first\\nsecond")

def broken(feature_shape):
    model = good(feature_shape)
    inner = model.apply
    return model._replace(CHANGE)
"""

WRONG = [
    ("decode=lambda p, h: h", "decode returned float32[3,2] for 3 rows; allowed: float32[3,8]"),
    ("decode=lambda p, h: (h @ p['up']).sum(0)", "decode returned float32[8] for 3 rows; allowed: float32[3,8]"),
    ("decode=lambda p, h: None", "decode returned None for 3 rows; allowed: float32[3,8]"),
    ("decode=lambda h: h", "decode: TypeError: "),
    ("decode=3", "decode is 3; allowed: a function"),
    ("encode=fail", "own_net.py:20: ValueError: first"),
    ("encode=lambda p, x: (x @ p['down'], 0)", "encode returned (", "allowed: float32[3,2]"),
    ("encode=lambda p, x: (x @ p['down']).T", "encode returned float32[2,3] for 3 rows; allowed: float32[3,2]"),
    ("encode=lambda p, x: (x @ p['down']) > 0", "encode returned bool[3,2] for 3 rows; allowed: float32[3,2]"),
    ("encode=lambda p, x: x @ p['no']", "encode: ", "KeyError: 'no'"),
    ("encode=lambda p, x: x @ p['down'] if x.sum() > 0 else x", "encode: ", "TracerBoolConversionError"),
    ("init=lambda key: {'down': None}", "init returned a tree with None; allowed: arrays of float32"),
    ("init=lambda key: jnp.arange(3)", "init returned a tree with int32[3]; allowed: arrays of float32"),
    ("init=fail", "init: ", "ValueError: first"),
    ("apply=lambda *a: 3", "apply returned 3; allowed: an aejax Context"),
    ("apply=lambda *a: inner(*a)._replace(x_hat=a[1][:, :1])", "Context whose x_hat is float32[3,1] for 3 rows"),
    ("apply=lambda *a: inner(*a)._replace(hidden={})", "Context whose hidden is {}; allowed: a dict that holds 'code'"),
    ("apply=lambda *a: inner(*a)._replace(ranges={'x_hat': (0, 1)})", "range of 'x_hat' is (0, 1)"),
    ("feature_shape=[8]", "feature_shape is [8]; allowed: (8,)"),
    ("code_size=2.0", "code_size is 2.0; allowed: int >= 1"),
]


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """A run of the function of that name of a file beside its config, and its folder."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def answer(change, name):
        (tmp_path / "own_net.py").write_text(MODEL.replace("CHANGE", change))
        monkeypatch.delitem(sys.modules, "own_net", raising=False)
        lines = ["from aejax.config import base", "def get_config():", "    c = base()"]
        settings = {k: v for k, v in TINY.items() if not k.startswith("model.")}
        lines.append(f"    c.model = {{'name': 'own_net.{name}'}}")
        lines += ["    c.terms.reconstruction.name = 'reconstruction.squared_error'", "    return c"]
        (tmp_path / "config.py").write_text("\n".join(lines))
        folder = tmp_path / "run"
        words = ["run", str(tmp_path / "config.py"), "--workdir", str(folder)]
        return call([*words, *(w for k, v in settings.items() for w in ("--set", f"{k}={v}"))], capsys), folder

    yield answer
    sys.modules.pop("own_net", None)


@pytest.mark.parametrize("wrong", WRONG, ids=[change for change, *_ in WRONG])
def test_what_a_model_does_wrong_is_one_line_and_nothing_is_written(run, wrong):
    change, *fragments = wrong
    answer, folder = run(change, "broken")
    assert_refused(answer, "own_net.broken: ", *fragments)
    assert not folder.exists()


TERM = """
import jax.numpy as jnp

def mine(ctx):
    return jnp.abs(ctx.PLACE).mean()
"""


@pytest.mark.parametrize(
    ("place", "told"),
    [
        (
            "hidden['encoder9']",
            "ctx.hidden: unknown 'encoder9' (did you mean 'encoder0'?); allowed: code, decoder0, enc",
        ),
        ("log_odds['code']", "ctx.log_odds: unknown 'code'; allowed: "),
        ("extra['mean']", "ctx.extra: unknown 'mean'; allowed: nothing"),
        ("hidden['code']", None),
    ],
)
def test_a_term_that_asks_for_what_is_not_there_is_told_what_is(place, told, tmp_path, monkeypatch, capsys):
    (tmp_path / "own_term.py").write_text(TERM.replace("PLACE", place))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_term", raising=False)
    folder = tmp_path / "run"
    answer = call(arguments({**TINY, "terms.mine": "{'name': 'own_term.mine', 'weight': 1.0}"}, workdir=folder), capsys)
    if told is None:
        assert answer.code == 0, answer.err
    else:
        assert_refused(answer, f"terms.mine: {told}")
    assert folder.exists() == (told is None)


def test_a_model_that_does_all_right_is_trained(run):
    answer, folder = run("", "good")
    assert answer.code == 0, answer.err
    assert (folder / "summary.json").exists()


@pytest.mark.parametrize("value", [None, "x", (1.0, 2.0), 1, [0.5], {"loss": 0.5}], ids=str)
def test_a_loss_term_that_returns_no_number_is_told_in_one_line(value):
    with pytest.raises(UserError, match=r"^terms\.mine: returned .*; allowed: one number, float32\[\]$"):
        guards.scalar(lambda ctx: value, "terms.mine")(None)


TASK = """
import jax, jax.numpy as jnp
import numpy as np
from dataclasses import dataclass
from aejax.types import Columns, Evaluation, Figures, Kept, Sampler, Task

@dataclass(frozen=True)
class Options:
    level: float = 0.5

good = Task(
    Options,
    lambda *_: Evaluation({"test": {"far": jnp.float32(0.5)}}, {"rows": {"far": np.float64(0.25)}}, {}),
    needs=lambda *_: None,
    figures=Figures(lambda *_: Kept({"a": np.ones(3)}, {}), lambda kept, words: {}),
    apply={"far": lambda model, params, rows, kept: Columns({"far": [1.0] * len(rows.x)})},
    sample=lambda key, model, params, scaling, kept, count, *, given, noise: np.full((count, 8), 0.5),
)
broken = good._replace(CHANGE)

def jitter(key, model, params, codes, *, width: float = 0.1):
    draw = lambda key, count: jnp.asarray(codes)[:1] + width * jax.random.normal(key, (count, codes.shape[1]))
    return Sampler(draw)

def flat(key, model, params, codes): return Sampler(lambda key, count: jnp.zeros(count))
def failing(key, model, params, codes): return Sampler(lambda key, count: 1 / 0)
def factors(progress): return jnp.ones(3)
def whole(progress): return 1
"""

WRONG_TASKS = [
    ("needs=lambda *_: 1 / 0", "own_task.broken: needs: ", "ZeroDivisionError: division by zero"),
    ("needs=3", "own_task.broken: needs is 3; allowed: a function"),
    ("sample=3", "own_task.broken: sample is 3; allowed: a function"),
    ("options=dict", "own_task.broken: options is <class 'dict'>; allowed: a frozen dataclass"),
    ("evaluate=lambda *_: 1 / 0", "own_task.broken: evaluate: ", "ZeroDivisionError"),
    ("evaluate=lambda *_: None", "own_task.broken: evaluate returned None; allowed: an aejax Evaluation"),
    ("evaluate=lambda *_: Evaluation({'test': 1.0}, {}, {})", "evaluate returned metrics={'test': 1.0}; allowed: numb"),
    (
        "evaluate=lambda *_: Evaluation({'test': {'far': np.ones(3, 'f')}}, {}, {})",
        "own_task.broken: evaluate returned metrics=… test/far: float32[3]; allowed: one number",
    ),
    ("evaluate=lambda *_: Evaluation({}, {'rows': 0.25}, {})", "evaluate returned baselines={'rows': 0.25}"),
    ("evaluate=lambda *_: Evaluation({}, {}, {}, {'a': 1})", "evaluate returned {'a': 1}; allowed: an aejax Kept"),
    (
        "figures=Figures(lambda *_: {'a': 1}, None)",
        "own_task.broken: figures.keep returned {'a': 1}; allowed: an aejax",
    ),
    ("figures=good.figures._replace(draw=lambda *_: 1 / 0)", "own_task.broken: figures.draw: ", "ZeroDivisionError"),
    (
        "figures=good.figures._replace(draw=lambda *_: 3)",
        "own_task.broken: figures.draw returned 3; allowed: figures of",
    ),
]


@pytest.fixture
def task_run(tmp_path, monkeypatch, capsys):
    """A run with a task, a sampler or a schedule of a file, and its folder."""
    monkeypatch.syspath_prepend(tmp_path)

    def answer(change="", **settings):
        (tmp_path / "own_task.py").write_text(TASK.replace("CHANGE", change))
        monkeypatch.delitem(sys.modules, "own_task", raising=False)
        values = {**TINY, "task": "{'name': 'own_task.broken'}", "report.figures": True, "train.steps": 2, **settings}
        return call(arguments(values, workdir=tmp_path / "run"), capsys), tmp_path / "run"

    yield answer
    sys.modules.pop("own_task", None)


@pytest.mark.parametrize("wrong", WRONG_TASKS, ids=[change for change, *_ in WRONG_TASKS])
def test_what_a_task_does_wrong_is_one_line_that_names_its_function(task_run, wrong):
    change, *fragments = wrong
    assert_told(task_run(change)[0], *fragments)


def test_a_task_that_does_all_right_leaves_numbers_and_is_applied(task_run, tmp_path, capsys):
    answer, folder = task_run()
    assert answer.code == 0, answer.err
    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["metrics"], summary["baselines"]) == ({"test": {"far": 0.5}}, {"rows": {"far": 0.25}})
    np.save(tmp_path / "new.npy", np.ones((4, 8), np.float32))
    words = ["apply", str(folder), "far", "--input", str(tmp_path / "new.npy"), "--output", str(tmp_path / "far.npy")]
    answer = call(words, capsys)
    assert answer.code == 0, answer.err
    words = ["apply", str(folder), "sample", "--rows", "3", "--output", str(tmp_path / "made.npy")]
    assert call(words, capsys).code == 0
    np.testing.assert_array_equal(np.load(tmp_path / "made.npy"), np.full((3, 8), 0.5))


def test_an_action_that_returns_too_few_rows_is_told_in_one_line():
    task = Task(SimpleNamespace, None)
    rows = Rows(np.ones((4, 8)), None, 0.0, 1.0)
    for action, line in (
        (lambda *_: Columns({"far": [1.0]}), "returned [1.0] for 4 rows; allowed: one row for each"),
        (lambda *_: None, "returned None for 4 rows"),
        (lambda *_: 1 / 0, "ZeroDivisionError"),
    ):
        guarded = guards.task(task._replace(options=lambda: 0, evaluate=print, apply={"far": action}), "own.task")
        with pytest.raises(UserError, match=rf"^own\.task: apply far.*{re.escape(line)}"):
            guarded.apply["far"](None, None, rows, None)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("flat", "task.sampler: own_task.flat drew float32[20]; allowed: float32[20,2], a code in each row"),
        ("failing", "task.sampler: own_task.failing: "),
        ("jitter", None),
    ],
)
def test_a_sampler_of_ones_own(task_run, name, line):
    options = {"name": "generation", "sampler": f"own_task.{name}", "features": "rows", "samples": 20, "components": 2}
    answer, folder = task_run(task=str(options | {"neighbours": 2}), **{"report.figures": "false"})
    if line is None:
        assert answer.code == 0, answer.err
        assert "frechet" in json.loads((folder / "summary.json").read_text())["metrics"]["test"]
    else:
        assert_told(answer, line)


def test_a_schedule_that_returns_no_number_is_told_in_one_line(task_run):
    answer, _ = task_run(**{"optimizer.schedule": "{'name': 'own_task.factors'}"})
    assert_refused(answer, "schedule (own_task.factors): returned float32[3]; allowed: one number, float32[]")
    assert task_run(**{"optimizer.schedule": "{'name': 'own_task.whole'}"})[0].code == 0


def assert_told(answer, *fragments):
    """One line of error after what a run says."""
    assert answer.code == 2
    lines = [line for line in answer.err.splitlines() if line.startswith("aejax: ")]
    assert len(lines) == 1
    assert "Traceback" not in answer.err
    assert all(fragment in lines[0] for fragment in fragments), lines
