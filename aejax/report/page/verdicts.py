"""What became of each experiment of a reproduction, in one word and one line."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aejax.report.words import Words

KINDS = ("same", "held", "recorded", "unrecorded", "off", "failed", "not_run", "absent")
"""From best to worst; also the keys of the catalogue's ``verdicts``."""
SAME, HELD, RECORDED, UNRECORDED, OFF, FAILED, NOT_RUN, ABSENT = KINDS
SAME_BITS = "same bits"
GOOD = ("held", "equal", SAME_BITS)
SWEEP = "sweeps/"
GET = "get it with: "


class Verdict(NamedTuple):
    """Of an experiment.

    Attributes:
        kind: bit for bit the `SAME`, `HELD` within the tolerance, not run now but `RECORDED`, `UNRECORDED`, `OFF`,
            `FAILED`, `NOT_RUN` for want of data, or `ABSENT` from this reproduction.
        name: of that, in words.
        why: the rest, in a line.
        wrong: each number that did not hold, in a line.
        get: the command that gets the data, where these are what is missing.
    """

    kind: str
    name: str
    why: str
    wrong: Sequence[str] = ()
    get: str = ""


def verdict(name: str, report: Mapping[str, Any], words: Words, *, ran: bool) -> Verdict:
    """What became of an experiment.

    Args:
        name: of it, such as ``"reduction:paper"``.
        report: what ``reproduce.json`` holds.
        words: of the language.
        ran: whether there are finished runs of it.
    """
    text = words.text["verdicts"]
    of_kind = lambda kind, why, **more: Verdict(kind, text[kind], why, **more)
    if name in report["failed"]:
        return of_kind(FAILED, report["failed"][name])
    if name in report["not_run"]:
        why, known, command = report["not_run"][name].partition(GET)
        return of_kind(NOT_RUN, text["missing"] if known else why, get=command)
    lines = [line for line in report["lines"] if line["experiment"] == name]
    if not lines and not ran:
        return of_kind(ABSENT, text["absent_why"])
    if all(line["verdict"] == "not recorded" for line in lines):
        return of_kind(UNRECORDED, text["unrecorded_why"])
    numbers = [line["verdict"] in GOOD for line in lines if line["expected"] is not None]
    wrong = [line for line in lines if line["verdict"] not in GOOD]
    held = text["count"].format(held=sum(numbers), all=len(numbers))
    if wrong:
        return of_kind(OFF, held, wrong=[_difference(line, words) for line in wrong])
    same = any(line["verdict"] == SAME_BITS for line in lines)
    return of_kind(SAME, held + text["bits"]) if same else of_kind(HELD, held)


def recorded(instead: Verdict, environment: Mapping[str, Any], words: Words) -> Verdict:
    """Of an experiment that was not run now, and whose recorded runs are shown in their place.

    Args:
        instead: of what became of it now.
        environment: that they were recorded in.
        words: of the language.
    """
    text, versions = words.text["verdicts"], environment.get("packages", {})
    why = text["recorded_why"].format(processor=environment.get("processor", ""), jax=versions.get("jax", ""))
    return instead._replace(kind=RECORDED, name=text[RECORDED], why=why)


def _difference(line: Mapping[str, Any], words: Words) -> str:
    """A number that did not hold, or parameters that are not the recorded ones."""
    text, digits, got = words.text["verdicts"], line.get("digits") or 0, line["got"]
    if line["expected"] is None:
        return text["other_bits"]
    shown = text["difference"].format(
        metric=line["metric"] + (text["seed"].format(seed=line["seed"]) if digits else ""),
        expected=_number(line["expected"], digits, words),
        got=text["nothing"] if got is None else _number(got, digits, words),
        tolerance=text["digits"].format(count=digits) if digits else words.number(line.get("tolerance") or 0),
    )
    return shown if got is None or math.isfinite(float(got)) else f"{shown} {text['not_finite']}"


def _number(value: float | str, digits: int, words: Words) -> str:
    """A number with so many significant digits; 0 for as many as numbers of the page have."""
    value = float(value)
    if not digits or not math.isfinite(value):
        return words.number(value)
    mantissa, power, exponent = f"{value:.{digits}g}".partition("e")
    shown = words.fixed(float(mantissa), len(mantissa.partition(".")[2]))
    return f"{shown}e{int(exponent)}" if power else shown


def counts(verdicts: Sequence[Verdict]) -> dict[str, tuple[str, int]]:
    """By the name of each kind, from best to worst: the kind, and how many there are of it."""
    names = {verdict.kind: verdict.name for verdict in verdicts}
    count = [verdict.kind for verdict in verdicts].count
    return {names[kind]: (kind, count(kind)) for kind in KINDS if kind in names}


def experiments(*reports: Mapping[str, Any]) -> list[str]:
    """The names of all experiments of some reports, without their sweeps."""
    names: dict[str, None] = {}
    for report in reports:
        lines = [line["experiment"] for line in report["lines"]]
        names |= dict.fromkeys([*lines, *report["not_run"], *report["failed"]])
    return [name for name in names if not name.startswith(SWEEP)]
