"""Files are whole or absent, whatever fails, and JSON is what any parser reads."""

import json
import math
import os
import stat
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aejax import files

LIMIT = 4096


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def with_full_disk(code: str, folder: Path) -> str:
    """Run `code` where no file may grow past LIMIT bytes; `code` prints the name of the error it meets."""
    script = f"""
import resource
from pathlib import Path
from aejax import files
folder = Path({str(folder)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT}, {LIMIT}))
try:
    {code}
except OSError as error:
    print(type(error).__name__, error.errno)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("data", [b"", b"\x00\xff", "", "ρ̂ = ½\n"])
def test_write_atomic_writes_and_replaces(tmp_path, data):
    path = tmp_path / "new" / "folder" / "file"
    expected = data if isinstance(data, bytes) else data.encode("utf-8")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something older and longer than that")
    assert files.write_atomic(path, data) == path
    assert path.read_bytes() == expected
    assert names(path.parent) == ["file"]


def test_write_atomic_never_writes_into_the_old_file(tmp_path):
    path, other_name = tmp_path / "file", tmp_path / "link"
    path.write_bytes(b"old")
    os.link(path, other_name)
    files.write_atomic(path, b"new")
    assert (path.read_bytes(), other_name.read_bytes()) == (b"new", b"old")


def test_write_atomic_makes_folders_and_honours_the_umask(tmp_path):
    mask = os.umask(0o027)
    try:
        path = files.write_atomic(tmp_path / "a" / "b", b"x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_write_atomic_over_a_folder_leaves_it_and_no_temporary_file(tmp_path):
    target = tmp_path / "taken"
    target.mkdir()
    (target / "inside").write_bytes(b"kept")
    with pytest.raises(OSError):
        files.write_atomic(target, b"data")
    assert names(tmp_path) == ["taken"]
    assert (target / "inside").read_bytes() == b"kept"


def test_write_atomic_on_a_full_disk_leaves_the_old_file(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    assert "OSError 27" in with_full_disk(f"files.write_atomic(folder / 'file', b'x' * {LIMIT + 1})", tmp_path)
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_unwritable_place_is_an_os_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        files.write_atomic(tmp_path / "file" / "below", b"")


numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
values = st.recursive(
    numbers, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abρ"), inner, max_size=4)
)


def same(written, read):
    if isinstance(written, dict):
        return list(written) == list(read) and all(same(written[key], read[key]) for key in written)
    if isinstance(written, list):
        return len(written) == len(read) and all(map(same, written, read))
    if isinstance(written, float) and not math.isfinite(written):
        return read == repr(written)
    return type(written) is type(read) and written == read


def refuse(constant):
    raise AssertionError(f"{constant} is not JSON")


@given(values)
def test_json_round_trip(value):
    assert same(value, json.loads(files.to_json(value), parse_constant=refuse))


def test_json_of_arrays_paths_and_configs(tmp_path):
    from ml_collections import ConfigDict

    value = {
        "float32": np.float32(0.5),
        "bool": np.bool_(True),
        "bf16": jnp.bfloat16(1.5),
        "array": np.array([[1.0, np.nan], [np.inf, -np.inf]]),
        "jax": jnp.arange(3),
        "path": Path("a/b"),
        "tuple": (1, 2),
        3: ConfigDict({"z": 1, "a": {"b": 2.5}}),
    }
    path = files.write_json(tmp_path / "value.json", value)
    assert json.loads(path.read_text()) == {
        "float32": 0.5,
        "bool": True,
        "bf16": 1.5,
        "array": [[1.0, "nan"], ["inf", "-inf"]],
        "jax": [0, 1, 2],
        "path": "a/b",
        "tuple": [1, 2],
        "3": {"z": 1, "a": {"b": 2.5}},
    }
    assert list(json.loads(path.read_text()))[:2] == ["float32", "bool"]


@pytest.mark.parametrize("value", [object(), {"a": {1, 2}}, 1j, np.longdouble(1)])
def test_json_refuses_what_it_cannot_say(tmp_path, value):
    with pytest.raises(TypeError, match="no JSON form"):
        files.write_json(tmp_path / "value.json", value)
    assert names(tmp_path) == []
