"""The two commands of the README fail with one clear line. (That they work is for .ci/run, which calls one of them.)"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "scripts").mkdir()
    for name in ("demo", "test", "environment.sh"):
        shutil.copy(ROOT / "scripts" / name, tmp_path / "scripts" / name)
    (tmp_path / "pyproject.toml").write_text(
        "[project]\nname = 'nothing'\nversion = '0'\ndependencies = ['aejax-is-not-there']\n"
    )
    return tmp_path


def fail(checkout, script, **environment):
    done = subprocess.run(
        [str(checkout / "scripts" / script)],
        env={**os.environ, "AEJAX_VENV": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"{script}: ")
    return done.stderr


def python_that(checkout, answer):
    path = checkout / "python"
    path.write_text(f"#!/bin/sh\n{answer}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("script", ["demo", "test"])
def test_a_python_that_does_not_fit(checkout, script):
    old = python_that(checkout, "exit 1")
    assert "3.11 to 3.13" in fail(checkout, script, PYTHON=old)
    assert not (checkout / ".venv").exists()


def test_no_python_at_all(checkout):
    tools = checkout / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "basename", "env"):
        (tools / name).symlink_to(shutil.which(name))
    assert "finds none" in fail(checkout, "demo", PATH=str(tools), PYTHON="")


@pytest.mark.parametrize("script", ["demo", "test"])
def test_no_venv_module(checkout, script):
    bare = python_that(checkout, 'case "$*" in *venv*) echo "No module named venv" >&2; exit 1;; esac; exit 0')
    assert "python3-venv" in fail(checkout, script, PYTHON=bare)
    assert not (checkout / ".venv").exists(), "nothing half made is left"


def test_no_network(checkout):
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    line = fail(checkout, "demo", PYTHON=sys.executable, PIP_NO_INDEX="", PIP_FIND_LINKS="", **nowhere)
    assert "network" in line
