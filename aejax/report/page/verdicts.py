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
    own = text["verdicts"]
    if line["expected"] is None:
        return own["other_bits"]
    got = own["nothing"] if line["got"] is None else words.number(line["got"], text)
    expected = words.number(line["expected"], text)
    tolerance = "" if line.get("tolerance") is None else words.number(line["tolerance"], text)
    shown = own["difference"].format(metric=line["metric"], expected=expected, got=got, tolerance=tolerance or "0")
    finite = line["got"] is not None and math.isfinite(float(line["got"]))
    return shown if finite or line["got"] is None else f"{shown} {own['not_finite']}"


def counts(found: Sequence[Verdict]) -> dict[str, int]:
    """How many there are of each kind, in the order from best to worst."""
    kinds = [verdict.kind for verdict in found]
    return {kind: kinds.count(kind) for kind in (SAME, HELD, UNRECORDED, OFF, FAILED, NOT_RUN, ABSENT) if kind in kinds}


def experiments(report: Mapping[str, Any]) -> list[str]:
    """The names of all experiments that a report tells of; its sweeps are told of with the experiments."""
    lines = [line["experiment"] for line in report["lines"]]
    names = dict.fromkeys([*lines, *report["not_run"], *report["failed"]])
    return [name for name in names if not name.startswith(SWEEP)]
