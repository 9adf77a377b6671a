"""Axes of a sweep: what a spec spells, how axes combine, and one clear line for what cannot be read."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax.errors import UserError
from aejax.sweep import axes, plan

SPECS = {
    "[1,2,3]": (1, 2, 3),
    "[1e-3, 0.5]": (0.001, 0.5),
    "[relu,silu]": ("relu", "silu"),
    "['a,b', null]": ("a,b", None),
    "[(64,32),(16,)]": ((64, 32), (16,)),
    "0:5": (0, 1, 2, 3, 4),
    "0:10:4": (0, 4, 8),
    "5:2:-1": (5, 4, 3),
    "lin(0,1,5)": (0.0, 0.25, 0.5, 0.75, 1.0),
    "log(1e-5,1e-2,4)": (1e-5, 1e-4, 1e-3, 1e-2),
    "log(8,1,4)": (8.0, 4.0, 2.0, 1.0),
    "lin(0.3,9,1)": (0.3,),
    "range(3)": (0, 1, 2),
    "range(4,0,-2)": (4, 2),
    "linspace(0,1,3)": (0.0, 0.5, 1.0),
    "geomspace(1e-5,1e-2,4)": (1e-5, 1e-4, 1e-3, 1e-2),
}


@pytest.mark.parametrize("old", axes.ALIASES)
def test_older_spellings_are_the_same_values(old):
    assert axes.read("x", f"{old}(0.5,8,20)") == axes.read("x", f"{axes.ALIASES[old]}(0.5,8,20)")
    assert axes.make("x", f"{old}(0.5,8,20)").ends == axes.make("x", f"{axes.ALIASES[old]}(0.5,8,20)").ends


@given(low=st.floats(1e-6, 1e3), high=st.floats(1e-6, 1e3), count=st.integers(2, 50))
def test_grids_are_what_numpy_calls_them(low, high, count):
    for form in ("linspace", "geomspace"):
        values = axes.read("x", f"{form}({low!r},{high!r},{count})")
        np.testing.assert_allclose(values, getattr(np, form)(low, high, count), rtol=1e-10)


@pytest.mark.parametrize("spec", SPECS)
def test_a_spec_is_these_values(spec):
    assert axes.read("x", spec) == SPECS[spec]


@pytest.mark.parametrize("form", ["random", "lograndom", "quasi", "logquasi"])
def test_samples_lie_between_the_ends_and_depend_on_the_seed_alone(form):
    first, again, other = (axes.read("x", f"{form}(0.5,8,200,{seed})") for seed in (0, 0, 1))
    assert first == again != other
    assert axes.read("x", f"{form}(0.5,8,200)") == first
    values = np.array(first)
    assert 0.5 <= values.min() < 0.6 < 7.5 < values.max() <= 8
    middle = 2.0 if form.startswith("log") else 4.25
    assert abs((values < middle).mean() - 0.5) < 0.1


def test_zipped_samples_fill_the_square():
    for form in ("random", "quasi"):
        pair = axes.make(("a", "b"), (f"{form}(0,1,256)", f"{form}(0,1,256)"))
        a, b = np.array(pair.values)
        counts = np.histogram2d(a, b, bins=4, range=[[0, 1], [0, 1]])[0]
        assert counts.min() > (5 if form == "random" else 12), form
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.15


def test_quasi_random_values_are_more_even_than_random_ones():
    gaps = {form: np.diff(np.sort(axes.read("x", f"{form}(0,1,64)"))).max() for form in ("random", "quasi")}
    assert gaps["quasi"] < 2 / 64 < gaps["random"]


def test_axes_span_their_product_and_zipped_fields_go_together():
    points = axes.points([axes.make("a", "[1,2]"), axes.make(("b", "c"), ("0:3", "[x,y,z]"))])
    assert points == [{"a": a, "b": b, "c": "xyz"[b]} for a, b in itertools.product((1, 2), range(3))]


def test_whole_optimizers_are_an_axis_of_static_settings():
    adam, sgd = {"name": "adam", "learning_rate": 1e-3}, {"name": "sgd", "learning_rate": 0.1}
    made = plan.make("lecture/sparse_l1", [], [axes.make("optimizer", [adam, sgd])])
    assert len(made.groups) == 2
    optimizers = [member.config["optimizer"] for member in made.members]
    assert [(each["name"], each["learning_rate"], each["schedule"]) for each in optimizers] == [
        ("adam", 1e-3, {"name": "constant"}),
        ("sgd", 0.1, {"name": "constant"}),
    ]


def test_the_command_line_takes_the_place_of_a_declared_axis():
    declared = {"a": [1, 2, 3], ("b", "c"): ("0:2", [5.0, 6.0])}
    collected = axes.collect(declared, ["a=[9]"])
    assert axes.points(collected) == [{"a": 9, "b": b, "c": 5.0 + b} for b in (0, 1)]


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())))
def test_a_list_of_literals_is_read_back(values):
    text = "[" + ",".join(map(repr, values)) + "]"
    if values:
        assert [repr(value) for value in axes.read("x", text)] == [repr(value) for value in values]
    else:
        with pytest.raises(UserError, match="no values"):
            axes.read("x", text)


WRONG = {
    "no values": lambda: axes.collect({}, ["seed=[]"]),
    "5:0' has no values": lambda: axes.collect({}, ["seed=5:0"]),
    "log(1,2,0)' has no values": lambda: axes.collect({}, ["a=log(1,2,0)"]),
    "step of a range": lambda: axes.collect({}, ["a=0:5:0"]),
    "cannot read 'many'": lambda: axes.collect({}, ["a=many"]),
    "cannot read 3": lambda: axes.collect({"a": 3}),
    "did you mean 'geomspace'": lambda: axes.collect({}, ["a=geomspce(1,2,3)"]),
    "geomspace(low, high, count)": lambda: axes.collect({}, ["a=log(1,2)"]),
    "with finite numbers": lambda: axes.collect({}, ["a=lin(nan,2,3)"]),
    "sobol(low, high, count, seed)": lambda: axes.collect({}, ["a=quasi(1,2,3,4,5)"]),
    "count must be a whole number": lambda: axes.collect({}, ["a=lin(1,2,3.5)"]),
    "above 0": lambda: axes.collect({}, ["a=log(0,1,5)"]),
    "1 is there twice": lambda: axes.collect({}, ["a=[1,2,1]"]),
    "axis a: two axes name this field": lambda: axes.collect({}, ["a=[1]", "a=[2]"]),
    "axis b: two axes name this field": lambda: axes.collect({}, ["b=[1]"], [["a=[1]", "b=[2]"]]),
    "a has 2, b has 3": lambda: axes.collect({}, zipped=[["a=[1,2]", "b=0:3"]]),
    "2 fields are zipped and 1 specs": lambda: axes.collect({("a", "b"): ("0:3",)}),
    "is zipped in sweep() with others": lambda: axes.collect({("a", "b"): ("0:3", "0:3")}, ["a=[1]"]),
    "expected PATH=SPEC": lambda: axes.collect({}, ["a"]),
    "there is no axis": lambda: axes.collect({}),
    "must return a dict": lambda: axes.collect([1]),
    "more than 100000 values": lambda: axes.collect({}, ["a=0:1000000000000"]),
    "points are more than 100000": lambda: axes.collect({}, [f"{n}=0:100" for n in "abc"]),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_mistake_is_told_in_one_line(words):
    with pytest.raises(UserError, match=re.escape(words)) as caught:
        WRONG[words]()
    assert "\n" not in str(caught.value)
