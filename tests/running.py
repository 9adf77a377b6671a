"""Runs of a few steps, for the tests of the command line: in this process, or in one that can be killed."""

import csv
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from forks import Forked

from aejax import cli

ROOT = Path(__file__).parent.parent
MULTILAYER = "lecture/multilayer"

# 60 rows of 8 numbers, 45 of them to train on; a net of 8-3-2-3-8; 4 steps.
TINY = {
    "data.name": "clusters",
    "data.rows": "60",
    "model.widths": "(3,)",
    "model.code": "2",
    "train.steps": "4",
    "train.batch_size": "16",
    "train.evaluate_every": "2",
    "train.checkpoint_every": "2",
    "report.figures": "false",
}


SMALL = '''"""Small."""

from aejax.config import base


def get_config():
    config = base()
    config.data.name = "clusters"
    config.data.rows = 60
    config.model = {"name": "dense.multilayer", "widths": (3,), "code": 2}
    config.train.steps, config.train.batch_size = 20, 16
    config.report.figures = False
    return config
'''
"""A config file that trains in a moment."""


@contextmanager
def quick_processes() -> Iterator[None]:
    """What `environment` sets for processes, for those that the code under test starts by itself."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AEJAX_COMPILE_CACHE", "JAX_DISABLE_MOST_OPTIMIZATIONS"):
            patch.setenv(name, environment()[name])
        yield


class Answer(NamedTuple):
    """What a command came back with."""

    code: int
    out: str
    err: str


def arguments(settings: dict[str, str], config: str = MULTILAYER, workdir: Path | None = None) -> list[str]:
    """``run CONFIG --workdir … --set …``."""
    words = ["run", config, *(["--workdir", str(workdir)] if workdir else [])]
    return words + [word for path, value in settings.items() for word in ("--set", f"{path}={value}")]


def call(argv: Sequence[str], capsys) -> Answer:
    """A command, run in this process."""
    capsys.readouterr()
    try:
        code = cli.main(list(argv))
    except SystemExit as stop:
        code = stop.code
    return Answer(code, *capsys.readouterr())


def environment(**changes: str) -> dict[str, str]:
    """Of a process that finds the package of this checkout, with a compile cache."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {"PYTHONPATH": os.pathsep.join(paths), "AEJAX_COMPILE_CACHE": "on", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    return os.environ | own | changes


def command(argv: Sequence[str]) -> list[str]:
    """The `aejax` command with this interpreter."""
    return [sys.executable, "-m", "aejax", *map(str, argv)]


def execute(argv: Sequence[str], **changes: str) -> Answer:
    """A command, run in a process of its own."""
    running = begin(argv, **changes)
    out, err = running.communicate()
    return Answer(running.returncode, out, err)


def begin(argv: Sequence[str], **changes: str) -> Forked:
    """A command that has begun in a process of its own."""
    return Forked(command(argv)[1:], environment(**changes))


def virtual(count: int) -> dict[str, str]:
    """The environment of a process that sees so many devices of one CPU."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    return environment(XLA_FLAGS=flags, JAX_PLATFORMS="cpu")


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def process(number: int, port: int, folder: Path, settings: dict[str, str]) -> subprocess.Popen:
    """One of two processes of a run."""
    own = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--processes", "2", "--process-id", number]
    return subprocess.Popen(
        command([*arguments(settings, workdir=folder), *own]),
        env=virtual(2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(running: subprocess.Popen) -> Answer:
    """What a process came back with, at the latest after two minutes."""
    out, err = running.communicate(timeout=120)
    return Answer(running.returncode, out, err)


def summary(folder: Path) -> dict:
    """The summary of a finished run."""
    return json.loads((folder / "summary.json").read_text())


def table(folder: Path) -> list[dict[str, str]]:
    """The rows of a sweep's table."""
    with open(folder / "table.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def digest(folder: Path) -> str:
    """The digest of the parameters that a finished run kept."""
    return summary(folder)["parameters_digest"]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_refused(answer: Answer, *fragments: str) -> None:
    """Exit code 2 and one line that says what is wrong; no traceback anywhere."""
    assert answer.code == 2, answer
    assert answer.err.startswith("aejax: "), answer.err
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.endswith("\n"), answer.err
    assert "Traceback" not in answer.out + answer.err
    for fragment in fragments:
        assert fragment in answer.err, answer.err
