"""What was got beside what is recorded: one verdict for each number, and one for the bits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.reproduce.record import NOTHING, Number, Recorded, rounded

HELD, EQUAL, SAME = "held", "equal", "same bits"
OFF, NAN, MISSING, OTHER, UNRECORDED = "off", "not a number", "missing", "other bits", "not recorded"


class Line(NamedTuple):
    """One comparison.

    Attributes:
        experiment: its name.
        metric: the number's name; ``"parameters"`` for the digests.
        expected: the recorded mean over the seeds that were run; None for digests, and for what is not recorded.
        got: the mean; None for digests, and for what is missing.
        tolerance: how far the two may be apart; 0 where every recorded digit had to be got.
        verdict: `HELD` within the tolerance, `EQUAL` to the last digit, `SAME` bits; or what is wrong: `OFF`, `NAN`
            where a number was expected, `MISSING`, `OTHER` bits, `UNRECORDED`.
    """

    experiment: str
    metric: str
    expected: float | None
    got: float | None
    tolerance: float | None
    verdict: str


class Got(NamedTuple):
    """What a run came to.

    Attributes:
        numbers: by name.
        digest: of its parameters.
        seconds: that it took, when it was run.
        machine: the fingerprint of the one that it was run on.
    """

    numbers: Mapping[str, float]
    digest: str
    seconds: float
    machine: str


def compare(name: str, recorded: Recorded, runs: Sequence[Got]) -> list[Line]:
    """One line for every recorded number, and one for the digests where those of the machine are recorded.

    On a machine whose digests are recorded, they must be equal, bit for bit, and then every number to the last recorded
    digit. Elsewhere the mean over the seeds 0, 1, … that were run must be within the tolerance of the recorded mean
    over the same seeds.

    Args:
        name: of the experiment.
        recorded: of it.
        runs: of the seeds 0, 1, ….
    """
    if not recorded.numbers:
        return [Line(name, "", None, None, None, UNRECORDED)]
    known = [recorded.digests.get(run.machine, ())[seed : seed + 1] for seed, run in enumerate(runs)]
    pairs = [(run.digest, own[0]) for run, own in zip(runs, known, strict=True) if own]
    same = all(got == expected for got, expected in pairs)
    exact = same and len(pairs) == len(runs)
    lines = [_line(name, metric, number, runs, exact=exact) for metric, number in recorded.numbers.items()]
    if pairs:
        lines.append(Line(name, "parameters", None, None, None, SAME if same else OTHER))
    return lines


def _line(name: str, metric: str, number: Number, runs: Sequence[Got], *, exact: bool) -> Line:
    pairs = [(run.numbers.get(metric), value) for run, value in zip(runs, number.values, strict=False)]
    expected = sum(value for _, value in pairs) / len(pairs)
    if any(value is None for value, _ in pairs):
        return Line(name, metric, expected, None, number.tolerance, MISSING)
    got = sum(value for value, _ in pairs) / len(pairs)
    nan = math.isnan(got) and math.isnan(expected)
    if exact:
        good, passed = all(str(rounded(value)) == str(rounded(own)) for value, own in pairs), EQUAL
    else:
        good, passed = got == expected or abs(got - expected) <= max(number.tolerance, NOTHING) or nan, HELD
    wrong = NAN if math.isnan(got) and not nan else OFF
    return Line(name, metric, expected, got, 0.0 if exact else number.tolerance, passed if good else wrong)


def fails(line: Line) -> bool:
    """Whether a verdict is against the reproduction."""
    return line.verdict not in (HELD, EQUAL, SAME)


def row(line: Line) -> tuple[str, ...]:
    """A line in words: experiment, metric, expected, got, difference, tolerance, verdict."""
    difference = None if line.expected is None or line.got is None else line.got - line.expected
    numbers = (line.expected, line.got, difference, line.tolerance)
    return (line.experiment, line.metric, *(_shown(value) for value in numbers), line.verdict)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return "0" if abs(value) < NOTHING else f"{value:.5g}"


HEADER = ("experiment", "number", "expected", "got", "difference", "tolerance", "verdict")
