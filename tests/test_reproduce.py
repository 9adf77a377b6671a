"""Reproduction: what is recorded is held against what comes out; a changed digit fails, and nothing is passed over."""

import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import time

import pytest
from running import SMALL, assert_refused, call, command, environment, quick_processes

from aejax.reproduce import compare, processes, record, run, summary
from aejax.reproduce.compare import Run
from aejax.reproduce.record import Number, Recorded

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


@pytest.fixture
def folder(tmp_path):
    """A collection of one config and its variants."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "small.py").write_text(CONFIG)
    return tmp_path / "course"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A collection that is recorded, two seeds of two experiments, and the runs of that."""
    root = tmp_path_factory.mktemp("original")
    (root / "course").mkdir()
    (root / "course" / "small.py").write_text(CONFIG)
    words = ["reproduce", str(root / "course"), "--update", "--seeds", "2", "--only", "small", "small:wide"]
    done = subprocess.run(command([*words, "--workdir", root / "runs"]), capture_output=True, text=True)
    assert done.returncode == 0, done
    return root, done.stdout


@pytest.fixture
def recorded_folder(original, tmp_path):
    """A copy of that, to be changed."""
    shutil.copytree(original[0], tmp_path / "copy")
    return tmp_path / "copy" / "course"


def reproduce(folder, capsys, *words, place=None):
    place = place or folder.parent / f"runs-{len(list(folder.parent.iterdir()))}"
    return call(["reproduce", str(folder), "--workdir", str(place), *words], capsys), place


def content(folder):
    return json.loads((folder / "expected.json").read_text())


def report_of(place):
    return json.loads((place / "reproduce.json").read_text())


@pytest.mark.slow
def test_what_was_recorded_holds_bit_for_bit_in_a_second_run(recorded_folder, capsys, original):
    found = content(recorded_folder)["experiments"]
    assert set(found) == {"small", "small:wide"}
    own = found["small"]["metrics"]["test/mse"]
    assert len(own["values"]) == 2
    assert own["tolerance"] == pytest.approx(4 * statistics.stdev(own["values"]), rel=0.05)
    assert "baselines/pca/mse" in found["small"]["metrics"]
    assert found["small"]["seconds"] > 0
    assert "[4/4] " in original[1]

    again, place = reproduce(recorded_folder, capsys)
    assert again.code == 0, again
    report = report_of(place)
    verdicts = [line["verdict"] for line in report["lines"]]
    assert verdicts.count("same bits") == 2
    assert set(verdicts) == {"equal", "same bits"}
    assert len(verdicts) == sum(len(each["metrics"]) + 1 for each in found.values())
    assert report["checked"] == {"small": "bits", "small:wide": "bits"}


@pytest.mark.slow
@pytest.mark.parametrize("machine", ["the one that recorded", "another"])
def test_a_changed_digit_makes_it_fail(recorded_folder, capsys, machine):
    changed = content(recorded_folder)
    own = changed["experiments"]["small"]["metrics"]["test/mse"]
    if machine == "another":
        changed["experiments"]["small"]["digests"] = {}
        own["values"][0] += 2.5 * own["tolerance"]
    else:
        text = repr(own["values"][0])
        own["values"][0] = float(text[:-1] + ("1" if text[-1] != "1" else "2"))
    (recorded_folder / "expected.json").write_text(json.dumps(changed))
    answer, place = reproduce(recorded_folder, capsys, place=recorded_folder.parent / "runs")
    assert answer.code == 1
    off = [line for line in report_of(place)["lines"] if line["verdict"] == "off"]
    assert [(line["experiment"], line["metric"]) for line in off] == [("small", "test/mse")]
    assert report_of(place)["checked"]["small"] == ("tolerance" if machine == "another" else "bits")


@pytest.mark.slow
def test_other_bits_make_it_fail(recorded_folder, capsys):
    changed = content(recorded_folder)
    (digests,) = changed["experiments"]["small:wide"]["digests"].values()
    digests[1] = digests[0]
    (recorded_folder / "expected.json").write_text(json.dumps(changed))
    words = ("--only", "small:wide")
    answer, _ = reproduce(recorded_folder, capsys, *words, place=recorded_folder.parent / "runs")
    assert answer.code == 1
    assert "other bits" in answer.out


@pytest.mark.slow
def test_a_number_that_is_none_fails_and_is_not_recorded(recorded_folder, capsys):
    before, place = (recorded_folder / "expected.json").read_text(), recorded_folder.parent / "runs"
    path = place / "small" / "seed-1" / "summary.json"
    summary = json.loads(path.read_text())
    summary["metrics"]["test"]["mse"] = "nan"
    path.write_text(json.dumps(summary))
    answer, _ = reproduce(recorded_folder, capsys, place=place)
    assert answer.code == 1
    assert [line["verdict"] for line in report_of(place)["lines"]].count("not a number") == 1
    answer, _ = reproduce(recorded_folder, capsys, "--update", "--only", "small", place=place)
    assert answer.code == 1
    assert "not recorded, for a number that is none any more: small" in answer.out
    assert (recorded_folder / "expected.json").read_text() == before
    del summary["metrics"]["test"]["mse"]
    path.write_text(json.dumps(summary))
    answer, _ = reproduce(recorded_folder, capsys, place=place)
    assert answer.code == 1
    assert any(line.startswith("small ") and line.endswith("missing") for line in answer.out.splitlines())


@pytest.mark.slow
def test_data_not_at_hand_and_a_failure_are_told_and_the_others_go_on(recorded_folder, capsys):
    place = recorded_folder.parent / "runs"
    known = content(recorded_folder)
    known["experiments"] |= {f"small:{name}": known["experiments"]["small"] for name in ("far", "broken")}
    (recorded_folder / "expected.json").write_text(json.dumps(known))
    answer, _ = reproduce(recorded_folder, capsys, place=place)
    assert answer.code == 1, "one failed"
    report = report_of(place)
    assert report["not_run"] == {"small:far": "kmnist is not at hand; get it with: aejax data prepare kmnist"}
    assert list(report["failed"]) == ["small:broken"]
    assert "training stopped" in report["failed"]["small:broken"]
    assert {line["experiment"] for line in report["lines"]} == {"small", "small:wide"}, "only what was run is judged"
    only, _ = reproduce(recorded_folder, capsys, "--only", "small", "small:far", place=place)
    assert only.code == 0
    assert "not run, data not at hand: small:far" in only.out


@pytest.mark.slow
def test_finished_runs_are_read_and_keep_their_time(recorded_folder, capsys):
    place = recorded_folder.parent / "runs"
    before = (place / "small" / "seed-0" / "summary.json").stat().st_mtime_ns
    seconds = content(recorded_folder)["experiments"]["small"]["seconds"]
    assert reproduce(recorded_folder, capsys, "--update", place=place)[0].code == 0
    assert (place / "small" / "seed-0" / "summary.json").stat().st_mtime_ns == before
    assert content(recorded_folder)["experiments"]["small"]["seconds"] == seconds


@pytest.mark.slow
def test_what_is_listed_and_not_recorded_does_not_pass(recorded_folder, capsys):
    known = content(recorded_folder)
    known["experiments"]["small"] |= {"metrics": {}, "digests": {}}
    (recorded_folder / "expected.json").write_text(json.dumps(known))
    place = recorded_folder.parent / "runs"
    answer, _ = reproduce(recorded_folder, capsys, "--seeds", "2", place=place)
    assert answer.code == 1
    assert "not recorded" in answer.out
    answer, _ = reproduce(recorded_folder, capsys, "--update", "--seeds", "2", place=place)
    assert answer.code == 0
    assert len(content(recorded_folder)["experiments"]["small"]["metrics"]["test/mse"]["values"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("rates", "code"), [("[0.001, 0.01]", 0), ("[]", 1)])
def test_sweeps_of_the_configs_are_done_and_do_not_stop_the_others(recorded_folder, capsys, rates, code):
    (recorded_folder / "small.py").write_text(CONFIG + SWEEP % rates)
    place = recorded_folder.parent / "runs"
    answer, _ = reproduce(recorded_folder, capsys, place=place)
    assert answer.code == code, answer
    assert (place / "sweeps" / "small" / "table.csv").exists() == (code == 0)
    assert ("sweeps/small" in report_of(place)["failed"]) == (code == 1)
    assert len(report_of(place)["lines"]) > 4
    quick, _ = reproduce(recorded_folder, capsys, "--quick", place=place)
    assert quick.code == 0
    assert "sweeps/small" not in quick.out


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_stop_reaches_the_runs_and_the_folder_goes_on(folder, number, tmp_path):
    place = tmp_path / "runs"
    words = ["reproduce", folder, "--update", "--seeds", "1", "--only", "small:long", "--workdir", place]
    process = subprocess.Popen(command(words), env=environment(), stderr=subprocess.PIPE, text=True)
    log, deadline = place / "small-long" / "log.txt", time.monotonic() + 120
    while "step " not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    if number != signal.SIGKILL:
        assert process.returncode == 130
        assert said == f"aejax: stopped; go on with the same command and --workdir {place}\n"
    while not list(place.glob("small-long/seed-0/checkpoints/*")):  # without its parent a run stops a little later
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (folder / "expected.json").exists()


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is damaged: line 1, column 1: is not JSON"),
        ('{"format": 7, "experiments": {}}', "is of format 7, this version reads 1"),
        ('{"format": 1, "experiments": {}}', "there is no experiment to run: nothing is recorded; record it with"),
        (
            '{"format": 1, "experiments": {"gone": {"quick": true, "seconds": 1, "metrics": {}, "digests": {}}}}',
            "records 'gone', and there is no such experiment",
        ),
    ],
)
def test_a_damaged_record_is_refused_in_one_line(folder, capsys, text, fragment):
    (folder / "expected.json").write_text(text)
    assert_refused(reproduce(folder, capsys)[0], fragment)


def test_other_mistakes_are_refused_in_one_line(folder, capsys, tmp_path):
    assert_refused(reproduce(folder, capsys)[0], "expected.json: is missing", "--update")
    assert_refused(call(["reproduce", "nothing"], capsys), "collection: unknown 'nothing'")
    assert_refused(reproduce(folder, capsys, "--update", "--only", "smal")[0], "--only: unknown 'smal'", "'small'")
    assert_refused(reproduce(folder, capsys, "--seeds", "0")[0], "--seeds 0: allowed: 1 or more")
    assert_refused(reproduce(folder, capsys, "--jobs", "0")[0], "--jobs 0: allowed: 1 or more")


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_trained(folder, capsys, tmp_path, monkeypatch):
    words = ("--update", "--only", "small")
    monkeypatch.setattr(run, "run_all", lambda *_, **__: pytest.fail("trained"))
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert_refused(reproduce(folder, capsys, *words, place=place)[0], f"{place}: cannot be written")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("")
    assert_refused(reproduce(folder, capsys, *words, place=tmp_path / "other")[0], "holds no reproduction")
    if os.geteuid():  # root may write anywhere
        (tmp_path / "locked").mkdir(mode=0o500)
        assert_refused(reproduce(folder, capsys, *words, place=tmp_path / "locked" / "a")[0], "cannot be written")
        folder.chmod(0o500)
        assert_refused(reproduce(folder, capsys, *words)[0], f"{folder}: cannot be written")
        folder.chmod(0o700)


def recorded(values, tolerance, digests=()):
    return Recorded(
        True, 1.0, {"test/mse": Number(tuple(values), tolerance, "")}, {"here": tuple(digests)} if digests else {}
    )


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
    runs = [Run({"test/mse": value}, "a", 1.0, "here") for value in got]
    (line,) = compare.compare("x", recorded(values, 0.2), runs)
    assert line.verdict == verdict
    assert line.fails == (verdict != "held")
    assert compare.compare("x", recorded(values, 0.2), [Run({}, "a", 1.0, "here")])[0].verdict == "missing"


def test_bits_and_digits_count_only_on_the_machine_that_recorded_them():
    def verdicts(digests, *machines, value=1.0):
        made = zip("ab", machines, strict=True)
        runs = [Run({"test/mse": value}, digest, 1.0, machine) for digest, machine in made]
        return [line.verdict for line in compare.compare("x", recorded([1, 1], 0.1, digests), runs)]

    assert verdicts("ab", "here", "here") == ["equal", "same bits"]
    assert verdicts("abc", "here", "here") == ["equal", "same bits"]
    assert verdicts("ac", "here", "here") == ["held", "other bits"]
    assert verdicts("ac", "elsewhere", "elsewhere") == ["held"]
    assert verdicts("ab", "here", "here", value=1.000001) == ["off", "same bits"]
    assert verdicts("ab", "elsewhere", "elsewhere", value=1.000001) == ["held"]
    assert verdicts("ac", "here", "elsewhere") == ["held", "same bits"]


def test_new_bits_here_make_those_of_other_machines_stale():
    old = Recorded(False, 1.0, {}, {"here": ("a",), "there": ("x",)})
    runs = lambda digest, machine: [Run({"test/mse": 1.0}, digest, 2.0, machine)]
    assert run.updated(old, runs("a", "here")).digests == {"here": ("a",), "there": ("x",)}
    assert run.updated(old, runs("b", "here")).digests == {"here": ("b",)}
    assert run.updated(old, runs("b", "third")).digests == {"here": ("a",), "there": ("x",), "third": ("b",)}
    assert not run.updated(old, runs("a", "here")).quick, "what a person set stays"
    assert run.updated(None, runs("a", "here")).quick


def test_what_only_some_seeds_have_is_not_recorded():
    runs = [Run({"test/mse": 1.0, "baselines/pca_15/mse": 2.0}, "a", 1.0, "here")]
    runs.append(Run({"test/mse": 3.0}, "b", 1.0, "here"))
    assert run.updated(None, runs).numbers == {"test/mse": record.number([1.0, 3.0])}


def test_times_are_not_recorded():
    summary = {
        "metrics": {"train": {"mse": 1.0}, "test": {"mse": 2.0, "predict_seconds": 1.0}, "all": {"accuracy": 0.5}},
        "baselines": {"pca": {"mse": 3.0, "time_ratio": 9.0, "kind": "linear"}},
    }
    assert record.numbers_of(summary) == {"test/mse": 2.0, "all/accuracy": 0.5, "baselines/pca/mse": 3.0}


def test_the_time_left_goes_by_what_was_recorded_and_by_the_pace(tmp_path, capsys):
    jobs = [
        processes.Job(name, "", (0, 1), tmp_path / name, seconds, True) for name, seconds in (("a", 60.0), ("b", 600.0))
    ]
    tell = summary.progress(jobs, 2)
    assert capsys.readouterr().out == "4 runs, 2 at a time; about 20 min left\n", "the longest is a bound"
    run = tmp_path / "a" / "seed-0"
    run.mkdir(parents=True)
    (run / "summary.json").write_text('{"timing": {"train_seconds": 100, "evaluate_seconds": 20, "steps": 9}}')
    tell(processes.Event(jobs[0], run, ""))
    assert capsys.readouterr().out == "[1/4] a, seed 0: 120.0 s; about 40 min left\n", "half as fast"
    tell(processes.Event(jobs[1], None, "it broke"))
    assert capsys.readouterr().out == "[3/4] b: failed: it broke; about 2 min left\n"


def test_a_process_that_is_killed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "environment", lambda: {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)})
    (tmp_path / "aejax").mkdir()
    (tmp_path / "aejax" / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    monkeypatch.chdir(tmp_path)
    job = processes.Job("a", "", (0,), tmp_path / "a", 1.0, True)
    (event,) = processes.run([job], 1, lambda: False)
    assert event == processes.Event(job, None, f"its process was ended by SIGKILL; see {tmp_path / 'a' / 'log.txt'}")
