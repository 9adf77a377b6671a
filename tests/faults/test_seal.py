"""The files of a folder vouch for each other: each is damaged in every way, and no command gives another result for it.

A case is *equal* where the command gives what it gives without the fault, bit for bit; *refused* in one line with exit
code 2; or *said* where a line names the file. Any other is silent, and there must be none.
"""

import csv
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from running import TINY, Answer, arguments, assert_refused, call, contents, digest, summary

import aejax
from aejax import cli
from aejax.errors import UserError
from aejax.reproduce import record
from aejax.storage import checkpoint

ROWS = np.linspace(0, 1, 16, dtype=np.float32).reshape(2, 8)
LATER = ("summary.json", "checksums.json", "model", "step-00000004*")
"""What a kill after step 2 leaves of a run of 4 steps is the rest; metrics.csv has a row more than the checkpoint."""


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """The same run of seed 1."""
    folder = tmp_path_factory.mktemp("other") / "run"
    assert cli.main(arguments({**TINY, "seed": "1"}, workdir=folder)) == 0
    return folder


def digit(content: bytes) -> bytes:
    """The middle one of the digits is another."""
    at = [at for at, byte in enumerate(content) if 48 <= byte < 58] or [len(content) // 2]
    middle = at[len(at) // 2]
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGES = {
    "a digit": digit,
    "a byte": lambda content: content[:-3] + bytes([content[-3] ^ 4]) + content[-2:],
    "emptied": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "removed": None,
}


def damaged(folder: Path, other: Path, to: Path):
    """One file after another in every way, and files and parts of another run: ``(name, what)``, and `to` is so."""
    names = list(contents(folder))
    parts = [name for name in ("model", "checkpoints") if (folder / name).exists()]
    swaps = [name for name in (*names, *parts) if (other / name).exists()]
    for name, what in [*((name, what) for name in names for what in DAMAGES), *((name, "swapped") for name in swaps)]:
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(folder, to)
        path = to / name
        if damage := DAMAGES.get(what):
            path.write_bytes(damage(path.read_bytes()))
        elif path.is_file():
            path.unlink()
        else:
            shutil.rmtree(path)
        if what == "swapped":
            (shutil.copy if (other / name).is_file() else shutil.copytree)(other / name, path)
        yield name, what


def counted(cases, does, expected) -> Counter:
    """How many cases are equal, refused, said and silent; the silent ones are shown.

    Args:
        cases: from `damaged`.
        does: the command on the damaged folder: an answer, and a result to compare.
        expected: the result without a fault.
    """
    counts, silent = Counter(), []
    for name, what in cases:
        answer, result = does()
        if answer.code == 2:
            assert_refused(answer)
            outcome = "refused"
        else:
            assert (answer.code, "Traceback" in answer.out + answer.err) == (0, False), (name, what, answer)
            said = any(part in answer.out for part in (name, name.partition("/")[0]))
            outcome = "equal" if result == expected else "said" if said else "silent"
        counts[outcome] += 1
        if outcome == "silent":
            silent.append((name, what, result))
    print(dict(counts))
    assert not silent, silent
    return counts


def in_python(function):
    """What a function of the library does, as a command would say it."""
    try:
        return Answer(0, "", ""), function()
    except UserError as error:
        return Answer(2, "", f"aejax: {error}\n"), None


def net_and_numbers(folder):
    fitted = aejax.open(folder)
    history = {name: values.tolist() for name, values in fitted.history.items()}
    return checkpoint.digest(fitted.params), history, fitted.summary["metrics"], fitted.encode(ROWS).tolist()


def test_every_file_of_a_finished_run(tiny, other, tmp_path, capsys):
    run, out = tmp_path / "run", tmp_path / "codes.npy"
    np.save(tmp_path / "x.npy", ROWS)
    words = ["apply", str(run), "encode", "--input", str(tmp_path / "x.npy"), "--output", str(out)]

    def again():
        answer = call(["run", "--workdir", str(run)], capsys)
        table = [line for line in answer.out.splitlines() if line.startswith(("autoencoder", "pca", "4 steps"))]
        return answer, (table, contents(run / "model"))

    def apply():
        out.unlink(missing_ok=True)
        return call(words, capsys), out.read_bytes() if out.exists() else None

    commands = {
        "run": again,
        "apply": apply,
        "open": lambda: in_python(lambda: net_and_numbers(run)),
        "reproduce": lambda: in_python(lambda: record.read_run(run)),
    }
    shutil.copytree(tiny, run)
    expected = {name: does()[1] for name, does in commands.items()}
    for name, does in commands.items():
        counts = counted(damaged(tiny, other, run), does, expected[name])
        assert counts["refused"] > 10, name


def test_every_file_of_an_unfinished_run(tiny, other, tmp_path, capsys):
    run, ignore = tmp_path / "run", shutil.ignore_patterns(*LATER)
    left, others = (Path(shutil.copytree(each, tmp_path / each.parent.name, ignore=ignore)) for each in (tiny, other))

    def goes_on():
        answer = call(["run", "--workdir", str(run)], capsys)
        if answer.code:
            return answer, None
        return answer, (digest(run), summary(run)["metrics"], (run / "metrics.csv").read_bytes())

    counts = counted(
        damaged(left, others, run),
        goes_on,
        (digest(tiny), summary(tiny)["metrics"], (tiny / "metrics.csv").read_bytes()),
    )
    assert counts["refused"] > 5


def test_a_changed_digit_in_the_config_of_an_unfinished_run_is_named(tiny, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run", ignore=shutil.ignore_patterns(*LATER)))
    text = (run / "config.json").read_text()
    assert '"learning_rate": 0.003' in text
    (run / "config.json").write_text(text.replace('"learning_rate": 0.003', '"learning_rate": 0.007'))
    answer = call(["run", "--workdir", str(run)], capsys)
    assert_refused(answer, "config.json: is not what checkpoints of step 2 was saved with")
    (run / "config.json").write_text(text)
    assert call(["run", "--workdir", str(run)], capsys).code == 0
    assert digest(run) == digest(tiny)


def test_checkpoints_of_another_seed_are_refused(tiny, other, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run", ignore=shutil.ignore_patterns(*LATER)))
    shutil.rmtree(run / "checkpoints")
    shutil.copytree(other / "checkpoints", run / "checkpoints")
    assert_refused(call(["run", "--workdir", str(run)], capsys), "config.json", "of another run")
    assert not (run / "summary.json").exists()


@pytest.mark.parametrize("damage", [digit, lambda _: b"\xff", None])
def test_a_damaged_table_of_metrics_is_set_aside_and_the_run_goes_on(damage, tiny, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run", ignore=shutil.ignore_patterns(*LATER)))
    path = run / "metrics.csv"
    text = path.read_bytes()
    if damage is None:
        path.unlink()
    else:
        head = text[: text.index(b"\n", text.index(b"\n") + 1) + 1]  # the row of step 2
        path.write_bytes(damage(head) + text[len(head) :])
    answer = call(["run", "--workdir", str(run)], capsys)
    assert answer.code == 0
    (line,) = (line for line in answer.out.splitlines() if line.startswith(f"{path}: "))
    assert line.endswith("it has the rows after step 2")
    assert digest(run) == digest(tiny)
    assert [row["step"] for row in csv.DictReader(io.StringIO(path.read_text()))] == ["4"]
    assert (run / "metrics.damaged.csv").exists() is (damage is not None)
    assert call(["run", "--workdir", str(run)], capsys).code == 0


@pytest.mark.parametrize("part", ["model", "checkpoints"])
def test_parameters_of_another_seed_under_a_summary_are_refused(part, tiny, other, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run"))
    shutil.rmtree(run / part)
    shutil.copytree(other / part, run / part)
    assert_refused(call(["run", "--workdir", str(run)], capsys))
    if part == "model":
        assert_refused(call(["show", str(run)], capsys), "model/step-00000000.json: was changed")
        with pytest.raises(UserError, match=r"model/step-0+\.json: was changed since it was written, or is of another"):
            aejax.open(run)


def test_an_empty_summary_is_not_finished(tiny, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run"))
    (run / "summary.json").write_text("{}")
    for words in (["run", "--workdir"], ["report"]):
        assert_refused(call([*words, str(run)], capsys), "summary.json: is damaged")


def written(folder):
    """Every file but the mark of whose the folder is."""
    return {name: text for name, text in contents(folder).items() if name != "trust.json"}


def test_a_lost_model_is_written_again_from_the_checkpoint(tiny, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run"))
    np.save(tmp_path / "x.npy", ROWS)
    words = ["apply", str(run), "encode", "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "out.npy")]
    shutil.rmtree(run / "model")
    assert_refused(call(words, capsys), f"its model is lost; go on with aejax run and --workdir {run}")
    answer = call(["run", "--workdir", str(run)], capsys)
    assert (answer.code, answer.err) == (0, "")
    assert "model: is written again from the last checkpoint" in answer.out
    assert written(run) == written(tiny)
    assert call(words, capsys).code == 0
    (data,) = (run / "model").glob("*.safetensors")
    data.write_bytes(b"")
    assert_refused(call(words, capsys), "no checkpoint that verifies", f"aejax run and --workdir {run}")
    assert call(["run", "--workdir", str(run)], capsys).code == 0
    assert written(run) == written(tiny)
    shutil.rmtree(run / "model")
    shutil.rmtree(run / "checkpoints")
    answer = call(["run", "--workdir", str(run)], capsys)
    assert answer.code == 0
    assert "allowed: the same config and another --workdir" in answer.out


def test_a_folder_of_an_older_version_is_read_as_before(tiny, tmp_path, capsys):
    run = Path(shutil.copytree(tiny, tmp_path / "run"))
    (run / "checksums.json").unlink()
    for path in (run / "checkpoints").glob("*.json"):
        manifest = json.loads(path.read_text())
        del manifest["seal"]
        manifest["info"] = {"seconds": manifest["info"]["seconds"]}
        path.write_text(checkpoint.sealed(manifest))
    assert call(["run", "--workdir", str(run)], capsys).code == 0
    assert net_and_numbers(run) == net_and_numbers(tiny)
    (run / "summary.json").unlink()
    (run / "checkpoints" / "step-00000004.json").unlink()
    assert call(["run", "--workdir", str(run)], capsys).code == 0
    assert digest(run) == digest(tiny)
