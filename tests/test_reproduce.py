"""Reproduction: what is recorded is held against what comes out; a changed digit fails, and nothing is passed over."""

import io
import json
import math
import os
import re
import shutil
import signal
import statistics
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pytest
from running import ROOT, SMALL, Answer, assert_refused, begin, quick_processes

from aejax import cli
from aejax.errors import UserError
from aejax.report.page import verdicts
from aejax.report.words import catalogue
from aejax.reproduce import compare, experiments, record, summary
from aejax.reproduce.record import Number, Recorded, Result, Run
from aejax.sweep.engines import jobs
from aejax.training.interruption import InterruptedRunError

CONFIG = (
    SMALL
    + """

def variants():
    return {
        "wide": {"model.widths": (5,)},
        "far": {"data": base().data.to_dict() | {"name": "kmnist"}},
        "broken": {"optimizer.learning_rate": 1e30},
        "long": {"train.steps": 10**6, "train.checkpoint_every": 10**6, "train.evaluate_every": 10**6},
    }
"""
)
SWEEP = """

def sweep():
    return {"optimizer.learning_rate": %s, "seed": "0:2"}
"""


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_processes():
        yield


def reproduce(root, *words, runs="runs", course="course"):
    """The command on the collection below a folder, with runs beside it; experiments are still processes."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.main(["reproduce", str(root / course), "--workdir", str(root / runs), *map(str, words)])
    return Answer(code, out.getvalue(), err.getvalue())


def content(root):
    return json.loads((root / "course" / "expected.json").read_text())


def change(root, what):
    """Change what is recorded, by a function of the experiments."""
    changed = content(root)
    what(changed["experiments"])
    (root / "course" / "expected.json").write_text(json.dumps(changed))


def report_of(root, runs="runs"):
    return json.loads((root / runs / "reproduce.json").read_text())


def row(answer, metric):
    """The cells of a number in the table, by the names in the header."""
    lines = answer.out.splitlines()
    header = next(line for line in lines if line.startswith("experiment "))
    line = next(line for line in lines if f" {metric}" in line)
    names = header.split()
    starts = [header.index(name) for name in names]
    return {n: line[a:b].strip() for n, a, b in zip(names, starts, [*starts[1:], None], strict=True)}


def other_digit(value):
    """The value with another seventh digit."""
    mantissa, exponent = f"{value:.6e}".split("e")
    return float(f"{mantissa[:-1]}{'1' if mantissa[-1] != '1' else '2'}e{exponent}")


@pytest.fixture
def empty(tmp_path):
    """A collection of one config and its variants, of which nothing is recorded."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "small.py").write_text(CONFIG)
    return tmp_path


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A collection that was recorded for the first time, two seeds, with the runs; and what the command said."""
    root = tmp_path_factory.mktemp("original")
    (root / "course").mkdir()
    (root / "course" / "small.py").write_text(CONFIG)
    answer = reproduce(root, "--update", "--seeds", 2)
    assert answer.code == 0, answer
    return root, answer.out


@pytest.fixture
def root(original, tmp_path):
    """A copy of that, to be changed."""
    shutil.copytree(original[0], tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.slow
def test_the_first_update_lists_what_it_records(original):
    root, said = original
    assert set(content(root)["experiments"]) == {"small"}
    recorded = content(root)["experiments"]["small"]
    mse = recorded["metrics"]["test/mse"]
    assert len(mse["values"]) == 2
    assert mse["tolerance"] == pytest.approx(4 * statistics.stdev(mse["values"]), rel=0.05)
    assert recorded["seconds"] > 0
    assert "baselines/pca/mse" in recorded["metrics"]
    assert [line.split()[1] for line in said.splitlines() if line.endswith(" recorded")] == list(recorded["metrics"])
    assert f"expected.json: {len(recorded['metrics'])} numbers recorded, of 1 experiment\n" in said
    assert "[2/2] small, seed " in said
    assert " held" not in said
    variants = " ".join(f"small:{name}" for name in ("wide", "far", "broken", "long"))
    command = f"aejax reproduce {root}/course --update --only {variants}"
    assert f"variants are recorded where they are named: {command}" in said


@pytest.mark.slow
def test_what_was_recorded_holds_bit_for_bit_in_a_second_run(root):
    answer = reproduce(root, "--jobs", 2, runs="again")
    assert answer.code == 0, answer
    assert "2 runs, 2 at a time" in answer.out, "each seed has a process"
    report = report_of(root, "again")
    verdicts = [line["verdict"] for line in report["lines"]]
    assert verdicts == ["equal"] * len(content(root)["experiments"]["small"]["metrics"]) + ["same bits"]
    assert report["checked"] == {"small": "bits"}


@pytest.mark.slow
def test_a_changed_digit_can_be_seen_and_console_and_page_count_alike(root):
    values = content(root)["experiments"]["small"]["metrics"]["test/mse"]["values"]
    got, expected = values[1], other_digit(values[1])
    change(root, lambda known: known["small"]["metrics"]["test/mse"].update(values=[values[0], expected]))
    brief = reproduce(root, "--lang", "en")
    assert row(brief, "test/mse, seed 1")["verdict"] == "off"
    assert "baselines/pca/mse" not in brief.out, "what holds is counted, and listed with --verbose alone"
    answer = reproduce(root, "--lang", "en", "--verbose")
    assert answer.code == 1
    off = row(answer, "test/mse, seed 1")
    assert (off["verdict"], off["tolerance"]) == ("off", "7 digits")
    assert (off["expected"], off["got"]) == (f"{expected:.7g}", f"{got:.7g}")
    assert off["expected"] != off["got"]
    same = row(answer, "baselines/pca/mse")
    assert (same["verdict"], same["difference"], same["tolerance"]) == ("equal", "0", "7 digits")
    count = len(content(root)["experiments"]["small"]["metrics"])
    assert f"\n{count - 1} of {count} numbers held\n" in answer.out
    assert [line["metric"] for line in report_of(root)["lines"] if line["verdict"] == "off"] == ["test/mse"]
    assert report_of(root)["checked"] == {"small": "bits"}
    page = (root / "runs" / "report.html").read_text()
    assert f"{count - 1} of {count} numbers hold" in page
    assert f"test/mse, seed 1: expected {expected:.7g}, got {got:.7g}, tolerance 7 digits" in page


@pytest.mark.slow
def test_a_changed_number_fails_on_another_machine(root):
    def elsewhere(known):
        known["small"]["digests"] = {}
        number = known["small"]["metrics"]["test/mse"]
        number["values"][0] += 2.5 * number["tolerance"]

    change(root, elsewhere)
    assert reproduce(root).code == 1
    assert [line["metric"] for line in report_of(root)["lines"] if line["verdict"] == "off"] == ["test/mse"]
    assert report_of(root)["checked"] == {"small": "tolerance"}


@pytest.mark.slow
def test_other_bits_make_it_fail(root):
    def one_digest(known):
        (digests,) = known["small"]["digests"].values()
        digests[1] = digests[0]

    change(root, one_digest)
    answer = reproduce(root)
    assert answer.code == 1
    assert "other bits" in answer.out


@pytest.mark.slow
def test_a_number_that_is_none_fails_and_is_not_recorded(root):
    before, path = content(root), root / "runs" / "small" / "seed-1" / "summary.json"
    (path.parent / "checksums.json").unlink()  # else the change is named
    changed = json.loads(path.read_text())
    changed["metrics"]["test"]["mse"] = "nan"
    path.write_text(json.dumps(changed))
    assert reproduce(root).code == 1
    assert [line["verdict"] for line in report_of(root)["lines"]].count("not a number") == 1
    answer = reproduce(root, "--update", "--only", "small")
    assert answer.code == 1
    assert "not recorded, for a number that is none any more: small" in answer.out
    assert content(root) == before
    del changed["metrics"]["test"]["mse"]
    path.write_text(json.dumps(changed))
    answer = reproduce(root)
    assert answer.code == 1
    assert any(line.startswith("small ") and line.endswith("missing") for line in answer.out.splitlines())


@pytest.fixture(scope="module")
def troubled(original, tmp_path_factory):
    """Experiments without data, that break, and with sweeps that can and cannot be done, beside one that is finished.

    That has a second name, so that it has two sweeps.
    """
    root = tmp_path_factory.mktemp("troubled") / "copy"
    shutil.copytree(original[0], root)
    shutil.copytree(root / "runs" / "small", root / "runs" / "twin")
    for name, rates in {"small": "[0.001, 0.01]", "twin": "[]"}.items():
        (root / "course" / f"{name}.py").write_text(CONFIG + SWEEP % rates)
    change(root, lambda known: known["small"].update(quick=True))
    change(root, lambda known: known.update(dict.fromkeys(("small:far", "small:broken", "twin"), known["small"])))
    return root, reproduce(root), report_of(root)


@pytest.mark.slow
def test_data_not_at_hand_and_a_failure_are_told_and_the_others_go_on(troubled):
    root, answer, report = troubled
    assert answer.code == 1, "one failed"
    assert report["not_run"] == {"small:far": "kmnist is not at hand; get it with: aejax data prepare kmnist"}
    assert set(report["failed"]) == {"small:broken", "sweeps/twin"}
    assert "training stopped" in report["failed"]["small:broken"]
    assert {line["experiment"] for line in report["lines"]} == {"small", "twin"}, "only what was run is judged"
    only = reproduce(root, "--quick", "--only", "small", "small:far")
    assert only.code == 0
    assert "not run, data not at hand: small:far" in only.out


@pytest.mark.slow
def test_sweeps_of_the_configs_are_done_and_do_not_stop_the_others(troubled):
    root, answer, report = troubled
    assert (root / "runs" / "sweeps" / "small" / "table.csv").exists()
    assert not (root / "runs" / "sweeps" / "twin").exists()
    assert re.search(r"^\[\d/4\] sweeps/small\b", answer.out, re.MULTILINE)
    assert len(report["lines"]) > 4
    quick = reproduce(root, "--quick", "--only", "small", "twin")
    assert quick.code == 0
    assert "sweeps/" not in quick.out


@pytest.mark.slow
def test_a_new_config_is_named_and_an_update_records_it(root):
    (root / "course" / "wine3.py").write_text(SMALL)
    mtime = lambda: (root / "runs" / "small" / "seed-0" / "summary.json").stat().st_mtime_ns
    before, seconds = mtime(), content(root)["experiments"]["small"]["seconds"]
    how = f"aejax reproduce {root / 'course'} --update --only"
    answer = reproduce(root)
    assert answer.code == 0, answer
    assert f"not recorded: wine3; record with: {how} wine3\n" in answer.out
    assert "not recorded" not in reproduce(root, "--only", "small").out
    assert_refused(reproduce(root, "--only", "wine3"), f"'wine3' is not recorded; record it with {how} wine3")
    wide = f"'small:wide' is not recorded; record it with {how} small:wide"
    assert_refused(reproduce(root, "--only", "small:wide"), wide)
    answer = reproduce(root, "--update", "--seeds", 2)
    assert answer.code == 0, answer
    assert list(content(root)["experiments"]) == ["small", "wine3"]
    assert row(answer, "test/mse")["verdict"] == "equal"
    assert "2 runs, " in answer.out, "those of small are finished"
    assert (mtime(), content(root)["experiments"]["small"]["seconds"]) == (before, seconds), "and keep their time"


@pytest.mark.slow
def test_what_is_listed_and_not_recorded_does_not_pass(root):
    change(root, lambda known: known["small"].update(metrics={}, digests={}))
    answer = reproduce(root, "--seeds", 2)
    assert answer.code == 1
    assert "not recorded" in answer.out
    assert reproduce(root, "--update", "--seeds", 2).code == 0
    assert len(content(root)["experiments"]["small"]["metrics"]["test/mse"]["values"]) == 2


@pytest.mark.slow
def test_fewer_seeds_and_stricter_tolerances_are_told(root):
    before = content(root)["experiments"]["small"]["metrics"]["test/mse"]["tolerance"]
    change(root, lambda known: known["small"].update(quick=True))
    answer = reproduce(root, "--update", "--seeds", 1)
    assert answer.code == 0, answer
    after = content(root)["experiments"]["small"]
    assert after["metrics"]["test/mse"]["tolerance"] < before
    assert "fewer seeds than recorded are kept for small (from 2 to 1)\n" in answer.out
    assert row(answer, "test/mse")["tolerance"] == f"{before:.5g} -> {after['metrics']['test/mse']['tolerance']:.5g}"
    assert " tighter than recorded: old -> new in the table\n" in answer.out
    assert after["quick"] is True
    again = reproduce(root, "--update", "--seeds", 1)
    assert "fewer seeds" not in again.out
    assert "tighter" not in again.out


@pytest.mark.slow
def test_seeds_beyond_the_recorded_ones_are_told_and_the_others_compared_bit_for_bit(root):
    def only_one(known):
        for number in known["small"]["metrics"].values():
            del number["values"][1:]
        for digests in known["small"]["digests"].values():
            del digests[1:]

    change(root, only_one)
    answer = reproduce(root, "--seeds", 2, "--verbose")
    assert answer.code == 0, answer
    assert row(answer, "test/mse")["verdict"] == "equal"
    assert "seed 1 of small has nothing recorded\n" in answer.out
    assert {line["verdict"] for line in report_of(root)["lines"]} == {"equal", "same bits"}
    assert "nothing recorded" not in reproduce(root).out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stop_reaches_the_runs_and_the_folder_goes_on(empty, number):
    runs = empty / "runs"
    words = ["reproduce", empty / "course", "--update", "--seeds", "1", "--only", "small:long", "--workdir", runs]
    process, log, deadline = begin(words), runs / "small-long.log", time.monotonic() + 120
    while "step " not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate()
    if number != signal.SIGKILL:
        assert process.returncode == 130
        answer, last = said.splitlines()
        assert answer.startswith("aejax: stopping: ")
        assert last == f"aejax: stopped; go on with the same command and --workdir {runs}"
    while not list(runs.glob("small-long/seed-0/checkpoints/*")):  # without its parent a run stops a little later
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not (empty / "course" / "expected.json").exists()


def test_mistakes_are_refused_in_one_line(empty):
    assert_refused(reproduce(empty), "expected.json: is missing", "--update")
    assert_refused(reproduce(empty, course="nothing"), "collection: unknown", "or the path of a folder of your own")
    assert_refused(reproduce(empty, "--update", "--only", "smal"), "--only: unknown 'smal'", "'small'")
    assert_refused(reproduce(empty, "--seeds", 0), "--seeds 0: allowed: 1 or more")
    assert_refused(reproduce(empty, "--jobs", 0), "--jobs 0: allowed: 1 or more")
    assert not (empty / "runs").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(empty, monkeypatch):
    monkeypatch.setattr(experiments, "run_all", lambda *_, **__: pytest.fail("trained"))
    update = lambda runs: reproduce(empty, "--update", "--only", "small", runs=runs)
    (empty / "file").write_text("")
    for runs in ("file", "file/below"):
        assert_refused(update(runs), f"{empty / runs}: cannot be written")
    (empty / "other").mkdir()
    (empty / "other" / "letter.txt").write_text("")
    assert_refused(update("other"), "holds no reproduction")
    (empty / "killed").mkdir()
    (empty / "killed" / ".unfinished-0123456789abcdef").touch()  # of a reproduction that was killed as it began
    summary.begin(empty / "killed")
    assert (empty / "killed" / summary.REPORT).exists()
    if os.geteuid():  # root may write anywhere
        (empty / "locked").mkdir(mode=0o500)
        assert_refused(update("locked/a"), "cannot be written")
        (empty / "course").chmod(0o500)
        assert_refused(update("runs"), f"{empty / 'course'}: cannot be written")
        (empty / "course").chmod(0o700)


WHOLE = {
    "format": 1,
    "experiments": {
        "a": {
            "quick": True,
            "seconds": 1,
            "metrics": {"test/mse": {"values": [1, "nan"], "tolerance": 0.5, "why": ""}},
            "digests": {"here": ["x"]},
        }
    },
}
LACKS = object()
METRIC = ("experiments", "a", "metrics", "test/mse")
DAMAGED = [
    ((), [], "is damaged: expected an object, got []"),
    (("format",), LACKS, "is damaged: it has no format"),
    (("format",), 7, "is of format 7, this version reads 1"),
    (("format",), True, "is damaged: format: expected a whole number"),
    (("experiments",), LACKS, "is damaged: it has no experiments"),
    (("experiments",), [], "is damaged: experiments: expected an object, got []"),
    (("experiments", "a"), 3, "is damaged: experiments.a: expected an object, got 3"),
    (("experiments", "a", "quick"), LACKS, "is damaged: it has no experiments.a.quick"),
    (("experiments", "a", "quick"), "yes", "is damaged: experiments.a.quick: expected true or false, got 'yes'"),
    (("experiments", "a", "seconds"), None, "is damaged: experiments.a.seconds: expected a number, got None"),
    (METRIC, [1], f"is damaged: {'.'.join(METRIC)}: expected an object, got a list"),
    ((*METRIC, "values"), LACKS, f"is damaged: it has no {'.'.join(METRIC)}.values"),
    ((*METRIC, "values"), [], f"is damaged: {'.'.join(METRIC)}.values: expected a list of 1 or more, got []"),
    ((*METRIC, "values"), ["1"], f"is damaged: {'.'.join(METRIC)}.values.0: expected a number, got '1'"),
    ((*METRIC, "values"), [10**400], "is damaged: a number of 401 digits is too large"),
    ((*METRIC, "tolerance"), -1, f"is damaged: {'.'.join(METRIC)}.tolerance: expected 0 or more, got -1"),
    ((*METRIC, "tolerance"), "nan", f"is damaged: {'.'.join(METRIC)}.tolerance: expected 0 or more, got nan"),
    (("experiments", "a", "digests", "here"), "x", "experiments.a.digests.here: expected a list, got 'x'"),
    (("experiments", "a", "digests", "here"), [1], "experiments.a.digests.here.0: expected text, got 1"),
]


@pytest.mark.parametrize(("path", "value", "said"), DAMAGED)
def test_what_is_damaged_is_named_with_where_it_is(path, value, said, tmp_path):
    changed = json.loads(json.dumps(WHOLE))
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    if not path:
        changed = value
    elif value is LACKS:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    file = tmp_path / "expected.json"
    file.write_text(json.dumps(WHOLE))
    assert record.read(tmp_path)["a"].metrics["test/mse"].values[0] == 1.0
    file.write_text(json.dumps(changed))
    with pytest.raises(UserError) as refusal:
        record.read(tmp_path)
    assert str(refusal.value).startswith(f"{file}: ")
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "line 1 column 1"), (b"{\n", "line 2 column 1"), (b"[" * 10**5, "nested too deeply"), (b"\xff", "utf-8")],
)
def test_a_record_that_is_no_json_is_refused_in_one_line(tmp_path, text, said):
    (tmp_path / "expected.json").write_bytes(text)
    with pytest.raises(UserError, match=f"is damaged: .*{said}"):
        record.read(tmp_path)


def test_only_quick_ones_and_new_configs_are_chosen():
    known = {"a": Recorded(True, 1, {}, {}), "b": Recorded(False, 1, {}, {}), "d:small": Recorded(False, 1, {}, {})}
    specs = ["a", "a:x", "b", "c", "c:x", "d", "d:small"]

    def chosen(known=known, only=None, specs=specs, *, quick=False, update=False):
        arguments = SimpleNamespace(collection="my course", only=only, quick=quick, update=update)
        return record.choose(known, specs, arguments)

    assert chosen(quick=True) == ["a"]
    assert chosen() == ["a", "b", "d:small"]
    assert chosen(update=True) == ["a", "b", "d:small", "c"], "of d a variant is recorded"
    assert chosen(only=["a:x", "c:x", "c:x"], update=True) == ["a:x", "c:x"]
    assert chosen({}, update=True) == ["a", "b", "c", "d"]
    assert record.unrecorded_variants(["a", "c"], known, specs) == ["c:x"]
    for refusal, choice in {
        'none of them is quick; allowed: "quick": true for an experiment in expected': {"only": ["b"], "quick": True},
        "'c' is not recorded; record it with aejax reproduce 'my course' --update": {"only": ["c"]},
        "unknown 'e'": {"only": ["e"]},
        "there is no experiment to run: nothing is recorded; record it with": {"known": {}},
        "the folder has no config": {"known": {}, "specs": [], "update": True},
        "records 'a', and there is no such experiment": {"specs": ["b"]},
    }.items():
        with pytest.raises(UserError, match=refusal):
            chosen(**choice)


def recorded(values, tolerance=0.1, **digests):
    return Recorded(True, 1.0, {"test/mse": Number(tuple(values), tolerance, "")}, digests)


def ran(value=1.0, digest="a", machine="here"):
    return Run({"test/mse": value}, digest, 1.0, machine)


@pytest.mark.parametrize(
    ("values", "got", "verdict"),
    [
        ([1.0, 3.0], [1.1, 3.1], "held"),
        ([1.0, 3.0], [1.3, 3.3], "off"),
        ([1.0, 3.0], [1.15], "held"),  # one seed is compared with that seed
        ([1.0, 3.0], [2.0], "off"),
        ([1.0], [math.nan], "not a number"),
        ([math.nan], [math.nan], "held"),
        ([math.inf], [math.inf], "held"),
        ([1e-33], [-2e-33], "held"),  # what rounding leaves of 0
        ([math.nan], [1.0], "off"),
    ],
)
def test_means_over_the_same_seeds_are_compared(values, got, verdict):
    (line,) = compare.compare("x", recorded(values, 0.2), list(map(ran, got)))
    assert line.verdict == verdict
    assert line.fails == (verdict != "held")
    assert compare.compare("x", recorded(values, 0.2), [Run({}, "a", 1.0, "here")])[0].verdict == "missing"


@pytest.mark.parametrize(
    ("digests", "machines", "value", "verdicts"),
    [
        ("ab", ("here", "here"), 1.0, ["equal", "same bits"]),
        ("abc", ("here", "here"), 1.0, ["equal", "same bits"]),
        ("ac", ("here", "here"), 1.0, ["held", "other bits"]),
        ("ac", ("elsewhere", "elsewhere"), 1.0, ["held"]),
        ("ab", ("here", "here"), 1.000001, ["off", "same bits"]),
        ("ab", ("elsewhere", "elsewhere"), 1.000001, ["held"]),
        ("ac", ("here", "elsewhere"), 1.0, ["held", "same bits"]),
    ],
)
def test_bits_and_digits_count_only_on_the_machine_that_recorded_them(digests, machines, value, verdicts):
    runs = [ran(value, digest, machine) for digest, machine in zip("ab", machines, strict=True)]
    lines = compare.compare("x", recorded([1, 1], here=tuple(digests)), runs)
    assert [line.verdict for line in lines] == verdicts


def test_new_bits_here_make_those_of_other_machines_stale():
    old = Recorded(False, 1.0, {}, {"here": ("a",), "there": ("x",)})
    updated = lambda digest, machine, old=old: record.updated(old, [ran(digest=digest, machine=machine)], hold=False)
    assert updated("a", "here").digests == {"here": ("a",), "there": ("x",)}
    assert updated("b", "here").digests == {"here": ("b",)}
    assert updated("b", "third").digests == {"here": ("a",), "there": ("x",), "third": ("b",)}
    assert not updated("a", "here").quick, "what a person set stays"
    assert updated("a", "here", None).quick


ZEN, XEON = ("cpu, AMD EPYC, family 23, model 49, avx2, jaxlib 1", "cpu, Xeon, family 6, model 85, avx2, jaxlib 1")


@pytest.mark.parametrize(
    ("machine", "digest", "verdicts"),
    [
        (ZEN, "a", ["equal", "same bits"]),
        (ZEN, "b", ["held", "other bits"]),
        (XEON, "a", ["held", "same bits"]),
        (XEON, "b", ["held"]),  # which nobody promised
        (XEON.replace("avx2", "avx512f"), "a", ["held"]),
        (XEON.replace("jaxlib 1", "jaxlib 2"), "a", ["held"]),
    ],
)
def test_processors_with_the_same_instructions_may_agree(machine, digest, verdicts):
    known = recorded([1.0])._replace(digests={ZEN: ("a",)}, machine=ZEN)
    assert [line.verdict for line in compare.compare("x", known, [ran(1.0, digest, machine)])] == verdicts


def test_digits_count_on_the_machine_that_the_numbers_are_of_which_stay_while_they_hold():
    known = recorded([1.0], here=("a",), there=("a",))._replace(machine="there")
    assert [line.verdict for line in compare.compare("x", known, [ran(1.001)])] == ["held", "same bits"]
    third = ran(1.001, "c", "third")
    added = record.updated(known, [third], hold=True)
    assert added == known._replace(digests={**known.digests, "third": ("c",)})
    assert record.updated(known, [third], hold=False).machine == "third"
    assert record.updated(known, [ran(1.001, "a", "there")], hold=True).metrics["test/mse"].values == (1.001,)


def test_instructions_that_are_forbidden_do_not_tell_machines_apart():
    machine = {"backend": "cpu", "devices": ["cpu:0 cpu"], "processor": "Xeon, avx512f", "packages": {"jaxlib": "1"}}
    assert record.fingerprint(machine) == "cpu, Xeon, avx512f, jaxlib 1"
    assert record.fingerprint(machine | {"xla_flags": " ".join(experiments.PORTABLE)}) == "cpu, Xeon, avx2, jaxlib 1"


def test_what_only_some_seeds_have_is_not_recorded():
    runs = [Run({"test/mse": 1.0, "baselines/pca_15/mse": 2.0}, "a", 1.0, "here"), ran(3.0, "b")]
    assert record.updated(None, runs, hold=False).metrics == {"test/mse": record.number([1.0, 3.0])}


def test_times_are_not_recorded():
    content = {
        "metrics": {"train": {"mse": 1.0}, "test": {"mse": 2.0, "predict_seconds": 1.0}, "all": {"accuracy": 0.5}},
        "baselines": {"pca": {"mse": 3.0, "time_ratio": 9.0, "kind": "linear"}},
    }
    assert record.numbers_of(content) == {"test/mse": 2.0, "all/accuracy": 0.5, "baselines/pca/mse": 3.0}


def test_seeds_beyond_are_one_line_for_each_range():
    known = {"a": recorded([1.0] * 2), "b": recorded([1.0] * 2), "c": recorded([1.0] * 5)}
    known["d"] = Recorded(True, 1.0, {}, {})
    results = [Result(name, (ran(),) * 5) for name in known]
    assert list(summary.seeds_beyond(results, known)) == ["seeds 2–4 of a, b have nothing recorded"]


def test_what_is_counted_is_numbers_and_other_bits_are_named():
    known = {"same": recorded([1.0], here=("a",)), "other": recorded([1.0], here=("b",)), "elsewhere": recorded([1.0])}
    known["empty"] = Recorded(True, 1.0, {}, {})
    results = [Result(name, (ran(),)) for name in known]
    lines = compare.compare_all(results, known)
    results += [Result("far", (), "get it", missing=True), Result("broken", (), "it broke")]
    assert list(summary.verdicts(lines, results, {})) == [
        "3 of 3 numbers held",
        "checked bit for bit, as recorded on such a machine: other, same",
        "the parameters have other bits than recorded: other",
        "checked within the tolerance, as recorded on other machines: elsewhere",
        "nothing is recorded to compare with: empty",
        "not run, data not at hand: far",
        "failed: broken",
    ]
    (line,) = compare.compare("x", recorded([1.0]), (ran(),))
    assert next(summary.verdicts([line], [], {})) == "1 of 1 number held"


def test_a_machine_that_is_not_recorded_is_told_what_differs():
    old = "cpu, AMD EPYC, family 26, model 2, avx512f, jaxlib 0.10.2"
    recorded = {"a": Recorded(True, 1.0, {}, {old: ("0",), "cpu, Other, avx2, jaxlib 0.9": ("1",)})}
    run = lambda machine: Result("a", (Run({}, "0", 1.0, machine),))
    (line,) = summary.elsewhere([run(old.replace("0.10.2", "0.12.0"))], recorded, [])
    assert "jaxlib 0.12.0, recorded 0.10.2" in line
    assert "processor" not in line
    assert (ROOT / summary.LOCKED).exists()
    (line,) = summary.elsewhere([run(old.replace("family 26, model 2, avx512f", "family 23, avx2"))], recorded, [])
    assert "processor AMD EPYC, family 23, avx2, recorded AMD EPYC, family 26, model 2, avx512f" in line
    assert "jaxlib" not in line
    assert not list(summary.elsewhere([run(old)], recorded, []))
    assert not list(summary.elsewhere([run(old)], {}, []))


def test_data_that_are_not_there_are_told_with_the_path_that_was_tried(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "wine.py").write_text(SMALL.replace('"clusters"', '"file:wine.csv"'))
    (folder / "wine.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    (result,) = experiments.run_all(folder, {"wine": 1}, tmp_path / "runs", {}, at_once=1, cache=False)
    tried = f"file:wine.csv: there is no {Path.cwd() / 'wine.csv'}; paths of data start at the current folder"
    assert (result.trouble, result.missing) == (tried, False)
    assert f"wine: failed: {tried}\n" in capsys.readouterr().out


def job(name, seeds, folder):
    return jobs.Job(name, "", {"spec": "", "seeds": seeds}, folder)


def finish(folder, **timing):
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps({"timing": timing}))


def test_seeds_are_spread_where_there_are_fewer_experiments_than_cores(tmp_path):
    todo = [job("a", (0, 1, 2), tmp_path / "a"), job("s", (), tmp_path / "s")]
    of = lambda at_once: [(each.name, each.arguments["seeds"]) for each in experiments.spread(todo, at_once)]
    assert of(1) == of(2) == of(3) == [("a", (0, 1, 2)), ("s", ())]
    assert of(4) == [("a", (0, 2)), ("a", (1,)), ("s", ())]
    assert of(20) == [("a", (0,)), ("a", (1,)), ("a", (2,)), ("s", ())]
    assert experiments.spread([], 2) == []


def test_runs_of_a_split_experiment_are_counted_once_each(tmp_path, capsys):
    halves = experiments.spread([job("a", (0, 1), tmp_path)], 2)
    report = experiments.progress(halves, {"a": 0.0}, 2)
    for seed, half in enumerate(halves):
        finish(tmp_path / f"seed-{seed}", train_seconds=1)
        report()
        report(half)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 runs, 2 at a time"
    assert [line[:5] for line in said[1:]] == ["[1/2]", "[2/2]"]
    experiments.progress([job("a", (7,), tmp_path)], {"a": 0.0}, 1)
    assert "1 run, 1 at a time" in capsys.readouterr().out


def test_the_time_left_goes_by_what_was_recorded_and_by_the_pace(tmp_path, capsys):
    todo = [job(name, (0, 1), tmp_path / name) for name in ("a", "b")]
    report = experiments.progress(todo, {"a": 60.0, "b": 600.0}, 2)
    assert capsys.readouterr().out == "4 runs, 2 at a time; about 20 min left\n", "the longest is a bound"
    finish(tmp_path / "a" / "seed-0", train_seconds=100, evaluate_seconds=20, steps=9)
    report()
    assert capsys.readouterr().out == "[1/4] a, seed 0: 120.0 s; about 40 min left\n", "half as fast"
    report(todo[1], "it broke")
    assert capsys.readouterr().out == "[3/4] b: failed: it broke; about 2 min left\n"


def test_a_process_that_is_killed_is_told(tmp_path, monkeypatch):
    (tmp_path / "aejax").mkdir()
    (tmp_path / "aejax" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.chdir(tmp_path)
    killed = jobs.Job("a", "", {}, tmp_path / "a", {"PYTHONPATH": str(tmp_path)})
    ended = [(killed, f"its process was ended by SIGKILL; see {tmp_path / 'a.log'}")]
    assert list(jobs.run([killed], jobs.processes(1))) == ended


def test_jobs_begin_in_order_so_many_at_a_time_and_a_stop_ends_those_that_have_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "POLL_SECONDS", 0.0)
    todo, begun, stopped = [jobs.Job(name, "", {}, tmp_path) for name in "abc"], [], []
    start = lambda some: begun.extend(job.name for job in some) or [job.name for job in some]
    engine = jobs.Engine(start, {"a": "it broke", "b": "", "c": ""}.get, stopped.extend, at_once=2)
    ended = jobs.run(todo, engine)
    assert next(ended) == (todo[0], "it broke")
    assert begun == ["a", "b"]
    assert list(ended) == [(todo[1], ""), (todo[2], "")]
    assert stopped == []
    ended = jobs.run(todo, engine._replace(poll=lambda handle: "" if handle == "a" else None))
    assert next(ended) == (todo[0], "")
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(InterruptedRunError):
        next(ended)
    assert stopped == ["b"]


@pytest.mark.slow
def test_recorded_runs_are_shown_where_an_experiment_is_not_run_again(root, capsys):
    answer = reproduce(root, "--update-runs", "--seeds", 2)
    assert answer.code == 0, answer
    folder = root / "course" / "recorded"
    assert f"{folder}: the runs\n" in answer.out
    assert {line["verdict"] for line in report_of(root / "course", "recorded")["lines"]} <= set(verdicts.GOOD)
    files = {path.relative_to(folder / "small").as_posix() for path in folder.glob("small/*/*")}
    first = ("config.json", "summary.json", "checksums.json", "dataset.json", "environment.json", "model")
    assert files == {f"seed-0/{name}" for name in first} | {f"seed-1/{name}" for name in first[:3]}
    assert not list(folder.rglob("*.png"))
    assert reproduce(root, "--update-runs", "--only", "small:wide", "--seeds", 1, runs="wide").code == 0
    page, summaries = (root / "wide" / "report.html").read_text(), [*folder.glob("small/*/summary.json")]
    texts = catalogue("en").text["verdicts"]
    assert page.count(f'<span class="badge recorded">{texts["recorded"]}</span>') == 1, "small, not small:wide"
    values = [json.loads(path.read_text())["metrics"]["test"]["mse"] for path in sorted(summaries)]
    assert catalogue("en").spread(values) in page
    recorded = json.loads((folder / "reproduce.json").read_text())
    assert {line["experiment"] for line in recorded["lines"]} == {"small", "small:wide"}, (
        "what was recorded before stays"
    )
    assert cli.main(["report", str(folder), "--lang", "en,es"]) == 0
    assert "aejax" not in capsys.readouterr().err
    for name, other in (("report.html", "report.es.html"), ("report.es.html", "report.html")):
        shown = (folder / name).read_text()
        assert f'<a href="{other}"' in shown
        assert 'class="badge recorded"' not in shown, "all of it is recorded, so no experiment is marked"
    summaries[0].write_text(summaries[0].read_text().replace("0", "1", 1))
    assert reproduce(root, "--only", "small:wide", "--seeds", 1, runs="wide").code == 0, "a damaged record is left out"
