"""Collections of one's own: what is recorded, left out, made less or stricter is told, and by which rule one judges."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from running import SMALL, assert_refused, call, command, environment, quick_processes

from aejax.errors import UserError
from aejax.reproduce import compare, processes, record, run, summary
from aejax.reproduce.compare import Result, Run
from aejax.reproduce.record import Number, Recorded

VARIANTS = """

def variants():
    return {"wide": {"model.widths": (5,)}}
"""


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with quick_processes():
        yield


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A collection that was recorded for the first time, two seeds, with the runs; and what the command said."""
    root = tmp_path_factory.mktemp("first")
    (root / "course").mkdir()
    (root / "course" / "small.py").write_text(SMALL + VARIANTS)
    words = ["reproduce", root / "course", "--update", "--seeds", "2", "--workdir", root / "runs"]
    done = subprocess.run(command(words), capture_output=True, text=True, env=environment())
    assert done.returncode == 0, done
    return root, done.stdout


@pytest.fixture
def root(first, tmp_path):
    """A copy of that, to be changed."""
    shutil.copytree(first[0], tmp_path / "copy")
    return tmp_path / "copy"


def reproduce(root, capsys, *words):
    return call(["reproduce", str(root / "course"), "--workdir", str(root / "runs"), *words], capsys)


def content(root):
    return json.loads((root / "course" / "expected.json").read_text())


def change(root, what):
    """Change what is recorded, by a function of the experiments."""
    changed = content(root)
    what(changed["experiments"])
    (root / "course" / "expected.json").write_text(json.dumps(changed))


def row(answer, metric):
    """The cells of a number in the table, by the places of the header."""
    lines = answer.out.splitlines()
    header = next(line for line in lines if line.startswith("experiment "))
    line = next(line for line in lines if f" {metric}" in line)
    names = header.split()
    places = [header.index(name) for name in names]
    return {n: line[a:b].strip() for n, a, b in zip(names, places, [*places[1:], None], strict=True)}


@pytest.mark.slow
def test_the_first_update_lists_what_it_records(first):
    root, said = first
    numbers = content(root)["experiments"]["small"]["metrics"]
    listed = [line.split()[1] for line in said.splitlines() if line.endswith(" recorded")]
    assert listed == list(numbers)
    assert f"expected.json: {len(numbers)} numbers recorded, of 1 experiment\n" in said
    assert " held" not in said
    assert set(content(root)["experiments"]) == {"small"}
    assert (
        f"variants are recorded where they are named: aejax reproduce {root}/course --update --only small:wide" in said
    )


@pytest.mark.slow
def test_a_new_config_is_named_and_an_update_records_it(root, capsys):
    (root / "course" / "wine3.py").write_text(SMALL)
    how = f"aejax reproduce {root / 'course'} --update --only"
    answer = reproduce(root, capsys)
    assert answer.code == 0, answer
    assert f"not recorded: wine3; record with: {how} wine3\n" in answer.out
    assert "not recorded" not in reproduce(root, capsys, "--only", "small").out
    assert_refused(reproduce(root, capsys, "--only", "wine3"), f"'wine3' is not recorded; record it with {how} wine3")
    wide = f"'small:wide' is not recorded; record it with {how} small:wide"
    assert_refused(reproduce(root, capsys, "--only", "small:wide"), wide)
    answer = reproduce(root, capsys, "--update", "--seeds", "2")
    assert answer.code == 0, answer
    assert list(content(root)["experiments"]) == ["small", "wine3"]
    assert row(answer, "test/mse")["verdict"] == "equal"
    assert "2 runs, " in answer.out, "those of small are finished"


def test_fewer_seeds_and_stricter_tolerances_are_told(root, capsys):
    before = content(root)["experiments"]["small"]["metrics"]["test/mse"]["tolerance"]
    change(root, lambda known: known["small"].update(quick=True))
    answer = reproduce(root, capsys, "--update", "--seeds", "1")
    assert answer.code == 0, answer
    after = content(root)["experiments"]["small"]
    assert after["metrics"]["test/mse"]["tolerance"] < before
    assert "fewer seeds than recorded are kept for small (from 2 to 1)\n" in answer.out
    assert row(answer, "test/mse")["tolerance"] == f"{before:.5g} -> {after['metrics']['test/mse']['tolerance']:.5g}"
    assert " tighter than recorded: old -> new in the table\n" in answer.out
    assert after["quick"] is True
    again = reproduce(root, capsys, "--update", "--seeds", "1")
    assert "fewer seeds" not in again.out
    assert "tighter" not in again.out


def test_seeds_beyond_the_recorded_ones_are_told_and_the_others_compared_bit_for_bit(root, capsys):
    def only_one(known):
        for number in known["small"]["metrics"].values():
            del number["values"][1:]
        for digests in known["small"]["digests"].values():
            del digests[1:]

    change(root, only_one)
    answer = reproduce(root, capsys, "--seeds", "2")
    assert answer.code == 0, answer
    assert row(answer, "test/mse")["verdict"] == "equal"
    assert "seed 1 of small has nothing recorded\n" in answer.out
    lines = json.loads((root / "runs" / "reproduce.json").read_text())["lines"]
    assert {line["verdict"] for line in lines} == {"equal", "same bits"}
    assert "nothing recorded" not in reproduce(root, capsys).out


def test_seeds_beyond_are_one_line_for_each_range():
    got = Run({"test/mse": 1.0}, "a", 1.0, "here")
    of = lambda *values: Recorded(True, 1.0, {"test/mse": Number(values, 1.0, "")}, {})
    known = {"a": of(1.0, 1.0), "b": of(1.0, 1.0), "c": of(*[1.0] * 5), "d": Recorded(True, 1.0, {}, {})}
    results = [Result(name, (got,) * 5) for name in known]
    assert list(summary.seeds_beyond(results, known)) == ["seeds 2–4 of a, b have nothing recorded"]


def test_a_changed_digit_can_be_seen_and_console_and_page_count_alike(root, capsys):
    shown = {}

    def last_digit(known):
        values = known["small"]["metrics"]["test/mse"]["values"]
        shown["got"] = f"{values[1]:.7g}"
        values[1] = float(_other_digit(f"{values[1]:.6e}"))
        shown["expected"] = f"{values[1]:.7g}"

    change(root, last_digit)
    answer = reproduce(root, capsys, "--lang", "en")
    assert answer.code == 1
    off = row(answer, "test/mse, seed 1")
    assert (off["verdict"], off["tolerance"]) == ("off", "7 digits")
    assert (off["expected"], off["got"]) == (shown["expected"], shown["got"])
    assert off["expected"] != off["got"]
    same = row(answer, "baselines/pca/mse")
    assert (same["verdict"], same["difference"], same["tolerance"]) == ("equal", "0", "7 digits")
    count = len(content(root)["experiments"]["small"]["metrics"])
    assert f"\n{count - 1} of {count} numbers held\n" in answer.out
    page = (root / "runs" / "report.html").read_text()
    assert f"{count - 1} of {count} numbers hold" in page
    assert f"test/mse, seed 1: expected {shown['expected']}, got {shown['got']}, tolerance 7 digits" in page


def _other_digit(text):
    mantissa, exponent = text.split("e")
    return f"{mantissa[:-1]}{'1' if mantissa[-1] != '1' else '2'}e{exponent}"


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


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ((), [], "is damaged: expected an object, got a list"),
        (("format",), LACKS, "is damaged: has no 'format'"),
        (("experiments",), LACKS, "is damaged: has no 'experiments'"),
        (("experiments",), [], "is damaged: experiments: expected an object, got a list"),
        (("experiments", "a"), 3, "is damaged: experiments > a: expected an object, got 3"),
        (("experiments", "a", "quick"), LACKS, "is damaged: experiments > a: has no 'quick'"),
        (
            ("experiments", "a", "quick"),
            "yes",
            'is damaged: experiments > a > quick: expected true or false, got "yes"',
        ),
        (("experiments", "a", "seconds"), None, "is damaged: experiments > a > seconds: expected a number, got null"),
        (METRIC, [1], f"is damaged: {' > '.join(METRIC)}: expected an object, got a list"),
        ((*METRIC, "values"), LACKS, f"is damaged: {' > '.join(METRIC)}: has no 'values'"),
        ((*METRIC, "values"), [], f"is damaged: {' > '.join(METRIC)} > values: is a list without a value"),
        ((*METRIC, "values"), ["1"], f'is damaged: {" > ".join(METRIC)} > values: expected a number, got "1"'),
        ((*METRIC, "values"), [10**400], f"is damaged: {' > '.join(METRIC)} > values: expected a number, got one"),
        ((*METRIC, "tolerance"), -1, f"is damaged: {' > '.join(METRIC)} > tolerance: expected 0 or more, got -1"),
        ((*METRIC, "tolerance"), "nan", f"is damaged: {' > '.join(METRIC)} > tolerance: expected 0 or more, got nan"),
        (("experiments", "a", "digests", "here"), "x", 'experiments > a > digests > here: expected a list, got "x"'),
        (("experiments", "a", "digests", "here"), [1], "experiments > a > digests > here: expected a text, got 1"),
    ],
)
def test_what_is_damaged_is_named_by_its_place(place, value, said):
    changed = json.loads(json.dumps(WHOLE))
    assert record.parse(json.dumps(changed))["a"].numbers["test/mse"].values[0] == 1.0
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    if not place:
        changed = value
    elif value is LACKS:
        del inner[place[-1]]
    else:
        inner[place[-1]] = value
    with pytest.raises(UserError) as found:
        record.parse(json.dumps(changed))
    assert said in str(found.value)


def test_other_damage_is_told_without_words_of_python(tmp_path):
    path = tmp_path / "expected.json"
    for text, said in (("{\n", "line 2, column 1: is not JSON"), ("[" * 10**5, "is not JSON that can be read")):
        path.write_text(text)
        with pytest.raises(UserError, match=said):
            record.read(tmp_path)
    path.write_bytes(b"\xff")
    with pytest.raises(UserError, match="is not text in UTF-8"):
        record.read(tmp_path)
    with pytest.raises(UserError, match="or the path of a folder of your own configs"):
        record.collection("nocoll")


def test_only_quick_ones_and_new_configs_are_chosen():
    known = {"a": Recorded(True, 1, {}, {}), "b": Recorded(False, 1, {}, {}), "d:small": Recorded(False, 1, {}, {})}
    specs = ["a", "a:x", "b", "c", "c:x", "d", "d:small"]

    def chosen(known=known, only=None, specs=specs, *, quick=False, update=False):
        return run.choose(known, specs, only, "my course", quick=quick, update=update)

    assert chosen(quick=True) == ["a"]
    assert chosen() == ["a", "b", "d:small"]
    assert chosen(update=True) == ["a", "b", "d:small", "c"], "of d a variant is recorded"
    assert chosen(only=["a:x", "c:x", "c:x"], update=True) == ["a:x", "c:x"]
    assert chosen({}, update=True) == ["a", "b", "c", "d"]
    assert record.unrecorded_variants(["a", "c"], known, specs) == ["c:x"]
    with pytest.raises(UserError, match='none of them is quick; allowed: "quick": true for an experiment in expected'):
        chosen(only=["b"], quick=True)
    with pytest.raises(UserError, match="'c' is not recorded; record it with aejax reproduce 'my course' --update"):
        chosen(only=["c"])
    with pytest.raises(UserError, match="unknown 'e'"):
        chosen(only=["e"])
    with pytest.raises(UserError, match="the folder has no config"):
        chosen({}, specs=[], update=True)


def test_data_that_are_not_there_are_told_with_the_path_that_was_tried(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "course"
    folder.mkdir()
    (folder / "wine.py").write_text(SMALL.replace('"clusters"', '"file:wine.csv"'))
    (folder / "wine.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    (result,) = run.run_all(folder, {"wine": 1}, tmp_path / "runs", {}, at_once=1, cache=False)
    told = f"file:wine.csv: there is no {Path.cwd() / 'wine.csv'}; paths of data start at the current folder"
    assert (result.trouble, result.missing) == (told, False)
    assert f"wine: failed: {told}\n" in capsys.readouterr().out


def test_seeds_are_spread_where_there_are_fewer_experiments_than_cores(tmp_path):
    jobs = [processes.Job(name, "", seeds, tmp_path / name, 1.0, True) for name, seeds in (("a", (0, 1, 2)), ("s", ()))]
    of = lambda at_once: [(job.name, job.seeds) for job in processes.spread(jobs, at_once)]
    assert of(1) == of(2) == of(3) == [("a", (0, 1, 2)), ("s", ())]
    assert of(4) == [("a", (0, 2)), ("a", (1,)), ("s", ())]
    assert of(20) == [("a", (0,)), ("a", (1,)), ("a", (2,)), ("s", ())]
    assert processes.spread([], 2) == []


def test_runs_of_a_split_experiment_are_counted_once_each(tmp_path, capsys):
    job = processes.Job("a", "", (0, 1), tmp_path, 0.0, True)
    halves = processes.spread([job], 2)
    tell = summary.progress(halves, 2)
    for half in halves:
        (run,) = processes.runs_of(half)
        run.mkdir()
        (run / "summary.json").write_text('{"timing": {"train_seconds": 1}}')
        tell(processes.Event(half, run, ""))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 runs, 2 at a time"
    assert [line[:5] for line in said[1:]] == ["[1/2]", "[2/2]"]
    summary.progress([job._replace(seeds=(7,))], 1)
    assert "1 run, 1 at a time" in capsys.readouterr().out


def test_what_is_counted_is_numbers_and_other_bits_are_named():
    of = lambda values, digests: Recorded(True, 1.0, {"test/mse": Number(values, 0.1, "")}, digests)
    got = (Run({"test/mse": 1.0}, "a", 1.0, "here"),)
    known = {"same": of((1.0,), {"here": ("a",)}), "other": of((1.0,), {"here": ("b",)})}
    known |= {"elsewhere": of((1.0,), {}), "empty": Recorded(True, 1.0, {}, {})}
    lines = compare.compare_all([Result(name, got) for name in known], known)
    assert list(summary.verdicts(lines, {})) == [
        "3 of 3 numbers held",
        "checked bit for bit, as recorded on such a machine: other, same",
        "the parameters have other bits than recorded: other",
        "checked within the tolerance, as recorded on other machines: elsewhere",
        "nothing is recorded to compare with: empty",
    ]
    (line,) = compare.compare("x", of((1.0,), {}), got)
    assert next(summary.verdicts([line], {})) == "1 of 1 number held"
