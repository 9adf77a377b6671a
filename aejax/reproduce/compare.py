"""What was got beside what is recorded: one verdict for each number, and one for the bits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.reproduce import record
from aejax.reproduce.record import DIGITS, NOTHING, Number, Recorded, rounded

HELD, EQUAL, SAME = "held", "equal", "same bits"
OFF, NAN, MISSING, OTHER, UNRECORDED = "off", "not a number", "missing", "other bits", "not recorded"
RECORDED = "recorded"


class Line(NamedTuple):
    """One comparison.

    Attributes:
        experiment: its name.
        metric: the number's name; ``"parameters"`` for the digests.
        expected: the recorded mean over the seeds that were run; None for digests, and for what is not recorded.
        got: the mean; None for digests, and for what is missing.
        tolerance: how far the two may be apart; 0 where digits are compared.
        verdict: `HELD` within the tolerance, `EQUAL` to the last digit, `SAME` bits; or what is wrong: `OFF`, `NAN`
            where a number was expected, `MISSING`, `OTHER` bits, `UNRECORDED`; or `RECORDED` for the first time.
        digits: how many had to be equal in every seed, to which `expected` and `got` are rounded; 0 where the tolerance
            applies.
        seed: the first with another digit, whose values `expected` and `got` are then; else None.
    """

    experiment: str
    metric: str
    expected: float | None
    got: float | None
    tolerance: float | None
    verdict: str
    digits: int = 0
    seed: int | None = None


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
    over the same seeds. Seeds beyond the recorded ones count nowhere.

    Args:
        name: of the experiment.
        recorded: of it.
        runs: of the seeds 0, 1, ….
    """
    if not recorded.numbers:
        return [Line(name, "", None, None, None, UNRECORDED)]
    runs = runs[: record.seeds(recorded)]
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
    expected = _mean([value for _, value in pairs])
    if any(value is None for value, _ in pairs):
        return Line(name, metric, expected, None, number.tolerance, MISSING)
    if exact:
        return _digits(name, metric, [(rounded(value), rounded(own)) for value, own in pairs])
    got = _mean([value for value, _ in pairs])
    nan = math.isnan(got) and math.isnan(expected)
    good = got == expected or abs(got - expected) <= max(number.tolerance, NOTHING) or nan
    wrong = NAN if math.isnan(got) and not nan else OFF
    return Line(name, metric, expected, got, number.tolerance, HELD if good else wrong)


def _digits(name: str, metric: str, pairs: Sequence[tuple[float, float]]) -> Line:
    """The line of a number whose digits are compared: of the means, or of the first seed with another digit."""
    for seed, (got, expected) in enumerate(pairs):
        if str(got) != str(expected):
            wrong = NAN if math.isnan(got) else OFF
            return Line(name, metric, expected, got, 0.0, wrong, DIGITS, seed)
    mean = _mean([value for value, _ in pairs])
    return Line(name, metric, mean, mean, 0.0, EQUAL, DIGITS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def added(name: str, old: Recorded | None, new: Recorded) -> list[Line]:
    """One line for each number that is recorded for the first time."""
    known = old.numbers if old else {}
    numbers = {metric: own for metric, own in new.numbers.items() if metric not in known}
    return [Line(name, metric, None, _mean(own.values), own.tolerance, RECORDED) for metric, own in numbers.items()]


def fails(line: Line) -> bool:
    """Whether a verdict is against the reproduction."""
    return line.verdict not in (HELD, EQUAL, SAME, RECORDED)


def counts(line: Line) -> bool:
    """Whether a line is that of a number that has something recorded to be held against."""
    return line.expected is not None


def row(line: Line, change: tuple[float, float] | None = None) -> tuple[str, ...]:
    """A line in words: experiment, metric, expected, got, difference, what it may be, verdict.

    Args:
        line: of it.
        change: the recorded tolerance, and another that is recorded now.
    """
    difference = None if line.expected is None or line.got is None else line.got - line.expected
    numbers = (_shown(line.expected, line.digits or 5), _shown(line.got, line.digits or 5), _shown(difference, 5))
    rule = f"{line.digits} digits" if line.digits else _shown(line.tolerance, 5)
    if change:
        rule = " -> ".join(_shown(value, 5) for value in change)
    metric = line.metric if line.seed is None else f"{line.metric}, seed {line.seed}"
    return (line.experiment, metric, *numbers, rule, line.verdict)


def _shown(value: Any, digits: int) -> str:
    if value is None:
        return ""
    return "0" if abs(value) < NOTHING else f"{value:.{digits}g}"


HEADER = ("experiment", "number", "expected", "got", "difference", "tolerance", "verdict")
