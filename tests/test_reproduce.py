"""Reproduction: what is recorded is held against what comes out; a changed digit fails, and nothing is passed over."""

import json
import math
import statistics

import pytest
from running import assert_refused, call, quick_programs

from aejax.errors import UserError
from aejax.reproduce import command, compare, engine, record
from aejax.reproduce.compare import Got
from aejax.reproduce.record import Number, Recorded

CONFIG = '''"""Small. aejax run it."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "clusters"
    config.data.rows = 60
    config.model = {"name": "dense.multilayer", "widths": (3,), "code": 2}
    config.train.steps, config.train.batch_size = 20, 16
    config.report.figures = False
    return config


def variants():
    return {
        "wide": {"model.widths": (5,)},
        "far": {"data": base().data.to_dict() | {"name": "kmnist"}},
        "broken": {"optimizer.learning_rate": 1e30},
    }
'''


@pytest.fixture(scope="module", autouse=True)
def _quick(tmp_path_factory):
    with quick_programs(tmp_path_factory.getbasetemp() / "programs"):
        yield


@pytest.fixture
def folder(tmp_path):
    """A collection of one config and its variants."""
    (tmp_path / "course").mkdir()
    (tmp_path / "course" / "small.py").write_text(CONFIG)
    return tmp_path / "course"


def reproduce(folder, capsys, *words):
    place = folder.parent / f"runs-{len(list(folder.parent.iterdir()))}"
    return call(["reproduce", str(folder), "--workdir", str(place), *words], capsys), place


def content(folder):
    return json.loads((folder / "expected.json").read_text())


def test_what_was_recorded_holds_bit_for_bit_and_a_changed_digit_does_not(folder, capsys):
    recorded, _ = reproduce(folder, capsys, "--update", "--seeds", "2", "--only", "small", "small:wide")
    assert recorded.code == 0, recorded
    found = content(folder)["experiments"]
    assert set(found) == {"small", "small:wide"}
    own = found["small"]["metrics"]["test/mse"]
    assert len(own["values"]) == 2
    assert own["tolerance"] == pytest.approx(4 * statistics.stdev(own["values"]), rel=0.05)
    assert "baselines/pca/mse" in found["small"]["metrics"]

    again, place = reproduce(folder, capsys)
    assert again.code == 0, again
    report = json.loads((place / "reproduce.json").read_text())
    verdicts = [line["verdict"] for line in report["lines"]]
    assert verdicts.count("same bits") == 2
    assert set(verdicts) == {"held", "same bits"}
    assert len(verdicts) == sum(len(each["metrics"]) + 1 for each in found.values())

    changed = content(folder)
    changed["experiments"]["small"]["metrics"]["test/mse"]["values"] = [value * 2 for value in own["values"]]
    (folder / "expected.json").write_text(json.dumps(changed))
    answer, _ = reproduce(folder, capsys)
    assert answer.code == 1
    assert sum(line.endswith("off") for line in answer.out.splitlines()) == 1

    changed = content(folder)
    (digests,) = changed["experiments"]["small:wide"]["digests"].values()
    digests[1] = digests[0]
    (folder / "expected.json").write_text(json.dumps(changed))
    answer, _ = reproduce(folder, capsys, "--only", "small:wide")
    assert answer.code == 1
    assert "other bits" in answer.out


def test_data_not_at_hand_and_a_failure_are_told_and_the_others_go_on(folder, capsys):
    assert reproduce(folder, capsys, "--update", "--seeds", "1", "--only", "small")[0].code == 0
    recorded = content(folder)
    recorded["experiments"] |= {f"small:{name}": recorded["experiments"]["small"] for name in ("far", "broken")}
    (folder / "expected.json").write_text(json.dumps(recorded))
    answer, place = reproduce(folder, capsys)
    assert answer.code == 1, "one failed"
    report = json.loads((place / "reproduce.json").read_text())
    assert report["not_run"] == {"small:far": "kmnist is not at hand; get it with: aejax data prepare kmnist"}
    assert list(report["failed"]) == ["small:broken"]
    assert "training stopped" in report["failed"]["small:broken"]
    assert {line["experiment"] for line in report["lines"]} == {"small"}, "what was not run is not judged"
    only, _ = reproduce(folder, capsys, "--only", "small", "small:far")
    assert only.code == 0
    assert "not run, data not at hand: small:far" in only.out


def test_a_stopped_reproduction_reads_what_is_finished(folder, capsys):
    reproduce(folder, capsys, "--update", "--seeds", "1", "--only", "small")
    _, place = reproduce(folder, capsys)
    before = (place / "small" / "seed-0" / "summary.json").stat().st_mtime_ns
    assert call(["reproduce", str(folder), "--workdir", str(place)], capsys).code == 0
    assert (place / "small" / "seed-0" / "summary.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("", "is damaged"),
        ("[]", "is damaged"),
        ('{"format": 1}', "is damaged"),
        ('{"format": 7, "experiments": {}}', "is of format 7, this version reads 1"),
        ('{"format": 1, "experiments": {"small": {}}}', "is damaged"),
        ('{"format": 1, "experiments": {}}', "there is no experiment to run"),
        (
            '{"format": 1, "experiments": {"gone": {"quick": true, "seconds": 1, "metrics": {}, "digests": {}}}}',
            "records 'gone', and there is no such experiment",
        ),
        (
            '{"format": 1, "experiments": {"small": {"quick": true, "seconds": 1, "digests": {}, "metrics": '
            '{"test/mse": {"values": [], "tolerance": 1, "why": ""}}}}}',
            "a metric without values",
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
    (tmp_path / "file").write_text("")
    answer = call(
        ["reproduce", str(folder), "--update", "--only", "small", "--workdir", str(tmp_path / "file")], capsys
    )
    assert answer.code in (1, 2)
    assert "Traceback" not in answer.err


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
        ([1.0], [math.nan], "off"),
        ([math.nan], [math.nan], "held"),
    ],
)
def test_means_over_the_same_seeds_are_compared(values, got, verdict):
    runs = [Got({"test/mse": value}, "a", 1.0) for value in got]
    (line,) = compare.compare("x", recorded(values, 0.2), runs, "here")
    assert line.verdict == verdict
    assert compare.fails(line) == (verdict == "off")
    assert compare.compare("x", recorded(values, 0.2), [Got({}, "a", 1.0)], "here")[0].verdict in ("off", verdict)


def test_bits_count_only_on_the_machine_that_recorded_them():
    runs = [Got({"test/mse": 1.0}, digest, 1.0) for digest in "ab"]
    verdict = lambda digests, machine: [
        line.verdict for line in compare.compare("x", recorded([1], 1, digests), runs, machine)
    ]
    assert verdict("ab", "here") == ["held", "same bits"]
    assert verdict("abc", "here") == ["held", "same bits"]
    assert verdict("ac", "here") == ["held", "other bits"]
    assert verdict("ac", "elsewhere") == ["held"]


def test_new_bits_here_make_those_of_other_machines_stale():
    old = Recorded(False, 1.0, {}, {"here": ("a",), "there": ("x",)})
    runs = lambda digest: [Got({"test/mse": 1.0}, digest, 2.0)]
    assert engine.updated(old, runs("a"), "here").digests == {"here": ("a",), "there": ("x",)}
    assert engine.updated(old, runs("b"), "here").digests == {"here": ("b",)}
    assert engine.updated(old, runs("b"), "third").digests == {"here": ("a",), "there": ("x",), "third": ("b",)}
    assert not engine.updated(old, runs("a"), "here").quick, "what a person set stays"
    assert engine.updated(None, runs("a"), "here").quick


def test_what_only_some_seeds_have_is_not_recorded():
    runs = [Got({"test/mse": 1.0, "baselines/pca_15/mse": 2.0}, "a", 1.0), Got({"test/mse": 3.0}, "b", 1.0)]
    assert engine.updated(None, runs, "here").numbers == {"test/mse": record.number([1.0, 3.0])}


def test_times_are_not_recorded():
    summary = {
        "metrics": {"train": {"mse": 1.0}, "test": {"mse": 2.0, "predict_seconds": 1.0}, "all": {"accuracy": 0.5}},
        "baselines": {"pca": {"mse": 3.0, "time_ratio": 9.0}},
    }
    assert record.numbers_of(summary) == {"test/mse": 2.0, "all/accuracy": 0.5, "baselines/pca/mse": 3.0}


def test_quick_takes_the_quick_ones():
    known = {"a": Recorded(True, 1, {}, {}), "b": Recorded(False, 1, {}, {})}
    assert command.chosen(known, ["a", "b", "c"], None, quick=True, update=False) == ["a"]
    assert command.chosen(known, ["a", "b", "c"], None, quick=False, update=True) == ["a", "b", "c"]
    with pytest.raises(UserError, match="no experiment to run"):
        command.chosen(known, ["a", "b"], ["b"], quick=True, update=False)
