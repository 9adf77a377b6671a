"""What was got beside what is recorded: one verdict for each number, and one for the bits."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.reproduce.record import Recorded

HELD, OFF, SAME, OTHER = "held", "off", "same bits", "other bits"


class Line(NamedTuple):
    """One comparison.

    Attributes:
        experiment: its name.
        metric: the number's name; ``"parameters"`` for the digests.
        expected: the recorded mean over the seeds that were run; None for digests, and for what is not recorded.
        got: the mean.
        tolerance: how far the two may be apart.
        verdict: `HELD`, `OFF`, `SAME` or `OTHER`.
    """

    experiment: str
    metric: str
    expected: float | None
    got: float | None
    tolerance: float | None
    verdict: str


class Got(NamedTuple):
    """What a run came to: its numbers, the digest of its parameters, and the seconds it took."""

    numbers: Mapping[str, float]
    digest: str
    seconds: float


def compare(name: str, recorded: Recorded, runs: Sequence[Got], machine: str) -> list[Line]:
    """One line for every recorded number, and one for the digests where this machine's are recorded.

    On the machine that recorded them, digests must be equal, bit for bit. Anywhere, the mean over the seeds 0, 1, …
    that were run must be within the tolerance of the recorded mean over the same seeds.

    Args:
        name: of the experiment.
        recorded: of it.
        runs: of the seeds 0, 1, ….
        machine: its fingerprint.
    """
    lines = []
    for metric, number in recorded.numbers.items():
        count = min(len(runs), len(number.values))
        expected = statistics.fmean(number.values[:count])
        values = [run.numbers.get(metric, math.nan) for run in runs[:count]]
        lines.append(_line(name, metric, expected, statistics.fmean(values), number.tolerance))
    known = recorded.digests.get(machine)
    if known:
        count = min(len(runs), len(known))
        same = [run.digest for run in runs[:count]] == list(known[:count])
        lines.append(Line(name, "parameters", None, None, None, SAME if same else OTHER))
    return lines


def _line(name: str, metric: str, expected: float, got: float, tolerance: float) -> Line:
    close = abs(got - expected) <= tolerance or (math.isnan(got) and math.isnan(expected))
    return Line(name, metric, expected, got, tolerance, HELD if close else OFF)


def fails(line: Line) -> bool:
    """Whether a verdict is against the reproduction."""
    return line.verdict in (OFF, OTHER)


def row(line: Line) -> tuple[str, ...]:
    """A line in words: experiment, metric, expected, got, difference, tolerance, verdict."""
    if line.expected is None or line.got is None:
        return (line.experiment, line.metric, "", "", "", "", line.verdict)
    numbers = (line.expected, line.got, line.got - line.expected, line.tolerance)
    return (line.experiment, line.metric, *(_shown(value) for value in numbers), line.verdict)


def _shown(value: Any) -> str:
    return f"{value:.5g}" if abs(value) >= 1e-12 or math.isnan(value) else "0"


HEADER = ("experiment", "number", "expected", "got", "difference", "tolerance", "verdict")
