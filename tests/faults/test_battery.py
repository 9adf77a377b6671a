"""The short part of the battery of faults, all of whose outcomes are allowed; `scripts/faults` is the long one."""

import os
import shutil
import sys

import commands
import configs
import damage
import data_files
import folders
import numpy as np
import pytest
from running import quick_processes

from aejax.errors import UserError


def check(cases):
    """Refuse what must not be, and hand out the counts."""
    lines = []
    counts = damage.counted(cases, say=lines.append)
    assert not lines, "\n".join(lines)
    return counts


def test_damaged_data_files(tmp_path):
    counts = check(data_files.cases(np.random.default_rng(0), 800, tmp_path))
    assert counts["equal"] > 50
    assert counts["refused"] > 400


def test_damaged_folders(tmp_path):
    counts = check(folders.cases(np.random.default_rng(0), 100, tmp_path))
    assert counts["equal"] > 20
    assert counts["refused"] > 20


def test_configs_made_up_at_random(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts = check(configs.cases(np.random.default_rng(0), 300, tmp_path))
    assert counts["equal"] > 20
    assert counts["refused"] > 150


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A few commands without a fault."""
    folder = tmp_path_factory.mktemp("commands")
    with quick_processes():
        tasks = commands.tasks(commands.make(folder / "base"))
        made = {}
        for name in ("run", "apply", "prepare"):
            (folder / name).mkdir()
            made[name] = commands.undisturbed(tasks[name], folder / name, times=1)
        yield made


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="signals, and folders that cannot be written, of Linux")
@pytest.mark.parametrize(
    ("kind", "count"), [("kills", 6), ("disks", 3), ("signals", 2), ("pairs", 2), ("locales", 3), ("unwritable", 4)]
)
def test_commands_that_come_to_grief(kind, count, sound, tmp_path):
    check(getattr(commands, kind)(np.random.default_rng(1), count, sound, tmp_path))


# The battery itself finds what it looks for.


def test_every_outcome_is_counted():
    def line(fault):
        raise fault

    def loops():
        while True:
            pass

    made = {
        "refused": lambda: line(UserError("x: is damaged")),
        "equal": lambda: None,
        "told": lambda: print("x is damaged") or "other",
        "silent": lambda: "other",
        "traceback": lambda: line(KeyError("x")),
    }
    for name, function in made.items():
        assert damage.outcome(name, function).outcome == name
    assert damage.outcome("two lines", lambda: line(UserError("x\ny"))).outcome == "traceback"
    assert damage.outcome("hang", loops, seconds=1).outcome == "hang"


def test_another_reader_finds_a_digit_that_was_read_wrongly(tmp_path):
    content = data_files.text(np.arange(96.0).reshape(24, 4))
    (tmp_path / "rows.csv").write_bytes(content)
    columns = data_files.other(tmp_path / "rows.csv", ".csv")
    x = np.stack([columns[name] for name in data_files.COLUMNS], 1)
    assert data_files.differs(x, data_files.COLUMNS, columns) is None
    x[3, 2] += 1
    assert data_files.differs(x, data_files.COLUMNS, columns).startswith("column 'age', row 3")


def test_a_command_dies_at_its_operation_or_finds_no_room(sound, tmp_path):
    task = sound["prepare"].task
    for how, number, code in (("kill", 2, -9), ("full", 2, 2), ("kill", 10_000, 0)):
        folder = tmp_path / f"{how}-{number}"
        folder.mkdir()
        task.prepare(folder)
        process = commands.begin(task.variables(folder), how, number, folder, task.command(folder))
        answer = commands.ended(process)
        assert answer.code == code, answer
        assert ("No space left on device" in answer.err) is (how == "full")
        shutil.rmtree(folder)
    assert not os.listdir(tmp_path)
