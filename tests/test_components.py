"""Names become functions, signatures become fields: for all that is shipped and for parts from elsewhere."""

from functools import cache
from inspect import getdoc
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.config import components
from aejax.config.bounds import Choice, Finite, Rate, Within
from aejax.config.components import (
    KINDS,
    REQUIRED,
    Parameter,
    complete,
    describe,
    parameters,
    positional,
    resolve,
    split,
)
from aejax.errors import UserError

SHIPPED = {home: components.available(home) for home in KINDS}
EACH = [(home, name) for home, found in SHIPPED.items() for name in found]
each = pytest.mark.parametrize(("home", "name"), EACH)


@cache
def function_of(home, name):
    return resolve(name, home, what="part")


# All that is shipped.


def test_something_of_every_kind_is_shipped():
    assert {
        "aejax.models": {"dense.vanilla", "dense.multilayer", "conv.convolutional"} <= set(SHIPPED["aejax.models"]),
        "aejax.losses": {"sparsity.l1", "reconstruction.cross_entropy"} <= set(SHIPPED["aejax.losses"]),
        "aejax.optimizers.schedules": {"constant", "cosine"} <= set(SHIPPED["aejax.optimizers.schedules"]),
        "aejax.data.corrupt": {"none", "gaussian"} <= set(SHIPPED["aejax.data.corrupt"]),
        "aejax.tasks": "reconstruction.evaluate" in SHIPPED["aejax.tasks"],
    } == dict.fromkeys(
        ["aejax.models", "aejax.losses", "aejax.optimizers.schedules", "aejax.data.corrupt", "aejax.tasks"], True
    )


def test_helpers_are_no_components():
    names = {name.rpartition(".")[2] for found in SHIPPED.values() for name in found}
    assert not names & {"compose", "named", "activations", "pca_reconstruction"}
    assert not any(name.startswith("_") for name in names)


@each
def test_a_short_name_is_its_function(home, name):
    assert function_of(home, name) is SHIPPED[home][name]
    assert positional(function_of(home, name)) == KINDS[home]


@each
def test_fields_have_types_and_defaults_that_fit_them(home, name):
    for key, parameter in parameters(function_of(home, name)).items():
        assert describe(parameter.annotation) not in ("Any", "empty"), key
        if parameter.default is not REQUIRED:
            value = components.check(parameter.default, parameter.annotation, what=key)
            assert value == parameter.default
            assert type(value) is type(parameter.default), key


@each
def test_docstrings_name_every_argument(home, name):
    text = getdoc(function_of(home, name))
    for key in (*parameters(function_of(home, name)), *(["Returns:"] if home == "aejax.losses" else [])):
        assert key in text, key


# Names.


@pytest.mark.parametrize(
    ("name", "home", "line"),
    [
        (
            "sparsity.l3",
            "aejax.losses",
            r"^part: unknown 'sparsity\.l3' \(did you mean 'sparsity\.l[12]'\?\); allowed: ",
        ),
        ("sparsity", "aejax.losses", r"^part: unknown 'sparsity'"),
        ("l1", "aejax.losses", r"^part: unknown 'l1'.*; allowed: .*sparsity\.l1"),
        (
            "cosin",
            "aejax.optimizers.schedules",
            r"^part: unknown 'cosin' \(did you mean 'cosine'\?\); allowed: .*constant, cosine",
        ),
        (
            "schedules.cosine",
            "aejax.optimizers.schedules",
            r"^part: unknown 'schedules\.cosine' \(did you mean 'cosine'",
        ),
        ("no_such_module.part", "aejax.losses", r"^part: 'no_such_module\.part': there is no module 'no_such_module'"),
        ("operatr.neg", "aejax.losses", r"there is no module 'operatr' \(did you mean 'operator'\?\); allowed: .*l1"),
        ("sparsity._log_rates", "aejax.losses", r"^part: unknown 'sparsity\._log_rates'"),
        ("", "aejax.losses", r"^part: unknown ''"),
        (".", "aejax.losses", r"^part: unknown '\.'"),
        (3, "aejax.losses", r"^part: expected the name of a function, got 3$"),
        (None, "aejax.losses", r"^part: expected the name of a function, got None$"),
    ],
)
def test_a_name_that_is_none_lists_those_there_are(name, home, line):
    with pytest.raises(UserError, match=line) as caught:
        resolve(name, home, what="part")
    assert "\n" not in str(caught.value)


@given(name=st.text(max_size=20))
def test_any_other_text_is_told_in_one_line(name):
    if name in SHIPPED["aejax.losses"]:
        return
    with pytest.raises(UserError) as caught:
        resolve(name, "aejax.losses", what="part")
    assert len(str(caught.value).splitlines()) == 1


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """A folder on the path, as that of a config is."""
    monkeypatch.syspath_prepend(tmp_path)
    count = iter(range(100))

    def write(text):
        name = f"part_{tmp_path.name.replace('-', '_')}_{next(count)}"
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def test_a_function_from_elsewhere_is_found_by_its_import_path(elsewhere):
    module = elsewhere("def huber(ctx, *, delta: float = 1.0): return delta\n")
    found = resolve(f"{module}.huber", "aejax.losses", what="part")
    assert found(None) == 1.0
    assert parameters(found) == {"delta": Parameter(float, 1.0)}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def term(a, b): return a", r"^part: \S+\.term takes \(a, b\); allowed: \(ctx\)$"),
        ("def other(ctx): return 0", r"^part: '\S+\.term': \S+ has no function 'term'.*; allowed: \S+\.other$"),
        ("term = 3", r"^part: '\S+\.term': \S+ has no function 'term'; allowed: nothing$"),
        ("import no_such_module", r"^part: importing \S+ failed: No module named 'no_such_module'$"),
        ("1 / 0", r"^part: importing \S+ failed: ZeroDivisionError: division by zero$"),
        ("raise SystemExit(3)", r"^part: importing \S+ failed: SystemExit: 3$"),
        ("def term(", r"^part: importing \S+ failed: SyntaxError: "),
    ],
)
def test_a_function_from_elsewhere_that_does_not_fit_is_told_in_one_line(elsewhere, text, line):
    module = elsewhere(text + "\n")
    with pytest.raises(UserError, match=line) as caught:
        resolve(f"{module}.term", "aejax.losses", what="part")
    assert "\n" not in str(caught.value)


def test_which_part_of_a_name_from_elsewhere_is_missing(elsewhere):
    text = "from math import sqrt\ndef tail(ctx, *, weight=1): return 0\ndef taller(ctx): return 0\n"
    module = elsewhere(text + "def other(a, b): return 0\ndef _tale(ctx): return 0\n")
    with pytest.raises(UserError) as told:
        components.resolve(f"{module}.tial", "aejax.losses", what="part")
    assert str(told.value) == (
        f"part: '{module}.tial': {module} has no function 'tial' (did you mean 'tail'?); "
        f"allowed: {module}.tail, {module}.taller"
    )
    near = module[:-1]
    with pytest.raises(UserError, match=rf"there is no module '{near}' \(did you mean '{module}'\?\); allowed: a fun"):
        components.resolve(f"{near}.tail", "aejax.losses", what="part")


def test_annotations_that_cannot_be_evaluated_are_any(elsewhere):
    module = elsewhere("def term(ctx, *, a: 'no.such.type' = 1, b=2): return a\n")
    found = parameters(resolve(f"{module}.term", "aejax.losses", what="part"))
    assert {key: describe(p.annotation) for key, p in found.items()} == {"a": "Any", "b": "Any"}


# Fields.


def example(
    ctx, positional_too=1, *, rate: Rate, scale: Finite = 2.0, units: Annotated[int, Within(1)] = 3, kind: str = "a"
):
    return rate


ALLOWED = parameters(example)


def test_fields_are_the_keyword_only_arguments():
    assert {key: parameter.default for key, parameter in ALLOWED.items()} == {
        "rate": REQUIRED,
        "scale": 2.0,
        "units": 3,
        "kind": "a",
    }
    assert ALLOWED["rate"].annotation == Rate
    assert positional(example) == ("ctx", "positional_too")


def test_what_is_left_out_gets_its_default_and_ints_become_floats():
    found = complete({"rate": 0.5, "scale": 4}, ALLOWED, what="terms.x", name="m.example")
    assert found == {"rate": 0.5, "scale": 4.0, "units": 3, "kind": "a"}
    assert type(found["scale"]) is float


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"rate": 0.5, "scal": 1.0},
            r"^terms\.x \(m\.example\): unknown 'scal' \(did you mean 'scale'\?\); allowed: k",
        ),
        ({}, r"^terms\.x\.rate: m\.example needs it; allowed: float in \(0, 1\)$"),
        ({"rate": 1.0}, r"^terms\.x\.rate: expected float in \(0, 1\), got 1\.0$"),
        ({"rate": "0.5"}, r"^terms\.x\.rate: expected float in \(0, 1\), got '0\.5'$"),
        ({"rate": 0.5, "units": 0}, r"^terms\.x\.units: expected int >= 1, got 0$"),
        ({"rate": 0.5, "units": True}, r"^terms\.x\.units: expected int >= 1, got True$"),
        ({"rate": 0.5, "units": 2.0}, r"^terms\.x\.units: expected int >= 1, got 2\.0$"),
        ({"rate": 0.5, "scale": float("inf")}, r"^terms\.x\.scale: expected .*finite.*, got inf$"),
        ({"rate": 0.5, "scale": True}, r"^terms\.x\.scale: expected float finite, got True$"),
    ],
)
def test_fields_that_do_not_fit_are_told_with_their_path(given, line):
    with pytest.raises(UserError, match=line):
        complete(given, ALLOWED, what="terms.x", name="m.example")


def test_floats_are_swept_and_all_else_is_static():
    static, swept = split({"rate": 0.5, "units": 3, "kind": "a", "flag": True, "none": None, "note": 0.1}, ALLOWED)
    assert swept == {"rate": 0.5}
    assert static == {"units": 3, "kind": "a", "flag": True, "none": None, "note": 0.1}


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int, "int"),
        (Annotated[int, Within(1)], "int >= 1"),
        (Rate, "float in (0, 1)"),
        (Annotated[int, Within(1, 5)], "int in [1, 5]"),
        (Annotated[str, Choice(("a", "b"))], "one of a, b"),
        (tuple[Annotated[int, Within(1)], ...], "tuple of int >= 1"),
        (Rate | None, "float in (0, 1) or None"),
    ],
)
def test_types_in_words(annotation, words):
    assert describe(annotation) == words
