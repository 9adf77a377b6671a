"""Configs: what a text spells, what a path changes, which defaults are filled in, and what differs."""

import json
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import MULTILAYER, environment

from aejax import config
from aejax.config import components, overrides
from aejax.config import files as config_files
from aejax.config.bounds import Choice, Count, Fraction, NonNegative, Rate, Within
from aejax.config.differences import differences
from aejax.config.fields import SECTIONS
from aejax.errors import UserError, one_of, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("3e-4", 3e-4),
        ("1_000", 1000),
        ("true", True),
        ("False", False),
        ("none", "none"),
        ("null", None),
        ("(8, 4)", (8, 4)),
        ("[8, 4]", [8, 4]),
        ("()", ()),
        ("{'name': 'none'}", {"name": "none"}),
        ("relu", "relu"),
        ("'3'", "3"),
        ("dense.vanilla", "dense.vanilla"),
        ("file:a b.csv", "file:a b.csv"),
        ("", ""),
        ("__import__('os')", "__import__('os')"),
        (r"'C:\data'", r"C:\data"),
        ("[" * 10_000, "[" * 10_000),
    ],
)
def test_parse(text, value):
    found = overrides.parse(text)
    assert found == value
    assert type(found) is type(value)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
NESTED = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(NESTED)
def test_parse_reads_what_python_writes(value):
    assert overrides.parse(repr(value)) == value


HIDING = {"name": "at_random", "rate": 0.2, "always": 0.5}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["data.missing.name=none"], {"name": "none"}),
        (["data.missing.name=completely_at_random"], {"name": "completely_at_random", "rate": 0.2}),
        (["data.missing.name=at_random"], HIDING),
        (["data.missing.name=none", "data.missing.name=at_random"], HIDING),
        (["data.missing.name=none", "data.missing.rate=0.3"], {"name": "none", "rate": 0.3}),
        (["data.missing.rate=0.3", "data.missing.name=none"], {"name": "none", "rate": 0.3}),
        (["data.missing={'name': 'square', 'rate': 1}", "data.missing.name=none"], {"name": "none", "rate": 1}),
    ],
)
def test_another_function_does_not_inherit_what_it_does_not_take(texts, expected):
    values = config.base().to_dict()
    values["data"]["missing"] = dict(HIDING)
    overrides.override(values, texts)
    assert values["data"]["missing"] == expected


def test_another_function_keeps_what_belongs_to_its_place():
    values = config.base().to_dict()
    values["terms"]["extra"] = {
        "name": "sparsity.kl_bernoulli",
        "weight": 0.5,
        "target_rate": 0.1,
        "schedule": {"name": "linear"},
    }
    values["optimizer"]["schedule"] = {"name": "cosine", "final": 0.1}
    texts = ["terms.extra.name=sparsity.l1", "optimizer.schedule.name=constant", "model.name=dense.vanilla"]
    overrides.override(values, texts)
    assert values["terms"]["extra"] == {"name": "sparsity.l1", "weight": 0.5, "schedule": {"name": "linear"}}
    assert values["optimizer"]["schedule"] == {"name": "constant"}
    assert values["model"] == {"name": "dense.vanilla", "code": 8}
    overrides.override(values, ["optimizer.name=lbfgs", "train.batch_size=null"])
    assert values["optimizer"] == {"name": "lbfgs"}
    overrides.override(values, ["data.name=bars"])
    assert values["data"]["missing"] == {"name": "none"}


def test_put_replaces_values_and_groups():
    values = config.base().to_dict()
    overrides.put(values, "train.steps", 7)
    overrides.put(values, "model", {"name": "dense.vanilla", "widths": [3]})
    overrides.put(values, "terms.sparsity.weight", 0.1)
    overrides.put(values, "terms.sparsity.schedule.name", "cosine")
    overrides.put(values, "optimizer.b1", 0.5)
    assert values["train"]["steps"] == 7
    assert values["model"] == {"name": "dense.vanilla", "widths": (3,)}
    assert values["terms"]["sparsity"] == {"weight": 0.1, "schedule": {"name": "cosine"}}
    assert values["optimizer"]["b1"] == 0.5


def test_base_is_complete_and_fresh():
    one, other = config.base(), config.base()
    one.train.steps = 3
    assert other.train.steps != 3
    assert set(config.resolve(other.to_dict())) == set(SECTIONS)


def test_an_optimizer_that_is_replaced_as_a_whole_has_the_defaults_for_all_that_it_leaves_out():
    before = config.load("lecture/reduction")["optimizer"]
    assert before["schedule"]["name"] == "warmup_cosine"
    after = config.load("lecture/reduction", ["optimizer={'name': 'adam', 'learning_rate': 1e-3, 'b1': 0.8}"])[
        "optimizer"
    ]
    assert after == before | {"learning_rate": 1e-3, "b1": 0.8, "schedule": {"name": "constant"}}
    assert (
        "schedule" not in config.load(MULTILAYER, ["optimizer={'name': 'lbfgs'}", "train.batch_size=null"])["optimizer"]
    )


def test_resolve_fills_in_the_defaults_of_every_component():
    resolved = config.load(MULTILAYER, ["terms.a={'name': 'sparsity.l1', 'weight': 1, 'schedule': {'name': 'linear'}}"])
    assert resolved["optimizer"]["b1"] == 0.9
    assert resolved["optimizer"]["clip_norm"] is None
    assert resolved["model"]["tied"] is False
    assert resolved["terms"]["a"] == {
        "name": "sparsity.l1",
        "weight": 1.0,
        "layer": "code",
        "schedule": {"name": "linear", "initial": 0.0, "until": 0.5},
    }
    assert type(resolved["terms"]["a"]["weight"]) is float


def test_resolve_is_a_fixed_point_and_survives_json():
    resolved = config.load(MULTILAYER, ["train.steps=5"], seed=3)
    assert resolved["seed"] == 3
    assert config.resolve(resolved) == resolved
    assert config.resolve(json.loads(config.dumps(resolved))) == resolved


def test_overrides_apply_in_order_after_the_variant_and_before_the_seed(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from aejax.config import base\n"
        "def get_config():\n    return base()\n"
        "def variants():\n    return {'long': {'train.steps': 9000, 'seed': 5, 'model.widths': [16]}}\n"
    )
    assert config.load(f"{path}:long")["train"]["steps"] == 9000
    assert config.load(f"{path}:long")["model"]["widths"] == (16,)
    found = config.load(f"{path}:long", ["train.steps=1", "train.steps=2", "seed=8"], seed=9)
    assert (found["train"]["steps"], found["seed"]) == (2, 9)


def test_a_path_may_hold_a_colon(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    path = folder / "c:d.py"
    path.write_text("from aejax.config import base\nget_config = base\nvariants = lambda: {'v': {'seed': 4}}\n")
    assert config_files.find(str(path)) == (path, None)
    assert config.load(str(path))["seed"] == 0
    assert config.load(f"{path}:v")["seed"] == 4


def test_parts_beside_the_config_are_found_by_import_path(tmp_path):
    (tmp_path / "own_parts_of_a_test.py").write_text(
        "from aejax.config.bounds import Rate\ndef term(ctx, *, strength: Rate = 0.25):\n    return 0.0\n"
    )
    (tmp_path / "mine.py").write_text(
        "from aejax.config import base\n"
        "def get_config():\n"
        "    config = base()\n"
        "    config.terms.own = {'name': 'own_parts_of_a_test.term', 'weight': 1.0}\n"
        "    return config\n"
    )
    terms = config.load(str(tmp_path / "mine.py"))["terms"]
    assert terms["own"] == {"name": "own_parts_of_a_test.term", "weight": 1.0, "strength": 0.25}
    with pytest.raises(UserError, match=r"terms\.own\.strength: expected float in \(0, 1\), got 2"):
        config.load(str(tmp_path / "mine.py"), ["terms.own.strength=2"])
    assert not list(tmp_path.rglob("__pycache__/mine*"))


def test_what_a_config_prints_does_not_spoil_the_output(tmp_path, capsys):
    path = tmp_path / "mine.py"
    path.write_text(
        "from aejax.config import base\nprint('loading')\ndef get_config():\n    print('made')\n    return base()\n"
    )
    config.load(str(path))
    assert capsys.readouterr() == ("", "loading\nmade\n")


def test_differences():
    old, new = config.load(MULTILAYER), config.load(MULTILAYER, ["train.steps=7", "optimizer.name=sgd"])
    found = dict(line.split(": ", 1) for line in differences(old, new))
    assert found["train.steps"] == f"{old['train']['steps']} -> 7"
    assert found["optimizer.name"] == "'adam' -> 'sgd'"
    assert found["optimizer.b1"] == "0.9 -> '(absent)'"
    assert found["optimizer.momentum"] == "'(absent)' -> None"
    assert differences(json.loads(config.dumps(old)), old) == []


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (float, 3, 3.0),
        (float | None, None, None),
        (int | str, "a", "a"),
        (tuple[Count, ...], [1, 2], (1, 2)),
        (tuple[Count, ...] | None, [1], (1,)),
        (Fraction, 0, 0.0),
        (bool, True, True),
    ],
)
def test_check_accepts(annotation, value, expected):
    found = components.check(value, annotation, what="x")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (float, True),
        (float, "3"),
        (float, math.nan),
        (float, math.inf),
        (float, 10**400),
        (float, [3.0]),
        (int, 3.0),
        (int, True),
        (int, None),
        (bool, 1),
        (str, 3),
        (Count, 0),
        (Count, 2**31),
        (Fraction, 1.0),
        (Rate, 0.0),
        (NonNegative, -1e-300),
        (tuple[Count, ...], 3),
        (tuple[Count, ...], (3, 0)),
        (tuple[Count, ...], "34"),
        (float | list, "3"),
    ],
)
def test_check_refuses(annotation, value):
    with pytest.raises(UserError, match=r"^x: expected "):
        components.check(value, annotation, what="x")


def test_bounds_say_what_they_contain():
    assert str(Within(0, 1, open_high=True)) == "in [0, 1)"
    assert str(Within(0, open_low=True)) == "> 0"
    assert str(Within()) == "finite"
    assert [v in Within(0, 1, open_low=True) for v in (0, 1e-300, 1, 1.1, math.nan, 10**400, -(10**400))] == [
        False, True, True, False, False, False, False,
    ]  # fmt: skip
    with pytest.raises(UserError, match="allowed: a, b"):
        components.check("c", components.Annotated[str, Choice(("a", "b"))], what="x")


def test_one_of_names_the_nearest_and_all():
    assert (
        str(one_of("reul", ["relu", "tanh"], what="f"))
        == "f: unknown 'reul' (did you mean 'relu'?); allowed: relu, tanh"
    )
    assert str(one_of(None, [], what="f")) == "f: unknown None; allowed: nothing"
    assert len(str(one_of("x" * 10_000, ["relu"], what="f"))) < 200
    assert shown(10**5000) == "a number of 16610 bits"


@pytest.mark.parametrize("overrides", ["train.stepz=3", "data.scaling=unot", "seed=-1", "report.figures=3", "a.b=1"])
def test_errors_of_fixed_sections_need_no_jax(overrides):
    program = (
        "import sys\nfrom aejax import cli\n"
        f"code = cli.main(['run', {MULTILAYER!r}, '--set', {overrides!r}])\n"
        "sys.exit(code if not {'jax', 'flax', 'optax', 'numpy'} & set(sys.modules) else 99)"
    )
    assert subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True).returncode == 2


def test_a_config_in_json_is_the_config_itself(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(config.dumps(config.load("lecture/vanilla", ["train.steps=7"])))
    assert config.load(str(path)) == config.load("lecture/vanilla", ["train.steps=7"])
    assert config.load(str(path), ["train.steps=8"], seed=3) == config.load(
        "lecture/vanilla", ["train.steps=8"], seed=3
    )


@pytest.mark.parametrize(
    ("content", "spec", "message"),
    [
        ("{", "c.json", "is damaged"),
        ("[1]", "c.json", "holds no config"),
        ("{}", "c.json:small", "has no variants"),
        ("{}", "d.json", "no such config file"),
        ('{"sead": 1}', "c.json", "sead"),
    ],
)
def test_a_config_in_json_that_is_none_is_refused(tmp_path, monkeypatch, content, spec, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(UserError, match=message):
        config.load(spec)
