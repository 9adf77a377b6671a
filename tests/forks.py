"""Python commands in processes of their own, without the seconds that each takes to import everything.

A server that has imported it, and has started nothing else of JAX, forks a child for each command. There is one server
for each set of the variables that are read at the start, such as `PYTHONPATH` and those of JAX.
"""

import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

IMPORTED = (
    *("jax", "flax.linen", "optax", "sklearn.decomposition", "matplotlib.figure"),
    *("aejax.cli", "aejax.data", "aejax.models.dense", "aejax.runs.apply", "aejax.runs.experiment"),
)
AT_START = ("JAX_", "PYTHON", "OMP_", "OPENBLAS_", "MKL_")


class Forked:
    """A child, with the methods of `subprocess.Popen` that tests use."""

    def __init__(self, words: Sequence[str], environment: Mapping[str, str], folder: Path | None = None):
        self.server = server(tuple(sorted((k, v) for k, v in environment.items() if k.startswith(AT_START))))
        self.output = tempfile.mkdtemp(prefix="output-", dir=os.environ.get("AEJAX_CACHE_DIR"))
        self.returncode: int | None = None
        self.pid = self._ask(words=[*map(str, words)], environment=dict(environment), folder=str(folder or Path.cwd()))

    def _ask(self, **request) -> int | None:
        self.server.stdin.write(json.dumps(request | {"output": self.output}) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask(pid=self.pid, wait=False)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def communicate(self) -> tuple[str, str]:
        """What it wrote to its output and errors, once it has ended."""
        if self.returncode is None:
            self.returncode = self._ask(pid=self.pid, wait=True)
        out, err = (Path(self.output, name).read_text(encoding="utf-8") for name in ("out", "err"))
        return out, err


@cache
def server(variables: tuple[tuple[str, str], ...]) -> subprocess.Popen:
    """The one that has these variables; it ends with this process, whose pipe it reads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(AT_START)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, __file__], env=environment | dict(variables), text=True, **pipes)


def serve() -> None:
    """Answer requests until the pipe closes: the process of a new command, or the exit code of an older one."""
    for name in IMPORTED:
        import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        if "pid" in request:
            pid, status = os.waitpid(request["pid"], 0 if request["wait"] else os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        elif not (answer := os.fork()):
            return run(**request)
        print(json.dumps(answer), flush=True)


def run(words: list[str], environment: dict[str, str], folder: str, output: str) -> None:
    """What ``python WORDS`` does."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in enumerate((os.devnull, f"{output}/out", f"{output}/err")):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT, 0o600), number)
    match words:
        case ["-m", module, *rest]:
            sys.argv, sys.path[0] = [module, *rest], ""
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ["-c", program, *rest]:
            sys.argv, sys.path[0] = ["-c", *rest], ""
            exec(compile(program, "<string>", "exec"), {"__name__": "__main__"})
        case [path, *rest]:
            sys.argv, sys.path[0] = [path, *rest], str(Path(path).parent)
            runpy.run_path(path, run_name="__main__")


if __name__ == "__main__":
    serve()
