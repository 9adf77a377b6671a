"""The rows of the table, measured: a process for each way, all of them in turns."""

import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from aejax import __version__
from aejax.bench import ROWS, Row
from aejax.errors import UserError
from aejax.runs import workdir

PACKAGES = {"PyTorch": "torch", "PyTorch and matplotlib": "torch", "PyOD": "pyod"}
"""What a peer needs beyond aejax's own packages."""


class Result(NamedTuple):
    """A row on so many cores.

    Attributes:
        name: of the row.
        threads: cores that each way might use.
        seconds: by way, the median over the turns.
        megabytes: by way, memory at most.
        ratios: by peer, its seconds over aejax's, turn by turn.
        versions: of the packages.
        share: of the operations that aejax does in a second, by XLA's count, in those of a product of matrices of
            1,024 by 1,024; None where the work is more than steps.
    """

    name: str
    threads: int
    seconds: Mapping[str, float]
    megabytes: Mapping[str, float]
    ratios: Mapping[str, tuple[float, ...]]
    versions: Mapping[str, str | None]
    share: float | None = None

    @property
    def ratio(self) -> float:
        """The median beside the fastest peer; infinite without any."""
        return min(map(statistics.median, self.ratios.values()), default=math.inf)

    @property
    def misses(self) -> bool:
        """Whether it is below what it is meant to reach."""
        row = ROWS[self.name]
        return self.ratio < row.least or self.seconds[next(iter(row.ways))] > row.within


def check(names: Sequence[str]) -> None:
    """Refuse rows whose peers are not installed.

    Raises:
        UserError: a package is missing.
    """
    for package in sorted({PACKAGES[way] for name in names for way in ROWS[name].ways if way in PACKAGES}):
        if find_spec(package) is None:
            raise UserError(f"bench: needs {package}, its peer; install it with: pip install 'aejax[bench]'")


def measure(name: str, threads: int, turns: int | None = None, against: Path | None = None) -> Result:
    """Measure a row.

    Args:
        name: one of `ROWS`.
        threads: cores that each way may use.
        turns: that are timed; None: as the row has it.
        against: another tree of aejax, which is then the peer in place of the others.

    Raises:
        UserError: the work of a way failed.
    """
    row = ROWS[name]
    ours = next(iter(row.ways))
    ways = {way: (way, None) for way in row.ways}
    if against is not None:
        ways = {ours: (ours, None), "before": (ours, against)}
    with ExitStack() as running:
        ask, about = {}, {}
        for way, which in ways.items():  # one after the other, so that each gets ready with the machine to itself
            ask[way] = running.enter_context(_worker(name, *which, threads))
            about[way] = ask[way]()
        answers = [{way: each() for way, each in ask.items()} for _ in range(turns or row.turns)]
    seconds = {way: [answer[way]["seconds"] for answer in answers] for way in ways}
    over = lambda theirs: tuple(b / a for a, b in zip(seconds[ours], theirs, strict=True))
    ratios = {way: over(values) for way, values in seconds.items() if way != ours}
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    megabytes = {way: answers[-1][way]["megabytes"] for way in ways}
    of_ours = about[ours]
    share = of_ours["operations"] and of_ours["operations"] / medians[ours] / of_ours["peak"]
    return Result(name, threads, medians, megabytes, ratios, of_ours["versions"], share)


@contextmanager
def _worker(name: str, way: str, tree: Path | None, threads: int) -> Iterator[Callable[[], Any]]:
    """What asks a process for a turn; its first answer is about the process."""
    path = [] if tree is None else [str(tree)]
    path += [os.environ["PYTHONPATH"]] if "PYTHONPATH" in os.environ else []
    environment = os.environ | ({"PYTHONPATH": os.pathsep.join(path)} if path else {})
    words = [sys.executable, "-m", "aejax.bench.worker", name, way, str(threads)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(words, env=environment, stderr=said, cwd=tree, **pipes)  # Python looks there first
        asked = False

        def ask() -> Any:
            nonlocal asked
            if asked:
                print("turn", file=process.stdin, flush=True)
            asked, line = True, process.stdout.readline()
            if not line:
                said.seek(0)
                last = ([line for line in said.read().splitlines() if line.strip()] or ["it ended"])[-1]
                raise UserError(f"bench {name}: {way}: {last}")
            return json.loads(line)

        try:
            yield ask
        finally:
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


@contextmanager
def tree_of(reference: str) -> Iterator[Path]:
    """A folder with the tree of a commit of the checkout that aejax is run from.

    Raises:
        UserError: aejax is run from no checkout, or it has no such commit.
    """
    checkout = Path(__file__).parents[2]
    with tempfile.TemporaryDirectory() as folder:
        words = ["git", "-C", str(checkout), "archive", "--format=tar", f"--output={folder}/tree.tar", reference]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise UserError(f"--against {reference}: {' '.join(done.stderr.split()) or 'no such commit'}")
        subprocess.run(["tar", "-xf", f"{folder}/tree.tar", "-C", folder], check=True)
        yield Path(folder)


def machine() -> str:
    """The processor, its cores and the version of Python, in a line."""
    about = workdir.processor()
    return f"{about}, {len(_cores())} cores, Python {platform.python_version()}, aejax {__version__}"


def line(result: Result) -> str:
    """A result as it is printed."""
    row, unit = ROWS[result.name], lambda seconds: f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
    sides = ", ".join(f"{way} {unit(s)} ({result.megabytes[way]:.0f} MB)" for way, s in result.seconds.items())
    spread = [ratio for ratios in result.ratios.values() for ratio in ratios]
    aim = "" if "before" in result.ratios or not row.least else f", at least {row.least:.3g}"
    share = "" if result.share is None else f"; {result.share:.0%} of the rate of matrix products"
    times = f"{result.ratio:.2f} times (from {min(spread):.2f} to {max(spread):.2f}{aim}): " if spread else ""
    within = "" if math.isinf(row.within) else f"; at most {unit(row.within)}"
    return f"{result.name}, {result.threads} thread(s): {times}{sides}{share}{within}"


def _cores() -> Sequence[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


def threads_of(row: Row, asked: Sequence[int] | None) -> list[int]:
    """For how many cores a row is measured, of those that there are."""
    cores = len(_cores())
    counts = sorted({min(count, cores) for count in row.threads})
    return [count for count in counts if asked is None or count in asked] or counts[-1:]
