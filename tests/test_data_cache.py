"""The cache of decoded arrays: whole or absent, checked, made again when damaged."""

import subprocess
import sys

import numpy as np
import pytest

from aejax.data import cache
from aejax.errors import UserError

X = np.arange(4000, dtype=np.uint8).reshape(50, 80)
DETAILS = {"label_names": ["a", "b"]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path))
    return tmp_path / "data"


def make(target):
    np.save(target / "x.npy", X)
    np.save(target / "y.npy", X[:, 0])
    return DETAILS


def never(target):
    raise AssertionError("the entry was made again")


def test_what_is_built_is_read_back_memory_mapped():
    assert cache.read("k") is None
    assert not cache.exists("k")
    arrays, details = cache.build("k", make)
    assert cache.exists("k")
    assert isinstance(arrays["x"], np.memmap)
    assert not arrays["x"].flags.writeable
    np.testing.assert_array_equal(arrays["x"], X)
    np.testing.assert_array_equal(arrays["y"], X[:, 0])
    assert details == DETAILS
    again, _ = cache.build("k", never)
    np.testing.assert_array_equal(again["x"], X)


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x.npy", lambda content: content[:-1]),
        ("x.npy", flipped),
        ("y.npy", None),
        ("manifest.json", None),
        ("manifest.json", lambda content: content[:40]),
        ("manifest.json", lambda content: b"[1]"),
        ("manifest.json", lambda content: content.replace(b'"format": 1', b'"format": 0')),
        ("manifest.json", lambda content: content.replace(b'"a"', b'"c"')),
    ],
)
def test_a_damaged_entry_is_said_and_made_again(folder, name, change, capsys):
    cache.build("k", make)
    path = folder / "k" / name
    content = path.read_bytes()
    path.unlink() if change is None else path.write_bytes(change(content))
    assert not path.exists() or path.read_bytes() != content
    assert cache.read("k") is None
    assert capsys.readouterr().err.count("is damaged") == 1
    arrays, _ = cache.build("k", make)
    np.testing.assert_array_equal(arrays["x"], X)
    assert cache.read("k") is not None


def test_a_failed_build_leaves_nothing(folder):
    def fail(target):
        np.save(target / "x.npy", X)
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        cache.build("k", fail)
    assert list(folder.iterdir()) == []


def test_a_killed_build_leaves_no_entry(folder):
    program = """
import os, numpy as np
from aejax.data import cache
def make(target):
    np.save(target / "x.npy", np.zeros(9))
    os._exit(9)
cache.build("k", make)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    assert cache.read("k") is None
    arrays, _ = cache.build("k", make)
    np.testing.assert_array_equal(arrays["x"], X)


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_makes_is_not(folder):
    program = """
import os, sys
from aejax.data import cache
def make(target):
    print(target.name, flush=True)
    sys.stdin.read()
    return {}
cache.build(sys.argv[1], make)
"""
    words, pipes = [sys.executable, "-c", program], {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    killed, living = (subprocess.Popen([*words, name], **pipes) for name in ("a", "b"))
    names = [process.stdout.readline().strip() for process in (killed, living)]
    assert set(names) <= {path.name for path in folder.iterdir()}
    killed.kill()
    killed.communicate()
    cache.build("k", make)
    there = {path.name for path in folder.iterdir()}
    living.communicate()
    assert "k" in there
    assert [name in there for name in names] == [False, True]


def test_a_kill_while_an_entry_is_replaced_leaves_none_and_says_nothing_of_damage(folder, capfd):
    program = """
import os
from aejax.data import cache
cache.sync_folder = lambda path: os._exit(9)  # the old one is away, the new one not yet there
cache.build("k", lambda target: {}, anew=True)
"""
    cache.build("k", make)
    assert subprocess.run([sys.executable, "-c", program]).returncode == 9
    arrays, _ = cache.build("k", make)
    np.testing.assert_array_equal(arrays["x"], X)
    assert capfd.readouterr().err == ""
    assert {path.name for path in folder.iterdir()} == {"k"}


def test_the_slower_of_two_processes_takes_the_entry_of_the_faster():
    def overtaken(target):
        cache.build("k", make)
        return make(target)

    arrays, _ = cache.build("k", overtaken)
    np.testing.assert_array_equal(arrays["x"], X)


def test_an_open_array_outlives_its_entry():
    arrays, _ = cache.build("k", make)
    other, _ = cache.build("k", lambda target: np.save(target / "x.npy", X + 1) or {}, anew=True)
    np.testing.assert_array_equal(arrays["x"], X)
    np.testing.assert_array_equal(other["x"], X + 1)


def test_a_cache_that_cannot_be_written_is_a_mistake_with_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AEJAX_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot write the data cache in .*; set AEJAX_CACHE_DIR"):
        cache.build("k", make)


def test_without_the_variable_the_users_cache_folder_is_taken(monkeypatch):
    from platformdirs import user_cache_path

    monkeypatch.delenv("AEJAX_CACHE_DIR")
    assert cache.root() == user_cache_path("aejax") / "data"
