"""What became of each experiment of a reproduction, in one word and one line."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.report.page import words
from aejax.report.page.words import Words

SAME, HELD, UNRECORDED, OFF, FAILED, NOT_RUN, ABSENT = (
    *("same", "held", "unrecorded", "off", "failed", "not_run", "absent"),
)
AS_RECORDED = (SAME, HELD)
BIT_FOR_BIT, NOTHING_RECORDED = "same bits", "not recorded"
SWEEP = "sweeps/"
GET = "get it with: "
GOOD = ("held", "equal", BIT_FOR_BIT)


class Verdict(NamedTuple):
    """Of an experiment.

    Attributes:
        kind: bit for bit the `SAME`, `HELD` within the tolerance, `UNRECORDED`, `OFF`, `FAILED`, `NOT_RUN` for want
            of data, or `ABSENT` from this reproduction.
        name: of that, in words.
        why: the rest, in a line.
        wrong: each number that did not hold, in a line.
        get: the command that gets the data, where these are what is missing.
    """

    kind: str
    name: str
    why: str
    wrong: tuple[str, ...] = ()
    get: str = ""


def verdict(name: str, report: Mapping[str, Any], text: Words, *, ran: bool) -> Verdict:
    """What became of an experiment.

    Args:
        name: of it, such as ``"reduction:paper"``.
        report: what ``reproduce.json`` holds.
        text: the catalogue.
        ran: whether there are finished runs of it.
    """
    own = text["verdicts"]
    of_kind = lambda kind, why, wrong=(): Verdict(kind, own[kind], why, tuple(wrong))
    if name in report["failed"]:
        return of_kind(FAILED, str(report["failed"][name]))
    if name in report["not_run"]:
        why = str(report["not_run"][name])
        _, known, command = why.partition(GET)
        return of_kind(NOT_RUN, own["missing"] if known else why)._replace(get=command)
    lines = [line for line in report["lines"] if line["experiment"] == name]
    if not lines and not ran:
        return of_kind(ABSENT, own["absent_why"])
    if all(line["verdict"] == NOTHING_RECORDED for line in lines):
        return of_kind(UNRECORDED, own["unrecorded_why"])
    numbers = [line for line in lines if line["expected"] is not None]
    wrong = [line for line in lines if line["verdict"] not in GOOD]
    held = own["count"].format(held=sum(line["verdict"] in GOOD for line in numbers), all=len(numbers))
    if wrong:
        return of_kind(OFF, held, [_difference(line, text) for line in wrong])
    same = any(line["verdict"] == BIT_FOR_BIT for line in lines)
    return of_kind(SAME, f"{held}{own['bits']}") if same else of_kind(HELD, held)


def _difference(line: Mapping[str, Any], text: Words) -> str:
    own, digits = text["verdicts"], line.get("digits") or 0
    if line["expected"] is None:
        return own["other_bits"]
    got = own["nothing"] if line["got"] is None else _number(line["got"], digits, text)
    expected = _number(line["expected"], digits, text)
    tolerance = "" if line.get("tolerance") is None else words.number(line["tolerance"], text)
    tolerance = own["digits"].format(count=digits) if digits else tolerance or "0"
    seed = own["seed"].format(seed=line["seed"]) if digits else ""
    shown = own["difference"].format(metric=line["metric"] + seed, expected=expected, got=got, tolerance=tolerance)
    finite = line["got"] is not None and math.isfinite(float(line["got"]))
    return shown if finite or line["got"] is None else f"{shown} {own['not_finite']}"


def _number(value: float | str, digits: int, text: Words) -> str:
    """A number with so many significant digits; 0 for as many as numbers of the page have."""
    value = float(value)
    if not digits or not math.isfinite(value):
        return words.number(value, text)
    mantissa, power, exponent = f"{value:.{digits}g}".partition("e")
    shown = words.fixed(float(mantissa), len(mantissa.partition(".")[2]), text)
    return f"{shown}e{int(exponent)}" if power else shown


def counts(found: Sequence[Verdict]) -> dict[str, int]:
    """How many there are of each kind, in the order from best to worst."""
    kinds = [verdict.kind for verdict in found]
    return {kind: kinds.count(kind) for kind in (SAME, HELD, UNRECORDED, OFF, FAILED, NOT_RUN, ABSENT) if kind in kinds}


def experiments(report: Mapping[str, Any]) -> list[str]:
    """The names of all experiments that a report tells of; its sweeps are told of with the experiments."""
    lines = [line["experiment"] for line in report["lines"]]
    names = dict.fromkeys([*lines, *report["not_run"], *report["failed"]])
    return [name for name in names if not name.startswith(SWEEP)]
