"""The numbers of new runs compared with recorded ones: a verdict for each number, and one for the bits."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aejax.reproduce import record
from aejax.reproduce.record import DIGITS, ZERO, Number, Recorded, Result, Run, rounded

HELD, EQUAL, SAME = "held", "equal", "same bits"
OFF, NAN, MISSING, OTHER, UNRECORDED = "off", "not a number", "missing", "other bits", "not recorded"
RECORDED = "recorded"
HEADER = ("experiment", "number", "expected", "got", "difference", "tolerance", "verdict")


class Comparison(NamedTuple):
    """A number of an experiment, or the digests of its parameters, compared with what is recorded.

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

    @property
    def fails(self) -> bool:
        """Whether the verdict is against the reproduction."""
        return self.verdict not in (HELD, EQUAL, SAME, RECORDED)


def compare(name: str, recorded: Recorded, runs: Sequence[Run]) -> list[Comparison]:
    """A comparison for every recorded number, and one for the digests where those of the machine are recorded.

    On a machine whose digests are recorded, they must be equal, bit for bit, and every number to the last recorded
    digit on the one that the numbers are of. Where only those of another processor with the same instructions are
    recorded, it is said if they are equal. Elsewhere the mean over the seeds 0, 1, … must be within the tolerance of
    the recorded mean over the same seeds. Seeds beyond the recorded ones are left out.

    Args:
        name: of the experiment.
        recorded: of it.
        runs: of the seeds 0, 1, ….
    """
    if not recorded.metrics:
        return [Comparison(name, "", None, None, None, UNRECORDED)]
    runs = runs[: record.seeds(recorded)]
    digests = [recorded.digests.get(run.machine, ())[seed : seed + 1] for seed, run in enumerate(runs)]
    pairs = [(run.digest, digest[0]) for run, digest in zip(runs, digests, strict=True) if digest]
    same = all(got == expected for got, expected in pairs)
    machines = {recorded.machine} if recorded.machine else set(recorded.digests)
    exact = same and len(pairs) == len(runs) and all(run.machine in machines for run in runs)
    lines = [_number(name, metric, number, runs, exact=exact) for metric, number in recorded.metrics.items()]
    if not pairs:  # another processor: equal bits are a finding, other bits no failure
        new = tuple(run.digest for run in runs)
        same = any(other[: len(new)] == new for other in record.alike(recorded, runs[0].machine))
    if pairs or same:
        lines.append(Comparison(name, "parameters", None, None, None, SAME if same else OTHER))
    return lines


def compare_all(results: Sequence[Result], recorded: Mapping[str, Recorded]) -> list[Comparison]:
    """The comparisons of all experiments that were run and are recorded."""
    known = [result for result in results if result.runs and result.name in recorded]
    return [line for result in known for line in compare(result.name, recorded[result.name], result.runs)]


def _number(name: str, metric: str, number: Number, runs: Sequence[Run], *, exact: bool) -> Comparison:
    pairs = [(run.numbers.get(metric), value) for run, value in zip(runs, number.values, strict=False)]
    expected = _mean([value for _, value in pairs])
    if any(value is None for value, _ in pairs):
        return Comparison(name, metric, expected, None, number.tolerance, MISSING)
    if exact:
        return _digits(name, metric, [(rounded(value), rounded(other)) for value, other in pairs])
    got = _mean([value for value, _ in pairs])
    both_nan = math.isnan(got) and math.isnan(expected)
    good = got == expected or abs(got - expected) <= max(number.tolerance, ZERO) or both_nan
    return Comparison(name, metric, expected, got, number.tolerance, HELD if good else NAN if math.isnan(got) else OFF)


def _digits(name: str, metric: str, pairs: Sequence[tuple[float, float]]) -> Comparison:
    """The comparison of a number digit by digit: of the means, or of the first seed with another digit."""
    for seed, (got, expected) in enumerate(pairs):
        if str(got) != str(expected):
            return Comparison(name, metric, expected, got, 0.0, NAN if math.isnan(got) else OFF, DIGITS, seed)
    mean = _mean([value for value, _ in pairs])
    return Comparison(name, metric, mean, mean, 0.0, EQUAL, DIGITS)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def added(name: str, old: Recorded | None, new: Recorded) -> list[Comparison]:
    """A line for each number that is recorded for the first time."""
    known = old.metrics if old else {}
    return [
        Comparison(name, metric, None, _mean(number.values), number.tolerance, RECORDED)
        for metric, number in new.metrics.items()
        if metric not in known
    ]


def to_record(
    results: Sequence[Result], recorded: Mapping[str, Recorded], lines: Sequence[Comparison]
) -> dict[str, Recorded]:
    """What to record of the experiments that ran, except those in which a recorded number has become NaN."""
    refused = {line.experiment for line in lines if line.verdict == NAN}
    off = {line.experiment for line in lines if line.fails}
    ran = {result.name: result.runs for result in results if result.runs and result.name not in refused}
    return {name: record.updated(recorded.get(name), runs, hold=name not in off) for name, runs in ran.items()}


def row(line: Comparison, change: tuple[float, float] | None = None) -> tuple[str, ...]:
    """The cells of a comparison in the table, by `HEADER`.

    Args:
        line: the comparison.
        change: the recorded tolerance, and the one that replaces it.
    """
    difference = None if line.expected is None or line.got is None else line.got - line.expected
    numbers = (_text(line.expected, line.digits or 5), _text(line.got, line.digits or 5), _text(difference, 5))
    tolerance = f"{line.digits} digits" if line.digits else _text(line.tolerance, 5)
    if change:
        tolerance = " -> ".join(_text(value, 5) for value in change)
    metric = line.metric if line.seed is None else f"{line.metric}, seed {line.seed}"
    return (line.experiment, metric, *numbers, tolerance, line.verdict)


def _text(value: float | None, digits: int) -> str:
    if value is None:
        return ""
    return "0" if abs(value) < ZERO else f"{value:.{digits}g}"
