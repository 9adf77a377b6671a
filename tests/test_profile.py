"""``aejax run --profile``: its table of stages, its trace, and what it refuses."""

import gzip
import json
import re

import jax
import jax.numpy as jnp
import pytest
from running import TINY, arguments, assert_refused, call

from aejax.runs import profile
from aejax.runs.profile import Event


@pytest.mark.parametrize("operations", [True, False])
def test_a_run_says_where_its_time_went(operations, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "run"
    monkeypatch.setattr(profile, "MOST_STEPS", 1000 if operations else 1)
    settings = {**TINY, "report.figures": "True"}
    answer = call([*arguments(settings, workdir=folder), "--profile"], capsys)
    assert (answer.code, answer.err) == (0, "")
    rows = re.findall(r"^(\w+) +([\d.]+) +\d+%$", answer.out, re.MULTILINE)
    seconds = {name: float(number) for name, number in rows}
    assert list(seconds) == [*profile.STAGES, "other", "all"]
    assert sum(seconds.values()) - seconds["all"] == pytest.approx(seconds["all"], abs=0.01 * len(seconds))
    assert seconds["figures"] > 0
    assert seconds["other"] < seconds["all"] / 2
    with gzip.open(folder / profile.TRACE) as file:
        names = {event.get("name") for event in json.load(file)["traceEvents"]}
    assert {f"aejax {name}" if operations else name for name in ("load", "step", "evaluation", "figures")} <= names
    assert bool(names - {*profile.STAGES}) == operations
    assert_refused(call([*arguments(settings, workdir=folder), "--profile"], capsys), "is finished; allowed: another")


def test_what_jax_traces_and_compiles_are_stages(tmp_path):
    with profile.profiled(tmp_path, profile.MOST_STEPS + 1), profile.stage("evaluation"):
        jax.jit(lambda x: jnp.sin(x) + 0.2187)(1.0)
    with gzip.open(tmp_path / profile.TRACE) as file:
        events = {event["name"]: event for event in json.load(file)["traceEvents"]}
    assert {"trace", "compile", "evaluation"} == set(events)
    assert events["compile"]["ts"] + events["compile"]["dur"] < events["evaluation"]["ts"] + events["evaluation"]["dur"]


def test_a_stage_inside_another_counts_for_itself_alone():
    spans = [("trace", 2, 3), ("compile", 3, 5), ("evaluation", 1, 6), ("files", 7.5, 8), ("step", 7, 9)]
    seconds = profile.seconds_of([Event(name, 0, start, end) for name, start, end in spans])
    expected = {"trace": 1, "compile": 2, "evaluation": 2, "step": 1.5, "files": 0.5}
    assert seconds == {**dict.fromkeys(profile.STAGES, 0), **expected}


def test_other_commands_have_no_profile(capsys):
    assert_refused(call(["sweep", "lecture/vanilla", "--profile"], capsys), "unrecognized arguments: --profile")
