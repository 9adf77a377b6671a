"""A model that somebody wrote beside their config: what is wrong with it is one line, before anything is written."""

import sys

import pytest
from running import TINY, arguments, assert_refused, call, quick_programs

from aejax.config import guards
from aejax.errors import UserError

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


@pytest.fixture(scope="module", autouse=True)
def _quick(tmp_path_factory):
    with quick_programs(tmp_path_factory.getbasetemp() / "programs"):
        yield


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
        guards.scalar(lambda ctx: value, "mine")(None)
