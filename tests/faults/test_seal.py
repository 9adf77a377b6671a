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
    return checkpoint.digest(fitted.params), history, fitted.summary.get("metrics"), fitted.encode(ROWS).tolist()


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
    assert_refused(answer, "config.json: is damaged or of another run: it is not what the checkpoint of step 2")
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
    assert line.endswith("it goes on with the rows after step 2")
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
        assert_refused(call(["show", str(run)], capsys), "model/step-00000000.json: is damaged: it was changed")
        with pytest.raises(
            UserError, match=r"model/step-0+\.json: is damaged: it was changed since it was written, or is of another"
        ):
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
    assert_refused(call(words, capsys), f"its model is missing or damaged; go on with aejax run and --workdir {run}")
    answer = call(["run", "--workdir", str(run)], capsys)
    assert (answer.code, answer.err) == (0, "")
    assert "model: was missing or damaged, and is written again from the last checkpoint" in answer.out
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


def bent(path):
    """Change a digit of a file."""
    path.write_bytes(digit(path.read_bytes()))


def test_a_page_of_several_folders_goes_without_the_damaged_ones(tiny, other, tmp_path, capsys):
    run = Path(shutil.copytree(other, tmp_path / "bent"))
    bent(run / "dataset.json")
    page = tmp_path / "page.html"
    assert_refused(
        call(["report", str(run), "--output", str(page)], capsys), "dataset.json: is damaged: it was changed"
    )
    answer = call(["report", str(tiny), str(run), "--output", str(page)], capsys)
    assert answer.code == 0
    assert f"left out of the page: {run / 'dataset.json'}: is damaged" in answer.out
    assert "bent" not in page.read_text()
    words = ["report", str(run), str(run), "--output", str(page)]
    assert_refused(call(words, capsys), "none of the folders can be shown")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["config.json", "summary.json", "environment.json", "scores.csv", "figures/loss.png"])
def test_what_a_task_and_its_figures_leave(name, scored, tmp_path, capsys):
    run, out = Path(shutil.copytree(scored, tmp_path / "run")), str(tmp_path / "page.html")
    bent(run / name)
    refused = f"{run / name}: is damaged: it was changed since it was written, or is of another run"
    assert_refused(call(["run", "--workdir", str(run)], capsys), refused)
    if name != "scores.csv":  # which a page does not show
        assert_refused(call(["report", str(run), "--output", out], capsys), refused)
    (run / name).unlink()
    if name == "figures/loss.png":
        answer = call(["report", str(run), "--output", out], capsys)
        assert answer.code == 0
        assert "figures: is damaged: loss.png is missing; the page goes without it" in answer.out


@pytest.mark.slow
def test_what_a_task_judges_by_is_that_of_its_run(scored, tmp_path, capsys):
    run = Path(shutil.copytree(scored, tmp_path / "run"))
    np.save(tmp_path / "x.npy", np.zeros((2, 8), np.float32))
    words = ["apply", str(run), "score", "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "out.npy")]
    assert call(words, capsys).code == 0
    (path,) = (run / "kept").glob("*.json")
    manifest = json.loads(path.read_text())
    del manifest["seal"]
    path.write_text(checkpoint.sealed({**manifest, "bytes": manifest["bytes"] + 1}))  # whole by itself
    assert_refused(call(words, capsys), f"{path}: is damaged: it was changed since it was written")
    shutil.rmtree(run / "kept")
    assert_refused(call(words, capsys), f"{path}: is missing")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run of a task that leaves a table, nets to judge by, and figures."""
    folder = tmp_path_factory.mktemp("scored") / "run"
    settings = {**TINY, "data.rows": "200", "data.normal": "cluster 0", "task.members": "2", "report.figures": "true"}
    assert cli.main(arguments(settings, "lecture/anomaly", workdir=folder)) == 0
    assert (folder / "scores.csv").exists()
    return folder


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep over two seeds."""
    folder = tmp_path_factory.mktemp("swept") / "sweep"
    assert cli.main(sweep(folder)) == 0
    return folder


def sweep(folder):
    return ["sweep", *arguments(TINY, workdir=folder)[1:], "--axis", "seed=0:2", "--metric", "validation/mse"]


@pytest.mark.parametrize("name", ["table.csv", "summary.json", "sweep.json", "environment.json"])
def test_a_changed_number_of_a_sweep_is_named(name, swept, tmp_path, capsys):
    folder = Path(shutil.copytree(swept, tmp_path / "sweep"))
    bent(folder / name)
    answer = call(["report", str(folder), "--output", str(tmp_path / "page.html")], capsys)
    assert_refused(answer, name)
    answer = call(sweep(folder), capsys)
    if name in ("sweep.json", "environment.json"):
        assert_refused(answer)
    else:
        assert answer.code == 0
        assert f"{folder / name}: is missing or damaged, and is written again" in answer.out
        assert contents(folder) == contents(swept)


def test_runs_of_a_sweep_are_those_of_their_block(swept, tmp_path, capsys):
    folder = Path(shutil.copytree(swept, tmp_path / "sweep"))
    (marker,) = folder.glob("parts/*/done.json")
    bent(marker)
    answer = call(sweep(folder), capsys)
    assert answer.code == 0
    assert "its marker is damaged; its runs are trained again" in answer.out
    assert (folder / "table.csv").read_bytes() == (swept / "table.csv").read_bytes()


def test_an_edit_by_hand_of_what_is_recorded_is_said(tmp_path, capsys):
    number = record.Number((0.25, 0.5), 0.1, "so")
    record.write(tmp_path, {"small": record.Recorded(True, 1.0, {"test/mse": number}, {"cpu": ("a", "b")})})
    record.read(tmp_path)
    assert capsys.readouterr().out == ""
    path = tmp_path / record.FILE
    path.write_text(path.read_text().replace("0.25", "0.26"))
    assert record.read(tmp_path)["small"].metrics["test/mse"].values == (0.26, 0.5)
    assert capsys.readouterr().out == f"{path}: was edited by hand since --update wrote it\n"
    content = json.loads(path.read_text())
    del content["seal"]
    path.write_text(json.dumps(content))  # of an earlier version
    record.read(tmp_path)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["lecture", "families"])
def test_what_is_shipped_is_as_update_wrote_it(name, capsys):
    assert record.read(record.collection(name))
    assert capsys.readouterr().out == ""
    assert '"seal": ' in (record.collection(name) / record.FILE).read_text()


def test_a_net_that_was_saved(tiny, tmp_path):
    aejax.open(tiny).save(tmp_path / "net")
    assert net_and_numbers(tmp_path / "net")[0] == net_and_numbers(tiny)[0]
    for name in ("config.json", "history.json"):
        whole = (tmp_path / "net" / name).read_bytes()
        bent(tmp_path / "net" / name)
        with pytest.raises(UserError, match=f"{name}: is damaged: it was changed"):
            aejax.open(tmp_path / "net")
        (tmp_path / "net" / name).unlink()
        with pytest.raises(UserError, match=f"{name}: is missing"):
            aejax.open(tmp_path / "net")
        (tmp_path / "net" / name).write_bytes(whole)


def test_a_fit_in_a_folder(tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 4))
    fit = lambda: aejax.fit(x, steps=20, folder=tmp_path / "net")
    fitted = fit()
    same = lambda other: checkpoint.digest(other.params) == checkpoint.digest(fitted.params)
    assert same(fit())
    assert same(aejax.open(tmp_path / "net"))
    (path,) = (tmp_path / "net" / "model").glob("*.json")
    for name in ("metrics.csv", "history.json", f"model/{path.name}"):
        whole = (tmp_path / "net" / name).read_bytes()
        (tmp_path / "net" / name).unlink()
        with pytest.raises(UserError):
            aejax.open(tmp_path / "net")
        (tmp_path / "net" / name).write_bytes(whole)
        bent(tmp_path / "net" / name)
        with pytest.raises(UserError, match=f"{name}|no checkpoint that verifies"):
            aejax.open(tmp_path / "net")
        (tmp_path / "net" / name).write_bytes(whole)
    shutil.rmtree(tmp_path / "net" / "model")
    with pytest.raises(UserError, match="go on with the same fit and its folder"):
        aejax.open(tmp_path / "net")
    assert same(fit())
    bent(tmp_path / "net" / "fit.json")
    with pytest.raises(UserError, match=r"fit\.json|another config"):
        fit()
